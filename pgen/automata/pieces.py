"""Byte automata of the leaves: character classes, word lists, substrings, networks.

A `Fragment` has state 0 as its start, which nothing enters, and state 1 as its end,
which nothing leaves, so that fragments join by renaming these two (Thompson, "Regular
expression search algorithm", CACM 1968). Code point classes become UTF-8 range automata
with shared suffixes, word lists tries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.language import ir

Edges = NDArray[np.int32]
ByteRanges = tuple[tuple[int, int], ...]


CALL = 256
"""An edge from "byte" `CALL + i` to the same is a call of rule i, which returns to its target."""
OUTSIDE = 1 << 24
"""From here on a call is of a rule outside of the fragment, by its number in the whole (`pgen.automata.growth`)."""

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


def as_edges(rows: Iterable[tuple[int, int, int, int]]) -> Edges:
    """`(E, 4)` edges."""
    return np.array(list(rows), np.int32).reshape(-1, 4)


def as_jumps(rows: Iterable[tuple[int, int]]) -> Edges:
    """`(J, 2)` jumps."""
    return np.array(list(rows), np.int32).reshape(-1, 2)


@lru_cache(maxsize=64)
def word_trie(words: tuple[bytes, ...]) -> Fragment:
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


@lru_cache(maxsize=64)
def substrings(text: str) -> Fragment:
    """One state a byte position; a substring may start and stop at any code point."""
    data = text.encode()
    edges = as_edges((at + 2, byte, byte, at + 3) for at, byte in enumerate(data))
    cuts = [at + 2 for at in range(len(data) + 1) if at == len(data) or data[at] & 0xC0 != 0x80]
    return Fragment(len(data) + 3, edges, as_jumps(chain(((0, cut) for cut in cuts), ((cut, 1) for cut in cuts))))


@lru_cache(maxsize=64)
def network(node: ir.Network) -> Fragment:
    """State s becomes s + 2; edges to one target share the states in the middle of their characters."""
    count = 1 + max(chain(node.starts, node.ends, *((a, b) for a, _, b in node.edges)), default=-1)
    states: dict[tuple[int, ByteRanges], int] = {(s - 2, ()): s for s in range(count + 2)}
    edges: list[tuple[int, int, int, int]] = []
    for source, ranges, target in node.edges:
        for sequence in _sequences(ranges):
            _add_sequence(sequence, target, states, edges)
            edges.append((source + 2, *sequence[0], states[target, sequence[1:]]))
    jumps = chain(((0, s + 2) for s in node.starts), ((s + 2, 1) for s in node.ends))
    return Fragment(len(states), as_edges(edges), as_jumps(jumps))


def packed(edges: bytes, jumps: bytes) -> Fragment:
    """`ir.Packed`: as it is."""
    rows = np.array(np.frombuffer(edges, np.int32)).reshape(-1, 4)
    return Fragment(
        int(rows.max(axis=0)[[0, 3]].max()) + 1, rows, np.array(np.frombuffer(jumps, np.int32)).reshape(-1, 2)
    )


def others(words: tuple[bytes, ...], barred: tuple[bytes, ...], first: Fragment, then: Fragment) -> Fragment:
    """`ir.Others`: a trie, from whose states the ways of `first` (of `then`, where no word goes on) lead to a loop."""
    listed = sorted({*barred, *(word for word in words if not word.startswith(barred))}) if barred else words
    starts = np.array([0, *accumulate(map(len, listed))], np.int64)
    is_barred = np.array([word in barred for word in listed], np.bool_) if barred else np.zeros(len(listed), np.bool_)
    data = np.frombuffer(b"".join(listed) + b"\0", np.uint8)
    return Fragment(*_others(data, starts, is_barred, first.edges, first.n_states, then.edges, then.n_states))


@njit(cache=True)
def _others(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    is_barred: NDArray[np.bool_],
    first: Edges,
    n_first: int,
    then: Edges,
    n_then: int,
) -> tuple[int, Edges, Edges]:
    steps, is_word, ends_here = _prefixes(data, starts, is_barred)
    found: tuple[int, Edges, Edges] = _around(steps, is_word, ends_here, first, n_first, then, n_then)
    return found


@njit(inline="always")
def _prefixes(
    data: NDArray[np.uint8], starts: NDArray[np.int64], is_barred: NDArray[np.bool_]
) -> tuple[Edges, NDArray[np.bool_], NDArray[np.bool_]]:
    """`(S, 3)` state, byte, next state for all beginnings of sorted words, by state; which are words; which barred."""
    steps, is_word = np.empty((starts[-1], 3), np.int32), np.zeros(starts[-1] + 1, np.bool_)
    ends_here = np.zeros(starts[-1] + 1, np.bool_)
    path, n_states = np.zeros(starts[-1] + 1, np.int32), 1
    for k in range(starts.shape[0] - 1):
        length = starts[k + 1] - starts[k]
        for at in range(_common(data, starts, k - 1, k) if k else 0, length):
            steps[n_states - 1, 0], steps[n_states - 1, 1] = path[at], data[starts[k] + at]
            steps[n_states - 1, 2] = path[at + 1] = n_states
            n_states += 1
        is_word[path[length]], ends_here[path[length]] = True, is_barred[k]
    return steps[: n_states - 1].copy(), is_word[:n_states].copy(), ends_here[:n_states].copy()


@njit(inline="always")
def _around(
    steps: Edges,
    is_word: NDArray[np.bool_],
    ends_here: NDArray[np.bool_],
    first: Edges,
    n_first: int,
    then: Edges,
    n_then: int,
) -> tuple[int, Edges, Edges]:
    """States, edges and jumps of `others`: those of `first` leave the trie but for its own bytes, of `then` its leaves.

    The root is the start; the other states of the trie come behind the end, then the loop, and what is inside of it.
    """
    n_trie = is_word.shape[0]
    loop = n_trie + 1
    inside_first, inside_then = loop + 1 - 2, loop + 1 + n_first - 2 - 2
    most = max(first.shape[0], then.shape[0])
    edges = np.empty((first.shape[0] + 2 * then.shape[0] + 2 * steps.shape[0] + n_trie * most, 4), np.int32)
    n_edges = 0
    for e in range(first.shape[0]):
        if first[e, 0] > 1:
            edges[n_edges, 1], edges[n_edges, 2] = first[e, 1], first[e, 2]
            edges[n_edges, 0], edges[n_edges, 3] = inside_first + first[e, 0], _inner(first[e, 3], inside_first, loop)
            n_edges += 1
    for e in range(then.shape[0]):
        edges[n_edges, 1], edges[n_edges, 2] = then[e, 1], then[e, 2]
        edges[n_edges, 0] = _inner(then[e, 0], inside_then, loop)
        edges[n_edges, 3] = _inner(then[e, 3], inside_then, loop)
        n_edges += 1
    begins, taken = _by_source(steps, n_trie)
    for k in range(steps.shape[0]):
        edges[n_edges, 0], edges[n_edges, 3] = steps[k, 0] + (steps[k, 0] > 0), steps[k, 2] + 1
        edges[n_edges, 1] = edges[n_edges, 2] = steps[k, 1]
        n_edges += 1
    jumps, n_jumps = np.ones((n_trie + 1, 2), np.int32), 0
    for state in range(n_trie):
        here, goes_on = state + (state > 0), begins[state] < begins[state + 1]
        if not is_word[state]:
            jumps[n_jumps, 0] = here
            n_jumps += 1
        ways, inside = (first, inside_first) if goes_on else (then, inside_then)
        for e in range(0 if ends_here[state] else ways.shape[0]):
            if ways[e, 0]:
                continue
            low, high, onward = ways[e, 1], ways[e, 2], _inner(ways[e, 3], inside, loop)
            for k in range(begins[state], begins[state + 1] + 1):
                # The bytes before each that a word goes on with, then those after the last.
                byte = taken[k] if k < begins[state + 1] else 256
                if low < byte and low <= high:
                    edges[n_edges, 0], edges[n_edges, 3] = here, onward
                    edges[n_edges, 1], edges[n_edges, 2] = low, min(byte - 1, high)
                    n_edges += 1
                low = max(low, byte + 1)
    jumps[n_jumps, 0] = loop
    return inside_then + n_then, edges[:n_edges].copy(), jumps[: n_jumps + 1].copy()


@njit(inline="always")
def _by_source(steps: Edges, n_states: int) -> tuple[Edges, Edges]:
    """The bytes that lead on from each state, ascending: those of state s from `begins[s]` to `begins[s + 1]`."""
    begins, taken = np.zeros(n_states + 2, np.int32), np.empty(steps.shape[0] + 1, np.int32)
    for k in range(steps.shape[0]):
        begins[steps[k, 0] + 2] += 1
    for state in range(n_states):
        begins[state + 2] += begins[state + 1]
    for k in range(steps.shape[0]):
        # The words are sorted, and so are the bytes of one state as they come.
        taken[begins[steps[k, 0] + 1]] = steps[k, 1]
        begins[steps[k, 0] + 1] += 1
    return begins, taken


@njit(cache=True)
def _inner(state: int, inside: int, loop: int) -> int:
    """A state of what is read in the loop, which begins and ends in it."""
    return int(loop if state < 2 else inside + state)


@lru_cache(maxsize=4096)
def characters(ranges: ir.Ranges) -> Fragment:
    """One code point of a class."""
    edges: list[tuple[int, int, int, int]] = []
    states: dict[tuple[int, ByteRanges], int] = {(0, ()): 0, (1, ()): 1}
    for sequence in _sequences(ranges):
        _add_sequence(sequence, 1, states, edges)
        edges.append((0, *sequence[0], states[1, sequence[1:]]))
    return Fragment(len(states), as_edges(edges), as_jumps([]))


def _add_sequence(
    sequence: ByteRanges,
    target: int,
    states: dict[tuple[int, ByteRanges], int],
    edges: list[tuple[int, int, int, int]],
) -> None:
    """States, and edges between them, for what follows the first byte of a character on the way to `target`."""
    for at in range(len(sequence) - 1, 0, -1):
        tail = sequence[at:]
        if (target, tail) not in states:
            states[target, tail] = len(states)
            edges.append((states[target, tail], *tail[0], states[target, tail[1:]]))


@lru_cache(maxsize=4096)
def _sequences(ranges: ir.Ranges) -> tuple[ByteRanges, ...]:
    """The characters of a class as products of byte ranges."""
    return tuple(chain.from_iterable(utf8_sequences(low, high) for low, high in ranges))


def utf8_sequences(low: int, high: int) -> Iterator[ByteRanges]:
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
