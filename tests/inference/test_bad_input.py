"""Wrong input and bad luck: an error of pgen's own that says what, where and what to do, and nothing lost."""

import math

import numpy as np
import pytest
from byte_model import LOG_P, SIZE, byte_model

import pgen
from pgen.backends.tabular import TabularAR

METHODS = [pgen.Enumerate(), pgen.Importance(4), pgen.SMC(4), pgen.SMC(4, resample="tokens"), pgen.Masked(2), "auto"]


class Counting:
    """A model that counts the calls it gets, and does something on one of them."""

    def __init__(self, inner, at=None, action=None):
        self.inner, self.at, self.action, self.calls = inner, at, action, 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def next_logits(self, prefixes):
        self.calls += 1
        if self.calls == self.at:
            return self.action(self.inner.next_logits(prefixes))
        return self.inner.next_logits(prefixes)

    def text(self, *args, **kwargs):
        from pgen.backends.text_model import TextModel

        return TextModel.text(self, *args, **kwargs)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_an_empty_language_says_why_before_any_model_call(method):
    lm = Counting(byte_model())
    nothing = lm.text("x").given(pgen.Regex("a+") & pgen.Regex("b+"))
    with pytest.raises(pgen.InvalidLanguage, match=r"Regex\('a\+'\) & Regex\('b\+'\).* is empty") as caught:
        pgen.infer(nothing, method=method)
    assert caught.value.hint
    assert lm.calls == 0


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_too_few_tokens_for_the_shortest_member_are_found_before_any_model_call(method):
    lm = Counting(byte_model())
    short = lm.text("x", max_tokens=9).given(pgen.Regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    with pytest.raises(pgen.InvalidArgument, match="takes 10 tokens, but only 9 are allowed") as caught:
        pgen.infer(short, method=method)
    assert "10" in caught.value.hint
    assert lm.calls == 0


def test_a_prompt_longer_than_the_context_is_named_with_both_numbers():
    lm = byte_model(context_length=20)
    with pytest.raises(pgen.InvalidArgument, match=r"21.*20"):
        lm.text("x" * 21)


@pytest.mark.parametrize(
    "options", [{"max_tokens": 0}, {"max_tokens": -3}, {"temperature": 0.0}, {"temperature": math.nan}]
)
def test_numbers_out_of_range_are_refused(options):
    lm = byte_model()

    def run():
        return pgen.infer(lm.text("x", **options).given(pgen.choice("a", "b")))

    with pytest.raises(pgen.InvalidArgument):
        run()


@pytest.mark.parametrize("options", [{"end": "never"}, {"stop": ""}, {"end": "eos", "stop": "x"}])
def test_ends_that_mean_nothing_are_refused(options):
    with pytest.raises(pgen.InvalidArgument):
        byte_model().text("x", **options)


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_model_that_returns_no_numbers_is_named(method, wrong):
    def next_logprobs(tokens):
        return [wrong if len(tokens) == 2 else LOG_P] * SIZE

    lm = TabularAR(byte_model().vocabulary, next_logprobs)
    with pytest.raises(pgen.ModelError, match="tabular"):
        pgen.infer(lm.text("x", max_tokens=4), method=method)


@pytest.mark.parametrize("method", [m for m in METHODS if not isinstance(m, pgen.Masked)], ids=repr)
def test_when_every_run_is_dead_the_best_partial_texts_are_shown(method):
    def next_logprobs(tokens):
        row = np.full(SIZE, -math.inf)
        row[ord("a") if len(tokens) < 4 else ord("z")] = 0.0
        return row

    lm = TabularAR(byte_model().vocabulary, next_logprobs)
    with pytest.raises(pgen.ZeroEvidence) as caught:
        pgen.infer(lm.text("").given(pgen.Regex("a{8}")), method=method)
    if method != "auto" and not isinstance(method, pgen.Enumerate):
        assert "aaa" in "".join(caught.value.partials)
    assert caught.value.hint


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_an_interruption_leaves_everything_usable(method):
    def interrupt(logits):
        raise KeyboardInterrupt

    lm = Counting(byte_model(), at=2, action=interrupt)
    text = lm.text("x", max_tokens=5).given(pgen.Regex("[ab]{3}"))

    @pgen.program
    def two():
        return pgen.sample("first", text), pgen.sample("second", text)

    with pytest.raises(KeyboardInterrupt):
        pgen.infer(two, method=method)
    again = pgen.infer(two, method=method, seed=5)
    fresh = pgen.infer(two, method=method, seed=5)
    assert again.values == fresh.values


def test_effects_outside_a_run_and_duplicate_names_are_refused():
    text = byte_model().text("x").given(pgen.choice("a", "b"))
    with pytest.raises(pgen.InvalidProgram, match="infer"):
        pgen.sample("x", text)

    def twice():
        pgen.sample("x", text)
        pgen.sample("x", text)

    with pytest.raises(pgen.InvalidProgram, match="'x'"):
        pgen.infer(twice)


def test_an_error_in_the_program_comes_through_as_it_is():
    def broken():
        pgen.sample("x", byte_model().text("x").given(pgen.choice("a", "b")))
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        pgen.infer(broken)


@pytest.mark.parametrize("wrong", ["fast", 3, object()])
def test_something_that_is_no_method_is_refused(wrong):
    with pytest.raises(pgen.InvalidArgument, match="method"):
        pgen.infer(lambda: 1, method=wrong)
