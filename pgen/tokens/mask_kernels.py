"""Numba kernels that draw up a whole mask: what a walk allows, EOS, and a code by which equal masks are found."""

from __future__ import annotations

import numpy as np
from numba import njit

from pgen.automata.layout import ENDED, OK, STATE_ACCEPTING
from pgen.automata.memory import Memory, ints, longs, octets, words
from pgen.tokens.differing import differ
from pgen.tokens.lexicon import DRAFT, EOS, FACTS, SCRATCH
from pgen.tokens.walk_kernels import fill

FACTOR = 0x9E3779B97F4A7C15
"""An odd number of 64 bits without a pattern."""


@njit(cache=True)
def draw(memory: Memory, desk: Memory, state: int) -> int:
    """Draw up the mask of a state on a desk (`pgen.tokens.lexicon`), with its facts, EOS and code.

    Returns `OK`, `UNKNOWN` when the DFA has to grow, `UNMARKED` when `Nfa.endless` is needed and not there, or a
    state to begin from with `draw_differing`.
    """
    outcome = fill(memory, desk, state, ints(desk, SCRATCH), words(desk, DRAFT), longs(desk, FACTS))
    if outcome == OK:
        finish(memory, desk, state)
    return int(outcome)


@njit(cache=True)
def draw_differing(memory: Memory, desk: Memory, state: int, other: int) -> int:
    """Turn the mask of `other` that is on a desk, and its facts, into those of `state`; `UNKNOWN` or `OK`."""
    mask, eos = words(desk, DRAFT), words(desk, EOS)
    if octets(memory, STATE_ACCEPTING)[other]:
        for word in range(mask.shape[0]):
            mask[word] &= ~eos[word]
    outcome = differ(memory, desk, state, other, ints(desk, SCRATCH), mask, longs(desk, FACTS))
    if outcome == OK:
        finish(memory, desk, state)
    return int(outcome)


@njit(cache=True)
def finish(memory: Memory, desk: Memory, state: int) -> None:
    """Allow EOS in the mask on a desk if the text may end, and enter the code of the mask.

    The code is a sum of products with odd numbers: equal masks have equal ones, others seldom.
    """
    mask, eos = words(desk, DRAFT), words(desk, EOS)
    if state != ENDED and octets(memory, STATE_ACCEPTING)[state]:
        for word in range(mask.shape[0]):
            mask[word] |= eos[word]
    code, factor = np.uint64(0), np.uint64(FACTOR)
    for word in range(mask.shape[0]):
        code += np.uint64(mask[word]) * factor
        factor += np.uint64(2 * FACTOR)
    longs(desk, FACTS)[2] = np.int64(code)
