"""Drafts of insertion models: the graph explored so far, then constrained insertions one by one.

A step inserts one allowed token, or stops, in proportion to the model's probabilities;
its weight is the mass of all that was allowed. All spellings and orders of insertion
count (`graph_drafts`). Equal sequences in one call are evaluated once. Where the model's numbers
are on another device than the CPU, masks, weights and sums are worked out there (`insertion_device`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pgen.gaps.automaton import GapAutomaton
from pgen.gaps.step import DEAD, STOP, Masses, draw, masses
from pgen.gaps.step import Drawn as Chosen
from pgen.inference.drafting.drafts import Drawn
from pgen.inference.drafting.graph_drafts import GraphDraft, GraphDrafter, grouped, once
from pgen.inference.drafting.state_graph import Outcomes
from pgen.programs.insertion import InsertionDistribution
from pgen.programs.insertion_process import InsertionProcess, InsertionState
from pgen.sampling.rng import Rng

if TYPE_CHECKING:
    from pgen.inference.context import Context
    from pgen.inference.drafting.insertion_device import DeviceSteps
    from pgen.tokens.classes import TokenTable

InsertionDraft = GraphDraft[InsertionProcess]


class InsertionDrafter(GraphDrafter[InsertionDistribution, InsertionProcess]):
    """Compiled processes and graphs of one run, and the drafts that use them."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._device: DeviceSteps | None = None

    def step(self, drafts: Sequence[InsertionDraft], rngs: Sequence[Rng]) -> list[InsertionDraft | Drawn]:
        moved: dict[int, InsertionDraft | Drawn] = {}
        for indices in grouped(range(len(drafts)), lambda i: self._kind(drafts[i])):
            chosen = [drafts[i] for i in indices]
            steps = (self._on_device if self._kind(chosen[0])[1] else self._drawn)(chosen, [rngs[i] for i in indices])
            for i, one in zip(indices, steps, strict=True):
                moved[i] = _moved(drafts[i], one)
        return [moved[i] for i in range(len(drafts))]

    def _kind(self, draft: InsertionDraft) -> tuple[int, bool]:
        """The model of a draft, and whether its steps are to be worked out on the model's device."""
        on_device = getattr(draft.process.model, "masks_on_device", False)
        return id(draft.process.model), on_device and all(isinstance(g, GapAutomaton) for g in draft.process.gaps)

    def _drawn(self, drafts: Sequence[InsertionDraft], rngs: Sequence[Rng]) -> list[Chosen]:
        allowed = self._masses([(draft.process, draft.state) for draft in drafts])
        return [draw(each, rng) for each, rng in zip(allowed, rngs, strict=True)]

    def _on_device(self, drafts: Sequence[InsertionDraft], rngs: Sequence[Rng]) -> list[Chosen]:
        from pgen.inference.drafting.insertion_device import DeviceSteps

        self._device = self._device or DeviceSteps(self.context)
        return self._device.drawn([(draft.process, draft.state) for draft in drafts], rngs)

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
    return Outcomes(allowed.stop, moves, allowed.share * allowed.tokens[rows, tokens], allowed.precise)


def _moved(draft: InsertionDraft, chosen: Chosen) -> InsertionDraft | Drawn:
    slot, token, log_weight = chosen
    draft = draft.reweighted(draft.log_weight + log_weight)
    if slot == DEAD:
        return draft
    if slot == STOP:
        return draft.settled(draft.process.text(draft.state))
    draft = draft._replace(state=draft.process.after(draft.state, (slot, token)))
    return draft.settled(draft.process.finished(draft.state))
