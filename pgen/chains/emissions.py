"""From marginals of tokens to masses of token classes, and back from a class to a token.

A denoiser gives each open position i of a canvas a distribution p_i over V tokens. The
automaton distinguishes only C classes of them, so one segmented log-sum-exp, O(L V), is all
that ever touches the vocabulary. A committed position is a class that must come, with mass 1.
Marginals may be NumPy arrays or torch tensors on any device: from a device only class masses
(C numbers a position) and the rows of tokens that are really drawn come back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pgen.chains import kernels
from pgen.chains.automaton import Ints, PositionAutomaton
from pgen.errors import ModelError

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]
Rows = NDArray[np.floating[Any]]
Canvas = Sequence[int | None]
LOG_TWO = float(np.log(2.0))
FLOOR = -16
CHUNK = 1 << 16
"""Numbers that are exponentiated at once."""


@dataclass(frozen=True, eq=False)
class Emissions:
    """What the positions of one canvas say to an automaton.

    `fixed (L,)` is the class of a committed position, -1 if open; class and label masses
    are `(L, C)` and `(L, K)` as mantissa and power of two. `row(i)` gives the
    log-probabilities `(V,)` at position i.
    """

    automaton: PositionAutomaton
    row: Callable[[int], Rows]
    fixed: Ints
    classes: tuple[Floats, Ints]
    labels: tuple[Floats, Ints]

    @property
    def length(self) -> int:
        """L."""
        return len(self.fixed)

    def log_classes(self) -> Floats:
        """`(L, C)` log masses; committed positions hold 0 at their class and -inf elsewhere.

        Class 0 is -inf: no state before the end allows it, and after the end all classes together have mass 1.
        """
        log_masses = _logs(*self.classes)
        for i in np.flatnonzero(self.fixed >= 0):
            log_masses[i] = -np.inf
            log_masses[i, self.fixed[i]] = 0.0
        return log_masses

    def committed(self, canvas: Canvas) -> Emissions:
        """The same marginals with the positions of `canvas` committed."""
        return Emissions(self.automaton, self.row, _fixed(self.automaton, canvas), self.classes, self.labels)

    def floored(self, positions: Sequence[int]) -> Emissions:
        """The same, but at open positions other than these no class is impossible: masses of 0 become 2^`FLOOR`.

        Marginals of a later step may allow what these exclude. Class 0 stays excluded.
        """
        if not self._excludes:
            return self
        mantissa, exponent = self.classes
        free = self.fixed < 0
        free[list(positions)] = False
        empty = (mantissa == 0.0) & free[:, None]
        empty[:, 0] = False
        if not empty.any():
            return self
        classes = np.where(empty, 1.0, mantissa), np.where(empty, FLOOR, exponent).astype(np.int32)
        return replace(self, classes=classes, labels=_labels(self.automaton, *classes))

    @cached_property
    def _excludes(self) -> bool:
        """Whether any class has mass 0 at an open position."""
        return bool(kernels.has_empty(self.classes[0], self.fixed))

    def draw(self, position: int, label: int, uniform: float) -> int:
        """The token that `uniform` in [0, 1) picks among those of an edge label, by their probabilities."""
        row = self.row(position)
        token = kernels.pick(row, *self.automaton.tokens_by_class, self._members(label), uniform)
        return int(token)

    def breakpoints(self, position: int, label: int) -> Floats:
        """Where in [0, 1] the outcome of `draw` changes: cumulative probabilities of the label's tokens."""
        bounds, tokens = self.automaton.tokens_by_class
        members = np.concatenate([tokens[bounds[c] : bounds[c + 1]] for c in self._members(label)])
        row = self.row(position)[members].astype(np.float64)
        running = np.cumsum(np.exp(row - row.max()))
        return np.asarray(running / running[-1], np.float64)

    def _members(self, label: int) -> Ints:
        edges = self.automaton.edges
        return edges.label_class[edges.label_start[label] : edges.label_start[label + 1]]


