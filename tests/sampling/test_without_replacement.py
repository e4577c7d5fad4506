"""Fearnhead and Clifford's resampling, by enumerating its one offset."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgen.sampling.resampling import without_replacement
from pgen.testing.enumeration import enumerate_outcomes

weights_of = st.lists(st.integers(0, 9), min_size=1, max_size=7).filter(any)


def log(weights):
    with np.errstate(divide="ignore"):
        return np.log(np.array(weights, float))


@given(raw=weights_of, count=st.integers(1, 5))
def test_expected_weights_are_the_old_ones_and_survivors_are_distinct(raw, count):
    expected, n_positive = np.zeros(len(raw)), sum(weight > 0 for weight in raw)
    for probability, (indices, log_weights) in enumerate_outcomes(lambda r: without_replacement(r, log(raw), count)):
        assert len(indices) == min(count, n_positive) == len(set(indices))
        assert list(indices) == sorted(indices)
        expected[indices] += probability * np.exp(log_weights)
    np.testing.assert_allclose(expected, raw, atol=1e-9)


@given(raw=weights_of, count=st.integers(1, 5))
def test_the_heavy_keep_their_weight_and_the_light_share_one(raw, count):
    for _, (indices, log_weights) in enumerate_outcomes(lambda r: without_replacement(r, log(raw), count)):
        if len(indices) == sum(weight > 0 for weight in raw):
            continue
        changed = np.abs(log_weights - log(raw)[indices]) > 1e-12
        if changed.any():
            threshold = log_weights[changed]
            np.testing.assert_allclose(threshold, threshold[0], rtol=1e-12)
            assert all(log(raw)[indices][changed] <= threshold[0])
            assert all(log_weights[~changed] >= threshold[0] - 1e-9)


def test_few_candidates_stay_as_they_are_and_scale_does_not_matter():
    indices, log_weights = without_replacement(None, np.array([-1000.0, -np.inf, -2000.0]), 2)
    assert list(indices) == [0, 2]
    np.testing.assert_array_equal(log_weights, [-1000.0, -2000.0])
    outcomes = enumerate_outcomes(lambda r: without_replacement(r, log([5, 1, 1]) - 900.0, 2))
    assert {tuple(found.indices) for _, found in outcomes} == {(0, 1), (0, 2)}
    assert outcomes[0][1].log_weights == pytest.approx([np.log(5) - 900, np.log(2) - 900])
