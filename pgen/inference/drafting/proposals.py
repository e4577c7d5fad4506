"""Draws of a token from what somebody else proposes: another model, a function, a walk over bytes.

    a text of a model with the same vocabulary     its probabilities of the allowed tokens
    a function of the tokens so far                the weights that it gives
    a text of any other model                      its bytes, by a walk on the trie of the allowed tokens
    proposal="trie"                                the model's own masses, on a walk that predicates prune

A share `OWN` of every proposal goes by the model's own masses, so that nothing the model may
say is out of reach and no weight exceeds 1 / `OWN` times that of the masked model. The
weights make up for the rest (`critical_step`, `pgen.sampling.byte_walk`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.drafting.critical_step import Candidates
from pgen.inference.drafting.prefix_tree import Weighed
from pgen.programs.process import TextProcess, TextState
from pgen.programs.text import TextDistribution
from pgen.sampling.byte_walk import byte_walk
from pgen.sampling.logspace import log_sum_exp, normalized
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import STOP, outcome_masses
from pgen.tokens import Vocabulary

Floats = NDArray[np.float64]
WeighMany = Callable[[Sequence[tuple[TextProcess, TextState]]], Weighed]

OWN = 0.1
"""Share of a foreign proposal that goes by the model's own masses."""


class Proposals:
    """The foreign proposals of one drafter; `weigh_many` asks their models and counts it."""

    def __init__(self, weigh_many: WeighMany) -> None:
        self._weigh_many = weigh_many
        self._others: dict[TextDistribution, TextProcess] = {}

    def walks(self, process: TextProcess) -> bool:
        """Whether tokens are drawn by a walk over bytes."""
        return self._in_bytes(process) or (process.distribution.proposal == "trie" and process.critics.selective)

    def apply(self, found: Sequence[Candidates]) -> list[Candidates]:
        """The candidates with the masses that they are drawn by; other models are asked in one batch."""
        changed = list(found)
        for other, indices in self._askers(found).items():
            process = self._process(other)
            weighed = self._weigh_many([(process, TextState(found[i].state.tokens, 0)) for i in indices])
            for i, row in zip(indices, weighed.rows, strict=True):
                choice = found[i].process.choice(found[i].state)
                stop, tokens, masses = outcome_masses(weighed.given, row, choice)
                table = np.zeros(len(found[i].process.vocabulary))
                table[tokens] = masses
                changed[i] = proposed(found[i], np.where(found[i].outcomes == STOP, stop, table[found[i].outcomes]))
        for i, candidates in enumerate(found):
            function = candidates.process.distribution.proposer
            if function is not None and not isinstance(function, TextDistribution):
                changed[i] = proposed(candidates, _user_weights(candidates, function))
        return changed

    def walk(self, found: Candidates, rng: Rng) -> tuple[int, float]:
        """An outcome and its log weight by a walk over bytes."""
        process, vocabulary = found.process, found.process.vocabulary
        ends = np.isin(found.outcomes, [STOP, *vocabulary.eos])
        order = np.argsort(np.where(ends, -1, _ranks(vocabulary)[found.outcomes]), kind="stable")
        spellings = [b"" if ends[i] else vocabulary.tokens[found.outcomes[i]] for i in order]
        log_total = log_sum_exp(found.log_masses)
        masses = np.exp(found.log_masses[order] - log_total)
        text = vocabulary.decode(found.state.tokens)

        def branch(path: bytes, following: Sequence[int], below: Floats) -> Floats:
            shares = below
            if self._in_bytes(process):
                ahead = self._byte_masses(process, text + path)[list(following)]
                shares = _mixed(ahead, below)
            if process.critics.selective:
                shares = shares * [process.may_begin(text + path + bytes([byte])) for byte in following]
            return shares

        selective = process.critics.selective
        drawn = byte_walk(rng, spellings, masses, branch, lambda i: not selective or found.passes(int(order[i])))
        index = int(order[drawn.token]) if drawn.token >= 0 else drawn.token
        return found.earned(index, drawn.log_weight + log_total)

    def _in_bytes(self, process: TextProcess) -> bool:
        other = process.distribution.proposer
        return isinstance(other, TextDistribution) and other.model.vocabulary != process.vocabulary

    def _askers(self, found: Sequence[Candidates]) -> dict[TextDistribution, list[int]]:
        """Which candidates are proposed by which other text of the same vocabulary."""
        groups: dict[TextDistribution, list[int]] = {}
        for i, candidates in enumerate(found):
            other = candidates.process.distribution.proposer
            if isinstance(other, TextDistribution) and not self._in_bytes(candidates.process):
                groups.setdefault(other, []).append(i)
        return groups

    def _process(self, other: TextDistribution) -> TextProcess:
        if other not in self._others:
            self._others[other] = TextProcess(other)
        return self._others[other]

    def _byte_masses(self, process: TextProcess, data: bytes) -> Floats:
        """`(256,)`: the other model's probabilities of the next byte."""
        other = process.distribution.proposer
        assert isinstance(other, TextDistribution)
        bytewise = self._process(_in_bytes(other))
        weighed = self._weigh_many([(bytewise, TextState(tuple(data), 0))])
        row = weighed.rows[0]
        return np.asarray(weighed.given.weights[row, :256] / weighed.given.totals[row], np.float64)


def proposed(found: Candidates, weights: Floats) -> Candidates:
    """The candidates, drawn by `weights (n,)` (any scale) in place of the model's masses."""
    log_own = found.log_masses - found.log_twists
    with np.errstate(divide="ignore"):
        log_masses = np.log(_mixed(weights, normalized(log_own))) + found.log_twists
    return found._replace(log_masses=log_masses, log_twists=log_masses - log_own)


def _mixed(weights: Floats, own: Floats) -> Floats:
    """Shares of a proposal, and of the model's own masses for `OWN` of it (all of it, if nothing is proposed)."""
    total = weights.sum()
    own = own / own.sum() if own.sum() > 0 else own
    return (1.0 - OWN) * weights / total + OWN * own if total > 0 else own


def _user_weights(found: Candidates, function: Callable[..., Any]) -> Floats:
    """Weights of the outcomes by a function; ending by an end rule keeps the chance that the model gives it."""
    tokens, vocabulary = found.state.tokens, found.process.vocabulary
    log_weights = np.asarray(function(tokens), np.float64)
    if log_weights.shape != (len(vocabulary),) or np.isnan(log_weights).any() or (log_weights == np.inf).any():
        raise InvalidArgument(
            f"the proposal gave an array of shape {log_weights.shape} after {vocabulary.decode(tokens)!r}",
            hint=f"it must return {len(vocabulary)} log weights, one a token, none of them NaN or +inf",
        )
    own = normalized(found.log_masses - found.log_twists)
    stops = found.outcomes == STOP
    chosen = normalized(np.where(stops, -np.inf, log_weights[found.outcomes]))
    ending = float(own[stops].sum())
    return np.asarray(np.where(stops, own, (1.0 - ending) * chosen), np.float64)


@lru_cache(maxsize=8)
def _in_bytes(text: TextDistribution) -> TextDistribution:
    return text.bytes()


@lru_cache(maxsize=4)
def _ranks(vocabulary: Vocabulary) -> NDArray[np.int64]:
    """The place of each token in the order of their bytes."""
    ranks = np.empty(len(vocabulary), np.int64)
    ranks[sorted(range(len(vocabulary)), key=lambda token: vocabulary.tokens[token])] = np.arange(len(vocabulary))
    return ranks
