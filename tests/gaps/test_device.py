"""Gaps of batches as tensors against the kernels for one sequence, and drafts that use them."""

import math
import random

import numpy as np
import pytest
import torch
from gap_oracles import random_automaton, random_tokens, token_table
from hypothesis import given
from hypothesis import strategies as st
from insertion_oracles import random_insertion, text_masses

import pgen
from pgen.backends.base import Insertions
from pgen.gaps.automaton import FAR, GapAutomaton
from pgen.gaps.device import DeviceGaps, joined, picked
from pgen.gaps.device_step import OpenGaps, device_masses
from pgen.gaps.step import Choice, OpenSlots, masses
from pgen.testing.laws import check_proper_weights


def compare(device, batch, single, states):
    """Rows, masks, budgets, fewest insertions and stops of a batch, row by row."""
    rows, members, fewest = device.rows(batch).numpy(), device.is_member(batch), device.fewest(batch)
    for b, state in enumerate(states):
        n_gaps = len(state.tokens) + 1
        assert np.array_equal(np.minimum(rows[b, :n_gaps], FAR), single.look(state).rows)
        assert (rows[b, n_gaps:] == FAR).all()
        assert int(fewest[b]) == single.look(state).fewest
        assert bool(members[b]) == single.look(state).is_member
    for left in (0, 1, 3):
        allowed = device.allowed(batch, torch.full((len(states),), left))
        for b, state in enumerate(states):
            assert np.array_equal(allowed[b, : len(state.tokens) + 1].numpy(), single.allowed(state, left))


@given(st.integers(0, 10**9), st.booleans())
def test_batches_agree_with_single_sequences_through_insertions_and_resampling(seed, budgeted):
    choose = random.Random(seed)
    automaton, tokens = random_automaton(choose), random_tokens(choose)
    table = token_table(automaton, tokens)
    single, device = GapAutomaton(table, budgeted), DeviceGaps(table, budgeted)
    sequences = [tuple(choose.randrange(len(tokens)) for _ in range(choose.randint(0, 4))) for _ in range(4)]
    states, batch = [single.start(sequence) for sequence in sequences], device.start(sequences)
    compare(device, batch, single, states)
    for _ in range(3):
        rows = [choose.randrange(len(states)) for _ in range(choose.randint(1, 4))]
        gaps = [choose.randint(0, len(states[row].tokens)) for row in rows]
        new = [choose.randrange(len(tokens)) for _ in rows]
        states = [single.insert(states[r], g, t) for r, g, t in zip(rows, gaps, new, strict=True)]
        batch = device.insert(batch, *map(torch.tensor, (rows, gaps, new)))
        compare(device, batch, single, states)
    both = joined([batch, device.start(sequences)])
    order = torch.randperm(len(both.lengths))
    every = [*states, *(single.start(sequence) for sequence in sequences)]
    compare(device, picked(both, order), single, [every[i] for i in order])


