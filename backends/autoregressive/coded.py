"""Weights that are codes of a few bits in blocks, kept as such: the same numbers in a fifth of the memory.

Models that were quantised and are run in float32 have weights w = scale · code + offset, where `BLOCK`
neighbouring inputs share a scale of half precision and an offset: codes of four bits with an
offset (Q4_1), or of eight without (Q8_0). A pass over few tokens takes as long as reading the weights does,
so they are read as codes and decoded in registers. A weight is coded only if every one of its numbers
comes out of its code bit for bit; products are those of float32, in another order of summation.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from pgen.backends.autoregressive.coded_kernels import BLOCK, LANES, LARGEST, encode

LARGEST_SIGNED = 127
"""The largest code of eight bits."""


class Coded(NamedTuple):
    """A weight `(O, I)`; `codes (O / LANES, I / 2, LANES)` uint8 for four bits, `(O / LANES, I, LANES)` int8 for eight.

    Of four bits the low half is the even input's. `scales` and `offsets` are float32 `(O / LANES, I / BLOCK, LANES)`.
    """

    codes: torch.Tensor
    scales: torch.Tensor
    offsets: torch.Tensor


def coded(weight: torch.Tensor) -> Coded | None:
    """The codes of a float32 weight `(O, I)` on the processor; `None` if it has none."""
    if weight.shape[0] % LANES or weight.shape[1] % BLOCK:
        return None
    weight = weight.detach()
    low, high = weight.view(len(weight), -1, BLOCK).aminmax(dim=-1)  # (O, I / BLOCK)
    largest = torch.maximum(-low, high)
    return _encoded(weight, high - low, low, 0, LARGEST) or _encoded(
        weight, largest, torch.zeros_like(low), -LARGEST_SIGNED, LARGEST_SIGNED
    )


def _encoded(
    weight: torch.Tensor, widths: torch.Tensor, offsets: torch.Tensor, lowest: int, highest: int
) -> Coded | None:
    """Codes of blocks that reach as far from their offset as the largest code does, `widths (O, I / BLOCK)`."""
    scales = (widths / highest).half().float()
    n_groups, n_inputs = len(weight) // LANES, weight.shape[1]
    octets = (n_inputs // 2, torch.uint8) if highest == LARGEST else (n_inputs, torch.int8)
    codes = torch.empty((n_groups, octets[0], LANES), dtype=octets[1])
    if not encode(weight.numpy(), scales.numpy(), offsets.numpy(), codes.numpy(), lowest, highest):
        return None
    return Coded(codes, _in_lanes(scales), _in_lanes(offsets))


def _in_lanes(values: torch.Tensor) -> torch.Tensor:
    """`(O, …)` as `(O / LANES, …, LANES)`."""
    return values.view(-1, LANES, values.shape[1]).transpose(1, 2).contiguous()
