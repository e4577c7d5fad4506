"""Which cached row serves which prefix: the bookkeeping behind the key-value cache, on the CPU, without tensors.

A row holds the keys and values of one token path. A batch of B prefixes is served by
B neighbouring rows (a window, so that the tensors can be used in place, without
gathering). A prefix that extends a whole row stays in it and costs nothing; any other
takes a copy of the row with the longest common prefix. The window is the one where
most prefixes already are, and among those the one whose other rows were used longest
ago. Matching is one vectorised comparison per prefix: O(rows · length).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Tokens = tuple[int, ...]


class Plan(NamedTuple):
    """Row `first + i` serves prefix `order[i]`, of which it then holds `cached[i]` tokens.

    `copies` are (from row, to row) pairs; `copied` is the most tokens that any of them needs.
    """

    first: int
    order: list[int]
    cached: list[int]
    copies: list[tuple[int, int]]
    copied: int


class RowTable:
    """The token paths of `n_rows` rows of up to `capacity` tokens."""

    def __init__(self, n_rows: int, capacity: int) -> None:
        self.held = np.full((n_rows, capacity), -1, np.int32)
        self.length = np.zeros(n_rows, np.int32)
        self._used = np.zeros(n_rows, np.int64)
        self._clock = 0

    @property
    def n_rows(self) -> int:
        return len(self.length)

    @property
    def capacity(self) -> int:
        return self.held.shape[1]

    def resized(self, n_rows: int, capacity: int) -> tuple[RowTable, NDArray[np.int64]]:
        """A table of another size, and the rows it keeps (the most recently used ones), in their new order."""
        kept = np.sort(np.argsort(-self._used, kind="stable")[:n_rows])
        table = RowTable(n_rows, capacity)
        width = min(capacity, self.capacity)
        table.held[: len(kept), :width] = self.held[kept, :width]
        table.length[: len(kept)] = np.minimum(self.length[kept], width)
        table._used[: len(kept)] = self._used[kept]
        table._clock = self._clock
        return table, kept

    def shared(self, prefix: Tokens, most: int) -> NDArray[np.int32]:
        """`(n_rows,)` how many tokens each row has in common with `prefix`, at most `most`."""
        most = min(most, self.capacity)
        equal = self.held[:, :most] == np.array(prefix[:most], np.int32)
        first_difference = np.where(equal.all(axis=1), most, equal.argmin(axis=1)) if most else np.zeros(self.n_rows)
        return np.minimum(first_difference, self.length).astype(np.int32)

    def longest(self, prefix: Tokens, most: int) -> int:
        """Tokens of `prefix` that are cached in some row, at most `most`."""
        return int(self.shared(prefix, most).max(initial=0))

    def plan(self, prefixes: Sequence[Tokens], most: Sequence[int]) -> Plan:
        """Serve distinct `prefixes` by a window of rows; at most `most[i]` tokens of each come from the cache."""
        sources, shared, resident = self._match(prefixes, most)
        first = self._window(resident, len(prefixes))
        slots = {i: row - first for row, i in resident.items() if first <= row < first + len(prefixes)}
        free = iter(sorted(set(range(len(prefixes))) - set(slots.values())))
        for i in range(len(prefixes)):
            if i not in slots:
                slots[i] = next(free)
        order = sorted(slots, key=slots.__getitem__)
        copies = [(sources[i], first + slots[i]) for i in order if shared[i] and sources[i] != first + slots[i]]
        copied = max((shared[i] for i in order if shared[i] and sources[i] != first + slots[i]), default=0)
        return Plan(first, order, [shared[i] for i in order], copies, copied)

    def _match(self, prefixes: Sequence[Tokens], most: Sequence[int]) -> tuple[list[int], list[int], dict[int, int]]:
        """The best row of each prefix, how much it shares, and which prefix stays in which row."""
        sources, shared, resident = [], [], dict[int, int]()
        for i, prefix in enumerate(prefixes):
            common = self.shared(prefix, most[i])
            longest = int(common.max())
            candidates = np.flatnonzero(common == longest)
            # A row stays with a prefix only if nothing else in it is lost.
            whole = [int(r) for r in candidates if longest and self._is_whole(int(r), prefix, longest)]
            row = next((r for r in whole if r not in resident), int(candidates[0]))
            if row in whole and row not in resident:
                resident[row] = i
            sources.append(row)
            shared.append(longest)
        return sources, shared, resident

    def _is_whole(self, row: int, prefix: Tokens, shared: int) -> bool:
        length = int(self.length[row])
        return length <= len(prefix) and tuple(self.held[row, shared:length]) == prefix[shared:length]

    def _window(self, resident: dict[int, int], size: int) -> int:
        staying = np.zeros(self.n_rows + 1, np.int64)
        staying[1:][list(resident)] = 1
        staying = np.cumsum(staying)
        lost = np.cumsum(np.concatenate([[0], [0 if r in resident else self._used[r] for r in range(self.n_rows)]]))
        starts = range(self.n_rows - size + 1)
        return max(starts, key=lambda a: (staying[a + size] - staying[a], -(lost[a + size] - lost[a])))

    def hold(self, row: int, tokens: Tokens) -> None:
        """Record that a row now holds exactly `tokens`."""
        self.held[row, : len(tokens)] = tokens
        self.length[row] = len(tokens)
        self._clock += 1
        self._used[row] = self._clock
