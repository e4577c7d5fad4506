"""Numba kernels that walk vocabulary tries and a lazy DFA together.

A walk visits every trie node that the automaton can follow, each once, and skips whole
subtrees where it dies; `fill` first judges slices of the vocabulary (`pgen.tokens.slices`)
where words are likely. Kernels return `UNKNOWN` when the DFA has to grow. `memory` is that of
the automaton, `lexicon` that of the vocabulary (`pgen.tokens.lexicon`); known transitions are
read in place, since a call costs more than the step.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.kernels import follow, run
from pgen.automata.layout import (
    CLASS_OF,
    DEAD,
    EDGE_HIGH,
    EDGE_LOW,
    EDGE_START,
    OK,
    STATE_FARTHEST,
    STATE_LIVE,
    TRANSITIONS,
    UNKNOWN,
    UNMARKED,
)
from pgen.automata.memory import Memory, int_rows, ints, longs, octets, word_rows
from pgen.automata.runs import run_from, takes
from pgen.tokens.endless import WHOLE_CHARACTER, endless_bound
from pgen.tokens.lexicon import (
    CLASS_START,
    EDGES,
    LEVEL,
    LISTED,
    MOST_LISTED,
    SECTION,
    SLICED,
    SLICED_LEVELS,
    TOKEN_BYTES,
    TOKEN_START,
    UP_TO,
    WHOLE,
    WHOLE_LEVELS,
)
from pgen.tokens.loops import NEAR, NOWHERE, loops, model, noted_pair, read_signs
from pgen.tokens.slices import MAX_CHARACTERS
from pgen.tokens.token_bits import allow, clear, everyday
from pgen.tokens.trie import NONE

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Mask = NDArray[np.uint32]

GONE, MIXED = 0, -2
"""Levels of a slice without live states, and those with live and other ones."""
FREQUENT = np.frombuffer(b"eta", np.uint8)


@njit(cache=True)
def fill(memory: Memory, lexicon: Memory, state: int, scratch: Ints, mask: Mask, facts: Longs) -> int:
    """Set in `mask` the bit of every token from `state` that leads to a live state, and no other.

    `scratch` holds `4 LEVEL` ints and five for each byte of the longest token. `facts`
    receives (whether any token is allowed, the largest `farthest` of the states that
    allowed tokens lead to, or a bound on it); up to `MOST_LISTED` tokens are listed and counted in `facts[4]`, which
    is larger where a mask may hold others. Returns `OK`, `UNKNOWN` when the DFA has to grow, `UNMARKED` when the
    members of the state in `facts[2]` have to be marked (`pgen.tokens.endless`), or a state whose mask is nearly the
    same (`pgen.tokens.differing`).
    """
    facts[0], facts[1] = 0, 0
    looping = loops(memory, lexicon, state, scratch)
    if looping == UNKNOWN:
        return UNKNOWN
    if looping == OK:
        return int(from_loop(memory, lexicon, state, scratch, mask, facts))
    clear(lexicon, mask, facts)
    common = NOWHERE
    for letter in FREQUENT:
        target = np.int32(follow(memory, state, np.int64(octets(memory, CLASS_OF)[letter])))
        if target == UNKNOWN:
            return UNKNOWN
        if target == DEAD:
            return int(walk(memory, lexicon, np.int64(WHOLE), np.int64(0), state, scratch, mask, facts))
        common = target if common in (NOWHERE, target) else np.int32(DEAD)
    bound = endless_bound(memory, state)
    if bound == UNMARKED:
        facts[2] = state
        return UNMARKED
    if bound < 0 and looping == NEAR:
        outcome = from_loop(memory, lexicon, state, scratch, mask, facts)
        return int(outcome if outcome == UNKNOWN else read_signs(memory, lexicon, state, mask, facts))
    like = DEAD
    if bound >= 0 or common != DEAD:
        like = int(model(memory, lexicon, state, scratch, OK if bound >= 0 else NEAR))
    if like != DEAD and (bound >= 0 or like == common or like == UNKNOWN):  # noqa: SIM109 (for numba)
        return like
    rest = ints(lexicon, SECTION).shape[0] - 3
    if bound >= 0:
        facts[0], facts[1], facts[4] = everyday(lexicon, mask), bound, MOST_LISTED + 1
    elif by_families(memory, lexicon, state, rest, scratch, mask, facts) == UNKNOWN:
        return UNKNOWN
    return int(walk(memory, lexicon, np.int64(SLICED), rest, state, scratch, mask, facts))


@njit(inline="always")
def by_families(
    memory: Memory, lexicon: Memory, state: int, n_families: int, scratch: Ints, mask: Mask, facts: Longs
) -> int:
    """`fill` for the tokens in families: those that levels do not decide are walked."""
    for family in range(n_families):
        outcome = judge(memory, lexicon, family, state, scratch, mask, facts)
        if outcome == UNKNOWN:
            return UNKNOWN
        if outcome == MIXED:
            if walk(memory, lexicon, np.int64(SLICED), family, state, scratch, mask, facts) == UNKNOWN:
                return UNKNOWN
        elif family == 0:
            break
    return OK


@njit(inline="always")
def from_loop(memory: Memory, lexicon: Memory, state: int, scratch: Ints, mask: Mask, facts: Longs) -> int:
    """`fill` for a loop: everyday tokens, and of the others those whose tails may come."""
    facts[0], facts[1], facts[4] = everyday(lexicon, mask), ints(memory, STATE_FARTHEST)[state], MOST_LISTED + 1
    tails = ints(lexicon, SECTION).shape[0] - 2
    return int(walk(memory, lexicon, np.int64(SLICED), tails, state, scratch, mask, facts))


@njit(inline="always")
def judge(memory: Memory, lexicon: Memory, family: int, state: int, scratch: Ints, mask: Mask, facts: Longs) -> int:
    """Set the bits that a family's levels decide; `MIXED` if others have to be walked, `UNKNOWN` if full, else `OK`."""
    here, after, todo = scratch[:LEVEL], scratch[LEVEL : 2 * LEVEL], scratch[2 * LEVEL : 4 * LEVEL]
    class_start, farthest = ints(lexicon, CLASS_START), ints(memory, STATE_FARTHEST)
    here[0], count, reached, outcome = state, np.int64(1), 0, OK
    while reached < MAX_CHARACTERS:
        part = 2 * family + min(reached, 1)
        found = following(memory, lexicon, class_start[part], class_start[part + 1], here, count, after, todo)
        if found == UNKNOWN:
            return UNKNOWN
        if found <= GONE:
            outcome = MIXED if found == MIXED else OK
            break
        reached += 1
        settled = reached > 1 and found == count
        for i in range(found):
            facts[0], facts[1] = 1, max(facts[1], np.int64(farthest[after[i]]))
            settled = settled and after[i] == here[i]
        if settled:
            reached = MAX_CHARACTERS
        here, after, count = after, here, found
    if reached > 0:
        facts[4] = MOST_LISTED + 1
        row = word_rows(lexicon, UP_TO)[family * (MAX_CHARACTERS + 1) + reached]
        for word in range(mask.shape[0]):
            mask[word] |= row[word]
    return outcome


