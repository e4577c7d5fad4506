import math

import pytest
import torch

import pgen
from pgen.programs.distributions import as_distribution
from pgen.sampling import CounterRng
from pgen.testing.enumeration import enumerate_outcomes


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        (pgen.categorical({"a": 1, "b": 3, "never": 0}), {"a": 0.25, "b": 0.75}),
        (pgen.categorical([1, 1, 2]), {0: 0.25, 1: 0.25, 2: 0.5}),
        (pgen.bernoulli(0.2), {True: 0.2, False: 0.8}),
        (torch.distributions.Bernoulli(torch.tensor(0.25)), {1: 0.25, 0: 0.75}),
        (torch.distributions.Categorical(torch.tensor([0.5, 0.25, 0.25])), {0: 0.5, 1: 0.25, 2: 0.25}),
    ],
)
def test_finite_distributions_draw_exactly_what_they_score(distribution, expected):
    distribution = as_distribution(distribution)
    law = {}
    for probability, value in enumerate_outcomes(distribution.sample):
        law[value] = law.get(value, 0.0) + probability
    assert law == pytest.approx(expected, abs=1e-7)
    assert {v: math.exp(distribution.log_prob(v)) for v in distribution.support()} == pytest.approx(expected)


def test_densities_are_those_of_torch_and_outside_the_support_is_impossible():
    assert pgen.normal(1, 2).log_prob(0) == pytest.approx(-math.log(2 * math.sqrt(2 * math.pi)) - 1 / 8)
    assert pgen.uniform(0, 4).log_prob(1) == pytest.approx(-math.log(4))
    assert pgen.uniform(0, 4).log_prob(5) == -math.inf
    assert pgen.poisson(2).log_prob(3) == pytest.approx(math.log(math.exp(-2) * 8 / 6))
    assert pgen.poisson(2).log_prob(-1) == -math.inf
    assert pgen.categorical({"a": 1}).log_prob("b") == -math.inf


def test_continuous_draws_depend_on_the_seed_only_and_leave_torch_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    draws = [pgen.normal(0, 1).sample(CounterRng(seed)) for seed in (1, 2, 1)]
    assert draws[0] == draws[2] != draws[1]
    assert torch.equal(before, torch.random.get_rng_state())


def test_vectors_come_as_tuples():
    drawn = as_distribution(torch.distributions.Dirichlet(torch.ones(3))).sample(CounterRng(0))
    assert isinstance(drawn, tuple)
    assert sum(drawn) == pytest.approx(1)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: pgen.categorical({}),
        lambda: pgen.categorical({"a": -1}),
        lambda: pgen.categorical({"a": math.nan}),
        lambda: pgen.bernoulli(1.5),
        lambda: pgen.normal(0, -1),
        lambda: pgen.uniform(1, 0),
        lambda: as_distribution("coin"),
    ],
)
def test_bad_parameters_are_refused(bad):
    with pytest.raises(pgen.InvalidArgument):
        bad()
