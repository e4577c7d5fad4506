"""Keys and values of many token paths in preallocated tensors, behind transformers' cache interface.

Layer l keeps `keys, values (rows, heads, capacity, dim)`. A forward pass over a window
of rows writes the new positions in place and attends to a view: nothing is
concatenated, nothing gathered. Rows may differ in length, so positions are given per
row and the attention mask is explicit. Memory: rows · capacity · bytes per token,
bounded by `max_bytes`; capacity grows in steps of `STEP` tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.cache_utils import Cache, CacheLayerMixin

from pgen.backends.autoregressive.row_plan import Plan, RowTable, Tokens

STEP = 64


class RowLayer(CacheLayerMixin):
    """One layer's rows. `first`, `positions (B, Q)` and `used` say where the next update goes."""

    is_sliding = False

    def __init__(self) -> None:
        super().__init__()
        self.first = 0
        self.used = 0
        self.positions = torch.zeros((1, 1), dtype=torch.long)
        self.uniform: int | None = None
        self._arrays: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        raise AssertionError("rows are allocated before they are used")

    def allocate(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        self.keys, self.values = keys, values
        self._arrays = None
        self.is_initialized = True

    @property
    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Keys and values as arrays over the same memory; for float32 on the processor."""
        if self._arrays is None:
            assert self.keys is not None
            assert self.values is not None
            self._arrays = self.keys.numpy(), self.values.numpy()
        return self._arrays

    def extend(self, capacity: int, like: RowLayer) -> None:
        """Make this one row of at least `capacity` tokens, like those of another layer; keeps what it has."""
        assert like.keys is not None
        assert like.values is not None
        if self.keys is not None and self.keys.shape[2] >= capacity:
            return
        wider = [old.new_zeros((1, old.shape[1], capacity, old.shape[3])) for old in (like.keys, like.values)]
        if self.keys is not None and self.values is not None:
            for new, old in zip(wider, (self.keys, self.values), strict=True):
                new[:, :, : old.shape[2]] = old
        self.allocate(*wider)

    def write(self, other: RowLayer, row: int, length: int) -> None:
        """Copy the first `length` tokens of another layer's row to the first row of this one."""
        for mine, theirs in ((self.keys, other.keys), (self.values, other.values)):
            assert mine is not None
            assert theirs is not None
            mine[0, :, :length] = theirs[row, :, :length]

    def take(self, other: RowLayer, rows: torch.Tensor, places: torch.Tensor, slots: torch.Tensor) -> None:
        """Copy tokens from `slots (n,)` of another layer's first row to `places (n,)` in `rows (n,)` of this one."""
        for mine, theirs in ((self.keys, other.keys), (self.values, other.values)):
            assert mine is not None
            assert theirs is not None
            mine[rows, :, places] = theirs[0, :, slots].transpose(0, 1)  # (n, heads, dim)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write `(B, heads, Q, dim)` states and return all that the batch may attend to."""
        assert self.keys is not None
        assert self.values is not None
        size, length = key_states.shape[0], key_states.shape[2]
        rows = slice(self.first, self.first + size)
        if self.uniform is not None:
            places = slice(self.uniform, self.uniform + length)
            self.keys[rows, :, places] = key_states
            self.values[rows, :, places] = value_states
        else:
            row_numbers = torch.arange(self.first, self.first + size, device=self.keys.device)[:, None]
            self.keys[row_numbers, :, self.positions] = key_states.transpose(1, 2)
            self.values[row_numbers, :, self.positions] = value_states.transpose(1, 2)
        return self.keys[rows, :, : self.used], self.values[rows, :, : self.used]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.used, 0

    def get_seq_length(self) -> int:
        return self.used - self.positions.shape[1]

    def get_max_length(self) -> int:
        return -1


class RowCache:
    """Rows for a model: the table of what they hold, and one `RowLayer` a layer."""

    def __init__(self, config: Any, dtype: torch.dtype, device: torch.device, max_bytes: int) -> None:
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.layers = [RowLayer() for _ in range(config.num_hidden_layers)]
        self.states = Cache(layers=list(self.layers))
        self.table = RowTable(0, 0)
        self._shape = (heads, dim)
        self._dtype, self._device = dtype, device
        self._max_bytes = max_bytes
        self._token_bytes = 2 * heads * dim * dtype.itemsize * config.num_hidden_layers

    def most_rows(self, length: int) -> int:
        """How many rows of `length` tokens fit into `max_bytes`; at least one."""
        return max(self._max_bytes // int(self._token_bytes * _rounded(length)), 1)

    @property
    def most_tokens(self) -> int:
        """How many tokens fit into `max_bytes`."""
        return self._max_bytes // int(self._token_bytes)

    def reserve(self, n_rows: int, length: int) -> None:
        """Make room for a batch of `n_rows` prefixes of up to `length` tokens; what is cached is kept if it fits."""
        capacity = max(_rounded(length), self.table.capacity)
        if n_rows > self.most_rows(capacity):
            capacity = _rounded(length)
        wanted = max(n_rows + 8, 32, self.table.n_rows)
        rows = max(min(wanted, self.most_rows(capacity)), n_rows)
        if (rows, capacity) == (self.table.n_rows, self.table.capacity):
            return
        # Only once every tensor is replaced may the table speak of the new rows.
        table, kept = self.table.resized(rows, capacity)
        self.table = RowTable(0, 0)
        for layer in self.layers:
            layer.allocate(*(self._moved(old, kept, rows, capacity) for old in (layer.keys, layer.values)))
        self.table = table

    def forget(self) -> None:
        """Empty every row; their memory is kept for what comes."""
        self.table = RowTable(self.table.n_rows, self.table.capacity)

    def _moved(self, old: torch.Tensor | None, kept: NDArray[np.int64], rows: int, capacity: int) -> torch.Tensor:
        heads, dim = self._shape
        new = torch.zeros((rows, heads, capacity, dim), dtype=self._dtype, device=self._device)
        if old is not None and len(kept):
            width = min(capacity, old.shape[2])
            new[: len(kept), :, :width] = old[torch.from_numpy(kept).to(self._device), :, :width]
        return new

    def copy(self, plan: Plan, prefixes: list[Tokens]) -> None:
        """Carry out the copies of a plan, and drop from the table what they overwrite."""
        table = self.table
        for at in range(len(plan.order)):
            row = plan.first + at
            table.length[row] = min(int(table.length[row]), plan.cached[at]) if _stays(plan, row) else 0
        if plan.copies:
            sources, targets = torch.tensor(plan.copies, device=self._device).T
            for layer in self.layers:
                for states in (layer.keys, layer.values):
                    assert states is not None
                    # Indexing copies, so a row may be both source and target.
                    states[targets, :, : plan.copied] = states[sources, :, : plan.copied]
        for at, i in enumerate(plan.order):
            table.hold(plan.first + at, prefixes[i][: plan.cached[at]])

    def aim(self, first: int, positions: torch.Tensor, used: int, uniform: int | None) -> None:
        """Point every layer at the rows and positions `(B, Q)` of the coming forward pass."""
        for layer in self.layers:
            layer.first, layer.positions, layer.used, layer.uniform = first, positions, used, uniform


def _stays(plan: Plan, row: int) -> bool:
    return all(row != target for _, target in plan.copies)


def _rounded(length: int) -> int:
    return -(-max(length, 1) // STEP) * STEP
