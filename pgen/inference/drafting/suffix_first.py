"""Drafts of templates whose holes are written with the text behind them in view.

While a text stands in a hole, let f be what the model says after the prompt
`<prefix> before <suffix> behind <middle> what stands in the hole so far`. With m the masses
that the plain model gives to what the template allows, the next token v comes from

    q(v) = (1 - SHARE) g(v) / sum g + SHARE m(v) / sum m,
    g(v) = f(v) 1[v may stay in the hole] + f(end of middle) m(v) 1[v leaves it] / sum of such m

and is weighed by m(v) / q(v): the texts have the plain model's law given the template, and
no weight of a step is above sum m / SHARE. Outside of holes, and where the prompt
does not fit into the context, q is m, normalised. Cost: two model evaluations
for a token in a hole instead of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pgen.errors import DeadEnd
from pgen.inference.context import Context
from pgen.inference.drafting.critical_step import Candidates, candidates
from pgen.inference.drafting.left_to_right import LeftToRight, TokenDraft
from pgen.inference.drafting.prefix_tree import Weighed
from pgen.programs.process import TextProcess
from pgen.programs.suffix_first import Question, Questions, SuffixFirst, Tokens
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import DEAD, STOP, Drawn, unpack

SHARE = 0.1
"""Of the proposal, what follows the plain model: it bounds the weights."""

Row = NDArray[np.float64]


class SuffixFirstDrafter(LeftToRight):
    """Drafts of left-to-right texts, with another proposal inside of holes."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._questions: dict[TextProcess, Questions] = {}

    def _draw(self, drafts: Sequence[TokenDraft], weighed: Weighed, rngs: Sequence[Rng]) -> Drawn:
        asked = [self._about(draft.process).about(draft.state.tokens) for draft in drafts]
        answers = self._answers(drafts[0].process, [question.prompt for question in asked if question])
        drawn = []
        for draft, row, question, rng in zip(drafts, weighed.rows, asked, rngs, strict=True):
            found = candidates(draft.process, draft.state, weighed.given, row)
            hints = np.zeros(len(found.outcomes))
            if question is not None:
                hints = _hints(self._about(draft.process), question, answers[question.prompt], found)
            drawn.append(_drawn(found, hints, rng))
        return Drawn(np.array([token for token, _ in drawn]), np.array([log_weight for _, log_weight in drawn]))

    def _about(self, process: TextProcess) -> Questions:
        if process not in self._questions:
            assert isinstance(process.distribution, SuffixFirst)
            self._questions[process] = Questions(process.distribution)
        return self._questions[process]

    def _answers(self, process: TextProcess, prompts: Sequence[Tokens]) -> dict[Tokens, Row]:
        """The probabilities after each prompt, `(V,)` in float64."""
        distinct, size = list(dict.fromkeys(prompts)), self.context.batch_size
        found: list[Row] = []
        for block in (distinct[i : i + size] for i in range(0, len(distinct), size)):
            given = process.weigh(process.model.next_logits(block))
            found.extend(given.weights.astype(np.float64) / given.totals[:, None])  # (B, V)
        self.context.n_evaluations += len(distinct)
        return dict(zip(distinct, found, strict=True))


def _hints(questions: Questions, question: Question, answer: Row, found: Candidates) -> Row:
    """g of each outcome."""
    size, ends = len(answer), np.isin(found.outcomes, [STOP, *found.process.vocabulary.eos])
    inside = questions.inside(question.hole)
    try:
        state = inside.run(question.middle)
    except DeadEnd:
        # What stands in the hole can be completed by tokens across its end only.
        return np.zeros(len(found.outcomes))
    stays = np.isin(found.outcomes, unpack(inside.mask(state), size)) & ~ends
    hints = np.where(stays, answer[found.outcomes], 0.0)
    if inside.is_accepting(state):
        behind = questions.behind(question.hole)
        leaves = np.isin(found.outcomes, unpack(behind.mask(behind.start), size)) | ends
        masses = np.where(leaves, np.exp(found.log_masses), 0.0)
        if masses.any():
            hints += masses * (answer[list(questions.markers.ends)].sum() / masses.sum())
    return hints


def _drawn(found: Candidates, hints: Row, rng: Rng) -> tuple[int, float]:
    """An outcome from q and the log of its m / q; `DEAD` where nothing has any mass."""
    if not len(found.outcomes):
        return DEAD, -math.inf
    masses = np.exp(found.log_masses)
    proposal = masses / masses.sum()
    if hints.any():
        proposal = (1 - SHARE) * hints / hints.sum() + SHARE * proposal
    running = np.cumsum(proposal)
    running /= running[-1]
    index = int(np.searchsorted(running, rng.uniform(lambda: running), side="right"))
    return int(found.outcomes[index]), float(found.log_masses[index] - np.log(proposal[index]))
