"""An order that is learned: the position goes first whose true token the model is expected to know best.

What a model says of a position (the likeliest token's log-probability, the entropy, the
margin, how far the nearest committed neighbours are) predicts how likely it finds the
token that really stands there. A ridge regression learns this from texts of which
random parts are hidden; positions are ranked by the prediction. So the order adapts to a model whose
confidence is not to be trusted as it is (Kim et al., "Train for the worst, plan for
the best", 2025, plan by confidence alone). It looks at the canvas and the rows only, never at drawn
values, so every exactness law of orders holds for it as for any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.programs.orders import Canvas, open_positions

if TYPE_CHECKING:
    from pgen.backends.base import AnyOrder

Floats = NDArray[np.float64]
N_FEATURES = 6
LOWEST = -30.0
"""Stands for the logarithms of smaller probabilities."""


@dataclass(frozen=True)
class LearnedOrder:
    """The open position with the largest `weights . features(canvas, rows)` comes first; ties go to the lower one.

    An order for `text(..., order=...)` of any-order and diffusion models; build it with `learned_order`.
    """

    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.weights) != N_FEATURES or not np.isfinite(self.weights).all():
            raise InvalidArgument(f"LearnedOrder{self.weights}: {N_FEATURES} finite weights are needed")

    def __call__(self, canvas: Canvas, rows: Any) -> Sequence[int]:
        positions = open_positions(canvas)
        return [int(positions[np.argmax(features(canvas, positions, rows) @ np.array(self.weights))])]


def features(canvas: Canvas, positions: NDArray[np.int64], rows: Any) -> Floats:
    """`(n, 6)`: 1, log of the largest probability, entropy, margin, and 1 / distance to what is committed on each side.

    `rows (L, V)` are log-probabilities, a NumPy array or a torch tensor.
    """
    chosen = rows[positions]
    logs = np.asarray(chosen if isinstance(chosen, np.ndarray) else chosen.cpu().numpy(), np.float64)
    shares = np.exp(logs)
    entropy = -(shares * np.maximum(logs, LOWEST)).sum(1)
    ranked = np.sort(shares, axis=1)[:, ::-1]
    margin = ranked[:, 0] - (ranked[:, 1] if ranked.shape[1] > 1 else 0.0)
    sides = np.array([_nearness(canvas, int(position)) for position in positions]).reshape(-1, 2)
    return np.column_stack([np.ones(len(positions)), np.log(ranked[:, 0]), entropy, margin, sides])


def learned_order(
    model: AnyOrder, texts: Sequence[Sequence[int]], *, seed: int = 0, n_canvases: int = 256, ridge: float = 1e-2
) -> LearnedOrder:
    """Fit to token sequences of one length, on `n_canvases` of them with a random part hidden.

    The model's rows are asked for once a canvas. Raises `InvalidArgument` if the texts differ in length or are empty.
    """
    lengths = {len(text) for text in texts}
    if len(lengths) != 1 or 0 in lengths:
        raise InvalidArgument(
            f"learned_order needs texts of one length, got lengths {sorted(lengths)}", hint="fill them up with ends"
        )
    rng = np.random.default_rng(seed)
    known, targets = [], []
    for _ in range(n_canvases):
        text = texts[int(rng.integers(len(texts)))]
        hidden = set(rng.permutation(len(text))[: int(rng.integers(1, len(text) + 1))].tolist())
        canvas = tuple(None if i in hidden else token for i, token in enumerate(text))
        positions, rows = open_positions(canvas), model.conditionals([canvas])[0]
        known.append(features(canvas, positions, rows))
        targets.append(np.maximum([rows[i, text[i]] for i in positions.tolist()], LOWEST))
    x, y = np.concatenate(known), np.concatenate(targets)
    fitted = np.linalg.solve(x.T @ x + ridge * len(x) * np.eye(N_FEATURES), x.T @ y)
    return LearnedOrder(tuple(float(weight) for weight in fitted))


def _nearness(canvas: Canvas, position: int) -> tuple[float, float]:
    """1 / distance to the nearest committed position before and after (0: none)."""
    before = next((1 / n for n in range(1, position + 1) if canvas[position - n] is not None), 0.0)
    after = next((1 / n for n in range(1, len(canvas) - position) if canvas[position + n] is not None), 0.0)
    return before, after
