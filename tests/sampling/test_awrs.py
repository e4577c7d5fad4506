"""Adaptive weighted rejection sampling against the masses themselves, all random choices enumerated."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgen import InvalidArgument, ModelError
from pgen.sampling.awrs import awrs
from pgen.sampling.rng import CounterRng
from pgen.sampling.token_step import DEAD
from pgen.testing.enumeration import enumerate_outcomes

positive = st.floats(0.01, 1.0)


def expected_masses(masses, allowed, **options):
    """token -> E[weight * 1{token}], and whether any token was tested twice."""
    log_probs, found = np.log(np.array(masses)), {}
    for probability, drawn in enumerate_outcomes(lambda rng: counted(rng, log_probs, allowed, options)):
        if drawn.token != DEAD:
            found[drawn.token] = found.get(drawn.token, 0.0) + probability * math.exp(drawn.log_weight)
    return found


def counted(rng, log_probs, allowed, options):
    tested = []
    drawn = awrs(rng, log_probs, lambda token: tested.append(token) or token in allowed, **options)
    assert len(set(tested)) == len(tested) == drawn.n_checks
    return drawn


@settings(max_examples=30)
@given(st.lists(positive, min_size=1, max_size=5), st.sets(st.integers(0, 4)))
@pytest.mark.parametrize("estimator", ["recursive", "harmonic", "auto"])
def test_finite_estimators_are_properly_weighted(estimator, masses, allowed):
    found = expected_masses(masses, allowed, estimator=estimator)
    for token, mass in enumerate(masses):
        assert found.get(token, 0.0) == pytest.approx(mass * (token in allowed), abs=1e-9)


@pytest.mark.parametrize(
    ("masses", "allowed", "n_accepts"),
    [
        ((0.97, 0.02, 0.01), {0}, 2),
        ((0.6, 0.3, 0.1), {0, 1, 2}, 2),
        ((0.6, 0.3, 0.1), {0, 1}, 2),
        ((1.2, 0.1, 0.4), {0, 1}, 2),
        ((1.2, 0.02, 0.01), {0}, 2),
        ((0.9, 0.04), {0}, 3),
        ((0.7, 0.2), {0, 1}, 3),
        ((0.3, 0.6), {1}, 2),
        ((0.9, 0.2), set(), 2),
        ((0.9,), {0}, 3),
    ],
)
def test_geometric_is_properly_weighted(masses, allowed, n_accepts):
    found = expected_masses(masses, allowed, estimator="geometric", n_accepts=n_accepts)
    for token, mass in enumerate(masses):
        assert found.get(token, 0.0) == pytest.approx(mass * (token in allowed), abs=1e-9)


def zipf(size=2000, exponent=1.2):
    masses = 1.0 / np.arange(1, size + 1) ** exponent
    return masses / masses.sum()


def accepted_set(masses, share, seed):
    """Tokens at random, as long as their mass stays below `share`."""
    chosen, total = set(), 0.0
    for token in np.random.default_rng(seed).permutation(len(masses)).tolist():
        if total + masses[token] <= share:
            chosen.add(token)
            total += masses[token]
    return chosen


@pytest.mark.parametrize(("share", "checks"), [(0.997, 2.0), (0.359, 3.4), (0.039, 17.0)])
def test_the_number_of_checks_is_that_of_the_literature(share, checks):
    masses = zipf()
    runs, log_probs = 1500, np.log(masses)
    counts, weights = [], []
    for seed in range(3):
        allowed = accepted_set(masses, share, seed)
        assert sum(masses[t] for t in allowed) == pytest.approx(share, rel=0.01)
        for i in range(runs // 3):
            drawn = awrs(CounterRng(seed, (i,)), log_probs, allowed.__contains__, estimator="recursive")
            counts.append(drawn.n_checks)
            weights.append(math.exp(drawn.log_weight))
    assert np.mean(counts) == pytest.approx(checks, rel=0.1)
    assert np.mean(weights) == pytest.approx(share, abs=4 * np.std(weights) / math.sqrt(runs))


def test_a_likely_accepted_token_takes_one_check_mostly():
    log_probs = np.log(np.array([0.9, 0.05, 0.05]))
    checks = [awrs(CounterRng(0, (i,)), log_probs, lambda _: True).n_checks for i in range(400)]
    assert min(checks) == 1
    assert np.mean(checks) < 1.3


def test_nothing_accepted_is_dead_after_every_token_was_tested():
    log_probs = np.log(zipf(50))
    for estimator in ("recursive", "geometric", "harmonic"):
        drawn = awrs(CounterRng(0), log_probs, lambda _: False, estimator=estimator)
        assert drawn == (DEAD, -math.inf, 50)
    assert awrs(CounterRng(0), np.full(3, -np.inf), lambda _: True) == (DEAD, -math.inf, 0)


def test_tiny_masses_keep_their_precision():
    log_probs = np.array([0.0, -60.0, -61.0])
    drawn = awrs(CounterRng(0), log_probs, {1, 2}.__contains__, estimator="recursive")
    assert drawn.token in (1, 2)
    assert -62 < drawn.log_weight < -59


def test_bad_arguments_say_so():
    with pytest.raises(ModelError, match="nan"):
        awrs(CounterRng(0), np.array([0.0, np.nan]), lambda _: True)
    with pytest.raises(InvalidArgument, match="estimator"):
        awrs(CounterRng(0), np.zeros(2), lambda _: True, estimator="magic")
    with pytest.raises(InvalidArgument, match="n_accepts"):
        awrs(CounterRng(0), np.zeros(2), lambda _: True, estimator="recursive", n_accepts=3)
