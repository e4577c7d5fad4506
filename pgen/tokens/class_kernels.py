"""Numba kernels behind `pgen.tokens.classes`: a whole automaton as a table over token classes.

Tokens whose transitions agree in every state form a class. A token's *sign* is the sum,
over the states that allow it, of a 128-bit hash of (state, target): one walk of the
vocabulary trie per state adds to the signs of the tokens it allows and touches no other.
Equal signs are taken as equal transitions (the chance that two of 10^6 tokens collide is 1e-26).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.kernels import follow, run
from pgen.automata.layout import CLASS_OF, DEAD, FAR, STATE_LIVE, STATE_NEAREST, TRANSITIONS, UNKNOWN
from pgen.automata.memory import Memory, int_rows, ints, longs, octets
from pgen.tokens.lexicon import BYTE, DEPTH, END, FIRST, ONLY, TOKEN_BYTES, TOKEN_START
from pgen.tokens.trie import NONE

Ints = NDArray[np.int32]
Signs = NDArray[np.uint64]

CROWDED = -1
"""`relate` found more states than it has room for."""


@njit(inline="always")
def _mixed(value: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True)
def relate(
    memory: Memory,
    lexicon: Memory,
    state: int,
    node: int,
    bytes_left: int,
    path: Ints,
    signs: Signs,
    index_of: Ints,
    found: Ints,
) -> int:
    """Walk the trie from `node` on in `state`: add to the signs of allowed tokens, list states not met before.

    `signs (n, 2)` follow the order of the trie's tokens. `index_of` numbers the automaton's states
    in order of discovery (-1: new), `found[1:]` lists them and `found[0]` counts them. New states that
    are more than `bytes_left` bytes from acceptance count as dead. Returns the
    number of nodes when done, the node to go on from when the automaton has to grow, or `CROWDED`.
    """
    byte, depths, end, only = octets(lexicon, BYTE), ints(lexicon, DEPTH), ints(lexicon, END), ints(lexicon, ONLY)
    first, live, class_of = ints(lexicon, FIRST), octets(memory, STATE_LIVE), octets(memory, CLASS_OF)
    nearest, transitions = ints(memory, STATE_NEAREST), int_rows(memory, TRANSITIONS)
    last, count = np.int32(-1), byte.shape[0]
    one, two, alive = np.uint64(0), np.uint64(0), False
    path[0] = state
    while node < count:
        depth = depths[node]
        target = transitions[path[depth - 1], class_of[byte[node]]]
        if target < 0:
            target = np.int32(follow(memory, path[depth - 1], class_of[byte[node]]))
            if target == UNKNOWN:
                return node
        if target == DEAD:
            node = end[node]
            continue
        path[depth] = target
        if only[node] != NONE and live[target]:
            if target != last:
                last = target
                alive = index_of[target] >= 0
                if not alive and nearest[target] <= bytes_left:
                    alive = True
                    if found[0] + 1 == found.shape[0]:
                        return CROWDED
                    index_of[target] = found[0]
                    found[0] += 1
                    found[found[0]] = target
                pair = np.uint64(index_of[state]) * np.uint64(0x100000000) + np.uint64(index_of[target] + 1)
                one = _mixed(pair * np.uint64(0x9E3779B97F4A7C15))
                two = _mixed(one + np.uint64(0xD1B54A32D192ED03))
            for k in range(first[node], first[node + 1] if alive else first[node]):
                signs[k, 0] += one
                signs[k, 1] += two
        node += 1
    return node


@njit(cache=True)
def classified(signs: Signs, tokens: Ints, class_of: Ints, representatives: Ints) -> int:
    """Number the distinct signs from 1 in order of the trie's tokens; 0 for tokens that no state allows.

    Fills `class_of (V,)`, and `representatives` with a token of each class from 1 on; returns the number of classes.
    """
    size = 16
    while size < 2 * signs.shape[0]:
        size *= 2
    slots, count = np.full(size, -1, np.int32), 1
    for k in range(signs.shape[0]):
        if signs[k, 0] == 0 and signs[k, 1] == 0:
            continue
        slot = np.int64(signs[k, 0] & np.uint64(size - 1))
        while slots[slot] >= 0 and (signs[slots[slot], 0] != signs[k, 0] or signs[slots[slot], 1] != signs[k, 1]):
            slot = (slot + 1) & (size - 1)
        if slots[slot] < 0:
            slots[slot] = k
            class_of[tokens[k]] = count
            representatives[count] = tokens[k]
            count += 1
        else:
            class_of[tokens[k]] = class_of[tokens[slots[slot]]]
    return count


@njit(cache=True)
def tabulated(
    memory: Memory, lexicon: Memory, states: Ints, representatives: Ints, index_of: Ints, delta: Ints
) -> None:
    """Fill `delta (Q, C)` with the state that a class's representative leads to, -1 where it is not allowed.

    Every transition needed has been computed by `relate`, or is on a path that dies.
    """
    start, data, live = longs(lexicon, TOKEN_START), octets(lexicon, TOKEN_BYTES), octets(memory, STATE_LIVE)
    for s in range(states.shape[0]):
        delta[s, 0] = -1
        for c in range(1, representatives.shape[0]):
            token = representatives[c]
            target = run(memory, states[s], data[start[token] : start[token + 1]])
            delta[s, c] = index_of[target] if target > DEAD and live[target] else -1


@njit(cache=True)
def distances(delta: Ints, accepting: NDArray[np.bool_], nearest: Ints) -> None:
    """Fill `nearest (Q,)` with the fewest tokens to acceptance, by breadth-first search over reversed edges."""
    n_states = delta.shape[0]
    met, start = np.full(n_states, -1, np.int32), np.zeros(n_states + 1, np.int64)
    for fill in range(2):
        met[:] = -1
        sources = np.empty(start[n_states] if fill else 0, np.int32)
        at = start[:-1].copy()
        for s in range(n_states):
            for c in range(delta.shape[1]):
                t = delta[s, c]
                if t >= 0 and met[t] != s:
                    met[t] = s
                    if fill:
                        sources[at[t]] = s
                    else:
                        start[t + 1] += 1
                    at[t] += 1
        if not fill:
            for t in range(n_states):
                start[t + 1] += start[t]
    queue, done, count = np.empty(n_states, np.int32), 0, 0
    nearest[:] = FAR
    for s in range(n_states):
        if accepting[s]:
            nearest[s], queue[count] = 0, s
            count += 1
    while done < count:
        t = queue[done]
        done += 1
        for k in range(start[t], start[t + 1]):
            s = sources[k]
            if nearest[s] == FAR:
                nearest[s], queue[count] = nearest[t] + 1, s
                count += 1
