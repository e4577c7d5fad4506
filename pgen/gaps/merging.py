"""States of a token table that no continuation tells apart become one (Moore 1956).

Distances, masks and acceptance agree between such states, and every kernel over the states
of a table gets cheaper with each that is saved. A round splits the blocks so far by what
their states lead to, told by a sum of random numbers, one for each class and block: O(Q C) a round, and
as many rounds as texts are needed to tell states apart (the longest of them, at most). Two different
sums are equal with probability 2^-64.
"""

from __future__ import annotations

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
            return _quotient(table, blocks)
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
