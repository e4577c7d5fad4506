"""Fragments as the arrays of an `Nfa`: rows by source, byte classes, and pieces that come later.

Byte classes are intervals that no edge cuts. A `Store` has room behind what is in it. A piece brings states, which
come after those there are, rules, and perhaps new cuts: then the classes of earlier edges are renamed. States keep
their numbers, and a piece adds edges to none but its own. Linear in the piece; where room
or classes run out, in all that is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.layout import (
    BEGIN,
    BEYOND,
    CALL_RULE,
    CALL_START,
    CALL_TARGET,
    CLASS_OF,
    EDGE_HIGH,
    EDGE_LOW,
    EDGE_START,
    EDGE_TARGET,
    ENDLESS,
    FARTHEST,
    FULL,
    INSIDE,
    IS_END,
    JUMP_START,
    JUMP_TARGET,
    LIVE,
    NEAREST,
    OK,
    STEPS,
    UNMARKED,
    Nfa,
)
from pgen.automata.memory import Memory, bits, copy, ints, octets
from pgen.automata.pieces import CALL, OUTSIDE, Fragment

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Bytes = NDArray[np.uint8]

UNWRITTEN = -1
"""The first state of a rule that has none yet."""
CUT = 2
"""What `_added` returns where an edge begins or ends inside of a byte class."""
STATES, EDGES, JUMPS, CALLS, RULES = range(5)
"""How many of them there are: places in `Store.counts`."""

_STARTS = ("edge_start", "jump_start", "call_start")
_OTHER_TYPES = {**dict.fromkeys(_STARTS, np.int32), "class_of": np.uint8}
_KINDS: dict[str, tuple[int, type]] = {
    "edge_low": (EDGES, np.uint8),
    "edge_high": (EDGES, np.uint8),
    "edge_target": (EDGES, np.int32),
    "jump_target": (JUMPS, np.int32),
    "call_rule": (CALLS, np.int32),
    "call_target": (CALLS, np.int32),
    "begin": (RULES, np.int32),
    "is_end": (STATES, np.uint8),
    "live": (STATES, np.uint8),
    "nearest": (STATES, np.int32),
    "farthest": (STATES, np.int32),
    "endless": (STATES, np.int32),
    "inside": (STATES, np.uint64),
    "beyond": (STATES, np.int32),
    "steps": (STATES, np.int32),
}
"""What the fields of an `Nfa` have a place for, and the types of their elements."""
_PER_STATE, _PER_BYTE = -1, -2
"""Kinds of fields that have one place more than there are states, and one for each byte."""
_KIND = np.array(
    [_KINDS[name][0] if name in _KINDS else _PER_STATE if name in _STARTS else _PER_BYTE for name in Nfa._fields]
)
_TYPES = tuple(_KINDS[name][1] if name in _KINDS else _OTHER_TYPES[name] for name in Nfa._fields)
_SIZES = np.array([np.dtype(kind).itemsize for kind in _TYPES])
_PLACES = {name: at for at, name in enumerate(Nfa._fields)}
_MEASURED = np.array([_PLACES[name] for name in ("is_end", "edge_target", "jump_target", "call_target", "begin")])


class Views:
    """The arrays of an `Nfa` in a block, each made when it is first asked for."""

    def __init__(self, memory: Memory, block: Bytes) -> None:
        self._memory, self._block = memory, block

    def __getattr__(self, name: str) -> NDArray[Any]:
        at = _PLACES.get(name)
        if at is None:
            raise AttributeError(name)
        # The first array begins with the block.
        begin, length = self._memory.item(at, 0) - self._memory.item(0, 0), self._memory.item(at, 1)
        array: NDArray[Any] = np.ndarray((length,), _TYPES[at], self._block, begin)
        setattr(self, name, array)
        return array


class Piece(NamedTuple):
    """A fragment that comes to others, with the numbers in the whole of all `n_rules` that are known.

    Rule `rules[i]` runs from `fragment.begins[i]` to `fragment.ends[i]`; a call of `CALL + i` is of rule `numbers[i]`,
    one from `OUTSIDE` on of a rule by its number; `nearest (n,)` are the bytes to the end of the rule that a state
    is in.
    """

    fragment: Fragment
    nearest: Ints
    rules: Ints
    numbers: Ints
    n_rules: int


class Store:
    """The arrays of an `Nfa` in one block, and how much of each is in use; `memory` is where they lie.

    Kernels take the memory; `nfa` are views, made when Python asks for them.
    """

    def __init__(self, memory: Memory, block: Bytes, counts: NDArray[np.int64]) -> None:
        self.memory, self.block, self.counts, self.nfa = memory, block, counts, Views(memory, block)
        self._known_room: Longs | None = None

    @property
    def n_classes(self) -> int:
        """How many classes of bytes there are."""
        # The last byte is in the last class. Making an array of them takes longer than what this is needed for.
        first: int = self.memory.item(CLASS_OF, 0) - self.memory.item(0, 0)
        return int(self.block.item(first + 255)) + 1

    @classmethod
    def empty(cls, room: Sequence[int], class_of: Bytes) -> Store:
        """No states at all, room for so many states, edges, jumps, calls and rules, and byte classes to begin with."""
        memory, block = _begun(np.array(room, np.int64), class_of)
        return cls(memory, block, np.zeros(5, np.int64))

    def copy(self) -> Store:
        """Arrays of its own with the same in them, and as much room."""
        if self._known_room is None:
            self._known_room = _room(self.memory)
        return self.with_room(self._known_room)

    def with_room(self, room: NDArray[np.int64]) -> Store:
        """The same with other room."""
        memory, block = _moved(self.memory, self.block, self.counts, room)
        return Store(memory, block, self.counts.copy())

    def add(self, piece: Piece) -> None:
        """Put a piece behind what is there."""
        self.become(*put(self.memory, self.block, self.counts, *piece.fragment, piece.nearest, *piece[2:]))

    def become(self, memory: Memory, block: Bytes) -> None:
        """Lie elsewhere from now on, with other room or other byte classes."""
        if memory is not self.memory:
            self.memory, self.block, self.nfa, self._known_room = memory, block, Views(memory, block), None


@njit(cache=True)
def put(
    memory: Memory,
    block: Bytes,
    counts: Longs,
    n_states: int,
    edges: Ints,
    jumps: Ints,
    begins: Ints,
    ends: Ints,
    nearest: Ints,
    rules: Ints,
    numbers: Ints,
    n_rules: int,
) -> tuple[Memory, Bytes]:
    """Put a piece, field by field, behind what is in a store; where that lies then."""
    more = np.array([n_states, edges.shape[0], jumps.shape[0], edges.shape[0], n_rules])
    while True:
        outcome = _added(memory, counts, n_states, edges, jumps, begins, ends, nearest, rules, numbers, n_rules)
        if outcome == OK:
            return memory, block
        if outcome == CUT:
            after = _refined(octets(memory, CLASS_OF), edges)
            memory, block = _moved(memory, block, counts, _room(memory))
            _rename(memory, counts, after)
        else:
            room = _room(memory)
            for kind in range(room.shape[0]):
                room[kind] = max(room[kind], 2 * (counts[kind] + more[kind]))
            memory, block = _moved(memory, block, counts, room)


@njit(cache=True)
def _laid_out(room: Longs) -> tuple[Memory, Bytes]:
    """A block for the arrays of an `Nfa` with so many places for states, edges, jumps, calls and rules."""
    memory, n_bytes = np.empty((_KIND.shape[0], 3), np.int64), 0
    for at in range(memory.shape[0]):
        kind = _KIND[at]
        length = room[kind] if kind >= 0 else room[STATES] + 1 if kind == _PER_STATE else 256
        memory[at, 0], memory[at, 1], memory[at, 2] = n_bytes, length, 1
        # Each begins at a multiple of 8 bytes.
        n_bytes += (length * _SIZES[at] + 7) // 8 * 8
    block = np.empty(n_bytes, np.uint8)
    for at in range(memory.shape[0]):
        memory[at, 0] += np.int64(block.ctypes.data)
    return memory, block


@njit(cache=True)
def _begun(room: Longs, class_of: Bytes) -> tuple[Memory, Bytes]:
    """The memory and the block of an empty store."""
    memory, block = _laid_out(room)
    ints(memory, EDGE_START)[0] = ints(memory, JUMP_START)[0] = ints(memory, CALL_START)[0] = 0
    copy(class_of, octets(memory, CLASS_OF))
    return memory, block


@njit(cache=True)
def _moved(memory: Memory, block: Bytes, counts: Longs, room: Longs) -> tuple[Memory, Bytes]:
    """The memory and the block of a store with other room and the same in it.

    The old block is an argument because numba frees what is not used any more, and memory holds addresses only.
    """
    assert len(block) > 0, "the arrays of a memory live"
    made, moved = _laid_out(room)
    before, after = memory[: made.shape[0]].copy(), made.copy()
    for at in range(made.shape[0]):
        kind = _KIND[at]
        used = counts[kind] if kind >= 0 else counts[STATES] + 1 if kind == _PER_STATE else 256
        before[at, 1] = after[at, 1] = used * _SIZES[at]
        copy(octets(before, at), octets(after, at))
    return made, moved


@njit(cache=True)
def _room(memory: Memory) -> Longs:
    """How many states, edges, jumps, calls and rules there is room for."""
    room = np.empty(_MEASURED.shape[0], np.int64)
    for kind in range(room.shape[0]):
        room[kind] = memory[_MEASURED[kind], 1]
    return room


@njit(cache=True)
def nfa_in(memory: Memory) -> Nfa:
    """The arrays in a memory, for kernels."""
    return Nfa(
        ints(memory, EDGE_START),
        octets(memory, EDGE_LOW),
        octets(memory, EDGE_HIGH),
        ints(memory, EDGE_TARGET),
        ints(memory, JUMP_START),
        ints(memory, JUMP_TARGET),
        ints(memory, CALL_START),
        ints(memory, CALL_RULE),
        ints(memory, CALL_TARGET),
        ints(memory, BEGIN),
        octets(memory, IS_END),
        octets(memory, LIVE),
        ints(memory, NEAREST),
        ints(memory, FARTHEST),
        octets(memory, CLASS_OF),
        ints(memory, ENDLESS),
        bits(memory, INSIDE),
        ints(memory, BEYOND),
        ints(memory, STEPS),
    )


def nfa_of(fragment: Fragment, nearest: Ints, farthest: Ints | None, live: Bytes | None) -> Store:
    """The arrays of a whole fragment; by default all states are live and single bytes are tokens."""
    rules, n_calls = np.arange(len(fragment.begins), dtype=np.int32), int((fragment.edges[:, 1] >= CALL).sum())
    room = [fragment.n_states, len(fragment.edges) - n_calls, len(fragment.jumps), n_calls, len(rules)]
    store = Store.empty(room, _refined(np.zeros(256, np.uint8), fragment.edges))
    store.add(Piece(fragment, nearest, rules, rules, len(rules)))
    if live is not None:
        store.nfa.live[: fragment.n_states] = live
    if farthest is not None:
        store.nfa.farthest[: fragment.n_states] = farthest
    return store


@njit(cache=True)
def _added(
    memory: Memory,
    counts: NDArray[np.int64],
    n_states: int,
    edges: Ints,
    jumps: Ints,
    begins: Ints,
    ends: Ints,
    nearest: Ints,
    rules: Ints,
    numbers: Ints,
    n_rules: int,
) -> int:
    """Copy a piece behind what is there; `FULL` or `CUT`, with nothing changed, where that cannot be."""
    nfa: Nfa = nfa_in(memory)
    before, n_calls = counts[STATES], 0
    for e in range(edges.shape[0]):
        n_calls += edges[e, 1] >= CALL
    n_edges = edges.shape[0] - n_calls
    if (
        before + n_states > nfa.is_end.shape[0]
        or counts[EDGES] + n_edges > nfa.edge_target.shape[0]
        or counts[JUMPS] + jumps.shape[0] > nfa.jump_target.shape[0]
        or counts[CALLS] + n_calls > nfa.call_target.shape[0]
        or n_rules > nfa.begin.shape[0]
    ):
        return FULL
    if _cuts(nfa.class_of, edges):
        return CUT
    _put_edges(nfa, before, counts[EDGES], counts[CALLS], n_states, edges, numbers)
    _put_jumps(nfa, before, counts[JUMPS], n_states, jumps)
    for state in range(n_states):
        at = before + state
        nfa.is_end[at], nfa.live[at] = 0, 1
        nfa.nearest[at] = nfa.farthest[at] = nearest[state]
        nfa.endless[at], nfa.inside[at], nfa.beyond[at], nfa.steps[at] = UNMARKED, 0, -1, UNMARKED
    for rule in range(counts[RULES], n_rules):
        nfa.begin[rule] = UNWRITTEN
    for i in range(rules.shape[0]):
        nfa.begin[rules[i]] = before + begins[i]
        nfa.is_end[before + ends[i]] = 1
    counts[STATES] += n_states
    counts[EDGES] += n_edges
    counts[JUMPS] += jumps.shape[0]
    counts[CALLS] += n_calls
    counts[RULES] = n_rules
    return OK


@njit(inline="always")
def _cuts(class_of: Bytes, edges: Ints) -> bool:
    """Whether an edge begins or ends inside of a byte class."""
    for e in range(edges.shape[0]):
        low, high = edges[e, 1], edges[e, 2]
        if low < CALL and (
            (low > 0 and class_of[low - 1] == class_of[low]) or (high < 255 and class_of[high] == class_of[high + 1])
        ):
            return True
    return False


@njit(inline="always")
def _put_edges(
    nfa: Nfa, before: int, edges_before: int, calls_before: int, n_states: int, edges: Ints, numbers: Ints
) -> None:
    """Edges and calls, each by source, those of one source in the order in which they come."""
    edge_start, call_start = nfa.edge_start[before:], nfa.call_start[before:]
    edge_start[: n_states + 1] = 0
    call_start[: n_states + 1] = 0
    for e in range(edges.shape[0]):
        if edges[e, 1] < CALL:
            edge_start[edges[e, 0] + 1] += 1
        else:
            call_start[edges[e, 0] + 1] += 1
    edge_start[0], call_start[0] = edges_before, calls_before
    for state in range(n_states):
        edge_start[state + 1] += edge_start[state]
        call_start[state + 1] += call_start[state]
    next_edge, next_call = edge_start[:n_states].copy(), call_start[:n_states].copy()
    for e in range(edges.shape[0]):
        source, symbol, target = edges[e, 0], edges[e, 1], before + edges[e, 3]
        if symbol < CALL:
            at = next_edge[source]
            next_edge[source] += 1
            nfa.edge_low[at], nfa.edge_high[at] = nfa.class_of[symbol], nfa.class_of[edges[e, 2]]
            nfa.edge_target[at] = target
        else:
            at = next_call[source]
            next_call[source] += 1
            nfa.call_rule[at] = numbers[symbol - CALL] if symbol < OUTSIDE else symbol - OUTSIDE
            nfa.call_target[at] = target


@njit(inline="always")
def _put_jumps(nfa: Nfa, before: int, jumps_before: int, n_states: int, jumps: Ints) -> None:
    """Jumps by source."""
    start = nfa.jump_start[before:]
    start[: n_states + 1] = 0
    for j in range(jumps.shape[0]):
        start[jumps[j, 0] + 1] += 1
    start[0] = jumps_before
    for state in range(n_states):
        start[state + 1] += start[state]
    following = start[:n_states].copy()
    for j in range(jumps.shape[0]):
        nfa.jump_target[following[jumps[j, 0]]] = before + jumps[j, 1]
        following[jumps[j, 0]] += 1


@njit(cache=True)
def _refined(class_of: Bytes, edges: Ints) -> Bytes:
    """`(256,)` the classes, cut where these edges begin and end, too."""
    border = np.zeros(257, np.bool_)
    for e in range(edges.shape[0]):
        if edges[e, 1] < CALL:
            border[edges[e, 1]] = border[edges[e, 2] + 1] = True
    refined, count = np.zeros(256, np.uint8), 0
    for byte in range(1, 256):
        count += border[byte] or class_of[byte] != class_of[byte - 1]
        refined[byte] = count
    return refined


@njit(cache=True)
def _rename(memory: Memory, counts: Longs, after: Bytes) -> None:
    """Cut byte classes: each edge now runs from the first part of its first class to the last part of its last one."""
    class_of, low, high = octets(memory, CLASS_OF), octets(memory, EDGE_LOW), octets(memory, EDGE_HIGH)
    first, last = np.empty(256, np.uint8), np.empty(256, np.uint8)
    for byte in range(256):
        last[class_of[byte]] = after[byte]
        first[class_of[255 - byte]] = after[255 - byte]
    for e in range(counts[EDGES]):
        low[e], high[e] = first[low[e]], last[high[e]]
    copy(after, class_of)
