"""ASAp against brute force: every random choice enumerated, then the estimates at convergence."""

import itertools
import math

import numpy as np
import pytest
from cases import generated

import pgen
from pgen.backends.tabular import TabularAR
from pgen.inference.context import Context
from pgen.inference.methods.asap import Trie
from pgen.inference.places import Places
from pgen.programs.machine import Machine
from pgen.sampling import CounterRng
from pgen.testing.laws import check_batch_independence, check_proper_weights

CASES = [case for case in generated(30, seed=11, max_tokens=2) if len(case.target) < 5]
MAX_PATHS = 60


def named(cases):
    return {"argvalues": cases, "ids": [f"{i}-{case.name}" for i, case in enumerate(cases)]}


@pytest.mark.parametrize("runs", [1, 2])
@pytest.mark.parametrize("case", **named(CASES[:11]))
def test_weights_are_proper_although_runs_learn_from_each_other(case, runs):
    try:
        check_proper_weights(case.program, pgen.ASAp(runs), case.target, max_paths=MAX_PATHS)
    except pgen.LimitExceeded:
        pytest.skip(f"more than {MAX_PATHS} paths")


@pytest.mark.parametrize("case", **named(CASES[:5]))
def test_the_weights_of_an_exhausted_trie_are_the_evidence_and_its_draws_the_posterior(case):
    trie = Trie(Places(Machine(case.program, (), {}), Context()))
    for number in range(100):
        trie.run(CounterRng(0).at(number))
    evidence = sum(case.target.values())
    assert trie._root is None or math.exp(trie._root.log_value) == pytest.approx(evidence, rel=0.06)
    late = [trie.run(CounterRng(0).at(number)) for number in range(100, 130)]
    # A beginning that no run has visited may still be drawn: hence nearly all, not all.
    settled = [abs(math.exp(run.log_weight) - evidence) < 0.05 * evidence for run in late]
    assert np.mean(settled) >= 0.9


def test_estimates_never_rise_under_a_constraint():
    text = rare_ending()
    trie = Trie(Places(Machine(lambda: pgen.sample("x", text), (), {}), Context()))
    values = [0.0]  # Nothing is known yet: every beginning may be grammatical.
    for number in range(60):
        trie.run(CounterRng(3).at(number))
        values.append(trie._root.log_value)
    assert all(after <= before + 1e-12 for before, after in itertools.pairwise(values))
    assert math.exp(values[-1]) == pytest.approx(0.406)
    assert values[-1] < values[0]


def rare_ending():
    """Local masking says "Paris" in 60% of the cases, the posterior in 1.5%."""
    vocabulary = pgen.Vocabulary([b"Par", b"is", b"Lon", b"don", b"<eos>"], eos=4)
    rows = {(): {0: 0.60, 2: 0.40}, (0,): {1: 0.01, 3: 0.99}, (2,): {3: 1.00}}

    def next_logprobs(tokens):
        row = rows.get(tokens, {4: 1.0})
        return [math.log(row[t]) if t in row else -math.inf for t in range(5)]

    return TabularAR(vocabulary, next_logprobs).text("").given(pgen.choice("Paris", "London"))


def test_it_needs_fewer_runs_than_importance_sampling_and_evaluates_each_prefix_once():
    text, exact = rare_ending(), 0.006 / 0.406
    adaptive = pgen.infer(text, method=pgen.ASAp(200), seed=1)
    assert adaptive.label == "consistent"
    assert adaptive.n_evaluations == 3
    plain = pgen.infer(text, method=pgen.Importance(200, lookahead=0), seed=1)
    assert adaptive.ess > 1.5 * plain.ess
    assert adaptive.probabilities()["Paris"] == pytest.approx(exact, abs=0.02)
    assert math.exp(adaptive.log_evidence) == pytest.approx(0.406, rel=0.05)


def test_infinite_choices_are_drawn_from_their_prior():
    def program():
        mean = pgen.sample("mean", pgen.normal(0.0, 1.0))
        kind = pgen.sample("kind", pgen.categorical({"a": 0.5, "b": 0.5}))
        pgen.factor("which", math.log(0.9 if kind == "a" else 0.1))
        return kind, mean > 0

    posterior = pgen.infer(program, method=pgen.ASAp(300), seed=0)
    assert math.exp(posterior.log_evidence) == pytest.approx(0.5, abs=0.08)
    assert sum(p for (kind, _), p in posterior.probabilities().items() if kind == "a") == pytest.approx(0.9, abs=0.04)


def test_results_do_not_depend_on_the_batch_size_and_a_budget_keeps_what_is_complete():
    check_batch_independence(CASES[0].program, pgen.ASAp(9))
    stopped = pgen.infer(rare_ending(), method=pgen.ASAp(10**6), budget=3)
    assert 1 <= len(stopped.values) < 10**6
    assert "budget" in stopped.diagnose()


def test_bad_input():
    with pytest.raises(pgen.InvalidArgument, match="runs=0"):
        pgen.ASAp(0)

    def impossible():
        x = pgen.sample("x", rare_ending())
        pgen.condition("never", x == "Rome")

    with pytest.raises(pgen.ZeroEvidence):
        pgen.infer(impossible, method=pgen.ASAp(20))
