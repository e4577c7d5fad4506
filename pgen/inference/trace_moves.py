"""Kernels on complete runs that leave the posterior invariant, and the one for any program: redraw choices.

`Regenerate` draws a choice, or a block of them, anew from its proposal, keeps
everything else as long as it exists, and accepts by Metropolis and Hastings (the
"lightweight" scheme of Wingate et al., AISTATS 2011, with exact weights for texts).
`span_moves` redraws parts of texts, `gibbs` tries every value of a choice.

A kernel moves many runs at once (the chains), so that model calls are batched; run i
uses its own stream only.
"""

from __future__ import annotations

import math
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


class Kernel(Protocol):
    """A Markov kernel on runs."""

    def step(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Move]:
        """Move every run once; `rngs[i]` is the stream of run i."""
        ...


@dataclass(frozen=True)
class Regenerate:
    """Draw `addresses` anew as a block (those that a run has); without addresses one choice at random."""

    addresses: tuple[str, ...] = ()

    def __init__(self, *addresses: str) -> None:
        object.__setattr__(self, "addresses", addresses)

    def step(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Move]:
        blocks = [self._block(run, rng) for run, rng in zip(runs, rngs, strict=True)]
        proposed = runner.run([redraw(run, block) for run, block in zip(runs, blocks, strict=True)], rngs)
        log_ratios = [
            log_redraw_ratio(old, new) + (0.0 if self.addresses else log_share(len(old.choices), len(new.choices)))
            for old, new in zip(runs, proposed, strict=True)
        ]
        return accepted(runs, proposed, log_ratios, rngs)

    def _block(self, run: Run, rng: Rng) -> Collection[str]:
        if self.addresses or not run.choices:
            return self.addresses
        return [pick(rng, list(run.choices))]


def accepted(
    runs: Sequence[Run], proposed: Sequence[Run], log_ratios: Sequence[float], rngs: Sequence[Rng]
) -> list[Move]:
    """Metropolis and Hastings: each proposal with probability min(1, exp(log ratio))."""
    moves = []
    for old, new, log_ratio, rng in zip(runs, proposed, log_ratios, rngs, strict=True):
        chance = math.exp(min(0.0, log_ratio))
        taken = rng.uniform(lambda p=chance: np.array([p, 1.0])) < chance  # type: ignore[misc]
        moves.append(Move(new if taken else old, taken))
    return moves


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
