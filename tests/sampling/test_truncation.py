import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgen import InvalidArgument, MinP, TopK, TopP

rows = st.lists(st.integers(-50, 50), min_size=1, max_size=12, unique=True).map(lambda x: np.array(x) / 7)


def kept(rule, row):
    return set(np.flatnonzero(np.isfinite(rule(row))))


@given(rows, st.integers(1, 15))
def test_top_k_keeps_the_k_largest(row, k):
    assert kept(TopK(k), row) == set(sorted(range(len(row)), key=lambda i: -row[i])[:k])


@given(rows, st.floats(0.01, 1))
def test_top_p_keeps_the_smallest_set_that_reaches_p(row, p):
    mass = np.exp(row) / np.exp(row).sum()
    chosen, total = set(), 0.0
    for i in sorted(range(len(row)), key=lambda i: -mass[i]):
        if total < p - 1e-12:
            chosen.add(i)
        total += mass[i]
    assert kept(TopP(p), row) >= chosen - {min(chosen, key=lambda i: mass[i])}
    assert mass[sorted(kept(TopP(p), row))].sum() >= p - 1e-9


@given(rows, st.floats(0, 1))
def test_min_p_compares_with_the_likeliest(row, p):
    expected = {i for i in range(len(row)) if np.exp(row[i] - row.max()) >= p}
    border = {i for i in range(len(row)) if abs(np.exp(row[i] - row.max()) - p) < 1e-9}
    assert kept(MinP(p), row) ^ expected <= border


@pytest.mark.parametrize("bad", [lambda: TopK(0), lambda: TopP(0), lambda: TopP(1.5), lambda: MinP(-0.1)])
def test_bad_settings_are_refused(bad):
    with pytest.raises(InvalidArgument):
        bad()
