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
from pgen.tokens.trie import Trie

Ints = NDArray[np.int32]


@njit(cache=True)
def allow(trie: Trie, node: int, mask: NDArray[np.uint32]) -> None:
    """Set the bits of all tokens that end at a node."""
    for k in range(trie.first[node], trie.first[node + 1]):
        token = trie.tokens[k]
        mask[token >> 5] |= np.uint32(1) << np.uint32(token & 31)


@njit(cache=True)
def walk(nfa: Nfa, table: Table, trie: Trie, state: int, path: Ints, mask: NDArray[np.uint32], facts: Ints) -> int:
    """Set in `mask` every token from `state` that leads to a live state.

    `facts` receives (whether any token is allowed, the largest `farthest` of the
    states that allowed tokens lead to). `path` is scratch, one place a depth.
    """
    path[0] = state
    any_allowed, largest = 0, 0
    tokens, farthest = trie.tokens, table.farthest
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
            for k in range(first[node], first[node + 1]):
                token = tokens[k]
                mask[token >> 5] |= np.uint32(1) << np.uint32(token & 31)
            any_allowed = 1
            largest = max(largest, farthest[target])
        node += 1
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
    mask: NDArray[np.uint32],
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
                allow(trie, node, mask)
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
