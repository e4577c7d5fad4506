"""Remasking: one move, with all random choices enumerated, leaves the posterior as it is."""

import math

import numpy as np
import pytest
from canvas_cases import ABC, LANGUAGES, WITHOUT_EOS
from canvas_process import random_denoiser, target

import pgen
from pgen.inference.moves.canvas_moves import Remask, _Walk
from pgen.testing import generative_laws as laws
from pgen.testing.enumeration import enumerate_outcomes


def moved_masses(model, kernel):
    """text -> mass after one move from every run there is, each weighing what it weighs."""
    masses = {}
    for probability, (run, log_weight) in enumerate_outcomes(model.simulate):
        if log_weight == -math.inf:
            continue
        for chance, (move,) in enumerate_outcomes(lambda rng, run=run: kernel.step(model.runner, [run], [rng])):
            text = str(move.run.value)
            masses[text] = masses.get(text, 0.0) + probability * math.exp(log_weight) * chance
    return masses


@pytest.mark.parametrize(
    ("order", "vocabulary", "length"),
    [("confidence", WITHOUT_EOS, 2), ("left_to_right", ABC, 2), (pgen.Threshold(0.5), ABC, 2)],
)
def test_a_move_keeps_the_posterior(order, vocabulary, length):
    """With an end token, too, where canvases are longer than their texts."""
    denoiser, language = random_denoiser(vocabulary, length, 3), LANGUAGES["counted"]
    text = denoiser.text("", length=length, order=order).given(language)
    exact = pgen.infer(text, method=pgen.Enumerate())
    expected = {str(x): p * math.exp(exact.log_evidence) for x, p in exact.probabilities().items()}
    model = pgen.Generative(lambda: pgen.sample("x", text))
    assert moved_masses(model, Remask(1)) == pytest.approx(expected, abs=1e-12)


CHARTED = {
    "ambiguous": pgen.Grammar(
        'start: x | y\nx: "a" x "a" | "b" x "b" | "a" | "b"\ny: "a" y "a" | "b" | "a" "b" "b"'  # "aba" is derived twice
    ),
    "palindromes": pgen.Grammar('start: "a" start "a" | "b" start "b" | "a" | "b" |'),
}


@pytest.mark.parametrize(("name", "vocabulary", "length"), [("ambiguous", WITHOUT_EOS, 3), ("palindromes", ABC, 2)])
@pytest.mark.parametrize("count", [1, 2])
def test_a_move_on_a_chart_divides_derivations_out(monkeypatch, name, vocabulary, length, count):
    """The full transition matrix of languages without a table, one of them with several derivations a text."""
    monkeypatch.setattr("pgen.inference.drafting.canvas_language.MAX_STATES", 1)
    denoiser = random_denoiser(vocabulary, length, 3)
    text = denoiser.text("", length=length, order="left_to_right").given(CHARTED[name])
    exact = pgen.infer(text, method=pgen.Enumerate())
    expected = {str(x): p * math.exp(exact.log_evidence) for x, p in exact.probabilities().items()}
    assert len(expected) > 3
    model = pgen.Generative(lambda: pgen.sample("x", text))
    assert moved_masses(model, Remask(count)) == pytest.approx(expected, abs=1e-12)


def test_the_transition_matrix_in_a_program():
    denoiser = random_denoiser(WITHOUT_EOS, 2, 5)

    def program():
        power = pgen.sample("power", pgen.categorical({1: 0.3, 2: 0.7}))
        word = pgen.sample("word", denoiser.text("", length=2, steps=1).given(pgen.Regex("[ab]{2,3}")))
        pgen.factor("long", 0.3 * len(word) * power)
        return power, str(word)

    kernel = Remask(1, "word")
    runs, matrix, masses = laws.transition_matrix(pgen.Generative(program), kernel)
    assert matrix.sum(axis=1) == pytest.approx(np.ones(len(runs)))
    assert masses @ matrix == pytest.approx(masses, abs=1e-12)
    flows = masses[:, None] * matrix
    assert flows == pytest.approx(flows.T, abs=1e-12), "detailed balance"
    words = [run.choices["power"].value for run in runs]
    reached = np.linalg.matrix_power(matrix, 6) > 0
    assert (reached == (np.array(words)[:, None] == np.array(words))).all(), "every word leads to every other"


def test_without_looking_back_the_posterior_is_lost(monkeypatch):
    """The control: what correctors do that accept every remasked draw."""
    denoiser, language = random_denoiser(WITHOUT_EOS, 2, 3), LANGUAGES["counted"]
    text = denoiser.text("", length=2).given(language)
    expected = target(denoiser, 2, "confidence", 2, language)
    model = pgen.Generative(lambda: pgen.sample("x", text))
    redrawn = _Walk.redrawn
    monkeypatch.setattr(_Walk, "redrawn", lambda *args: (redrawn(*args)[0], 50.0))
    moved = moved_masses(model, Remask(2))
    assert sum(abs(moved.get(x, 0.0) - mass) for x, mass in expected.items()) > 0.05 * sum(expected.values())


def test_orders_without_a_single_way_are_refused():
    text = random_denoiser(ABC, 2, 4).text("", length=2, order="random").given(LANGUAGES["any"])
    with pytest.raises(pgen.UnsupportedFeature, match="no single way"):
        pgen.infer(text, method=pgen.MCMC(Remask(1), steps=2, lookahead=0))
    with pytest.raises(pgen.InvalidArgument, match="the run has no canvas"):
        pgen.infer(lambda: pgen.sample("x", pgen.uniform(0, 1)), method=pgen.MCMC(Remask(1), steps=2))
    with pytest.raises(pgen.InvalidArgument, match="count=0"):
        Remask(0)
