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
from pgen.automata.memory import Memory, ints, longs
from pgen.automata.sorting import arrange

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Flags = NDArray[np.uint64]

WHOLE_CHARACTER = 1
"""The target of the edges that end a character."""
MAX_SWEEPS = 64
"""Sweeps after which no state counts as endless: a loss of speed, where long chains are out of order."""


@njit(cache=True)
def mark_endless(memory: Memory, edges: Ints, members: Ints) -> None:
    """Fill `Nfa.endless` for some states and all that everyday text leads to from them, where it is not filled.

    It becomes the most single-byte tokens to the end from where everyday text leads; -1 if that may leave the language.
    `edges` are those of the class: place inside a character, first byte, last byte, next place.
    """
    nfa: Nfa = nfa_in(memory)
    steps, start = _steps(nfa, edges)
    needed, arriving, kept = _needed(steps), _arriving(steps), nfa.inside
    row, found, n_new = _nearby(nfa, start, members)
    states = _descending(found, n_new)
    for state in states:
        kept[state], nfa.endless[state] = ~np.uint64(0), -1
    held, left = np.empty((found.shape[0], needed.shape[1]), np.uint64), states
    for _ in range(MAX_SWEEPS):
        _hold(nfa, arriving, start, kept, np.concatenate((left, found[n_new:])), row, held)
        if not _reduce(nfa, arriving, start, needed, kept, left, row, held):
            _spread(nfa, start, kept, states)
            return
        # What holds no step never will again: most states are of names and signs.
        left = _holding(left, row, held)
    kept[states] = 0


@njit(cache=True)
def _descending(found: Longs, count: int) -> Longs:
    """The first so many states, in descending order."""
    states, rising, spare = np.empty(count, np.int64), np.empty(count, np.int32), np.empty(count, np.int32)
    for k in range(count):
        rising[k] = found[k]
    arrange(rising, spare, count)
    for k in range(count):
        states[k] = rising[count - 1 - k]
    return states


@njit(cache=True)
def _nearby(nfa: Nfa, start: Ints, members: Ints) -> tuple[Ints, Longs, int]:
    """`(row (n,), found, n_new)`: states without a mark that everyday text, jumps and calls lead to from `members`.

    Behind these stand, from `n_new` on, the marked ones that jumps and calls of found ones lead to. `row` numbers
    what is found, -1 elsewhere.
    """
    row, found = np.full(nfa.live.shape[0], -1, np.int32), np.empty(nfa.live.shape[0], np.int64)
    n_found, none, new, marked = np.int64(0), np.int64(0), np.bool_(True), np.bool_(False)
    for state in members:
        if nfa.endless[state] == UNMARKED:
            row[state], found[n_found], n_found = n_found, state, n_found + 1
    n_new = _followed(nfa, start, row, found, none, n_found, new)
    n_found = n_new
    for k in range(n_new):
        n_found = _linked(nfa, found[k], row, found, n_found, marked)
    n_found = _followed(nfa, start, row, found, n_new, n_found, marked)
    return row, found[:n_found], n_new


@njit(cache=True)
def _followed(nfa: Nfa, start: Ints, row: Ints, found: Longs, done: int, n_found: int, new: bool) -> int:
    """Add what states from `done` on lead to: new ones by edges, jumps and calls, marked ones by the last two."""
    while done < n_found:
        here, done = found[done], done + 1
        for e in range(nfa.edge_start[here], nfa.edge_start[here + 1] if new else nfa.edge_start[here]):
            onward = nfa.edge_target[e]
            if _everyday(nfa, start, e) and row[onward] < 0 and nfa.endless[onward] == UNMARKED:
                row[onward], found[n_found], n_found = n_found, onward, n_found + 1
        n_found = _linked(nfa, here, row, found, n_found, new)
    return n_found


