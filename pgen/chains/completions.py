"""Which tokens a canvas can take at a position so that a context-free language still has a member that fits it.

The canvas is a regular language: fixed tokens, and runs of exactly k masks. Its intersection with the
grammar is empty or not (Bar-Hillel, Perles and Shamir 1961); it is explored from the start, right to
left and by need. X(q, v, b), for a state q of a rule's body at node v of the trie inside of position b (v = 0:
before it), is the set of places (node, position) at which the body can be left:

    X(q, v, b) = [q accepting] {(v, b)} ∪ X(q', 0, b + 1) for tokens that end in q' ∪ X(q', v', b) for stops inside
                 ∪ X(back, w, c) for calls of r and all (w, c) in X(first of r, v, b).

So a run of masks is the set of exact token counts that each rule can take of it: bits of a Python integer, a field of
L + 1 for each node. No rule derives the empty string or begins with itself, so the recursion ends. X
depends on the canvas from b on alone, and is kept by that: steps and particles share what lies
to the right of where they differ. Every (q, v) that a start leads to costs O(stops + exits · L) a position; nesting
has no bound. Tokens at one position lie on a way iff what is needed of a body meets what the
rest of it can give: needs are handed from callers to what they call, up to that position.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.chains.emissions import Canvas
from pgen.chains.pushdown import pushdown
from pgen.chains.reading import UNREADABLE, Reading
from pgen.errors import LimitExceeded
from pgen.language.base import Language
from pgen.tokens.vocabulary import Vocabulary

MAX_NODES = 1 << 18
"""Of a trie."""
MAX_UNIONS = 1 << 19
"""Of sets, for an open canvas: half a second; the queries of a run take a fraction of that each."""
MAX_KEPT = 1 << 18
"""Sets kept."""
MAX_ANSWERS = 64
"""Answers kept, for particles that are at the same canvas."""
Place = tuple[int, int, int]
"""A state, a node and a position."""


@lru_cache(maxsize=4)
def completions(language: Language, vocabulary: Vocabulary, length: int, open_ends: bool) -> Completions | None:
    """The completions of canvases of `length` positions; `None` where they would take too long. Cached."""
    try:
        reading = Reading(pushdown(language, vocabulary, MAX_NODES))
        return Completions(reading, length, open_ends=open_ends, max_unions=MAX_UNIONS)
    except LimitExceeded:
        return None


class _Laid(NamedTuple):
    """A canvas: the node at which each position's reading begins, keys of what follows, where the text may end."""

    nodes: list[int]
    keys: list[int]
    ends: list[bool]


