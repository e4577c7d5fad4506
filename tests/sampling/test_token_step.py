import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgen import ModelError
from pgen.sampling.token_step import (
    DEAD,
    Choice,
    StopMass,
    exponentiate,
    outcome_masses,
    pack,
    reference_step,
    step,
    unpack,
)
from pgen.testing.enumeration import enumerate_outcomes


class Fixed:
    """A source of randomness that returns one number."""

    def __init__(self, number):
        self.number = number

    def at(self, *place):
        return self

    def uniform(self, breakpoints=None):
        return self.number

    def seed(self):
        return 0


@st.composite
def choices(draw):
    size = draw(st.integers(1, 70))
    logits = draw(st.lists(st.floats(-30, 30), min_size=size, max_size=size))
    dead = draw(st.sets(st.integers(0, size - 1), max_size=size - 1))
    row = np.array([-np.inf if i in dead else x for i, x in enumerate(logits)])
    allowed = draw(st.sets(st.integers(0, size - 1)))
    leaving = draw(st.sets(st.integers(0, size - 1)))
    stop = draw(st.sampled_from(list(StopMass)))
    return row, Choice(pack(sorted(allowed), size), pack(sorted(leaving), size), stop)


@given(choices(), st.floats(0, 1, exclude_max=True), st.sampled_from([np.float32, np.float64]))
def test_the_kernel_equals_the_reference(case, uniform, dtype):
    row, choice = case
    given_rows = exponentiate(np.stack([row, row[::-1]]).astype(dtype))
    drawn = step(given_rows, [0], [choice], [Fixed(uniform)])
    token, log_weight = reference_step(given_rows, 0, choice, uniform)
    assert drawn.log_weights[0] == pytest.approx(log_weight, abs=1e-9)
    if drawn.tokens[0] != token:
        # Sums in another order may differ in the last bit, which matters only on a border.
        edges = _edges(given_rows, choice)
        assert np.abs(edges - uniform).min() < 1e-9


def _edges(given_rows, choice):
    stop, _, masses = outcome_masses(given_rows, 0, choice)
    running = np.concatenate([[0.0, stop], stop + np.cumsum(masses)])
    return running / running[-1]


@given(choices())
def test_draw_times_weight_is_the_model_restricted_to_the_choice(case):
    row, choice = case
    rows = exponentiate(row[None])
    law = {}
    for probability, drawn in enumerate_outcomes(lambda rng: step(rows, [0], [choice], [rng])):
        token = int(drawn.tokens[0])
        law[token] = law.get(token, 0.0) + probability * np.exp(drawn.log_weights[0])
    p = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
    allowed, leaving = unpack(choice.mask, len(row)), unpack(choice.leaving, len(row))
    stop = {StopMass.NONE: 0.0, StopMass.ONE: 1.0, StopMass.LEAVING: p[leaving].sum()}[choice.stop]
    target = {int(t): p[t] for t in allowed} | {-1: stop}
    for outcome in {*law, *target} - {DEAD}:
        assert law.get(outcome, 0.0) == pytest.approx(target.get(outcome, 0.0), abs=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_not_numbers_are_refused(bad):
    with pytest.raises(ModelError, match="largest logit"):
        exponentiate(np.array([[0.0, bad, 1.0]]))


def test_a_row_without_any_mass_is_refused():
    with pytest.raises(ModelError):
        exponentiate(np.full((1, 3), -np.inf))


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_packing_is_undone_by_unpacking(case):
    size, tokens = case
    assert unpack(pack(sorted(tokens), size), size).tolist() == sorted(tokens)
    assert len(pack(sorted(tokens), size)) == -(-size // 32)


def test_few_tokens_of_a_large_vocabulary_are_found_and_none_beyond_its_size():
    tokens = [0, 31, 32, 63, 4_000, 4_999, 5_000, 5_020]
    assert unpack(pack(tokens, 5_024), 5_001).tolist() == tokens[:-1]
