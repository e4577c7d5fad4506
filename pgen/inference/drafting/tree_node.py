"""A node of the prefix tree: an expanded prefix and its children, in one of two orders.

By mass, which is what bounds are made of, or by hope: the mass that a child is likely to keep. A piece of
a word that the model could have said as one token has mass, but after the piece models seldom say the rest. Children
are sorted once an order, with the sums of what comes after each, so that memory is linear in the children.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.programs.process import TextState
from pgen.sampling.logspace import log_or_ninf
from pgen.sampling.rng import Rng
from pgen.sampling.weighted import invert

Floats = NDArray[np.float64]


class Candidate(NamedTuple):
    """A prefix that is not expanded; `log_potential` is what critics give to it."""

    state: TextState
    spelling: int
    log_mass: float
    log_potential: float


class Child(NamedTuple):
    """One of the children that are not expanded: its log mass, and the log share of it that hope counts."""

    token: int
    log_mass: float
    log_hope: float


class Node:
    """An expanded prefix; `following` is the place of its next child."""

    __slots__ = (
        "_hopes",
        "_masses",
        "_suffixes",
        "children",
        "following",
        "log_mass",
        "log_potential",
        "spelling",
        "state",
    )

    def __init__(self, candidate: Candidate, tokens: NDArray[np.int64], masses: Floats, hopes: Floats | None) -> None:
        """`hopes` are the shares of the children's `masses` that are likely to be kept (`None`: all)."""
        self.state, self.spelling, self.log_mass, self.log_potential = candidate
        self.children, self._masses = tokens.astype(np.int32), masses
        self._hopes = masses if hopes is None else masses * hopes
        self.following = 0

    def sort(self, by_hope: bool, first: Sequence[int] = ()) -> None:
        """Order the children that are not expanded: those in `first`, then the others by falling mass or hope."""
        rest, keys = slice(self.following, None), -(self._hopes if by_hope else self._masses)[self.following :]
        order = np.argsort(keys, kind="stable")
        if first:
            order = np.lexsort((keys, ~np.isin(self.children[rest], first)))
        order += self.following
        self.children[rest] = self.children[order]
        shared = self._hopes is self._masses
        self._masses = np.append(self._masses[: self.following], self._masses[order])
        self._hopes = self._masses if shared else np.append(self._hopes[: self.following], self._hopes[order])
        # Sums of the children from each on, from the small end.
        masses = np.append(np.cumsum(self._masses[::-1])[::-1], 0.0)
        self._suffixes = masses, masses if shared else np.append(np.cumsum(self._hopes[::-1])[::-1], 0.0)

    @property
    def has_pieces(self) -> bool:
        """Whether hope and mass differ."""
        return self._hopes is not self._masses

    @property
    def exhausted(self) -> bool:
        """Whether every child is expanded."""
        return self.following == len(self.children)

    def log_next(self, by_hope: bool) -> float:
        """log mass, or hope, of the next child."""
        return self.log_mass + log_or_ninf(float((self._hopes if by_hope else self._masses)[self.following]))

    def log_remaining(self, by_hope: bool = False) -> float:
        """log mass, or hope, of the children that are not expanded."""
        return self.log_mass + log_or_ninf(float(self._suffixes[by_hope][self.following]))

    def take(self) -> Child:
        """The next child, which counts as expanded from now on."""
        self.following += 1
        return self._child(self.following - 1)

    def draw(self, rng: Rng) -> tuple[Child, float]:
        """A child that is not expanded, in proportion to hope, and the log probability of drawing it."""
        hopes = self._hopes[self.following :]
        chosen = invert(hopes / hopes.sum(), rng)
        return self._child(self.following + chosen), float(np.log(hopes[chosen] / hopes.sum()))

    def _child(self, index: int) -> Child:
        log_mass = log_or_ninf(float(self._masses[index]))
        return Child(
            int(self.children[index]), self.log_mass + log_mass, log_or_ninf(float(self._hopes[index])) - log_mass
        )
