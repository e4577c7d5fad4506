"""One law of texts on four kinds of model, left to right, by insertion, in any order, by denoising: one posterior."""

import math

import pytest
from one_law import distributions, random_law

import pgen

LANGUAGES = [
    pgen.Regex("[ab]*"),
    pgen.Regex("a[ab]*b"),
    pgen.Regex("(ab|ba){1,2}"),
    pgen.choice("", "b", "aab", "abba"),
]


def posterior_of(text, method):
    def program():
        x = pgen.sample("x", text)
        pgen.factor("long", 0.3 * len(x))
        pgen.condition("not all a", x != "aaaa")
        return str(x)

    return pgen.infer(program, method=method)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("language", LANGUAGES, ids=repr)
def test_one_posterior_on_four_kinds_of_model(language, seed):
    law = random_law(seed)
    expected = {}
    for sequence, mass in law.items():
        text = "".join("ab"[token] for token in sequence)
        if mass > 0 and language.matches(text) and text != "aaaa":
            expected[text] = mass * math.exp(0.3 * len(text))
    evidence = sum(expected.values())
    for text in distributions(law, language).values():
        posterior = posterior_of(text, pgen.Enumerate())
        assert posterior.log_evidence == pytest.approx(math.log(evidence), abs=1e-9)
        shares = posterior.probabilities()
        apart = sum(abs(shares.get(x, 0.0) - expected.get(x, 0.0) / evidence) for x in {*shares, *expected}) / 2
        assert apart < 1e-9


def test_sampling_agrees_too():
    law, language = random_law(7), LANGUAGES[1]
    exact = posterior_of(distributions(law, language)["left to right"], pgen.Enumerate()).probabilities()
    for text in distributions(law, language).values():
        shares = posterior_of(text, pgen.Importance(200, lookahead=0)).probabilities()
        assert sum(abs(shares.get(x, 0.0) - p) for x, p in exact.items()) / 2 < 0.17
