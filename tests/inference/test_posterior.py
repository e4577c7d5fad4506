"""What a posterior tells, against sums worked out from its weights."""

import math

import numpy as np
import pytest
from byte_model import byte_model

import pgen


@pytest.fixture(scope="module")
def coins():
    @pgen.program
    def tossed():
        first = pgen.sample("first", pgen.bernoulli(0.5))
        second = pgen.sample("second", pgen.bernoulli(0.2)) if first else None
        pgen.factor("bonus", math.log(3.0) if second else 0.0)
        return bool(first), None if second is None else bool(second)

    return pgen.infer(tossed, method=pgen.Enumerate())


def test_probabilities_marginals_and_evidence(coins):
    masses = {(False, None): 0.5, (True, False): 0.4, (True, True): 0.3}
    assert coins.log_evidence == pytest.approx(math.log(1.2), abs=1e-12)
    assert coins.probabilities() == pytest.approx({k: v / 1.2 for k, v in masses.items()}, abs=1e-12)
    assert list(coins.probabilities()) == [(False, None), (True, False), (True, True)], "likeliest first"
    assert coins.marginal("second")[None] == pytest.approx(0.5 / 1.2)
    assert coins.expectation(lambda value: value[0]) == pytest.approx(0.7 / 1.2)
    assert coins.mode() == (False, None)
    assert coins.label == "exact"
    weights = np.array([0.5, 0.4, 0.3])
    assert coins.ess == pytest.approx(weights.sum() ** 2 / (weights**2).sum())


def test_an_unknown_site_is_named_with_the_known_ones(coins):
    with pytest.raises(pgen.InvalidArgument, match=r"'third'.*first, second"):
        coins.marginal("third")


def test_draws_follow_the_weights(coins):
    drawn = coins.sample(seed=1, n=6000)
    share = sum(value == (True, True) for value in drawn) / 6000
    assert share == pytest.approx(0.25, abs=0.02)
    assert drawn == coins.sample(seed=1, n=6000)
    assert drawn != coins.sample(seed=2, n=6000)


def test_values_that_cannot_be_keys_have_a_mode_but_no_table():
    def lists():
        return [int(pgen.sample("x", pgen.bernoulli(0.25)))]

    posterior = pgen.infer(lists, method=pgen.Enumerate())
    assert posterior.mode() == [0]
    with pytest.raises(pgen.InvalidArgument, match="list"):
        posterior.probabilities()


def test_text_and_html_show_the_likeliest_and_escape():
    text = byte_model().text("x").given(pgen.choice("<b>", "<script>"))
    posterior = pgen.infer(text, method=pgen.Enumerate())
    assert "'<b>'" in repr(posterior)
    assert "[exact]" in repr(posterior)
    html = posterior._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>&#x27;" not in html
    assert "<script>" not in html


def test_long_tables_are_cut_and_say_so():
    many = pgen.infer(lambda: int(pgen.sample("x", pgen.categorical([1 / 40] * 40))), method=pgen.Enumerate())
    assert len(repr(many).splitlines()) < 20
    assert "28 more" in repr(many)


@pytest.mark.parametrize("name", [None, "first"])
def test_plots_have_a_bar_a_value(coins, name):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = coins.plot(name)
    assert len(axes.patches) == len(coins.probabilities() if name is None else coins.marginal(name))
    assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(1)


def test_a_diagnosis_says_what_to_do():
    text = byte_model().text("x").given(pgen.Regex("[a-p]{2}|q{9}"))
    few = pgen.infer(text, method=pgen.Importance(2, lookahead=0))
    assert "consistent" in few.diagnose()
    masked = pgen.infer(text, method=pgen.Masked(3))
    assert "not the posterior" in masked.diagnose()
    assert math.isnan(masked.log_evidence)


def test_automatic_says_which_method_and_why():
    certain = pgen.infer(byte_model().text("x").given(pgen.choice("a", "b")))
    assert certain.label == "exact"
    assert "chosen automatically" in certain.notes[-1]
    sampled = pgen.infer(byte_model().text("x", max_tokens=30).given(pgen.Regex("[a-z]{20}")))
    assert sampled.label == "consistent"
    assert "chosen automatically" in sampled.notes[-1]


def test_free_texts_are_drawn_one_by_one_and_not_from_each_other():
    letters = [bytes([i]) for i in range(65, 91)]
    vocabulary = pgen.Vocabulary([*letters, b""], eos=26)
    lm = pgen.backends.tabular.TabularAR(vocabulary, lambda tokens: np.log([*[0.9 / 26] * 26, 0.1]))
    drawn = lm.text("", max_tokens=40).sample(seed=0, n=64)
    longer = [text for text in drawn if len(text) > 4]
    assert len(longer) > 20
    assert len(set(longer)) == len(longer)


def test_one_text_that_is_weighed_is_drawn_from_the_posterior():
    vocabulary = pgen.Vocabulary([b"a", b"b", b""], eos=2)
    lm = pgen.backends.tabular.TabularAR(vocabulary, lambda tokens: np.log([0.05, 0.75, 0.2]))
    text = lm.text("", max_tokens=1, end="eos")
    # The model says "b" three times in four; as weighed, once in a thousand.
    weighed = text.weighted(lambda text: -8.0 if "b" in text else 0.0)
    assert [weighed.sample(seed=seed) for seed in range(40)].count("b") <= 2
    assert not weighed.is_free
    assert text.is_free
    assert not text.where(lambda text: True).is_free
    assert not (text * text).is_free
    assert not text.given("a").is_free
