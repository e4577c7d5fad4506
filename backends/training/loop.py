"""The training loop: as many steps as fit into a time, then the bound of all held-out molecules.

Matrices of the blocks are trained by Muon (Jordan et al. 2024), everything else by
AdamW; rates rise over the first steps and fall by a cosine of the time spent. Time is
the processor's, so that a run on a busy machine ends as it would on an idle one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgen.backends.training.log import TrainingLog
from pgen.backends.training.molecules import Molecules, batches
from pgen.backends.training.objectives import Objective
from pgen.backends.transformer import Transformer

MUON_RATE, ADAM_RATE = 4e-3, 3e-3
"""Peak learning rates."""


class Settings(NamedTuple):
    """Processor `seconds`, molecules a step, factor of the rates, steps of warm-up, and the seed of randomness."""

    seconds: float
    batch: int = 32
    rate: float = 1.0
    warm_up: int = 50
    seed: int = 0


def train(
    network: Transformer,
    objective: Objective,
    molecules: Molecules,
    held_out: Molecules,
    settings: Settings,
    log: TrainingLog,
    save: Callable[[], None],
) -> None:
    """Trains in place; logs after every minute of work, and saves after every minute."""
    optimizers = _optimizers(network, settings)
    generator = torch.Generator().manual_seed(settings.seed)
    order = batches(molecules, settings.batch, np.random.default_rng(settings.seed))
    recent: list[float] = []
    start = reported = time.process_time()
    saved = time.monotonic()
    for step, chosen in enumerate(order):
        now = time.process_time()
        if now - start >= settings.seconds:
            break
        _set_rate(optimizers, min(1.0, (step + 1) / settings.warm_up) * _cosine((now - start) / settings.seconds))
        recent.append(_step(network, objective, _tensors(molecules, chosen), generator, optimizers))
        if now - reported >= 60:
            log.progress(step + 1, now - start, float(np.mean(recent)), evaluate(network, objective, held_out, 512))
            recent, reported = [], now
        if time.monotonic() - saved >= 60:
            save()
            saved = time.monotonic()
    save()
    log.finish(step, time.process_time() - start, evaluate(network, objective, held_out, len(held_out.lengths)))


def evaluate(network: Transformer, objective: Objective, molecules: Molecules, n: int, batch: int = 128) -> float:
    """Nats per molecule over the first `n`, with fixed randomness."""
    generator = torch.Generator().manual_seed(0)
    chunks = [np.arange(start, min(start + batch, n)) for start in range(0, n, batch)]
    with torch.inference_mode():
        nats = [objective(network, *_tensors(molecules, chunk), generator) for chunk in chunks]
    return float(torch.cat(nats).double().mean())


def _step(
    network: Transformer,
    objective: Objective,
    data: tuple[Tensor, Tensor],
    generator: torch.Generator,
    optimizers: list[torch.optim.Optimizer],
) -> float:
    nats = objective(network, *data, generator).mean()
    for optimizer in optimizers:
        optimizer.zero_grad()
    torch.autograd.backward(nats / data[1].float().mean())
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
    return float(nats.detach())


def _tensors(molecules: Molecules, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    tokens = torch.from_numpy(molecules.tokens[chosen].astype(np.int64))
    return tokens, torch.from_numpy(molecules.lengths[chosen])


def _optimizers(network: Transformer, settings: Settings) -> list[torch.optim.Optimizer]:
    matrices = [p for p in network.blocks.parameters() if p.ndim == 2]
    others = [p for p in network.parameters() if not any(p is matrix for matrix in matrices)]
    muon = torch.optim.Muon(
        matrices, lr=settings.rate * MUON_RATE, weight_decay=0.01, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    adam = torch.optim.AdamW(others, lr=settings.rate * ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return [muon, adam]


def _set_rate(optimizers: list[torch.optim.Optimizer], share: float) -> None:
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share


def _cosine(done: float) -> float:
    return 0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