class Completions:
    """Of canvases of `length` positions; without `open_ends`, ends stand only where they are committed.

    Raises `LimitExceeded` if the open canvas takes more than `max_unions` of sets.
    """

    def __init__(self, reading: Reading, length: int, *, open_ends: bool, max_unions: int | None = None) -> None:
        self._reading, self._length, self._open_ends = reading, length, open_ends
        self._vocabulary, bodies = reading.rules.vocabulary, reading.rules.bodies
        self._accepting: list[bool] = bodies.accepting.tolist()
        self._first: list[int] = bodies.bounds[:-1].tolist()
        calls = zip(bodies.call_rule.tolist(), bodies.call_back.tolist(), strict=True)
        bounds = itertools.pairwise(bodies.call_start.tolist())
        self._calls = [list(itertools.islice(calls, last - first)) for first, last in bounds]
        self._known: dict[tuple[int, int, int], int] = {}
        self._suffixes: dict[tuple[int, int], int] = {}
        self._fresh = itertools.count(1)
        self._field: dict[int, int] = {0: 0}
        self._nodes = [0]
        self._answers = lru_cache(MAX_ANSWERS)(self._allowed)
        self._unions_left = max_unions
        self.lengths = self._lengths()
        self._unions_left = None

    def fits(self, canvas: Canvas) -> bool:
        """Whether some filling of the open positions is a member."""
        laid = self._laid(canvas)
        return bool(self._exits(self._start, laid) & self._goal(laid))

    def allowed(self, canvas: Canvas, position: int) -> NDArray[np.bool_]:
        """`(V,)`, read-only: the tokens that an open position can take; none if the canvas is lost as it is."""
        return self._answers(tuple(canvas), position)

    def _allowed(self, canvas: Canvas, position: int) -> NDArray[np.bool_]:
        laid, n_tokens = self._laid(canvas), len(self._vocabulary)
        reached = self._exits(self._start, laid) & self._goal(laid)
        if reached & ((1 << position) - 1):  # behind an end
            return np.ones(n_tokens, np.bool_)
        group_of = self._reading.rules.spellings.group_of
        held = np.zeros(int(group_of.max(initial=0)) + 2, np.bool_)
        for groups in self._ways(laid, position, reached):
            held[groups] = True
        held[-1] = False
        made = held[group_of]
        if reached >> position & 1:
            made[sorted(self._vocabulary.eos)] = True
        made.flags.writeable = False
        return made

    @property
    def _start(self) -> Place:
        return self._first[-1], 0, 0

    def _lengths(self) -> tuple[int, ...]:
        """The numbers of tokens, up to the canvas's length, that members take."""
        reached = self._exits(self._start, self._laid((None,) * self._length))
        return tuple(n for n in range(self._length + 1) if reached >> n & 1)

    def _laid(self, canvas: Canvas) -> _Laid:
        if len(self._known) > MAX_KEPT:
            self._known.clear()
            self._suffixes.clear()
        nodes = [0 if token is None else self._reading.node_of(token) for token in canvas]
        keys = [0]
        for node in reversed(nodes):
            if (node, keys[-1]) not in self._suffixes:
                self._suffixes[node, keys[-1]] = next(self._fresh)
            keys.append(self._suffixes[node, keys[-1]])
        eos = self._vocabulary.eos
        ends = [token in eos or (token is None and self._open_ends and bool(eos)) for token in canvas]
        return _Laid(nodes, keys[::-1], [*ends, True])

    def _goal(self, laid: _Laid) -> int:
        """The exits that end the text."""
        return sum(1 << place for place, ends in enumerate(laid.ends) if ends)

    def _ways(self, laid: _Laid, position: int, reached: int) -> Iterator[NDArray[np.int32]]:
        """Groups of tokens that some way to the exits `reached` reads at a position."""
        needs = defaultdict[Place, int](int)
        waiting: list[set[Place]] = [set() for _ in range(position + 1)]

        def need(place: Place, exits: int) -> None:
            exits &= self._exits(place, laid)
            if exits & ~needs[place]:
                needs[place] |= exits
                waiting[place[2]].add(place)

        need(self._start, reached)
        for at, places in enumerate(waiting):
            while places:
                here = state, node, _ = places.pop()
                wanted, begin = needs[here], self._begin(laid, node, at)
                if begin == UNREADABLE:
                    continue
                ends, middles = self._reading.moves(state, begin)
                through = [after for after in ends if wanted & self._exits((after, 0, at + 1), laid)]
                if at < position:
                    for after in through:
                        need((after, 0, at + 1), wanted)
                elif through:
                    groups = self._reading.groups(state, begin)
                    yield from (groups[after] for after in through)
                for after, inside in middles:
                    need((after, inside, at), wanted)
                for rule, back in self._calls[state]:
                    called = self._first[rule], node, at
                    useful = 0
                    for mark, inside, left in self._places(self._exits(called, laid)):
                        if wanted & self._exits((back, inside, left), laid):
                            useful |= mark
                            if left <= position:
                                need((back, inside, left), wanted)
                    need(called, useful)

    def _exits(self, goal: Place, laid: _Laid) -> int:
        """X of a place, with all that it depends on: depth first on a stack of its own."""
        known, keys = self._known, laid.keys
        found = known.get((goal[0], goal[1], keys[goal[2]]))
        if found is not None:
            return found
        wanted = [goal]
        while wanted:
            state, node, at = wanted[-1]
            key = state, node, keys[at]
            missing: list[Place] = []
            if key not in known:
                found = self._union(state, node, at, laid, missing)
                if not missing:
                    known[key] = found
            if missing:
                wanted += missing
            else:
                wanted.pop()
        return known[goal[0], goal[1], keys[goal[2]]]

    def _union(self, state: int, node: int, at: int, laid: _Laid, missing: list[Place]) -> int:
        """X of a place by those it depends on; what is `missing` of them is added there."""
        known, keys = self._known, laid.keys
        total = 1 << self._bit(node, at) if self._accepting[state] else 0
        begin = self._begin(laid, node, at)
        if begin == UNREADABLE:
            return total
        ends, middles = self._reading.moves(state, begin)
        after = [(then, 0, at + 1) for then in ends] + [(then, inside, at) for then, inside in middles]
        for place in after:
            exits = known.get((place[0], place[1], keys[place[2]]))
            if exits is None:
                missing.append(place)
            else:
                total |= exits
        self._count(len(after))
        for rule, back in self._calls[state]:
            exits = known.get((self._first[rule], node, keys[at]))
            if exits is None:
                missing.append((self._first[rule], node, at))
                continue
            for _, inside, left in self._places(exits):
                behind = known.get((back, inside, keys[left]))
                if behind is None:
                    missing.append((back, inside, left))
                else:
                    total |= behind
            self._count(exits.bit_count())
        return total

    def _count(self, unions: int) -> None:
        if self._unions_left is not None:
            self._unions_left -= unions
            if self._unions_left < 0:
                raise LimitExceeded(
                    f"the completions of {self._length} positions under {self._reading.rules.language!r} take too long",
                    hint="use a shorter canvas or a smaller vocabulary",
                )

    def _begin(self, laid: _Laid, node: int, at: int) -> int:
        """The node where reading goes on; `UNREADABLE` at the canvas's end."""
        if node:
            return node
        return laid.nodes[at] if at < self._length else UNREADABLE

    def _bit(self, node: int, at: int) -> int:
        if node not in self._field:
            self._field[node] = len(self._nodes)
            self._nodes.append(node)
        return self._field[node] * (self._length + 1) + at

    def _places(self, exits: int) -> Iterator[tuple[int, int, int]]:
        """(bit, node, position) of each exit."""
        width = self._length + 1
        while exits:
            mark = exits & -exits
            field, at = divmod(mark.bit_length() - 1, width)
            yield mark, self._nodes[field], at
            exits ^= mark
