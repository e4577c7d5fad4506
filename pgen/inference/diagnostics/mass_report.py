"""Which factor of a text eats the mass: its languages and critics one by one.

A text is the model's measure times 1[x in L1] ... 1[x in Lm] times the critics c1(x) ... ck(x),
in the order in which `.given`, `.within`, `.where` and `.weighted` put them, languages first. With M_j
the total mass under the first j factors, factor j is charged with M_j / M_(j-1): what it
leaves of the mass that those before it have left. The last M is the text's evidence (without
the normaliser of `.within`). Under the end rule "match" the model's measure itself depends on the
language, so a narrower language may show more mass.

One inference for each language; the critics are charged on the texts of the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from pgen.backends.base import TokenMeasure
from pgen.errors import InvalidArgument, ZeroEvidence
from pgen.inference.diagnostics.accounts import Removal
from pgen.inference.infer import Method, infer
from pgen.inference.posterior import Posterior
from pgen.language.base import Language
from pgen.programs.text import TextDistribution
from pgen.sampling.logspace import log_sum_exp


def mass_report(
    text: TextDistribution, *, method: Method | Literal["auto"] = "auto", seed: int = 0, **options: Any
) -> tuple[Removal, ...]:
    """A row for each language and critic of a left-to-right text; `row.removed` is the share that it took.

    `method`, `seed` and `options` go to `pgen.infer`; the report is as exact as they are.
    Rows end at the first factor that leaves nothing.
    """
    if not isinstance(text, TextDistribution):
        raise InvalidArgument(f"mass_report takes lm.text(...) with its constraints, got {type(text).__name__}")
    rows: list[Removal] = []
    bare = replace(text, language=None, normalizer=None, critics=(), end=_end(text), languages=())
    log_before = _posterior(bare, method, seed, options).log_evidence if isinstance(text.model, TokenMeasure) else 0.0
    found: Posterior | None = None
    for name, language in _languages(text):
        try:
            found = _posterior(replace(bare, language=language), method, seed, options)
        except ZeroEvidence:
            return (*rows, Removal(name, log_before, -math.inf))
        rows.append(Removal(name, log_before, found.log_evidence))
        log_before = found.log_evidence
    if text.critics and found is None:
        found = _posterior(bare, method, seed, options)
    return (*rows, *(() if found is None else _critics(text, found)))


def _critics(text: TextDistribution, found: Posterior) -> Iterator[Removal]:
    """Charge the critics in turn on weighted texts."""
    log_scale = found.log_evidence - log_sum_exp(found.log_weights)
    log_weights = found.log_weights + log_scale  # (N,)
    for critic in text.critics:
        log_before = log_sum_exp(log_weights)
        if log_before == -math.inf:
            return
        judged = [
            critic.log_weight(str(x)) if w > -math.inf else 0.0 for x, w in zip(found.values, log_weights, strict=True)
        ]
        log_weights = log_weights + np.array(judged)
        yield Removal(critic.name, log_before, log_sum_exp(log_weights))


def _posterior(
    text: TextDistribution, method: Method | Literal["auto"], seed: int, options: dict[str, Any]
) -> Posterior:
    return infer(text, method=method, seed=seed, **options)


def _languages(text: TextDistribution) -> Iterator[tuple[str, Language]]:
    """Each language by name, and its intersection with those before it."""
    if text.language is None:
        return
    parts = text.languages if len(text.languages) > 1 else (text.language,)
    joined: Language | None = None
    for part in parts:
        joined = part if joined is None else joined & part
        yield repr(part), joined


def _end(text: TextDistribution) -> Any:
    return None if text.stop else text.end_rule
