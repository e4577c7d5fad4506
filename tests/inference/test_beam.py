"""Beam search and best-first search against brute force; the stochastic beam by enumerating its draws."""

import itertools
import math

import numpy as np
import pytest
from cases import VOCABULARIES, generated

import pgen
from pgen.testing.laws import check_batch_independence, check_proper_weights
from pgen.testing.oracles import random_model

CASES = generated(18, seed=21, max_tokens=3)
SMALL = generated(14, seed=22, max_tokens=2)
MAX_PATHS = 60


def named(cases):
    return {"argvalues": cases, "ids": [f"{i}-{case.name}" for i, case in enumerate(cases)]}


def second(target):
    return sorted(target.values())[-2] if len(target) > 1 else 0.0


@pytest.mark.parametrize("case", **named(CASES))
def test_a_beam_that_prunes_nothing_is_enumeration(case):
    posterior = pgen.infer(case.program, method=pgen.Beam(10_000, tol=1e-12))
    evidence = sum(case.target.values())
    assert math.exp(posterior.log_evidence) == pytest.approx(evidence, rel=1e-9)
    assert posterior.log_unexplored == -math.inf
    for value, mass in case.target.items():
        assert posterior.probabilities()[value] == pytest.approx(mass / evidence, rel=1e-8)
    if max(case.target.values()) > second(case.target) * (1 + 1e-9):
        assert posterior.label == "map"


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("case", **named(CASES))
def test_a_narrow_beam_weighs_what_it_finds_rightly_and_bounds_what_it_misses(case, width):
    try:
        posterior = pgen.infer(case.program, method=pgen.Beam(width, tol=1e-12))
    except pgen.ZeroEvidence:
        return  # Everything in the beam died.
    evidence = sum(case.target.values())
    low, high = posterior.log_evidence_bounds
    later_gains = "stop" in case.name or "prefix" in case.name
    assert low <= math.log(evidence) + 1e-9
    assert later_gains or math.log(evidence) <= high + 1e-9
    if posterior.label == "map" and not later_gains:
        assert case.target[posterior.mode()] == pytest.approx(max(case.target.values()))
    else:
        assert posterior.label in ("map", "heuristic")
    if case.name.startswith(("one_text", "weighed")):
        for value, weight in zip(posterior.values, posterior.log_weights, strict=True):
            assert math.exp(weight) == pytest.approx(case.target[value], rel=1e-9)


def test_some_narrow_beam_misses_the_mode_and_says_that_it_may():
    missed = 0
    for case in CASES:
        try:
            posterior = pgen.infer(case.program, method=pgen.Beam(1))
        except pgen.ZeroEvidence:
            continue
        if case.target[posterior.mode()] < 0.999 * max(case.target.values()):
            assert posterior.label == "heuristic"
            missed += 1
    assert missed >= 3


def test_found_spellings_alone_weigh_less():
    text = random_model(VOCABULARIES["pieces"], 3).text("", max_tokens=3).given(pgen.choice("ab"))
    whole, part = (pgen.infer(text, method=pgen.Beam(1, spellings=which)) for which in ("all", "found"))
    assert whole.values == part.values == ("ab",)
    assert part.log_evidence < whole.log_evidence - 0.01


@pytest.mark.parametrize("case", **named(SMALL))
@pytest.mark.parametrize("width", [1, 2])
def test_the_stochastic_beam_is_properly_weighted(case, width):
    try:
        check_proper_weights(case.program, pgen.StochasticBeam(width), case.target, max_paths=MAX_PATHS)
    except pgen.LimitExceeded:
        pytest.skip(f"more than {MAX_PATHS} paths")


def test_a_wide_stochastic_beam_is_exact():
    for case in CASES[:20]:
        posterior = pgen.infer(case.program, method=pgen.StochasticBeam(10_000))
        assert math.exp(posterior.log_evidence) == pytest.approx(sum(case.target.values()), rel=1e-9)
        assert posterior.label == "consistent"


@pytest.mark.parametrize("case", **named(CASES))
def test_the_likeliest_value_is_proven(case):
    posterior = pgen.infer(case.program, method=pgen.MostLikely(log_bound=3.0))
    assert posterior.label == "map"
    assert case.target[posterior.mode()] == pytest.approx(max(case.target.values()), rel=1e-5)
    low, high = posterior.log_evidence_bounds
    assert low - 1e-9 <= math.log(sum(case.target.values())) <= high + 1e-9


