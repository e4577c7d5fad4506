"""log mass of given values: observations and `log_prob`.

The canonical spelling costs one forward pass over its tokens. The sum over all
spellings is a prefix tree restricted to the spellings of the text, expanded best
first: exact up to a certified interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pgen.errors import InvalidArgument, InvalidVocabulary, LimitExceeded
from pgen.inference.context import Context
from pgen.inference.prefix_tree import PrefixTree
from pgen.language import ir
from pgen.language.base import Language
from pgen.programs.effects import Observe
from pgen.programs.process import TextProcess, TextState, compile_until
from pgen.programs.text import TextDistribution
from pgen.sampling.logspace import log_or_ninf, log_sum_exp
from pgen.sampling.token_step import Distribution, outcome_masses

MAX_EVALUATIONS = 4096
"""Distinct prefixes spent on one text before `LimitExceeded`."""


def observe_all(context: Context, effects: Sequence[Observe]) -> list[float]:
    """log probabilities of observed values; equal observations are scored once."""
    return [_observe(context, effect) for effect in effects]


def _observe(context: Context, effect: Observe) -> float:
    distribution = effect.distribution
    if not isinstance(distribution, TextDistribution):
        return distribution.log_prob(effect.value)
    if not isinstance(effect.value, str):
        raise InvalidArgument(
            f"observe {effect.address!r}: a text distribution needs a string, got {type(effect.value).__name__}"
        )
    key = (distribution, str(effect.value), effect.tokenization)
    known = context.recall(key)
    if known is not None:
        return known
    if effect.tokenization == "canonical":
        return context.remember(key, canonical_log_prob(context, distribution, effect.value))
    return context.remember(key, total_log_prob(context, distribution, effect.value, 1e-6))


def canonical_log_prob(context: Context, distribution: TextDistribution, text: str) -> float:
    """log mass of the tokenizer's own spelling; -inf outside the language."""
    process = context.process(distribution)
    paths = [process.vocabulary.encode(text)]
    paths += [process.vocabulary.encode(text + stop) for stop in distribution.stop]
    log_masses = [_path_log_mass(context, process, path, text) for path in dict.fromkeys(paths)]
    return log_sum_exp(log_masses) - context.log_normalizer(distribution)


def _path_log_mass(context: Context, process: TextProcess, path: tuple[int, ...], text: str) -> float:
    """log mass of drawing exactly `path` and ending there with `text`."""
    if len(path) > process.limit + (process.rule == "stop"):
        return -math.inf
    given = process.weigh(process.model.path_logits(process.distribution.prompt, path))
    context.n_evaluations += len(path) + 1
    state, log_mass = process.start, 0.0
    for row, token in enumerate(path):
        if process.finished(state) is not None:
            return -math.inf
        _, tokens, masses = outcome_masses(given, row, process.choice(state))
        log_mass += log_or_ninf(float(masses[tokens == token].sum()))
        if log_mass == -math.inf:
            return log_mass
        state = process.advance(state, token)
    return log_mass + _ending_log_mass(process, state, given, len(path), text)


def _ending_log_mass(process: TextProcess, state: TextState, given: Distribution, row: int, text: str) -> float:
    finished = process.finished(state)
    reached = finished if finished is not None else process.text(state)
    if reached != text or not process.holds(reached):
        return -math.inf
    if finished is not None:
        return 0.0
    ending, tokens, masses = outcome_masses(given, row, process.choice(state))
    return log_or_ninf(ending + float(masses[np.isin(tokens, list(process.vocabulary.eos))].sum()))


def total_log_prob(context: Context, distribution: TextDistribution, text: str, tol: float) -> float:
    """log mass summed over all spellings, known to within `tol` nats."""
    process = context.process(distribution)
    try:
        named = Language(ir.literal(text), description=f"the spellings of {text!r}")
        spellings = compile_until(named, distribution.stop, process.vocabulary)
    except (InvalidVocabulary, InvalidArgument):
        return -math.inf
    tree = PrefixTree(process, context.weigh, only=spellings)
    tree.expand(MAX_EVALUATIONS, tolerance=-math.expm1(-tol))
    log_found = log_sum_exp(leaf.log_mass for leaf in tree.leaves if leaf.text == text)
    if not tree.exhausted and float(np.logaddexp(log_found, tree.log_frontier)) - log_found > tol:
        raise LimitExceeded(
            f"log_prob({text!r}): after {tree.n_evaluations} prefixes the log mass is only known to lie in "
            f"[{log_found:.6g}, {float(np.logaddexp(log_found, tree.log_frontier)):.6g}]",
            hint='allow a larger tol=, or use tokenization="canonical"',
        )
    return log_found - context.log_normalizer(distribution)
