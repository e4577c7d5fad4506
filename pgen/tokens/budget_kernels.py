"""Numba kernels for budgets of tokens: which tokens leave enough of them, and where all tokens lead.

Like those of `walk_kernels`, they follow the whole trie and the lazy DFA together.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.kernels import follow
from pgen.automata.layout import (
    CLASS_OF,
    DEAD,
    FULL,
    OK,
    STATE_FARTHEST,
    STATE_LIVE,
    STATE_NEAREST,
    TRANSITIONS,
    UNKNOWN,
)
from pgen.automata.memory import Memory, int_rows, ints, octets
from pgen.tokens.lexicon import BYTE, DEPTH, END, ONLY, WHOLE
from pgen.tokens.token_bits import allow
from pgen.tokens.trie import NONE

Ints = NDArray[np.int32]
Mask = NDArray[np.uint32]


@njit(cache=True)
def walk_budget(
    memory: Memory, lexicon: Memory, state: int, path: Ints, left: int, longest: int, mask: Mask, doubtful: Ints
) -> int:
    """Like `fill`, with `left` tokens to spend after the one drawn.

    A target is certain if single bytes get it to acceptance in time, hopeless if
    tokens of the `longest` length do not; the other trie nodes and targets are
    listed in `doubtful` as pairs, its first number counts them. `FULL` as ever.
    """
    byte, depths, end, only = octets(lexicon, BYTE), ints(lexicon, DEPTH), ints(lexicon, END), ints(lexicon, ONLY)
    transitions, live, class_of = int_rows(memory, TRANSITIONS), octets(memory, STATE_LIVE), octets(memory, CLASS_OF)
    nearest, farthest = ints(memory, STATE_NEAREST), ints(memory, STATE_FARTHEST)
    path[0] = state
    doubtful[0] = 0
    node, count = 1, byte.shape[0]
    while node < count:
        depth = depths[node]
        target = transitions[path[depth - 1], class_of[byte[node]]]
        if target < 0:
            target = follow(memory, np.int64(path[depth - 1]), np.int64(class_of[byte[node]]))
            if target == UNKNOWN:
                return FULL
        if target == DEAD:
            node = end[node]
            continue
        path[depth] = target
        if live[target] and only[node] != NONE:
            if farthest[target] <= left:
                allow(lexicon, np.int64(WHOLE), node, mask)
            elif (nearest[target] + longest - 1) // longest <= left:
                doubtful[1 + 2 * doubtful[0]] = node
                doubtful[2 + 2 * doubtful[0]] = target
                doubtful[0] += 1
        node += 1
    return OK


@njit(cache=True)
def targets(memory: Memory, lexicon: Memory, state: int, path: Ints, reached: Ints) -> int:
    """List in `reached[1:]` the state after each token (repeats in a row left out); `reached[0]` counts them."""
    byte, depths, end, only = octets(lexicon, BYTE), ints(lexicon, DEPTH), ints(lexicon, END), ints(lexicon, ONLY)
    transitions, class_of = int_rows(memory, TRANSITIONS), octets(memory, CLASS_OF)
    path[0] = state
    reached[0] = 0
    node, count = 1, byte.shape[0]
    while node < count:
        depth = depths[node]
        target = transitions[path[depth - 1], class_of[byte[node]]]
        if target < 0:
            target = follow(memory, np.int64(path[depth - 1]), np.int64(class_of[byte[node]]))
            if target == UNKNOWN:
                return FULL
        if target == DEAD:
            node = end[node]
            continue
        path[depth] = target
        if only[node] != NONE and (reached[0] == 0 or reached[reached[0]] != target):
            reached[0] += 1
            reached[reached[0]] = target
        node += 1
    return OK
