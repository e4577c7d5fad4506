"""Masked diffusion under context-free languages without a table: charts against tables, brute force and the process."""

import itertools
import json
import math

import numpy as np
import pytest
from canvas_cases import ABC, LANGUAGES, WITH_SPECIAL, WITHOUT_EOS, random_log_probs, text_of
from canvas_process import process_masses, random_denoiser, step_sizes

import pgen
from pgen.backends.tabular import TabularDiffusion
from pgen.chains.lattice import Chart, lattice
from pgen.chains.pushdown import Pushdown, is_unambiguous, pushdown
from pgen.inference.context import Context
from pgen.inference.drafting import canvas_language
from pgen.inference.drafting.canvas import CanvasDrafter
from pgen.testing.enumeration import enumerate_outcomes
from pgen.testing.laws import check_proper_weights

GRAMMARS = {
    "brackets": pgen.Grammar('start: "a" start "b" | "ab"'),
    "nested": pgen.Grammar('start: "a" start "b" | "ab" | "b"'),
    "palindromes": pgen.Grammar('start: "a" start "a" | "b" start "b" | "a" | "b" |'),
    "ambiguous": pgen.Grammar('start: start start | "a" | "b" start "b"'),
    "rules": pgen.Grammar('start: x y | y "a"\nx: "a" x "b" | "b"\ny: "b" y y | "a"'),
    "regular": LANGUAGES["ambiguous"],
}
JSON = pgen.Grammar(
    r"""
    start: value
    value: object | array | STRING | NUMBER | "true" | "null"
    object: "{" [pair ("," pair)*] "}"
    pair: STRING ":" value
    array: "[" [value ("," value)*] "]"
    STRING: /"[a-c]*"/
    NUMBER: /-?(0|[1-9][0-9]*)/
    """
)
LETTERS = [bytes([byte]) for byte in b'{}[]:,"abctruenl0123-']
JSON_TOKENS = pgen.Vocabulary([*LETTERS, b"true", b'":', b""], eos=len(LETTERS) + 2)


@pytest.fixture
def charts(monkeypatch):
    """No language has a table."""
    monkeypatch.setattr(canvas_language, "MAX_STATES", 1)


def program(distribution):
    return lambda: pgen.sample("text", distribution)


def target(model, length, order, steps, language):
    """text -> mass of the process inside the language."""

    def member(tokens):
        text = text_of(model.vocabulary, tokens)
        return text is not None and language.matches(text)

    masses = process_masses(model, (None,) * length, order, step_sizes(length, steps), member=member)
    return {text.decode(): m for text, m in masses.items() if text is not None and language.matches(text)}


def exact_masses(distribution):
    posterior = pgen.infer(distribution, method=pgen.Enumerate())
    return {str(text): p * math.exp(posterior.log_evidence) for text, p in posterior.probabilities().items()}


def assert_same(found, expected, tolerance=1e-12):
    for text in {*found, *expected}:
        assert found.get(text, 0.0) == pytest.approx(expected.get(text, 0.0), abs=tolerance), text


def members(vocabulary, language, rows, canvas):
    """filling -> probability under the marginals, for the members that agree with the canvas."""
    found = {}
    for tokens in itertools.product(range(len(vocabulary)), repeat=len(canvas)):
        if all(c in (None, t) for c, t in zip(canvas, tokens, strict=True)):
            text, logs = text_of(vocabulary, tokens), [rows[i, t] for i, t in enumerate(tokens) if canvas[i] is None]
            if text is not None and language.matches(text) and (p := math.exp(math.fsum(logs))):
                found[tokens] = p
    return found


@pytest.mark.parametrize("vocabulary", [ABC, WITHOUT_EOS, WITH_SPECIAL])
@pytest.mark.parametrize("name", GRAMMARS)
def test_mass_draws_and_marginals_equal_brute_force(name, vocabulary):
    rules, generator = pushdown(GRAMMARS[name], vocabulary, 99), np.random.default_rng(len(name))
    for canvas in [(None,) * 3, (None, 1, None, None), (0, None)]:
        rows = random_log_probs(generator, len(canvas), len(vocabulary))
        masses = members(vocabulary, GRAMMARS[name], rows, canvas)
        chart = Chart(lattice(rules, rows, canvas))
        derived = {tokens: math.exp(chart.given(tokens).log_mass) for tokens in masses}
        total = sum(mass * derived[tokens] for tokens, mass in masses.items())
        assert math.exp(chart.log_mass) == pytest.approx(total, rel=1e-10, abs=1e-300)
        if is_unambiguous(rules.bodies):
            assert all(count == pytest.approx(1.0, abs=1e-12) for count in derived.values())
        if not masses:
            continue
        law, positions = dict.fromkeys(masses, 0.0), [i for i, token in enumerate(canvas) if token is None]
        for probability, drawn in enumerate_outcomes(lambda rng, chart=chart, at=positions: chart.sample(at, rng)):
            filled = dict(zip(positions, drawn, strict=True))
            law[tuple(filled.get(i, token) for i, token in enumerate(canvas))] += probability
        expected = np.zeros(rows.shape)
        for tokens, mass in masses.items():
            assert law[tokens] == pytest.approx(mass * derived[tokens] / total, abs=1e-12)
            expected[np.arange(len(tokens)), tokens] += mass * derived[tokens] / total
        np.testing.assert_allclose(np.exp(chart.marginals), expected, atol=1e-12)


