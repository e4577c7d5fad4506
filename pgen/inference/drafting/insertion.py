"""Drafts of insertion models: the graph explored so far, then constrained insertions one by one.

A step inserts one allowed token, or stops, in proportion to the model's probabilities;
its weight is the mass of all that was allowed. All spellings and orders of insertion
count (`graph_drafts`). Equal sequences in one call are evaluated once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pgen.gaps.step import DEAD, STOP, Masses, draw, masses
from pgen.inference.drafting.drafts import Drawn
from pgen.inference.drafting.graph_drafts import GraphDraft, GraphDrafter, grouped, once
from pgen.inference.drafting.state_graph import Outcomes
from pgen.programs.insertion import InsertionDistribution
from pgen.programs.insertion_process import InsertionProcess, InsertionState
from pgen.sampling.rng import Rng

if TYPE_CHECKING:
    from pgen.tokens.classes import TokenTable

InsertionDraft = GraphDraft[InsertionProcess]


class InsertionDrafter(GraphDrafter[InsertionDistribution, InsertionProcess]):
    """Compiled processes and graphs of one run, and the drafts that use them."""

    def step(self, drafts: Sequence[InsertionDraft], rngs: Sequence[Rng]) -> list[InsertionDraft | Drawn]:
        moved: dict[int, InsertionDraft | Drawn] = {}
        for indices in grouped(range(len(drafts)), lambda i: id(drafts[i].process.model)):
            requests = [(drafts[i].process, drafts[i].state) for i in indices]
            for i, allowed in zip(indices, self._masses(requests), strict=True):
                moved[i] = _moved(drafts[i], allowed, rngs[i])
        return [moved[i] for i in range(len(drafts))]

    def compiled(self, distribution: InsertionDistribution) -> InsertionProcess:
        return InsertionProcess(distribution)

    def only(
        self, distribution: InsertionDistribution, text: str, spell: Callable[[str], TokenTable]
    ) -> list[InsertionProcess]:
        splits = distribution.splits(text)
        return [InsertionProcess(distribution, [spell(content) for content in contents]) for contents in splits]

    def outcomes(self, process: InsertionProcess, states: Sequence[InsertionState]) -> list[Outcomes]:
        return [_outcomes(allowed) for allowed in self._masses([(process, state) for state in states])]

    def _masses(self, requests: Sequence[tuple[InsertionProcess, InsertionState]]) -> list[Masses]:
        """What is allowed after each state, for processes that share a model."""
        model, size = requests[0][0].model, self.context.batch_size
        sequences, places = once([process.sequence(state) for process, state in requests])
        blocks = [model.insertions(sequences[i : i + size]) for i in range(0, len(sequences), size)]
        self.context.n_evaluations += len(sequences)
        steps = [step for block in blocks for step in block]
        return [
            masses(steps[place], process.choice(state))
            for place, (process, state) in zip(places, requests, strict=True)
        ]


def _outcomes(allowed: Masses) -> Outcomes:
    rows, tokens = np.nonzero(allowed.tokens)
    moves = list(zip(allowed.slots[rows].tolist(), tokens.tolist(), strict=True))
    return Outcomes(allowed.stop, moves, allowed.tokens[rows, tokens], allowed.precise)


def _moved(draft: InsertionDraft, allowed: Masses, rng: Rng) -> InsertionDraft | Drawn:
    slot, token, log_weight = draw(allowed, rng)
    draft = draft.reweighted(draft.log_weight + log_weight)
    if slot == DEAD:
        return draft
    if slot == STOP:
        return draft.settled(draft.process.text(draft.state))
    draft = draft._replace(state=draft.process.after(draft.state, (slot, token)))
    return draft.settled(draft.process.finished(draft.state))
