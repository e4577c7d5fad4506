"""Decisions from a posterior: minimum Bayes risk, and weighted majority.

The value of least expected loss sum over y of w(y) loss(x, y), with x among the
candidates and y over the weighted runs (Kumar and Byrne, "Minimum Bayes-risk decoding for statistical
machine translation", NAACL 2004). With loss 0 for equal and 1 for different values it
is the mode. O(candidates x distinct values) evaluations of the loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

from pgen.errors import InvalidArgument
from pgen.inference.posterior import Posterior

Loss = Callable[[Any, Any], float]
"""loss(answer, truth): how bad the answer is if the truth is so."""


class Decision(NamedTuple):
    """A value and its expected loss."""

    value: Any
    risk: float


def minimum_risk(posterior: Posterior, loss: Loss, candidates: Iterable[Any] | None = None) -> Decision:
    """The candidate of least expected loss (default candidates: the posterior's values; ties: the likelier first).

    Raises `InvalidArgument` for a loss that is NaN or without any candidate.
    """
    shares = _shares(posterior)
    answers = [value for value, _ in shares] if candidates is None else list(candidates)
    if not answers:
        raise InvalidArgument("minimum_risk: there is no candidate to choose from")
    decisions = [
        Decision(answer, math.fsum(w * _loss(loss, answer, truth) for truth, w in shares)) for answer in answers
    ]
    return min(decisions, key=lambda decision: decision.risk)


def majority(posterior: Posterior, key: Callable[[Any], Hashable]) -> tuple[Hashable, float]:
    """The likeliest `key(value)` and its probability: the vote of self-consistency, with weights."""
    votes: dict[Hashable, float] = {}
    for value, weight in _shares(posterior):
        kind = key(value)
        votes[kind] = votes.get(kind, 0.0) + weight
    return max(votes.items(), key=lambda vote: vote[1])


def _shares(posterior: Posterior) -> list[tuple[Any, float]]:
    """Distinct values (told apart by `repr`, as values need not be hashable) with their weights, likeliest first."""
    first: dict[str, Any] = {}
    mass: dict[str, float] = {}
    for value, weight in zip(posterior.values, posterior.weights, strict=True):
        first.setdefault(repr(value), value)
        mass[repr(value)] = mass.get(repr(value), 0.0) + float(weight)
    return sorted(((first[k], w) for k, w in mass.items() if w > 0), key=lambda share: -share[1])


def _loss(loss: Loss, answer: Any, truth: Any) -> float:
    value = float(loss(answer, truth))
    if math.isnan(value):
        raise InvalidArgument(f"the loss of {answer!r} where {truth!r} is true is NaN")
    return value
