"""Masks, stop and masses of insertion for a batch of sequences at once, where the model's numbers are.

The same quantities as in `automaton`, as tensors of any torch device: of B sequences of different
lengths, filled up to S gaps, the distances `before (B, S, Q)` and `behind (B, S, Q)`
of every state in every gap (sets, where nothing is counted). A token moves all rows at once,
and what may be inserted next to it is closed by one product with the table of distances between states
(min-plus, or boolean as a product of floats). After an insertion only what lies behind it on one
side and before it on the other is worked out again, gap after gap, until no row changes any more.
O(B Q^2) for each gap that changes, O(B S E) for masks over E transitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pgen.gaps.automaton import FAR

if TYPE_CHECKING:
    from pgen.tokens.classes import TokenTable

CHUNK = 1 << 26
"""The most elements of one intermediate tensor."""


class GapBatch(NamedTuple):
    """What is known of the gaps of B sequences: gaps 0 to `lengths[b]` of row b, the others are filling.

    `classes (B, S)`: the token class behind every gap (0 where there is none); `before`, `behind (B, S, Q)`.
    """

    lengths: Tensor
    classes: Tensor
    before: Tensor
    behind: Tensor


class DeviceGaps:
    """Insertion into the members of one token table, for batches; with `budgeted`, distances are counted."""

    def __init__(self, table: TokenTable, budgeted: bool, device: torch.device | str = "cpu") -> None:
        self.budgeted = budgeted
        self.class_of = torch.as_tensor(table.class_of.copy(), dtype=torch.long, device=device)
        delta = torch.as_tensor(table.delta.copy(), dtype=torch.long, device=device)
        self._accepting = torch.as_tensor(table.accepting.copy(), device=device)
        n_states = len(delta)
        # One state more, which nothing leaves, takes the place of -1.
        stays = torch.full((1, delta.shape[1]), n_states, device=device)
        self._delta = torch.cat([torch.where(delta < 0, n_states, delta), stays])  # (Q + 1, C)
        self._source, self._edge_class = torch.nonzero(delta >= 0, as_tuple=True)  # (E,)
        self._target = delta[self._source, self._edge_class]
        self._apart = self._distances(n_states)  # (Q, Q)

    def start(self, sequences: Sequence[Sequence[int]]) -> GapBatch:
        """The gaps of whole sequences of tokens."""
        n_rows, n_gaps, n_states = len(sequences), 1 + max(map(len, sequences), default=0), len(self._apart)
        device = self._apart.device
        lengths = torch.tensor([len(tokens) for tokens in sequences], device=device)
        padded = torch.tensor([[*tokens, *[0] * (n_gaps - len(tokens))] for tokens in sequences], device=device)
        within = torch.arange(n_gaps, device=device) < lengths[:, None]
        classes = torch.where(within, self.class_of[padded.reshape(n_rows, n_gaps).long()], 0)
        empty = torch.full((n_rows, n_gaps, n_states), FAR, dtype=torch.int32, device=device)
        batch = GapBatch(lengths, classes, empty, empty.clone())
        rows = torch.arange(n_rows, device=device)
        batch.before[:, 0] = self._apart[0]
        last = torch.where(self._accepting, self._apart, FAR).amin(1) if n_states else self._apart[:, 0]
        batch.behind[rows, lengths] = last
        self._follow(batch, torch.zeros_like(lengths), lengths)
        return batch

    def insert(self, batch: GapBatch, rows: Tensor, gaps: Tensor, tokens: Tensor) -> GapBatch:
        """After one token each: row i of the new batch is `rows[i]` with `tokens[i]` in gap `gaps[i]`; all `(N,)`."""
        device = self._apart.device
        lengths = batch.lengths[rows] + 1
        n_gaps = 1 + int(lengths.max()) if len(rows) else 1
        places = torch.arange(n_gaps, device=device).expand(len(rows), n_gaps)
        # Both gaps that come of one are filled with what is known of that.
        origin = (places - (places > gaps[:, None]).long()).clamp(max=batch.classes.shape[1] - 1)  # (N, S)
        classes = batch.classes[rows[:, None], origin]
        classes = torch.where(places == gaps[:, None], self.class_of[tokens][:, None], classes)
        grown = GapBatch(lengths, classes, batch.before[rows[:, None], origin], batch.behind[rows[:, None], origin])
        self._follow(grown, gaps, gaps + 1)
        return grown

    def rows(self, batch: GapBatch) -> Tensor:
        """`(B, S, C)`: the fewest further insertions after one of each token class, `FAR` where it must not go."""
        n_rows, n_gaps, _ = batch.before.shape
        n_classes = self._delta.shape[1]
        found = torch.full((n_rows, n_gaps, n_classes), FAR, dtype=torch.int32, device=batch.before.device)
        width = max(1, CHUNK // max(1, n_rows * n_gaps))
        for first in range(0, len(self._source), width):
            edges = slice(first, first + width)
            further = batch.before[:, :, self._source[edges]] + batch.behind[:, :, self._target[edges]]  # (B, S, E)
            index = self._edge_class[edges].expand(n_rows, n_gaps, -1)
            found = found.scatter_reduce(2, index, further.clamp(max=FAR), "amin")
        return torch.where(gaps_of(batch)[:, :, None], found, FAR)

    def allowed(self, batch: GapBatch, left: Tensor | None = None) -> Tensor:
        """`(B, S, V)`: what may be inserted; with `left (B,)` insertions to go, the next one included."""
        rows = self.rows(batch)
        within = rows < (FAR if left is None else left.clamp(max=FAR)[:, None, None])
        return within[:, :, self.class_of]

    def fewest(self, batch: GapBatch) -> Tensor:
        """`(B,)`: the fewest insertions that make each a member, `FAR` if none do; 0 or `FAR` without budgets."""
        return batch.behind[:, 0, 0]

    def is_member(self, batch: GapBatch) -> Tensor:
        """`(B,)`: whether each sequence as it is is a member."""
        state = torch.zeros_like(batch.lengths)
        for gap in range(batch.classes.shape[1] - 1):
            state = torch.where(gap < batch.lengths, self._delta[state, batch.classes[:, gap]], state)
        accepting = torch.cat([self._accepting, self._accepting.new_zeros(1)])
        return accepting[state]

    def _distances(self, n_states: int) -> Tensor:
        """`(Q, Q)`: the fewest tokens from each state to each, by squaring; 0 or `FAR` without budgets."""
        device = self._delta.device
        apart = torch.full((n_states, n_states), FAR, dtype=torch.int32, device=device)
        apart[self._source, self._target] = int(self.budgeted)
        apart.fill_diagonal_(0)
        reach = 1
        while reach < n_states:
            apart, reach = self._product(apart, apart), 2 * reach
        return apart

    def _product(self, rows: Tensor, apart: Tensor) -> Tensor:
        """`(N, Q)`: the least of `rows[n, s] + apart[s, q]` over s."""
        if not self.budgeted:
            ways = (rows < FAR).to(torch.float32) @ (apart < FAR).to(torch.float32)
            return torch.where(ways > 0, 0, FAR).to(torch.int32)
        width = max(1, CHUNK // max(1, apart.numel()))
        parts = [(part[:, :, None] + apart).amin(1).clamp(max=FAR) for part in torch.split(rows, width)]
        return torch.cat(parts) if parts else rows

    def _follow(self, batch: GapBatch, lows: Tensor, highs: Tensor) -> None:
        """Work out `before` behind gap `lows[b]` and `behind` before gap `highs[b]` of every row, in place."""
        steps = batch.classes.shape[1] - 1
        rows = torch.arange(len(lows), device=lows.device)
        for step in range(steps):
            rows = rows[lows[rows] + step < batch.lengths[rows]]
            gaps = lows[rows] + step
            rows = _changed(batch.before, rows, self._after(batch, rows, gaps), gaps + 1)
            if not len(rows):
                break
        rows = torch.arange(len(highs), device=highs.device)
        for step in range(steps):
            rows = rows[highs[rows] - step > 0]
            gaps = highs[rows] - step
            rows = _changed(batch.behind, rows, self._ahead(batch, rows, gaps), gaps - 1)
            if not len(rows):
                break

    def _after(self, batch: GapBatch, rows: Tensor, gaps: Tensor) -> Tensor:
        """`(N, Q)`: `before` of the gaps that follow some gaps."""
        targets = self._delta[:-1].T[batch.classes[rows, gaps]]  # (N, Q)
        moved = torch.full((len(rows), len(self._delta)), FAR, dtype=torch.int32, device=targets.device)
        moved = moved.scatter_reduce(1, targets, batch.before[rows, gaps], "amin")
        return self._product(moved[:, :-1], self._apart)

    def _ahead(self, batch: GapBatch, rows: Tensor, gaps: Tensor) -> Tensor:
        """`(N, Q)`: `behind` of the gaps before some gaps."""
        targets = self._delta[:-1].T[batch.classes[rows, gaps - 1]]  # (N, Q)
        nothing = torch.full((len(rows), 1), FAR, dtype=torch.int32, device=targets.device)
        moved = torch.cat([batch.behind[rows, gaps], nothing], 1).gather(1, targets)
        return self._product(moved, self._apart.T)


def _changed(known: Tensor, rows: Tensor, found: Tensor, gaps: Tensor) -> Tensor:
    """Take over what was found of some gaps; the rows where it is new."""
    new = (known[rows, gaps] != found).any(1)
    known[rows, gaps] = found
    return rows[new]


def picked(batch: GapBatch, rows: Tensor) -> GapBatch:
    """Some rows of a batch, in any order and more than once."""
    return GapBatch(*(each[rows] for each in batch))


def joined(batches: Sequence[GapBatch]) -> GapBatch:
    """The rows of several batches, one after another."""
    n_gaps = max(batch.classes.shape[1] for batch in batches)
    filled = []
    for batch in batches:
        more = n_gaps - batch.classes.shape[1]
        sets = (functional.pad(each, (0, 0, 0, more), value=FAR) for each in (batch.before, batch.behind))
        filled.append(GapBatch(batch.lengths, functional.pad(batch.classes, (0, more)), *sets))
    return GapBatch(*(torch.cat(parts) for parts in zip(*filled, strict=True)))


def gaps_of(batch: GapBatch) -> Tensor:
    """`(B, S)`: which gaps there are."""
    return torch.arange(batch.classes.shape[1], device=batch.lengths.device) <= batch.lengths[:, None]
