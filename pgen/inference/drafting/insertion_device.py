"""Steps of insertion drafts on the device of their model.

The gaps of the batch of the step before are kept: a state that came of one of its rows by an insertion
is worked out from that row, whatever was resampled in between, others from the whole sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch

from pgen.gaps.automaton import GapAutomaton, GapState
from pgen.gaps.device import DeviceGaps, GapBatch, joined, picked
from pgen.gaps.device_step import DeviceMasses, OpenGaps, device_draws, device_masses
from pgen.inference.drafting.graph_drafts import grouped, once

if TYPE_CHECKING:
    from torch import Tensor

    from pgen.backends.base import Tokens
    from pgen.gaps.step import Drawn
    from pgen.inference.context import Context
    from pgen.programs.insertion_process import InsertionProcess, InsertionState
    from pgen.sampling.rng import Rng


class TensorInsertion(Protocol):
    """An insertion model whose log-probabilities may stay on their device."""

    @property
    def masks_on_device(self) -> bool:
        """Whether drafts are to be constrained there."""
        ...

    def insertion_tensors(self, sequences: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
        """Log-probabilities `(B, S, V)` of insertions, with filling beyond a sequence, and of the stop `(B,)`."""
        ...


class DeviceSteps:
    """The gaps that the drafts of one run had in their last step."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._tracked: dict[tuple[int, torch.device], _TrackedGaps] = {}

    def drawn(self, requests: Sequence[tuple[InsertionProcess, InsertionState]], rngs: Sequence[Rng]) -> list[Drawn]:
        """A draw after each state, for processes that share a model; equal sequences are evaluated once."""
        drawn: dict[int, Drawn] = {}
        sequences, places = once([process.sequence(state) for process, state in requests])
        size, model = self.context.batch_size, cast("TensorInsertion", requests[0][0].model)
        for first in range(0, len(sequences), size):
            log_probs, stop = model.insertion_tensors(sequences[first : first + size])
            inside = [i for i, place in enumerate(places) if first <= place < first + size]
            for indices in grouped(inside, lambda i: id(requests[i][0])):
                rows = torch.tensor([places[i] - first for i in indices], device=stop.device)
                states = [requests[i][1] for i in indices]
                masses = self._masses(log_probs[rows], stop[rows], requests[indices[0]][0], states)
                drawn.update(zip(indices, device_draws(masses, [rngs[i] for i in indices]), strict=True))
        self.context.n_evaluations += len(sequences)
        return [drawn[i] for i in range(len(requests))]

    def _masses(
        self, log_probs: Tensor, stop: Tensor, process: InsertionProcess, states: Sequence[InsertionState]
    ) -> DeviceMasses:
        """What is allowed after every state; rows of `log_probs (B, S, V)` and `stop (B,)` say what may come."""
        tracked = [self._of(gaps, log_probs.device) for gaps in process.gaps]
        batches = [each.batch([cast("GapState", state.holes[i]) for state in states]) for i, each in enumerate(tracked)]
        needs = torch.stack([each.gaps.fewest(batch) for each, batch in zip(tracked, batches, strict=True)])  # (H, B)
        left = torch.tensor([process.limit - state.n_inserted for state in states], device=log_probs.device)
        first, holes = torch.zeros_like(left), []
        for i, (each, batch) in enumerate(zip(tracked, batches, strict=True)):
            first = first + len(process.distribution.fixed[i])
            elsewhere = needs.sum(0) - needs[i]
            holes.append(OpenGaps(first, batch, each.gaps.allowed(batch, left - elsewhere)))
            first = first + batch.lengths
        members = [each.gaps.is_member(batch) for each, batch in zip(tracked, batches, strict=True)]
        return device_masses(log_probs, stop, holes, torch.stack(members).all(0))

    def _of(self, gaps: Any, device: torch.device) -> _TrackedGaps:
        key = id(gaps), device
        if key not in self._tracked:
            self._tracked[key] = _TrackedGaps(gaps, device)
        return self._tracked[key]


class _TrackedGaps:
    """The gaps of one language on a device, and the batch that was asked about last."""

    def __init__(self, source: GapAutomaton, device: torch.device) -> None:
        self.source = source  # kept alive: its identity is the key
        self.gaps = DeviceGaps(source.table, source.budgeted, device)
        self._batch: GapBatch | None = None
        self._row_of: dict[Tokens, int] = {}

    def batch(self, states: Sequence[GapState]) -> GapBatch:
        """The gaps of some states, a row each."""
        groups: dict[Callable[[list[GapState]], GapBatch], list[int]] = {}
        for i, state in enumerate(states):
            groups.setdefault(self._way(state), []).append(i)
        parts = [make([states[i] for i in indices]) for make, indices in groups.items()]
        order = torch.tensor([i for indices in groups.values() for i in indices], device=parts[0].lengths.device)
        self._batch = picked(joined(parts), order.argsort())
        self._row_of = {state.tokens: row for row, state in enumerate(states)}
        return self._batch

    def _way(self, state: GapState) -> Callable[[list[GapState]], GapBatch]:
        if state.tokens in self._row_of:
            return self._known
        return self._grown if state.gap >= 0 and state.source in self._row_of else self._fresh

    def _fresh(self, states: list[GapState]) -> GapBatch:
        return self.gaps.start([state.tokens for state in states])

    def _known(self, states: list[GapState]) -> GapBatch:
        assert self._batch is not None
        return picked(self._batch, self._numbers([self._row_of[state.tokens] for state in states]))

    def _grown(self, states: list[GapState]) -> GapBatch:
        assert self._batch is not None
        rows = self._numbers([self._row_of[state.source] for state in states])
        gaps = self._numbers([state.gap for state in states])
        return self.gaps.insert(self._batch, rows, gaps, self._numbers([s.tokens[s.gap] for s in states]))

    def _numbers(self, values: list[int]) -> Tensor:
        return torch.tensor(values, device=self.gaps.class_of.device)
