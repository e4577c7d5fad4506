"""Evidence from both sides: unbiased by enumeration of proposals and posterior draws, and a gap where modes are missed."""

import itertools
import math

import numpy as np
import pytest
from small_programs import branching, in_turn

import pgen
from pgen.inference.context import Context
from pgen.inference.diagnostics.bidirectional import log_forward, log_reverse
from pgen.inference.diagnostics.pareto import pareto_k, tail_shape
from pgen.inference.posterior import Posterior
from pgen.testing.enumeration import enumerate_outcomes
from pgen.testing.laws import _attempt


def proposals(program):
    """`(probability, weight)` of one run, dead ones included."""
    paths = enumerate_outcomes(lambda rng: _attempt(program, pgen.Importance(1, lookahead=0), rng))
    law = {}
    for probability, posterior in paths:
        weight = 0.0 if posterior is None else math.exp(posterior.log_evidence)
        law[round(weight, 14)] = law.get(round(weight, 14), 0.0) + probability
    return [(p, w) for w, p in law.items()]


@pytest.mark.parametrize("n_runs", [1, 2])
@pytest.mark.parametrize("program", [branching, in_turn], ids=["branching", "in_turn"])
def test_both_sides_are_unbiased(program, n_runs):
    law = proposals(program)
    evidence = math.exp(pgen.infer(program, method=pgen.Enumerate()).log_evidence)
    references = [(p * w / evidence, w) for p, w in law if w > 0]
    assert sum(p for p, _ in references) == pytest.approx(1.0, abs=1e-9)
    forward = sum(
        math.prod(p for p, _ in runs) * math.exp(log_forward([log(w) for _, w in runs]))
        for runs in itertools.product(law, repeat=n_runs)
    )
    reverse = sum(
        q * math.prod(p for p, _ in runs) / math.exp(log_reverse(math.log(w), [log(v) for _, v in runs]))
        for q, w in references
        for runs in itertools.product(law, repeat=n_runs - 1)
    )
    assert forward == pytest.approx(evidence, abs=1e-9)
    assert reverse == pytest.approx(1 / evidence, abs=1e-9 / evidence**2)


def log(weight):
    return math.log(weight) if weight > 0 else -math.inf


def spread_out():
    """Six weights, evidence 0.25."""
    x = pgen.sample("x", pgen.categorical([0.3, 0.3, 0.2, 0.1, 0.05, 0.05]))
    pgen.observe("seen", pgen.bernoulli([0.05, 0.1, 0.2, 0.9, 0.95, 0.999][x]), True)
    return x


@pytest.mark.parametrize("reference", ["exact", "weighted"])
def test_the_interval_holds_the_evidence_and_closes(reference):
    exact = pgen.infer(spread_out, method=pgen.Enumerate()).log_evidence
    gaps = []
    for particles in (2, 24):
        method = pgen.Bidirectional(particles, runs=24, reference=reference)
        found = pgen.infer(spread_out, method=method, seed=3)
        low, high = found.log_evidence_interval
        spread = 4 * np.std(found.log_forward) / math.sqrt(24)
        assert low - spread <= exact <= high + spread
        assert len(found.log_forward) == len(found.log_reverse) == 24
        gaps.append(found.gap)
    assert gaps[1] < gaps[0]
    assert "log evidence between" in found.diagnose()


def test_a_mode_that_proposals_miss_shows_as_a_gap():
    """One run in a hundred carries nearly all the mass: forwards nobody sees it, the exact draw does."""

    def hidden():
        found = pgen.sample("found", pgen.categorical({True: 0.01, False: 0.99}))
        pgen.factor("prize", 0.0 if found else -14.0)
        return found

    found = pgen.infer(hidden, method=pgen.Bidirectional(8, runs=2), seed=0)
    assert math.exp(found.log_evidence) < 1e-3
    assert found.gap > 2


def test_a_budget_keeps_the_replicates_that_are_complete():
    found = pgen.infer(branching, method=pgen.Bidirectional(4, runs=200), budget=300)
    assert 2 <= len(found.log_forward) < 200
    assert len(found.log_reverse) == len(found.log_forward)
    assert "the budget was spent after" in found.diagnose()
    with pytest.raises(pgen.LimitExceeded, match="budget"):
        pgen.infer(branching, method=pgen.Bidirectional(4, runs=4), budget=2)


def test_settings_are_checked():
    for options in ({"runs": 1}, {"particles": 0}, {"reference": "hearsay"}):
        with pytest.raises(pgen.InvalidArgument):
            pgen.Bidirectional(**options)

    def doomed():
        pgen.condition("never", pgen.sample("x", pgen.categorical({1: 0.999999, 2: 0.000001})) == 2)

    with pytest.raises(pgen.LimitExceeded):
        pgen.infer(doomed, method=pgen.Rejection(2, max_tries=10))


@pytest.mark.parametrize("shape", [0.2, 0.6, 1.1])
def test_the_tail_shape_is_that_of_pareto_samples(shape):
    uniforms = np.random.default_rng(0).random(4000)
    excess = np.sort((uniforms**-shape - 1) / shape)
    assert tail_shape(excess) == pytest.approx(shape, abs=0.08)


def test_k_hat_agrees_with_arviz():
    az = pytest.importorskip("arviz")
    for seed in range(5):
        log_weights = np.random.default_rng(seed).standard_t(3, size=400)
        _, theirs = az.psislw(log_weights)
        assert pareto_k(log_weights) == pytest.approx(float(theirs), abs=1e-6)


def test_k_hat_has_no_opinion_on_few_or_equal_weights():
    assert math.isnan(pareto_k(np.zeros(24)))
    assert pareto_k(np.zeros(100)) == -math.inf


def weighted(log_weights):
    values = tuple(range(len(log_weights)))
    traces = (pgen.programs.trace.Trace(),) * len(log_weights)
    return Posterior(values, np.asarray(log_weights), traces, 0.0, "consistent", "by hand", 0)


def test_heavy_tails_are_told():
    heavy = 2.0 * np.random.default_rng(0).exponential(size=500)  # Pareto weights of shape 2
    assert weighted(heavy).pareto_k > 1
    assert "not to be trusted" in weighted(heavy).diagnose()
    assert "k-hat" not in weighted(0.1 * heavy).diagnose()
    assert math.isnan(pgen.infer(branching, method=pgen.Enumerate()).pareto_k)
    assert pgen.infer(branching, method=pgen.Importance(8)).n_evaluations > 0
    assert Context().n_evaluations == 0
