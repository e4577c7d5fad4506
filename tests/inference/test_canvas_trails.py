"""Models whose marginals depend on the way to a canvas: the process with its history, by plain recursion."""

import itertools
import math
import pickle
from collections import defaultdict

import numpy as np
import pytest
from canvas_cases import LANGUAGES, WITHOUT_EOS, random_log_probs, text_of
from canvas_process import SCORES

import pgen
from pgen.backends.tabular import TabularDiffusion
from pgen.inference.moves.canvas_moves import Remask
from pgen.programs.trails import Trail, following, way_to
from pgen.testing.generative_laws import transition_matrix
from pgen.testing.laws import check_proper_weights

REFRESH = 3


def rows_after(way):
    """Random marginals of every way of up to `REFRESH` canvases."""
    seed = [0 if token is None else token + 1 for canvas in way for token in canvas]
    return random_log_probs(np.random.default_rng([len(way), *seed]), len(way[-1]), len(WITHOUT_EOS), holes=False)


class Forgetful(TabularDiffusion):
    """Remembers the canvases of up to `REFRESH` steps."""

    def following(self, before, after):
        earlier = way_to(before)
        return after if len(earlier) >= REFRESH else Trail.of(after, earlier)

    def marginals(self, prompts, canvases):
        return np.stack([rows_after(way_to(canvas)) for canvas in canvases])


def target(length, order, language):
    """text -> mass, one position a step, the state being the whole way."""
    law = {((None,) * length,): 1.0}
    for _ in range(length):
        after = defaultdict(float)
        for way, mass in law.items():
            canvas, rows = way[-1], rows_after(way)
            begun = [i for i, token in enumerate(canvas) if token is None]
            score = {i: round(SCORES[order](i, rows[i].tolist()), 10) for i in begun} if order != "random" else None
            chosen = begun if score is None else [min(begun, key=lambda i: (-score[i], i))]
            for i, token in itertools.product(chosen, range(len(WITHOUT_EOS))):
                new = (*canvas[:i], token, *canvas[i + 1 :])
                kept = () if len(way) >= REFRESH else way
                after[*kept, new] += mass * math.exp(rows[i, token]) / len(chosen)
        law = after
    masses = defaultdict(float)
    for way, mass in law.items():
        text = text_of(WITHOUT_EOS, way[-1]).decode()
        if language.matches(text):
            masses[text] += mass
    return masses


@pytest.mark.parametrize("order", ["left_to_right", "confidence", "random"])
def test_the_process_of_a_model_that_remembers(order):
    model, language = Forgetful(WITHOUT_EOS, 4, lambda tokens: None), LANGUAGES["even"]
    text = model.text("", length=4, order=order).given(language)
    posterior = pgen.infer(text, method=pgen.Enumerate())
    expected = target(4, order, language)
    found = {str(x): p * math.exp(posterior.log_evidence) for x, p in posterior.probabilities().items()}
    assert found == pytest.approx(expected, abs=1e-12)
    one = max(expected)
    assert text.log_prob(one) == pytest.approx(math.log(expected[one]), abs=1e-6)


@pytest.mark.parametrize("method", [pgen.Importance(1), pgen.SMC(2, ess_threshold=1.0, resample="tokens")])
def test_draws_are_properly_weighted(method):
    length = 3 if isinstance(method, pgen.Importance) else 2
    model, language = Forgetful(WITHOUT_EOS, length, lambda tokens: None), LANGUAGES["counted"]
    text = model.text("", length=length).given(language)
    check_proper_weights(lambda: pgen.sample("x", text), method, target(length, "confidence", language), 1e-12)


def test_remasking_keeps_the_posterior():
    model, language = Forgetful(WITHOUT_EOS, 3, lambda tokens: None), LANGUAGES["choice"]
    text = model.text("", length=3).given(language)
    runs, matrix, masses = transition_matrix(pgen.Generative(lambda: pgen.sample("x", text)), Remask(1))
    assert len(runs) > 1
    assert matrix.sum(axis=1) == pytest.approx(np.ones(len(runs)))
    assert masses @ matrix == pytest.approx(masses, abs=1e-12)


def test_a_trail_is_a_canvas_and_its_way():
    one, other = Trail.of((0, None), ((None, None),)), Trail.of((0, None), ((None, 1),))
    assert (one == other, one == (0, None), one != other) == (False, False, True)
    assert pickle.loads(pickle.dumps(one)) == one
    assert len({one, other, (0, None), pickle.loads(pickle.dumps(one))}) == 3
    assert following(object(), (None,), (0,)) == (0,)
