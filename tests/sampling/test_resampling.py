import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgen.sampling import RESAMPLERS, CounterRng
from pgen.testing.enumeration import enumerate_outcomes

weights_of = st.lists(st.integers(0, 6), min_size=1, max_size=4).filter(any)


@pytest.mark.parametrize("name", RESAMPLERS)
@given(raw=weights_of)
def test_expected_copies_are_exactly_n_times_the_weight(name, raw):
    weights = np.array(raw, float) / sum(raw)
    expected = np.zeros(len(raw))
    for probability, ancestors in enumerate_outcomes(lambda rng: RESAMPLERS[name](rng, weights)):
        assert len(ancestors) == len(raw)
        expected += probability * np.bincount(ancestors, minlength=len(raw))
    np.testing.assert_allclose(expected, len(raw) * weights, atol=1e-9)


@pytest.mark.parametrize("name", RESAMPLERS)
def test_a_particle_of_weight_zero_is_never_an_ancestor(name):
    weights = np.array([0.0, 0.3, 0.0, 0.7, 0.0])
    for seed in range(200):
        assert set(RESAMPLERS[name](CounterRng(seed), weights)) <= {1, 3}


@pytest.mark.parametrize("name", ["systematic", "stratified", "residual"])
def test_low_variance_schemes_keep_equal_weights_as_they_are(name):
    for seed in range(20):
        ancestors = RESAMPLERS[name](CounterRng(seed), np.full(7, 1 / 7))
        assert sorted(ancestors) == list(range(7))
