"""A generative classifier as critic and as twist, against its two models by hand; by enumeration."""

import math

import numpy as np
import pytest

import pgen
from pgen.inference.twists.gedi import GeDi
from pgen.testing.laws import check_proper_weights
from pgen.testing.oracles import random_model, text_masses

PIECES = pgen.Vocabulary([b"a", b"b", b"ab", b"<eos>"], eos=3)
KIND, HARSH = random_model(PIECES, 21).text("a"), random_model(PIECES, 22).text("b")


def by_hand(tokens, power, prior):
    odds = math.log(prior) - math.log(1 - prior)
    for i, token in enumerate(tokens):
        for text, sign in ((KIND, 1), (HARSH, -1)):
            odds += sign * float(text.model.next_logits([text.prompt + tokens[:i]])[0][token])
    return power * math.log(1 / (1 + math.exp(-odds)))


def test_the_classifier_is_bayes_rule():
    gedi = GeDi(KIND, HARSH, power=2.0, prior=0.3)
    for text in ("a", "ab", "abba", ""):
        assert gedi(text) == pytest.approx(by_hand(PIECES.encode(text), 2.0, 0.3), abs=1e-12)
    share, after = gedi.log_after((2, 1))
    assert share == pytest.approx(by_hand((2, 1), 2.0, 0.3))
    assert after == pytest.approx([by_hand((2, 1, token), 2.0, 0.3) for token in range(4)])


@pytest.mark.parametrize("at", ["token", "text"])
def test_as_critic_and_twist_it_is_properly_weighted(at):
    gedi = GeDi(KIND, HARSH, power=3.0)
    text = random_model(PIECES, 3).text("", max_tokens=2, end="eos").given(pgen.Regex("[ab]{1,3}"))
    expected = {x: m * math.exp(gedi(x)) for x, m in text_masses(text, 2).items()}
    judged = text.weighted(gedi, at=at, bound=0.0)
    for guided in (judged, judged.guided(gedi)):
        check_proper_weights(lambda t=guided: str(pgen.sample("x", t)), pgen.Importance(1, lookahead=0), expected)


def test_as_twist_it_lowers_the_variance():
    gedi = GeDi(KIND, HARSH, power=4.0)
    text = random_model(PIECES, 3).text("", max_tokens=6, end="eos").given(pgen.Regex("[ab]{6,9}"))
    judged = text.weighted(gedi, at="text", bound=0.0)
    blind, guided = (pgen.infer(t, method=pgen.Importance(150, lookahead=0)) for t in (judged, judged.guided(gedi)))
    assert guided.ess > 1.3 * blind.ess


def test_tokens_that_one_class_forbids_stay_finite():
    lm = pgen.backends.tabular.TabularAR(PIECES, lambda tokens: [0.0, -np.inf, -np.inf, -np.inf])
    gedi = GeDi(lm.text(""), HARSH)
    assert all(np.isfinite(gedi.log_after((1,))[1]))
    assert gedi("b") < -20


def test_misuse_is_told():
    letters = random_model(pgen.Vocabulary([b"a", b"<eos>"], eos=1), 1).text("")
    for call in (
        lambda: GeDi(KIND, letters),
        lambda: GeDi(KIND, HARSH.given("a")),
        lambda: GeDi(KIND, HARSH, prior=1.0),
        lambda: GeDi(KIND, HARSH, power=0.0),
        lambda: pgen.infer(letters.guided(GeDi(KIND, HARSH))),
    ):
        with pytest.raises(pgen.InvalidArgument):
            call()
