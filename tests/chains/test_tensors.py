"""The torch implementations, chain and tree, against the numba kernels and brute force."""

import math

import numpy as np
import pytest
import torch
from canvas_cases import cases

from pgen.chains import sum_product, tensors, tree
from pgen.chains.emissions import emissions
from pgen.testing.enumeration import enumerate_outcomes

CASES = list(cases(45, seed=5))


def both(case):
    marginals = torch.from_numpy(case.log_probs)[None]
    return tensors.log_class_masses(case.automaton, marginals), tensors.fixed_classes(case.automaton, [case.canvas])


@pytest.mark.parametrize("case", CASES)
def test_class_masses_agree(case):
    logs, _ = both(case)
    expected = case.emissions.log_classes()
    for i, token in enumerate(case.canvas):
        if token is None:
            np.testing.assert_allclose(logs[0, i].numpy(), expected[i], atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_the_chain_agrees_in_every_state(case):
    found = tensors.log_messages(case.automaton, *both(case))[:, 0].numpy()
    given = sum_product.messages(case.emissions)
    with np.errstate(divide="ignore"):
        expected = np.log(given.mantissa) + given.exponent * math.log(2)
    # The kernels only fill what the start can reach.
    filled = given.mantissa > 0
    np.testing.assert_allclose(found[filled], expected[filled], atol=1e-10)
    assert found[0, case.automaton.start] == pytest.approx(given.log_mass, abs=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_tensors_as_marginals_give_the_same_emissions(case):
    (found,) = emissions(case.automaton, torch.from_numpy(case.log_probs)[None], [case.canvas])
    assert sum_product.messages(found).log_mass == pytest.approx(
        sum_product.messages(case.emissions).log_mass, abs=1e-10
    )
    np.testing.assert_array_equal(found.row(0), case.log_probs[0])


def built(case):
    logs, fixed = both(case)
    return tree.levels(tree.log_transitions(case.automaton, logs[0], fixed[0]))


@pytest.mark.parametrize("case", CASES)
def test_the_tree_has_the_mass_of_the_chain(case):
    expected = sum(case.masses().values())
    assert math.exp(tree.log_mass(case.automaton, built(case))) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("case", [case for case in CASES if len(case.canvas) <= 4][:12])
def test_states_drawn_by_the_tree_follow_the_step_posterior(case):
    masses = case.masses()
    total = sum(masses.values())
    if total == 0:
        pytest.skip("nothing has mass")
    expected = {}
    for tokens, mass in masses.items():
        states = [case.automaton.start]
        for token in tokens:
            states.append(int(case.automaton.delta[states[-1], case.automaton.class_of[token]]))
        expected[tuple(states)] = expected.get(tuple(states), 0.0) + mass / total
    levels, law = built(case), {}
    for probability, states in enumerate_outcomes(lambda rng: tree.sample_states(case.automaton, levels, rng)):
        law[tuple(states)] = law.get(tuple(states), 0.0) + probability
    for states in {*law, *expected}:
        assert law.get(states, 0.0) == pytest.approx(expected.get(states, 0.0), abs=1e-12)


def test_a_batch_is_its_canvases_one_by_one():
    batch = [case for case in CASES if len(case.canvas) == 4 and len(case.vocabulary) == 4][:3]
    automaton = batch[0].automaton
    marginals = torch.from_numpy(np.stack([case.log_probs for case in batch]))
    logs = tensors.log_class_masses(automaton, marginals)
    fixed = tensors.fixed_classes(automaton, [case.canvas for case in batch])
    together = tensors.log_messages(automaton, logs, fixed)[0, :, 0]
    apart = [tensors.log_messages(automaton, logs[b : b + 1], fixed[b : b + 1])[0, 0, 0] for b in range(len(batch))]
    np.testing.assert_allclose(together.numpy(), torch.stack(apart).numpy(), atol=1e-12)
    assert len(batch) == 3


def test_no_underflow_in_single_precision():
    case = next(case for case in CASES if None in case.canvas)
    far = torch.from_numpy(case.log_probs)[None].float() - 5000.0
    near = tensors.log_class_masses(case.automaton, torch.from_numpy(case.log_probs)[None].float())
    shifted = tensors.log_class_masses(case.automaton, far)
    assert torch.equal(torch.isinf(near), torch.isinf(shifted))
    finite = torch.isfinite(near)
    assert torch.allclose(near[finite] - 5000.0, shifted[finite], atol=2e-3)
