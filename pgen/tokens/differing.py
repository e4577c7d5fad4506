"""The mask of a state from that of another one which is much like it, by the tokens on whose way the two differ.

Where text mostly falls into a loop (`pgen.tokens.loops`), as in names among a hundred others, nearly every token leads
from both states to the same one. The trie is walked from both at once, and no further than to where they meet.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.kernels import follow
from pgen.automata.layout import CLASS_OF, DEAD, OK, STATE_FARTHEST, STATE_LIVE, TRANSITIONS, UNKNOWN
from pgen.automata.memory import Memory, int_rows, ints, octets
from pgen.tokens.endless import endless_bound
from pgen.tokens.lexicon import BYTE, DEPTH, END, FIRST, ONLY, SECTION, SLICED, WHOLE
from pgen.tokens.token_bits import allow, allows_some, forbid
from pgen.tokens.trie import NONE

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Mask = NDArray[np.uint32]


@njit(inline="always")
def differ(memory: Memory, lexicon: Memory, state: int, other: int, scratch: Ints, mask: Mask, facts: Longs) -> int:
    """Turn the mask of `other`, and its facts, into those of `state`.

    If both allow all everyday tokens, only others are looked at. `UNKNOWN` when the DFA has to grow; nothing is lost
    then.
    """
    section, bound = ints(lexicon, SECTION), endless_bound(memory, state)
    rest, at = section.shape[0] - 3, SLICED if bound >= 0 else WHOLE
    byte, depths, end = octets(lexicon, at + BYTE), ints(lexicon, at + DEPTH), ints(lexicon, at + END)
    first, only = ints(lexicon, at + FIRST), ints(lexicon, at + ONLY)
    transitions, live, class_of = int_rows(memory, TRANSITIONS), octets(memory, STATE_LIVE), octets(memory, CLASS_OF)
    farthest, largest, last = ints(memory, STATE_FARTHEST), facts[1], np.int32(-1)
    one, half = np.uint64(1), np.uint64(scratch.shape[0] // 2)
    scratch[0], scratch[half] = state, other
    node, count = np.uint64(1), np.uint64(byte.shape[0])
    if bound >= 0:
        node, count = np.uint64(section[rest] + 1), np.uint64(section[rest + 1])
    while node < count:
        depth, symbol = np.uint64(depths[node]), np.uint64(class_of[np.uint64(byte[node])])
        here, there = scratch[depth - one], scratch[half + depth - one]
        target, before = transitions[np.uint64(here), symbol], transitions[np.uint64(there), symbol]
        if target < 0 or before < 0:
            target = np.int32(follow(memory, np.int64(here), np.int64(symbol)))
            before = np.int32(follow(memory, np.int64(there), np.int64(symbol)))
            if target == UNKNOWN or before == UNKNOWN:
                return UNKNOWN
        if target == before:
            node = np.uint64(end[node])
            continue
        if target == DEAD:
            forbid(lexicon, at, first[node], first[end[node]], mask)
            node = np.uint64(end[node])
            continue
        scratch[depth], scratch[half + depth] = target, before
        token = only[node]
        if token != NONE and live[np.uint64(target)]:
            if token >= 0:
                mask[np.uint64(token) >> np.uint64(5)] |= np.uint32(1) << np.uint32(token & 31)
            else:
                allow(lexicon, at, np.int64(node), mask)
            if target != last:
                largest, last = max(largest, np.int64(farthest[np.uint64(target)])), target
        elif token != NONE:
            forbid(lexicon, at, first[node], first[node + one], mask)
        node += one
    facts[0], facts[1] = bound >= 0 or allows_some(mask), max(largest, bound)
    return OK
