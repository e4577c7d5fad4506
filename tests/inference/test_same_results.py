"""A seed names one result, whatever the batch size, the process and the order; moving particles copies nothing."""

import copy
import hashlib
import subprocess
import sys

import numpy as np
import pytest

import pgen
from pgen.backends.tabular import TabularAR
from pgen.inference.context import Context
from pgen.inference.infer import run
from pgen.sampling.rng import CounterRng, uniforms
from pgen.testing.laws import check_batch_independence

METHODS = {
    "Importance": pgen.Importance(9),
    "SMC, choices": pgen.SMC(9, ess_threshold=1.0),
    "SMC, tokens": pgen.SMC(9, ess_threshold=1.0, resample="tokens", lookahead=0),
    "SMC, tokens, look-ahead": pgen.SMC(9, ess_threshold=1.0, resample="tokens", lookahead=4),
}


def model():
    """Next tokens that depend on the last two."""
    logits = np.random.default_rng(0).normal(size=(5, 5, 5))
    rows = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return TabularAR(
        pgen.Vocabulary([b"a", b"b", b"c", b"d", b""], eos=4),
        lambda tokens: rows[(4, 4, *tokens)[-2], (4, 4, *tokens)[-1]],
    )


def two_words(lm):
    def program():
        first = pgen.sample("first", lm.text("", end="eos").given(pgen.Regex("[ab]{1,3}[cd]")))
        coin = pgen.sample("coin", pgen.bernoulli(0.3))
        pgen.factor("longer", 0.5 * len(first))
        second = pgen.sample("second", lm.text(first, end="match").given(pgen.Regex("[a-d]{2,5}")))
        return first, coin, second

    return program


def fingerprint(name):
    """Values and weights of one run, to the last bit."""
    found = pgen.infer(two_words(model()), method=METHODS[name], seed=5)
    data = repr(found.values).encode() + found.log_weights.tobytes() + np.float64(found.log_evidence).tobytes()
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("name", METHODS)
def test_batch_size_changes_nothing(name):
    check_batch_independence(two_words(model()), METHODS[name], seed=3, batch_sizes=(1, 7, 64))


def test_a_restart_changes_nothing():
    code = f"import sys; sys.path.insert(0, {__file__!r}.rpartition('/')[0])\n"
    code += "from test_same_results import METHODS, fingerprint\nprint(*map(fingerprint, METHODS))"
    started = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert started.stdout.split() == [fingerprint(name) for name in METHODS]


def test_the_real_model_gives_the_same_tokens_in_any_batch():
    lm = pgen.load("smollm2")
    text = lm.text("Date: ", end="match").given(pgen.Regex(r"\d{3}"))
    method = pgen.SMC(5, ess_threshold=1.0, resample="tokens", lookahead=2)
    first, *others = (pgen.infer(text, method=method, seed=2, batch_size=size) for size in (1, 3, 64))
    for other in others:
        assert [value.tokens for value in other.values] == [value.tokens for value in first.values]
        assert other.log_weights == pytest.approx(first.log_weights, abs=1e-4)
        assert other.log_evidence == pytest.approx(first.log_evidence, abs=1e-4)


def test_numbers_of_many_streams_are_those_of_each():
    places = [(), (0,), (3,), (2**44, 7), (1, 2, 2**45), (5, 0, 0)]

    def streams():
        return [CounterRng(seed).at(*place) for seed in (0, 1, 2**63, 2**64 + 5) for place in places]

    together, apart = streams(), streams()
    assert uniforms(together, lambda i: None).tolist() == [stream.uniform() for stream in apart]
    assert [stream.uniform() for stream in together] == [stream.uniform() for stream in apart], "the second numbers"
    assert uniforms(together, lambda i: None).tolist() == [stream.uniform() for stream in apart], "the third"
    same = CounterRng(1)
    assert uniforms([same, same], lambda i: None).tolist() == [CounterRng(1).uniform(), _second(CounterRng(1))]


def _second(rng):
    rng.uniform()
    return rng.uniform()


def test_a_thousand_particles_cost_distinct_prefixes_and_copy_nothing(monkeypatch):
    lm, calls = model(), []
    original = lm.next_logits
    monkeypatch.setattr(lm, "next_logits", lambda prefixes: calls.append(len(prefixes)) or original(prefixes))
    monkeypatch.setattr(copy, "deepcopy", lambda *_: pytest.fail("deepcopy"))
    text = lm.text("", end="prefix").given(pgen.Regex("[ab][bc][ad]{4}"))
    method = pgen.SMC(1000, ess_threshold=1.0, resample="tokens", lookahead=0)
    context = Context(batch_size=1000)
    found = run(lambda: pgen.sample("x", text), (), {}, method, context, CounterRng(0))
    assert len(found.values) == 1000
    assert len(calls) == 6, "one call a token"
    assert sum(calls) <= sum([1, 2, 4, 8, 16, 32]), "prefixes that particles share are evaluated once"


def test_copies_of_a_program_are_replayed_without_the_model(monkeypatch):
    lm, prefixes = model(), []
    original = lm.next_logits
    monkeypatch.setattr(lm, "next_logits", lambda asked: prefixes.extend(asked) or original(asked))

    def program():
        words = []
        for i in range(4):
            words.append(pgen.sample(f"word {i}", lm.text("".join(words), end="prefix").given(pgen.Regex("[ab]"))))
            pgen.factor(f"weight {i}", 2.0 * (words[-1] == "a"))
        return "".join(words)

    pgen.infer(program, method=pgen.SMC(200, ess_threshold=1.0, lookahead=0), seed=1)
    assert len(prefixes) == len(set(prefixes)) <= 1 + 2 + 4 + 8
