"""Masked diffusion on models small enough to be exact: total variation to the posterior, by method."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

import pgen
from bench.diffusion_methods import RULES, Draws, weighted, written
from pgen.backends.tabular import TabularDiffusion
from pgen.programs.canvas import CanvasDistribution

VOCABULARY = pgen.Vocabulary([b"a", b"b", b"ba"], eos=())
LANGUAGES = {
    "no aa": ~pgen.Regex("[ab]*aa[ab]*") & pgen.Regex("[ab]*"),
    "even": pgen.Regex("(aa|b)*"),
    "balanced": pgen.Grammar('start: "a" start "b" | "ab" | start "ab" | "ba"'),
}
LENGTH = 6


def denoiser(seed: int) -> TabularDiffusion:
    """Random marginals that depend on every committed token."""

    @cache
    def marginals(tokens: tuple[int | None, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
        generator = np.random.default_rng([seed, *(0 if token is None else token + 1 for token in tokens)])
        rows = generator.dirichlet(np.full(len(VOCABULARY), 0.7), LENGTH) + 1e-9
        return np.log(rows / rows.sum(axis=1, keepdims=True))

    return TabularDiffusion(VOCABULARY, LENGTH, marginals)


def toys(n_models: int, count: int, n_seeds: int) -> list[dict[str, Any]]:
    """Mean total variation of `count` canvases of each method, over models, languages, schedules and seeds."""
    distances: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
    for model_seed in range(n_models):
        for language in LANGUAGES.values():
            for steps in (2, 6):
                text = denoiser(model_seed).text("", length=LENGTH, steps=steps).given(language)
                try:
                    exact = exact_law(text)
                except pgen.ZeroEvidence:
                    continue
                for seed in range(n_seeds):
                    for method, draws in drawn(text, count, seed, exact).items():
                        distances[steps, method].append(total_variation(law_of(draws, language), exact))
    return [
        {"steps": steps, "method": method, "tv": float(np.mean(found)), "worst": max(found), "n": len(found)}
        for (steps, method), found in sorted(distances.items())
    ]


def exact_law(text: CanvasDistribution) -> dict[str, float]:
    posterior = pgen.infer(text, method=pgen.Enumerate())
    return {str(value): mass for value, mass in posterior.probabilities().items()}


def drawn(text: CanvasDistribution, count: int, seed: int, exact: Mapping[str, float]) -> dict[str, Draws]:
    """What each method makes of `count` canvases, and as many draws from the exact law itself."""
    rng = np.random.default_rng(seed)
    ideal = [
        str(each) for each in rng.choice(list(exact), count, p=np.array(list(exact.values())) / sum(exact.values()))
    ]
    made = {name: written(text, rule, count, seed) for name, rule in RULES.items()}
    rejection = "rejection"
    made = {rejection if name == "unconstrained" else name: draws for name, draws in made.items()}
    made["SMC"] = weighted(text, count, seed, None)
    made["exact draws"] = Draws([pgen.Text(each) for each in ideal], [1 / count] * count, 0)
    return made


def law_of(draws: Draws, language: pgen.Language) -> dict[str, float]:
    """The weighted texts inside the language, normalised; empty if there are none."""
    law: defaultdict[str, float] = defaultdict(float)
    for text, weight in zip(draws.texts, draws.weights, strict=True):
        if text is not None and language.matches(str(text)):
            law[str(text)] += weight
    total = math.fsum(law.values())
    return {text: weight / total for text, weight in law.items()} if total else {}


def total_variation(found: Mapping[str, float], exact: Mapping[str, float]) -> float:
    """Half the sum of differences; 1 if nothing was found."""
    if not found:
        return 1.0
    return sum(abs(found.get(text, 0.0) - exact.get(text, 0.0)) for text in {*found, *exact}) / 2
