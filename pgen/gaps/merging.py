"""States of a token table that no continuation tells apart become one (Moore 1956), in an order that ways follow.

Distances, masks and acceptance agree between such states, and every kernel over the states
of a table gets cheaper with each that is saved. A round splits the blocks so far by what
their states lead to, told by a sum of random numbers, one for each class and block: O(Q C) a round, and
as many rounds as texts are needed to tell states apart (the longest of them, at most). Two different
sums are equal with probability 2^-64. The order is the reverse postorder of a depth-first search: most transitions
lead to a larger number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pgen.tokens.classes import TokenTable

DEAD = -1


def merged(table: TokenTable) -> TokenTable:
    """The smallest table of the same language; state 0 is still the start."""
    blocks = _first_of_kind(np.asarray(table.accepting, np.uint64))
    random = np.random.default_rng(0)
    while True:
        signs = random.integers(1, 2**64, (table.n_classes, blocks.max() + 2), np.uint64)
        signs[:, -1] = 0  # where there is no way
        told = blocks.astype(np.uint64) * (random.integers(1, 2**64, 1, np.uint64) | np.uint64(1))
        for token_class in range(table.n_classes):
            targets = table.delta[:, token_class]
            told = told + signs[token_class, np.where(targets == DEAD, DEAD, blocks[targets])]
        finer = _first_of_kind(told)
        if finer.max() == blocks.max():
            return _in_order(_quotient(table, blocks))
        blocks = finer


def _first_of_kind(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Equal values numbered alike, in order of first appearance."""
    _, first, numbers = np.unique(values, return_index=True, return_inverse=True)
    ranks = np.empty(len(first), np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    return ranks[numbers]


def _quotient(table: TokenTable, blocks: NDArray[np.int64]) -> TokenTable:
    _, members = np.unique(blocks, return_index=True)
    targets = table.delta[members]
    delta = np.where(targets == DEAD, DEAD, blocks[targets]).astype(np.int32)
    return replace(table, delta=delta, accepting=table.accepting[members], nearest=table.nearest[members])


def _in_order(table: TokenTable) -> TokenTable:
    order = _reverse_postorder(table.delta)
    number = np.empty(len(order) + 1, np.int32)
    number[order], number[DEAD] = np.arange(len(order)), DEAD
    return replace(
        table, delta=number[table.delta[order]], accepting=table.accepting[order], nearest=table.nearest[order]
    )


def _reverse_postorder(delta: NDArray[np.int32]) -> list[int]:
    """All states; what the start does not reach comes last."""
    seen, left = [False] * len(delta), list[int]()
    for root in range(len(delta)):
        if seen[root]:
            continue
        seen[root], finished = True, list[int]()
        path = [(root, _successors(delta, root))]
        while path:
            target = next((target for target in path[-1][1] if not seen[target]), None)
            if target is None:
                finished.append(path.pop()[0])
            else:
                seen[target] = True
                path.append((target, _successors(delta, target)))
        left += reversed(finished)
    return left


def _successors(delta: NDArray[np.int32], state: int) -> Iterator[int]:
    """Each once, of the token classes in order."""
    return iter(dict.fromkeys(target for target in delta[state].tolist() if target >= 0))
