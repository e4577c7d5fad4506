"""Numba kernels that draw up a whole mask: what a walk allows, EOS, and a code by which equal masks are found.

Numba optimises and emits a kernel once more with each of its callers. What has one caller is therefore inlined, and
seldom work (growing, marking endless states) is done between two calls: a first run ever takes two thirds of the time.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.layout import ENDED, OK, STATE_ACCEPTING
from pgen.automata.memory import Memory, copy, ints, longs, octets, words
from pgen.tokens.differing import differ
from pgen.tokens.lexicon import DRAFT, EOS, FACTS, LISTED, MODEL, MOST_LISTED, SCRATCH
from pgen.tokens.walk_kernels import fill

Ints = NDArray[np.int32]
Mask = NDArray[np.uint32]

FACTOR, OTHER = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9
"""Odd numbers of 64 bits without a pattern."""


@njit(cache=True)
def draw(memory: Memory, desk: Memory, state: int) -> int:
    """Draw up the mask of a state on a desk (`pgen.tokens.lexicon`), with its facts, EOS and codes.

    Returns `OK`, `UNKNOWN` when the DFA has to grow, or `UNMARKED` (`fill`).
    """
    outcome = fill(memory, desk, state, ints(desk, SCRATCH), words(desk, DRAFT), longs(desk, FACTS))
    if outcome > OK:
        outcome = from_model(memory, desk, state, outcome)
    if outcome == OK:
        finish(memory, desk, state)
    return int(outcome)


@njit(inline="always")
def from_model(memory: Memory, desk: Memory, state: int, other: int) -> int:
    """Draw up the mask of a state by that of another, which is kept, since the next state is often like it, too."""
    mask, model, facts, scratch = words(desk, DRAFT), words(desk, MODEL), longs(desk, FACTS), ints(desk, SCRATCH)
    if facts[5] != other:
        facts[5] = 0
        outcome = fill(memory, desk, other, scratch, model, facts)
        if outcome != OK:
            return int(outcome)
        facts[5], facts[6], facts[7] = other, facts[0], facts[1]
    copy(model, mask)
    facts[0], facts[1], facts[4] = facts[6], facts[7], MOST_LISTED + 1
    return int(differ(memory, desk, state, other, scratch, mask, facts))


@njit(inline="always")
def finish(memory: Memory, desk: Memory, state: int) -> None:
    """Allow EOS in the mask on a desk if the text may end, and enter the codes of the mask.

    Of a mask whose tokens are listed these are 128 bits of a hash that no two share by any chance that matters. Of
    others there is one, a sum of products with odd numbers, which two masks share seldom; the second is 0.
    """
    mask, facts, listed = words(desk, DRAFT), longs(desk, FACTS), ints(desk, LISTED)
    if state != ENDED and octets(memory, STATE_ACCEPTING)[state]:
        for token in ints(desk, EOS):
            mask[token >> 5] |= np.uint32(1) << np.uint32(token & 31)
            if facts[4] < MOST_LISTED:
                listed[facts[4]] = token
            facts[4] += 1
    if facts[4] <= MOST_LISTED:
        facts[2], facts[3] = _of_list(listed[: facts[4]])
    else:
        facts[2], facts[3] = _of_words(mask), 0


@njit(cache=True)
def _of_list(tokens: Ints) -> tuple[np.int64, np.int64]:
    """Two codes of a set of tokens, in whatever order; the second is odd."""
    code, second = np.uint64(0), np.uint64(0)
    for token in tokens:
        value = np.uint64(token + 1) * np.uint64(FACTOR)
        value = (value ^ (value >> np.uint64(32))) * np.uint64(OTHER)
        code += value ^ (value >> np.uint64(29))
        second ^= (value ^ (value >> np.uint64(31))) * np.uint64(FACTOR)
    return np.int64(code), np.int64(second | np.uint64(1))


@njit(cache=True)
def _of_words(mask: Mask) -> np.int64:
    code, factor = np.uint64(0), np.uint64(FACTOR)
    for word in range(mask.shape[0]):
        code += np.uint64(mask[word]) * factor
        factor += np.uint64(2 * FACTOR)
    return np.int64(code)
