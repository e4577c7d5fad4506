"""Numba kernels for the bits of tokens in a mask: token v is bit `v % 32` of word `v // 32`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.memory import Memory, ints, words
from pgen.tokens.lexicon import EVERYDAY, FIRST, LISTED, MOST_LISTED, TOKENS

Longs = NDArray[np.int64]
Mask = NDArray[np.uint32]


@njit(cache=True)
def allow(lexicon: Memory, at: int, node: int, mask: Mask) -> None:
    """Set the bits of all tokens that end at a node of the trie at `at`."""
    first, tokens = ints(lexicon, at + FIRST), ints(lexicon, at + TOKENS)
    for k in range(first[node], first[node + 1]):
        mask[tokens[k] >> 5] |= np.uint32(1) << np.uint32(tokens[k] & 31)


@njit(cache=True)
def clear(desk: Memory, mask: Mask, facts: Longs) -> None:
    """Clear the draft on a desk; where its tokens are listed no others are looked at."""
    if facts[4] > MOST_LISTED:
        mask[:] = 0
    else:
        listed = ints(desk, LISTED)
        for k in range(facts[4]):
            mask[listed[k] >> 5] = 0
    facts[4] = 0


@njit(cache=True)
def forbid(lexicon: Memory, at: int, begin: int, stop: int, mask: Mask) -> None:
    """Clear the bits of some of the tokens of the trie at `at`."""
    tokens = ints(lexicon, at + TOKENS)
    for k in range(begin, stop):
        mask[tokens[k] >> 5] &= ~(np.uint32(1) << np.uint32(tokens[k] & 31))


@njit(cache=True)
def everyday(lexicon: Memory, mask: Mask) -> bool:
    """Allow the everyday tokens and no others; whether there are any."""
    row, united = words(lexicon, EVERYDAY), np.uint32(0)
    for word in range(mask.shape[0]):
        mask[word] = row[word]
        united |= row[word]
    return bool(united != 0)


@njit(cache=True)
def allows_some(mask: Mask) -> bool:
    """Whether a mask allows any token."""
    for word in range(mask.shape[0]):  # noqa: SIM110 (numba compiles loops, not generators)
        if mask[word] != 0:
            return True
    return False
