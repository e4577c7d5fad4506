"""Keys and values kept for some steps: approximations of a bidirectional model. Label: heuristic.

In a bidirectional model each commit changes the keys and values of all positions. Two caches let
them be out of date for up to `refresh` steps, and then renew them all:

    DelayedCache   dKV-Cache (Ma et al. 2025): those of a committed token are kept from the step after its
                   commit on (the step before, a mask stood there); open positions are computed at every step
    BlockCache     Fast-dLLM's dual cache (Wu et al. 2025): within a block, those of everything before
                   and behind it are kept from the block's first step on; the block is computed at every step

They are models of their own, near the one that was loaded. What they say depends on the steps
before, so each canvas carries its way (`pgen.programs.trails`): results depend on a particle's own
way, never on what other particles did or what was asked before, and all that is exact about
masked diffusion models is exact about these. With `refresh=1` they are the model itself.

A step computes R of T positions. Symbols: B canvases, L positions of a canvas, V tokens.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pgen.backends.base import Canvas, Tokens
from pgen.backends.diffusion.behind import Behind
from pgen.backends.diffusion.denoiser import LOGITS_A_PASS, Denoiser, normalised
from pgen.backends.diffusion.kept_attention import Memory, kept_attention
from pgen.errors import InvalidArgument
from pgen.programs.trails import Trail, way_to

KEPT_BYTES = 1 << 29
"""Keys, values and rows that are kept."""
Way = tuple[Canvas, ...]
Asked = tuple[Tokens, Way]
"""A prompt, and the canvases since everything was computed, the last being the one asked about."""


class _Kept(NamedTuple):
    """Keys and values `(A, 2, H, T, D)` after a canvas, and log-probabilities `(L, V)` of its open positions."""

    memory: Tensor
    rows: Tensor

    @property
    def n_bytes(self) -> int:
        return self.memory.nbytes + self.rows.nbytes


class _Plan(NamedTuple):
    """Which `places` of a text are computed, which `rows` of the canvas come of it, and `at` which of the places."""

    places: list[int]
    rows: list[int]
    at: list[int]


class StepCache(Behind[Denoiser]):
    """Implements `pgen.backends.base.MaskedDiffusion` and `pgen.programs.trails.Remembers`.

    Raises `InvalidArgument` for models whose attention cannot be kept, and for a `refresh` below 1.
    """

    label = "heuristic"
    block_length = None
    kind: str

    def __init__(self, denoiser: Denoiser, refresh: int) -> None:
        if denoiser.module is None:
            raise InvalidArgument(
                f"{denoiser.name} is no class of transformers whose keys and values can be kept",
                hint="LLaDA- and Dream-style checkpoints are, and ...ForMaskedLM without windows of attention",
            )
        if refresh < 1:
            raise InvalidArgument(f"refresh={refresh}: must be at least 1, which keeps nothing")
        super().__init__(denoiser, f"{self.kind} for {refresh} steps")
        self.denoiser, self.refresh, self.device = denoiser, refresh, denoiser.device
        self._kept: OrderedDict[Asked, _Kept] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def following(self, before: Canvas, after: Canvas) -> Canvas:
        """`after` with its way; bare where everything is to be computed."""
        earlier = way_to(before)
        return after if len(earlier) >= self.refresh or self._renews(before, after) else Trail.of(after, earlier)

    def marginals(self, prompts: Sequence[Tokens], canvases: Sequence[Canvas]) -> Tensor:
        length = len(canvases[0]) if canvases else 0
        asked = [(prompt, way_to(canvas)) for prompt, canvas in zip(prompts, canvases, strict=True)]
        with self._lock, torch.inference_mode(), kept_attention(self.denoiser.module):
            found = self._computed(list(dict.fromkeys(asked)))
        rows = [found[each].rows for each in asked]
        return torch.stack(rows) if rows else torch.zeros(0, length, len(self.vocabulary), device=self.device)

    @abstractmethod
    def _renews(self, before: Canvas, after: Canvas) -> bool:
        """Whether a step from `before` to `after` ends what was kept."""

    @abstractmethod
    def _source(self, way: Way) -> Way:
        """The way whose keys and values the end of this one (of two canvases or more) builds on."""

    @abstractmethod
    def _fresh(self, way: Way) -> list[int]:
        """The positions of the canvas that are computed anew at the end of such a way, ascending."""

    @abstractmethod
    def _serves(self, way: Way) -> bool:
        """Whether other ways build on this one."""

    def _computed(self, asked: list[Asked]) -> dict[Asked, _Kept]:
        """What is known after each, computed where it must be: first what others build on."""
        known = {each: kept for each in asked if (kept := self._kept.get(each)) is not None}
        missing = [each for each in asked if each not in known]
        sources = {each: (each[0], self._source(each[1])) for each in missing if len(each[1]) > 1}
        before = self._computed(list(dict.fromkeys(sources.values()))) if sources else {}
        groups: defaultdict[tuple[int, bool], list[Asked]] = defaultdict(list)
        for each in missing:
            groups[len(each[0]), each in sources].append(each)
        for (n_prompt, builds), group in groups.items():
            size = max(1, LOGITS_A_PASS // (len(self.vocabulary) * (n_prompt + len(group[0][1][-1]))))
            for some in (group[i : i + size] for i in range(0, len(group), size)):
                earlier = [before[sources[each]] for each in some] if builds else None
                known.update(zip(some, self._read(some, earlier), strict=True))
        for each in missing:
            self._keep(each, known[each])
        return known

    def _read(self, asked: list[Asked], kept: list[_Kept] | None) -> list[_Kept]:
        """One forward pass for prompts of one length; without `kept`, all positions are computed."""
        texts = torch.tensor([self._text(*each) for each in asked], device=self.device)  # (B, T)
        every = range(texts.shape[1])
        plans = [self._plan(n, way, None if kept else every) for n, way in ((len(each[0]), each[1]) for each in asked)]
        longest = max(len(plan.places) for plan in plans)
        # Positions that come twice get the same keys and values twice.
        padded = [[*plan.places, *plan.places[:1] * (longest - len(plan.places))] for plan in plans]
        places = torch.tensor(padded, device=self.device)  # (B, R)
        memory = Memory(torch.stack([one.memory for one in kept]) if kept else None, places)
        logits = self._logits(texts, places, memory)  # (B, R, V)
        made = []
        for b, plan in enumerate(plans):
            rows = kept[b].rows.clone() if kept else self._nothing(len(asked[b][1][-1]))
            said = logits[b, torch.tensor(plan.at, dtype=torch.long, device=self.device)]
            rows[plan.rows] = normalised(said, len(self.vocabulary), self.denoiser.mask_id, self.name)
            made.append(_Kept(memory.whole[b], rows))
        return made

    def _plan(self, n_prompt: int, way: Way, every: range | None) -> _Plan:
        shift, canvas = int(self.denoiser.shifted), way[-1]
        rows = [*range(len(canvas))] if every else self._fresh(way)
        said = [max(n_prompt + i - shift, 0) for i in rows]
        places = [*every] if every else sorted({*said, *(n_prompt + i for i in rows)})
        index = {place: k for k, place in enumerate(places)}
        return _Plan(places, rows, [index[place] for place in said])

    def _logits(self, texts: Tensor, places: Tensor, memory: Memory) -> Tensor:
        everything = texts.new_ones((len(texts), 1, places.shape[1], texts.shape[1]), dtype=torch.bool)
        logits: Tensor = self.denoiser.module(
            input_ids=texts.gather(1, places),
            position_ids=self.denoiser.position_ids(texts).gather(1, places),
            attention_mask=everything,
            use_cache=False,
            memory=memory,
        ).logits
        return logits

    def _text(self, prompt: Tokens, way: Way) -> Tokens:
        mask = self.denoiser.mask_id
        return (*prompt, *(mask if token is None else token for token in way[-1]), *self.denoiser.behind)

    def _nothing(self, length: int) -> Tensor:
        return torch.full((length, len(self.vocabulary)), -torch.inf, device=self.device)

    def _keep(self, asked: Asked, kept: _Kept) -> None:
        if self._serves(asked[1]):
            self._kept[asked] = kept
            self._n_bytes += kept.n_bytes
        while self._n_bytes > KEPT_BYTES:
            self._n_bytes -= self._kept.popitem(last=False)[1].n_bytes


class DelayedCache(StepCache):
    """`denoiser` with the keys and values of committed tokens kept, all computed anew every `refresh` steps."""

    kind = "committed tokens kept"

    def __init__(self, denoiser: Denoiser, refresh: int = 4) -> None:
        super().__init__(denoiser, refresh)

    def _renews(self, before: Canvas, after: Canvas) -> bool:
        return False

    def _source(self, way: Way) -> Way:
        return way[:-1]

    def _fresh(self, way: Way) -> list[int]:
        return [i for i, (before, now) in enumerate(zip(*way[-2:], strict=True)) if before is None or now is None]

    def _serves(self, way: Way) -> bool:
        return len(way) < self.refresh


class BlockCache(StepCache):
    """`denoiser` with all outside of the block at work kept; use it with `text(..., block=block)`.

    All is computed anew where a block begins, and every `refresh` steps (default: at the beginning of blocks
    only). Marginals behind the block are those of its beginning.
    """

    kind = "all but a block kept"

    def __init__(self, denoiser: Denoiser, block: int, refresh: int | None = None) -> None:
        if block < 1:
            raise InvalidArgument(f"block={block}: must be at least 1")
        super().__init__(denoiser, block if refresh is None else refresh)
        self.block = block

    def _renews(self, before: Canvas, after: Canvas) -> bool:
        return self._begin(before) != self._begin(after)

    def _begin(self, canvas: Canvas) -> int:
        """Where the block at work begins."""
        return canvas.index(None) // self.block * self.block if None in canvas else len(canvas)

    def _source(self, way: Way) -> Way:
        return way[:1]

    def _fresh(self, way: Way) -> list[int]:
        begin = self._begin(way[-1])
        return [*range(begin, min(begin + self.block, len(way[-1])))]

    def _serves(self, way: Way) -> bool:
        return len(way) == 1 < self.refresh
