"""Searches over every kind of choice: critics, normalised texts, several models, other kinds of models."""

import math

import numpy as np
import pytest
from cases import VOCABULARIES
from insertion_oracles import random_insertion
from insertion_oracles import text_masses as insertion_masses

import pgen
from pgen.backends.tabular import TabularAR
from pgen.errors import CriticError
from pgen.inference.context import Context
from pgen.inference.places import Places
from pgen.programs.machine import Machine
from pgen.testing.laws import check_proper_weights
from pgen.testing.oracles import random_model, text_masses

AB = pgen.Regex("[ab]{1,3}")
METHODS = [pgen.Beam(1000, tol=1e-12), pgen.StochasticBeam(1000), pgen.MostLikely(log_bound=4.0)]


def likes_a(text):
    return 0.8 * text.count("a") - 0.3 * len(text)


def no_bb(text):
    return "bb" not in text


def judged():
    """A text under a predicate and a potential of its beginnings."""
    lm = random_model(VOCABULARIES["pieces"], 5)
    plain = lm.text("", max_tokens=2, end="eos").given(AB)
    target = {x: m * math.exp(likes_a(x)) for x, m in text_masses(plain, 2).items() if no_bb(x)}
    distribution = plain.where(no_bb).weighted(likes_a)
    return (lambda: pgen.sample("x", distribution)), target


def normalised():
    """A normalised text of small mass, then one that follows it."""
    lm = random_model(VOCABULARIES["letters"], 8)
    first = lm.text("", max_tokens=2, end="eos").given("bb")
    assert sum(text_masses(first, 2).values()) < 0.5

    def program():
        x = pgen.sample("x", lm.text("", max_tokens=2, end="eos").within(pgen.choice("bb", "ba")))
        return str(x), str(pgen.sample("y", lm.text(x, max_tokens=1, end="eos").given(pgen.choice("a", "b"))))

    masses = text_masses(lm.text("", max_tokens=2, end="eos").given(pgen.choice("bb", "ba")), 2)
    target = {}
    for x, mass in masses.items():
        later = lm.text(x, max_tokens=1, end="eos").given(pgen.choice("a", "b"))
        target.update({(x, y): mass / sum(masses.values()) * m for y, m in text_masses(later, 1).items()})
    return program, target


def mixed():
    """A text of an insertion model and one of a left-to-right model."""
    inserting, words = random_insertion(VOCABULARIES["letters"], 11, zeros=0.0), pgen.choice("a", "ab")
    following = random_model(VOCABULARIES["letters"], 2)

    def program():
        x = pgen.sample("x", inserting.text("", max_tokens=2).given(words))
        return str(x), str(pgen.sample("y", following.text(x, max_tokens=1, end="eos").given("b")))

    target = {}
    for x, mass in insertion_masses(inserting, (), 2, words).items():
        later = following.text(x, max_tokens=1, end="eos").given("b")
        target.update({(x, y): mass * m for y, m in text_masses(later, 1).items()})
    return program, target


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [judged, normalised, mixed])
def test_searches_equal_brute_force(make, method):
    program, target = make()
    posterior = pgen.infer(program, method=method)
    assert target[posterior.mode()] == pytest.approx(max(target.values()), rel=1e-5)
    for value, log_weight in zip(posterior.values, posterior.log_weights, strict=True):
        assert math.exp(log_weight) <= target[value] * (1 + 1e-9)
    low, high = posterior.log_evidence_bounds
    assert low - 1e-9 <= math.log(sum(target.values())) <= high + 1e-9
    if not isinstance(method, pgen.MostLikely):
        assert math.exp(posterior.log_evidence) == pytest.approx(sum(target.values()), rel=1e-9)


@pytest.mark.parametrize("method", [pgen.ASAp(1), pgen.ASAp(2), pgen.StochasticBeam(1), pgen.StochasticBeam(2)])
@pytest.mark.parametrize("make", [judged, normalised, mixed])
def test_samplers_are_properly_weighted(make, method):
    program, target = make()
    check_proper_weights(program, method, target, max_paths=2_000)


@pytest.mark.parametrize("make", [judged, normalised, mixed])
def test_the_bounds_of_a_narrow_beam_hold(make):
    program, target = make()
    for width in (1, 2, 3):
        try:
            posterior = pgen.infer(program, method=pgen.Beam(width))
        except pgen.ZeroEvidence:
            continue
        low, high = posterior.log_evidence_bounds
        assert low - 0.01 <= math.log(sum(target.values())) <= high + 1e-9


@pytest.mark.parametrize(("rare", "pruned"), [(1.0, 0.4 / 0.406), (0.01, 1.0)])
def test_a_normalised_text_weighs_at_most_one_however_improbable_its_language(rare, pruned):
    """Width 1 follows "Par" and prunes "Lon", with prefix masses .6 and .4 over the mass of the language."""
    rows = {(): {0: 0.6, 2: 0.4}, (0,): {1: 0.01, 3: 0.99}, (2,): {3: rare, 1: 1 - rare}}

    def next_logprobs(tokens):
        row = rows.get(tokens, {4: 1.0})
        return [math.log(row[t]) if row.get(t) else -math.inf for t in range(5)]

    vocabulary = pgen.Vocabulary([b"Par", b"is", b"Lon", b"don", b"<eos>"], eos=4)
    text = TabularAR(vocabulary, next_logprobs).text("").within(pgen.choice("Paris", "London"))
    share = 0.006 / (0.006 + 0.4 * rare)
    low, high = pgen.infer(text, method=pgen.Beam(1)).log_evidence_bounds
    assert low == pytest.approx(math.log(share))
    assert high == pytest.approx(math.log(share + pruned))
    proven = pgen.infer(text, method=pgen.MostLikely())
    assert proven.mode() == ("Paris" if share > 0.5 else "London")


def test_a_text_whose_beginnings_are_texts_is_bounded_wherever_it_stands():
    """Under end="prefix" every length counts, the empty one too: three times 1 if two tokens are sure to come."""
    lm = TabularAR(VOCABULARIES["letters"], lambda tokens: [0.0, -math.inf, -math.inf])
    text = lm.text("", max_tokens=2, end="prefix").given(pgen.Regex("[ab]*"))
    places = Places(Machine(lambda: pgen.sample("x", text), (), {}), Context())
    start = places.start()
    assert math.exp(places.log_bound(start)) == pytest.approx(3.0)
    (outcomes,) = places.outcomes([start])
    assert np.exp(places.log_bounds(start, outcomes)) == pytest.approx([1.0, 2.0])
    assert math.exp(pgen.infer(text, method=pgen.Enumerate()).log_evidence) == pytest.approx(3.0)


@pytest.mark.parametrize("method", [*METHODS, pgen.ASAp(3)])
def test_a_failing_critic_names_the_site(method):
    def broken(text):
        raise ValueError("no")

    text = random_model(VOCABULARIES["letters"], 1).text("", max_tokens=2).given(AB).where(broken)
    with pytest.raises(CriticError) as caught:
        pgen.infer(lambda: pgen.sample("where", text), method=method)
    assert caught.value.address == "where"


@pytest.mark.parametrize("method", [*METHODS, pgen.ASAp(5)])
def test_nothing_possible_is_said(method):
    def program():
        x = pgen.sample("x", pgen.categorical({"a": 0.5, "b": 0.5}))
        pgen.condition("never", x == "c")

    with pytest.raises(pgen.ZeroEvidence, match="never"):
        pgen.infer(program, method=method)
