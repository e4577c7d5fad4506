"""The transitions of a token table, laid out by entries for the kernels of gaps.

An entry is a pair (token class, state that it leads to): what has just been read, and where
it led. Entries of one class lie side by side. There are P of them, and one more, the last,
stands for the start, where nothing has been read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pgen.tokens.classes import TokenTable

Ints = NDArray[np.int32]


class Entries(NamedTuple):
    """Compressed rows: those of row r are `first[r]` to `first[r + 1] - 1`.

    `delta (C, Q)`: the next state, -1 where there is none. `class_first (C + 1,)`: the entries of each class.
    `target (P + 1,)`: the state of each. `source_first (P + 1,)`, `source`: the states that an entry is taken from;
    `leaving_first (Q + 1,)`, `leaving`: the entries taken from a state. `next_first`, `next`, `last_first`, `last`:
    successors and predecessors of every state, each once.
    """

    delta: Ints
    class_first: Ints
    target: Ints
    source_first: Ints
    source: Ints
    leaving_first: Ints
    leaving: Ints
    next_first: Ints
    next: Ints
    last_first: Ints
    last: Ints

    @classmethod
    def of(cls, table: TokenTable) -> Entries:
        """The entries of a table."""
        delta = np.asarray(table.delta, np.int32)
        n_states, n_classes = delta.shape
        classes, sources = np.nonzero(delta.T >= 0)
        made = np.stack([classes, delta[sources, classes]], 1)
        entries, number = np.unique(made, axis=0, return_inverse=True)  # ordered by class
        class_first = np.searchsorted(entries[:, 0], np.arange(n_classes + 1)).astype(np.int32)
        target = np.append(entries[:, 1], 0).astype(np.int32)
        steps = np.unique(np.stack([sources, made[:, 1]], 1), axis=0)
        return cls(
            np.ascontiguousarray(delta.T),
            class_first,
            target,
            *_compressed(number.ravel(), sources, len(entries)),
            *_compressed(sources, number.ravel(), n_states),
            *_compressed(steps[:, 0], steps[:, 1], n_states),
            *_compressed(steps[:, 1], steps[:, 0], n_states),
        )


def _compressed(rows: NDArray[np.int64], values: NDArray[np.int64], n_rows: int) -> tuple[Ints, Ints]:
    order = np.argsort(rows, kind="stable")
    first = np.searchsorted(rows[order], np.arange(n_rows + 1))
    return first.astype(np.int32), np.ascontiguousarray(values[order], np.int32)