@njit(cache=True)
def _linked(nfa: Nfa, here: int, row: Ints, found: Longs, n_found: int, new: bool) -> int:
    """Add what the jumps and calls of a state lead to, of new or marked ones; the new number of states found."""
    for j in range(nfa.jump_start[here], nfa.jump_start[here + 1]):
        onward = nfa.jump_target[j]
        if row[onward] < 0 and (nfa.endless[onward] == UNMARKED) == new:
            row[onward], found[n_found], n_found = n_found, onward, n_found + 1
    for c in range(nfa.call_start[here], nfa.call_start[here + 1]):
        onward = nfa.begin[nfa.call_rule[c]]
        if onward >= 0 and row[onward] < 0 and (nfa.endless[onward] == UNMARKED) == new:
            row[onward], found[n_found], n_found = n_found, onward, n_found + 1
    return n_found


@njit(inline="always")
def _everyday(nfa: Nfa, start: Ints, e: int) -> bool:
    """Whether an edge takes a byte of an everyday character."""
    return bool(start[nfa.edge_low[e]] < start[np.int64(nfa.edge_high[e]) + 1])


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
    """`(S, 2)` steps inside characters by byte class: from which place to which; and where each class's begin."""
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
def _needed(steps: Ints) -> Flags:
    """`(places, words)` the steps (as bits) at each place; those without any need one that does not exist."""
    n_words = steps.shape[0] // 64 + 1
    needed = np.zeros((steps[:, 0].max() + 1, n_words), np.uint64)
    for k in range(steps.shape[0]):
        needed[steps[k, 0], k >> 6] |= np.uint64(1) << np.uint64(k & 63)
    for place in range(needed.shape[0]):
        if not needed[place].any():
            needed[place, n_words - 1] = np.uint64(1) << np.uint64(63)
    return needed


