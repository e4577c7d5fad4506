"""IR nodes as byte NFAs in flat arrays (Thompson's construction, almost without epsilon edges).

A `Fragment` has state 0 as its start, which nothing enters, and state 1 as its end,
which nothing leaves. So concatenation and union join fragments by renaming states
(Thompson, "Regular expression search algorithm", CACM 1968), and a counted repeat is
its item's arrays copied with offsets: `x{0,200}` costs a few array operations. Code
point classes become UTF-8 range automata with shared suffixes. Complements and
intersections are built as complete DFAs (`pgen.automata.algebra`) and embedded.
Linear in the number of edges; past `MAX_EDGES` it raises `LimitExceeded`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.rules import normal_form
from pgen.errors import LimitExceeded
from pgen.language import ir

MAX_EDGES = 4_000_000
"""Edges of one automaton: some 60 MB."""

Edges = NDArray[np.int32]


CALL = 256
"""An edge from "byte" `CALL + i` to the same is a call of rule i, which returns to its target."""

NO_STATES = np.zeros(0, np.int32)


class Fragment(NamedTuple):
    """States 0 (start), 1 (end), 2 …; `edges (E, 4)`: source, first byte, last, target; `jumps (J, 2)`: epsilon.

    Rule i, if there are any, runs from `begins[i]` to `ends[i]`; rules come in this order of states.
    """

    n_states: int
    edges: Edges
    jumps: Edges
    begins: Edges = NO_STATES
    ends: Edges = NO_STATES


def _edges(rows: Iterable[tuple[int, int, int, int]]) -> Edges:
    return np.array(list(rows), np.int32).reshape(-1, 4)


def _jumps(rows: Iterable[tuple[int, int]]) -> Edges:
    return np.array(list(rows), np.int32).reshape(-1, 2)


NOTHING = Fragment(2, _edges([]), _jumps([]))
EMPTY_STRING = Fragment(2, _edges([]), _jumps([(0, 1)]))


def fragment(node: ir.Node) -> Fragment:
    """The automaton of a node; shared nodes are built once."""
    rules = normal_form(node)
    if not rules.bodies:
        return _plain(rules.start)
    number = {name: ir.Ref(str(i)) for i, name in enumerate(rules.bodies)}
    parts = [_plain(ir.replaced(body, number)) for body in (rules.start, *rules.bodies.values())]
    offsets = np.cumsum([0, *(part.n_states for part in parts)])
    edges = [part.edges + np.array([at, 0, 0, at], np.int32) for part, at in zip(parts, offsets, strict=False)]
    jumps = [part.jumps + np.int32(at) for part, at in zip(parts, offsets, strict=False)]
    begins = offsets[1:-1].astype(np.int32)
    return Fragment(int(offsets[-1]), np.concatenate(edges), np.concatenate(jumps), begins, begins + 1)


def _plain(node: ir.Node) -> Fragment:
    # Parts first, so that deep nodes need no deep recursion.
    for part in ir.descendants(node):
        _fragment(part)
    return _fragment(node)


@lru_cache(maxsize=4096)
def _fragment(node: ir.Node) -> Fragment:
    match node:
        case ir.Chars(ranges):
            return _char_fragment(ranges)
        case ir.AnyByte():
            return Fragment(2, _edges([(0, 0, 255, 1)]), _jumps([]))
        case ir.Literal(data):
            return _literal(data)
        case ir.Words(words):
            return _words(words)
        case ir.Substrings(text):
            return _substrings(text)
        case ir.Concat(parts):
            return _sequence([_fragment(part) for part in parts])
        case ir.Union(parts):
            return _alternatives([_fragment(part) for part in parts])
        case ir.Repeat(item, low, high):
            return _repeated(_fragment(item), low, high)
        case ir.Ref(name):
            symbol = CALL + int(name)
            return Fragment(2, _edges([(0, symbol, symbol, 1)]), _jumps([]))
        case ir.Separated(separator, items, kinds):
            return _separated(_fragment(separator), [_fragment(item) for item in items], kinds)
    from pgen.automata.algebra import boolean_fragment

    return boolean_fragment(node)


def _checked(n_edges: int, what: str) -> None:
    if n_edges > MAX_EDGES:
        raise LimitExceeded(
            f"{what} needs {n_edges:,} automaton edges; the limit is {MAX_EDGES:,}",
            hint="use smaller repeat counts",
        )


def _join(parts: list[Fragment], starts: list[int], ends: list[int], n_outer: int, extra: Edges) -> Fragment:
    """Place fragments between given outer states; their inner states are numbered after those."""
    offset, edges, jumps = n_outer, [], [extra]
    _checked(sum(len(part.edges) for part in parts), "this language")
    for part, start, end in zip(parts, starts, ends, strict=True):
        names = np.arange(part.n_states, dtype=np.int32) + (offset - 2)
        names[0], names[1] = start, end
        moved = part.edges.copy()
        moved[:, 0], moved[:, 3] = names[part.edges[:, 0]], names[part.edges[:, 3]]
        edges.append(moved)
        jumps.append(names[part.jumps])
        offset += part.n_states - 2
    return Fragment(offset, np.concatenate(edges) if edges else _edges([]), np.concatenate(jumps))


def _sequence(parts: list[Fragment]) -> Fragment:
    points = [0, *range(2, len(parts) + 1), 1]
    return _join(parts, points[:-1], points[1:], len(parts) + 1, _jumps([]))


def _alternatives(parts: list[Fragment]) -> Fragment:
    return _join(parts, [0] * len(parts), [1] * len(parts), 2, _jumps([]))


def _repeated(item: Fragment, low: int, high: int | None) -> Fragment:
    """`low` copies in a row, then a loop (`high` is None) or optional copies, each of which may be the last."""
    from pgen.automata.reachability import trim

    useful = trim(item).fragment
    if not len(useful.edges):
        return EMPTY_STRING if low == 0 or useful.n_states else NOTHING
    if high is None:
        loop = _join([item], [2], [2], 3, _jumps([(0, 2), (2, 1)]))
        return loop if low == 0 else _sequence([_copies(item, low, low), loop])
    return _copies(item, low, high)


def _copies(item: Fragment, low: int, high: int) -> Fragment:
    _checked(len(item.edges) * high, f"a repeat of {high:,}")
    inner, outer = item.n_states - 2, high + 1
    points = np.array([0, *range(2, outer), 1], np.int32)
    # names[k, s] is the state s of copy k; copy k runs from points[k] to points[k + 1].
    names = np.arange(item.n_states, dtype=np.int32) + (outer - 2) + inner * np.arange(high, dtype=np.int32)[:, None]
    names[:, 0], names[:, 1] = points[:-1], points[1:]
    edges = np.broadcast_to(item.edges, (high, *item.edges.shape)).copy()
    edges[:, :, 0], edges[:, :, 3] = names[:, item.edges[:, 0]], names[:, item.edges[:, 3]]
    exits = np.stack([points[low:high], np.ones(high - low, np.int32)], axis=1)
    jumps = np.concatenate([names[:, item.jumps].reshape(-1, 2), exits])
    return Fragment(outer + inner * high, edges.reshape(-1, 4), jumps)


def _separated(separator: Fragment, items: list[Fragment], kinds: str) -> Fragment:
    """One copy of each item between "now comes item i" and "something came, item i + 1 is next"."""
    count = len(items)
    fresh = [0, *range(2, count + 1)]  # nothing came yet, item i is next
    begun = list(range(count + 1, 2 * count + 1))  # something came, item i + 1 is next
    now = list(range(2 * count + 1, 3 * count + 1))
    parts, starts, ends = list(items), list(now), list(begun)
    jumps = [(fresh[i], now[i]) for i in range(count)] + [(begun[-1], 1)]
    for i, kind in enumerate(kinds):
        # A separator leads to item i from behind item i - 1, and from behind itself if it may come again.
        before = ([begun[i - 1]] if i else []) + ([begun[i]] if kind in "*+" else [])
        parts += [separator] * len(before)
        starts += before
        ends += [now[i]] * len(before)
        if kind in "?*" and i + 1 < count:
            jumps.append((fresh[i], fresh[i + 1]))
        if kind in "?*" and i:
            jumps.append((begun[i - 1], begun[i]))
    return _join(parts, starts, ends, 3 * count + 1, _jumps(jumps))


def _literal(data: bytes) -> Fragment:
    if not data:
        return EMPTY_STRING
    points = [0, *range(2, len(data) + 1), 1]
    return Fragment(
        len(data) + 1,
        _edges((a, byte, byte, b) for (a, b), byte in zip(pairwise(points), data, strict=True)),
        _jumps([]),
    )


def _words(words: tuple[bytes, ...]) -> Fragment:
    """A trie; the last byte of a word that no other word continues leads straight to the end."""
    starts = np.cumsum([0, *map(len, words)])
    n_states, edges, ends = _trie(np.frombuffer(b"".join(words) + b"\0", np.uint8), starts)
    return Fragment(n_states, edges, np.stack([ends, np.ones_like(ends)], axis=1))


@njit(cache=True)
def _trie(data: NDArray[np.uint8], starts: NDArray[np.int64]) -> tuple[int, Edges, Edges]:
    """Number of states, edges, and the states where words end, of sorted words `data[starts[k]:starts[k + 1]]`."""
    edges, ends = np.empty((starts[-1], 4), np.int32), np.empty(starts.shape[0], np.int32)
    path = np.zeros(starts[-1] + 1, np.int32)
    n_states, n_edges, n_ends = 2, 0, 0
    for k in range(starts.shape[0] - 1):
        first, length = starts[k], starts[k + 1] - starts[k]
        shared = _common(data, starts, k - 1, k) if k else 0
        for at in range(shared, length):
            path[at + 1] = n_states
            edges[n_edges, 0], edges[n_edges, 3] = path[at], n_states
            edges[n_edges, 1] = edges[n_edges, 2] = data[first + at]
            n_states += 1
            n_edges += 1
        continued = k + 2 < starts.shape[0] and _common(data, starts, k, k + 1) == length
        if continued or length == 0:
            ends[n_ends] = path[length]
            n_ends += 1
        else:
            n_states -= 1
            edges[n_edges - 1, 3] = 1
    return n_states, edges[:n_edges].copy(), ends[:n_ends].copy()


@njit(cache=True)
def _common(data: NDArray[np.uint8], starts: NDArray[np.int64], left: int, right: int) -> int:
    """How many bytes two words share at their beginnings."""
    most = min(starts[left + 1] - starts[left], starts[right + 1] - starts[right])
    shared = 0
    while shared < most and data[starts[left] + shared] == data[starts[right] + shared]:
        shared += 1
    return shared


def _substrings(text: str) -> Fragment:
    """One state a byte position; a substring may start and stop at any code point."""
    data = text.encode()
    edges = _edges((at + 2, byte, byte, at + 3) for at, byte in enumerate(data))
    cuts = [at + 2 for at in range(len(data) + 1) if at == len(data) or data[at] & 0xC0 != 0x80]
    return Fragment(len(data) + 3, edges, _jumps(chain(((0, cut) for cut in cuts), ((cut, 1) for cut in cuts))))


def _char_fragment(ranges: ir.Ranges) -> Fragment:
    edges: list[tuple[int, int, int, int]] = []
    states: dict[tuple[tuple[int, int], ...], int] = {(): 1}
    for sequence in chain.from_iterable(utf8_sequences(low, high) for low, high in ranges):
        for at in range(len(sequence) - 1, 0, -1):
            tail = sequence[at:]
            if tail not in states:
                states[tail] = len(states) + 1
                edges.append((states[tail], *tail[0], states[tail[1:]]))
        edges.append((0, *sequence[0], states[sequence[1:]]))
    return Fragment(len(states) + 1, _edges(edges), _jumps([]))


def utf8_sequences(low: int, high: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """The code points from `low` to `high` (no surrogates inside) as products of byte ranges."""
    for limit in (0x7F, 0x7FF, 0xFFFF):
        if low <= limit < high:
            yield from utf8_sequences(low, limit)
            yield from utf8_sequences(limit + 1, high)
            return
    for bits in (6, 12, 18):
        block = (1 << bits) - 1
        if low <= 0x7F or low & ~block == high & ~block:
            continue
        if low & block:
            yield from utf8_sequences(low, low | block)
            yield from utf8_sequences((low | block) + 1, high)
            return
        if high & block != block:
            yield from utf8_sequences(low, (high & ~block) - 1)
            yield from utf8_sequences(high & ~block, high)
            return
    yield tuple(zip(chr(low).encode(), chr(high).encode(), strict=True))
