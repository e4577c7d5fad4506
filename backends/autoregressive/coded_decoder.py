"""Passes over a few tokens of a quantised model of Llama's kind, by kernels that read its weights as codes.

Weights are the same float32 numbers and arithmetic is that of float32; only the bytes read (a fifth) and the
order of summation differ from a pass of `transformers`. `MOST_TOKENS` bounds a pass: with more tokens arithmetic
takes longer than reading, and the general product, on all processors, is faster. A pass is shared out to as many
threads as torch has where it falls into parts (`shares`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pgen.backends.autoregressive.coded import Coded, coded
from pgen.backends.autoregressive.coded_kernels import Floats, linear
from pgen.backends.autoregressive.decoder_kernels import Ints, LayerWeights, Seats, Weight, layer, normed
from pgen.backends.autoregressive.row_cache import RowLayer
from pgen.backends.autoregressive.shares import Crew, parts

KINDS = ("llama", "mistral", "qwen2")
"""Types of model whose layers are of this form."""

MOST_TOKENS = 64
"""The most tokens of a thread's part, over the number of threads that torch would have for it."""


class NotCoded(Exception):
    """A model that the kernels do not serve."""


class CodedDecoder:
    """The passes of one model, coded when they are first needed; `NotCoded` if kernels do not serve its kind."""

    def __init__(self, model: Any) -> None:
        if not _is_known(model):
            raise NotCoded
        self._model, self._decoder = model, model.model
        self._parameters = list(model.parameters())
        self._made_from: list[tuple[int, int]] | None = None
        self._layers: list[LayerWeights] = []
        self._head: Weight | None = None
        self._crew = Crew()

    def serves(self, n_tokens: int) -> bool:
        """Whether a pass is for the kernels of which a thread has so many tokens."""
        if n_tokens * torch.get_num_threads() > MOST_TOKENS:
            return False
        version = [(weight.data_ptr(), weight._version) for weight in self._parameters]
        if version != self._made_from:
            self._made_from, self._head = version, None
            self._code()
        return self._head is not None

    def _code(self) -> None:
        try:
            self._layers = [_layer_weights(layer) for layer in self._decoder.layers]
            self._head = _weight(self._model.lm_head)
        except NotCoded:
            self._layers = []

    def __call__(
        self,
        ids: torch.Tensor,
        visible: NDArray[np.bool_],
        positions: torch.Tensor,
        cached: Sequence[RowLayer],
        columns: torch.Tensor,
    ) -> torch.Tensor | None:
        """Logits `(B, columns, V)` after tokens `ids (B, Q)` that look at `visible (B, 1, Q, used)`.

        `None` if the pass is not for the kernels.
        """
        if ids.numel() > MOST_TOKENS:
            return None
        seats = _seats(cached[0], ids.shape, visible)
        shares = parts(seats, ids.shape[1], self._crew.size)
        if not self.serves(max(map(len, shares))):
            return None
        hidden = self._decoder.embed_tokens(ids)  # (B, Q, E)
        cos, sin = (part.flatten(0, 1).numpy() for part in self._decoder.rotary_emb(hidden, positions))  # (B · Q, D)
        rows, asked = hidden.flatten(0, 1).numpy(), np.zeros(ids.shape, np.bool_)
        asked[:, columns.numpy()] = True

        def said(share: Ints) -> Floats:
            at = Seats(seats.rows[share], seats.slots[share], seats.visible[share])
            return self._said(self._through(rows[share], cos[share], sin[share], cached, at)[asked.reshape(-1)[share]])

        found = self._crew.run(said, shares)
        logits = found[0] if len(found) == 1 else _dealt_back(found, shares, asked.reshape(-1))
        return torch.from_numpy(logits).view(len(ids), len(columns), -1)

    def _through(self, rows: Floats, cos: Floats, sin: Floats, cached: Sequence[RowLayer], seats: Seats) -> Floats:
        """Tokens `rows (R, E)` after the last layer."""
        epsilon = self._decoder.norm.variance_epsilon
        for weights, states in zip(self._layers, cached, strict=True):
            layer(rows, weights, cos, sin, *states.arrays, seats, epsilon)
        return rows

    def _said(self, rows: Floats) -> Floats:
        """Logits `(R, V)` of tokens `rows (R, E)` that have gone through the layers."""
        assert self._head is not None
        norm, logits = self._decoder.norm, np.empty((len(rows), len(self._head.bias)), np.float32)
        linear(*self._head, normed(rows, norm.weight.detach().numpy(), norm.variance_epsilon), logits)
        return logits


def _dealt_back(found: Sequence[Floats], shares: Sequence[Ints], asked: NDArray[np.bool_]) -> Floats:
    """The logits `(…, V)` of the tokens `asked (R,)` of each share, in the order of all tokens."""
    place = np.cumsum(asked) - 1
    logits = np.empty((np.count_nonzero(asked), found[0].shape[1]), np.float32)
    for share, said in zip(shares, found, strict=True):
        logits[place[share[asked[share]]]] = said
    return logits


def _seats(states: RowLayer, shape: torch.Size, visible: NDArray[np.bool_]) -> Seats:
    """The seats of a batch `(B, Q)` that the layers have been aimed at."""
    n_rows, width = shape
    rows = np.repeat(np.arange(states.first, states.first + n_rows), width)
    return Seats(rows, states.positions.numpy().reshape(-1), visible.reshape(n_rows * width, -1))


def _is_known(model: Any) -> bool:
    config = model.config
    if getattr(config, "model_type", None) not in KINDS or config.hidden_act != "silu":
        return False
    on_processor = all(p.device.type == "cpu" and p.dtype == torch.float32 for p in model.parameters())
    return on_processor and not any(_is_watched(module) for module in model.modules())


def _is_watched(module: Any) -> bool:
    """Whether somebody waits for the module to be called, or has given it another forward."""
    return bool(module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))


def _layer_weights(layer: Any) -> LayerWeights:
    attention, mlp = layer.self_attn, layer.mlp
    return LayerWeights(
        before_attention=layer.input_layernorm.weight.detach().numpy(),
        query=_weight(attention.q_proj),
        key=_weight(attention.k_proj),
        value=_weight(attention.v_proj),
        joined=_weight(attention.o_proj),
        before_mlp=layer.post_attention_layernorm.weight.detach().numpy(),
        gate=_weight(mlp.gate_proj),
        up=_weight(mlp.up_proj),
        down=_weight(mlp.down_proj),
    )


def _weight(linear: Any) -> Weight:
    found: Coded | None = coded(linear.weight) if type(linear) is torch.nn.Linear else None
    if found is None:
        raise NotCoded
    codes, scales, offsets = (part.flatten(1).numpy() for part in found)
    bias = torch.zeros(len(linear.weight)) if linear.bias is None else linear.bias.detach()
    return Weight(codes, scales, offsets, bias.numpy())