@njit(cache=True)
def _arriving(steps: Ints) -> Flags:
    """`(places, words)` the steps (as bits) that lead to each place."""
    arriving = np.zeros((max(steps[:, 0].max(), steps[:, 1].max()) + 1, steps.shape[0] // 64 + 1), np.uint64)
    for k in range(steps.shape[0]):
        arriving[steps[k, 1], k >> 6] |= np.uint64(1) << np.uint64(k & 63)
    return arriving


@njit(cache=True)
def _holding(states: Longs, row: Ints, held: Flags) -> Longs:
    """Those of the states that hold a step."""
    found, count = np.empty_like(states), 0
    for state in states:
        if held[row[state]].any():
            found[count], count = state, count + 1
    return found[:count]


@njit(cache=True)
def _reduce(
    nfa: Nfa, arriving: Flags, start: Ints, needed: Flags, kept: Flags, states: Longs, row: Ints, held: Flags
) -> bool:
    """Take away the places (bits of `kept (n,)`) at which a state misses a step; whether there were any.

    Of `states`, in descending order: later ones see at once what others lose, so that chains fall in one sweep.
    """
    own, changed = np.empty((1, needed.shape[1]), np.uint64), False
    for state in states:
        if kept[state] == 0:
            continue
        at = row[state]
        left = kept[state] & _complete(needed, held, at)
        if left != 0 and changed:
            _own(nfa, arriving, start, kept, state, own, 0)
            for word in range(held.shape[1]):
                held[at, word] &= own[0, word] | _onward(nfa, row, held, state, word)
            left &= _complete(needed, held, at)
        changed = changed or left != kept[state]
        kept[state] = left
    return changed


@njit(inline="always")
def _complete(needed: Flags, held: Flags, state: int) -> np.uint64:
    """The places (as bits) at which no step is missing."""
    found = np.uint64(0)
    for place in range(needed.shape[0]):
        missing = np.uint64(0)
        for word in range(held.shape[1]):
            missing |= needed[place, word] & ~held[state, word]
        if missing == 0:
            found |= np.uint64(1) << np.uint64(place)
    return found


@njit(cache=True)
def _hold(nfa: Nfa, arriving: Flags, start: Ints, kept: Flags, states: Longs, row: Ints, held: Flags) -> None:
    """Fill `held (found, words)`: the steps that states, and what their jumps and calls lead to, take to kept ones."""
    held[:] = 0
    for state in states:
        _own(nfa, arriving, start, kept, state, held, row[state])
    linked = np.array([state for state in states if _is_linked(nfa, state)], np.int64)
    changed = True
    while changed:
        changed = False
        for state in linked:
            for word in range(held.shape[1]):
                more = held[row[state], word] | _onward(nfa, row, held, state, word)
                changed = changed or more != held[row[state], word]
                held[row[state], word] = more


@njit(inline="always")
def _is_linked(nfa: Nfa, state: int) -> bool:
    """Whether jumps or calls lead on from a state."""
    jump_start, call_start = nfa.jump_start, nfa.call_start
    return bool(jump_start[state] < jump_start[state + 1] or call_start[state] < call_start[state + 1])


@njit(inline="always")
def _own(nfa: Nfa, arriving: Flags, start: Ints, kept: Flags, state: int, held: Flags, at: int) -> None:
    """Fill row `at` of `held` with the steps that the edges of a state take to where it is kept."""
    for word in range(held.shape[1]):
        held[at, word] = 0
    for e in range(nfa.edge_start[state], nfa.edge_start[state + 1]):
        places = kept[nfa.edge_target[e]]
        if not nfa.live[nfa.edge_target[e]]:
            places &= ~np.uint64(1)
        first, stop = start[nfa.edge_low[e]], start[np.int64(nfa.edge_high[e]) + 1]
        if places == 0 or first == stop:
            continue
        for word in range(first >> 6, ((stop - 1) >> 6) + 1):
            low, high = max(first - 64 * word, 0), min(stop - 64 * word, 64)
            between = (~np.uint64(0) << np.uint64(low)) & (~np.uint64(0) >> np.uint64(64 - high))
            for place in range(arriving.shape[0]):
                if places >> np.uint64(place) & np.uint64(1):
                    held[at, word] |= arriving[place, word] & between


@njit(inline="always")
def _onward(nfa: Nfa, row: Ints, held: Flags, state: int, word: int) -> np.uint64:
    """One word of what is held wherever the jumps and calls of a state lead."""
    found = np.uint64(0)
    for j in range(nfa.jump_start[state], nfa.jump_start[state + 1]):
        if row[nfa.jump_target[j]] >= 0:
            found |= held[row[nfa.jump_target[j]], word]
    for c in range(nfa.call_start[state], nfa.call_start[state + 1]):
        begin = nfa.begin[nfa.call_rule[c]]
        if begin >= 0 and row[begin] >= 0:
            found |= held[row[begin], word]
    return found


@njit(cache=True)
def _spread(nfa: Nfa, start: Ints, kept: Flags, states: Longs) -> None:
    """Enter the largest distance to the end among the states that everyday text leads to, unless it grows and grows."""
    most = nfa.beyond.astype(np.int64)
    for _ in range(MAX_SWEEPS):
        changed = False
        for state in states:
            far = max(most[state], _farthest_onward(nfa, state, most))
            if kept[state] != 0:
                far = max(far, np.int64(nfa.farthest[state]))
            for e in range(nfa.edge_start[state], nfa.edge_start[state + 1]):
                if kept[nfa.edge_target[e]] != 0 and _everyday(nfa, start, e):
                    far = max(far, most[nfa.edge_target[e]])
            changed = changed or far != most[state]
            most[state] = far
        if not changed:
            for state in states:
                nfa.beyond[state] = min(most[state], FAR)
                nfa.endless[state] = nfa.beyond[state] if kept[state] & np.uint64(1) != 0 else -1
            return
    kept[states] = 0


@njit(inline="always")
def _farthest_onward(nfa: Nfa, state: int, most: Longs) -> int:
    """The largest distance behind jumps, and behind calls with what comes after their return; -1 for none."""
    far = np.int64(-1)
    for j in range(nfa.jump_start[state], nfa.jump_start[state + 1]):
        far = max(far, most[nfa.jump_target[j]])
    for c in range(nfa.call_start[state], nfa.call_start[state + 1]):
        begin = nfa.begin[nfa.call_rule[c]]
        inside = most[begin] if begin >= 0 else np.int64(-1)
        if inside >= 0:
            far = max(far, inside + np.int64(nfa.farthest[nfa.call_target[c]]))
    return int(far)
