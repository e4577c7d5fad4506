"""Every method against brute force, with all of the method's random choices enumerated."""

import math

import numpy as np
import pytest
from cases import generated

import pgen
from pgen.testing.enumeration import enumerate_outcomes
from pgen.testing.laws import check_batch_independence, check_proper_weights

CASES = generated(220, seed=1, max_tokens=3)
SMALL = generated(60, seed=2, max_tokens=2)
FEW_PATHS = [case for i, case in enumerate(SMALL) if i not in (12, 13, 41, 45, 54)]
"""Those in which two particles can take at most `MAX_PATHS` ways."""
MAX_PATHS = 1_500


def named(cases):
    return {"argvalues": cases, "ids": [f"{i}-{case.name}" for i, case in enumerate(cases)]}


@pytest.mark.parametrize("case", **named(CASES))
def test_enumeration_equals_brute_force(case):
    posterior = pgen.infer(case.program, method=pgen.Enumerate())
    evidence = sum(case.target.values())
    assert math.exp(posterior.log_evidence) == pytest.approx(evidence, abs=1e-10)
    found = posterior.probabilities()
    assert set(found) == set(case.target)
    for value, mass in case.target.items():
        assert found[value] == pytest.approx(mass / evidence, abs=1e-10)


@pytest.mark.parametrize("lookahead", [0, 3])
@pytest.mark.parametrize("case", **named(CASES))
def test_importance_sampling_is_properly_weighted(case, lookahead):
    check_proper_weights(case.program, pgen.Importance(1, lookahead=lookahead), case.target)


@pytest.mark.parametrize("case", **named(FEW_PATHS))
def test_smc_is_properly_weighted(case):
    resampling = sorted(["systematic", "stratified", "multinomial", "residual"])[len(case.name) % 4]
    resample = ["choices", "tokens"][len(case.target) % 2]
    method = pgen.SMC(2, ess_threshold=1.0, resampling=resampling, resample=resample, lookahead=0)
    check_proper_weights(case.program, method, case.target, max_paths=MAX_PATHS)


@pytest.mark.parametrize("case", **named(SMALL[:20]))
def test_local_masking_is_biased_and_weights_remove_the_bias(case):
    """The control: without weights the law of the draws is not the posterior (where the two can differ)."""
    weighted, masked = {}, {}
    for probability, posterior in enumerate_outcomes(lambda rng: attempt(case.program, pgen.Importance(1, 0), rng)):
        if posterior is None:
            continue
        (value,) = posterior.values
        masked[value] = masked.get(value, 0.0) + probability
        weighted[value] = weighted.get(value, 0.0) + probability * math.exp(posterior.log_evidence)
    exact = share(case.target)
    assert total_variation(share(weighted), exact) < 1e-9
    # Equal only where all runs carry the same weight.
    spread = {weighted[v] / masked[v] for v in masked}
    if max(spread) - min(spread) > 1e-3:
        assert total_variation(share(masked), exact) > 1e-6


def test_local_masking_is_far_off_somewhere():
    distances = []
    for case in SMALL[:20]:
        masked = pgen.infer(case.program, method=pgen.Masked(400), seed=0).probabilities()
        distances.append(total_variation(masked, share(case.target)))
    assert max(distances) > 0.3


@pytest.mark.parametrize("case", **named(SMALL[:12]))
def test_rejection_draws_follow_the_posterior_exactly(case):
    """P(a try is accepted with value x) = target(x) / exp(bound), by enumerating one try and its acceptance."""
    from pgen.inference.context import Context
    from pgen.inference.methods import importance
    from pgen.inference.particles import Population
    from pgen.programs.machine import Machine

    log_bound = 3.0

    def one_try(rng):
        machine = Machine(case.program, (), {})
        population = Population(machine, Context(), 0)
        state = importance.init(population, 1)
        while any(p.running for p in state.particles):
            state, _ = importance.step(rng, population, state)
        (particle,) = state.particles
        chance = math.exp(particle.total_log_weight - log_bound)
        accepted = rng.uniform(lambda: np.array([chance, 1.0])) < chance
        return particle.suspension.value if accepted else None

    law = {}
    for probability, value in enumerate_outcomes(one_try):
        law[value] = law.get(value, 0.0) + probability
    for value, mass in case.target.items():
        assert law.get(value, 0.0) == pytest.approx(mass * math.exp(-log_bound), abs=1e-9)


@pytest.mark.parametrize("method", [pgen.Importance(9), pgen.SMC(9), pgen.SMC(9, resample="tokens", ess_threshold=1.0)])
@pytest.mark.parametrize("case", **named(SMALL[:10]))
def test_results_do_not_depend_on_the_batch_size(case, method):
    try:
        check_batch_independence(case.program, method)
    except pgen.ZeroEvidence:
        pytest.skip("all nine particles died with this seed")


def attempt(program, method, rng):
    from pgen.inference.context import Context
    from pgen.inference.infer import run

    try:
        return run(program, (), {}, method, Context(), rng)
    except pgen.ZeroEvidence:
        return None


def share(masses):
    total = sum(masses.values())
    return {value: mass / total for value, mass in masses.items()}


def total_variation(p, q):
    return sum(abs(p.get(x, 0.0) - q.get(x, 0.0)) for x in {*p, *q}) / 2
