"""Predictive distributions against sums over the prior and the posterior."""

import math

import pytest

import pgen
from pgen import handlers

coin = pgen.categorical({"fair": 0.6, "bent": 0.4})
HEADS = {"fair": 0.5, "bent": 0.9}


@pgen.program
def tossed(first, second):
    kind = pgen.sample("kind", coin)
    pgen.observe("first", pgen.bernoulli(HEADS[kind]), first)
    pgen.observe("second", pgen.bernoulli(HEADS[kind]), second)
    pgen.factor("liking", 1.0 if kind == "bent" else 0.0)
    return kind


def exact(predictive, *args):
    return predictive(*args, method=pgen.Enumerate())


def test_the_prior_predictive_sums_over_the_prior_without_the_evidence():
    predicted = exact(pgen.Predictive(tossed), True, True)
    assert predicted.log_evidence == pytest.approx(0.0)
    assert predicted.probabilities() == pytest.approx({"fair": 0.6, "bent": 0.4})
    assert predicted.marginal("first")[True] == pytest.approx(0.6 * 0.5 + 0.4 * 0.9)


def test_the_posterior_predictive_sums_over_the_posterior():
    posterior = pgen.infer(tossed, True, True, method=pgen.Enumerate())
    masses = {"fair": 0.6 * 0.25, "bent": 0.4 * 0.81 * math.e}
    total = sum(masses.values())
    predicted = exact(pgen.Predictive(tossed, posterior), True, True)
    heads = sum(masses[kind] / total * HEADS[kind] for kind in masses)
    assert predicted.marginal("first")[True] == pytest.approx(heads)
    both = sum(masses[kind] / total * HEADS[kind] ** 2 for kind in masses)
    joint = [t.values() for t in predicted.traces]
    assert sum(w for w, v in zip(predicted.weights, joint, strict=True) if v["first"] and v["second"]) == pytest.approx(
        both
    )


def test_it_samples_by_default():
    posterior = pgen.infer(tossed, True, True, method=pgen.MCMC(steps=200))
    predicted = pgen.Predictive(tossed, posterior, draws=1000)(True, True, seed=1)
    masses = {"fair": 0.6 * 0.25, "bent": 0.4 * 0.81 * math.e}
    heads = sum(masses[kind] * HEADS[kind] for kind in masses) / sum(masses.values())
    assert len(predicted.values) == 1000
    assert predicted.marginal("first")[True] == pytest.approx(heads, abs=0.08)
    assert predicted.values == pgen.Predictive(tossed, posterior, draws=1000)(True, True, seed=1).values


def test_choices_that_the_posterior_lacks_are_drawn():
    def small():
        return pgen.sample("kind", coin)

    def large():
        kind = pgen.sample("kind", coin)
        return kind, pgen.sample("more", pgen.bernoulli(HEADS[kind]))

    posterior = pgen.infer(handlers.condition(small, data={"kind": "bent"}), method=pgen.Enumerate())
    predicted = exact(pgen.Predictive(large, posterior))
    assert predicted.probabilities()["fair", True] == pytest.approx(0.3)
    fixed = pgen.infer(handlers.substitute(small, data={"kind": "bent"}), method=pgen.Enumerate())
    assert exact(pgen.Predictive(large, fixed)).probabilities() == pytest.approx(
        {("bent", True): 0.9, ("bent", False): 0.1}
    )


def test_hidden_choices_cannot_be_taken_from_a_posterior():
    def program():
        with handlers.block():
            return pgen.sample("kind", coin)

    with pytest.raises(pgen.InvalidArgument, match="'kind' is hidden"):
        pgen.Predictive(program, pgen.infer(program, method=pgen.Enumerate()))