@njit(inline="always")
def following(
    memory: Memory, lexicon: Memory, first: int, end: int, here: Ints, count: int, after: Ints, todo: Ints
) -> int:
    """List in `after` the states behind `here[:count]` and any one character of a class; returns how many.

    `GONE`, `MIXED` or `UNKNOWN` (the DFA must grow) as they stand. The class is given by
    its edges from `first` to `end`; `todo` holds pairs of a state inside of it and one of the DFA,
    each once, whatever states they come from.
    """
    transitions, live, class_of = int_rows(memory, TRANSITIONS), octets(memory, STATE_LIVE), octets(memory, CLASS_OF)
    edges, dead, done = int_rows(lexicon, EDGES), False, 0
    found, waiting = np.int64(0), np.int64(0)
    while done < count + waiting:
        inside, source = (0, here[done]) if done < count else (todo[2 * (done - count)], todo[2 * (done - count) + 1])
        done += 1
        row = transitions[source]
        for e in range(first, end):
            if edges[e, 0] != inside:
                continue
            beyond, last = edges[e, 3], NOWHERE
            for symbol in range(np.uint64(class_of[edges[e, 1]]), np.uint64(class_of[edges[e, 2]]) + np.uint64(1)):
                target = row[symbol]
                if target == last:
                    continue
                if target < 0:
                    target = np.int32(follow(memory, np.int64(source), np.int64(symbol)))
                    if target == UNKNOWN:
                        return UNKNOWN
                last = target
                if target == DEAD:
                    dead = True
                elif beyond != WHOLE_CHARACTER:
                    waiting = noted_pair(todo, waiting, beyond, target)
                elif live[target]:
                    found = noted(after, found, target)
                else:
                    return MIXED
                if waiting < 0 or found < 0 or (dead and (found > 0 or waiting > 0)):
                    return MIXED
    return int(found)


