"""Orders that decide how many positions a step commits, so that easy texts take few model calls.

Each is a function of the committed tokens and the marginals alone: drawn tokens decide
nothing, so weights make it exact like any other order (`pgen.programs.orders`). That is where
these differ from the papers, which commit the likeliest tokens themselves, or keep those
draws that another model agrees with.

    Threshold             Fast-dLLM, Dimple: every position whose likeliest token is likely enough
    EarlyCommit           Prophet: everything at once when the gaps between the first two tokens are wide
    AdaptiveParallel      adaptive parallel decoding: from the left, as far as a left-to-right model
                          agrees with the likeliest tokens
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pgen.errors import InvalidArgument
from pgen.programs.orders import Canvas, Floats, likeliest, open_positions

if TYPE_CHECKING:
    from pgen.backends.base import Autoregressive


@dataclass(frozen=True)
class Threshold:
    """Commit every open position whose largest probability is at least `level`, and the likeliest in any case.

    Wu et al., "Fast-dLLM" (2025); Yu et al., "Dimple" (2025). The number of model calls adapts to the text.
    """

    level: float = 0.9

    def __post_init__(self) -> None:
        if not 0 < self.level <= 1:
            raise InvalidArgument(f"Threshold({self.level}): must lie in (0, 1]")

    def __call__(self, canvas: Canvas, marginals: Any) -> Sequence[int]:
        positions = open_positions(canvas)
        _, log_probs = likeliest(marginals[positions])
        chosen = positions[np.exp(log_probs) >= self.level]
        return [int(i) for i in (chosen if len(chosen) else positions[[int(np.argmax(log_probs))]])]


@dataclass(frozen=True)
class EarlyCommit:
    """One position at a time, the surest first, until all others are clear: then all of them at once.

    Clear: the mean gap between the log-probabilities of the first two tokens is at least
    `gaps[k]` nats in the k-th part of the canvas, parts being equally long. Li et al., "Diffusion
    language models know the answer before decoding" (Prophet, 2025).
    """

    gaps: tuple[float, ...] = (7.5, 5.0, 2.5)

    def __post_init__(self) -> None:
        if not self.gaps or min(self.gaps) < 0:
            raise InvalidArgument(f"EarlyCommit({self.gaps}): expected gaps of at least 0 nats, one for each part")

    def __call__(self, canvas: Canvas, marginals: Any) -> Sequence[int]:
        positions = open_positions(canvas)
        first, second = _first_two(marginals[positions])
        part = (len(canvas) - len(positions)) * len(self.gaps) // len(canvas)
        if float(np.mean(first - second)) >= self.gaps[part]:
            return [int(i) for i in positions]
        return [int(positions[int(np.argmax(first))])]


@dataclass(frozen=True, eq=False)
class AdaptiveParallel:
    """From the left, the open positions whose likeliest tokens `model` gives at least `level`, and the first of all.

    The left-to-right model reads the committed tokens and the likeliest ones of those in between,
    after `prompt`; it must share the vocabulary. Israel et al., "Accelerating diffusion
    LLMs via adaptive parallel decoding" (2025).
    """

    model: Autoregressive
    level: float = 0.5
    prompt: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.level <= 1:
            raise InvalidArgument(f"AdaptiveParallel(level={self.level}): must lie in (0, 1]")

    def __call__(self, canvas: Canvas, marginals: Any) -> Sequence[int]:
        positions = open_positions(canvas)
        best, _ = likeliest(marginals[positions])
        whole = list(canvas)
        for position, token in zip(positions.tolist(), best.tolist(), strict=True):
            whole[position] = token
        tokens = tuple(token for token in whole if token is not None)
        logits = self.model.path_logits(self.model.encode(self.prompt), tokens[:-1])  # (L, V)
        chosen: list[int] = []
        for position in positions.tolist():
            row = np.asarray(logits[position], np.float64)
            share = np.exp(row[tokens[position]] - np.logaddexp.reduce(row))
            if chosen and share < self.level:
                break
            chosen.append(position)
        return chosen


def _first_two(rows: Any) -> tuple[Floats, Floats]:
    """The largest and the second largest log-probability of each row; a second one of 0 counts e^-50."""
    if isinstance(rows, np.ndarray):
        top = np.partition(rows, -2, axis=1)[:, -2:].astype(np.float64)
        return top[:, 1], np.maximum(top[:, 0], -50.0)
    top = rows.topk(2, dim=1).values.double().cpu().numpy()
    return top[:, 0], np.maximum(top[:, 1], -50.0)
