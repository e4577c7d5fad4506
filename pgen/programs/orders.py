"""In which order a masked diffusion model commits positions: policies as plug-ins.

A policy may look at the committed tokens and at the marginals, never at values that are
drawn and thrown away: then drawing under a language and weighting by masses gives the model's own
process restricted to the language, exactly (`docs/diffusion.md`). Built in by name:

    left_to_right, dilated            fixed
    random                            every set of open positions alike
    confidence, entropy, margin       largest probability, smallest entropy, widest gap between the top two
    constrained_confidence / _entropy / _margin   the same of the marginals under the language: the
                                      process then depends on the language, and evidence of two
                                      languages does not compare
    low_confidence                    LLaDA's: draw all, keep the likeliest draws. It looks at drawn
                                      values; its weights account for that (`pgen.inference.drafting.canvas_steps`)

`PositionWeighted` (PC-Sampler) is one with settings; `pgen.programs.parallel_orders` has those
that decide how many positions a step commits. One position at a time in `random` order is the
first-hitting sampler (Zheng et al. 2024): the masked process in continuous time without its
idle steps. Ties go to the lower position.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgen.errors import InvalidArgument

if TYPE_CHECKING:
    import torch

Canvas = tuple[int | None, ...]
Rows: TypeAlias = "NDArray[np.floating[Any]] | torch.Tensor"
Floats = NDArray[np.float64]
LOWEST = -1e30
"""Stands for the logarithm of 0 where it is multiplied by 0."""
Choose = Callable[[Canvas, Any], Sequence[int]]


class Ranking(ABC):
    """A policy that ranks open positions; the schedule says how many of the first are committed."""

    @abstractmethod
    def scores(self, positions: NDArray[np.int64], rows: Rows) -> Floats:
        """One score for each open position, the largest first; `rows (n, V)` are their log-probabilities."""


@dataclass(frozen=True)
class Ranked(Ranking):
    """A ranking by a function; `by` names it."""

    by: str
    score: Callable[[NDArray[np.int64], Rows], Floats]

    def scores(self, positions: NDArray[np.int64], rows: Rows) -> Floats:
        return self.score(positions, rows)


@dataclass(frozen=True, eq=False)
class PositionWeighted(Ranking):
    """PC-Sampler's order: exp(-decay i) min(clip, -p log f(v)) for the likeliest token v at position i.

    `frequencies (V,)` are the tokens' shares of a corpus, so that trivial tokens wait;
    Huang et al., "PC-Sampler" (2025).
    """

    frequencies: ArrayLike
    decay: float = 0.25
    clip: float = 10.0

    def scores(self, positions: NDArray[np.int64], rows: Rows) -> Floats:
        best, log_probs = likeliest(rows)
        with np.errstate(divide="ignore"):
            surprise = -np.log(np.asarray(self.frequencies, np.float64)[best])
        likely = np.minimum(self.clip, np.exp(log_probs) * surprise)
        return np.asarray(np.exp(-self.decay * positions) * likely, np.float64)


def open_positions(canvas: Canvas) -> NDArray[np.int64]:
    """The positions that are not committed, ascending."""
    return np.array([i for i, token in enumerate(canvas) if token is None], np.int64)


def _left_to_right(positions: NDArray[np.int64], rows: Rows) -> Floats:
    return -positions.astype(np.float64)


def _dilated(positions: NDArray[np.int64], rows: Rows) -> Floats:
    """Bit reversal: every prefix of the order is spread evenly, so that neighbours are far apart in time."""
    width = max(int(positions.max()).bit_length(), 1) if len(positions) else 1
    return np.array([-float(int(f"{i:0{width}b}"[::-1], 2)) for i in positions.tolist()])


def _confidence(positions: NDArray[np.int64], rows: Rows) -> Floats:
    if isinstance(rows, np.ndarray):
        return np.asarray(rows.max(axis=1), np.float64)
    return likeliest(rows)[1]


def _entropy(positions: NDArray[np.int64], rows: Rows) -> Floats:
    """Minus the entropy."""
    if isinstance(rows, np.ndarray):
        shares = np.exp(rows)
        with np.errstate(invalid="ignore"):
            sums = np.vecdot(shares, rows)
        if np.isnan(sums).any():  # 0 times -inf
            sums = np.vecdot(shares, np.maximum(rows, LOWEST))
        return np.asarray(sums, np.float64)
    terms = rows.exp() * rows.clamp(min=LOWEST)
    return np.asarray(terms.sum(dim=1, dtype=rows.dtype).double().cpu().numpy(), np.float64)


def _margin(positions: NDArray[np.int64], rows: Rows) -> Floats:
    if isinstance(rows, np.ndarray):
        if rows.shape[1] < 2:
            return np.exp(rows[:, 0].astype(np.float64))
        top = np.exp(np.partition(rows, -2, axis=1)[:, -2:].astype(np.float64))
    else:
        top = np.exp(rows.topk(min(2, rows.shape[1]), dim=1).values.double().cpu().numpy()[:, ::-1])
    return np.asarray(top[:, -1] - (top[:, 0] if top.shape[1] > 1 else 0.0), np.float64)


def likeliest(rows: Rows) -> tuple[NDArray[np.int64], Floats]:
    """The likeliest token of each row and its log-probability."""
    if isinstance(rows, np.ndarray):
        best = rows.argmax(axis=1)
        return best, np.take_along_axis(rows, best[:, None], 1)[:, 0].astype(np.float64)
    top = rows.max(dim=1)
    return top.indices.cpu().numpy(), top.values.double().cpu().numpy()


_SCORES: dict[str, Callable[[NDArray[np.int64], Rows], Floats]] = {
    "left_to_right": _left_to_right,
    "dilated": _dilated,
    "confidence": _confidence,
    "entropy": _entropy,
    "margin": _margin,
}
CONSTRAINED = "constrained_"
FIXED = ("left_to_right", "dilated")
"""Rankings that read no marginals."""
RANDOM, LOW_CONFIDENCE = "random", "low_confidence"
NAMES = (
    *_SCORES,
    RANDOM,
    LOW_CONFIDENCE,
    *(CONSTRAINED + name for name in ("confidence", "entropy", "margin")),
)

Order = str | Ranking | Choose


def ranking_of(order: Order) -> Ranking | None:
    """The ranking behind a name or a ranking; `None` for `random`, `low_confidence` and functions."""
    if isinstance(order, Ranking):
        return order
    if not isinstance(order, str) or order in (RANDOM, LOW_CONFIDENCE):
        return None
    name = order.removeprefix(CONSTRAINED)
    return Ranked(order, _SCORES[name])


def looks_at_language(order: Order) -> bool:
    """Whether the order depends on marginals under the language."""
    return isinstance(order, str) and order.startswith(CONSTRAINED)


def check_order(order: Any) -> None:
    """Raise `InvalidArgument` unless `order` is the name of a policy, a `Ranking` or a function."""
    if isinstance(order, str):
        if order not in NAMES:
            raise InvalidArgument(f"order={order!r}: expected {', '.join(map(repr, NAMES))}, a Ranking or a function")
    elif not isinstance(order, Ranking) and not callable(order):
        raise InvalidArgument(
            f"order={order!r}: expected a name, a Ranking or a function (committed tokens, marginals) -> positions"
        )
