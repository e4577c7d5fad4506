r"""From an automaton over texts to one over their spellings between the quotes of JSON strings.

Spelling is the inverse image of decoding, so each character on an edge may be replaced by all ways to write
it: raw in UTF-8, as `\uXXXX` in either case, as a pair of these beyond U+FFFF, or as a short escape. The UTF-8
ways between two states that stand at characters are read back as ranges of code points, and equal sets of ranges
share one template, which is copied into its places. Ranges of numbers in digits (bytes, hexadecimal ones) are laid
with shared tails for "any digits from here on", so a range takes a few states whatever it holds. Linear in the
automaton; a class of characters takes about ten edges.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.pieces import Fragment
from pgen.errors import LimitExceeded
from pgen.limits import current

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

_SHORT = np.array([list(b'"\\/\b\f\n\r\t'), list(b'"\\/bfnrt')], np.int32)
"""Characters with a short escape, and the letter of each."""
_RAW = np.array([[0x20, 0x21], [0x23, 0x5B], [0x5D, 0x7F]], np.int64)
"""ASCII characters that may stand as they are."""
UNIT, PAIR = 3, 4
"""Ways to write numbers: UTF-8 in two, three or four bytes, then four hexadecimal digits, then surrogate pairs."""
_FIRST = np.array([0x80, 0x800, 0x10000, 0, 0x10000], np.int64)
_LAST = np.array([0x7FF, 0xFFFF, 0x10FFFF, 0xFFFF, 0x10FFFF], np.int64)
"""The code points that are written in each way."""
_LEAD = np.array([0xC0, 0xE0, 0xF0], np.int64)
_REST = np.array(
    [[6, 0, 0, 0, 0, 0], [12, 6, 0, 0, 0, 0], [18, 12, 6, 0, 0, 0], [12, 8, 4, 0, 0, 0], [18, 14, 10, 8, 4, 0]],
    np.int64,
)
"""Bits behind each digit. High surrogates give two, four and four bits, low ones as well."""
_LOW_SURROGATE = 3
"""The digit of a pair before which the second escape begins."""


def spelled(values: Fragment) -> Fragment:
    """The spellings of the members of a regular automaton over texts in UTF-8, without rules.

    Raises `LimitExceeded` past `Limits.edges`.
    """
    edges = np.ascontiguousarray(values.edges)
    read = _read(values.n_states, edges)
    order = np.argsort(read[:, 0] << 21 | read[:, 1])
    sources, targets, starts, ranges, names = _grouped(values.n_states, read, order, values.jumps)
    which, inner, firsts, sizes = _templates(starts, ranges)
    n_edges = int((firsts[which + 1] - firsts[which]).sum())
    if n_edges > (limit := current().edges):
        raise LimitExceeded(
            f"the JSON spellings of these strings need {n_edges:,} automaton edges; the limit is {limit:,}",
            hint="use smaller repeat counts, or allow more with pgen.Limits(edges=...)",
        )
    n_states, laid = _copied(sources, targets, which, names, inner, firsts, sizes, n_edges)
    return Fragment(n_states, laid, names[values.jumps])


@njit(cache=True)
def _read(n_states: int, edges: Ints) -> Longs:
    """`(R, 3)` the characters on ways between states at characters: `source * n_states + target`, first, last."""
    start, order = np.zeros(n_states + 2, np.int64), np.empty(edges.shape[0], np.int64)
    for e in range(edges.shape[0]):
        start[edges[e, 0] + 2] += 1
    for state in range(n_states):
        start[state + 2] += start[state + 1]
    for e in range(edges.shape[0]):
        order[start[edges[e, 0] + 1]] = e
        start[edges[e, 0] + 1] += 1
    rows, n_rows = np.empty((2 * edges.shape[0] + 8, 3), np.int64), 0
    # State, bytes that follow, first and last beginning of a character.
    todo, n_todo = np.empty((256, 4), np.int64), 0
    for k in range(edges.shape[0]):
        source, low, high = edges[k, 0], edges[k, 1], edges[k, 2]
        if low < 0x80:
            todo[0, 0], todo[0, 1], todo[0, 2], todo[0, 3] = edges[k, 3], 0, low, min(high, 0x7F)
            n_todo = 1
        elif high >= 0xC2:
            n_more = 1 + (high >= 0xE0) + (high >= 0xF0)
            base = _LEAD[n_more - 1]
            todo[0, 0], todo[0, 1], todo[0, 2], todo[0, 3] = edges[k, 3], n_more, max(low, 0xC2) - base, high - base
            n_todo = 1
        while n_todo > 0:
            n_todo -= 1
            here, left, first, last = todo[n_todo, 0], todo[n_todo, 1], todo[n_todo, 2], todo[n_todo, 3]
            if left == 0:
                if n_rows == rows.shape[0]:
                    rows = np.concatenate((rows, np.empty_like(rows)))
                rows[n_rows, 0], rows[n_rows, 1], rows[n_rows, 2] = source * n_states + here, first, last
                n_rows += 1
                continue
            for at in range(start[here], start[here + 1]):
                e = order[at]
                a, b = edges[e, 1] - 0x80, edges[e, 2] - 0x80
                # Where not all of the last byte follow, each beginning makes a range of its own.
                apart = a > 0 or b < 63
                for prefix in range(first, last + 1 if apart else first + 1):
                    if n_todo == todo.shape[0]:
                        todo = np.concatenate((todo, np.empty_like(todo)))
                    todo[n_todo, 0], todo[n_todo, 1] = edges[e, 3], left - 1
                    todo[n_todo, 2], todo[n_todo, 3] = prefix << 6 | a, (prefix if apart else last) << 6 | b
                    n_todo += 1
    return rows[:n_rows]


@njit(cache=True)
def _grouped(n_states: int, rows: Longs, order: Longs, jumps: Ints) -> tuple[Ints, Ints, Longs, Longs, Ints]:
    """`(W,)` sources and targets of ways; the code points of way i, `(R, 2)` ranges from `starts[i]` on, those that
    touch made one; and the new name of each state at a character (the others' is 0)."""
    n = rows.shape[0]
    sources, targets = np.empty(n, np.int32), np.empty(n, np.int32)
    starts, ranges = np.empty(n + 1, np.int64), np.empty((n, 2), np.int64)
    names = np.zeros(n_states, np.int32)
    names[:2] = 1
    for j in range(jumps.shape[0]):
        names[jumps[j, 0]] = names[jumps[j, 1]] = 1
    n_ways, n_ranges, before = 0, 0, np.int64(-1)
    for i in range(n):
        between, low, high = rows[order[i], 0], rows[order[i], 1], rows[order[i], 2]
        if between != before:
            before = between
            sources[n_ways], targets[n_ways] = between // n_states, between % n_states
            names[sources[n_ways]] = names[targets[n_ways]] = 1
            starts[n_ways] = n_ranges
            n_ways += 1
        elif low <= ranges[n_ranges - 1, 1] + 1:
            ranges[n_ranges - 1, 1] = max(ranges[n_ranges - 1, 1], high)
            continue
        ranges[n_ranges, 0], ranges[n_ranges, 1] = low, high
        n_ranges += 1
    starts[n_ways] = n_ranges
    count = 0
    for state in range(n_states):
        if names[state]:
            names[state] = count
            count += 1
    return sources[:n_ways], targets[:n_ways], starts[: n_ways + 1], ranges[:n_ranges], names


@njit(cache=True)
def _templates(starts: Longs, ranges: Longs) -> tuple[Ints, Ints, Longs, Longs]:
    """`(W,)` the template of each way, equal sets of ranges sharing one; and the templates.

    Edges of template t lie in the second from place `firsts[t]` to `firsts[t + 1]`, and it has `sizes[t]` states.
    """
    n_ways, n_found = starts.shape[0] - 1, 0
    which, codes = np.empty(n_ways, np.int32), np.empty(n_ways, np.uint64)
    models, sizes, firsts = np.empty(n_ways, np.int64), np.empty(n_ways, np.int64), np.zeros(n_ways + 1, np.int64)
    inner = np.empty((256, 4), np.int32)
    for way in range(n_ways):
        code = _code(ranges, starts[way], starts[way + 1])
        which[way] = -1
        for known in range(n_found):
            if codes[known] == code and _are_equal(ranges, starts, models[known], way):
                which[way] = known
                break
        if which[way] < 0:
            which[way], codes[n_found], models[n_found] = n_found, code, way
            begin = firsts[n_found]
            sizes[n_found], rows = _template(ranges[starts[way] : starts[way + 1]])
            if begin + rows.shape[0] > inner.shape[0]:
                before, inner = inner, np.empty((2 * (begin + rows.shape[0]), 4), np.int32)
                _put_rows(before, begin, inner, 0)
            _put_rows(rows, rows.shape[0], inner, begin)
            n_found += 1
            firsts[n_found] = begin + rows.shape[0]
    return which, inner, firsts[: n_found + 1], sizes[:n_found]


@njit(inline="always")
def _put_rows(rows: Ints, count: int, into: Ints, at: int) -> None:
    for e in range(count):
        for part in range(4):
            into[at + e, part] = rows[e, part]


@njit(inline="always")
def _code(ranges: Longs, start: int, stop: int) -> np.uint64:
    """A hash of some ranges."""
    code = np.uint64(stop - start)
    for i in range(start, stop):
        for part in range(2):
            code = (code ^ np.uint64(ranges[i, part])) * np.uint64(0x9E3779B97F4A7C15)
            code ^= code >> np.uint64(29)
    return code


@njit(inline="always")
def _are_equal(ranges: Longs, starts: Longs, one: int, other: int) -> bool:
    """Whether two ways have the same ranges."""
    if starts[one + 1] - starts[one] != starts[other + 1] - starts[other]:
        return False
    for i in range(starts[one + 1] - starts[one]):
        for part in range(2):
            if ranges[starts[one] + i, part] != ranges[starts[other] + i, part]:
                return False
    return True


@njit(cache=True)
def _template(ranges: Longs) -> tuple[int, Ints]:
    """States and edges of the spellings of one character of these ranges, from state 0 to state 1."""
    # A range takes a way or two for each of its digits, at most three edges each, and so do the tails in common.
    edges, counts = np.empty((160 + 160 * ranges.shape[0], 4), np.int32), np.array([4, 0], np.int64)  # states, edges
    tails = np.full((5, 6), -1, np.int64)
    escape, unit, pair = 2, 3, 4
    _edge(edges, counts, 0, 0x5C, 0x5C, escape)
    _edge(edges, counts, escape, 0x75, 0x75, unit)
    if ranges[-1, 1] >= _FIRST[PAIR]:
        counts[0] += 1
        _letter(edges, counts, unit, pair)
    for i in range(ranges.shape[0]):
        low, high = ranges[i, 0], ranges[i, 1]
        for k in range(_RAW.shape[0]):
            if max(low, _RAW[k, 0]) <= min(high, _RAW[k, 1]):
                _edge(edges, counts, 0, max(low, _RAW[k, 0]), min(high, _RAW[k, 1]), 1)
        for k in range(_SHORT.shape[1]):
            if low <= _SHORT[0, k] <= high:
                _edge(edges, counts, escape, _SHORT[1, k], _SHORT[1, k], 1)
        for way in range(5):
            first, last = max(low, _FIRST[way]), min(high, _LAST[way])
            if first <= last:
                base, begin = (_FIRST[PAIR], pair) if way == PAIR else (0, unit if way == UNIT else 0)
                _numbers(edges, counts, tails, way, begin, first - base, last - base)
    return counts[0], edges[: counts[1]].copy()


@njit(cache=True)
def _numbers(edges: Ints, counts: Longs, tails: Longs, way: int, begin: int, low: int, high: int) -> None:
    """The numbers of a range in digits, from a state to state 1; where all may follow, through tails in common."""
    todo, n_todo = np.empty((64, 4), np.int64), 1
    todo[0, 0], todo[0, 1], todo[0, 2], todo[0, 3] = begin, 0, low, high
    while n_todo > 0:
        n_todo -= 1
        here, at, first, last = todo[n_todo, 0], todo[n_todo, 1], todo[n_todo, 2], todo[n_todo, 3]
        rest = _REST[way, at]
        block = (np.int64(1) << rest) - 1
        a, b = first >> rest, last >> rest
        is_all = first & block == 0 and last & block == block
        if is_all or a == b:
            target = 1 if rest == 0 else tails[way, at + 1] if is_all else -1
            if target < 0:
                target = begun = counts[0]
                counts[0] += 1
                if way == PAIR and at + 1 == _LOW_SURROGATE:
                    begun = target + 3
                    counts[0] += 3
                    _edge(edges, counts, target, 0x5C, 0x5C, target + 1)
                    _edge(edges, counts, target + 1, 0x75, 0x75, target + 2)
                    _letter(edges, counts, target + 2, begun)
                if is_all:
                    tails[way, at + 1] = target
                todo[n_todo, 0], todo[n_todo, 1] = begun, at + 1
                todo[n_todo, 2], todo[n_todo, 3] = first & block, last & block
                n_todo += 1
            _digits(edges, counts, way, at, here, a, b, target)
            continue
        # The first and the last digit apart, where not all may follow them; then those between them.
        for part in range(3):
            start = (first, last & ~block, (a + (first & block > 0)) << rest)[part]
            stop = (first | block, last, ((b + (last & block == block)) << rest) - 1)[part]
            if (first & block > 0, last & block < block, start <= stop)[part]:
                todo[n_todo, 0], todo[n_todo, 1], todo[n_todo, 2], todo[n_todo, 3] = here, at, start, stop
                n_todo += 1


@njit(cache=True)
def _digits(edges: Ints, counts: Longs, way: int, at: int, state: int, low: int, high: int, target: int) -> None:
    """One digit of a range: a byte of UTF-8 or a hexadecimal digit."""
    if way < UNIT:
        base = 0x80 if at else _LEAD[way]
        _edge(edges, counts, state, base + low, base + high, target)
        return
    # High surrogates are D8 to DB, low ones DC to DF.
    shift = (8 if at == 0 else 12) if way == PAIR and at % _LOW_SURROGATE == 0 else 0
    low, high = low + shift, high + shift
    if low < 10:
        _edge(edges, counts, state, 0x30 + low, 0x30 + min(high, 9), target)
    if high >= 10:
        for case in (0x37, 0x57):
            _edge(edges, counts, state, case + max(low, 10), case + high, target)


@njit(cache=True)
def _letter(edges: Ints, counts: Longs, state: int, target: int) -> None:
    """The D that a surrogate begins with, in either case."""
    _edge(edges, counts, state, 0x44, 0x44, target)
    _edge(edges, counts, state, 0x64, 0x64, target)


@njit(cache=True)
def _edge(edges: Ints, counts: Longs, source: int, low: int, high: int, target: int) -> None:
    at = counts[1]
    edges[at, 0], edges[at, 1], edges[at, 2], edges[at, 3] = source, low, high, target
    counts[1] = at + 1


@njit(cache=True)
def _copied(
    sources: Ints, targets: Ints, which: Ints, names: Ints, inner: Ints, firsts: Longs, sizes: Longs, total: int
) -> tuple[int, Ints]:
    """States and all `total` edges with a copy of its template for each way."""
    n_states, n_edges, edges = np.int64(names.max()) + 1, 0, np.empty((total, 4), np.int32)
    for way in range(sources.shape[0]):
        of = which[way]
        begin, end = names[sources[way]], names[targets[way]]
        for e in range(firsts[of], firsts[of + 1]):
            source, target = inner[e, 0], inner[e, 3]
            edges[n_edges, 0] = begin if source == 0 else n_states + source - 2
            edges[n_edges, 1], edges[n_edges, 2] = inner[e, 1], inner[e, 2]
            edges[n_edges, 3] = end if target == 1 else n_states + target - 2
            n_edges += 1
        n_states += sizes[of] - 2
    return int(n_states), edges
