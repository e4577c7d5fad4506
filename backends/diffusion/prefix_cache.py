"""Finished blocks read once: approximate keys and values for LLaDA- and Dream-style models. Label: heuristic.

In a bidirectional model everything depends on everything, so that keys and values of finished
positions change with each commit. Fast-dLLM (Wu et al. 2025) keeps those of the prefix (prompt and
finished blocks) as they were when the block at work began, and refreshes them with the next
block. Here this is a function of the canvas, not of the history: the prefix is read beside the
canvas whose block at work is masked. So the approximation is a masked diffusion model of its own, and all
that is exact about such models is exact about it; it is not the model that was loaded.

A step reads R tokens, from the block at work on, instead of all T. Symbols: B canvases, L canvas length.
"""

from __future__ import annotations

import copy
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pgen.backends.base import Canvas, Tokens
from pgen.backends.diffusion.behind import Behind
from pgen.backends.diffusion.denoiser import Denoiser, normalised
from pgen.errors import InvalidArgument

N_PREFIXES = 16
"""How many prefixes keep their keys and values."""
Place = tuple[Tokens, int]
"""Tokens of prompt and canvas, the block at work masked, and where it begins."""


class _Prefix(NamedTuple):
    """Keys and values, and the logits `(V,)` at the last position."""

    cache: Any
    last: Tensor


class PrefixCached(Behind[Denoiser]):
    """`denoiser` with its prefix read once a block of `block` positions; use it with `text(..., block=block)`.

    Implements `pgen.backends.base.MaskedDiffusion`. Raises `InvalidArgument` for models that cannot keep
    keys and values (`...ForMaskedLM`).
    """

    block_length = None

    def __init__(self, denoiser: Denoiser, block: int) -> None:
        if denoiser.causal is None:
            raise InvalidArgument(
                f"{denoiser.name} keeps no keys and values", hint="LLaDA- and Dream-style checkpoints do"
            )
        if block < 1:
            raise InvalidArgument(f"block={block}: must be at least 1")
        super().__init__(denoiser, "prefix cached")
        self.denoiser, self.block, self.device = denoiser, block, denoiser.device
        self._prefixes: OrderedDict[Place, _Prefix] = OrderedDict()

    def marginals(self, prompts: Sequence[Tokens], canvases: Sequence[Canvas]) -> Tensor:
        length = len(canvases[0]) if canvases else 0
        rows = torch.full((len(canvases), length, len(self.vocabulary)), -torch.inf, device=self.device)
        groups: defaultdict[Place, list[int]] = defaultdict(list)
        for b, (prompt, canvas) in enumerate(zip(prompts, canvases, strict=True)):
            groups[self._place(prompt, canvas)].append(b)
        with torch.inference_mode():
            for (tokens, begin), members in groups.items():
                start = begin - len(prompts[members[0]])
                behind = [(*self._masked(canvases[b][start:]), *self.denoiser.behind) for b in members]
                logits = self._logits((tokens, begin), torch.tensor(behind, device=self.device))
                found = normalised(logits[:, : length - start], len(self.vocabulary), self.denoiser.mask_id, self.name)
                rows[torch.tensor(members, device=self.device), start:] = found
        return rows  # (B, L, V)

    def _place(self, prompt: Tokens, canvas: Canvas) -> Place:
        first = canvas.index(None) if None in canvas else len(canvas) - 1
        start = first // self.block * self.block
        end = min(start + self.block, len(canvas))
        held = (*canvas[:start], *[None] * (end - start), *canvas[end:])
        return (*prompt, *self._masked(held), *self.denoiser.behind), len(prompt) + start

    def _masked(self, canvas: Canvas) -> Tokens:
        return tuple(self.denoiser.mask_id if token is None else token for token in canvas)

    def _logits(self, place: Place, behind: Tensor) -> Tensor:
        """Logits `(B, R, V)` that predict the tokens `behind (B, R)` a prefix."""
        begin, model = place[1], self.denoiser.causal
        if begin == 0:
            logits: Tensor = model(input_ids=behind, attention_mask=_everything(behind, 0), use_cache=False).logits
            return torch.cat([logits[:, :1], logits[:, :-1]], dim=1) if self.denoiser.shifted else logits
        prefix = self._prefix(place)
        cache = copy.deepcopy(prefix.cache)
        cache.batch_repeat_interleave(len(behind))
        positions = torch.arange(begin, begin + behind.shape[1], device=self.device)[None]
        mask = _everything(behind, begin)
        logits = model(input_ids=behind, past_key_values=cache, position_ids=positions, attention_mask=mask).logits
        if not self.denoiser.shifted:
            return logits
        return torch.cat([prefix.last.expand(len(behind), 1, -1), logits[:, :-1]], dim=1)

    def _prefix(self, place: Place) -> _Prefix:
        if place not in self._prefixes:
            self._prefixes[place] = self._read(*place)
        self._prefixes.move_to_end(place)
        while len(self._prefixes) > N_PREFIXES:
            self._prefixes.popitem(last=False)
        return self._prefixes[place]

    def _read(self, tokens: Tokens, begin: int) -> _Prefix:
        inputs = torch.tensor([tokens], device=self.device)
        made = self.denoiser.causal(input_ids=inputs, attention_mask=_everything(inputs, 0), use_cache=True)
        made.past_key_values.crop(begin - len(tokens))
        return _Prefix(made.past_key_values, made.logits[0, begin - 1])


def _everything(tokens: Tensor, n_before: int) -> Tensor:
    """A mask `(B, 1, R, n_before + R)` under which everything is seen."""
    count = tokens.shape[1]
    return torch.ones(len(tokens), 1, count, n_before + count, dtype=torch.bool, device=tokens.device)
