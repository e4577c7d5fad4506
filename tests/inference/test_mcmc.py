"""Kernels by their full transition matrices, chains against exact posteriors, diagnostics against formulas."""

import math

import numpy as np
import pytest
from cases import VOCABULARIES, generated
from insertion_oracles import random_insertion
from small_programs import (
    MODEL,
    PROGRAMS,
    branching,
    exact,
    free,
    hidden,
    in_turn,
    more_texts,
    one_listed,
    powered,
    support_shrinks,
)

import pgen
from pgen.backends.tabular import TabularDiffusion
from pgen.inference.diagnostics.convergence import autocorrelation, effective_draws, split_rhat
from pgen.testing import generative_laws as laws
from pgen.testing.oracles import random_model

CASES = [case for case in generated(20, seed=6, max_tokens=2) if len(case.target) <= 3]


def named(values):
    return {
        "argvalues": values,
        "ids": [f"{i}-{getattr(v, 'name', getattr(v, '__name__', v))}" for i, v in enumerate(values)],
    }


def tolerance(program):
    """A power of a text's mass needs the sum over its spellings, known to 1e-6."""
    return 1e-6 if program is powered else 1e-9


def addresses(model):
    return sorted({address for run in laws.enumerate_runs(model).values() for address in run.choices})


@pytest.mark.parametrize("lookahead", [0, 8])
@pytest.mark.parametrize("program", **named(PROGRAMS))
def test_redrawing_one_choice_or_all_leaves_the_posterior_unchanged(program, lookahead):
    model = pgen.Generative(program, lookahead=lookahead)
    laws.check_invariance(model, pgen.Regenerate(), tolerance(program))
    laws.check_invariance(model, pgen.Regenerate(*addresses(model)), tolerance(program))


@pytest.mark.parametrize("case", **named(CASES))
def test_redrawing_leaves_generated_posteriors_unchanged(case):
    laws.check_invariance(pgen.Generative(case.program), pgen.Regenerate())


@pytest.mark.parametrize("length", [None, 1, 2])
@pytest.mark.parametrize("program", **named([branching, in_turn, powered, free, hidden, more_texts]))
def test_redrawing_a_span_leaves_the_posterior_unchanged(program, length):
    laws.check_invariance(pgen.Generative(program), pgen.RegenerateSpan(length=length), tolerance(program))
    laws.check_invariance(pgen.Generative(in_turn), pgen.RegenerateSpan("first", length))


@pytest.mark.parametrize("length", [None, 1])
def test_spans_move_between_texts(length):
    """Not only invariant: from any text of a language every other is reached, where lengths allow it."""
    language = pgen.Regex("[ab]{2}")
    model = pgen.Generative(lambda: str(pgen.sample("x", MODEL.text("", end="eos").given(language))))
    runs, matrix, _ = laws.transition_matrix(model, pgen.RegenerateSpan(length=length))
    texts = [run.choices["x"].value for run in runs]
    reached = np.linalg.matrix_power(matrix, 8) > 0
    same_length = np.array([[len(a.tokens) == len(b.tokens) for b in texts] for a in texts])
    assert (reached == (same_length if length else np.ones_like(reached))).all()


@pytest.mark.parametrize("program", **named([in_turn, support_shrinks]))
def test_gibbs_leaves_the_posterior_unchanged_and_draws_from_the_conditional(program):
    model = pgen.Generative(program, lookahead=20)
    laws.check_invariance(model, pgen.Gibbs())
    first = addresses(model)[0]
    runs, matrix, masses = laws.transition_matrix(model, pgen.Gibbs(first))
    for i, here in enumerate(runs):
        rest = {a: c.value for a, c in here.choices.items() if a != first}
        same = [all(r.choices[a].value == v for a, v in rest.items()) for r in runs]
        assert matrix[i] == pytest.approx(np.where(same, masses, 0.0) / masses[same].sum())


def test_texts_that_are_listed_for_some_runs_only():
    model = pgen.Generative(one_listed, lookahead=3)
    levels = {run.choices["word"].law.level for run in laws.enumerate_runs(model).values()}
    assert levels == {"listed", "spelled"}
    laws.check_invariance(model, pgen.Regenerate())
    laws.check_invariance(model, pgen.Regenerate("coin"))
    with pytest.raises(pgen.UnsupportedFeature, match="'word' can be listed"):
        laws.check_invariance(model, pgen.Gibbs("coin"))


def judged():
    """Critics whose proposal tests tokens one at a time, so that the weight of a draw is random."""
    coin = pgen.sample("coin", pgen.categorical({"a": 0.3, "": 0.7}))
    written = random_model(VOCABULARIES["letters"], 5).text(coin, max_tokens=1, end="eos")
    word = pgen.sample("word", written.where(lambda x: x != "b", proposal="awrs").weighted(lambda x: 0.3 * len(x)))
    return coin, str(word)


