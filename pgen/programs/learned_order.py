"""An order that is learned: the position goes first whose true token the model is expected to know best.

What a model says of a position (the likeliest token's log-probability, the entropy, the
margin, how far the nearest committed neighbours are) predicts how likely it finds the
token that really stands there. A ridge regression learns this from texts of which
random parts are hidden; positions are ranked by the prediction. So the order adapts to a model whose
confidence is not to be trusted as it is (Kim et al., "Train for the worst, plan for
the best", 2025, plan by confidence alone). Positions of one step are chosen one after the other, each seeing
the others as neighbours: what is drawn side by side is drawn independently, and the regression knows
nothing of that. `trials` search for weights under which whole texts are likelier (an evolution strategy of one
parent, Rechenberg 1973). The order looks at the canvas and the rows only, never at drawn
values, so every exactness law of orders holds for it as for any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pgen.backends.base import AnyOrder
from pgen.errors import InvalidArgument
from pgen.programs.orders import Canvas, open_positions

if TYPE_CHECKING:
    from pgen.backends.base import MaskedDiffusion

Floats = NDArray[np.float64]
N_FEATURES = 6
LOWEST = -30.0
"""Stands for the logarithms of smaller probabilities."""
CHOSEN = 0
"""Any token: a position that a step has chosen already counts as committed."""
N_JUDGED = 32
"""Texts by which trials are compared."""


@dataclass(frozen=True)
class LearnedOrder:
    """The open position with the largest `weights . features(canvas, rows)` comes first; ties go to the lower one.

    An order for `text(..., order=...)` of any-order and diffusion models; build it with `learned_order`. A step of a
    diffusion model commits the first `at_once` positions.
    """

    weights: tuple[float, ...]
    at_once: int = 1

    def __post_init__(self) -> None:
        if self.at_once < 1:
            raise InvalidArgument(f"LearnedOrder(at_once={self.at_once}): a step commits at least one position")
        if len(self.weights) != N_FEATURES or not np.isfinite(self.weights).all():
            raise InvalidArgument(f"LearnedOrder{self.weights}: {N_FEATURES} finite weights are needed")

    def __call__(self, canvas: Canvas, rows: Any) -> Sequence[int]:
        positions = open_positions(canvas)
        rows, weights, chosen = rows[positions], np.array(self.weights), list[int]()
        own, seen = _own_features(rows) @ weights[:-2], list(canvas)
        for _ in range(min(self.at_once, len(positions))):
            sides = np.array([_nearness(seen, int(position)) for position in positions])
            best = int(np.argmax(own + sides @ weights[-2:]))
            own[best] = -np.inf
            chosen.append(int(positions[best]))
            seen[chosen[-1]] = CHOSEN
        return chosen


def features(canvas: Canvas, positions: NDArray[np.int64], rows: Any) -> Floats:
    """`(n, 6)`: 1, log of the largest probability, entropy, margin, and 1 / distance to what is committed on each side.

    `rows (L, V)` are log-probabilities, a NumPy array or a torch tensor.
    """
    sides = np.array([_nearness(canvas, int(position)) for position in positions]).reshape(-1, 2)
    return np.column_stack([_own_features(rows[positions]), sides])


def _own_features(rows: Any) -> Floats:
    """`(n, 4)`: what the rows `(n, V)` say of themselves."""
    logs = np.asarray(rows if isinstance(rows, np.ndarray) else rows.cpu().numpy(), np.float64)
    shares = np.exp(logs)
    entropy = -(shares * np.maximum(logs, LOWEST)).sum(1)
    largest = shares.max(axis=1)
    second = np.partition(shares, -2, axis=1)[:, -2] if shares.shape[1] > 1 else 0.0
    return np.column_stack([np.ones(len(shares)), np.log(largest), entropy, largest - second])


def learned_order(
    model: AnyOrder | MaskedDiffusion,
    texts: Sequence[Sequence[int]],
    *,
    seed: int = 0,
    n_canvases: int = 256,
    ridge: float = 1e-2,
    at_once: int = 1,
    trials: int = 0,
) -> LearnedOrder:
    """Fit to token sequences of one length, on `n_canvases` of them with a random part hidden.

    Then `trials` other weights are compared by what the process with `at_once` commits a step gives to some of the
    texts. The model's rows are asked for once a canvas. Raises `InvalidArgument` if the texts differ in
    length or are empty.
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
        positions, rows = open_positions(canvas), _rows(model, [canvas])[0]
        known.append(features(canvas, positions, rows))
        targets.append(np.maximum([rows[i, text[i]] for i in positions.tolist()], LOWEST))
    x, y = np.concatenate(known), np.concatenate(targets)
    fitted = np.linalg.solve(x.T @ x + ridge * len(x) * np.eye(N_FEATURES), x.T @ y)
    order = LearnedOrder(tuple(float(weight) for weight in fitted), at_once)
    judged = [tuple(texts[i]) for i in rng.permutation(len(texts))[:N_JUDGED].tolist()]
    return _searched(model, order, judged, trials, rng)


def log_along(model: AnyOrder | MaskedDiffusion, order: LearnedOrder, texts: Sequence[tuple[int, ...]]) -> float:
    """Mean log-probability of texts of one length along the ways on which the order commits them."""
    canvases: list[Canvas] = [(None,) * len(text) for text in texts]
    total = 0.0
    while None in canvases[0]:
        rows = _rows(model, canvases)
        for b, text in enumerate(texts):
            chosen = set(order(canvases[b], rows[b]))
            total += sum(max(float(rows[b][i, text[i]]), LOWEST) for i in chosen)
            canvases[b] = tuple(text[i] if i in chosen else token for i, token in enumerate(canvases[b]))
    return total / len(texts)


def _searched(
    model: AnyOrder | MaskedDiffusion,
    order: LearnedOrder,
    texts: Sequence[tuple[int, ...]],
    trials: int,
    rng: np.random.Generator,
) -> LearnedOrder:
    """The best of `trials` steps from an order: wider ones after a success, narrower ones after a failure."""
    best, width = log_along(model, order, texts) if trials else 0.0, 1.0
    for _ in range(trials):
        weights = np.array(order.weights)
        moved = weights / max(float(np.linalg.norm(weights[1:])), 1e-12) + width * rng.normal(size=N_FEATURES)
        other = LearnedOrder(tuple(moved.tolist()), order.at_once)
        value = log_along(model, other, texts)
        width *= 1.5 if value > best else 1.5**-0.25
        if value > best:
            order, best = other, value
    return order


def _rows(model: AnyOrder | MaskedDiffusion, canvases: Sequence[Canvas]) -> Any:
    """`(B, L, V)` log-probabilities of canvases without a prompt."""
    if isinstance(model, AnyOrder):
        return model.conditionals(canvases)
    rows = model.marginals([model.encode("")] * len(canvases), canvases)
    return rows if isinstance(rows, np.ndarray) else rows.double().cpu().numpy()


def _nearness(canvas: Sequence[int | None], position: int) -> tuple[float, float]:
    """1 / distance to the nearest committed position before and after (0: none)."""
    before = next((1 / n for n in range(1, position + 1) if canvas[position - n] is not None), 0.0)
    after = next((1 / n for n in range(1, len(canvas) - position) if canvas[position + n] is not None), 0.0)
    return before, after
