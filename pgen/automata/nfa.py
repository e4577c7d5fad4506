"""IR nodes as byte NFAs in flat arrays, almost without epsilon edges, with rules that are called.

Every node is laid between a start and an end that its surroundings give it, so each edge
is written once (`Thompson` style: a part adds no edge into its start and none out of its
end). A counted repeat is its item's arrays copied with offsets: `x{0,200}` costs a few
array operations. Complements and intersections are built as complete DFAs
(`pgen.automata.algebra`) and embedded. Context-free languages in normal form
(`pgen.automata.rules`), and parts that come several times (`pgen.automata.sharing`),
become rules, which edges call. Linear in the number of edges; past `Limits.edges` it raises
`LimitExceeded`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.pieces import (
    CALL,
    NO_STATES,
    Edges,
    Fragment,
    characters,
    network,
    others,
    packed,
    substrings,
    word_trie,
)
from pgen.automata.reachability import trim
from pgen.automata.rules import normal_form
from pgen.automata.sharing import MAX_LOOP, Sharing, is_atom, shared_parts
from pgen.automata.spellings import spelled
from pgen.automata.tape import COLON, Tape
from pgen.errors import LimitExceeded
from pgen.language import ir
from pgen.limits import current

MAX_IN_ROW = 8
"""Repeats of a character up to which its copies are noted one by one."""


@lru_cache(maxsize=64)
def fragment(node: ir.Node, share: bool = True) -> Fragment:
    """The automaton of a node; without `share` a regular one has no rules."""
    if isinstance(node, ir.Intersect) and ir.refers(node):
        from pgen.automata.algebra import context_free_product

        joint = context_free_product(node, share)
        if joint is not None:
            return joint
    rules = normal_form(node)
    bodies = [rules.start, *(rules.bodies[name] for name in rules.order)]
    parts, tails = shared_parts(bodies) if share else Sharing([], {})
    shared = [part for part in parts if part not in bodies]
    builder = Builder()
    builder.numbers = {name: i for i, name in enumerate(rules.order)}
    # Callers before those they may begin with: a part comes after what it is part of.
    builder.shared = {part: len(rules.order) + i for i, part in enumerate(shared)}
    builder.tails = tails
    begins = [builder.lay_apart(body) for body in (*bodies, *shared)][1:]
    return builder.fragment(np.array(begins, np.int32))


@lru_cache(maxsize=64)
def text_fragment(node: ir.Node) -> Fragment:
    """The automaton of a set of texts, without rules; every state lies on a way to the end. No states: no members."""
    found = _apart(node)
    # Intersections and complements by themselves are trimmed as they are made, and elsewhere nothing has to be.
    if not ir.has_boolean(node) or (isinstance(node, (ir.Intersect, ir.Complement)) and len(found.edges)):
        return found
    return trim(found).fragment


@lru_cache(maxsize=4096)
def atom(node: ir.Node) -> Fragment:
    """The automaton of a regular part, without rules."""
    return _apart(node)


def _apart(node: ir.Node) -> Fragment:
    builder = Builder(whole=True)
    builder.lay_apart(node)
    return builder.fragment(NO_STATES)


class Builder:
    """Collects edges and jumps; states are numbered in order of need, each rule's in one run."""

    def __init__(self, whole: bool = False) -> None:
        self.n_edges = 0
        self._most_edges = current().edges
        self._whole = whole
        self.numbers: dict[str, int] = {}
        self.shared: dict[ir.Node, int] = {}
        self.tails: dict[ir.Concat, int] = {}
        self._tape = Tape()
        self._waiting: list[tuple[ir.Node, int, int]] = []

    def fragment(self, begins: NDArray[np.int32]) -> Fragment:
        """What was laid, with the states at which rules begin."""
        return Fragment(self._tape.n_states, *self._tape.written(), begins, begins + 1)

    def lay_apart(self, node: ir.Node) -> int:
        """Lay a node between two new states, the first of which is returned; the other follows it."""
        start = self._tape.new(2)
        if self._whole:
            self._lay_whole(node, start, start + 1)
            return start
        if not self._laid_at_once(node, start, start + 1):
            self._lay(node, start, start + 1)
        while self._waiting:
            part, first, last = self._waiting.pop()
            symbol = self._call(part)
            if symbol is not None:
                self._tape.edge(first, symbol, symbol, last)
            elif not self._laid_at_once(part, first, last):
                self._lay(part, first, last)
        return start

    def _lay_whole(self, node: ir.Node, start: int, end: int) -> None:
        """Lay a node of which no part is a rule or an atom."""
        self._lay(node, start, end)
        while self._waiting:
            self._lay(*self._waiting.pop())

    def _call(self, part: ir.Node) -> int | None:
        """The symbol that calls a part, if it is a rule."""
        return CALL + self.shared[part] if self.shared and part in self.shared else None

    def _inner(self) -> Builder:
        """A builder of a part."""
        inside = Builder(self._whole)
        inside.numbers, inside.shared, inside.tails = self.numbers, self.shared, self.tails
        return inside

    def _laid_at_once(self, node: ir.Node, start: int, end: int) -> bool:
        """Lay a sequence that ends in a shared tail, or an atom; whether the node is one of these."""
        if self.tails and isinstance(node, ir.Concat) and node in self.tails:
            middle = self._tape.new(1)
            cut = len(node.parts) - self.tails[node]
            head, tail = ir.concat(*node.parts[:cut]), ir.Concat(node.parts[cut:])
            self._waiting += [(head, start, middle), (tail, middle, end)]
        elif is_atom(node):
            self._place(atom(node), start, end)
        else:
            return False
        return True

    def _lay(self, node: ir.Node, start: int, end: int) -> None:
        kind = type(node)
        if kind is ir.Intersect or kind is ir.Complement:
            from pgen.automata.algebra import boolean_fragment

            # Called from here, since operations nest deeply: each level takes as few calls as can be.
            self._place(boolean_fragment(node), start, end)
        elif (lay := _LAY.get(kind)) is not None:
            lay(self, node, start, end)
        else:
            self._place(leaf(node), start, end)

    def _characters(self, node: ir.Chars, start: int, end: int) -> None:
        if node.ranges and node.ranges[-1][1] > 0x7F:
            self._place(characters(node.ranges), start, end)
            return
        for low, high in node.ranges:
            self._tape.edge(start, low, high, end)

    def _in_a_row(self, node: ir.Concat, start: int, end: int) -> None:
        first = self._tape.new(len(node.parts) - 1)
        points = [start, *range(first, first + len(node.parts) - 1), end]
        self._waiting += zip(node.parts, points[:-1], points[1:], strict=True)

    def _side_by_side(self, node: ir.Union, start: int, end: int) -> None:
        self._waiting += [(part, start, end) for part in node.parts]

    def _separated(self, node: ir.Separated, start: int, end: int) -> None:
        words = (b"",) * len(node.items)
        self._listed(ir.Fields(node.separator, ir.EPSILON, words, node.items, node.kinds, True), start, end)

    def _fields(self, node: ir.Fields, start: int, end: int) -> None:
        lay = self._listed if node.in_order else self._listed_at_will
        lay(node, start, end)

    def _reference(self, node: ir.Ref, start: int, end: int) -> None:
        symbol = CALL + self.numbers[node.name]
        self._tape.edge(start, symbol, symbol, end)

    def _place(self, part: Fragment, start: int, end: int) -> None:
        """A finished fragment, between two states."""
        self._check(len(part.edges))
        self._tape.copy(part, start, end)

    def _check(self, n_edges: int) -> None:
        self.n_edges += n_edges
        if self.n_edges > self._most_edges:
            raise LimitExceeded(
                f"this language needs more than {self._most_edges:,} automaton edges",
                hint="use smaller repeat counts, or allow more with pgen.Limits(edges=...)",
            )

    def _literal(self, data: bytes, start: int, end: int) -> None:
        if data:
            self._tape.word(data, start, end)
        else:
            self._tape.jump(start, end)

    def _repeat(self, item: ir.Node, low: int, high: int | None, start: int, end: int) -> None:
        """`low` copies in a row, then a loop (`high` is None) or optional copies, each of which may be the last."""
        if high is None and low < 2:
            first = self._tape.new(2)
            last = first + 1
            if isinstance(item, ir.Chars):
                self._characters(item, first, last)
            elif ir.size(item) <= MAX_LOOP and not ir.refers(item):
                # Not called, though it may be shared: nothing is read more often.
                self._place(atom(item), first, last)
            else:
                self._waiting.append((item, first, last))
            for before, after in ((start, first), (last, first), (last, end), *[(start, end)] * (low == 0)):
                self._tape.jump(before, after)
        elif high is None:
            again = self._tape.new(1)
            self._place(self._copies(item, low - 1, low - 1), start, again)
            self._repeat(item, 1, None, again, end)
        elif (low, high) == (0, 1):
            self._tape.jump(start, end)
            self._waiting.append((item, start, end))
        elif high is not None and high <= MAX_IN_ROW and isinstance(item, ir.Chars):
            self._row(item, low, high, start, end)
        else:
            self._place(self._copies(item, low, high), start, end)

    def _row(self, item: ir.Chars, low: int, high: int, start: int, end: int) -> None:
        """A few copies, one after the other: those from the one before `low` on may be the last."""
        first = self._tape.new(high - 1)
        points = [start, *range(first, first + high - 1), end]
        for count, (here, there) in enumerate(pairwise(points)):
            self._characters(item, here, there)
            if low <= count:
                self._tape.jump(here, end)

    def _copies(self, node: ir.Node, low: int, high: int) -> Fragment:
        inside, symbol = self._inner(), self._call(node)
        if symbol is None and isinstance(node, (ir.Chars, ir.Words)):
            return copies(leaf(node), low, high)
        if symbol is not None:
            start = inside._tape.new(2)
            inside._tape.edge(start, symbol, symbol, start + 1)
        else:
            inside.lay_apart(node)
        return copies(inside.fragment(NO_STATES), low, high)

    def _listed(self, node: ir.Fields, start: int, end: int) -> None:
        """Items in order; those values, colons and separators that are no calls wait."""
        symbols, colon, fixed = [self._call(value) for value in node.values], *self._colon(node.colon)
        separator = self._call(node.separator)
        begun, now, values = self._tape.listed(
            node.words, node.kinds.encode(), symbols, (start, end, separator, colon, fixed)
        )
        waiting = self._waiting
        if separator and (colon or fixed) and None not in symbols:
            return
        for i, (value, symbol, word, kind) in enumerate(zip(node.values, symbols, node.words, node.kinds, strict=True)):
            if symbol is None:
                waiting.append((value, values[i], begun + i))
            if colon is None and not fixed and word:
                waiting.append((node.colon, values[i] - 1, values[i]))
            if separator is None:
                waiting += [(node.separator, behind, now + i) for behind in separated(begun, i, kind)]

    def _colon(self, colon: ir.Node) -> tuple[int | None, bytes]:
        """The symbol that calls a colon, or what it is if it is a word."""
        symbol = self._call(colon)
        return symbol, colon.data if symbol is None and isinstance(colon, ir.Literal) else b""

    def _listed_at_will(self, node: ir.Fields, start: int, end: int) -> None:
        symbols, colon = [self._call(value) for value in node.values], self._colon(node.colon)
        frame = (start, end, self._call(node.separator), *colon)
        for part, here, onward in self._tape.at_will(node.words, node.kinds, symbols, frame):
            value = node.values[part] if part >= 0 else node.colon if part == COLON else node.separator
            self._waiting.append((value, here, onward))