def test_which_grammars_are_seen_to_be_unambiguous():
    seen = {name: is_unambiguous(pushdown(grammar, WITHOUT_EOS, 99).bodies) for name, grammar in GRAMMARS.items()}
    assert [name for name, unambiguous in seen.items() if unambiguous] == ["brackets", "regular"]


@pytest.mark.parametrize(
    ("name", "order", "length"), [("nested", "confidence", 4), ("ambiguous", "random", 3), ("rules", "margin", 3)]
)
def test_charts_enumerate_what_tables_enumerate(name, order, length, monkeypatch):
    for vocabulary in (ABC, WITHOUT_EOS):
        model = random_denoiser(vocabulary, length, 1)
        distribution = model.text("", length=length, steps=2, order=order).given(GRAMMARS[name])
        by_table = exact_masses(distribution)
        monkeypatch.setattr(canvas_language, "MAX_STATES", 1)
        assert isinstance(CanvasDrafter(Context()).process(distribution).automaton, Pushdown)
        assert_same(exact_masses(distribution), by_table)
        assert_same(by_table, target(model, length, order, 2, GRAMMARS[name]))
        some = max(by_table, key=by_table.get)
        assert math.exp(distribution.log_prob(some)) == pytest.approx(by_table[some], abs=1e-12)
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("name", "order", "vocabulary", "length", "steps"),
    [
        ("nested", "confidence", WITHOUT_EOS, 3, 2),
        ("ambiguous", "left_to_right", WITHOUT_EOS, 3, 3),
        ("ambiguous", "random", WITHOUT_EOS, 3, 2),
        ("ambiguous", "low_confidence", WITHOUT_EOS, 3, 2),
        ("palindromes", "entropy", ABC, 2, 2),
        ("brackets", "constrained_confidence", ABC, 2, 2),
    ],
)
def test_draws_are_properly_weighted(charts, name, order, vocabulary, length, steps):
    """Proposal times weight is the process with every choice enumerated, derivations divided out."""
    model = random_denoiser(vocabulary, length, 7)
    distribution = model.text("", length=length, steps=steps, order=order).given(GRAMMARS[name])
    expected = target(model, length, order, steps, GRAMMARS[name])
    check_proper_weights(program(distribution), pgen.Importance(1), expected, 1e-12)


def test_marginals_that_exclude_what_a_later_step_allows(charts):
    """What one step rules out, the next one wants: the proposal must reach it."""

    def marginals(tokens):
        rows = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
        if tokens[0] is not None:
            rows[1] = [0.7, 0.3, 0.0]
        with np.errstate(divide="ignore"):
            return np.log(rows)

    model = TabularDiffusion(WITHOUT_EOS, 2, marginals)
    distribution = model.text("", length=2, order="left_to_right").given(GRAMMARS["palindromes"])
    check_proper_weights(program(distribution), pgen.Importance(1), {"aa": 0.35, "bb": 0.15}, 1e-12)


def test_blocks_that_see_no_farther(charts):
    """Positions behind the block at work count alike."""
    whole = random_denoiser(WITHOUT_EOS, 4, 2)

    class Blocks(TabularDiffusion):
        block_length = 2

        def marginals(self, prompts, canvases):
            full = [(*canvas, *(None,) * (4 - len(canvas))) for canvas in canvases]
            return whole.marginals(prompts, full)[:, : len(canvases[0])]

    distribution = Blocks(WITHOUT_EOS, 4, lambda tokens: None).text("", length=4, order="left_to_right")
    expected = target(whole, 4, "left_to_right", 4, GRAMMARS["nested"])
    check_proper_weights(program(distribution.given(GRAMMARS["nested"])), pgen.Importance(1), expected, 1e-12)


def test_json_that_has_no_table():
    model = random_denoiser(JSON_TOKENS, 48, 3)
    distribution = model.text("", length=48, steps=4).given(JSON)
    assert isinstance(CanvasDrafter(Context()).process(distribution).automaton, Pushdown)
    posterior = pgen.infer(distribution, method=pgen.SMC(3, resample="tokens"), seed=0)
    assert len(posterior.values) == 3
    assert np.isfinite(posterior.log_evidence)
    for text in posterior.values:
        assert len(text.tokens) <= 48
        json.loads(text)


def test_what_a_chart_cannot_do_is_refused(charts):
    model = random_denoiser(WITHOUT_EOS, 4, 0)
    ambiguous, nested = GRAMMARS["ambiguous"], GRAMMARS["nested"]
    with pytest.raises(pgen.UnsupportedFeature, match="several derivations"):
        pgen.infer(model.text("", length=4, order="constrained_margin").given(ambiguous), method=pgen.Importance(2))
    with pytest.raises(pgen.UnsupportedFeature, match="no table over 4 positions to find best strings"):
        pgen.time_vote(model.text("", length=4).given(nested), 0)
    letters, even = pgen.Vocabulary([b"a", b"b"], eos=()), pgen.Grammar('start: "a" start "a" | "bb"')
    with pytest.raises(pgen.InvalidArgument, match=r"exactly 5 tokens(.|\n)*nearest lengths are 4 and 6"):
        pgen.infer(random_denoiser(letters, 5, 0).text("", length=5).given(even))


def test_nan_is_an_error():
    rows = np.log(np.full((2, 3), 1 / 3))
    rows[1, 0] = np.nan
    rules = pushdown(GRAMMARS["nested"], WITHOUT_EOS, 99)
    with pytest.raises(pgen.ModelError, match="NaN"):
        lattice(rules, rows, (None, None))
    assert Chart(lattice(rules, rows, (None, 1))).log_mass == pytest.approx(-math.log(3))
