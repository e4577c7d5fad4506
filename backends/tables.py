"""What the tabular models check of the functions that they are made from."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgen.errors import InvalidArgument, ModelError

TOLERANCE = 1e-6
"""How far probabilities may sum from 1."""


def checked_context(context_length: int) -> int:
    """The length; raises `InvalidArgument` if it is negative."""
    if context_length < 0:
        raise InvalidArgument(f"context_length={context_length}: must not be negative")
    return context_length


def require_room(name: str, length: int, context_length: int) -> None:
    """Raises `ModelError` if the context is too short."""
    if length > context_length:
        raise ModelError(f"{name}: {length} tokens, but the context holds {context_length}")


def shaped(name: str, rows: ArrayLike, shape: tuple[int, ...], where: object) -> NDArray[np.float64]:
    """The rows as float64; raises `ModelError` if their shape is another."""
    made = np.asarray(rows, np.float64)
    if made.shape != shape:
        raise ModelError(f"{name}: for {where} an array of shape {made.shape}, not {shape}")
    return made


def require_normalised(name: str, total: float, where: object, function: str) -> None:
    """Raises `ModelError` if probabilities do not sum to 1, or hold NaN; `function` is the user's."""
    if not abs(total - 1.0) <= TOLERANCE:
        raise ModelError(
            f"{name}: the probabilities {where} sum to {total}",
            hint=f"{function} must return normalised natural logarithms (-inf for impossible tokens)",
        )