_LAY: dict[type[ir.Node], Callable[[Builder, Any, int, int], None]] = {
    ir.Literal: lambda by, node, start, end: by._literal(node.data, start, end),
    ir.Chars: Builder._characters,
    ir.Concat: Builder._in_a_row,
    ir.Union: Builder._side_by_side,
    ir.Repeat: lambda by, node, start, end: by._repeat(node.item, node.low, node.high, start, end),
    ir.Separated: Builder._separated,
    ir.Fields: Builder._fields,
    ir.Ref: Builder._reference,
    ir.AnyByte: lambda by, node, start, end: by._tape.edge(start, 0, 255, end),
}


def separated(begun: int, i: int, kind: str) -> list[int]:
    """Where separators before item i begin: behind item i - 1, and behind itself if it may come again."""
    return ([begun + i - 1] if i else []) + ([begun + i] if kind in "*+" else [])


def leaf(node: ir.Node) -> Fragment:
    """The automaton of a node without parts that are laid here."""
    match node:
        case ir.Chars(ranges):
            return characters(ranges)
        case ir.Words(words):
            return word_trie(words)
        case ir.Substrings(text):
            return substrings(text)
        case ir.Others(words, first, then, barred):
            return others(words, barred, atom(first), atom(then))
        case ir.Network():
            return network(node)
        case ir.Spelled(values):
            return spelled(text_fragment(values))
        case ir.Packed(edges, jumps):
            return packed(edges, jumps)
    raise AssertionError(f"{type(node).__name__} is no leaf")


