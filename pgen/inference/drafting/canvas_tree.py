"""The process of a canvas distribution as a tree of canvases, explored with certified bounds.

A canvas's mass is that of the process reaching it; expanding it costs one model evaluation
and hands its mass on to the canvases one step later, those that no member of the language
agrees with left out. Paths that meet in one canvas are joined. With Z the mass of finished
texts and F that of the canvases not expanded, Z <= evidence <= Z + F. For exact sums
canvases are taken by the number of committed positions, so that each is expanded
once; otherwise the heaviest first.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from pgen.errors import LimitExceeded
from pgen.inference.drafting.canvas_process import CanvasProcess
from pgen.inference.drafting.canvas_steps import Step
from pgen.inference.drafting.prefix_tree import NotCertified
from pgen.programs.orders import Canvas
from pgen.programs.strings import Text
from pgen.programs.trails import following
from pgen.sampling.logspace import log_sum_exp

AT_ONCE = 8
"""Canvases per model call."""
ROUNDING = 1e-11
MAX_PENDING = 1_000_000

Look = Callable[[Sequence[tuple[CanvasProcess, Canvas]]], list[Step]]


class CanvasTree:
    """The explored part of one process; `look` evaluates the model."""

    def __init__(self, process: CanvasProcess, look: Look) -> None:
        self.process = process
        self.texts: dict[Text, float] = {}
        self.n_evaluations = 0
        self._look = look
        self._pending: dict[Canvas, float] = {}
        self._heap: list[tuple[float, int, Canvas]] = []
        self._outcomes: dict[Canvas, list[tuple[Canvas, float]]] = {}
        self._ties = itertools.count()
        self._by_level = True
        self._arrive(process.distribution.canvas, 0.0)

    @property
    def log_found(self) -> float:
        """log mass of the finished texts."""
        return log_sum_exp(self.texts.values())

    @property
    def log_frontier(self) -> float:
        """log of the most that the canvases which are not expanded can weigh."""
        pending = log_sum_exp(self._pending.values())
        return pending + self.process.critics.log_bound if pending > -math.inf else pending

    @property
    def explored(self) -> float:
        """Share of the mass that is known."""
        found, frontier = self.log_found, self.log_frontier
        if frontier == -math.inf:
            return 1.0
        return math.exp(found - np.logaddexp(found, frontier)) if found > -math.inf and frontier < math.inf else 0.0

    def certify(self, what: str, tolerance: float | None, max_evaluations: int) -> None:
        """Expand until at most `tolerance` of the mass is unknown (`None`: nothing but rounding).

        Raises `NotCertified` if `max_evaluations` do not suffice.
        """
        self._sort(by_level=tolerance is None)
        limit = ROUNDING if tolerance is None else tolerance
        try:
            while self._pending and (tolerance is None or 1.0 - self.explored > limit):
                if self.n_evaluations >= max_evaluations:
                    break
                self._expand(min(AT_ONCE, max_evaluations - self.n_evaluations))
        except LimitExceeded as error:
            raise NotCertified(
                f"{what}: {error.message}", self.explored, hint=error.hint or "use a sampling method"
            ) from error
        if 1.0 - self.explored > limit:
            raise NotCertified(
                f"{what}: after {self.n_evaluations} evaluations {self.explored:.2%} of the mass is explored, "
                f"{1 - limit:.6%} was asked for",
                self.explored,
                hint="use a shorter canvas, more positions a step or a smaller language, or a sampling method "
                "(pgen.Importance, pgen.SMC)",
            )

    def _sort(self, by_level: bool) -> None:
        self._by_level = by_level
        self._heap = [(self._priority(canvas), next(self._ties), canvas) for canvas in self._pending]
        heapq.heapify(self._heap)

    def _priority(self, canvas: Canvas) -> float:
        return float(-canvas.count(None)) if self._by_level else -self._pending[canvas]

    def _expand(self, size: int) -> None:
        batch: dict[Canvas, float] = {}
        new: list[Canvas] = []
        while self._heap and len(new) < size:
            _, _, canvas = heapq.heappop(self._heap)
            if canvas not in self._pending:
                continue
            if self._by_level and batch and canvas.count(None) < min(c.count(None) for c in batch):
                heapq.heappush(self._heap, (self._priority(canvas), next(self._ties), canvas))
                break
            batch[canvas] = self._pending.pop(canvas)
            if canvas not in self._outcomes:
                new.append(canvas)
        self.n_evaluations += len(new)
        for canvas, step in zip(new, self._look([(self.process, canvas) for canvas in new]), strict=True):
            self._outcomes[canvas] = list(step.outcomes())
        for canvas, log_mass in batch.items():
            for after, log_share in self._outcomes[canvas]:
                self._arrive(following(self.process.model, canvas, after), log_mass + log_share)

    def _arrive(self, canvas: Canvas, log_mass: float) -> None:
        text = self.process.finished(canvas)
        if text is None:
            if len(self._pending) > MAX_PENDING:
                raise LimitExceeded(f"more than {MAX_PENDING:,} canvases wait to be expanded")
            self._pending[canvas] = float(np.logaddexp(self._pending.get(canvas, -math.inf), log_mass))
            heapq.heappush(self._heap, (self._priority(canvas), next(self._ties), canvas))
        elif (log_judged := self.process.log_judged(text)) > -math.inf:
            self.texts[text] = float(np.logaddexp(self.texts.get(text, -math.inf), log_mass + log_judged))