def inserted():
    coin = pgen.sample("coin", pgen.categorical({"a": 0.3, "": 0.7}))
    lm = random_insertion(VOCABULARIES["letters"], 3)
    word = pgen.sample("word", lm.text(coin, max_tokens=2).given(pgen.choice("a", "ab", "ba")))
    pgen.factor("long", 0.3 * len(word))
    return coin, str(word)


def denoised():
    power = pgen.sample("power", pgen.categorical({1: 0.3, 2: 0.7}))
    dlm = TabularDiffusion(VOCABULARIES["letters"], 2, random_marginals)
    word = pgen.sample("word", dlm.text("", length=2, steps=1).given(pgen.Regex("[ab]{1,2}")))
    pgen.factor("long", 0.3 * len(word) * power)
    return power, str(word)


def random_marginals(tokens):
    rows = np.full((len(tokens), 3), -np.inf)
    for place, token in enumerate(tokens):
        if token is None:
            seen = [0 if other is None else other + 1 for other in tokens]
            rows[place] = np.log(np.random.default_rng([7, place, *seen]).dirichlet(np.ones(3)))
        else:
            rows[place, token] = 0.0
    return rows


@pytest.mark.parametrize("program", **named([judged, inserted, denoised]))
def test_draws_with_random_weights_are_redrawn_with_these_weights(program):
    """Runs are told apart by the weights of their draws; summed over those, the masses are the program's."""
    runs, matrix, masses = laws.transition_matrix(pgen.Generative(program), pgen.Regenerate())
    assert {run.choices["word"].law.level for run in runs} == {"opaque"}
    assert masses @ matrix == pytest.approx(masses, abs=1e-9)
    summed = {}
    for run, mass in zip(runs, masses, strict=True):
        summed[run.value] = summed.get(run.value, 0.0) + mass
    assert summed == pytest.approx(exact(program), abs=1e-9)


def test_gibbs_refuses_what_it_cannot_try():
    with pytest.raises(pgen.InvalidProgram, match="'coin' decides"):
        pgen.infer(branching, method=pgen.MCMC(pgen.Gibbs("coin"), steps=5, starts=2))
    with pytest.raises(pgen.InvalidArgument, match="every value of 'word'"):
        pgen.infer(free, method=pgen.MCMC(pgen.Gibbs("word"), steps=5, starts=2))
    with pytest.raises(pgen.InvalidArgument, match="every value of 'x'"):
        pgen.infer(lambda: pgen.sample("x", pgen.normal(0, 1)), method=pgen.MCMC(pgen.Gibbs(), steps=5))


def test_a_wrong_kernel_is_found_out():
    """The control: a kernel that accepts everything, and one that forgets how many choices there are."""

    class Greedy(pgen.Regenerate):
        def step(self, runner, runs, rngs):
            moves = super().step(runner, runs, rngs)
            return [
                move._replace(run=run if run.choices["low"].value == 0 else move.run)
                for move, run in zip(moves, runs, strict=True)
            ]

    with pytest.raises(AssertionError, match="changes the mass"):
        laws.check_invariance(pgen.Generative(support_shrinks), Greedy())


@pytest.mark.parametrize(
    "kernel",
    [
        pgen.Regenerate(),
        [pgen.Regenerate("first"), pgen.Regenerate("second")],
        pgen.RegenerateSpan(),
        [pgen.Gibbs("first"), pgen.Regenerate()],
    ],
    ids=repr,
)
def test_chains_come_to_the_posterior(kernel):
    lookahead = 0 if isinstance(kernel, pgen.RegenerateSpan) else 20
    posterior = pgen.infer(in_turn, method=pgen.MCMC(kernel, steps=125, lookahead=lookahead), seed=1)
    target = exact(in_turn)
    total = sum(target.values())
    for value, mass in target.items():
        error = abs(posterior.probabilities().get(value, 0.0) - mass / total)
        assert error < 4 * math.sqrt(0.25 / posterior.ess)
    assert posterior.label == "consistent"
    assert math.isnan(posterior.log_evidence)
    assert len(posterior.values) == 500


def test_continuous_choices_move_too():
    def program():
        mean = pgen.sample("mean", pgen.normal(0.0, 1.0))
        pgen.observe("seen", pgen.normal(mean, 0.5), 1.0)
        return mean

    posterior = pgen.infer(program, method=pgen.MCMC(steps=80), seed=2)
    assert posterior.expectation(lambda mean: mean) == pytest.approx(0.8, abs=0.2)
    assert posterior.split_rhat(lambda mean: mean) < 1.2


