"""The training objectives, each an unbiased estimate of a bound on `-log p(x)` in nats per molecule.

- *Autoregressive*: the exact value, with the end of the text as a token.
- *Masked diffusion*: n of the L canvas positions are masked, n uniform in 1..L; the
  bound is `L / n` times the masked positions' cross entropy (Sahoo et al. 2024, Shi et
  al. 2024). The canvas is filled up with end tokens, so that lengths are learned.
- *Any order* (Uria et al. 2014, Pannatier et al. 2024): the exact value along one order
  of all canvas positions, every permutation alike: all L conditionals by one pass. Its mean is the
  bound of masked diffusion, with less noise.
- *Insertion* (Patel et al. 2025): n of the L tokens are dropped, n uniform in 0..L. The
  target over (slot, token) is the normalised count of what was dropped there; with
  nothing dropped the target is to stop. Every order of insertion is equally likely in
  the bound, which is `L + 1` times the cross entropy, less `log L!`.

Symbols: B molecules, L positions, V tokens. `tokens` `(B, CANVAS)` are filled up with the
end token, `lengths` `(B,)` do not count it. Position 0 of every input to a network is
the beginning token. Randomness comes from the generator; n is stratified over the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from pgen.backends.anyorder.small_transformer import any_order_log_probs
from pgen.backends.autoregressive.small_transformer import causal_log_probs
from pgen.backends.diffusion.small_transformer import canvas_log_probs
from pgen.backends.insertion.model import insertion_log_probs
from pgen.backends.molecules.vocabulary import CANVAS, MASK_ID, N_TOKENS
from pgen.backends.small_model import with_begin
from pgen.backends.transformer import Transformer

Objective = Callable[[Transformer, Tensor, Tensor, torch.Generator], Tensor]
"""(network, tokens, lengths, generator) -> nats `(B,)`."""


def autoregressive(network: Transformer, tokens: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
    """`-log p` of each molecule, exactly; the generator is not used."""
    tokens = tokens[:, : int(lengths.max()) + 1]  # (B, T)
    log_probs = causal_log_probs(network, with_begin(tokens[:, :-1], N_TOKENS))  # (B, T, V)
    nats = -log_probs.gather(2, tokens[:, :, None]).squeeze(2)
    return (nats * (torch.arange(tokens.shape[1]) <= lengths[:, None])).sum(1)


def masked_diffusion(network: Transformer, tokens: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
    """A bound on `-log p` of each whole canvas, end tokens included, for one random set of masked positions."""
    n_masked = 1 + _stratified(torch.full_like(lengths, CANVAS), generator)  # (B,)
    masked = _random_ranks(tokens.shape, generator) < n_masked[:, None]  # (B, L)
    log_probs = canvas_log_probs(network, with_begin(tokens.masked_fill(masked, MASK_ID), N_TOKENS))  # (B, L, V)
    nats = -log_probs.gather(2, tokens[:, :, None]).squeeze(2)
    return (nats * masked).sum(1) * CANVAS / n_masked


def any_order(network: Transformer, tokens: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
    """`-log p` of each whole canvas, end tokens included, along one random order: on average a bound."""
    orders = _random_ranks(tokens.shape, generator)  # (B, L)
    canvas = with_begin(torch.full_like(tokens, MASK_ID), N_TOKENS)  # (B, 1 + L)
    log_probs = any_order_log_probs(network, canvas, orders, tokens.gather(1, orders[:, :-1]))  # (B, L, V)
    return -log_probs.gather(2, tokens[:, :, None]).squeeze(2).sum(1)


def insertion(network: Transformer, tokens: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
    """A bound on `-log p` of each molecule, for one random set of dropped tokens."""
    inside = torch.arange(CANVAS) < lengths[:, None]  # (B, L)
    n_dropped = _stratified(lengths + 1, generator)  # (B,)
    ranks = _random_ranks(tokens.shape, generator).masked_fill(~inside, CANVAS).argsort(1).argsort(1)
    dropped = ranks < n_dropped[:, None]
    kept = inside & ~dropped
    n_kept = kept.sum(1)
    sequences = tokens.gather(1, kept.int().argsort(dim=1, descending=True, stable=True))[:, : int(n_kept.max())]
    slots, stop = insertion_log_probs(network, with_begin(sequences, N_TOKENS), n_kept)  # (B, S, V), (B,)
    gap = kept.cumsum(1)  # (B, L): the slot that a dropped token would fill
    said = slots.flatten(1).gather(1, (gap * slots.shape[2] + tokens) * dropped)  # (B, L)
    mean = torch.where(dropped, said, 0.0).sum(1) / n_dropped.clamp(min=1)
    action = torch.where(n_dropped == 0, stop, mean)
    return -(lengths + 1) * action - torch.lgamma(lengths + 1.0)


OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        "anyorder": any_order,
        "autoregressive": autoregressive,
        "diffusion": masked_diffusion,
        "insertion": insertion,
    }
)


def _stratified(counts: Tensor, generator: torch.Generator) -> Tensor:
    """`(B,)` integers, uniform below each count, evenly spread over the batch."""
    strata = torch.randperm(len(counts), generator=generator) + torch.rand(len(counts), generator=generator)
    return torch.minimum((strata / len(counts) * counts).long(), counts - 1)


def _random_ranks(shape: torch.Size, generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator).argsort(1)