@pytest.mark.parametrize("case", **named([c for c in CASES if not c.name.startswith("observed")]))
def test_the_likeliest_run_is_the_heaviest_of_all(case):
    """The oracle: a beam that keeps every token path apart."""
    every = pgen.infer(case.program, method=pgen.Beam(10_000, spellings="found"))
    best = pgen.infer(case.program, method=pgen.MostLikely("run", log_bound=3.0))
    assert len(best.values) == 1
    assert best.log_weights[0] == pytest.approx(float(every.log_weights.max()), abs=2e-6)


def test_a_proof_takes_fewer_evaluations_than_enumeration():
    proof, whole = [], []
    for case in (c for c in CASES if c.name.startswith(("one_text", "weighed"))):
        proof.append(pgen.infer(case.program, method=pgen.MostLikely("run")).n_evaluations)
        whole.append(pgen.infer(case.program, method=pgen.Enumerate()).n_evaluations)
    assert sum(proof) < 0.8 * sum(whole)


def test_without_a_proof_it_raises_and_says_how_far_it_came():
    case = max(CASES, key=lambda c: len(c.target))
    with pytest.raises(pgen.LimitExceeded, match="not proven after 1 evaluations"):
        pgen.infer(case.program, method=pgen.MostLikely(max_evaluations=1))


def test_a_run_that_gains_weight_needs_a_bound():
    def program():
        kind = pgen.sample("kind", pgen.categorical({"a": 0.9, "b": 0.1}))
        pgen.factor("gain", 5.0 if kind == "b" else 0.0)
        return kind

    with pytest.raises(pgen.InvalidArgument, match="log_bound"):
        pgen.infer(lambda: (program(), pgen.sample("x", pgen.categorical([0.5, 0.5]))), method=pgen.MostLikely(tol=0))
    assert pgen.infer(program, method=pgen.MostLikely(log_bound=5.0)).mode() == "b"


def test_ties_are_decided_within_the_tolerance():
    def program():
        return pgen.sample("x", pgen.categorical({"a": 0.5, "b": 0.5}))

    assert pgen.infer(program, method=pgen.MostLikely()).label == "map"


@pytest.mark.parametrize("method", [pgen.Beam(3), pgen.StochasticBeam(3), pgen.MostLikely(log_bound=3.0)])
def test_results_do_not_depend_on_the_batch_size(method):
    for case in CASES[:6]:
        try:
            check_batch_independence(case.program, method)
        except pgen.ZeroEvidence:
            continue


@pytest.mark.parametrize("method", [pgen.Beam(2), pgen.StochasticBeam(2), pgen.MostLikely()])
def test_infinite_choices_and_early_ends(method):
    with pytest.raises(pgen.InvalidArgument, match="infinitely many"):
        pgen.infer(lambda: pgen.sample("x", pgen.normal(0.0, 1.0)), method=method)
    case = max(CASES, key=lambda c: len(c.target))
    with pytest.raises(pgen.LimitExceeded, match="budget"):
        pgen.infer(case.program, method=method, budget=1)


def test_bad_settings():
    for make, shown in [
        (lambda: pgen.Beam(0), "width=0"),
        (lambda: pgen.Beam(spellings="some"), "spellings='some'"),
        (lambda: pgen.Beam(tol=0.0), "tol=0.0"),
        (lambda: pgen.StochasticBeam(0), "width=0"),
        (lambda: pgen.MostLikely("text"), "of='text'"),
        (lambda: pgen.MostLikely(max_evaluations=0), "max_evaluations=0"),
        (lambda: pgen.MostLikely(log_bound=-1.0), "log_bound=-1.0"),
    ]:
        with pytest.raises(pgen.InvalidArgument, match=shown):
            make()


def test_two_texts_and_a_latent_choice_in_one_beam():
    """By hand: the heaviest of four runs is found by width 2, not by width 1."""
    first = {"a": 0.6, "b": 0.4}
    later = {"a": (0.5, 0.5), "b": (0.9, 0.1)}

    def program():
        x = pgen.sample("x", pgen.categorical(first))
        return x, pgen.sample("y", pgen.categorical(later[x]))

    masses = {(x, y): first[x] * later[x][y] for x, y in itertools.product("ab", (0, 1))}
    narrow, wide = (pgen.infer(program, method=pgen.Beam(width)) for width in (1, 2))
    assert narrow.mode()[0] == "a"
    assert narrow.label == "heuristic"
    assert wide.mode() == max(masses, key=masses.get) == ("b", 0)
    np.testing.assert_allclose(np.exp(wide.log_weights), [masses[v] for v in wide.values])
