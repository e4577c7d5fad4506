"""The laws of pgen's design as functions: each raises `AssertionError` with the first counterexample.

1 language (`check_masks`), 2 proper weight (`check_proper_weights`), 3 evidence
(within law 2, for the constant function), 5 batch independence
(`check_batch_independence`). Run them over your own languages, models and methods.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pgen.errors import ZeroEvidence
from pgen.inference.context import Context
from pgen.inference.infer import Method, infer, run
from pgen.inference.posterior import Posterior
from pgen.language.base import Language
from pgen.sampling.token_step import unpack
from pgen.testing import derivatives
from pgen.testing.enumeration import enumerate_outcomes
from pgen.testing.oracles import Viability
from pgen.tokens import Vocabulary


def check_masks(language: Language, vocabulary: Vocabulary, max_states: int = 200) -> int:
    """Law 1: in every reachable state the mask holds exactly the tokens that some token sequence completes.

    EOS is allowed iff the text is a member; empty and special tokens never are.
    Returns how many states were checked.
    """
    automaton, viable = language.compile(vocabulary), Viability(vocabulary)
    queue, seen = [(automaton.start, language.node, b"")], {automaton.start}
    for state, node, text in queue:
        allowed = set(unpack(automaton.mask(state), len(vocabulary)).tolist())
        following = viable.continuations(node)
        expected = set(following) | (set(vocabulary.eos) if derivatives.nullable(node) else set())
        assert allowed == expected, f"after {text!r}: mask {sorted(allowed)}, brute force {sorted(expected)}"
        assert automaton.is_accepting(state) == derivatives.nullable(node), f"acceptance after {text!r}"
        for token, after in following.items():
            reached = automaton.advance(state, token)
            if reached not in seen and len(seen) < max_states:
                seen.add(reached)
                queue.append((reached, after, text + vocabulary.tokens[token]))
    return len(seen)


def check_proper_weights(
    program: Callable[..., Any],
    method: Method,
    target: Mapping[Any, float],
    tolerance: float = 1e-9,
    max_paths: int = 100_000,
) -> float:
    """Laws 2 and 3: E[evidence estimate * posterior(x)] equals the target mass of every x.

    The expectation is exact: every random choice of the method is enumerated.
    Returns the largest absolute error.
    """
    expected: defaultdict[Any, float] = defaultdict(float)
    total = 0.0
    for probability, posterior in enumerate_outcomes(lambda rng: _attempt(program, method, rng), max_paths):
        total += probability
        if posterior is not None:
            evidence = math.exp(posterior.log_evidence)
            for value, share in posterior.probabilities().items():
                expected[value] += probability * evidence * share
    assert abs(total - 1.0) < 1e-9, f"the paths' probabilities sum to {total}"
    errors = {x: abs(expected.get(x, 0.0) - target.get(x, 0.0)) for x in {*expected, *target}}
    worst = max(errors, key=lambda x: errors[x])
    assert errors[worst] <= tolerance, f"{worst!r}: expected weight {expected.get(worst)}, target {target.get(worst)}"
    return errors[worst]


def _attempt(program: Callable[..., Any], method: Method, rng: Any) -> Posterior | None:
    try:
        return run(program, (), {}, method, Context(), rng)
    except ZeroEvidence:
        return None


def check_batch_independence(
    program: Callable[..., Any], method: Method, seed: int = 0, batch_sizes: tuple[int, ...] = (1, 7, 64)
) -> None:
    """Law 5: values and weights are the same, bit for bit, whatever the batch size."""
    first, *others = (infer(program, method=method, seed=seed, batch_size=size) for size in batch_sizes)
    for size, other in zip(batch_sizes[1:], others, strict=True):
        assert first.values == other.values, f"values differ between batch sizes {batch_sizes[0]} and {size}"
        assert np.array_equal(first.log_weights, other.log_weights), f"weights differ at batch size {size}"
        assert first.log_evidence == other.log_evidence, f"evidence differs at batch size {size}"
