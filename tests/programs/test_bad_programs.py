"""Programs that break the rules, raise, or cannot hold: what went wrong, where, and with which texts."""

import math

import pytest
from small_programs import MODEL, text

import pgen
from pgen.programs.machine import Machine
from pgen.programs.trace import Entry
from pgen.testing.laws import check_proper_weights

METHODS = [pgen.Enumerate(), pgen.Importance(8), pgen.SMC(8), pgen.MCMC(steps=3, chains=2)]
coin = pgen.categorical({"h": 0.5, "t": 0.5})


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_an_error_in_the_program_says_after_which_statement_and_with_which_text(method):
    def broken():
        word = pgen.sample("word", text("", "ab", "b"))
        pgen.factor("bonus", 0.0)
        return {"ab": 1, "b": 2}[word + "!"]

    with pytest.raises(KeyError) as caught:
        pgen.infer(broken, method=method)
    (note,) = caught.value.__notes__
    assert "after factor 'bonus'" in note
    assert "'word' = 'ab'" in note or "'word' = 'b'" in note


def test_the_note_of_an_error_is_short_even_if_the_text_is_long():
    def broken():
        pgen.sample("x", pgen.categorical({"y" * 10_000: 1.0}))
        raise RuntimeError

    with pytest.raises(RuntimeError) as caught:
        pgen.infer(broken, method=pgen.Importance(1))
    assert len(caught.value.__notes__[0]) < 400
    assert "10002 characters" in caught.value.__notes__[0]


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_observing_outside_the_support_says_so(method):
    def impossible():
        pgen.sample("coin", coin)
        pgen.observe("seen", coin, "edge")

    with pytest.raises(pgen.ZeroEvidence, match=r"observe 'seen': the value 'edge' is outside the support"):
        pgen.infer(impossible, method=method)


def test_observing_a_text_outside_of_its_language_says_so():
    def impossible():
        pgen.observe("seen", text("", "ab", "b"), "ba")

    with pytest.raises(pgen.ZeroEvidence, match="'ba' is outside the support"):
        pgen.infer(impossible, method=pgen.Importance(2))


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_the_statement_that_killed_the_last_run_is_named(method):
    def doomed():
        pgen.sample("word", text("", "ab", "b"))
        pgen.condition("first fact", True)
        pgen.condition("second fact", False)
        pgen.condition("third fact", True)

    with pytest.raises(pgen.ZeroEvidence, match="factor 'second fact'"):
        pgen.infer(doomed, method=method)


class Wrong:
    """A distribution of a user's own whose density is not a number."""

    def __init__(self, number):
        self.number = number

    def sample(self, rng):
        return 1

    def log_prob(self, value):
        return self.number

    def support(self):
        return None


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_density_that_is_no_number_is_refused_with_its_address(number):
    with pytest.raises(pgen.InvalidProgram, match=f"observe 'seen'.*{number}"):
        pgen.infer(lambda: pgen.observe("seen", Wrong(number), 1), method=pgen.Importance(2))


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_factor_that_is_no_number_is_refused_with_its_address(number):
    with pytest.raises(pgen.InvalidArgument, match=f"factor 'bonus': the log weight is {number}"):
        pgen.infer(lambda: pgen.factor("bonus", number), method=pgen.Importance(2))


def test_a_factor_that_changes_on_replay_is_found_out():
    numbers = iter(range(10))

    def unsteady():
        pgen.factor("clock", -1.0 - next(numbers))
        pgen.sample("x", coin)
        pgen.sample("y", coin)

    machine = Machine(unsteady, (), {})
    start = machine.start()
    machine.resume(start.trace.extend(Entry("x", "sample", "h")))
    with pytest.raises(pgen.InvalidProgram, match="factor 'clock' was -1, then -2") as caught:
        machine.resume(start.trace.extend(Entry("x", "sample", "t")))
    assert "random numbers of its own" in caught.value.hint


def test_programs_that_keep_state_between_runs_are_found_out_under_inference():
    seen = []

    def unsteady():
        word = pgen.sample("word", coin)
        seen.append(word)
        return pgen.sample(f"again {len(seen)}", coin)

    with pytest.raises(pgen.InvalidProgram, match=r"did not repeat itself.*again"):
        pgen.infer(unsteady, method=pgen.Enumerate())


def test_two_programs_with_the_same_names_ask_for_a_scope():
    @pgen.program
    def inner():
        return pgen.sample("x", coin)

    with pytest.raises(pgen.InvalidProgram, match="'x' is used twice") as caught:
        pgen.infer(lambda: (inner(), inner()))
    assert "handlers.scope" in caught.value.hint


def test_released_runs_can_still_be_resumed():
    left = []

    def program():
        try:
            return pgen.sample("x", coin)
        finally:
            left.append(True)

    machine = Machine(program, (), {})
    start = machine.start()
    machine.release(start.trace)
    assert left == [True]
    assert machine.resume(start.trace.extend(Entry("x", "sample", "h"))).value == "h"


def test_an_unknown_tokenization_is_refused():
    with pytest.raises(pgen.InvalidArgument, match="tokenization"):
        pgen.infer(lambda: pgen.observe("x", text("", "a", "b"), "a", tokenization="some"))


def test_powers_are_properly_weighted_by_sampling_too():
    def program():
        with pgen.handlers.scale(scale=0.5):
            return str(pgen.sample("word", MODEL.text("", max_tokens=2, end="eos").given(pgen.choice("a", "ab"))))

    exact = pgen.infer(program, method=pgen.Enumerate())
    target = {x: share * math.exp(exact.log_evidence) for x, share in exact.probabilities().items()}
    check_proper_weights(program, pgen.Importance(1, lookahead=0), target, tolerance=1e-6)
