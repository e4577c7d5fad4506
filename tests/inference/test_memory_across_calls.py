"""What a model has said is remembered from call to call: no prefix is evaluated twice, whatever the method."""

import pytest
from tiny_models import tiny_model, tiny_tokenizer

import pgen
from pgen.backends.autoregressive.transformers_model import TransformersModel

METHODS = [pgen.SMC(4), pgen.Importance(8), pgen.Enumerate(1e-3), pgen.MostLikely(), pgen.ASAp(4), pgen.Beam(4), "auto"]


@pytest.fixture
def model(monkeypatch):
    """A small model, and the prefixes that it has evaluated."""
    lm = TransformersModel(tiny_model("llama", seed=0), tiny_tokenizer(chat=False), name="tiny", cache_bytes=2**24)
    evaluated, inner = [], lm._evaluate
    monkeypatch.setattr(lm, "_evaluate", lambda asked: evaluated.extend(r.tokens for r in asked) or inner(asked))
    return lm, evaluated


def posed(lm, prompt="the"):
    return lm.text(prompt, end="eos", max_tokens=12).given(pgen.choice("cat", "car", "a dog", "the cat"))


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_the_same_question_asks_the_model_nothing_new(model, method):
    lm, evaluated = model
    first = pgen.infer(posed(lm), method=method, seed=1)
    n_evaluated = len(evaluated)
    assert len(set(evaluated)) == n_evaluated > 0
    again = pgen.infer(posed(lm), method=method, seed=1)
    assert len(evaluated) == n_evaluated
    assert again.probabilities() == first.probabilities()
    assert again.log_evidence == pytest.approx(first.log_evidence, nan_ok=True)
    assert again.n_evaluations == first.n_evaluations, "a result says what it takes, not what was remembered"


def test_other_methods_and_seeds_ask_about_new_prefixes_only(model):
    lm, evaluated = model
    for seed, method in enumerate(METHODS):
        pgen.infer(posed(lm), method=method, seed=seed)
        assert len(set(evaluated)) == len(evaluated)
    n_evaluated = len(evaluated)
    pgen.infer(posed(lm, "a"), method=pgen.SMC(4))
    assert len(evaluated) > n_evaluated, "another prompt, other prefixes"


def test_what_is_beyond_the_bound_is_evaluated_again(model):
    lm, evaluated = model
    lm._most_known = 3
    exact = pgen.infer(posed(lm), method=pgen.Enumerate(1e-3))
    n_evaluated = len(evaluated)
    again = pgen.infer(posed(lm), method=pgen.Enumerate(1e-3))
    assert n_evaluated < len(evaluated) <= 2 * n_evaluated
    assert again.probabilities() == pytest.approx(exact.probabilities(), abs=1e-5)
