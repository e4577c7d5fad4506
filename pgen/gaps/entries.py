"""The transitions of a token table, laid out by entries for the kernels of gaps.

An entry is a pair (token class, state that it leads to): what has just been read, and where
it led. Entries of one class lie side by side. There are P of them, and one more, the last,
stands for the start, where nothing has been read.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pgen.tokens.classes import TokenTable

Ints = NDArray[np.int32]


class Entries(NamedTuple):
    """Compressed rows: those of row r are `first[r]` to `first[r + 1] - 1`.

    `delta (C, Q)`: the next state, -1 where there is none. `class_first (C + 1,)`: the entries of each class.
    `target (P + 1,)`: the state of each, and `group (P + 1,)`: which of G groups of states it is taken from (many
    entries share one; the last is empty). `member_first (G + 1,)`, `member`: the states of a group;
    `within_first (Q + 1,)`, `within`: the groups with a state. `next_first (Q + 1,)`, `next`: the successors of
    every state, each once.
    """

    delta: Ints
    class_first: Ints
    target: Ints
    group: Ints
    member_first: Ints
    member: Ints
    within_first: Ints
    within: Ints
    next_first: Ints
    next: Ints

    @classmethod
    def of(cls, table: TokenTable) -> Entries:
        """The entries of a table."""
        delta = np.asarray(table.delta, np.int32)
        n_states, n_classes = delta.shape
        classes, sources = np.nonzero(delta.T >= 0)
        made = np.stack([classes, delta[sources, classes]], 1)
        entries, number = np.unique(made, axis=0, return_inverse=True)  # ordered by class
        class_first = np.searchsorted(entries[:, 0], np.arange(n_classes + 1)).astype(np.int32)
        first, source = _compressed(number.ravel(), sources, len(entries))
        group, sets = _numbered([tuple(source[a:b].tolist()) for a, b in pairwise(first)])
        groups, members = np.repeat(np.arange(len(sets)), [len(each) for each in sets]), np.concatenate([*sets, ()])
        steps = np.unique(np.stack([sources, made[:, 1]], 1), axis=0)
        return cls(
            np.ascontiguousarray(delta.T),
            class_first,
            np.append(entries[:, 1], 0).astype(np.int32),
            np.append(group, len(sets) - 1).astype(np.int32),
            *_compressed(groups, members, len(sets)),
            *_compressed(members.astype(np.int64), groups, n_states),
            *_compressed(steps[:, 0], steps[:, 1], n_states),
        )


def _numbered(sets: list[tuple[int, ...]]) -> tuple[list[int], list[tuple[int, ...]]]:
    """The number of each set, and all different ones by their first states, with the empty one behind them."""
    different = sorted(set(sets))
    numbers = {each: number for number, each in enumerate(different)}
    return [numbers[each] for each in sets], [*different, ()]


def _compressed(rows: NDArray[np.int64], values: NDArray[np.int64], n_rows: int) -> tuple[Ints, Ints]:
    order = np.argsort(rows, kind="stable")
    first = np.searchsorted(rows[order], np.arange(n_rows + 1))
    return first.astype(np.int32), np.ascontiguousarray(values[order], np.int32)
