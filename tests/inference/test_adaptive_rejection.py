"""Adaptive rejection against brute force: every random choice of the sampler enumerated, the trie's bounds checked."""

import itertools
import math

import pytest
from cases import VOCABULARIES, generated

import pgen
from pgen.backends.product_model import product
from pgen.inference.context import Context
from pgen.inference.methods.adaptive_rejection import BoundTrie
from pgen.inference.places import Places
from pgen.programs.machine import Machine
from pgen.sampling import CounterRng
from pgen.testing.enumeration import enumerate_outcomes
from pgen.testing.laws import check_batch_independence
from pgen.testing.oracles import random_model, text_masses

CASES = [case for case in generated(40, seed=13, max_tokens=2) if len(case.target) < 4][3:7]
PIECES = random_model(VOCABULARIES["pieces"], 5)


def named(cases):
    return {"argvalues": cases, "ids": [f"{i}-{case.name}" for i, case in enumerate(cases)]}


def law_of_draws(program, count, log_bound, max_paths):
    """`draws -> probability`, by enumerating all random choices of the tries."""
    places = Places(Machine(program, (), {}), Context(), lists_normalised=True)

    def drawn(rng):
        trie, found, n_tries = BoundTrie(places, log_bound), [], 0
        while len(found) < count:
            n_tries += 1
            place = trie.attempt(rng.at(n_tries))
            found += [] if place is None else [place.suspension.value]
        return tuple(found)

    law = {}
    for probability, values in enumerate_outcomes(drawn, max_paths):
        law[values] = law.get(values, 0.0) + probability
    return law


def check_independent_draws(program, target, count=1, log_bound=0.0, max_paths=2_000):
    total = sum(target.values())
    found = law_of_draws(program, count, log_bound, max_paths)
    every = itertools.product(target, repeat=count)
    assert found == pytest.approx({xs: math.prod(target[x] / total for x in xs) for xs in every}, abs=1e-10)


@pytest.mark.parametrize("case", **named(CASES))
def test_draws_are_independent_and_exact_although_the_trie_learns(case):
    check_independent_draws(case.program, case.target, count=2 if len(case.target) == 2 else 1, log_bound=0.5)


def soft():
    """A potential of its own bound, then a predicate."""
    plain = (
        random_model(VOCABULARIES["letters"], 5).text("", max_tokens=2, end="eos").given(pgen.choice("a", "b", "bb"))
    )
    judged = plain.weighted(lambda x: 0.8 * x.count("a") - 1.0, bound=0.61).where(lambda x: x != "bb", at="text")
    return judged, {x: m * math.exp(0.8 * x.count("a") - 1.0) for x, m in text_masses(plain, 2).items() if x != "bb"}


def flat():
    """A power below 1: tokens gain on the way."""
    plain = random_model(VOCABULARIES["letters"], 3).text("", end="eos").given(pgen.choice("a", "ab"))
    return plain**0.3, {x: m**0.3 for x, m in text_masses(plain, 2).items()}


def often():
    """Every beginning is a text of its own."""
    plain = random_model(VOCABULARIES["letters"], 4).text("", max_tokens=2, end="prefix").given(pgen.Regex("b*"))
    return plain, text_masses(plain, 2)


def normalised():
    """Tokens weigh more than 1 together, texts do not."""
    plain = PIECES.text("", max_tokens=2, end="eos")
    masses = text_masses(plain.given(pgen.choice("ab", "b")), 2)
    return plain.within(pgen.choice("ab", "b")), {x: m / sum(masses.values()) for x, m in masses.items()}


def potential():
    """A potential above 0."""
    plain = random_model(VOCABULARIES["letters"], 6).text("", max_tokens=2, end="eos").given(pgen.choice("a", "bb"))
    judged = plain.weighted(lambda x: 0.5 * len(x), bound=1.0)
    return judged, {x: m * math.exp(0.5 * len(x)) for x, m in text_masses(plain, 2).items()}


@pytest.mark.parametrize("make", [potential, flat, often, normalised])
def test_texts_of_every_kind_are_drawn_exactly(make):
    text, target = make()
    check_independent_draws(lambda: str(pgen.sample("x", text)), target)


def test_a_product_of_models_within_a_program():
    p, q = (random_model(VOCABULARIES["letters"], seed).text("", end="eos") for seed in (1, 2))
    text = product(p.given(pgen.choice("", "b")), q**0.5)

    def program():
        x = str(pgen.sample("x", text))
        pgen.factor("bonus", 0.4 if x else -0.7)
        return x

    exact = pgen.infer(program, method=pgen.Enumerate())
    check_independent_draws(program, exact.probabilities(), log_bound=0.4)


