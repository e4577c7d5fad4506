"""A learned order: fitted on hidden parts of texts, exact as any order, and better than a misled confidence."""

import itertools
import math

import numpy as np
import pytest
from anyorder_oracles import open_positions, random_anyorder, text_masses
from cases import VOCABULARIES

import pgen
from pgen.backends.tabular import TabularAnyOrder, TabularDiffusion
from pgen.programs.learned_order import LearnedOrder, features, learned_order, log_along

VOCABULARY = pgen.Vocabulary([b"a", b"b"], eos=())
TEXTS = [(0, 0, 1, 1), (1, 1, 0, 0)]


def misled(canvas):
    """Knows pairs of neighbours, but is sure, wrongly, of the last position while nothing is known."""
    rows = np.full((len(canvas), 2), 0.5)
    for i in range(len(canvas)):
        partner = i ^ 1
        if canvas[partner] is not None:
            rows[i] = 0.05
            rows[i, canvas[partner]] = 0.95
    if all(token is None for token in canvas):
        rows[3] = [0.99, 0.01] if canvas[3] is None else rows[3]
    return np.log(rows)


def test_the_order_is_exact_as_any_other():
    order = LearnedOrder((0.0, 0.3, -1.0, 0.2, 0.5, -0.7))

    def chosen(canvas, rows):
        positions = np.array(open_positions(canvas))
        with np.errstate(divide="ignore"):
            scores = features(canvas, positions, np.log(rows)) @ np.array(order.weights)
        return [(int(positions[np.argmax(scores)]), 1.0)]

    for seed in range(4):
        lm = random_anyorder(VOCABULARIES["letters"], seed)
        language = pgen.Regex("[ab]{1,3}")
        masses = text_masses(lm, (), 3, chosen, language)
        posterior = pgen.infer(lm.text("", length=3, order=order).given(language), method=pgen.Enumerate())
        assert math.exp(posterior.log_evidence) == pytest.approx(sum(masses.values()), abs=1e-12)


def test_it_learns_to_distrust_what_is_wrong():
    lm = TabularAnyOrder(VOCABULARY, misled)
    order = learned_order(lm, TEXTS, seed=1)

    def likelihood(policy):
        text = lm.text("", length=4, order=policy)
        return sum(text.log_prob(VOCABULARY.decode(tokens).decode()) for tokens in TEXTS)

    assert likelihood(order) > likelihood("confidence") + 1.0
    assert likelihood(order) >= max(likelihood(each) for each in itertools.permutations(range(4))) - 0.7


def test_diffusion_takes_the_same_order():
    lm = TabularAnyOrder(VOCABULARY, misled)
    order = learned_order(lm, TEXTS, seed=1)
    denoiser = TabularDiffusion(VOCABULARY, 4, misled)
    first, second = (
        pgen.infer(model.text("", length=4, order=order), method=pgen.Enumerate()).probabilities()
        for model in (lm, denoiser)
    )
    assert first == pytest.approx(second, abs=1e-12)


def test_what_means_nothing_is_refused():
    lm = TabularAnyOrder(VOCABULARY, misled)
    for texts in ([], [(0, 1), (0,)], [()]):
        with pytest.raises(pgen.InvalidArgument, match="one length"):
            learned_order(lm, texts)
    with pytest.raises(pgen.InvalidArgument, match="at least one position"):
        LearnedOrder((1.0,) * 6, at_once=0)
    with pytest.raises(pgen.InvalidArgument, match="6 finite weights"):
        LearnedOrder((1.0,))


def neighbours(canvas):
    """Is surest of pairs of neighbours, which are equal: positions drawn together must not be a pair."""
    rows = np.full((len(canvas), 2), 0.5)
    for i in range(len(canvas)):
        if canvas[i ^ 1] is not None:
            rows[i, canvas[i ^ 1]], rows[i, 1 - canvas[i ^ 1]] = 0.9, 0.1
        elif i < 2:
            rows[i] = [0.6, 0.4]
    return np.log(rows)


def test_trials_find_what_to_commit_together():
    denoiser = TabularDiffusion(VOCABULARY, 4, neighbours)
    texts = [(a, a, b, b) for a, b in itertools.product((0, 1), repeat=2)]
    fitted, tried = (learned_order(denoiser, texts, at_once=2, trials=trials) for trials in (0, 60))
    assert log_along(denoiser, tried, texts) > log_along(denoiser, fitted, texts) + 0.1
    first = tried((None,) * 4, neighbours((None,) * 4))
    assert len(first) == 2
    assert {i // 2 for i in first} == {0, 1}, "one of each pair"
    text = denoiser.text("", length=4, order=tried)
    each = [text.log_prob(VOCABULARY.decode(tokens).decode()) for tokens in texts]
    assert np.mean(each) == pytest.approx(log_along(denoiser, tried, texts), abs=1e-9)
