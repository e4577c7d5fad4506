"""What one inference run shares: batched model calls, compiled processes, prefix trees, normalisers.

Everything here is a cache or a counter. Equal prefixes in one call are evaluated
once; a result never depends on the batch size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pgen.inference.prefix_tree import PrefixTree
from pgen.programs.process import TextProcess, TextState
from pgen.programs.text import TextDistribution
from pgen.sampling.token_step import Distribution


class Weighed(NamedTuple):
    """Model probabilities for some requests: request i is row `rows[i]` of `given`."""

    given: Distribution
    rows: list[int]


class Context:
    """Caches of one run; `n_evaluations` counts distinct prefixes sent to models."""

    def __init__(self, batch_size: int = 64) -> None:
        self.batch_size = batch_size
        self.n_evaluations = 0
        self._processes: dict[TextDistribution, TextProcess] = {}
        self._trees: dict[TextDistribution, PrefixTree] = {}
        self._scores: dict[object, float] = {}

    def process(self, distribution: TextDistribution) -> TextProcess:
        """The compiled process of a distribution (its normaliser plays no part)."""
        key = replace(distribution, normalizer=None)
        if key not in self._processes:
            self._processes[key] = TextProcess(key)
        return self._processes[key]

    def tree(self, distribution: TextDistribution) -> PrefixTree:
        """The prefix tree of a distribution; it grows as callers expand it."""
        key = replace(distribution, normalizer=None)
        if key not in self._trees:
            self._trees[key] = PrefixTree(self.process(distribution), self.weigh)
        return self._trees[key]

    def log_normalizer(self, distribution: TextDistribution) -> float:
        """log mass of the language of `.within`, 0 without one; certified, else `LimitExceeded`."""
        if distribution.normalizer is None:
            return 0.0
        tree = self.tree(replace(distribution, language=distribution.normalizer))
        tree.certify(f"the mass of .within({distribution.normalizer!r})")
        return tree.log_found

    def remember(self, key: object, value: float) -> float:
        """Store a score and return it."""
        self._scores[key] = value
        return value

    def recall(self, key: object) -> float | None:
        """A score stored before."""
        return self._scores.get(key)

    def weigh(self, process: TextProcess, states: Sequence[TextState]) -> Weighed:
        """Probabilities after each state; all of one process shape."""
        return self.weigh_many([(process, state) for state in states])

    def weigh_many(self, requests: Sequence[tuple[TextProcess, TextState]]) -> Weighed:
        """Like `weigh`, for processes that share model, temperature and truncation."""
        process = requests[0][0]
        index: dict[tuple[int, ...], int] = {}
        rows = [index.setdefault(owner.prefix(state), len(index)) for owner, state in requests]
        blocks = [process.model.next_logits(block) for block in _blocks(index, self.batch_size)]
        self.n_evaluations += len(index)
        return Weighed(process.weigh(np.concatenate(blocks) if len(blocks) > 1 else blocks[0]), rows)


def _blocks(prefixes: Iterable[tuple[int, ...]], size: int) -> list[list[tuple[int, ...]]]:
    ordered = list(prefixes)
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]
