"""Inside masses, marginals and samples against enumeration of all canvases and derivations."""

import itertools
import math

import numpy as np
import pytest
from canvas_cases import random_log_probs

import pgen
from pgen.chains.grammar import Chart, TokenGrammar
from pgen.testing.enumeration import enumerate_outcomes

A, B, C = frozenset({0}), frozenset({1}), frozenset({2})
GRAMMARS = {
    "brackets": TokenGrammar(
        {"start": [(A, B), (A, "start", B), ("pair", "start")], "pair": [(A, B), (A, "start", B)]}
    ),
    "palindromes": TokenGrammar({"start": [(A,), (B,), (A, A), (B, B), (A, "start", A), (B, "start", B)]}),
    "lists": TokenGrammar({"start": [("item",), ("item", C, "start")], "item": [(A | B,), (A, "item")]}),
    "ambiguous": TokenGrammar({"start": [(A | B,), ("start", "start")]}),
}


def derivations(grammar, tokens):
    """How often the grammar derives `tokens`, by recursion."""

    def count(part, span):
        if isinstance(part, frozenset):
            return int(len(span) == 1 and span[0] in part)
        if isinstance(part, str):
            return sum(sequence(row, span) for row in grammar.rules[part])
        return sequence(part, span)

    def sequence(row, span):
        if len(row) == 1:
            return count(row[0], span)
        return sum(count(row[0], span[:cut]) * sequence(row[1:], span[cut:]) for cut in range(1, len(span)))

    return count(grammar.start, tokens)


def posterior(grammar, rows, canvas):
    masses = {}
    for tokens in itertools.product(range(3), repeat=len(canvas)):
        if all(c in (None, t) for c, t in zip(canvas, tokens, strict=True)) and (n := derivations(grammar, tokens)):
            logs = [rows[i, t] for i, t in enumerate(tokens) if canvas[i] is None]
            masses[tokens] = n * math.exp(math.fsum(logs))
    return masses


@pytest.mark.parametrize("canvas", [(None,), (None,) * 4, (0, None, None, None), (None, 1, None, None, 1, None)])
@pytest.mark.parametrize("name", GRAMMARS)
def test_mass_marginals_and_samples(name, canvas):
    grammar = GRAMMARS[name]
    rows = random_log_probs(np.random.default_rng(len(canvas)), len(canvas), 3, holes=len(canvas) == 4)
    masses = posterior(grammar, rows, canvas)
    total = sum(masses.values())
    chart = Chart(grammar, rows, canvas)
    assert math.exp(chart.log_mass) == pytest.approx(total, rel=1e-10, abs=1e-300)
    if not total:
        return
    expected = np.zeros(rows.shape)
    for tokens, mass in masses.items():
        for i, token in enumerate(tokens):
            expected[i, token] += mass / total
    np.testing.assert_allclose(chart.marginals(), expected, atol=1e-10)
    if name != "ambiguous" or len(canvas) < 5:
        law = {}
        for probability, tokens in enumerate_outcomes(chart.sample):
            law[tokens] = law.get(tokens, 0.0) + probability
        assert set(law) == {tokens for tokens, mass in masses.items() if mass}
        for tokens, probability in law.items():
            assert probability == pytest.approx(masses[tokens] / total, abs=1e-12)


def test_a_long_canvas_does_not_underflow():
    rows = np.full((60, 3), -40.0)
    chart = Chart(GRAMMARS["brackets"], rows, (None,) * 60)
    catalan = math.comb(60, 30) // 31
    assert chart.log_mass == pytest.approx(math.log(catalan) - 60 * 40.0, rel=1e-12)


def test_what_cannot_be_summed_is_refused():
    with pytest.raises(pgen.InvalidLanguage, match="without rules: item"):
        TokenGrammar({"start": [("item",)]})
    with pytest.raises(pgen.UnsupportedFeature, match="empty alternatives of start"):
        TokenGrammar({"start": [(A, "start"), ()]})
    with pytest.raises(pgen.UnsupportedFeature, match="derive themselves alone"):
        TokenGrammar({"start": [("other",)], "other": [("start",), (A,)]})
