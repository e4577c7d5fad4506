"""The step of an insertion model against its definition in plain numpy."""

import math

import numpy as np
import pytest

from pgen.backends.base import Insertions
from pgen.gaps.automaton import FAR
from pgen.gaps.step import DEAD, STOP, Choice, OpenSlots, draw, masses
from pgen.testing.enumeration import enumerate_outcomes

N_TOKENS, N_CLASSES = 7, 3


def random_step(seed, dtype):
    """Six slots, of which 0 .. 1 and 3 .. 5 are open."""
    random = np.random.default_rng(seed)
    weights = random.exponential(size=(6, N_TOKENS)) * (random.random((6, N_TOKENS)) > 0.3)
    stop = random.exponential() * (seed % 3 > 0)
    total = weights.sum() + stop
    with np.errstate(divide="ignore"):
        step = Insertions(np.log(weights / total).astype(dtype), math.log(stop / total) if stop else -math.inf)
    class_of = random.integers(N_CLASSES, size=N_TOKENS).astype(np.int32)
    further = [random.choice([0, 1, 2, 5, FAR], size=(n, N_CLASSES)).astype(np.int32) for n in (2, 3)]
    return step, Choice([OpenSlots(0, further[0], 2, class_of), OpenSlots(3, further[1], 1, class_of)], seed % 2 == 0)


def defined(step, choice):
    slots = np.concatenate([np.exp(step.slots[o.first : o.first + len(o.further)].astype(float)) for o in choice.slots])
    allowed = np.concatenate([(o.further <= o.most)[:, o.class_of] for o in choice.slots])
    total = slots.sum() + math.exp(step.stop)
    return np.where(allowed, slots, 0.0) / total, math.exp(step.stop) / total if choice.stop else 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masses_are_those_of_what_is_allowed_among_open_slots(dtype):
    for seed in range(60):
        step, choice = random_step(seed, dtype)
        tokens, stop = defined(step, choice)
        found = masses(step, choice)
        np.testing.assert_allclose(found.share * found.tokens, tokens, atol=1e-15)
        np.testing.assert_allclose(found.sums, tokens.sum(1), atol=1e-15)
        assert found.stop == pytest.approx(stop, abs=1e-15)
        assert found.slots.tolist() == [0, 1, 3, 4, 5] and found.precise == (dtype == np.float64)
        transposed = Insertions(np.asfortranarray(step.slots), step.stop)
        np.testing.assert_array_equal(masses(transposed, choice).tokens, found.tokens)


def test_every_outcome_is_drawn_in_proportion_to_its_mass():
    for seed in range(12):
        step, choice = random_step(seed, np.float64)
        found = masses(step, choice)
        expected = {
            (int(found.slots[i]), int(t)): found.share * found.tokens[i, t]
            for i, t in np.argwhere(found.tokens).tolist()
        }
        expected |= {(STOP, STOP): found.stop} if found.stop else {}
        total = found.stop + found.share * found.tokens.sum()
        drawn: dict[tuple[int, int], float] = {}
        for probability, one in enumerate_outcomes(lambda rng, f=found: draw(f, rng)):
            drawn[one.slot, one.token] = drawn.get((one.slot, one.token), 0.0) + probability
            assert one.log_weight == (pytest.approx(math.log(total), abs=1e-12) if total else -math.inf)
        if total == 0:
            assert set(drawn) == {(DEAD, DEAD)}
        else:
            assert drawn == pytest.approx({key: mass / total for key, mass in expected.items()}, abs=1e-12)
