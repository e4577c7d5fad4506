"""Masked diffusion asked for what cannot be: messages before, or instead of, a wrong answer."""

import math

import numpy as np
import pytest
from canvas_cases import ABC, WITHOUT_EOS
from canvas_process import random_denoiser

import pgen
from pgen.backends.tabular import TabularDiffusion


def test_a_language_that_fits_no_canvas_is_refused_before_the_model_is_asked():
    model = TabularDiffusion(WITHOUT_EOS, 9, lambda tokens: pytest.fail("the model was asked"))
    with pytest.raises(pgen.InvalidArgument, match=r"shortest member .* takes 4 tokens, but length=3(.|\n)*4 or more"):
        pgen.infer(model.text("", length=3).given("aaaa"))
    with pytest.raises(pgen.InvalidArgument, match=r"exactly 3 tokens(.|\n)*nearest lengths are 2 and 4"):
        pgen.infer(model.text("", length=3).given(pgen.Regex("(aa)*")))
    with pytest.raises(pgen.InvalidArgument, match=r"nearest lengths are 2$"):
        pgen.infer(model.text("", length=3).given("aa"))
    many = TabularDiffusion(WITHOUT_EOS, 60, model._marginals).text("", length=60)
    with pytest.raises(pgen.LimitExceeded, match="bound its nesting"):
        pgen.infer(many.given(pgen.Regex("(a|b)*a(a|b){14}")))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 4}, "a canvas of 3 positions"),
        ({"length": 0}, "at least one position"),
        ({"length": 3, "steps": 4}, "expected 1 to 3"),
        ({"length": 3, "steps": 0}, "expected 1 to 3"),
        ({"length": 3, "steps": 1, "block": 1}, "expected 3 to 3"),
        ({"length": 3, "order": "best"}, "order='best': expected 'left_to_right'"),
        ({"length": 3, "order": 3}, "a Ranking or a function"),
        ({"length": 3, "block": 0}, "block=0"),
        ({"length": 3, "temperature": 0}, "must be positive"),
    ],
)
def test_bad_arguments(arguments, message):
    model = random_denoiser(ABC, 3, 0)
    with pytest.raises(pgen.InvalidArgument, match=message):
        model.text("", **arguments)


def test_a_context_that_is_too_short():
    model = TabularDiffusion(ABC, 3, lambda tokens: None, context_length=4)
    with pytest.raises(pgen.InvalidArgument, match=r"room for 4 positions, 2 of which the prompt takes"):
        model.text("aa", length=3)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (lambda tokens, marginals: [], r"returned the positions \[\]"),
        (lambda tokens, marginals: [0, 0], r"\[0, 0\]"),
        (lambda tokens, marginals: [7], r"\[7\] for '□□□'"),
    ],
)
def test_an_order_that_makes_no_sense(order, message):
    model = random_denoiser(ABC, 3, 0)
    with pytest.raises(pgen.InvalidArgument, match=message):
        model.text("", length=3, order=order).sample(seed=0)


def test_bad_marginals():
    def infer(rows):
        model = TabularDiffusion(ABC, 2, lambda tokens: rows)
        return pgen.infer(model.text("", length=2).given("ab"), method=pgen.Importance(2))

    even = np.full((2, 4), math.log(0.25))
    with pytest.raises(pgen.ModelError, match="sum to nan"):
        infer(np.where(even == even[0, 0], np.nan, even))
    with pytest.raises(pgen.ModelError, match=r"shape \(3, 4\), not \(2, 4\)"):
        infer(np.full((3, 4), math.log(0.25)))
    with pytest.raises(pgen.ModelError, match=r"sum to 2\.0"):
        infer(even + math.log(2))
    with pytest.raises(pgen.ZeroEvidence):
        infer(np.array([[-math.inf, 0.0, -math.inf, -math.inf]] * 2))


def test_the_drafter_notices_marginals_of_the_wrong_shape():
    class Short(TabularDiffusion):
        def marginals(self, prompts, canvases):
            return super().marginals(prompts, canvases)[:, 1:]

    distribution = Short(ABC, 3, lambda tokens: np.full((3, 4), math.log(0.25))).text("", length=3)
    with pytest.raises(pgen.ModelError, match=r"shape \(1, 2, 4\), not \(1, 3, 4\)"):
        pgen.infer(distribution, method=pgen.Importance(1))
