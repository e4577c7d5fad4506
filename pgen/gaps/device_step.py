"""Constrained steps of an insertion model for a batch, worked out where the model's numbers are.

What `step` does for one sequence: the masses of what is allowed among the open slots, and a draw. The
log-probabilities `(B, S, V)`, masks and sums stay on the device; the sums of slots `(B, S)` leave it, and one row
of each sequence `(B, V)`, from which tokens are drawn with the same numbers as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgen.errors import ModelError
from pgen.gaps.device import GapBatch, gaps_of
from pgen.gaps.step import DEAD, STOP, Drawn, pick
from pgen.sampling.logspace import log_or_ninf
from pgen.sampling.rng import Rng


class OpenGaps(NamedTuple):
    """The gaps of one hole: gap g of row b is slot `first[b] + g`, which takes what `allowed (B, G, V)` says."""

    first: Tensor
    gaps: GapBatch
    allowed: Tensor


class DeviceMasses(NamedTuple):
    """Probabilities of what is allowed: `stop (B,)` and `tokens (B, S, V)`, given that closed slots stay closed."""

    stop: Tensor
    tokens: Tensor


def device_masses(log_probs: Tensor, stop: Tensor, holes: Sequence[OpenGaps], complete: Tensor) -> DeviceMasses:
    """The masses of a batch: `log_probs (B, S, V)`, `stop (B,)`, and `complete (B,)`, which may stop.

    All 0 in a row where the model has no mass for any open slot nor the stop; raises `ModelError` on NaN or +inf.
    """
    exact = torch.float32 if log_probs.device.type == "mps" else torch.float64
    masses, stops = log_probs.to(exact).exp(), stop.to(exact).exp()
    is_open = torch.zeros(masses.shape[:2], dtype=torch.bool, device=masses.device)
    allowed = torch.zeros(masses.shape, dtype=torch.bool, device=masses.device)
    for hole in holes:
        rows, gaps = torch.nonzero(gaps_of(hole.gaps), as_tuple=True)
        slots = hole.first[rows] + gaps
        is_open[rows, slots] = True
        allowed[rows, slots] = hole.allowed[rows, gaps]
    total = stops + torch.where(is_open[:, :, None], masses, 0.0).sum((1, 2))  # (B,)
    if not bool(torch.isfinite(total).all()):
        raise ModelError(
            f"the model returned log-probabilities whose exponentials sum to {total[~torch.isfinite(total)][0].item()}",
            hint="NaN or infinite numbers usually mean corrupt weights or a dtype with too little range",
        )
    share = 1.0 / torch.where(total > 0.0, total, 1.0)
    tokens = torch.where(allowed, masses, 0.0) * share[:, None, None]
    return DeviceMasses(torch.where(complete, stops * share, 0.0), tokens)


def device_draws(masses: DeviceMasses, rngs: Sequence[Rng]) -> list[Drawn]:
    """For every row the stop or a slot, then a token in it, as `step.draw` draws them."""
    ways = torch.cat([masses.stop[:, None], masses.tokens.sum(2)], 1).cpu().numpy().astype(np.float64)  # (B, 1 + S)
    log_weights = [log_or_ninf(float(row.sum())) for row in ways]
    alive = [b for b, log_weight in enumerate(log_weights) if log_weight > -np.inf]
    chosen = {b: pick(ways[b], rngs[b]) for b in alive}
    inserting = [b for b in alive if chosen[b] > 0]
    device = masses.tokens.device
    rows = torch.tensor(inserting, dtype=torch.long, device=device)
    slots = torch.tensor([chosen[b] - 1 for b in inserting], dtype=torch.long, device=device)
    shown = dict(zip(inserting, masses.tokens[rows, slots].cpu().numpy().astype(np.float64), strict=True))  # (V,) each
    drawn = []
    for b, log_weight in enumerate(log_weights):
        if b not in chosen:
            drawn.append(Drawn(DEAD, DEAD, log_weight))
        elif chosen[b] == 0:
            drawn.append(Drawn(STOP, STOP, log_weight))
        else:
            drawn.append(Drawn(chosen[b] - 1, pick(shown[b], rngs[b]), log_weight))
    return drawn
