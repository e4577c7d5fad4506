"""log mass of a given text under a left-to-right process.

The canonical spelling costs one forward pass over its tokens. The sum over all
spellings is a prefix tree restricted to the spellings of the text, expanded best
first: exact up to a certified interval.
"""

from __future__ import annotations

import math

import numpy as np

from pgen.errors import InvalidArgument, InvalidLanguage, InvalidVocabulary, LimitExceeded
from pgen.inference.drafting.prefix_tree import PrefixTree, Weigh
from pgen.language import ir
from pgen.language.base import Language
from pgen.programs.process import TextProcess, TextState, compile_until
from pgen.sampling.logspace import log_or_ninf, log_sum_exp
from pgen.sampling.token_step import Distribution, outcome_masses
from pgen.tokens.special_tokens import check_plain

MAX_EVALUATIONS = 4096
"""Distinct prefixes spent on one text before `LimitExceeded`."""


def canonical_log_mass(process: TextProcess, text: str) -> tuple[float, int]:
    """log mass of the tokenizer's own spelling (-inf outside the language), and the model evaluations it took."""
    _check_plain(process)
    paths = [process.vocabulary.encode(text)]
    paths += [process.vocabulary.encode(text + stop) for stop in process.distribution.stop]
    scored = [_path_log_mass(process, path, text) for path in dict.fromkeys(paths)]
    return log_sum_exp([log_mass for log_mass, _ in scored]), sum(n for _, n in scored)


def _path_log_mass(process: TextProcess, path: tuple[int, ...], text: str) -> tuple[float, int]:
    """log mass of drawing exactly `path` and ending there with `text`; evaluations."""
    if len(path) > process.limit + (process.rule == "stop"):
        return -math.inf, 0
    given, n_evaluations = process.weigh(process.model.path_logits(process.distribution.prompt, path)), len(path) + 1
    state, log_mass = process.start, 0.0
    for row, token in enumerate(path):
        if process.finished(state) is not None:
            return -math.inf, n_evaluations
        _, tokens, masses = outcome_masses(given, row, process.choice(state))
        log_mass += log_or_ninf(float(masses[tokens == token].sum()))
        if log_mass == -math.inf:
            return log_mass, n_evaluations
        state = process.advance(state, token)
    return log_mass + _ending_log_mass(process, state, given, len(path), text), n_evaluations


def _ending_log_mass(process: TextProcess, state: TextState, given: Distribution, row: int, text: str) -> float:
    finished = process.finished(state)
    reached = finished if finished is not None else process.text(state)
    log_final = process.log_final(reached) if reached == text else -math.inf
    if log_final == -math.inf or finished is not None:
        return log_final
    ending, tokens, masses = outcome_masses(given, row, process.choice(state))
    return log_final + log_or_ninf(ending + float(masses[np.isin(tokens, list(process.vocabulary.eos))].sum()))


def _check_plain(process: TextProcess) -> None:
    """Texts do not show special tokens, so there is no telling which ones the spellings of a text have."""
    if process.distribution.language is not None:
        check_plain(process.distribution.language.node, "log_prob of a text")


def total_log_mass(process: TextProcess, weigh: Weigh, text: str, tol: float) -> float:
    """log mass summed over all spellings, known to within `tol` nats."""
    _check_plain(process)
    try:
        named = Language(ir.literal(text), description=f"the spellings of {text!r}")
        spellings = compile_until(named, process.distribution.stop, process.vocabulary)
    except (InvalidVocabulary, InvalidArgument, InvalidLanguage):
        return -math.inf
    tree = PrefixTree(process, weigh, only=spellings)
    tree.expand(MAX_EVALUATIONS, tolerance=-math.expm1(-tol))
    log_found = log_sum_exp(leaf.log_mass for leaf in tree.leaves if leaf.text == text)
    if not tree.exhausted and float(np.logaddexp(log_found, tree.log_frontier)) - log_found > tol:
        raise LimitExceeded(
            f"log_prob({text!r}): after {tree.n_evaluations} prefixes the log mass is only known to lie in "
            f"[{log_found:.6g}, {float(np.logaddexp(log_found, tree.log_frontier)):.6g}]",
            hint='allow a larger tol=, or use tokenization="canonical"',
        )
    return log_found
