"""Exact toy insertion models given by a function, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from pgen.backends.base import Insertions, Tokens
from pgen.backends.insertion_model import InsertionModel
from pgen.backends.tables import checked_context, require_normalised, require_room, shaped
from pgen.tokens import Vocabulary

Insert = Callable[[Tokens], tuple[ArrayLike, float]]


class TabularInsertion(InsertionModel):
    """An insertion model from `insert(tokens) -> ((slots, V) log-probabilities, log p_stop)`.

    `tokens` are all ids so far, the prompt's first (the prompt `""` has none); there
    is one slot more than tokens, and slot g lies before token g. The log-probabilities
    are normalised over all insertions and the stop. Slots within a prompt may have
    mass: texts are drawn from the model given that nothing is inserted there. Wrong
    shapes, NaN, +inf or a sum that differs from 1 by more than 1e-6 raise
    `ModelError` naming the tokens.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        insert: Insert,
        *,
        context_length: int = 1024,
        name: str = "tabular",
    ) -> None:
        self.vocabulary = vocabulary
        self.context_length = checked_context(context_length)
        self.name = name
        self._insert = insert

    def encode(self, prompt: str) -> Tokens:
        return self.vocabulary.encode(prompt)

    def insertions(self, sequences: Sequence[Tokens]) -> list[Insertions]:
        return [self._checked(tuple(sequence)) for sequence in sequences]

    def _checked(self, tokens: Tokens) -> Insertions:
        require_room(self.name, len(tokens), self.context_length)
        slots, stop = self._insert(tokens)
        rows = shaped(self.name, slots, (len(tokens) + 1, len(self.vocabulary)), tokens)
        total = float(np.exp(rows).sum() + np.exp(stop))
        require_normalised(self.name, total, f"after {tokens}, the stop included,", "insert")
        return Insertions(rows, float(stop))
