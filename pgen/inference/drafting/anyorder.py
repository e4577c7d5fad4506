"""Drafts of any-order models: the graph explored so far, then rounds of speculation.

A step draws the next position alone where the order depends on what the model says; else
it drafts several and verifies them by one density pass (`speculation`), which changes no
law. Its weight is the mass of what was allowed along the way. Equal canvases in one call
are evaluated once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pgen.inference.drafting.drafts import Drawn
from pgen.inference.drafting.graph_drafts import GraphDraft, GraphDrafter, grouped, once
from pgen.inference.drafting.speculation import Drafted, Kept, draft_ahead, kept_first, restricted, verified
from pgen.inference.drafting.state_graph import Outcomes
from pgen.programs.anyorder import AnyOrderDistribution, LogRows, next_positions
from pgen.programs.anyorder_process import AnyOrderProcess, CanvasState
from pgen.sampling.rng import Rng

if TYPE_CHECKING:
    from pgen.tokens.classes import TokenTable

AnyOrderDraft = GraphDraft[AnyOrderProcess]


class AnyOrderDrafter(GraphDrafter[AnyOrderDistribution, AnyOrderProcess]):
    """Compiled processes and graphs of one run, and the drafts that use them."""

    def step(self, drafts: Sequence[AnyOrderDraft], rngs: Sequence[Rng]) -> list[AnyOrderDraft | Drawn]:
        """One round of each draft."""
        rows = self._conditionals([(draft.process, draft.state) for draft in drafts])
        ahead = [draft_ahead(d.process, d.state, row, rng) for d, row, rng in zip(drafts, rows, rngs, strict=True)]
        kept = self._verified([draft.process for draft in drafts], ahead, rngs)
        return [_moved(draft, outcome) for draft, outcome in zip(drafts, kept, strict=True)]

    def compiled(self, distribution: AnyOrderDistribution) -> AnyOrderProcess:
        return AnyOrderProcess(distribution)

    def only(
        self, distribution: AnyOrderDistribution, text: str, spell: Callable[[str], TokenTable]
    ) -> list[AnyOrderProcess]:
        if distribution.language is not None and not distribution.language.matches(text):
            return []
        return [AnyOrderProcess(distribution, spell(text))]

    def outcomes(self, process: AnyOrderProcess, states: Sequence[CanvasState]) -> list[Outcomes]:
        rows = self._conditionals([(process, state) for state in states])
        return [_outcomes(process, state, row) for state, row in zip(states, rows, strict=True)]

    def _conditionals(self, requests: Sequence[tuple[AnyOrderProcess, CanvasState]]) -> list[LogRows]:
        """`(L, V)` log-probabilities at the positions of each canvas, its prompt left out."""
        rows: dict[int, LogRows] = {}
        whole = [process.whole(state) for process, state in requests]
        for indices in grouped(range(len(whole)), lambda i: (id(requests[i][0].model), len(whole[i]))):
            model, size = requests[indices[0]][0].model, self.context.batch_size
            canvases, places = once([whole[i] for i in indices])
            self.context.n_evaluations += len(canvases)
            found = [
                row for at in range(0, len(canvases), size) for row in model.conditionals(canvases[at : at + size])
            ]
            for i, place in zip(indices, places, strict=True):
                rows[i] = found[place][-requests[i][0].distribution.length :]
        return [rows[i] for i in range(len(requests))]

    def _verified(
        self, processes: Sequence[AnyOrderProcess], ahead: Sequence[Drafted], rngs: Sequence[Rng]
    ) -> list[Kept]:
        """The outcome of each round; drafts of one position need no density pass."""
        kept = {i: kept_first(processes[i], one) for i, one in enumerate(ahead) if len(one.positions) < 2}
        longer = [i for i in range(len(ahead)) if i not in kept]
        for indices in grouped(longer, lambda i: (id(processes[i].model), len(ahead[i].positions))):
            for at in range(0, len(indices), self.context.batch_size):
                block = indices[at : at + self.context.batch_size]
                for i, rows in zip(block, self._densities(processes, ahead, block), strict=True):
                    kept[i] = verified(processes[i], ahead[i], rows, rngs[i])
        return [kept[i] for i in range(len(ahead))]

    def _densities(
        self, processes: Sequence[AnyOrderProcess], ahead: Sequence[Drafted], block: Sequence[int]
    ) -> LogRows:
        """`(B, n, V)` rows along the drafted positions, for drafts of equal length."""
        self.context.n_evaluations += len(block)
        shift = [len(processes[i].distribution.prompt) for i in block]
        return processes[block[0]].model.ordered(
            [processes[i].whole(ahead[i].state) for i in block],
            [[position + n for position in ahead[i].positions] for i, n in zip(block, shift, strict=True)],
            [ahead[i].tokens for i in block],
        )


def _outcomes(process: AnyOrderProcess, state: CanvasState, rows: LogRows) -> Outcomes:
    moves, found = [], []
    for position, share in next_positions(process.distribution.order, state.canvas, rows):
        law, mass = restricted(rows[position], process.allowed(state, position))
        tokens = np.flatnonzero(law)
        moves += [(position, token) for token in tokens.tolist()]
        found.append(law[tokens] * (mass * share))
    return Outcomes(0.0, moves, np.concatenate(found), rows.dtype == np.float64)


def _moved(draft: AnyOrderDraft, kept: Kept) -> AnyOrderDraft | Drawn:
    draft = draft.reweighted(draft.log_weight + kept.log_mass)._replace(state=kept.state)
    return draft if kept.log_mass == -math.inf else draft.settled(draft.process.finished(draft.state))
