"""Linear layers with weights repacked for the processor, used while a model runs and undone afterwards.

The general matrix product reads a weight once for up to 3 rows, and in a slower way for more;
oneDNN's product with a packed weight reads it once for a dozen. Next-token batches are that
small and bound by memory, so a batch of 8 takes about half the time. A weight is packed
when a batch first has use for it, at the price of a second copy, `PACKED_BYTES` at most over a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

import torch
from torch.nn.functional import linear

FEW_ROWS = 3
"""Up to so many rows the general product is as fast."""

PACKED_BYTES = 2 * 2**30
"""Models whose linear layers are larger are run as they are."""


class PackedLinear:
    """The forward pass of a linear layer on the processor in float32. Weights changed in place are packed anew."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        self.layer = layer
        self._packed: torch.Tensor | None = None
        self._packed_from: tuple[int, int] | None = None

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """`(..., in)` to `(..., out)`."""
        weight, bias = self.layer.weight, self.layer.bias
        if rows.numel() <= FEW_ROWS * weight.shape[1] or rows.dtype != weight.dtype:
            return linear(rows, weight, bias)
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, self._current(), bias, "none", [], "")
        return product

    def _current(self) -> torch.Tensor:
        weight = self.layer.weight
        version = weight.data_ptr(), weight._version
        if self._packed is None or self._packed_from != version:
            self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), None)
            self._packed_from = version
        return self._packed


class PackedLayers:
    """The linear layers of a model that can be packed; none where that is not to be had or takes too much memory."""

    def __init__(self, model: torch.nn.Module) -> None:
        layers = [module for module in model.modules() if _can_be_packed(module)]
        n_bytes = sum(layer.weight.nbytes for layer in layers)
        fits = n_bytes <= PACKED_BYTES and _is_available()
        self._layers: list[Any] = [PackedLinear(layer) for layer in layers] if fits else []

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within, the model runs with packed weights."""
        for packed in self._layers:
            packed.layer.forward = packed
        try:
            yield
        finally:
            for packed in self._layers:
                del packed.layer.forward


def _can_be_packed(module: torch.nn.Module) -> TypeGuard[torch.nn.Linear]:
    """Exactly a linear layer (no subclass, which may compute something else) that nobody has given another forward."""
    if type(module) is not torch.nn.Linear or "forward" in vars(module):
        return False
    weight = module.weight
    return bool(weight.device.type == "cpu" and weight.dtype == torch.float32 and not weight.is_inference())


def _is_available() -> bool:
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(available) and hasattr(torch.ops.mkldnn, "_linear_pointwise")
