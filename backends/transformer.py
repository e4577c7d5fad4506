"""A small transformer that reads left to right or in both directions, told apart by its attention mask.

Blocks are pre-normalised: root-mean-square norms, rotary positions (Su et al. 2021)
beside learned ones, a GELU layer four times as wide; the output shares the embedding.

Symbols: B batch, T positions, D width, H heads, V tokens.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class TransformerShape(NamedTuple):
    """The sizes of a `Transformer`; `n_positions` bounds T, `n_outputs` is 0 or counts extra outputs of each row."""

    n_tokens: int
    n_positions: int
    width: int
    n_layers: int
    n_heads: int
    n_outputs: int = 0


class Transformer(nn.Module):
    """`features` makes vectors of token ids, `logits` rows over the vocabulary, and `extra` the rest of the outputs."""

    turns: Tensor

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.n_tokens, shape.width)
        self.position = nn.Embedding(shape.n_positions, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_layers))
        self.norm = nn.RMSNorm(shape.width)
        self.extra = nn.Linear(shape.width, shape.n_outputs) if shape.n_outputs else None
        self.register_buffer("turns", _rotations(shape), persistent=False)
        self.apply(self._initialise)

    def features(self, tokens: Tensor, mask: Tensor | None = None, places: Tensor | None = None) -> Tensor:
        """`(B, T, D)` from `tokens` `(B, T)`. `mask` broadcasts to `(B, 1, T, T)`: True where a row reads a token.

        `places` `(B, T)` are the positions of the rows, `0 .. T - 1` unless given; two rows may share one.
        """
        n = tokens.shape[1]
        positions, turns = self.position.weight[:n], self.turns[:n]  # (T, D), (T, 2, D / H)
        if places is not None:
            positions, turns = self.position(places), self.turns[places][:, None]  # (B, T, D), (B, 1, T, 2, D / H)
        x = self.embedding(tokens) + positions  # (B, T, D)
        for block in self.blocks:
            x = block(x, mask, turns)
        normed: Tensor = self.norm(x)
        return normed

    def logits(self, features: Tensor) -> Tensor:
        """`(..., V)` from `(..., D)`."""
        return features @ self.embedding.weight.T

    def _initialise(self, module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=1.0 / math.sqrt(self.shape.width))
        if isinstance(module, Block):
            for last in (module.out, module.down):
                nn.init.zeros_(last.weight)


class Block(nn.Module):
    """Attention, then a layer on each row alone, both added to what came in."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.n_heads = shape.n_heads
        self.norm_attention = nn.RMSNorm(shape.width)
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        self.norm_layer = nn.RMSNorm(shape.width)
        self.up = nn.Linear(shape.width, 4 * shape.width)
        self.down = nn.Linear(4 * shape.width, shape.width)

    def forward(self, x: Tensor, mask: Tensor | None, turns: Tensor) -> Tensor:
        """`(B, T, D)` from the same shape; `turns` are the rotations of its rows."""
        q, k, v = (self._heads(part) for part in self.qkv(self.norm_attention(x)).chunk(3, dim=-1))
        read = functional.scaled_dot_product_attention(_turned(q, turns), _turned(k, turns), v, attn_mask=mask)
        x = x + self.out(read.transpose(1, 2).flatten(2))
        added: Tensor = x + self.down(functional.gelu(self.up(self.norm_layer(x)), approximate="tanh"))
        return added

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.n_heads, -1).transpose(1, 2)  # (B, H, T, D / H)


def causal(n: int, device: torch.device | None = None) -> Tensor:
    """The mask of a left-to-right model, `(n, n)`."""
    return torch.ones(n, n, dtype=torch.bool, device=device).tril()


def _rotations(shape: TransformerShape) -> Tensor:
    """Cosines and sines by position and coordinate, `(n_positions, 2, D / H)`."""
    half = shape.width // shape.n_heads // 2
    angles = torch.outer(torch.arange(shape.n_positions), 1000.0 ** (-torch.arange(half) / half))
    angles = torch.cat([angles, angles], dim=1)
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    return x * turns[..., 0, :] + torch.cat([-right, left], dim=-1) * turns[..., 1, :]
