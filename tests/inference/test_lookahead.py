"""What is likely to survive: starts of drafts, the end of the look-ahead, and warnings where nothing is known."""

import math

import numpy as np
import pytest

import pgen
from pgen.backends.tabular import TabularAR
from pgen.inference.context import Context
from pgen.inference.drafting.foresight import Foresight, Place
from pgen.testing.laws import check_proper_weights

LETTERS = [b"a", b"b", b"c", b"ab", b"bc", b""]
EOS = 5


def reluctant(seed=0, log_end=-9.0):
    """A model of `LETTERS` that seldom ends a text, at some places more seldom than at others."""

    def next_logprobs(tokens):
        draws = np.random.default_rng([seed, *tokens])
        logits = np.append(draws.normal(size=EOS), log_end + 2.0 * draws.normal())
        return logits - np.log(np.exp(logits).sum())

    return TabularAR(pgen.Vocabulary(LETTERS, eos=EOS), next_logprobs)


def masses(text):
    found = pgen.infer(text, method=pgen.Enumerate())
    return {str(x): p * math.exp(found.log_evidence) for x, p in found.probabilities().items()}


WORDS = pgen.choice("a", "abc", "bca", "cab", "cc", "aab")
METHODS = [
    pgen.Importance(1, lookahead=2),
    pgen.Importance(1, lookahead=9),
    pgen.Importance(2, lookahead=4),
    pgen.SMC(2, ess_threshold=1.0, resample="tokens", lookahead=2),
    pgen.SMC(2, ess_threshold=1.0, resample="tokens", lookahead=4),
]


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("seed", range(3))
def test_starts_by_survival_are_properly_weighted(method, seed):
    text = reluctant(seed).text("", end="eos").given(pgen.choice("ab", "b", "bcc"))
    check_proper_weights(lambda: pgen.sample("x", text), method, masses(text), tolerance=1e-13)


@pytest.mark.parametrize("lookahead", [1, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_starts_in_pieces_of_tokens_are_properly_weighted(lookahead, seed):
    """`a` is a piece of `ab` and `b` one of `bc`: starts there are drawn seldom and weigh the more."""
    text = reluctant(seed, log_end=-1.0).text("", end="eos").given(pgen.choice("ab", "bc", "cab"))
    process = Context().drafter(text).tree(text).process
    assert len(Foresight(process).after(Place(process.start, 0)).pieces) == 2
    method = pgen.Importance(1, lookahead=lookahead)
    check_proper_weights(lambda: pgen.sample("x", text), method, masses(text), tolerance=1e-13)


def test_the_share_that_ended_is_the_largest_of_all_expanded_prefixes():
    text = reluctant().text("", end="eos").given(WORDS)
    context = Context()
    tree = context.drafter(text).tree(text)
    assert tree.log_survival == 0.0, "nothing has ended yet"
    tree.expand(1000)
    words = [b"a", b"abc", b"bca", b"cab", b"cc", b"aab"]
    ended = [reluctant().next_logits([tokens])[0, EOS] for word in words for tokens in spellings(word)]
    assert tree.log_survival == pytest.approx(max(ended), abs=1e-12)
    assert tree.likely_explored == tree.explored == 1.0


def spellings(data):
    if not data:
        return [()]
    return [
        (i, *rest) for i in range(EOS) if data.startswith(LETTERS[i]) for rest in spellings(data[len(LETTERS[i]) :])
    ]


@pytest.mark.parametrize("method", [pgen.SMC(32), pgen.SMC(32, resample="tokens"), "auto"], ids=repr)
@pytest.mark.parametrize("seed", range(4))
def test_rare_ends_do_not_mislead(method, seed):
    """Fewer evaluations than there are prefixes, though a prefix weighs thousands of times what survives of it."""
    text = reluctant(seed, log_end=-12.0).text("", end="eos", max_tokens=4).given(pgen.Regex("(a|b|c){2,4}"))
    exact = pgen.infer(text, method=pgen.Enumerate(1e-9))
    found = pgen.infer(text, method=method, seed=seed)
    shares, expected = found.probabilities(), exact.probabilities()
    apart = sum(abs(shares.get(x, 0.0) - expected.get(x, 0.0)) for x in {*shares, *expected}) / 2
    assert abs(found.log_evidence - exact.log_evidence) < 0.5
    blind = pgen.infer(text, method=pgen.SMC(32, resample="tokens", lookahead=0), seed=seed)
    assert found.n_evaluations < exact.n_evaluations
    assert abs(found.log_evidence - exact.log_evidence) <= abs(blind.log_evidence - exact.log_evidence) + 0.2
    assert apart < 0.5


def test_the_look_ahead_ends_when_little_is_likely_to_be_missing():
    text = reluctant().text("", end="eos", max_tokens=4).given(pgen.Regex("(a|b|c){2,4}"))
    eager = pgen.infer(text, method=pgen.SMC(4, lookahead=1000)).n_evaluations
    exact = pgen.infer(text, method=pgen.Enumerate(1e-9)).n_evaluations
    assert eager < exact


def test_blind_runs_and_few_runs_are_told_apart_from_known_ones():
    text = reluctant().text("", end="eos").given(WORDS)
    assert "Warning" not in pgen.infer(text).diagnose()
    assert "Warning" not in pgen.infer(text, method=pgen.SMC(64)).diagnose()
    blind = pgen.infer(text, method=pgen.SMC(64, lookahead=0)).diagnose()
    assert "only 0 of the mass" in blind
    assert "Warning: few runs" in pgen.infer(text, method=pgen.SMC(4)).diagnose()
    free = reluctant(log_end=-1.0).text("", max_tokens=3)
    assert "only 0 of the mass" not in pgen.infer(free, method=pgen.Importance(64, lookahead=0)).diagnose()