def test_states_are_chunked_where_products_would_be_large(monkeypatch):
    choose = random.Random(5)
    table = token_table(random_automaton(choose), random_tokens(choose))
    sequences = [(0,), (0, 0), ()]
    whole = DeviceGaps(table, True)
    monkeypatch.setattr("pgen.gaps.device.CHUNK", 1)
    parts = DeviceGaps(table, True)
    for a, b in zip(whole.start(sequences), parts.start(sequences), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(whole.rows(whole.start(sequences)), parts.rows(parts.start(sequences)))


@given(st.integers(0, 10**9))
def test_masses_are_those_of_single_steps(seed):
    choose, numbers = random.Random(seed), np.random.default_rng(seed)
    automaton, tokens = random_automaton(choose), random_tokens(choose)
    table = token_table(automaton, tokens)
    single, device = GapAutomaton(table, True), DeviceGaps(table, True)
    sequences = [tuple(choose.randrange(len(tokens)) for _ in range(choose.randint(0, 3))) for _ in range(3)]
    n_slots = max(map(len, sequences)) + 3  # a closed slot before each, and one or more behind
    with np.errstate(divide="ignore"):
        log_probs = np.log(
            numbers.random((3, n_slots, len(tokens))) * (numbers.random((3, n_slots, len(tokens))) > 0.2)
        )
    stop, left, batch = np.log(numbers.random(3)), [choose.randint(0, 4) for _ in range(3)], device.start(sequences)
    hole = OpenGaps(torch.ones(3, dtype=torch.long), batch, device.allowed(batch, torch.tensor(left)))
    found = device_masses(torch.tensor(log_probs), torch.tensor(stop), [hole], device.is_member(batch))
    for b, sequence in enumerate(sequences):
        state = single.start(sequence)
        slots = OpenSlots(1, single.look(state).rows, left[b] - 1, single.class_of)
        expected = masses(Insertions(log_probs[b], stop[b]), Choice([slots], single.look(state).is_member))
        assert float(found.stop[b]) == pytest.approx(expected.stop, abs=1e-12)
        np.testing.assert_allclose(found.tokens[b, 1 : len(sequence) + 2], expected.share * expected.tokens, atol=1e-12)
        assert float(found.tokens[b].sum()) == pytest.approx(expected.sums.sum(), abs=1e-12)


class OnDevice:
    """A tabular insertion model whose numbers are tensors."""

    masks_on_device = True

    def __init__(self, inner):
        self._inner = inner

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def insertions(self, sequences):
        raise AssertionError("asked past the device")

    def insertion_tensors(self, sequences):
        steps = self._inner.insertions(sequences)
        n_slots = max(len(step.slots) for step in steps)
        filled = [np.pad(step.slots, ((0, n_slots - len(step.slots)), (0, 0)), constant_values=0.5) for step in steps]
        return torch.tensor(np.stack(filled)), torch.tensor([step.stop for step in steps], dtype=torch.float64)


VOCABULARY = pgen.Vocabulary([b"a", b"b", b"ab", b"-", b"<eos>"], eos=4)


def on_device(distribution):
    """The same distribution, of the same model with its numbers on a device."""
    from dataclasses import replace

    return replace(distribution, model=OnDevice(distribution.model))


@pytest.mark.parametrize("seed", range(4))
def test_drafts_on_a_device_are_properly_weighted(seed):
    lm, language = random_insertion(VOCABULARY, seed), pgen.Regex("(ab)*a?b{0,2}")
    expected = text_masses(lm, (), 2, language)
    text = on_device(lm.text("", max_tokens=2).given(language))
    method = pgen.Importance(1, lookahead=0)
    check_proper_weights(lambda: pgen.sample("x", text), method, expected, tolerance=1e-12)


def test_drafts_on_a_device_are_those_without_one():
    for seed in range(6):
        lm = random_insertion(VOCABULARY, seed, stop_weight=0.3)
        holes = {"x": pgen.Regex("[ab]{1,4}"), "y": pgen.Regex("(ab)+|b")}
        for text in (
            lm.text("a", max_tokens=6).given(pgen.Regex("[ab]*b")),
            lm.fill("-{x}-a{y}", max_tokens=6, **holes),
        ):
            method = pgen.SMC(6, resample="tokens", ess_threshold=1.0, lookahead=0)
            plain, other = (pgen.infer(each, method=method, seed=seed) for each in (text, on_device(text)))
            assert other.log_evidence == pytest.approx(plain.log_evidence, abs=1e-12)
            assert [str(value) for value in other.values] == [str(value) for value in plain.values]
            assert other.n_evaluations == plain.n_evaluations


def test_numbers_that_are_none_are_told():
    lm = random_insertion(VOCABULARY, 1)
    text = on_device(lm.text("", max_tokens=2).given(pgen.Regex("a*")))
    text.model.insertion_tensors = lambda sequences: (
        torch.full((len(sequences), 3, 5), math.nan),
        torch.zeros(len(sequences)),
    )
    with pytest.raises(pgen.ModelError, match="sum to nan"):
        pgen.infer(text, method=pgen.Importance(2, lookahead=0))


def test_the_bundled_model_may_be_asked_to_stay_on_its_device():
    lm = pgen.load("molecules-insertion", device="cpu")
    assert not lm.masks_on_device
    text, method = lm.text("", max_tokens=10).given(pgen.Regex("C[CON]{2,6}")), pgen.Importance(4, lookahead=0)
    plain = pgen.infer(text, method=method, seed=1)
    lm.masks_on_device = True
    try:
        there = pgen.infer(text, method=method, seed=1)
    finally:
        del lm.masks_on_device
    assert [str(value) for value in there.values] == [str(value) for value in plain.values]
    assert there.log_evidence == pytest.approx(plain.log_evidence, abs=1e-6)
