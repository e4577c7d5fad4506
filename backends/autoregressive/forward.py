"""Logits after any prefixes: cached rows where the architecture allows it, plain forward passes otherwise.

`CachedForward` runs prefixes that branch off one another as one tree of tokens, unless there is no room in it or it
lacks more of them. Otherwise it groups prefixes by how many tokens are missing, computes a long part
that several of them share only once, and runs each group as one padded batch of rows, which take over what
the tree holds.
`PlainForward` recomputes everything; it serves models with sliding windows or
recurrent state. Results differ by float rounding only, whatever was asked before.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pgen.backends.autoregressive.coded_decoder import CodedDecoder, NotCoded
from pgen.backends.autoregressive.packed import PackedLayers
from pgen.backends.autoregressive.row_cache import RowCache
from pgen.backends.autoregressive.row_plan import Plan, Tokens
from pgen.backends.autoregressive.token_tree import TokenTree

SHARED_TOKENS = 8
"""A part that several prefixes share is computed on its own if it is at least this long."""

TREE_TOKENS = 512
"""The most tokens of a tree beyond its trunk: every pass looks at all of them, and rows do not know them."""

TREE_SHARE = 8
"""A tree has one part in so many of the memory."""

PASS_TOKENS = 4096
"""The most tokens, padding included, of one forward pass over several prefixes."""


class Request(NamedTuple):
    """A prefix, and after how many of its last tokens logits are wanted."""

    tokens: Tokens
    n_last: int = 1


class PlainForward:
    """Every request is a forward pass of its own length; requests of equal length share one."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self._model = model
        self._device = device
        self._layers = PackedLayers(model)

    def forget(self) -> None:
        """There is nothing to drop."""

    @torch.inference_mode()
    def __call__(self, requests: Sequence[Request]) -> list[torch.Tensor]:
        """For each request `(n_last, V)` float32 logits."""
        results: list[torch.Tensor | None] = [None] * len(requests)
        for length in {len(request.tokens) for request in requests}:
            same = [i for i, request in enumerate(requests) if len(request.tokens) == length]
            n_last = max(requests[i].n_last for i in same)
            ids = torch.tensor([requests[i].tokens for i in same], device=self._device)  # (B, L)
            with self._layers.in_use():
                logits = self._model(ids, use_cache=False).logits[:, -n_last:].float()
            for i, rows in zip(same, logits, strict=True):
                results[i] = rows[n_last - requests[i].n_last :]
        return [rows for rows in results if rows is not None]


