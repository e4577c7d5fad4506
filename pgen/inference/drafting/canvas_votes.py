"""Voting over time: what every step would have written, late steps counting more. Label: heuristic.

Wang et al., "Time is a feature" (temporal self-consistency, 2025): a denoiser passes through right
answers and leaves them again, so the answers of all steps vote. Here every step's answer is
its best string inside the language, so none is invalid; that the votes are shares of steps and no
probabilities, weights cannot mend.
"""

from __future__ import annotations

import math
from collections import defaultdict

from pgen.chains import max_product
from pgen.chains.emissions import Emissions
from pgen.errors import InvalidArgument, UnsupportedFeature, ZeroEvidence
from pgen.inference.context import Context
from pgen.inference.drafting.canvas import CanvasDraft, CanvasDrafter
from pgen.programs.canvas import CanvasDistribution
from pgen.sampling.rng import CounterRng


def time_vote(text: CanvasDistribution, seed: int, *, growth: float = 3.0) -> dict[str, float]:
    """text -> its share of the votes, the largest first; step t of n has exp(growth t / n) of them.

    The run itself draws each step exactly and without weights, one evaluation a step. Heuristic: the
    shares are not the posterior. Raises `ZeroEvidence` if the run comes to a dead end before any
    step has an answer, `InvalidArgument` for a `growth` that is not finite, `UnsupportedFeature` for a language
    without a table over the canvas.
    """
    if not math.isfinite(growth):
        raise InvalidArgument(f"growth={growth}: must be finite")
    answers = _answers(text, seed)
    if not answers:
        raise ZeroEvidence(f"no step of {text.model.name} had an answer inside the language")
    votes: defaultdict[str, float] = defaultdict(float)
    for step, answer in enumerate(answers):
        votes[answer] += math.exp(growth * (step / len(answers) - 1.0))
    total = math.fsum(votes.values())
    return {answer: votes[answer] / total for answer in sorted(votes, key=lambda a: (-votes[a], a))}


def _answers(text: CanvasDistribution, seed: int) -> list[str]:
    """The best text of each step of one run."""
    drafter, rng, answers = CanvasDrafter(Context()), CounterRng(seed), list[str]()
    (draft,) = drafter.begin([text], [rng], 0)
    tick = 0
    while isinstance(draft, CanvasDraft) and draft.log_weight > -math.inf:
        (step,) = drafter.look([(draft.process, draft.canvas)])
        if not isinstance(step.emitted, Emissions):
            raise UnsupportedFeature(
                f"time_vote: {draft.process.language!r} has no table over {len(draft.canvas)} positions to find best "
                "strings in",
                hint="bound its nesting and its counts, or use a shorter canvas",
            )
        for best in max_product.best(step.emitted, draft.canvas):
            answer = draft.process.finished(best.canvas)
            if answer is not None and draft.process.log_judged(answer) > -math.inf:
                answers.append(str(answer))
        (draft,) = drafter.step([draft], [rng.at(tick)])
        tick += 1
    return answers