@pytest.mark.parametrize("kernel", [pgen.Regenerate(), pgen.RegenerateSpan()], ids=repr)
def test_chains_do_not_depend_on_the_batch_size_or_on_each_other(kernel):
    def states(chains, batch_size):
        method = pgen.MCMC(kernel, steps=10, chains=chains, lookahead=0)
        return pgen.infer(in_turn, method=method, seed=3, batch_size=batch_size).values

    assert states(4, 1) == states(4, 7) == states(4, 64)
    assert states(4, 64)[:20] == states(2, 64)


def test_without_mass_the_statement_that_kills_is_named():
    def impossible():
        pgen.sample("coin", pgen.bernoulli(0.5))
        pgen.condition("never", False)

    with pytest.raises(pgen.ZeroEvidence, match="'never'"):
        pgen.infer(impossible, method=pgen.MCMC(steps=5))


def test_a_program_without_choices_stays_where_it_is():
    posterior = pgen.infer(lambda: 5, method=pgen.MCMC(steps=5))
    assert posterior.probabilities() == {5: pytest.approx(1.0)}


def test_an_address_that_no_run_has_is_reported():
    posterior = pgen.infer(support_shrinks, method=pgen.MCMC(pgen.Regenerate("low", "hihg"), steps=5, starts=2))
    assert "no run has a choice hihg" in posterior.diagnose()


def test_an_interrupt_keeps_the_states_so_far():
    calls = []

    class Interrupting(pgen.Regenerate):
        def step(self, runner, runs, rngs):
            calls.append(None)
            if len(calls) == 30:
                raise KeyboardInterrupt
            return super().step(runner, runs, rngs)

    posterior = pgen.infer(in_turn, method=pgen.MCMC(Interrupting(), steps=100, warmup=9, chains=2))
    assert len(posterior.values) == 2 * (29 - 29 * 9 // 109)
    assert "interrupted after 29 of 109 steps" in posterior.diagnose()
    calls[:] = [None] * 29
    with pytest.raises(KeyboardInterrupt):
        pgen.infer(in_turn, method=pgen.MCMC(Interrupting(), steps=100))


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"chains": 0}, {"warmup": -1}, {"kernel": []}, {"kernel": "mh"}, {"kernel": 3}]
)
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(pgen.InvalidArgument):
        pgen.MCMC(**options)
    with pytest.raises(pgen.InvalidArgument):
        pgen.RegenerateSpan(length=0)


def test_a_span_needs_a_text_of_tokens():
    with pytest.raises(pgen.InvalidArgument, match="lookahead=0"):
        pgen.infer(in_turn, method=pgen.MCMC(pgen.RegenerateSpan(), steps=5, lookahead=50))


def test_split_rhat_is_its_formula():
    series = np.array([[1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 6.0, 5.0]])
    halves = np.array([[1, 2], [2, 2], [3, 4], [6, 5]], float)
    within = halves.var(axis=1, ddof=1).mean()
    between = 2 * halves.mean(axis=1).var(ddof=1)
    assert split_rhat(series) == pytest.approx(math.sqrt((within / 2 + between / 2) / within))
    assert split_rhat(np.ones((2, 10))) == 1.0
    assert split_rhat(np.array([[0.0] * 6, [1.0] * 6])) == math.inf
    assert math.isnan(split_rhat(np.ones((2, 3))))


def test_a_chain_with_known_memory_has_its_autocorrelation_and_effective_size():
    generator, memory = np.random.default_rng(0), 0.8
    series = np.zeros((4, 20_000))
    for step in range(1, series.shape[1]):
        series[:, step] = memory * series[:, step - 1] + generator.normal(size=4)
    assert autocorrelation(series[:, :5000], 3) == pytest.approx([1.0, 0.8, 0.64, 0.512], abs=0.03)
    expected = series[:, :5000].size * (1 - memory) / (1 + memory)
    assert effective_draws(series[:, :5000]) == pytest.approx(expected, rel=0.15)
    assert effective_draws(np.ones((3, 50))) == 3.0


def test_chains_that_disagree_are_told_so():
    def two_islands():
        left = pgen.sample("left", pgen.bernoulli(0.5))
        right = pgen.sample("right", pgen.bernoulli(0.5))
        pgen.condition("equal", left == right)
        return left

    stuck = pgen.infer(two_islands, method=pgen.MCMC(steps=20), seed=0)
    assert stuck.rhat == math.inf
    assert "chains disagree" in stuck.diagnose()
    together = pgen.infer(two_islands, method=pgen.MCMC(pgen.Regenerate("left", "right"), steps=200), seed=0)
    assert together.rhat < 1.1
    assert "accepted moves" in together.diagnose()
