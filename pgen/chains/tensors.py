"""Sum-product over positions in torch: batched, on any device, in logarithms.

`log_class_masses` is the only part that touches the vocabulary: tokens are gathered class by
class into chunks of equal width, reduced chunk by chunk, and chunks are reduced to classes.
`log_messages` are the backward recursions of `pgen.chains.sum_product` for a whole batch. The
numba kernels are the faster way on a CPU and for one canvas; both agree to rounding.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from pgen.chains.automaton import PositionAutomaton

WIDTH = 128
"""Tokens in a chunk."""


class Chunks(NamedTuple):
    """`columns (n, WIDTH)`: tokens by chunk, V where there is none; `class_of (n,)`: the class that a chunk is of."""

    columns: torch.Tensor
    class_of: torch.Tensor


@lru_cache(maxsize=16)
def _chunks(automaton: PositionAutomaton, device: torch.device) -> Chunks:
    bounds, tokens = automaton.tokens_by_class
    columns, classes = [], []
    for c in range(1, automaton.n_classes):
        members = tokens[bounds[c] : bounds[c + 1]]
        for at in range(0, len(members), WIDTH):
            row = np.full(WIDTH, len(automaton.class_of), np.int64)
            row[: len(members[at : at + WIDTH])] = members[at : at + WIDTH]
            columns.append(row)
            classes.append(c)
    made = np.array(columns, np.int64).reshape(-1, WIDTH)
    return Chunks(torch.from_numpy(made).to(device), torch.tensor(classes, dtype=torch.int64, device=device))


def log_class_masses(automaton: PositionAutomaton, marginals: torch.Tensor) -> torch.Tensor:
    """`(B, L, C)` log masses of the classes under log-probabilities `(B, L, V)`; class 0 is left out (-inf)."""
    chunks = _chunks(automaton, marginals.device)
    batch, length, _ = marginals.shape
    made = marginals.new_full((batch, length, automaton.n_classes), -torch.inf)
    padded = torch.nn.functional.pad(marginals[..., : len(automaton.class_of)], (0, 1), value=-torch.inf)
    gathered = padded[..., chunks.columns.reshape(-1)].reshape(batch, length, -1, WIDTH)
    parts = gathered.logsumexp(dim=-1)  # (B, L, n)
    top = made.scatter_reduce(2, chunks.class_of.expand_as(parts), parts, "amax")  # (B, L, C)
    base = torch.where(top == -torch.inf, 0.0, top)
    shares = (parts - base[..., chunks.class_of]).exp()
    return base + torch.zeros_like(made).index_add(2, chunks.class_of, shares).log()


def fixed_classes(automaton: PositionAutomaton, canvases: list[tuple[int | None, ...]]) -> torch.Tensor:
    """`(B, L)`: the class of each committed position, -1 where open."""
    return torch.tensor(
        [[-1 if token is None else int(automaton.class_of[token]) for token in canvas] for canvas in canvases]
    )


def log_messages(automaton: PositionAutomaton, log_classes: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
    """`(L + 1, B, S)`: log of the backward messages; `[0, :, start]` are the log masses.

    `log_classes (B, L, C)` are log masses, `fixed (B, L)` the classes of committed positions.
    """
    device, dtype = log_classes.device, log_classes.dtype
    batch, length, n_classes = log_classes.shape
    log_classes = with_committed(log_classes, fixed.to(device))
    delta = torch.from_numpy(np.where(automaton.delta >= 0, automaton.delta, automaton.n_states)).long().to(device)
    ended = automaton.ended
    messages = torch.full((length + 1, batch, automaton.n_states + 1), -torch.inf, dtype=dtype, device=device)
    messages[length, :, :-1] = torch.from_numpy(np.where(automaton.final, 0.0, -np.inf)).to(device, dtype)
    for i in range(length - 1, -1, -1):
        ahead = messages[i + 1][:, delta.reshape(-1)].reshape(batch, -1, n_classes)  # (B, S, C)
        messages[i, :, :-1] = (ahead + log_classes[:, i, None, :]).logsumexp(dim=-1)
        # After the end all classes together have mass 1, those included that are left out.
        messages[i, :, ended] = messages[i + 1, :, ended]
    return messages[..., :-1]


def with_committed(log_classes: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
    """Committed positions hold 0 at their class and -inf elsewhere."""
    sure = torch.full_like(log_classes, -torch.inf).scatter(2, fixed.clamp(min=0).unsqueeze(-1), 0.0)
    return torch.where((fixed >= 0).unsqueeze(-1), sure, log_classes)
