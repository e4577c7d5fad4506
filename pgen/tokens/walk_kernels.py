"""Numba kernels that walk the vocabulary trie and a lazy DFA together.

One walk visits every trie node that the automaton can follow, each once (266,000 nodes
for a vocabulary of 131,000 when nearly everything is allowed: about a millisecond), and
skips whole subtrees where it dies. Kernels return `FULL` when the DFA has to grow.
Arrays are taken out of their tuples before the loops, and known transitions are read in
place: a call with tuples of arrays counts references, which costs more than the step.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.kernels import DEAD, FULL, OK, UNKNOWN, Nfa, Table, follow
from pgen.tokens.trie import NONE, Trie

Ints = NDArray[np.int32]
Bytes = NDArray[np.uint8]


@njit(cache=True)
def allow(trie: Trie, node: int, allowed: Bytes) -> None:
    """Flag all tokens that end at a node."""
    for k in range(trie.first[node], trie.first[node + 1]):
        allowed[trie.tokens[k]] = 1


@njit(cache=True)
def walk(nfa: Nfa, table: Table, trie: Trie, state: int, path: Ints, allowed: Bytes, facts: Ints) -> int:
    """Flag in `allowed` every token from `state` that leads to a live state.

    `facts` receives (whether any token is allowed, the largest `farthest` of the
    states that allowed tokens lead to). `path` is scratch, one place a depth.
    """
    byte, depths, end, only = trie.byte, trie.depth, trie.end, trie.only
    transitions, live, farthest, class_of = table.transitions, table.live, table.farthest, nfa.class_of
    any_allowed, largest, last = 0, np.int32(0), np.int32(-1)
    path[0] = state
    # Unsigned indices: for signed ones numba checks for negative values, a third of the time of this loop.
    one = np.uint64(1)
    node, count = one, np.uint64(byte.shape[0])
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
                allowed[np.uint64(token)] = 1
            else:
                allow(trie, np.int64(node), allowed)
            if target != last:
                any_allowed, last = 1, target
                largest = max(largest, farthest[np.uint64(target)])
        node += one
    facts[0], facts[1] = any_allowed, largest
    return OK


@njit(cache=True)
def walk_budget(
    nfa: Nfa,
    table: Table,
    trie: Trie,
    state: int,
    path: Ints,
    left: int,
    longest: int,
    allowed: Bytes,
    doubtful: Ints,
) -> int:
    """Like `walk`, with `left` tokens to spend after the one drawn.

    A target is certain if single bytes get it to acceptance in time, hopeless if
    tokens of the `longest` length do not; the other trie nodes and targets are
    listed in `doubtful` as pairs, its first number counts them. `FULL` as ever.
    """
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
                allow(trie, node, allowed)
            elif (table.nearest[target] + longest - 1) // longest <= left:
                doubtful[1 + 2 * doubtful[0]] = node
                doubtful[2 + 2 * doubtful[0]] = target
                doubtful[0] += 1
        node += 1
    return OK


@njit(cache=True)
def targets(nfa: Nfa, table: Table, trie: Trie, state: int, path: Ints, reached: Ints) -> int:
    """List in `reached[1:]` the state after each token (repeats in a row left out); `reached[0]` counts them."""
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
