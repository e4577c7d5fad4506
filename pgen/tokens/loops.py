"""States that everyday text leads back to, as inside of most strings: all of it, or all but a few signs.

A *loop* allows every everyday token (`pgen.tokens.slices`). A *near loop*, as `[^:]*` or what waits for the end of
a file's name in `.*\\.txt`, does so but for tokens that hold one of the signs that lead elsewhere, and these tokens are
listed sign by sign. They are read one by one, so that a mask costs a thousand short walks and not a hundred thousand.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.kernels import follow, run
from pgen.automata.layout import CLASS_OF, DEAD, OK, STATE_FARTHEST, STATE_LIVE, TRANSITIONS, UNKNOWN
from pgen.automata.memory import Memory, int_rows, ints, octets
from pgen.tokens.endless import WHOLE_CHARACTER
from pgen.tokens.lexicon import CLASS_START, EDGES, SIGN_BYTES, SIGN_START, SIGN_TAILS, SIGN_TOKENS
from pgen.tokens.slices import is_sign
from pgen.tokens.token_bits import allows_some

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Longs = NDArray[np.int64]
Mask = NDArray[np.uint32]

NEAR, NONE = 1, -2
"""What `loops` returns besides `OK` and `UNKNOWN`: all but a few signs lead back; more than these do not."""
NOWHERE = np.int32(-(2**30))
"""No state, and no code of an unknown one."""
SELDOM = ord("~")
"""A sign in few names and formats, so that what it leads to tells much about the rest."""
MOST_READ = 10_000
"""Tokens that are read one by one, at most: some more, and judging families of tokens costs less."""
_IS_SIGN = np.array([is_sign(byte) for byte in range(128)])


@njit(cache=True)
def loops(memory: Memory, lexicon: Memory, state: int, todo: Ints) -> int:
    """Whether every everyday character leads from a live state back to it, or all but a few signs; `UNKNOWN` if full.

    `todo` holds pairs of a place inside of a character and a state of the DFA.
    """
    transitions, class_of = int_rows(memory, TRANSITIONS), octets(memory, CLASS_OF)
    edges, class_start, sign_start = int_rows(lexicon, EDGES), ints(lexicon, CLASS_START), ints(lexicon, SIGN_START)
    inside, source, done, waiting, n_read = np.int32(0), np.int32(state), 0, np.int64(0), np.int64(0)
    while octets(memory, STATE_LIVE)[state]:
        for e in range(class_start[1], class_start[2]):
            if edges[e, 0] != inside:
                continue
            last, is_ascii = NOWHERE, inside == 0 and edges[e, 3] == WHOLE_CHARACTER
            for symbol in range(np.uint64(class_of[edges[e, 1]]), np.uint64(class_of[edges[e, 2]]) + np.uint64(1)):
                target = transitions[source, symbol]
                if target < 0:
                    target = np.int32(follow(memory, np.int64(source), np.int64(symbol)))
                    if target == UNKNOWN:
                        return UNKNOWN
                if is_ascii and target != state:
                    n_read += _n_held(sign_start, class_of, symbol, edges[e, 1], edges[e, 2])
                    if n_read > MOST_READ:
                        return NONE
                elif target == DEAD or (edges[e, 3] == WHOLE_CHARACTER and target != state):
                    return NONE
                elif edges[e, 3] != WHOLE_CHARACTER and target != last:
                    last, waiting = target, noted_pair(todo, waiting, edges[e, 3], target)
                    if waiting < 0:
                        return NONE
        if done == waiting:
            return NEAR if leaves(memory, state) else OK
        inside, source, done = todo[2 * done], todo[2 * done + 1], done + 1
    return NONE


@njit(inline="always")
def _n_held(sign_start: Ints, class_of: Bytes, symbol: int, low: int, high: int) -> int:
    """How many tokens hold the signs from `low` to `high` of a byte class; too many if one of them is no sign."""
    count = np.int64(0)
    for byte in range(low, high + 1):
        if class_of[byte] == symbol:
            count += np.int64(sign_start[byte + 1] - sign_start[byte]) if _IS_SIGN[byte] else MOST_READ + 1
    return int(count)


@njit(inline="always")
def leaves(memory: Memory, state: int) -> bool:
    """Whether a sign leads from a state elsewhere."""
    row, class_of = int_rows(memory, TRANSITIONS)[state], octets(memory, CLASS_OF)
    for byte in range(128):  # noqa: SIM110 (numba compiles loops, not generators)
        if _IS_SIGN[byte] and row[class_of[byte]] != state:
            return True
    return False


@njit(inline="always")
def read_signs(memory: Memory, lexicon: Memory, state: int, mask: Mask, facts: Longs) -> int:
    """Mend, in a mask that is right for all others, the tokens that hold a sign that leads from a state elsewhere.

    `OK`, or `UNKNOWN` when the DFA has to grow.
    """
    sign_start, sign_tokens = ints(lexicon, SIGN_START), ints(lexicon, SIGN_TOKENS)
    start, tails = ints(lexicon, SIGN_TAILS), octets(lexicon, SIGN_BYTES)
    class_of, live, farthest = octets(memory, CLASS_OF), octets(memory, STATE_LIVE), ints(memory, STATE_FARTHEST)
    for byte in range(128):
        if not _IS_SIGN[byte] or int_rows(memory, TRANSITIONS)[state, class_of[byte]] == state:
            continue
        for k in range(sign_start[byte], sign_start[byte + 1]):
            token = np.int64(sign_tokens[k])
            # What comes before the first sign leads back to the state.
            target = run(memory, state, tails[start[k] : start[k + 1]])
            if target == UNKNOWN:
                return UNKNOWN
            bit = np.uint32(1) << np.uint32(token & 31)
            if target > DEAD and live[target]:
                mask[token >> 5] |= bit
                facts[1] = max(facts[1], np.int64(farthest[target]))
            else:
                mask[token >> 5] &= ~bit
    facts[0] = allows_some(mask)
    return OK


@njit(inline="always")
def model(memory: Memory, lexicon: Memory, state: int, scratch: Ints, worst: int) -> int:
    """The loop, at worst a near one, that a seldom sign leads to from a state; `DEAD` if none, `UNKNOWN` if full."""
    after = follow(memory, state, np.int64(octets(memory, CLASS_OF)[SELDOM]))
    outcome = loops(memory, lexicon, after, scratch) if after > DEAD else after
    if outcome == UNKNOWN:
        return UNKNOWN
    return int(after) if outcome in (OK, worst) else DEAD


@njit(cache=True)
def noted_pair(places: Ints, count: int, inside: int, state: int) -> int:
    """Add a pair unless it is there; the new count, or -1 without room."""
    for i in range(count):
        if places[2 * i] == inside and places[2 * i + 1] == state:
            return count
    if 2 * count == places.shape[0]:
        return -1
    places[2 * count], places[2 * count + 1] = inside, state
    return count + 1
