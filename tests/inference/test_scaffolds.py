"""Templates placed in the canvas beforehand, and classifier-free guidance, against brute force."""

import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest
from canvas_cases import ABC, LANGUAGES, WITHOUT_EOS
from canvas_process import full_text_of, random_denoiser, target

import pgen
from pgen.backends.tabular import TabularAnyOrder, TabularDiffusion
from pgen.testing.laws import check_proper_weights


def exact_masses(distribution):
    posterior = pgen.infer(distribution, method=pgen.Enumerate())
    return {str(x): p * math.exp(posterior.log_evidence) for x, p in posterior.probabilities().items()}


def test_fixed_parts_stand_before_the_model_is_asked():
    seen = []
    model = random_denoiser(ABC, 4, 3)
    inner = model._marginals
    model._marginals = lambda tokens: seen.append(tokens) or inner(tokens)
    filled = model.fill("a{x}b", sizes={"x": 2}, x=pgen.Regex("[ab]*"))
    assert filled.inner.canvas == (0, None, None, 1)
    found = exact_masses(filled)
    assert all(tokens[0] == 0 and tokens[3] == 1 for tokens in seen)
    canvas = (0, None, None, 1)
    expected = target(model, 4, "confidence", 2, pgen.Regex("a[ab]*b"), canvas=canvas, read=full_text_of(canvas))
    assert found == pytest.approx(dict(expected), abs=1e-12)
    assert filled.sample(seed=0).holes["x"] in {text[1:-1] for text in expected}
    longer = model.fill("{x}b", length=4, sizes={"x": 2}, x=pgen.Regex("[ab]*"))
    assert longer.inner.canvas == (None, None, 1, 3), "an end fills what is left"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": {}}, "the holes are x"),
        ({"sizes": {"x": -1}}, "size of 'x' is -1"),
        ({"sizes": {"x": 3}, "length": 4}, "take 5 positions, but length=4"),
        ({}, "needs a length"),
    ],
)
def test_sizes_that_do_not_fit(options, message):
    with pytest.raises(pgen.InvalidArgument, match=message):
        random_denoiser(ABC, 8, 3).fill("a{x}b", **options)
    with pytest.raises(pgen.InvalidArgument, match="nothing ends a text"):
        random_denoiser(WITHOUT_EOS, 8, 3).fill("a{x}b", sizes={"x": 1}, length=8)


HOLE = {"x": pgen.Regex("[ab]*")}
"""With it, "a{x}b" has members that end in the hole."""
NESTED = {"x": pgen.Regex("(ab|aabb|a|b)?")}


@pytest.mark.parametrize(
    ("template", "options", "canvas", "holes", "order"),
    [
        ("a{x}b", {}, (0, None, None, 1), HOLE, "confidence"),
        ("a{x}b", {"length": 5}, (0, None, None, 1, 3), HOLE, "low_confidence"),
        ("{x}b{y}", {"sizes": {"x": 1, "y": 1}}, (None, 1, None), HOLE, "random"),
        ("{x}b{y}", {"sizes": {"x": 1, "y": 1}, "length": 4}, (None, 1, None, 3), HOLE, "constrained_confidence"),
        ("{x}", {}, (None, None), HOLE, "left_to_right"),
        ("a{x}b", {}, (0, None, None, 1), NESTED, "left_to_right"),
        ("{x}", {"sizes": {"x": 3}, "length": 4}, (None, None, None, 3), NESTED, "confidence"),
    ],
)
@pytest.mark.parametrize("table", [True, False])
def test_holes_have_exactly_their_sizes(monkeypatch, table, template, options, canvas, holes, order):
    """No end stands in a hole, by tables and charts: masses, proper weights, scores, by full enumeration."""
    if not table:
        monkeypatch.setattr("pgen.inference.drafting.canvas_language.MAX_STATES", 1)
    model = random_denoiser(ABC, len(canvas), 3)
    filled = model.fill(template, order=order, **{"sizes": {"x": 2}, **options}, **holes)
    assert filled.inner.canvas == canvas
    language = filled.template
    n_open = canvas.count(None)
    expected = target(model, len(canvas), order, n_open, language, canvas=canvas, read=full_text_of(canvas))
    assert expected
    if order != "constrained_confidence" or table:
        check_proper_weights(lambda: pgen.sample("text", filled), pgen.Importance(1), expected, 1e-12)
    if table:
        assert exact_masses(filled) == pytest.approx({t: m for t, m in expected.items() if m}, abs=1e-12)
        one = max(expected)
        assert filled.log_prob(one) == pytest.approx(math.log(expected[one]), abs=1e-9)


