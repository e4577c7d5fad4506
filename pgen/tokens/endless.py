"""From which NFA states does everyday text, of any length, never leave the language?

Inside a JSON string, or its name among a hundred others, a walk would follow every word of
the vocabulary only to find it allowed. Here this is seen once for all, on the NFA: a state is
*endless* if it, or what its jumps and calls lead to, has for every character of the widest class of slices
(`pgen.tokens.slices`) a way to an endless state from which tokens lead to the end. That is a
greatest fixpoint: begin with every NFA state at every place inside the bytes of a
character, and take away those that miss a byte, until nothing changes. A DFA state with an
endless member allows all tokens of that class, whatever its other members do. Ways through
returns are left out, which loses states, never correctness.

States are marked when a mask first needs it, with all that everyday text leads to from there: a few dozen among
thousands. What is known of earlier ones stays: it leaves out what was not written then (`pgen.automata.growth`),
as it does returns. A few sweeps of linear cost, since chains of states are mostly numbered in order.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.arrays import nfa_in
from pgen.automata.layout import ARENA, ARENA_STACK, ENDLESS, FAR, NODE_FARTHEST, START, UNMARKED, Nfa
from pgen.automata.memory import Memory, copy, int_rows, ints, longs
from pgen.tokens.lexicon import CLASS_START, EDGES
from pgen.tokens.nearby import Flags, Ints, Nearby, nearby

Longs = NDArray[np.int64]

WHOLE_CHARACTER = 1
"""The target of the edges that end a character."""
MAX_SWEEPS = 64
"""Sweeps after which no state counts as endless: a loss of speed, where long chains are out of order."""


@njit(cache=True)
def mark_endless(memory: Memory, lexicon: Memory, state: int) -> None:
    """Fill `Nfa.endless` for a state's members and all that everyday text leads to from them, where it is not filled.

    It becomes the most single-byte tokens to the end from where everyday text leads; -1 if that may leave the language.
    """
    nfa, class_start = nfa_in(memory), ints(lexicon, CLASS_START)
    steps, start = _steps(nfa, int_rows(lexicon, EDGES)[class_start[1] : class_start[2]])
    near = nearby(nfa, start, ints(memory, ARENA)[longs(memory, START)[state] : longs(memory, START)[state + 1]])
    kept, most, alive, away = _known(nfa, near)
    needed, arriving = _by_place(steps)
    held = np.empty((near.edge_start.shape[0] - 1, needed.shape[1]), np.uint64)
    if not (_keep(near, needed, arriving, alive, kept, held) and _spread(near, kept, away, most)):
        kept[: near.n_new], most[: near.n_new] = 0, -1
    for at in range(near.n_new):
        member = near.states[at]
        nfa.inside[member], nfa.beyond[member] = kept[at], min(most[at], FAR)
        nfa.endless[member] = nfa.beyond[member] if kept[at] & np.uint64(1) != 0 else -1


@njit(inline="always")
def _known(nfa: Nfa, near: Nearby) -> tuple[Flags, Longs, Flags, Ints]:
    """What is known of states nearby: places that they keep, `beyond`, places kept if text may go on, `farthest`."""
    n_found = near.states.shape[0]
    kept, alive = np.full(n_found, ~np.uint64(0)), np.full(n_found, ~np.uint64(0))
    most, away = np.empty(n_found, np.int64), np.empty(n_found, np.int32)
    for at in range(n_found):
        state = near.states[at]
        most[at], away[at] = nfa.beyond[state], nfa.farthest[state]
        if not nfa.live[state]:
            alive[at] = ~np.uint64(1)
        if at >= near.n_new:
            kept[at] = nfa.inside[state]
    return kept, most, alive, away


@njit(cache=True)
def _keep(near: Nearby, needed: Flags, arriving: Flags, alive: Flags, kept: Flags, held: Flags) -> bool:
    """Leave in `kept (n,)` the places (as bits) at which states miss no step; whether that came to an end.

    States are looked at in descending order: later ones see at once what others lose, so that chains fall in one sweep.
    """
    own, lost, drawn = np.zeros_like(held), np.zeros_like(near.states), np.full(held.shape[0], -1, np.int32)
    clock = np.int32(0)
    for sweep in range(MAX_SWEEPS):
        before = clock
        for at in range(held.shape[0]):
            if _is_outdated(near, lost, drawn, at):
                # At first wherever they lead, alive or not, which is quickly drawn and takes most states away.
                _own(near, arriving, alive if sweep > 0 else kept, kept, own, at)
                drawn[at] = clock if sweep > 0 else -1
        _hold(near, own, held)
        for at in range(near.n_new):
            if sweep > 0 and clock > before:
                if _is_outdated(near, lost, drawn, at):
                    _own(near, arriving, alive, kept, own, at)
                    drawn[at] = clock
                for word in range(held.shape[1]):
                    held[at, word] &= own[at, word] | _onward(near, held, at, word)
            left = _complete(needed, held, at, kept[at])
            if left != kept[at]:
                clock += np.int32(1)
                kept[at], lost[at] = left, clock
        if sweep > 0 and clock == before:
            return True
    return False


@njit(inline="always")
def _is_outdated(near: Nearby, lost: Ints, drawn: Ints, at: int) -> bool:
    """Whether an edge of a state leads to where places were lost after its own steps were listed."""
    found = False
    for e in range(near.edge_start[at], near.edge_start[at + 1]):
        found |= lost[near.edges[e, 2]] > drawn[at]
    return found


@njit(inline="always")
def _own(near: Nearby, arriving: Flags, alive: Flags, kept: Flags, own: Flags, at: int) -> None:
    """Fill row `at` of `own (found, words)` with the steps that the edges of a state take to where it is kept."""
    for word in range(own.shape[1]):
        own[at, word] = 0
    for e in range(near.edge_start[at], near.edge_start[at + 1]):
        places = kept[near.edges[e, 2]] & alive[near.edges[e, 2]]
        if places == 0:
            continue
        for word in range(near.edges[e, 0] >> 6, ((near.edges[e, 1] - 1) >> 6) + 1):
            steps, left, place = _between(near, e, word), places, 0
            if places == ~np.uint64(0):
                own[at, word], left = own[at, word] | steps, np.uint64(0)
            while left:
                if left & np.uint64(1):
                    own[at, word] |= arriving[place, word] & steps
                left, place = left >> np.uint64(1), place + 1


@njit(inline="always")
def _between(near: Nearby, e: int, word: int) -> np.uint64:
    """One word of the steps that an edge takes."""
    low, high = max(near.edges[e, 0] - 64 * word, 0), min(near.edges[e, 1] - 64 * word, 64)
    return np.uint64((~np.uint64(0) << np.uint64(low)) & (~np.uint64(0) >> np.uint64(64 - high)))


@njit(cache=True)
def _hold(near: Nearby, own: Flags, held: Flags) -> None:
    """Fill `held (found, words)`: the steps that states, and what their jumps and calls lead to, take to kept ones."""
    for at in range(held.shape[0]):
        copy(own[at], held[at])
    changed = True
    while changed:
        changed = False
        for at in range(held.shape[0]):
            if near.link_start[at] < near.link_start[at + 1]:
                for word in range(held.shape[1]):
                    more = held[at, word] | _onward(near, held, at, word)
                    changed = changed or more != held[at, word]
                    held[at, word] = more


@njit(inline="always")
def _onward(near: Nearby, held: Flags, at: int, word: int) -> np.uint64:
    """One word of what is held wherever the jumps and calls of a state lead."""
    found = np.uint64(0)
    for k in range(near.link_start[at], near.link_start[at + 1]):
        found |= held[near.links[k, 0], word]
    return found


@njit(inline="always")
def _complete(needed: Flags, held: Flags, at: int, kept: np.uint64) -> np.uint64:
    """Those of the places (as bits) at which no step is missing."""
    found = np.uint64(0)
    for place in range(needed.shape[0] if kept != 0 else 0):
        if kept >> np.uint64(place) & np.uint64(1) == 0:
            continue
        missing = np.uint64(0)
        for word in range(held.shape[1]):
            missing |= needed[place, word] & ~held[at, word]
        if missing == 0:
            found |= np.uint64(1) << np.uint64(place)
    return found


@njit(cache=True)
def _spread(near: Nearby, kept: Flags, away: Ints, most: Longs) -> bool:
    """Raise `most` to the largest distance to the end among the states that everyday text leads to.

    Whether that came to an end: it may grow and grow.
    """
    for _ in range(MAX_SWEEPS):
        changed = False
        for at in range(near.n_new):
            far = max(most[at], np.int64(away[at])) if kept[at] != 0 else most[at]
            for k in range(near.link_start[at], near.link_start[at + 1]):
                inside = most[near.links[k, 0]]
                if inside >= 0:
                    far = max(far, inside + np.int64(near.links[k, 1]))
            for e in range(near.edge_start[at], near.edge_start[at + 1]):
                if kept[near.edges[e, 2]] != 0:
                    far = max(far, most[near.edges[e, 2]])
            changed = changed or far != most[at]
            most[at] = far
        if not changed:
            return True
    return False


@njit(cache=True)
def endless_bound(memory: Memory, state: int) -> int:
    """At most so many single-byte tokens lead to the end from wherever everyday text leads; -1 if it may leave.

    `UNMARKED` if that is not known of all members.
    """
    start, arena, arena_stack = longs(memory, START), ints(memory, ARENA), ints(memory, ARENA_STACK)
    endless, behind, bound = ints(memory, ENDLESS), ints(memory, NODE_FARTHEST), np.int64(-1)
    for i in range(start[state], start[state + 1]):
        if endless[arena[i]] == UNMARKED:
            return UNMARKED
        if endless[arena[i]] >= 0:
            far = min(np.int64(FAR), np.int64(endless[arena[i]]) + np.int64(behind[arena_stack[i]]))
            bound = far if bound < 0 else min(bound, far)
    return int(bound)


@njit(cache=True)
def _steps(nfa: Nfa, edges: Ints) -> tuple[Ints, Ints]:
    """`(S, 2)` steps inside characters by byte class: from which place to which; and where each class's begin.

    `edges` are those of the widest class: place inside a character, first byte, last byte, next place.
    """
    class_of, n_steps = nfa.class_of, 0
    start = np.zeros(np.int64(class_of[255]) + 2, np.int32)
    steps = np.empty((edges.shape[0] * start.shape[0], 2), np.int32)
    for symbol in range(start.shape[0] - 1):
        for e in range(edges.shape[0]):
            if class_of[edges[e, 1]] <= symbol <= class_of[edges[e, 2]]:
                steps[n_steps, 0] = edges[e, 0]
                steps[n_steps, 1] = 0 if edges[e, 3] == WHOLE_CHARACTER else edges[e, 3]
                n_steps += 1
        start[symbol + 1] = n_steps
    return steps[:n_steps], start


@njit(cache=True)
def _by_place(steps: Ints) -> tuple[Flags, Flags]:
    """`(places, words)` the steps (as bits) that begin at each place, which it needs; and those that lead to it.

    Places where none begins need one that does not exist.
    """
    n_places, n_words = np.int64(0), steps.shape[0] // 64 + 1
    for k in range(steps.shape[0]):
        n_places = max(n_places, np.int64(steps[k, 0]) + 1, np.int64(steps[k, 1]) + 1)
    needed, arriving = np.zeros((n_places, n_words), np.uint64), np.zeros((n_places, n_words), np.uint64)
    for place in range(n_places):
        needed[place, n_words - 1] = np.uint64(1) << np.uint64(63)
    for k in range(steps.shape[0]):
        needed[steps[k, 0], n_words - 1] &= ~(np.uint64(1) << np.uint64(63))
        needed[steps[k, 0], k >> 6] |= np.uint64(1) << np.uint64(k & 63)
        arriving[steps[k, 1], k >> 6] |= np.uint64(1) << np.uint64(k & 63)
    return needed, arriving
