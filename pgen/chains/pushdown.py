"""A context-free language as deterministic bodies that call each other, and a vocabulary as a trie of byte classes.

Each rule of the normal form (`pgen.automata.rules`: none derives the empty string or begins with
itself) is an automaton over bytes and calls, made deterministic by subsets (Rabin and Scott 1959).
Bytes that no body tells apart share a class, and so do tokens that are equal class by
class: a vocabulary of thousands of words has few such spellings under most grammars.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from pgen.automata.nfa import fragment
from pgen.automata.pieces import CALL, Fragment
from pgen.automata.reachability import trim
from pgen.errors import InvalidLanguage, LimitExceeded
from pgen.language.base import Language
from pgen.tokens.special_tokens import check_plain
from pgen.tokens.vocabulary import Vocabulary

Ints = NDArray[np.int32]
MAX_STATES = 1 << 13
"""States of all bodies together."""


@dataclass(frozen=True, eq=False)
class Bodies:
    """Body r has the states `bounds[r]:bounds[r + 1]` and begins in the first; the last body is the start's.

    `delta (N, C)` over byte classes (-1: no way), `call_start (N + 1,)` into `call_rule` and `call_back`,
    `accepting (N,)`. A rule begins only with rules of higher number.
    """

    delta: Ints
    call_start: Ints
    call_rule: Ints
    call_back: Ints
    accepting: NDArray[np.bool_]
    bounds: Ints

    @property
    def n_rules(self) -> int:
        """R, the start's body not included."""
        return len(self.bounds) - 2


@dataclass(frozen=True, eq=False)
class Spellings:
    """The trie of tokens by byte classes: arcs of node t are `arc_start[t]:arc_start[t + 1]`.

    `arc_target` is a node, -1 where a token ends; `arc_tokens (A, )` is the group of tokens that end there (-1:
    none); `group_of (V,)` is each token's group, -1 if no member holds it. Parents come before children.
    """

    arc_start: Ints
    arc_target: Ints
    arc_class: Ints
    arc_group: Ints
    group_of: Ints

    @property
    def n_nodes(self) -> int:
        """T."""
        return len(self.arc_start) - 1

    @cached_property
    def arc_source(self) -> Ints:
        """`(A,)`: the node that each arc leaves."""
        return np.repeat(np.arange(self.n_nodes, dtype=np.int32), np.diff(self.arc_start))


@dataclass(frozen=True, eq=False)
class Pushdown:
    """A language over a vocabulary, for charts over positions (`pgen.chains.lattice`)."""

    language: Language
    vocabulary: Vocabulary
    bodies: Bodies
    spellings: Spellings


@lru_cache(maxsize=64)
def pushdown(language: Language, vocabulary: Vocabulary, max_nodes: int) -> Pushdown:
    """The language, its residual aside; cached.

    Raises `InvalidLanguage` if no sequence of tokens spells a member, `LimitExceeded` beyond `MAX_STATES`
    deterministic states or `max_nodes` of the trie, and what the normal form raises.
    """
    check_plain(language.node, "a chart over positions")
    text = vocabulary.text_ids.tolist()
    occurring = np.zeros(256, np.bool_)
    occurring[list(b"".join(vocabulary.tokens[token] for token in text))] = True
    laid = trim(fragment(language.node, share=False), occurring).fragment
    if laid.n_states == 0:
        raise InvalidLanguage(f"no sequence of tokens spells a member of {language!r}")
    class_of = _byte_classes(laid)
    spellings = _trie(vocabulary, class_of, max_nodes)
    return Pushdown(language, vocabulary, _Determinizer(laid, class_of, language).bodies(), spellings)


@lru_cache(maxsize=64)
def is_unambiguous(bodies: Bodies) -> bool:
    """Whether the next byte always decides between going on, calling a rule and leaving: then derivations are unique.

    Sufficient, not necessary: LL(1) of the deterministic bodies (Lewis and Stearns 1968).
    """
    return bool(((bodies.delta >= 0) + ways_on(bodies) <= 1).all())


@lru_cache(maxsize=64)
def ways_on(bodies: Bodies) -> NDArray[np.int64]:
    """`(N, C)`: by how many calls, or by leaving its body, a state may come to read a byte of each class next."""
    n_rules, bounds = bodies.n_rules, bodies.bounds
    owner = np.repeat(np.arange(n_rules + 1), np.diff(bounds))
    caller = np.repeat(np.arange(len(owner)), np.diff(bodies.call_start))
    rule, back = bodies.call_rule, bodies.call_back
    first, follow = bodies.delta >= 0, np.zeros((n_rules + 1, bodies.delta.shape[1]), np.bool_)
    before = -1
    while before != (before := int(first.sum() + follow.sum())):
        np.logical_or.at(first, caller, first[bounds[rule]])
        np.logical_or.at(follow, rule, first[back] | (bodies.accepting[back, None] & follow[owner[back]]))
    ways = (bodies.accepting[:, None] & follow[owner]).astype(np.int64)
    np.add.at(ways, caller, first[bounds[rule]].astype(np.int64))
    return ways


