"""Stopping early: budgets of evaluations and seconds, and interrupts."""

import math
import time
from datetime import timedelta

import numpy as np
import pytest
from byte_model import byte_model
from cases import VOCABULARIES

import pgen
from pgen.backends.tabular import TabularAR
from pgen.testing.oracles import random_model

MODEL = random_model(VOCABULARIES["letters"], seed=21)


def lengths():
    """Texts of one to seven tokens, so that some runs finish long before others."""
    word = pgen.sample("word", MODEL.text("", max_tokens=7, end="eos").given(pgen.Regex("[ab]{1,7}")))
    return str(word)


def two_words():
    first = pgen.sample("first", MODEL.text("", max_tokens=2, end="eos").given(pgen.choice("a", "ab", "b")))
    return str(first), str(
        pgen.sample("second", MODEL.text(first, max_tokens=2, end="eos").given(pgen.choice("a", "ab")))
    )


class Interrupting(TabularAR):
    """A model that is interrupted at its n-th call."""

    def __init__(self, n, model):
        super().__init__(model.vocabulary, lambda tokens: model.next_logits([tokens])[0])
        self.n_left = n

    def next_logits(self, prefixes):
        self.n_left -= 1
        if self.n_left == 0:
            raise KeyboardInterrupt
        return super().next_logits(prefixes)


def test_a_budget_that_is_not_reached_changes_nothing():
    for method in (pgen.Importance(8), pgen.SMC(8), pgen.Enumerate(tol=0.1), pgen.MCMC(steps=5)):
        free = pgen.infer(two_words, method=method, seed=1)
        bounded = pgen.infer(two_words, method=method, seed=1, budget=100_000)
        assert free.values == bounded.values
        assert free.notes == bounded.notes


@pytest.mark.parametrize("budget", [40, 80, 200])
def test_the_automatic_method_keeps_to_its_budget_and_answers(budget):
    posterior = pgen.infer(lengths, budget=budget, seed=2)
    assert posterior.n_evaluations <= budget + 64
    assert posterior.label in ("consistent", "heuristic")
    assert len(posterior.values) >= 1


def test_groups_that_are_complete_when_the_budget_ends_are_proper():
    """Their mean evidence over seeds is that of the program (1, for all texts end in time or weigh nothing)."""
    exact = math.exp(pgen.infer(lengths, method=pgen.Enumerate(max_evaluations=10_000)).log_evidence)
    estimates = [math.exp(pgen.infer(lengths, budget=150, seed=seed).log_evidence) for seed in range(16)]
    assert sum(estimates) / 16 == pytest.approx(exact, rel=0.15)


@pytest.mark.parametrize(
    "method",
    [pgen.Importance(16, lookahead=0), pgen.SMC(16, lookahead=0, resample="tokens"), pgen.Masked(16)],
    ids=repr,
)
def test_unfinished_particles_count_as_dead_and_the_label_says_so(method):
    posterior = pgen.infer(lengths, method=method, budget=12, seed=3)
    assert posterior.label == "heuristic"
    assert any("the budget was spent" in note and "favours short texts" in note for note in posterior.notes)
    assert 0 < len(posterior.values) < 16


def test_an_enumeration_that_is_stopped_bounds_what_it_left_out():
    full = pgen.infer(two_words, method=pgen.Enumerate())
    partial = pgen.infer(two_words, method=pgen.Enumerate(), budget=full.n_evaluations - 2)
    assert partial.log_unexplored > -math.inf
    found, left = math.exp(partial.log_evidence), math.exp(partial.log_unexplored)
    assert found < math.exp(full.log_evidence) <= found + left
    assert "mass is in log_unexplored" in partial.diagnose()