def emissions(
    automaton: PositionAutomaton, marginals: Rows | torch.Tensor | Sequence[Rows], canvases: Sequence[Canvas]
) -> list[Emissions]:
    """The emissions of each canvas under marginals `(B, L, V)`; rows of committed positions are not read.

    Raises `ModelError` on NaN, naming the canvas.
    """
    fixed = [_fixed(automaton, canvas) for canvas in canvases]
    arrays = isinstance(marginals[0], np.ndarray) if len(fixed) else False
    masses = (_array_masses if arrays else _tensor_masses)(automaton, marginals, fixed)
    labels = _labels(automaton, *masses)
    made, end = [], 0
    for b, classes in enumerate(fixed):
        own = slice(end, end := end + len(classes))
        parts = [(mantissa[own], exponent[own]) for mantissa, exponent in (masses, labels)]
        made.append(Emissions(automaton, _rows_of(marginals, b), classes, *parts))
    return made


def _labels(automaton: PositionAutomaton, mantissa: Floats, exponent: Ints) -> tuple[Floats, Ints]:
    """`(n, K)` masses of the edge labels."""
    edges, shape = automaton.edges, (len(mantissa), len(automaton.edges.label_start) - 1)
    into = np.empty(shape), np.empty(shape, np.int32)
    kernels.label_masses(mantissa, exponent, edges.label_start, edges.label_class, edges.whole, *into)
    return into


def _fixed(automaton: PositionAutomaton, canvas: Canvas) -> Ints:
    return np.array([-1 if token is None else automaton.class_of[token] for token in canvas], np.int32)


def _rows_of(marginals: Any, b: int) -> Callable[[int], Rows]:
    if isinstance(marginals[b], np.ndarray):
        return lambda i: marginals[b][i]
    return lambda i: np.asarray(marginals[b, i].double().cpu().numpy())


def _array_masses(automaton: PositionAutomaton, marginals: Any, fixed: list[Ints]) -> tuple[Floats, Ints]:
    """Class masses `(B L, C)` of all positions, canvas after canvas."""
    shape = sum(map(len, fixed)), automaton.n_classes
    mantissa, exponent, end = np.zeros(shape), np.full(shape, kernels.NOWHERE, np.int32), 0
    size, tokens = max(1, CHUNK // marginals[0].shape[1]), automaton.tokens_by_class
    weights = np.empty((min(size, max(map(len, fixed))), marginals[0].shape[1]), marginals[0].dtype)
    for b, classes in enumerate(fixed):
        begin, end = end, end + len(classes)
        positions = np.flatnonzero(classes < 0)
        for at in range(0, len(positions), size):
            some = positions[at : at + size]
            seen = np.take(marginals[b], some, axis=0, out=weights[: len(some)], mode="clip")  # (n, V)
            with np.errstate(over="ignore", invalid="ignore"):
                np.exp(seen, out=seen)
            into = mantissa[begin:end], exponent[begin:end]
            if kernels.class_masses(marginals[b], seen, automaton.class_of, *tokens, some, *into):
                raise _broken(b)
    return mantissa, exponent


def _tensor_masses(automaton: PositionAutomaton, marginals: Any, fixed: list[Ints]) -> tuple[Floats, Ints]:
    """Class masses `(B L, C)` of all positions, summed up where the marginals lie."""
    if not fixed:
        return np.zeros((0, automaton.n_classes)), np.zeros((0, automaton.n_classes), np.int32)
    from pgen.chains.tensors import log_class_masses

    logs = log_class_masses(automaton, marginals).double().cpu().numpy()  # (B, L, C)
    for b, classes in enumerate(fixed):
        logs[b, classes >= 0] = -np.inf
        if np.isnan(logs[b]).any():
            raise _broken(b)
    return _scaled(logs.reshape(-1, automaton.n_classes))


def _scaled(logs: Floats) -> tuple[Floats, Ints]:
    """Logarithms as mantissa and power of two."""
    zero = logs == -np.inf
    powers = np.where(zero, 0.0, logs / LOG_TWO)
    whole = np.floor(powers)
    return np.where(zero, 0.0, np.exp2(powers - whole)), np.where(zero, kernels.NOWHERE, whole).astype(np.int32)


def _logs(mantissa: Floats, exponent: Ints) -> Floats:
    """Mantissa and power of two as natural logarithms."""
    with np.errstate(divide="ignore"):
        return np.where(mantissa > 0, np.log(mantissa) + exponent * LOG_TWO, -np.inf)


def _broken(b: int) -> ModelError:
    return ModelError(
        f"the marginals of canvas {b} of the batch hold NaN",
        hint="NaN usually means corrupt weights or a dtype with too little range",
    )
