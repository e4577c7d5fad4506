"""Methods of text distributions that need inference: `sample` and `log_prob`."""

from __future__ import annotations

from typing import overload

from pgen.errors import InvalidArgument
from pgen.inference.context import Context
from pgen.inference.infer import infer
from pgen.inference.methods.importance import Importance
from pgen.programs.strings import StringDistribution, Text, Tokenization


@overload
def sample_text(distribution: StringDistribution, seed: int, n: None) -> Text: ...
@overload
def sample_text(distribution: StringDistribution, seed: int, n: int) -> list[Text]: ...
def sample_text(distribution: StringDistribution, seed: int, n: int | None) -> Text | list[Text]:
    """Draws from the posterior: ancestral where draws carry no weight, else by `infer`'s automatic method."""
    count = 1 if n is None else n
    if count < 1:
        raise InvalidArgument(f"n={n}: must be at least 1")
    if distribution.is_free:
        posterior = infer(distribution, method=Importance(count, lookahead=0), seed=seed)
        drawn: list[Text] = list(posterior.values)
    else:
        drawn = infer(distribution, seed=seed).sample(seed, count)
    return drawn[0] if n is None else drawn


def log_prob(distribution: StringDistribution, text: str, tokenization: Tokenization, tol: float) -> float:
    """log mass of `text`: its own spelling, or all of them to within `tol` nats."""
    if not tol > 0:
        raise InvalidArgument(f"tol={tol}: must be positive")
    return Context().drafter(distribution).score(distribution, text, tokenization, tol)