def test_chains_and_rejection_keep_what_they_have():
    chains = pgen.infer(two_words, method=pgen.MCMC(steps=400, warmup=0, lookahead=0), budget=300)
    assert 0 < len(chains.values) < 1600
    assert "budget was spent after" in chains.notes[-1]
    drawn = pgen.infer(two_words, method=pgen.Rejection(500), budget=200)
    assert 2 <= len(drawn.values) < 500
    assert "the budget was spent" in drawn.notes
    exact = pgen.infer(two_words, method=pgen.Enumerate())
    assert drawn.log_evidence == pytest.approx(exact.log_evidence, abs=4 / math.sqrt(len(drawn.values)))


def test_replicates_that_are_complete_count_when_the_others_are_not():
    method = pgen.Replicated(pgen.Importance(4, lookahead=0), runs=8)
    full = pgen.infer(two_words, method=method, seed=1)
    stopped = pgen.infer(two_words, method=method, seed=1, budget=full.n_evaluations // 2)
    n_complete = len(stopped.log_evidences)
    assert 2 <= n_complete < 8
    assert stopped.log_evidences == full.log_evidences[:n_complete]
    assert stopped.log_evidence == pytest.approx(math.log(np.mean(np.exp(full.log_evidences[:n_complete]))))
    assert f"the budget was spent after {n_complete} of 8 replicates" in stopped.notes
    with pytest.raises(pgen.LimitExceeded, match="budget"):
        pgen.infer(two_words, method=method, budget=2)

    def program():
        return str(pgen.sample("x", lm.text("", max_tokens=7, end="eos").given(pgen.Regex("[ab]{1,7}"))))

    method = pgen.Replicated(pgen.Importance(4, lookahead=0), runs=3)
    lm = Interrupting(10**9, MODEL)
    pgen.infer(program, method=method)
    n_calls = 10**9 - lm.n_left
    for at in range(n_calls // 2, n_calls):
        lm = Interrupting(at, MODEL)
        interrupted = pgen.infer(program, method=method)
        assert any("interrupted after" in note for note in interrupted.notes)
        assert lm.n_left == 0, "no model is asked after the interrupt"


@pytest.mark.parametrize(
    "method", ["auto", pgen.Importance(4), pgen.SMC(4), pgen.Enumerate(), pgen.MCMC(steps=5)], ids=repr
)
def test_a_budget_too_small_for_one_run_is_an_error(method):
    with pytest.raises(pgen.LimitExceeded, match=r"budget was spent before|explored"):
        pgen.infer(byte_model().text("x").given(pgen.Regex("[ab]{30}")), method=method, budget=2)


@pytest.mark.parametrize("budget", [timedelta(seconds=1.0), pgen.Budget(seconds=1.0)], ids=repr)
def test_a_time_is_kept(budget):
    def slowly(tokens):
        time.sleep(0.01)
        return MODEL.next_logits([tokens])[0]

    def written(lm):
        return str(pgen.sample("x", lm.text("", max_tokens=12, end="eos")))

    pgen.infer(written, MODEL)  # a first run compiles kernels
    started = time.monotonic()
    posterior = pgen.infer(written, TabularAR(MODEL.vocabulary, slowly), budget=budget)
    assert time.monotonic() - started < 5.0
    assert posterior.n_evaluations < 200


@pytest.mark.parametrize(
    "method", [pgen.Importance(16, lookahead=0), pgen.SMC(16, lookahead=0, resample="tokens")], ids=repr
)
def test_an_interrupt_keeps_the_runs_that_are_complete(method):
    lm = Interrupting(5, MODEL)

    def program():
        return str(pgen.sample("x", lm.text("", max_tokens=7, end="eos").given(pgen.Regex("[ab]{1,7}"))))

    posterior = pgen.infer(program, method=method)
    assert 0 < len(posterior.values) < 16
    assert any("interrupted" in note for note in posterior.notes)


@pytest.mark.parametrize("wrong", [0, -5, 2.5, True, "10s"])
def test_budgets_that_mean_nothing_are_refused(wrong):
    with pytest.raises(pgen.InvalidArgument, match="budget"):
        pgen.infer(two_words, budget=wrong)