def test_best_strings_have_no_end_in_a_hole():
    """The last position's likeliest token is an end, which no hole holds."""
    rows = np.log([[0.1, 0.1, 0.1, 0.7]] * 2)
    model = TabularDiffusion(ABC, 2, lambda tokens: rows)
    filled = model.fill("{x}b", sizes={"x": 1}, x=pgen.Regex("[ab]*"))
    votes = pgen.time_vote(filled.inner, 0)
    assert votes
    assert all(len(ABC.encode(text)) <= 2 and text.endswith("b") and len(text) > 1 for text in votes)
    with pytest.raises(pgen.InvalidArgument, match=r"fixed in the canvas 'a□'(.|\n)*as many tokens as its size"):
        pgen.infer(model.fill("a{x}", sizes={"x": 1}, x=pgen.Regex("[ab]{3,}")))


@pytest.mark.parametrize("without", [None, "b"])
def test_guidance_is_a_denoiser_like_any_other(without):
    model, language = random_denoiser(ABC, 3, 5), LANGUAGES["counted"]
    model._marginals = lambda tokens: rows_of(tokens)
    strength = 0.7

    def rows_of(tokens):
        generator = np.random.default_rng([0 if token is None else token + 1 for token in tokens])
        rows = generator.dirichlet(np.ones(4), len(tokens))
        return np.log(rows[-2:] if tokens[0] is not None or len(tokens) == 2 else rows)

    class ByHand(TabularDiffusion):
        def marginals(self, prompts, canvases):
            made = []
            for prompt, canvas in zip(prompts, canvases, strict=True):
                wanted = rows_of((*prompt, *canvas))
                other = rows_of((None, *canvas))[1:] if without is None else rows_of((1, *canvas))
                pushed = (1 + strength) * wanted - strength * other
                made.append(pushed - np.logaddexp.reduce(pushed, axis=1, keepdims=True))
            return np.stack(made)

    guided = model.guided(strength, without)
    by_hand = ByHand(ABC, 2, rows_of)
    found = exact_masses(guided.text("a", length=2).given(language))
    assert found == pytest.approx(target(by_hand, 2, "confidence", 2, language, prompt=(0,)), abs=1e-12)
    assert guided.name == "tabular, guided"
    np.testing.assert_array_equal(
        model.guided(0.0).marginals([(0,)], [(None, None)]), model.marginals([(0,)], [(None, None)])
    )


def test_guidance_on_tensors_and_bad_strengths():
    import torch

    model = random_denoiser(ABC, 2, 5)

    class Tensors(TabularDiffusion):
        def marginals(self, prompts, canvases):
            return torch.from_numpy(model.marginals(prompts, canvases))

    arrays = model.guided(1.5, "").marginals([(), ()], [(None, None), (0, None)])
    tensors = Tensors(ABC, 2, lambda tokens: None).guided(1.5, "").marginals([(), ()], [(None, None), (0, None)])
    np.testing.assert_allclose(tensors.numpy(), arrays, atol=1e-12)
    for strength in (-1.0, math.inf):
        with pytest.raises(pgen.InvalidArgument, match="strength"):
            model.guided(strength)

    class InBlocks(TabularDiffusion):
        block_length = 2

    with pytest.raises(pgen.InvalidArgument, match="another prompt"):
        InBlocks(ABC, 4, lambda tokens: None).guided(1.0)


@pytest.mark.parametrize("order", ["left_to_right", "random", (2, 1, 0, 3)])
def test_any_order_models_fill_holes_of_known_size(order):
    """The mass of a filling is that of its tokens, drawn in the given order; no end stands in a hole."""

    def conditionals(canvas):
        generator = np.random.default_rng([0 if token is None else token + 1 for token in canvas])
        return np.log(generator.dirichlet(np.ones(4), len(canvas)))

    orders = {"left_to_right": [(1, 2)], "random": [(1, 2), (2, 1)]}.get(order, [(2, 1)])
    expected = Counter()
    for x, y in itertools.product(set(range(len(ABC))) - ABC.eos, repeat=2):
        filled, masses = [0, x, y, 1], []
        for first, second in orders:
            begun = [0, None, None, 1]
            log_mass = conditionals(begun)[first][filled[first]]
            begun[first] = filled[first]
            masses.append(math.exp(log_mass + conditionals(begun)[second][filled[second]]))
        text = ABC.decode(filled).decode()
        if re.fullmatch("a[ab]*b", text):
            expected[text] += math.fsum(masses) / len(masses)
    model = TabularAnyOrder(ABC, conditionals)
    found = exact_masses(model.fill("a{x}b", sizes={"x": 2}, order=order, x=pgen.Regex("[ab]*")))
    assert found == pytest.approx(dict(expected), abs=1e-12)
