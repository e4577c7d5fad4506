"""Remasking as a Markov kernel: open some positions of a finished canvas, draw them anew, accept or return.

Correctors of masked diffusion (ReMDM, Wang et al. 2025; Informed correctors, Zhao et al.
2024) remask and redraw without looking back, which keeps no known law. Here a canvas x has
the mass g(x) = Π_t p_t(x_{S_t} | C_t) along the one way in which its order commits it.
Positions R, drawn uniformly, are opened and filled at once from the exact posterior of the
model's marginals r at x without R, inside the language, and the new canvas y is accepted with probability

    min(1, g(y) f(y) r(x_R) D(x) / (g(x) f(x) r(y_R) D(y))),

f being all that the rest of the program says: the normaliser of the draw is the same both
ways. D is 1 for a language with a table; a chart draws a canvas once for each of its D derivations.
So the posterior is invariant. Cost: one evaluation to draw, and one a step to weigh the new canvas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from pgen.errors import InvalidArgument, UnsupportedFeature
from pgen.inference.drafting import canvas_looks
from pgen.inference.drafting.canvas import CanvasDrafter
from pgen.inference.drafting.canvas_process import CanvasProcess
from pgen.inference.drafting.choice_laws import Law
from pgen.inference.generative import log_redraw_ratio, redraw
from pgen.inference.moves.trace_moves import Metropolis, Proposal, pick
from pgen.inference.runs import Choice, Keep, Plan, Refuse, Run, Runner
from pgen.programs.canvas import CanvasText
from pgen.programs.orders import LOW_CONFIDENCE, RANDOM, Canvas, open_positions
from pgen.programs.trails import following
from pgen.sampling.rng import Rng

MAX_WALKS = 4096
"""Canvases of one run whose masses are remembered."""


@dataclass(frozen=True)
class Remask(Metropolis):
    """Open `count` random positions of the canvas text at `address` (default: of one at random) and draw them anew.

    For texts of masked diffusion models whose order is no `random` or `low_confidence` (there a canvas
    comes about in many ways), in chains without listed texts (`lookahead=0`).
    """

    count: int = 4
    address: str | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InvalidArgument(f"count={self.count}: a move opens at least one position")

    def applies(self, run: Run) -> bool:
        """Whether a run has a text of a masked diffusion model."""
        return bool(self._eligible(run))

    def propose(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Proposal]:
        """Each run with some positions of a canvas masked and drawn anew, and the log acceptance ratio."""
        return [self._proposal(runner, run, rng) for run, rng in zip(runs, rngs, strict=True)]

    def _eligible(self, run: Run) -> list[str]:
        texts = [a for a, c in run.choices.items() if isinstance(c.value, CanvasText) and c.law.level == "opaque"]
        return [a for a in texts if self.address in (None, a)]

    def _proposal(self, runner: Runner, run: Run, rng: Rng) -> Proposal:
        eligible = self._eligible(run)
        if not eligible:
            raise InvalidArgument(
                f"Remask: the run has no canvas {self.address!r}" if self.address else "Remask: the run has no canvas",
                hint="it moves texts of masked diffusion models; use pgen.MCMC(..., lookahead=0), or Regenerate",
            )
        address = pick(rng, eligible)
        walk = _walk(run.choices[address])
        before = walk.completed(run.choices[address].value.canvas, rng)
        after, log_draws = walk.redrawn(before, self.count, rng)
        old, new = walk.weighed(before), walk.weighed(after)
        if new is None or old is None:
            return Proposal(run, -math.inf)
        choice = run.choices[address]._replace(value=new.text, log_weight=new.log_weight, is_drawn=False)
        (moved,) = runner.run([_with_choice(run, address, choice)], [rng])
        if moved.dead or self._eligible(moved) != eligible:
            return Proposal(moved, -math.inf)
        rest = log_redraw_ratio(_without(run, address), _without(moved, address))
        return Proposal(moved, rest + new.log_mass - old.log_mass + log_draws)


class _Weighed(NamedTuple):
    """A full canvas as a text, its log mass, and log of mass over the chance to draw it step by step."""

    text: CanvasText
    log_mass: float
    log_weight: float


class _Walk(NamedTuple):
    """The process of one choice, and what evaluates it."""

    drafter: CanvasDrafter
    process: CanvasProcess

    def completed(self, canvas: Canvas, rng: Rng) -> Canvas:
        """The canvas with what lies open behind its end drawn, too, as the process would."""
        while None in canvas:
            (step,) = self.drafter.look([(self.process, canvas)])
            committed = step.commit(rng)
            assert committed is not None
            canvas = following(self.process.model, canvas, committed.canvas)
        return tuple(canvas)

    def redrawn(self, canvas: Canvas, count: int, rng: Rng) -> tuple[Canvas, float]:
        """Another canvas, and log r(old) - log r(new) of what was drawn anew."""
        opened = list(canvas)
        for position in _subset(open_positions(self.process.distribution.canvas).tolist(), count, rng):
            opened[position] = None
        (step,) = self.drafter.look([(self.process, tuple(opened))])
        if step.seen.log_mass == -math.inf:
            return canvas, -math.inf
        positions = open_positions(tuple(opened)).tolist()
        log_ratio = 0.0
        for position, token in zip(positions, canvas_looks.drawn(step.seen, positions, rng), strict=True):
            row = step.emitted.row(position)
            log_ratio += float(row[canvas[position]]) - float(row[token])
            opened[position] = token
        made = tuple(opened)
        return made, log_ratio + step.seen.given(canvas).log_mass - step.seen.given(made).log_mass

    def weighed(self, canvas: Canvas) -> _Weighed | None:
        """`_weighed`, which is remembered: a chain that stays asks again."""
        known = self.drafter.walks
        key = self.process, canvas
        if key not in known:
            known[key] = self._weighed(canvas)
            while len(known) > MAX_WALKS:
                del known[next(iter(known))]
        found: _Weighed | None = known[key]
        return found

    def _weighed(self, canvas: Canvas) -> _Weighed | None:
        """Walk through the steps in which the order commits `canvas`; `None` if it has no mass."""
        process, here, log_mass, log_weight = self.process, self.process.distribution.canvas, 0.0, 0.0
        while None in here:
            (step,) = self.drafter.look([(process, here)])
            filled = list(here)
            for position in step.chosen:
                filled[position] = canvas[position]
                log_mass += float(step.emitted.row(position)[canvas[position]])
            messages = step.looking_ahead(step.chosen)
            log_weight += messages.log_mass - messages.given(tuple(filled)).log_mass
            log_weight += step.log_shares(step.chosen, tuple(filled))
            here = following(process.model, here, tuple(filled))
            if not step.chosen or log_mass == -math.inf:
                return None
        text = process.finished(here)
        log_judged = -math.inf if text is None else process.log_judged(text)
        if text is None or log_judged == -math.inf:
            return None
        log_norm = self.drafter.log_normalizer(process.distribution)
        log_rest = log_judged - log_norm
        return _Weighed(CanvasText.of(text, here), log_mass + log_rest, log_weight + log_rest)


def _walk(choice: Choice) -> _Walk:
    drafter, distribution = choice.law.drafter, getattr(choice.law, "distribution", None)
    assert isinstance(drafter, CanvasDrafter)
    assert distribution is not None
    process = drafter.process(distribution)
    if distribution.order in (RANDOM, LOW_CONFIDENCE) or process.model.block_length is not None:
        raise UnsupportedFeature(
            f"Remask: a canvas of order={distribution.order!r} has no single way to come about"
            if process.model.block_length is None
            else f"Remask: {process.model.name} predicts one block at a time",
            hint="use an order that looks at the marginals or at nothing, or pgen.Regenerate",
        )
    return _Walk(drafter, process)


def _subset(items: list[int], count: int, rng: Rng) -> list[int]:
    """`count` of the items (all if they are fewer), all subsets alike."""
    chosen, left = [], min(count, len(items))
    for seen, item in enumerate(items):
        share = left / (len(items) - seen)
        if left and (share == 1.0 or rng.uniform(lambda share=share: np.array([share, 1.0])) < share):  # type: ignore[misc]
            chosen.append(item)
            left -= 1
    return chosen


def _with_choice(run: Run, address: str, choice: Choice) -> Plan:
    """The run with another choice at `address`, everything else kept as far as possible."""
    kept = redraw(run, ())

    def plan(at: str, law: Law) -> Keep | Refuse | None:
        return Keep(choice.value, choice) if at == address else kept(at, law)

    return plan


def _without(run: Run, address: str) -> Run:
    return replace(run, choices={a: choice for a, choice in run.choices.items() if a != address})
