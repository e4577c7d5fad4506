"""Masses, samples, marginals and entropies of one step against brute force over all fillings."""

import math

import numpy as np
import pytest
from canvas_cases import ABC, LANGUAGES, Case, cases, random_log_probs

import pgen
from pgen.chains import sum_product
from pgen.chains.automaton import canvas_automaton
from pgen.chains.emissions import emissions
from pgen.testing.enumeration import enumerate_outcomes
from pgen.tokens.classes import token_table

CASES = list(cases(90, seed=1))


@pytest.mark.parametrize("case", CASES)
def test_the_mass_is_that_of_all_members(case):
    expected = sum(case.masses().values())
    assert math.exp(sum_product.messages(case.emissions).log_mass) == pytest.approx(expected, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("case", CASES)
def test_marginals_and_entropy(case):
    masses = case.masses()
    given = sum_product.messages(case.emissions)
    total = sum(masses.values())
    if total == 0:
        assert given.log_mass == -np.inf
        return
    found = sum_product.constrained_marginals(given)
    for i, committed in enumerate(case.canvas):
        for token in range(len(case.vocabulary)):
            expected = sum(p for tokens, p in masses.items() if tokens[i] == token) / total
            if committed is None:
                assert math.exp(found[i, token]) == pytest.approx(expected, abs=1e-12)
            else:
                assert np.isnan(found[i, token])
    shares = np.array(list(masses.values())) / total
    expected = -sum(p * math.log(p) for p in shares if p > 0)
    assert sum_product.entropy(given) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("case", [case for case in CASES if len(case.canvas) <= 4][:60])
def test_samples_follow_the_step_posterior(case):
    masses = case.masses()
    total = sum(masses.values())
    if total == 0:
        pytest.skip("nothing has mass")
    open_positions = [i for i, committed in enumerate(case.canvas) if committed is None]
    positions = open_positions[::-1][: 1 + len(open_positions) // 2]
    given, law = sum_product.messages(case.emissions), {}
    for probability, drawn in enumerate_outcomes(lambda rng: sum_product.sample(given, positions, rng)):
        law[drawn.tokens] = law.get(drawn.tokens, 0.0) + probability
    expected = {}
    for tokens, p in masses.items():
        kept = tuple(tokens[i] for i in positions)
        expected[kept] = expected.get(kept, 0.0) + p / total
    for kept in {*law, *expected}:
        assert law.get(kept, 0.0) == pytest.approx(expected.get(kept, 0.0), abs=1e-12)


@pytest.mark.parametrize("case", CASES[:60])
def test_committing_more_equals_starting_afresh(case):
    given = sum_product.messages(case.emissions)
    canvas = tuple(0 if token is None and i % 2 else token for i, token in enumerate(case.canvas))
    afresh = sum_product.messages(emissions(case.automaton, case.log_probs[None], [canvas])[0])
    assert given.given(canvas).log_mass == pytest.approx(afresh.log_mass, abs=1e-12)
    assert given.log_mass_given(canvas) == given.given(canvas).log_mass
    assert given.log_mass_given(case.canvas) == given.log_mass
    assert given.given(case.canvas) is given


def test_committed_positions_are_never_read():
    case = next(case for case in CASES if any(t is not None for t in case.canvas) and sum(case.masses().values()))
    spoilt = case.log_probs.copy()
    spoilt[[i for i, token in enumerate(case.canvas) if token is not None]] = np.nan
    other = emissions(case.automaton, spoilt[None], [case.canvas])[0]
    assert sum_product.messages(other).log_mass == sum_product.messages(case.emissions).log_mass


def test_nan_is_an_error_that_names_the_canvas():
    case = Case(ABC, LANGUAGES["any"], (None, None), random_log_probs(np.random.default_rng(0), 2, 4))
    marginals = np.stack([case.log_probs, case.log_probs])
    marginals[1, 1, 2] = np.nan
    with pytest.raises(pgen.ModelError, match="canvas 1 of the batch hold NaN"):
        emissions(case.automaton, marginals, [case.canvas, case.canvas])


def test_long_canvases_do_not_underflow():
    """A thousand unlikely tokens: masses of e^-20000 beside masses near 1, against the sum in closed form."""
    length, language = 1024, pgen.Regex("a*|b*")
    automaton = canvas_automaton(token_table(language.compile(ABC)), ABC)
    row = np.array([-20.0, np.log1p(-math.exp(-20.0) - 2e-300), -700.0, -700.0])
    given = sum_product.messages(emissions(automaton, np.tile(row, (1, length, 1)), [(None,) * length])[0])
    b_only = length * row[1]
    # From the state after an "a", only further "a"s (or an end) can follow.
    after_a = automaton.delta[0, automaton.class_of[0]]
    log_a = math.log(given.mantissa[1, after_a]) + given.exponent[1, after_a] * math.log(2)
    ends = [k * row[0] + row[3] for k in range(length - 1)]
    expected = np.logaddexp.reduce([(length - 1) * row[0], *ends])
    assert given.log_mass == pytest.approx(b_only, abs=1e-9)
    assert log_a == pytest.approx(expected, rel=1e-12)
    only_a = sum_product.messages(
        emissions(
            canvas_automaton(token_table(pgen.Regex("a{1024}").compile(ABC)), ABC),
            np.tile(row, (1, length, 1)),
            [(None,) * length],
        )[0]
    )
    # "ab" is not in the language, so every position is one "a".
    assert only_a.log_mass == pytest.approx(length * -20.0, rel=1e-12)


@pytest.mark.parametrize("case", list(cases(60, seed=2)))
def test_blocks_join_by_the_state_between_them(case):
    """The first places of a canvas, with an indicator for the rest, and the rest from each state between."""
    length, cut = len(case.canvas), len(case.canvas) // 2
    automaton = case.automaton
    head = emissions(automaton, case.log_probs[None, :cut], [case.canvas[:cut]])[0]
    tail = emissions(automaton, case.log_probs[None, cut:], [case.canvas[cut:]])[0]
    first = sum_product.messages(head, length=length)
    fillings = list(Case(case.vocabulary, case.language, (None,) * length, case.log_probs).masses())
    expected = sum(
        math.exp(math.fsum(case.log_probs[i, t] for i, t in enumerate(begun) if case.canvas[i] is None))
        for begun in {tokens[:cut] for tokens in fillings}
        if all(c in (None, t) for c, t in zip(case.canvas[:cut], begun, strict=True))
    )
    assert math.exp(first.log_mass) == pytest.approx(expected, abs=1e-12)
    whole = {}
    for tokens, p in case.masses().items():
        whole[tokens[:cut]] = whole.get(tokens[:cut], 0.0) + p
    for begun, p in whole.items():
        state = automaton.start
        for token in begun:
            state = automaton.delta[state, automaton.class_of[token]]
        inner = math.fsum(case.log_probs[i, t] for i, t in enumerate(begun) if case.canvas[i] is None)
        rest = sum_product.messages(tail, start=int(state)).log_mass
        assert math.exp(rest + inner) == pytest.approx(p, rel=1e-10)