def test_the_root_only_falls_and_brackets_the_evidence():
    text, target = soft()
    evidence = sum(target.values())
    trie = BoundTrie(Places(Machine(lambda: pgen.sample("x", text), (), {}), Context(), lists_normalised=True), 0.0)
    roots, found = [trie.log_reachable], [trie.log_found]
    for number in range(60):
        trie.attempt(CounterRng(2).at(number))
        roots.append(trie.log_reachable)
        found.append(trie.log_found)
    assert all(after <= before + 1e-12 for before, after in itertools.pairwise(roots))
    assert all(
        math.exp(low) <= evidence + 1e-12 <= math.exp(high) + 2e-12 for low, high in zip(found, roots, strict=True)
    )
    assert math.exp(roots[-1]) == pytest.approx(evidence, rel=1e-9)
    assert math.exp(found[-1]) == pytest.approx(evidence, rel=1e-9)


def test_it_needs_few_tries_where_plain_rejection_needs_thousands_and_evaluates_each_prefix_once():
    lm = random_model(VOCABULARIES["letters"], 21)
    text = (
        lm.text("", max_tokens=5, end="eos").given(pgen.Regex("[ab]{5}")).where(lambda x: x.count("ab") > 1, at="text")
    )
    exact = pgen.infer(text, method=pgen.Enumerate())
    adaptive = pgen.infer(text, method=pgen.AdaptiveRejection(300), seed=1)
    n_tries = int(adaptive.notes[0].split()[3])
    assert adaptive.label == "exact"
    assert n_tries < 400 < 0.01 * 300 / math.exp(exact.log_evidence), "what plain rejection takes"
    assert adaptive.n_evaluations <= exact.n_evaluations
    low, high = adaptive.log_evidence_bounds
    assert low <= exact.log_evidence <= high < low + 0.01
    assert low <= adaptive.log_evidence <= high
    shares, expected = adaptive.probabilities(), exact.probabilities()
    assert sum(abs(shares.get(x, 0.0) - p) for x, p in expected.items()) / 2 < 0.08


def test_the_estimate_of_the_evidence_lies_within_certified_bounds():

    def program():
        x = pgen.sample("x", pgen.categorical([0.25] * 4))
        pgen.condition("even", x % 2 == 0)
        return x

    for seed in range(8):
        posterior = pgen.infer(program, method=pgen.AdaptiveRejection(2), seed=seed)
        low, high = posterior.log_evidence_bounds
        assert low - 1e-12 <= math.log(0.5) <= high + 1e-12
        assert low - 1e-12 <= posterior.log_evidence <= high + 1e-12


def test_results_do_not_depend_on_the_batch_size_and_a_budget_keeps_what_is_complete():
    check_batch_independence(CASES[0].program, pgen.AdaptiveRejection(9, log_bound=1.0))
    text, _ = soft()
    stopped = pgen.infer(text, method=pgen.AdaptiveRejection(10**6), budget=4)
    assert 2 <= len(stopped.values) < 10**6
    assert "the budget was spent" in stopped.notes


def test_bad_input():
    for make in (lambda: pgen.AdaptiveRejection(1), lambda: pgen.AdaptiveRejection(log_bound=-1.0)):
        with pytest.raises(pgen.InvalidArgument):
            make()

    def gains():
        pgen.factor("gift", 0.5 * pgen.sample("x", pgen.categorical([0.5, 0.5])))

    with pytest.raises(pgen.InvalidArgument, match=r"gains 0\.5 nats at factor 'gift'") as caught:
        pgen.infer(gains, method=pgen.AdaptiveRejection(50))
    assert "log_bound" in caught.value.hint
    unbounded = PIECES.text("", max_tokens=2, end="eos").weighted(lambda x: 0.1)
    with pytest.raises(pgen.InvalidArgument, match="without bound"):
        pgen.infer(unbounded, method=pgen.AdaptiveRejection())

    def never():
        x = pgen.sample("x", PIECES.text("", max_tokens=1, end="eos"))
        pgen.condition("never", x == "Rome")

    with pytest.raises(pgen.ZeroEvidence, match="'never'"):
        pgen.infer(never, method=pgen.AdaptiveRejection())
    with pytest.raises(pgen.InvalidArgument, match="infinitely many"):
        pgen.infer(lambda: pgen.sample("x", pgen.normal(0.0, 1.0)), method=pgen.AdaptiveRejection())
    with pytest.raises(pgen.LimitExceeded, match="accepted 1 of 1 tries"):
        pgen.infer(soft()[0], method=pgen.AdaptiveRejection(5, max_tries=1), seed=3)
