"""Kernels on complete runs that leave the posterior invariant, and the one for any program: redraw choices.

`Regenerate` draws a choice, or a block of them, anew from its proposal, keeps
everything else as long as it exists, and accepts by Metropolis and Hastings (the
"lightweight" scheme of Wingate et al., AISTATS 2011, with exact weights for texts).
`span_moves` redraws parts of texts, `edit_moves` changes single tokens of them, `gibbs`
tries every value of a choice, `particle_gibbs` redraws everything with particles.

A kernel moves many runs at once (the chains), so that model calls are batched; run i
uses its own stream only.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from pgen.inference.generative import log_redraw_ratio, redraw
from pgen.inference.runs import Run, Runner
from pgen.sampling.rng import Rng

Item = TypeVar("Item")


class Move(NamedTuple):
    """Where a run went; `accepted` says whether a proposal was taken (always, for Gibbs)."""

    run: Run
    accepted: bool


class Proposal(NamedTuple):
    """Where a run could go, and the log ratio of Metropolis and Hastings for going there (-inf: never)."""

    run: Run
    log_ratio: float


class Kernel(Protocol):
    """A Markov kernel on runs."""

    def step(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Move]:
        """Move every run once; `rngs[i]` is the stream of run i."""
        ...


class Metropolis(ABC):
    """A kernel that proposes a run and accepts it with probability min(1, ratio)."""

    def applies(self, run: Run) -> bool:
        """Whether there is anything in the run for it to move."""
        return True

    @abstractmethod
    def propose(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Proposal]:
        """A proposal for every run; `rngs[i]` is the stream of run i."""

    def step(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Move]:
        """Move every run once; `rngs[i]` is the stream of run i."""
        return accepted(runs, self.propose(runner, runs, rngs), rngs)


@dataclass(frozen=True)
class Regenerate(Metropolis):
    """Draw `addresses` anew as a block (those that a run has); without addresses one choice at random."""

    addresses: tuple[str, ...] = ()

    def __init__(self, *addresses: str) -> None:
        object.__setattr__(self, "addresses", addresses)

    def propose(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Proposal]:
        """Each run with some choices drawn anew, and the log acceptance ratio."""
        blocks = [self._block(run, rng) for run, rng in zip(runs, rngs, strict=True)]
        proposed = runner.run([redraw(run, block) for run, block in zip(runs, blocks, strict=True)], rngs)
        return [
            Proposal(new, log_redraw_ratio(old, new) + (0.0 if self.addresses else _log_shares(old, new)))
            for old, new in zip(runs, proposed, strict=True)
        ]

    def _block(self, run: Run, rng: Rng) -> Collection[str]:
        if self.addresses or not run.choices:
            return self.addresses
        return [pick(rng, list(run.choices))]


def accepted(runs: Sequence[Run], proposals: Sequence[Proposal], rngs: Sequence[Rng]) -> list[Move]:
    """Metropolis and Hastings: each proposal with probability min(1, exp(log ratio))."""
    moves = []
    for old, (new, log_ratio), rng in zip(runs, proposals, rngs, strict=True):
        chance = math.exp(min(0.0, log_ratio))
        taken = rng.uniform(lambda p=chance: np.array([p, 1.0])) < chance  # type: ignore[misc]
        moves.append(Move(new if taken else old, taken))
    return moves


def _log_shares(old: Run, new: Run) -> float:
    return log_share(len(old.choices), len(new.choices))


def log_share(n_before: int, n_after: int) -> float:
    """log of (1 / n_after) / (1 / n_before): choosing the same one of so many, there and back."""
    return math.log(n_before) - math.log(n_after) if n_before and n_after else 0.0


def pick(rng: Rng, items: Sequence[Item]) -> Item:
    """One of some items, each with equal probability."""
    return items[draw(rng, np.full(len(items), 1.0 / len(items)))]


def draw(rng: Rng, masses: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    """An index, with probability proportional to its mass."""
    running = np.cumsum(masses)
    running /= running[-1]
    return int(np.searchsorted(running, rng.uniform(lambda: running), side="right"))