class CachedForward:
    """Forward passes over the tokens that no cached row holds."""

    def __init__(self, model: Any, device: torch.device, context_length: int, max_bytes: int) -> None:
        self._model = model
        self._device = device
        self._last_position = context_length - 1
        self._dtype = next(model.parameters()).dtype
        self._cache = RowCache(model.config, self._dtype, device, max_bytes - max_bytes // TREE_SHARE)
        self._keeps_logits = "logits_to_keep" in inspect.signature(model.forward).parameters
        self._layers = PackedLayers(model)
        try:
            self._coded: CodedDecoder | None = CodedDecoder(model)
        except NotCoded:
            self._coded = None
        self._tree = TokenTree(len(self._cache.layers), TREE_TOKENS, self._cache.most_tokens // TREE_SHARE)

    def forget(self) -> None:
        """Drop all that is cached."""
        self._cache.forget()
        self._tree.forget()

    @torch.inference_mode()
    def __call__(self, requests: Sequence[Request]) -> list[torch.Tensor]:
        """For each request, all with distinct tokens, `(n_last, V)` float32 logits."""
        missing = self._missing(requests)
        if len(requests) > 1 and max(missing) > SHARED_TOKENS:
            for part in _shared_parts(requests, missing):
                self._run([Request(part)])
            missing = self._missing(requests)
        if (grown := self._branching(requests, sum(missing))) is not None:
            return grown
        results: dict[int, torch.Tensor] = {}
        for group in self._groups(requests, missing):
            rows = self._run([requests[i] for i in group])
            results.update(zip(group, rows, strict=True))
        if self._tree.room < len(requests):
            self._tree.forget()
        return [results[i] for i in range(len(requests))]

    def _branching(self, requests: Sequence[Request], most: int) -> list[torch.Tensor] | None:
        """Logits from one pass over a tree of tokens, `None` if that takes more than `most` tokens."""
        if any(request.n_last > 1 for request in requests) or not self._cache.table.n_rows:
            return None
        if len(requests) == 1 and not self._tree.branches:
            return None
        prefixes = [request.tokens for request in requests]
        common = min(min(_common(prefixes[0], prefix) for prefix in prefixes), min(map(len, prefixes)) - 1)
        shared = self._cache.table.shared(prefixes[0], common)
        if shared.max() > len(self._tree.held(prefixes[0][:common])):
            self._tree.begin(prefixes[0][: shared.max()], self._cache.layers, int(shared.argmax()))
        growth = self._tree.growth(prefixes, common, most)
        if growth is None:
            return None
        positions, hidden = self._tree.aim(growth, self._cache.layers)
        columns, at = np.unique(growth.wanted, return_inverse=True)
        logits = self._logits(
            torch.tensor([growth.tokens]),
            torch.from_numpy(hidden)[None, None],
            torch.tensor([positions]),
            self._tree,
            columns,
        )
        self._tree.add(growth)
        return [logits[0, i : i + 1] for i in at.tolist()]

    def _missing(self, requests: Sequence[Request]) -> list[int]:
        """How many tokens of each request have to be computed."""
        longest = self._cache.table.longest
        return [len(r.tokens) - max(longest(r.tokens, len(r.tokens) - r.n_last), len(self._held(r))) for r in requests]

    def _held(self, request: Request) -> list[int]:
        """The slots of the tree that a request can use."""
        return self._tree.held(request.tokens[: len(request.tokens) - request.n_last])

    def _groups(self, requests: Sequence[Request], missing: list[int]) -> Iterator[list[int]]:
        """Indices of requests with similar numbers of missing tokens: at most half of a group's batch is padding."""
        group: list[int] = []
        for i in sorted(range(len(requests)), key=lambda i: -missing[i]):
            grown = [*group, i]
            padded = missing[grown[0]] * len(grown)
            fits = len(grown) <= self._cache.most_rows(max(len(requests[j].tokens) for j in grown))
            if group and not (fits and padded <= min(PASS_TOKENS, 2 * sum(missing[j] for j in grown))):
                yield group
                grown = [i]
            group = grown
        yield group

    def _run(self, requests: Sequence[Request]) -> list[torch.Tensor]:
        """One batch: find rows, copy what they lack, and compute what is missing."""
        cache, plan = self._cache, self._planned(requests)
        if plan is None:
            half = len(requests) // 2
            return [*self._run(requests[:half]), *self._run(requests[half:])]
        cache.copy(plan, [request.tokens for request in requests])
        served = [requests[i] for i in plan.order]
        plan = self._taken_over(plan, served)
        missing = [len(r.tokens) - n for r, n in zip(served, plan.cached, strict=True)]
        logits, columns = self._batch(plan, served, missing)
        for at, request in enumerate(served):
            cache.table.hold(plan.first + at, request.tokens)
        results: dict[int, torch.Tensor] = {}
        for at, (i, request) in enumerate(zip(plan.order, served, strict=True)):
            end = int(np.searchsorted(columns, missing[at]))
            results[i] = logits[at, end - request.n_last : end]
        return [results[i] for i in range(len(requests))]

    def _planned(self, requests: Sequence[Request]) -> Plan | None:
        """Rows with room for the batch, padding included; `None` if so many rows of that length are too much memory.

        Making room may drop rows, which leaves more to compute, so plan again until it fits.
        """
        prefixes = [request.tokens for request in requests]
        room = max(map(len, prefixes))
        while True:
            self._cache.reserve(len(prefixes), room)
            plan = self._cache.table.plan(prefixes, [len(r.tokens) - r.n_last for r in requests])
            cached = [max(n, len(self._held(requests[i]))) for i, n in zip(plan.order, plan.cached, strict=True)]
            width = max(len(prefixes[i]) - n for i, n in zip(plan.order, cached, strict=True))
            room = max(cached) + width
            if room <= self._cache.table.capacity:
                return plan
            if len(prefixes) > max(self._cache.most_rows(room), 1):
                return None

    def _taken_over(self, plan: Plan, served: Sequence[Request]) -> Plan:
        """The plan after rows have taken over what only the tree holds."""
        paths = [self._held(request) for request in served]
        taken = [
            (plan.first + at, n, path[n])
            for at, (path, cached) in enumerate(zip(paths, plan.cached, strict=True))
            for n in range(cached, len(path))
        ]
        if taken:
            rows, places, slots = torch.tensor(taken, device=self._device).T
            for row, branch in zip(self._cache.layers, self._tree.layers, strict=True):
                row.take(branch, rows, places, slots)
        return plan._replace(cached=[max(n, len(path)) for n, path in zip(plan.cached, paths, strict=True)])

    def _batch(
        self, plan: Plan, served: Sequence[Request], missing: list[int]
    ) -> tuple[torch.Tensor, NDArray[np.int64]]:
        """Logits `(B, columns, V)` of a batch padded on the right, and which query positions the columns are."""
        cached, width = np.array(plan.cached, np.int64), max(missing)
        ids = np.zeros((len(served), width), np.int64)  # (B, Q)
        for at, request in enumerate(served):
            ids[at, : missing[at]] = request.tokens[cached[at] :]
        positions = cached[:, None] + np.arange(width)  # (B, Q)
        used = int(positions.max()) + 1
        place = torch.from_numpy(positions).to(self._device)
        self._cache.aim(plan.first, place, used, int(cached[0]) if (cached == cached[0]).all() else None)
        columns = np.unique(np.concatenate([np.arange(m - r.n_last, m) for m, r in zip(missing, served, strict=True)]))
        hidden = torch.arange(used) > torch.from_numpy(positions)[:, None, :, None]  # (B, 1, Q, used)
        # Padding may lie beyond the last position that the model knows; nothing looks at it.
        known = torch.from_numpy(positions).clamp(max=self._last_position)
        return self._logits(torch.from_numpy(ids), hidden, known, self._cache, columns), columns

    def _logits(
        self,
        ids: torch.Tensor,
        hidden: torch.Tensor,
        positions: torch.Tensor,
        cached: RowCache | TokenTree,
        columns: NDArray[np.int64],
    ) -> torch.Tensor:
        """`(B, columns, V)` after tokens `ids (B, Q)` that do not look where `hidden (B, 1, Q, used)`."""
        wanted = torch.from_numpy(columns).to(self._device)
        if self._coded is not None:
            coded = self._coded(ids, ~hidden.numpy(), positions, cached.layers, wanted)
            if coded is not None:
                return coded
        hidden = hidden.to(self._device)
        mask = torch.zeros_like(hidden, dtype=self._dtype).masked_fill_(hidden, torch.finfo(self._dtype).min)
        ids, positions = ids.to(self._device), positions.to(self._device)
        keep = {"logits_to_keep": wanted} if self._keeps_logits else {}
        with self._layers.in_use():
            output = self._model(
                ids, attention_mask=mask, position_ids=positions, past_key_values=cached.states, use_cache=True, **keep
            )
        logits: torch.Tensor = output.logits if self._keeps_logits else output.logits[:, columns]
        return logits.float()


def _shared_parts(requests: Sequence[Request], missing: list[int]) -> Iterator[Tokens]:
    """Beginnings that several requests share and of which at least `SHARED_TOKENS` tokens are missing."""
    run: list[Request] = []
    cached = 0
    for request, absent in sorted(zip(requests, missing, strict=True)):
        if run and _common(run[0].tokens, request.tokens) - cached >= SHARED_TOKENS:
            run.append(request)
            continue
        yield from _beginning(run)
        run, cached = [request], len(request.tokens) - absent
    yield from _beginning(run)


def _beginning(run: list[Request]) -> Iterator[Tokens]:
    """What all requests of a run share, short of what any of them needs logits after."""
    if len(run) > 1:
        common = min(_common(run[0].tokens, request.tokens) for request in run[1:])
        common = min([common, *(len(request.tokens) - request.n_last for request in run)])
        if common >= SHARED_TOKENS:
            yield run[0].tokens[:common]


def _common(left: Tokens, right: Tokens) -> int:
    most = min(len(left), len(right))
    return next((i for i in range(most) if left[i] != right[i]), most)
