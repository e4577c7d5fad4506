"""A small transformer as an insertion model: *Insertion Language Models* (Patel et al. 2025, arXiv 2505.05755).

Every slot is read off the token before it, the first off the beginning; one softmax
runs over all (slot, token) pairs. The beginning also says how likely the stop is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from pgen.backends.base import Insertions, Tokens
from pgen.backends.insertion_model import InsertionModel
from pgen.backends.small_model import BATCH, N_UNSAID, SmallModel, said
from pgen.backends.transformer import Transformer
from pgen.errors import ModelError


class SmallInsertion(SmallModel, InsertionModel):
    """Implements `pgen.backends.base.Insertion` in float32."""

    @cached_property
    def written(self) -> frozenset[int]:
        return frozenset(t for t in self.vocabulary.text_ids.tolist() if t < self.network.shape.n_tokens - N_UNSAID - 1)

    @cached_property
    def masks_on_device(self) -> bool:
        """Whether drafts are to be constrained on the device of the network: where that is not the CPU.

        May be set, before the first draft.
        """
        return self.device.type != "cpu"

    def insertion_tensors(self, sequences: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
        """What `insertions` returns, on the device: log-probabilities `(B, S, V)`, and of the stop `(B,)`.

        Slots that a sequence does not have are filling, of any value.
        """
        lengths = torch.tensor([len(tokens) for tokens in sequences], device=self.device)
        with torch.inference_mode():
            slots, stop = insertion_log_probs(self.network, self._inputs(sequences), lengths)
        return self._widened(slots), stop

    def insertions(self, sequences: Sequence[Tokens]) -> list[Insertions]:
        return [step for i in range(0, len(sequences), BATCH) for step in self._steps(sequences[i : i + BATCH])]

    def _steps(self, sequences: Sequence[Tokens]) -> list[Insertions]:
        slots, stop = self.insertion_tensors(sequences)
        rows = slots.cpu().numpy()  # (B, S, V)
        return [
            Insertions(row[: len(tokens) + 1], float(end))
            for row, tokens, end in zip(rows, sequences, stop, strict=True)
        ]


def insertion_log_probs(network: Transformer, inputs: Tensor, n_tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities of an insertion after each of `inputs` `(B, S)`, and of the stop: `(B, S, V)` and `(B,)`.

    Row b has `1 + n_tokens[b]` inputs, the rest is filling. Both together sum to 1; end tokens are never inserted.
    """
    if network.extra is None:
        raise ModelError("a network without an output for the stop is no insertion model")
    valid = torch.arange(inputs.shape[1], device=inputs.device) <= n_tokens[:, None]  # (B, S)
    features = network.features(inputs, valid[:, None, None])
    logits = said(network.logits(features), N_UNSAID + 1).masked_fill(~valid[:, :, None], -torch.inf)
    stop: Tensor = network.extra(features[:, 0]).squeeze(1)  # (B,)
    slots = logits.flatten(1).log_softmax(1).view_as(logits)
    return slots + functional.logsigmoid(-stop)[:, None, None], functional.logsigmoid(stop)
