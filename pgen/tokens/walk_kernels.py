"""Numba kernels that walk vocabulary tries and a lazy DFA together.

A walk visits every trie node that the automaton can follow, each once, and skips whole
subtrees where it dies; `fill` first judges slices of the vocabulary (`pgen.tokens.slices`)
where words are likely. Kernels return `FULL` when the DFA has to grow. Arrays are taken
out of their tuples before the loops, and known transitions are read in place: a call
with tuples of arrays counts references, which costs more than the step.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.kernels import DEAD, FULL, OK, UNKNOWN, Nfa, Table, follow, opened
from pgen.automata.memory import Memory, int_rows, ints, octets, word_rows
from pgen.tokens.slices import MAX_CHARACTERS, Slices
from pgen.tokens.trie import NONE, Trie

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Mask = NDArray[np.uint32]

GONE, MIXED = 0, -2
"""Levels of a slice without live states, and those with live and other ones."""
LEVEL = 256
"""Automaton states that one level of a slice may hold; with more its tokens are walked."""
FREQUENT = np.frombuffer(b"eta", np.uint8)


@njit(inline="always")
def tries_at(memory: Memory, at: int) -> Trie:
    """The trie whose arrays begin with array `at`."""
    return Trie(
        octets(memory, at),
        ints(memory, at + 1),
        ints(memory, at + 2),
        ints(memory, at + 3),
        ints(memory, at + 4),
        ints(memory, at + 5),
    )


@njit(inline="always")
def slices_at(memory: Memory, at: int) -> Slices:
    """The slices whose arrays begin with array `at`."""
    return Slices(
        tries_at(memory, at),
        ints(memory, at + 6),
        int_rows(memory, at + 7),
        ints(memory, at + 8),
        word_rows(memory, at + 9),
    )


@njit(inline="always")
def allow(trie: Trie, node: int, mask: Mask) -> None:
    """Set the bits of all tokens that end at a node."""
    for k in range(trie.first[node], trie.first[node + 1]):
        token = trie.tokens[k]
        mask[token >> 5] |= np.uint32(1) << np.uint32(token & 31)


@njit(cache=True)
def fill(memory: Memory, lexicon: Memory, state: int, scratch: Ints, mask: Mask, facts: Ints) -> int:
    """Set in `mask` the bit of every token from `state` that leads to a live state.

    `lexicon` holds the vocabulary's `(trie, slices)`, `scratch` `SCRATCH` ints. `facts`
    receives (whether any token is allowed, the largest `farthest` of the states that
    allowed tokens lead to, or a bound on it).
    """
    (nfa, table), trie = opened(memory), tries_at(lexicon, 0)
    facts[0], facts[1] = 0, 0
    for letter in FREQUENT:
        target = follow(nfa, table, state, nfa.class_of[letter])
        if target == UNKNOWN:
            return FULL
        if target == DEAD:
            return walk(nfa, table, trie, 1, trie.byte.shape[0], state, scratch, mask, facts)
    slices = slices_at(lexicon, 6)
    n_families = slices.section.shape[0] - 2
    for family in range(n_families):
        outcome = judge(nfa, table, slices, family, state, scratch, mask, facts)
        if outcome == UNKNOWN:
            return FULL
        if outcome == MIXED:
            first, end = slices.section[family] + 1, slices.section[family + 1]
            if walk(nfa, table, slices.tries, first, end, state, scratch, mask, facts) == FULL:
                return FULL
        elif family == 0:
            break
    first, end = slices.section[n_families] + 1, slices.tries.byte.shape[0]
    return walk(nfa, table, slices.tries, first, end, state, scratch, mask, facts)


@njit(cache=True)
def judge(
    nfa: Nfa, table: Table, slices: Slices, family: int, state: int, scratch: Ints, mask: Mask, facts: Ints
) -> int:
    """Set the bits that a family's levels decide; `MIXED` if others have to be walked, `UNKNOWN` if full, else `OK`."""
    here, after, todo = scratch[:LEVEL], scratch[LEVEL : 2 * LEVEL], scratch[2 * LEVEL : 4 * LEVEL]
    here[0], count, reached, outcome = state, 1, 0, OK
    while reached < MAX_CHARACTERS:
        part = 2 * family + min(reached, 1)
        first, end = slices.class_start[part], slices.class_start[part + 1]
        found = following(nfa, table, slices.edges, first, end, here, count, after, todo)
        if found == UNKNOWN:
            return UNKNOWN
        if found <= GONE:
            outcome = MIXED if found == MIXED else OK
            break
        reached += 1
        settled = reached > 1 and found == count
        for i in range(found):
            facts[0], facts[1] = 1, max(facts[1], table.farthest[after[i]])
            settled = settled and after[i] == here[i]
        if settled:
            reached = MAX_CHARACTERS
        here, after, count = after, here, found
    if reached > 0:
        row = slices.up_to[family * (MAX_CHARACTERS + 1) + reached]
        for word in range(mask.shape[0]):
            mask[word] |= row[word]
    return outcome


