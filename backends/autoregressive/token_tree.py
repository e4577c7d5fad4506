"""Keys and values of prefixes that branch off one another: a tree of tokens in one row, each seeing its own path.

A token that has been evaluated after a path has a slot; a prefix costs the tokens of its path that have
none (its last token at least, since logits are not kept), and any number of prefixes is one pass over
one row, without copies and without padding (tree attention: Miao et al., "SpecInfer", 2024). The mask is
explicit: slot q sees slot k iff k is on the path to q. Memory: at most `most_slots` tokens, of which
`most_branches` lie beyond the path that a tree begins with; that path is taken over from a cached row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers.cache_utils import Cache

from pgen.backends.autoregressive.row_cache import STEP, RowLayer
from pgen.backends.autoregressive.row_plan import Tokens

ROOT = -1
"""In place of a slot: before the first token."""


class Growth(NamedTuple):
    """Tokens to evaluate, each after the slot of its parent; `wanted[i]` of them is the end of prefix i."""

    tokens: list[int]
    parents: list[int]
    wanted: list[int]


class TokenTree:
    """The slots of a tree, and one `RowLayer` a layer that holds their keys and values."""

    def __init__(self, n_layers: int, most_branches: int, most_slots: int) -> None:
        self._most_branches, self._most_slots = most_branches, most_slots
        self.layers = [RowLayer() for _ in range(n_layers)]
        self.states = Cache(layers=list(self.layers))
        self.forget()

    def forget(self) -> None:
        """Empty the tree; its memory is kept for what comes."""
        self._slots: dict[tuple[int, int], int] = {}
        self._depths: list[int] = []
        self._visible = np.zeros((0, 0), np.bool_)
        self._n_trunk = 0

    def __len__(self) -> int:
        return len(self._depths)

    @property
    def room(self) -> int:
        """How many more tokens fit."""
        return min(self._most_slots, self._most_branches + self._n_trunk) - len(self)

    @property
    def branches(self) -> bool:
        """Whether it holds more than the path that it began with."""
        return len(self) > self._n_trunk

    def held(self, tokens: Tokens) -> list[int]:
        """The slots of as many tokens of a path, from its beginning, as have some."""
        at, path = ROOT, list[int]()
        for token in tokens:
            if (at, token) not in self._slots:
                break
            at = self._slots[at, token]
            path.append(at)
        return path

    def begin(self, trunk: Tokens, rows: Sequence[RowLayer], row: int) -> None:
        """Start anew with a path that a row holds; with nothing if it does not fit."""
        self.forget()
        trunk = trunk if len(trunk) < self._most_slots else ()
        if trunk:
            self._reserve(len(trunk), rows)
            for layer, cached in zip(self.layers, rows, strict=True):
                layer.write(cached, row, len(trunk))
        self._add(list(trunk), list(range(-1, len(trunk) - 1)))
        self._n_trunk = len(trunk)

    def growth(self, prefixes: Sequence[Tokens], common: int, most: int) -> Growth | None:
        """What distinct prefixes lack, which share `common` tokens and have more.

        `None` if they lack more than `most` tokens, or these do not fit.
        """
        new: dict[tuple[int, int], int] = {}
        wanted = []
        trunk = self._walk(ROOT, prefixes[0][:common], new)
        for prefix in prefixes:
            end = self._walk(trunk, prefix[common:-1], new), prefix[-1]
            wanted.append(new.setdefault(end, len(self) + len(new)) - len(self))
            if len(new) > min(most, self.room):
                return None
        return Growth([token for _, token in new], [parent for parent, _ in new], wanted)

    def _walk(self, at: int, tokens: Tokens, new: dict[tuple[int, int], int]) -> int:
        for token in tokens:
            slot = self._slots.get((at, token))
            at = new.setdefault((at, token), len(self) + len(new)) if slot is None else slot
        return at

    def aim(self, growth: Growth, rows: Sequence[RowLayer]) -> tuple[list[int], np.ndarray[Any, np.dtype[np.bool_]]]:
        """Point every layer at the new slots; their positions `(Q,)`, and `(Q, used)` what each must not see."""
        size, used = len(self), len(self) + len(growth.tokens)
        self._reserve(used, rows)
        positions = torch.arange(size, used)[None]
        for layer in self.layers:
            layer.first, layer.positions, layer.used, layer.uniform = 0, positions, used, size
        depths, visible = self._placed(growth.parents)
        return depths[size:], ~visible[size:]

    def add(self, growth: Growth) -> None:
        """Record that the new slots hold what they were meant to."""
        self._add(growth.tokens, growth.parents)

    def _add(self, tokens: list[int], parents: list[int]) -> None:
        slots = range(len(self), len(self) + len(tokens))
        self._depths, self._visible = self._placed(parents)
        for parent, token, slot in zip(parents, tokens, slots, strict=True):
            self._slots.setdefault((parent, token), slot)

    def _placed(self, parents: list[int]) -> tuple[list[int], np.ndarray[Any, np.dtype[np.bool_]]]:
        """Depths and mutual visibility of all slots and new ones after `parents`."""
        size, depths = len(self), list(self._depths)
        visible = np.zeros((size + len(parents),) * 2, np.bool_)
        visible[:size, :size] = self._visible
        for slot, parent in enumerate(parents, size):
            depths.append(depths[parent] + 1 if parent != ROOT else 0)
            if parent != ROOT:
                visible[slot] = visible[parent]
            visible[slot, slot] = True
        return depths, visible

    def _reserve(self, used: int, rows: Sequence[RowLayer]) -> None:
        """Room for `used` slots in tensors like those of `rows`."""
        for layer, like in zip(self.layers, rows, strict=True):
            layer.extend(-(-used // STEP) * STEP, like)