def copies(item: Fragment, low: int, high: int) -> Fragment:
    """Between `low` and `high` copies of a fragment in a row."""
    if len(item.edges) * high > (limit := current().edges):
        raise LimitExceeded(
            f"a repeat of {high:,} needs {len(item.edges) * high:,} automaton edges; the limit is {limit:,}",
            hint="use smaller repeat counts, or allow more with pgen.Limits(edges=...)",
        )
    edges, jumps = np.ascontiguousarray(item.edges), np.ascontiguousarray(item.jumps)
    return Fragment(high + 1 + (item.n_states - 2) * high, *_copied(edges, jumps, item.n_states, low, high))


@njit(cache=True)
def _copied(edges: Edges, jumps: Edges, n_states: int, low: int, high: int) -> tuple[Edges, Edges]:
    """Edges and jumps of copies, the states between them first; each from the one before `low` on may be the last."""
    n_edges, n_jumps = edges.shape[0], jumps.shape[0]
    all_edges, all_jumps = np.empty((n_edges * high, 4), np.int32), np.ones((n_jumps * high + high - low, 2), np.int32)
    for k in range(high):
        begin, end = k + 1 if k else 0, k + 2 if k + 1 < high else 1
        inside = high - 1 + (n_states - 2) * k
        for e in range(n_edges):
            at, source, target = k * n_edges + e, edges[e, 0], edges[e, 3]
            all_edges[at, 0] = begin if source == 0 else end if source == 1 else inside + source
            all_edges[at, 1], all_edges[at, 2] = edges[e, 1], edges[e, 2]
            all_edges[at, 3] = begin if target == 0 else end if target == 1 else inside + target
        for j in range(n_jumps):
            at, source, target = k * n_jumps + j, jumps[j, 0], jumps[j, 1]
            all_jumps[at, 0] = begin if source == 0 else end if source == 1 else inside + source
            all_jumps[at, 1] = begin if target == 0 else end if target == 1 else inside + target
        if k >= low:
            all_jumps[high * n_jumps + k - low, 0] = begin
    return all_edges, all_jumps