@njit(cache=True)
def following(
    nfa: Nfa, table: Table, edges: Ints, first: int, end: int, here: Ints, count: int, after: Ints, todo: Ints
) -> int:
    """List in `after` the states behind `here[:count]` and any one character of a class; returns how many.

    `GONE`, `MIXED` or `UNKNOWN` (the DFA must grow) as they stand. `todo` holds pairs
    of a state of the class and a state of the DFA.
    """
    transitions, live, class_of = table.transitions, table.live, nfa.class_of
    found, dead = 0, False
    for i in range(count):
        todo[0], todo[1], done, waiting = 0, here[i], 0, 1
        while done < waiting:
            inside, source = todo[2 * done], todo[2 * done + 1]
            done += 1
            for e in range(first, end):
                if edges[e, 0] != inside:
                    continue
                for symbol in range(class_of[edges[e, 1]], class_of[edges[e, 2]] + 1):
                    target = transitions[source, symbol]
                    if target == UNKNOWN:
                        target = np.int32(follow(nfa, table, source, symbol))
                        if target == UNKNOWN:
                            return UNKNOWN
                    if target == DEAD:
                        dead = True
                    elif edges[e, 3] != 1:
                        waiting = noted(todo, waiting, edges[e, 3], target)
                    elif live[target]:
                        found = noted(after, found, -1, target)
                    else:
                        return MIXED
                    if waiting < 0 or found < 0 or (dead and (found > 0 or waiting > 1)):
                        return MIXED
    return found


@njit(cache=True)
def noted(places: Ints, count: int, inside: int, state: int) -> int:
    """Add a state (or a pair, if `inside` is not -1) unless it is there; the new count, or -1 without room."""
    if inside < 0:
        for i in range(count):
            if places[i] == state:
                return count
        if count == places.shape[0]:
            return -1
        places[count] = state
        return count + 1
    for i in range(count):
        if places[2 * i] == inside and places[2 * i + 1] == state:
            return count
    if 2 * count == places.shape[0]:
        return -1
    places[2 * count], places[2 * count + 1] = inside, state
    return count + 1


@njit(cache=True)
def walk(
    nfa: Nfa, table: Table, trie: Trie, first: int, stop: int, state: int, path: Ints, mask: Mask, facts: Ints
) -> int:
    """`fill` by the trie nodes from `first` (below a root) up to `stop`; facts are added to."""
    byte, depths, end, only = trie.byte, trie.depth, trie.end, trie.only
    transitions, live, farthest, class_of = table.transitions, table.live, table.farthest, nfa.class_of
    any_allowed, largest, last = facts[0], facts[1], np.int32(-1)
    path[0] = state
    # Unsigned indices: for signed ones numba checks for negative values, a third of the time of this loop.
    one = np.uint64(1)
    node, count = np.uint64(first), np.uint64(stop)
    while node < count:
        depth = np.uint64(depths[node])
        source, symbol = path[depth - one], class_of[np.uint64(byte[node])]
        target = transitions[np.uint64(source), np.uint64(symbol)]
        if target == UNKNOWN:
            target = np.int32(follow(nfa, table, source, symbol))
            if target == UNKNOWN:
                return FULL
        if target == DEAD:
            node = np.uint64(end[node])
            continue
        path[depth] = target
        token = only[node]
        if token != NONE and live[np.uint64(target)]:
            if token >= 0:
                mask[np.uint64(token) >> np.uint64(5)] |= np.uint32(1) << np.uint32(token & 31)
            else:
                allow(trie, np.int64(node), mask)
            if target != last:
                any_allowed, last = 1, target
                largest = max(largest, farthest[np.uint64(target)])
        node += one
    facts[0], facts[1] = any_allowed, largest
    return OK


@njit(cache=True)
def walk_budget(
    memory: Memory,
    lexicon: Memory,
    state: int,
    path: Ints,
    left: int,
    longest: int,
    mask: Mask,
    doubtful: Ints,
) -> int:
    """Like `walk`, with `left` tokens to spend after the one drawn.

    A target is certain if single bytes get it to acceptance in time, hopeless if
    tokens of the `longest` length do not; the other trie nodes and targets are
    listed in `doubtful` as pairs, its first number counts them. `FULL` as ever.
    """
    (nfa, table), trie = opened(memory), tries_at(lexicon, 0)
    path[0] = state
    doubtful[0] = 0
    byte, depths, end, first = trie.byte, trie.depth, trie.end, trie.first
    transitions, live, class_of = table.transitions, table.live, nfa.class_of
    node, count = 1, byte.shape[0]
    while node < count:
        depth = depths[node]
        target = transitions[path[depth - 1], class_of[byte[node]]]
        if target == UNKNOWN:
            target = follow(nfa, table, path[depth - 1], class_of[byte[node]])
            if target == UNKNOWN:
                return FULL
        if target == DEAD:
            node = end[node]
            continue
        path[depth] = target
        if live[target] and first[node] < first[node + 1]:
            if table.farthest[target] <= left:
                allow(trie, node, mask)
            elif (table.nearest[target] + longest - 1) // longest <= left:
                doubtful[1 + 2 * doubtful[0]] = node
                doubtful[2 + 2 * doubtful[0]] = target
                doubtful[0] += 1
        node += 1
    return OK


@njit(cache=True)
def targets(memory: Memory, lexicon: Memory, state: int, path: Ints, reached: Ints) -> int:
    """List in `reached[1:]` the state after each token (repeats in a row left out); `reached[0]` counts them."""
    (nfa, table), trie = opened(memory), tries_at(lexicon, 0)
    path[0] = state
    reached[0] = 0
    byte, depths, end, first = trie.byte, trie.depth, trie.end, trie.first
    transitions, class_of = table.transitions, nfa.class_of
    node, count = 1, byte.shape[0]
    while node < count:
        depth = depths[node]
        target = transitions[path[depth - 1], class_of[byte[node]]]
        if target == UNKNOWN:
            target = follow(nfa, table, path[depth - 1], class_of[byte[node]])
            if target == UNKNOWN:
                return FULL
        if target == DEAD:
            node = end[node]
            continue
        path[depth] = target
        if first[node] < first[node + 1] and (reached[0] == 0 or reached[reached[0]] != target):
            reached[0] += 1
            reached[reached[0]] = target
        node += 1
    return OK