@njit(inline="always")
def noted(places: Ints, count: int, state: int) -> int:
    """Add a state unless it is there; the new count, or -1 without room."""
    for i in range(count):
        if places[i] == state:
            return count
    if count == places.shape[0]:
        return -1
    places[count] = state
    return count + 1


@njit(cache=True)
def walk(memory: Memory, lexicon: Memory, at: int, root: int, state: int, path: Ints, mask: Mask, facts: Longs) -> int:
    """`fill` by the nodes below a root, from the trie at `at`, in the order of its levels; facts are added to.

    `path` holds, for each depth, the siblings that are left to look at, the state that they are entered from, and what
    counted run that is in (`pgen.automata.runs`): its member, and how many more of its bytes may come. Inside a
    run the state stays the same, and the number falls; `run` is where its bytes lead from there.
    """
    levels = WHOLE_LEVELS if at == WHOLE else SLICED_LEVELS
    byte, only, begin = octets(lexicon, levels), ints(lexicon, levels + 1), ints(lexicon, levels + 2)
    transitions, live, class_of = int_rows(memory, TRANSITIONS), octets(memory, STATE_LIVE), octets(memory, CLASS_OF)
    farthest, any_allowed, largest, last = ints(memory, STATE_FARTHEST), facts[0], facts[1], np.int32(-1)
    listed, n_listed, facts[4] = ints(lexicon, LISTED), np.uint64(facts[4]), MOST_LISTED + 1
    edge_start, edge_low, edge_high = ints(memory, EDGE_START), octets(memory, EDGE_LOW), octets(memory, EDGE_HIGH)
    # Unsigned indices: for signed ones numba checks for negative values, a third of the time of this loop.
    one, two, three, four, five = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4), np.uint64(5)
    most = np.uint64(MOST_LISTED)
    top, source, run, member, left = np.uint64(0), np.uint64(state), NOWHERE, np.int64(-1), np.int64(0)
    node, stop = np.uint64(begin[root]), np.uint64(begin[root + 1])
    while True:
        if node == stop:
            if top == 0:
                break
            top -= five
            node, stop, source = np.uint64(path[top]), np.uint64(path[top + one]), np.uint64(path[top + two])
            member, left = np.int64(path[top + three]), np.int64(path[top + four])
            run = transitions[source, np.uint64(edge_low[edge_start[member]])] if member >= 0 else NOWHERE
            continue
        symbol = np.uint64(class_of[np.uint64(byte[node])])
        target = transitions[source, symbol]
        if target < 0:
            target = np.int32(follow(memory, np.int64(source), np.int64(symbol)))
            if target == UNKNOWN:
                return UNKNOWN
            if run == NOWHERE and target != DEAD:
                member, left = run_from(memory, np.int64(source), np.int64(symbol), np.int64(target))
                run = target if member >= 0 else NOWHERE
        here, node = node, node + one
        inside = target == run and takes(edge_start, edge_low, edge_high, member, symbol)
        if target == DEAD or (inside and left == 0):
            continue
        token = only[here]
        if token != NONE and live[np.uint64(target)]:
            if token >= 0:
                mask[np.uint64(token) >> np.uint64(5)] |= np.uint32(1) << np.uint32(token & 31)
                if n_listed < most:
                    listed[n_listed] = token
                n_listed += one
            else:
                allow(lexicon, at, -2 - token, mask)
                n_listed += most + one
            if target != last:
                any_allowed, last = 1, target
                largest = max(largest, np.int64(farthest[np.uint64(target)]))
        first, end = np.uint64(begin[here]), np.uint64(begin[here + one])
        if first < end:
            if node < stop:
                path[top], path[top + one], path[top + two] = node, stop, source
                path[top + three], path[top + four] = member, left
                top += five
            node, stop = first, end
            if inside:
                left -= 1
            else:
                source, run, member = np.uint64(target), NOWHERE, np.int64(-1)
    facts[0], facts[1], facts[4] = any_allowed, largest, np.int64(n_listed)
    return OK


@njit(cache=True)
def step(memory: Memory, lexicon: Memory, state: int, token: int) -> int:
    """The state after a token, `DEAD` if it is not allowed or none, `UNKNOWN` if the DFA has to grow."""
    start, data = longs(lexicon, TOKEN_START), octets(lexicon, TOKEN_BYTES)
    if token < 0 or token + 1 >= start.shape[0] or start[token] == start[token + 1]:
        return DEAD
    state = run(memory, state, data[start[token] : start[token + 1]])
    return state if state <= DEAD or octets(memory, STATE_LIVE)[state] else DEAD
