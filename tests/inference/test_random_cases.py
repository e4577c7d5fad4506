"""The methods beyond importance sampling and SMC on random models, languages and programs, against brute force.

Paths through a method's own choices are enumerated; of the cases drawn, each method takes the
first few that have few enough of them.
"""

import itertools
import math
import re

import numpy as np
import pytest
from cases import generated

import pgen
from pgen.testing import generative_laws
from pgen.testing.laws import check_batch_independence, check_proper_weights

CASES = [case for case in generated(80, seed=5, max_tokens=2) if 2 <= len(case.target) <= 8]
ENOUGH = 2
MAX_PATHS = 120


def hopeful(values, unfinished):
    """A twist of no particular wisdom."""
    return 0.7 * len(values) - 0.4 * len(unfinished)


UNBIASED = [
    pgen.SMC(2, 1.0, resample="tokens", lookahead=0, steer=hopeful),
    pgen.SMC(1, lookahead=3),
    pgen.StochasticBeam(2),
    pgen.ASAp(1),
    pgen.ASAp(2),
    pgen.ResampleMove(2, moves=0, ess_threshold=1.0, lookahead=0),
    pgen.ResampleMove(1, moves=1, lookahead=0),
    pgen.ResampleMove(2, moves=1, waste_free=True, lookahead=0),
    pgen.Tempering(1, moves=1, schedule=(0.5, 1.0), lookahead=0),
    pgen.Tempering(2, moves=0, schedule=(0.3, 1.0), lookahead=0),
    pgen.Tempering(2, moves=1, schedule=(0.4, 1.0), waste_free=True, lookahead=0),
]
KERNELS = [
    pgen.Regenerate(),
    pgen.RegenerateSpan(),
    pgen.EditText(),
    pgen.EditText(moves=("replace",), top=2),
    pgen.ParticleGibbs(2, ess_threshold=1.0),
    pgen.ParticleGibbs(2, ess_threshold=1.0, ancestors=True),
    pgen.ParticleGibbs(2, resample="tokens", ess_threshold=1.0),
]


def shown(value):
    # Without addresses, which differ between the workers of a test run.
    return re.sub(r" at 0x[0-9a-f]+| ", "", repr(value))[:90]


def tractable(check):
    """Run `check` on random cases until it has passed on `ENOUGH` that fit the method and are not too large; how many."""
    passed = 0
    for case in CASES:
        try:
            check(case)
        except (pgen.LimitExceeded, pgen.InvalidArgument):
            continue
        passed += 1
        if passed == ENOUGH:
            break
    return passed


@pytest.mark.parametrize("method", UNBIASED, ids=shown)
def test_weights_are_proper(method):
    def check(case):
        assert check_proper_weights(case.program, method, case.target, max_paths=MAX_PATHS) < 1e-9

    assert tractable(check) == ENOUGH


@pytest.mark.parametrize("kernel", KERNELS, ids=shown)
def test_kernels_leave_the_posterior_unchanged(kernel):
    def check(case):
        generative_laws.check_invariance(pgen.Generative(case.program), kernel)

    assert tractable(check) == ENOUGH


@pytest.mark.parametrize("case", CASES[:8], ids=lambda case: case.name)
def test_searches_find_the_likeliest_value_or_say_that_they_may_not(case):
    best = max(case.target.values())
    for method in (pgen.MostLikely(log_bound=5.0), pgen.Beam(64), pgen.BankedBeam(64), pgen.DiverseBeam(64, 2, 0.0)):
        posterior = pgen.infer(case.program, method=method)
        found = case.target[posterior.mode()]
        assert found == pytest.approx(best, abs=1e-9) if posterior.label == "map" else posterior.label == "heuristic"


@pytest.mark.parametrize("case", CASES[:8], ids=lambda case: case.name)
def test_bounds_hold(case):
    evidence = sum(case.target.values())
    for method in (pgen.Beam(1), pgen.BankedBeam(2), pgen.DiverseBeam(2, groups=2), pgen.Enumerate()):
        low, high = pgen.infer(case.program, method=method).log_evidence_bounds
        assert low - 1e-9 <= math.log(evidence) <= high + 1e-9


@pytest.mark.parametrize("case", CASES[:8], ids=lambda case: case.name)
def test_tree_search_that_closes_has_seen_every_value(case):
    values = list(case.target)
    reward = dict(zip(values, np.random.default_rng(0).permutation(len(values)).tolist(), strict=True))
    posterior = pgen.infer(case.program, method=pgen.TreeSearch(lambda value: float(reward[value]), simulations=600))
    assert posterior.label == "heuristic"
    if "every run was tried" in posterior.diagnose():
        assert posterior.mode() == max(reward, key=reward.get)


@pytest.mark.parametrize("method", [*UNBIASED, pgen.BankedBeam(3), pgen.DiverseBeam(4, 2)], ids=shown)
def test_no_result_depends_on_the_batch_size(method):
    for case in itertools.islice(CASES, 3):
        try:
            check_batch_independence(case.program, method)
        except pgen.ZeroEvidence:
            continue
