"""Decisions, best of n and replicates against sums by hand and enumerated laws."""

import math

import numpy as np
import pytest

import pgen
from pgen.inference.context import Context
from pgen.inference.infer import run
from pgen.inference.methods.replicated import ReplicatedPosterior
from pgen.testing.enumeration import enumerate_outcomes
from pgen.testing.laws import check_batch_independence, check_proper_weights

SHARES = {"ab": 0.35, "abc": 0.25, "abd": 0.2, "zz": 0.2}


def draw():
    return pgen.sample("x", pgen.categorical(SHARES))


def weighed():
    x = draw()
    pgen.factor("short", -float(len(x)))
    y = pgen.sample("y", pgen.categorical([0.3, 0.7]))
    pgen.factor("second", -1.0 if y else 0.0)
    return x, y


def test_minimum_risk_is_the_least_sum_of_weighted_losses():
    posterior = pgen.infer(draw, method=pgen.Enumerate())

    def distance(answer, truth):
        return abs(len(answer) - len(truth)) + sum(a != b for a, b in zip(answer, truth, strict=False))

    risks = {x: sum(p * distance(x, y) for y, p in SHARES.items()) for x in SHARES}
    value, risk = pgen.minimum_risk(posterior, distance)
    assert value == posterior.minimum_risk(distance) == min(risks, key=risks.get)
    assert risk == pytest.approx(min(risks.values()), abs=1e-12)
    free = pgen.minimum_risk(posterior, distance, candidates=["zzz", "abx"])
    assert free.value == "abx"


def test_with_the_loss_of_being_wrong_it_is_the_mode_even_of_repeated_weighted_runs():
    posterior = pgen.infer(draw, method=pgen.Importance(400), seed=1)
    value, risk = pgen.minimum_risk(posterior, lambda answer, truth: float(answer != truth))
    assert value == posterior.mode()
    assert risk == pytest.approx(1 - posterior.probabilities()[value])


def test_the_majority_adds_the_weights_of_equal_keys():
    posterior = pgen.infer(draw, method=pgen.Enumerate())
    kind, share = pgen.majority(posterior, len)
    assert (kind, share) == (2, pytest.approx(0.55))


def test_best_of_n_follows_the_nth_power_of_the_distribution_function():
    order = {"zz": 0, "abd": 1, "abc": 2, "ab": 3}
    law = dict.fromkeys(SHARES, 0.0)
    method = pgen.BestOf(3, order.__getitem__, pgen.Enumerate())
    for probability, posterior in enumerate_outcomes(lambda rng: run(draw, (), {}, method, Context(), rng)):
        law[posterior.mode()] += probability
        assert posterior.label == "heuristic"
        assert math.isnan(posterior.log_evidence)
    below = 0.0
    for value in sorted(order, key=order.get):
        assert law[value] == pytest.approx((below + SHARES[value]) ** 3 - below**3, abs=1e-12)
        below += SHARES[value]


def test_best_of_is_no_posterior_and_takes_the_automatic_method():
    best = pgen.infer(draw, method=pgen.BestOf(50, len), seed=0)
    assert len(best.mode()) == 3
    assert "reward 3" in best.diagnose()


@pytest.mark.parametrize("method", [pgen.SMC(1), pgen.Importance(1)])
def test_pooled_replicates_are_properly_weighted(method):
    second = {0: 0.3, 1: 0.7 * math.exp(-1)}
    target = {(x, y): p * math.exp(-len(x)) * second[y] for x, p in SHARES.items() for y in second}
    check_proper_weights(weighed, pgen.Replicated(method, runs=2), target)


def test_dead_replicates_count_as_evidence_zero():
    def program():
        x = draw()
        pgen.condition("short", x == "ab")
        return x

    check_proper_weights(program, pgen.Replicated(pgen.Importance(1), runs=3), {"ab": SHARES["ab"]})


def test_the_standard_error_is_the_spread_of_the_evidence():
    pooled = pgen.infer(weighed, method=pgen.Replicated(pgen.SMC(8), runs=30), seed=0)
    assert isinstance(pooled, ReplicatedPosterior)
    assert len(set(pooled.log_evidences)) > 10
    exact = math.log(sum(p * math.exp(-len(x)) for x, p in SHARES.items()) * (0.3 + 0.7 * math.exp(-1)))
    assert 0.005 < pooled.log_evidence_error < 0.1
    assert abs(pooled.log_evidence - exact) < 4 * pooled.log_evidence_error
    ratios = np.exp(np.array(pooled.log_evidences) - pooled.log_evidence)
    assert ratios.mean() == pytest.approx(1.0)
    assert pooled.log_evidence_error == pytest.approx(ratios.std(ddof=1) / math.sqrt(30))
    assert "standard error" in pooled.diagnose()
    check_batch_independence(weighed, pgen.Replicated(pgen.SMC(4), runs=3))


def test_bounds_of_the_evidence():
    exact = pgen.infer(draw, method=pgen.Enumerate())
    assert exact.log_evidence_bounds == pytest.approx((0.0, 0.0), abs=1e-12)
    assert pgen.infer(draw, method=pgen.Importance(2)).log_evidence_bounds == (-math.inf, math.inf)
    low, high = pgen.infer(draw, method=pgen.Beam(1)).log_evidence_bounds
    assert low == pytest.approx(math.log(0.35))
    assert high == pytest.approx(0.0, abs=1e-12)


def test_bad_input():
    posterior = pgen.infer(draw, method=pgen.Enumerate())
    with pytest.raises(pgen.InvalidArgument, match="NaN"):
        posterior.minimum_risk(lambda x, y: math.nan)
    with pytest.raises(pgen.InvalidArgument, match="no candidate"):
        pgen.minimum_risk(posterior, lambda x, y: 0.0, candidates=[])
    with pytest.raises(pgen.InvalidArgument, match="NaN"):
        pgen.infer(draw, method=pgen.BestOf(2, lambda x: math.nan))
    with pytest.raises(pgen.InvalidArgument, match="no estimate of the evidence"):
        pgen.infer(draw, method=pgen.Replicated(pgen.Masked(2), runs=2))
    for make in (lambda: pgen.BestOf(0, len), lambda: pgen.Replicated(runs=1)):
        with pytest.raises(pgen.InvalidArgument, match="at least"):
            make()