def _byte_classes(laid: Fragment) -> Ints:
    """`(256,)` the class of each byte, -1 where no edge holds it."""
    edges = laid.edges[laid.edges[:, 1] < CALL]
    byte = np.arange(256)[:, None]
    held = (edges[:, 1] <= byte) & (byte <= edges[:, 2])  # (256, E)
    _, classes = np.unique(np.packbits(held, axis=1), axis=0, return_inverse=True)
    used = np.unique(classes[held.any(axis=1)])
    made = np.full(256, -1, np.int32)
    made[held.any(axis=1)] = np.searchsorted(used, classes[held.any(axis=1)])
    return made


class _Determinizer:
    """Sets of states of one fragment, body by body."""

    def __init__(self, laid: Fragment, class_of: Ints, language: Language) -> None:
        self._laid, self._language = laid, language
        self._n_classes = int(class_of.max()) + 1
        self._jumps, self._moves = defaultdict[int, list[int]](list), defaultdict[int, list[tuple[int, int]]](list)
        for source, target in laid.jumps.tolist():
            self._jumps[source].append(target)
        for source, low, high, target in laid.edges.tolist():
            symbols = [CALL - 1 - low] if low >= CALL else np.unique(class_of[low : high + 1]).tolist()
            self._moves[source] += [(symbol, target) for symbol in symbols]
        self._rows: list[dict[int, int]] = []
        self._accepting: list[bool] = []

    def bodies(self) -> Bodies:
        """All bodies, the start's last."""
        begins, ends = [*self._laid.begins.tolist(), 0], [*self._laid.ends.tolist(), 1]
        bounds = [0]
        for begin, end in zip(begins, ends, strict=True):
            self._lay(begin, end)
            bounds.append(len(self._rows))
        delta = np.full((len(self._rows), self._n_classes), -1, np.int32)
        calls: list[tuple[int, int]] = []
        call_start = [0]
        for state, row in enumerate(self._rows):
            for symbol, target in row.items():
                if symbol >= 0:
                    delta[state, symbol] = target
                else:
                    calls.append((-1 - symbol, target))
            call_start.append(len(calls))
        rule, back = np.array(calls, np.int32).reshape(-1, 2).T.copy()
        starts, bounded = np.array(call_start, np.int32), np.array(bounds, np.int32)
        return Bodies(delta, starts, rule, back, np.array(self._accepting, np.bool_), bounded)

    def _lay(self, begin: int, end: int) -> None:
        first = len(self._rows)
        known = {self._closed([begin]): first}
        waiting = list(known)
        for states in waiting:
            if first + len(known) > MAX_STATES:
                raise LimitExceeded(
                    f"the rules of {self._language!r} have more than {MAX_STATES:,} states",
                    hint="bound its nesting and its counts (maxLength, maxItems, .max_bytes)",
                )
            targets = defaultdict[int, list[int]](list)
            for symbol, target in (move for state in sorted(states) for move in self._moves[state]):
                targets[symbol].append(target)
            row = {}
            for symbol, reached in targets.items():
                after = self._closed(reached)
                if after not in known:
                    known[after] = first + len(known)
                    waiting.append(after)
                row[symbol] = known[after]
            self._rows.append(row)
            self._accepting.append(end in states)

    def _closed(self, states: list[int]) -> frozenset[int]:
        """The states and all that jumps lead to."""
        found, waiting = set(states), list(states)
        while waiting:
            for target in self._jumps[waiting.pop()]:
                if target not in found:
                    found.add(target)
                    waiting.append(target)
        return frozenset(found)


def _trie(vocabulary: Vocabulary, class_of: Ints, max_nodes: int) -> Spellings:
    nodes: dict[tuple[int, ...], int] = {(): 0}
    groups: dict[tuple[int, ...], int] = {}
    group_of = np.full(len(vocabulary), -1, np.int32)
    for token, classes in _readable(vocabulary, class_of):
        for end in range(1, len(classes)):
            nodes.setdefault(classes[:end], len(nodes))
        if len(nodes) > max_nodes:
            raise LimitExceeded(
                f"the tokens of this vocabulary have more than {max_nodes:,} distinct beginnings",
                hint="use a shorter canvas or a smaller vocabulary",
            )
        group_of[token] = groups.setdefault(classes, len(groups))
    arcs = [(nodes[key[:-1]], node, key[-1], -1) for key, node in nodes.items() if key]
    arcs += [(nodes[key[:-1]], -1, key[-1], group) for key, group in groups.items()]
    table = np.array(sorted(arcs), np.int32).reshape(-1, 4)
    start = np.searchsorted(table[:, 0], np.arange(len(nodes) + 1)).astype(np.int32)
    node_of, class_at, group_at = table[:, 1:].T.copy()
    return Spellings(start, node_of, class_at, group_at, group_of)


def _readable(vocabulary: Vocabulary, class_of: Ints) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Text tokens with the classes of their bytes; those with a byte that no member holds are left out."""
    for token in vocabulary.text_ids.tolist():
        classes = tuple(class_of[list(vocabulary.tokens[token])].tolist())
        if min(classes) >= 0:
            yield token, classes
