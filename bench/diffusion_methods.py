"""Ways to write a canvas under a language, for comparison: each step of every canvas by one rule.

All follow the same process (`CanvasProcess`: order, schedule, blocks) and differ in how the
tokens at the chosen positions come about:

    free            from the model's marginals: draws outside the language are rejected afterwards
    masked          position by position, from the marginals over the tokens after which the language
                    can still be reached: what constrained decoders for diffusion models do
    DINGO           from the best string of the step (Suresh et al. 2025)
    per-step exact  from the exact posterior of the step (Dang and Ermon 2026), no weights
    SMC             the same with the global weight, resampled
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

import pgen
from pgen.chains import max_product
from pgen.inference.context import Context
from pgen.inference.drafting import canvas_looks
from pgen.inference.drafting.canvas import CanvasDrafter
from pgen.inference.drafting.canvas_process import CanvasProcess
from pgen.inference.drafting.canvas_steps import Step
from pgen.inference.infer import run
from pgen.programs.canvas import CanvasDistribution
from pgen.programs.orders import Canvas
from pgen.programs.strings import Text
from pgen.sampling.rng import CounterRng, Rng

MAX_DOUBLINGS = 5

Rule = Callable[[Step, tuple[int, ...], Rng], Sequence[int] | None]


class Draws(NamedTuple):
    """Texts (`None`: a dead end) with weights that sum to 1, and the evaluations that they took."""

    texts: list[Text | None]
    weights: list[float]
    n_evaluations: int


def free(step: Step, positions: tuple[int, ...], rng: Rng) -> Sequence[int]:
    return [_pick(np.asarray(step.emitted.row(i), np.float64), rng) for i in positions]


def masked(step: Step, positions: tuple[int, ...], rng: Rng) -> Sequence[int] | None:
    canvas, drawn = list(step.canvas), []
    for position in positions:
        given = step.seen.given(canvas)
        if given.log_mass == -math.inf:
            return None
        possible = canvas_looks.possible(given, position)
        row = np.where(possible, np.asarray(step.emitted.row(position), np.float64), -np.inf)
        canvas[position] = _pick(row, rng)
        drawn.append(canvas[position])
    return [token for token in drawn if token is not None]


def dingo(step: Step, positions: tuple[int, ...], rng: Rng) -> Sequence[int] | None:
    found = max_product.best(step.emitted, step.canvas)
    if not found:
        return None
    best = [found[0].canvas[i] for i in positions]
    # Behind the end of the text anything goes: the likeliest token.
    return [int(np.argmax(step.emitted.row(i))) if t is None else t for i, t in zip(positions, best, strict=True)]


def per_step(step: Step, positions: tuple[int, ...], rng: Rng) -> Sequence[int] | None:
    if step.seen.log_mass == -math.inf:
        return None
    return canvas_looks.drawn(step.seen, list(positions), rng)


def written(distribution: CanvasDistribution, rule: Rule, count: int, seed: int) -> Draws:
    """`count` canvases filled by a rule; `free` ignores the language (and is told nothing of it)."""
    bare = CanvasProcess(_free(distribution)) if rule is free else CanvasProcess(distribution)
    context = Context()
    drafter = CanvasDrafter(context)
    canvases: list[Canvas | None] = [distribution.canvas] * count
    tick = 0
    while open_ := [i for i, c in enumerate(canvases) if c is not None and bare.finished(c) is None]:
        steps = drafter.look([(bare, canvases[i]) for i in open_])  # type: ignore[misc]
        for i, step in zip(open_, steps, strict=True):
            rng = CounterRng(seed, (tick, i))
            positions = step.positions(rng.at(0))
            tokens = rule(step, positions, rng)
            canvases[i] = None if tokens is None else _filled(step.canvas, positions, tokens)
        tick += 1
    texts = [None if canvas is None else bare.finished(canvas) for canvas in canvases]
    return Draws(texts, [1 / count] * count, context.n_evaluations)


def weighted(distribution: CanvasDistribution, count: int, seed: int, holds: Callable[[str], bool] | None) -> Draws:
    """The particles of SMC with their weights; twice as many as long as none of them satisfies `holds`."""

    def program() -> Text:
        text: Text = pgen.sample("text", distribution)
        if holds is not None:
            pgen.condition("holds", holds(text))
        return text

    context = Context()
    for doubling in range(MAX_DOUBLINGS):
        try:
            method = pgen.SMC(count * 2**doubling, resample="tokens")
            posterior = run(program, (), {}, method, context, CounterRng(seed))
            break
        except pgen.ZeroEvidence:
            # Canvases that were seen are not asked about again.
            continue
    else:
        return Draws([None] * count, [1 / count] * count, context.n_evaluations)
    masses = np.exp(posterior.log_weights - posterior.log_weights.max())
    return Draws(list(posterior.values), (masses / masses.sum()).tolist(), context.n_evaluations)


RULES: dict[str, Rule] = {
    "unconstrained": free,
    "masked by position": masked,
    "DINGO": dingo,
    "per-step exact": per_step,
}


def _free(distribution: CanvasDistribution) -> CanvasDistribution:
    return replace(distribution, language=None)


def _filled(canvas: Canvas, positions: Sequence[int], tokens: Sequence[int]) -> Canvas:
    made = list(canvas)
    for position, token in zip(positions, tokens, strict=True):
        made[position] = int(token)
    return tuple(made)


def _pick(row: Any, rng: Rng) -> int:
    running = np.cumsum(np.exp(row - row.max()))
    return int(np.searchsorted(running / running[-1], rng.uniform(lambda: running / running[-1]), side="right"))


def log_process(distribution: CanvasDistribution, texts: Sequence[Text]) -> list[float]:
    """log probability of the canvas that each text fills, under the model's own process; without ends."""
    process, drafter = CanvasProcess(_free(distribution)), CanvasDrafter(Context())
    canvases, totals = [distribution.canvas] * len(texts), [0.0] * len(texts)
    while open_ := [i for i, canvas in enumerate(canvases) if None in canvas]:
        for i, step in zip(open_, drafter.look([(process, canvases[i]) for i in open_]), strict=True):
            tokens = [texts[i].tokens[at] for at in step.chosen]
            totals[i] += sum(float(step.emitted.row(at)[token]) for at, token in zip(step.chosen, tokens, strict=True))
            canvases[i] = _filled(step.canvas, step.chosen, tokens)
    return totals
