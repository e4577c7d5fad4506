import math

import pytest

import pgen
from pgen.programs.effects import Observe, Sample
from pgen.programs.machine import Machine
from pgen.programs.trace import Entry, Trace

coin = pgen.categorical({"h": 0.5, "t": 0.5})


def machine(function, *args, **kwargs):
    return Machine(function, args, kwargs)


def answer(suspension, value, log_weight=0.0):
    kind = "sample" if isinstance(suspension.effect, Sample) else "observe"
    return suspension.trace.extend(Entry(suspension.effect.address, kind, value, log_weight))


def test_a_program_runs_from_choice_to_choice():
    def two():
        first = pgen.sample("first", coin)
        pgen.factor("bonus", -1.5)
        pgen.observe("seen", coin, "h")
        return first, pgen.deterministic("twice", first * 2)

    run = machine(two)
    at_first = run.start()
    assert isinstance(at_first.effect, Sample)
    at_seen = run.resume(answer(at_first, "t"))
    assert isinstance(at_seen.effect, Observe)
    end = run.resume(answer(at_seen, "h", math.log(0.5)))
    assert end.finished
    assert end.value == ("t", "tt")
    assert end.trace.values() == {"first": "t", "twice": "tt"}
    assert [entry.log_weight for entry in end.trace.entries()] == [0.0, -1.5, math.log(0.5), 0.0]


def test_a_trace_can_be_extended_twice_and_replays_without_asking_again():
    calls = []

    def three():
        names = [pgen.sample(f"coin{i}", coin) for i in range(3)]
        calls.append(names)
        return "".join(names)

    run = machine(three)
    start = run.start()
    middle = run.resume(answer(start, "h"))
    ends = [run.resume(answer(run.resume(answer(middle, value)), "t")) for value in "ht"]
    assert [end.value for end in ends] == ["hht", "htt"]
    assert len(calls) == 2


def test_a_failed_condition_kills_the_run_and_runs_its_finally_blocks():
    left = []

    def doomed():
        try:
            pgen.condition("never", False)
        finally:
            left.append(True)

    suspension = machine(doomed).start()
    assert suspension.dead
    assert left == [True]


def test_closing_ends_suspended_runs():
    left = []

    def waiting():
        try:
            pgen.sample("x", coin)
        finally:
            left.append(True)

    run = machine(waiting)
    run.start()
    run.close()
    assert left == [True]


def test_unnamed_sites_are_called_by_call_site_and_counter():
    def unnamed():
        return [pgen.sample(coin) for _ in range(2)]

    run = machine(unnamed)
    first = run.start()
    second = run.resume(answer(first, "h"))
    assert first.effect.address != second.effect.address
    assert first.effect.address.endswith("#1")
    assert second.effect.address.endswith("#2")


def test_a_plate_prefixes_the_names_inside():
    def plated():
        for word in pgen.plate("words", ["a", "b"]):
            pgen.sample("side", pgen.categorical({word: 1.0}))
        pgen.sample("after", coin)

    run = machine(plated)
    here, addresses = run.start(), []
    while here.effect is not None:
        addresses.append(here.effect.address)
        here = run.resume(answer(here, "h"))
    assert addresses == ["words[0]/side", "words[1]/side", "after"]


def test_programs_called_inside_programs_are_inlined():
    @pgen.program
    def inner(name):
        return pgen.sample(name, coin)

    @pgen.program
    def outer():
        return inner("a") + inner("b")

    posterior = pgen.infer(outer, method=pgen.Enumerate())
    assert posterior.probabilities() == pytest.approx({"hh": 0.25, "ht": 0.25, "th": 0.25, "tt": 0.25})


def test_duplicate_addresses_are_refused():
    def twice():
        pgen.sample("x", coin)
        pgen.sample("x", coin)

    run = machine(twice)
    with pytest.raises(pgen.InvalidProgram, match="'x' is used twice"):
        run.resume(answer(run.start(), "h"))


def test_a_program_that_does_not_repeat_itself_is_found_out():
    clock = iter(range(10))

    def unsteady():
        pgen.sample(f"tick{next(clock)}", coin)
        pgen.sample("end", coin)

    run = machine(unsteady)
    start = run.start()
    run.resume(answer(start, "h"))
    with pytest.raises(pgen.InvalidProgram, match=r"tick0.*tick1"):
        run.resume(answer(start, "t"))


def test_an_entry_for_another_site_is_refused():
    def one():
        pgen.sample("x", coin)

    run = machine(one)
    start = run.start()
    with pytest.raises(pgen.InvalidProgram, match="'y'"):
        run.resume(start.trace.extend(Entry("y", "sample", "h")))


def test_primitives_outside_a_run_say_what_to_do():
    with pytest.raises(pgen.InvalidProgram, match=r"pgen\.infer"):
        pgen.sample("x", coin)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_factors_that_are_not_weights_are_refused(number):
    with pytest.raises(pgen.InvalidArgument, match="'odd'"):
        machine(lambda: pgen.factor("odd", number)).start()


def test_conditions_need_a_truth_value():
    with pytest.raises(pgen.InvalidArgument, match="compare explicitly"):
        machine(lambda: pgen.condition("c", "yes")).start()


def test_errors_of_the_program_come_through():
    def broken():
        pgen.sample("x", coin)
        raise KeyError("mine")

    run = machine(broken)
    with pytest.raises(KeyError, match="mine"):
        run.resume(answer(run.start(), "h"))


def test_traces_share_their_past():
    root = Trace()
    stem = root.extend(Entry("a", "sample", 1))
    left, right = stem.extend(Entry("b", "sample", 2)), stem.extend(Entry("b", "sample", 3))
    assert left.parent is right.parent is stem
    assert (left.values(), right.values()) == ({"a": 1, "b": 2}, {"a": 1, "b": 3})
    assert left.n_choices == 2


def test_runs_whose_traces_nobody_holds_are_ended():
    left = []

    def waiting():
        try:
            pgen.sample("x", coin)
        finally:
            left.append(True)

    run = machine(waiting)
    kept, dropped = run.start(), run.start()
    assert left == []
    del dropped
    again = run.start()
    assert left == [True], "the one that was dropped, and no other"
    assert run.resume(answer(kept, "h")).finished
    assert run.resume(answer(again, "h")).finished
    run.close()
    assert left == [True] * 3


def test_replays_repeat_powers_and_parts_side_by_side():
    def part(name):
        with pgen.handlers.scale(scale=0.5):
            value = pgen.sample("value", coin)
        pgen.factor("bonus", -0.25)
        return name + pgen.deterministic("double", value * 2)

    def program():
        first = part("a")
        pgen.factor("between", -1.0)
        return first, *pgen.map(part, ["b", "c"]), pgen.sample("last", coin)

    def finish(suspension, values):
        for value in values:
            while not isinstance(suspension.effect, Sample):
                suspension = run.resume(answer(suspension, suspension.effect.value, math.log(0.5)))
            suspension = run.resume(answer(suspension, value))
        return suspension

    run = machine(program)
    once = finish(run.start(), "hth")
    ends = [finish(once, value) for value in "ht"]
    assert [end.value[3] for end in ends] == ["h", "t"]
    assert {end.value[:3] for end in ends} == {("ahh", "btt", "chh")}
    first, second = ([(e.address, e.kind, e.log_weight) for e in end.trace.entries()] for end in ends)
    assert first == second


@pytest.mark.parametrize("extra", ["factor", "deterministic"])
def test_a_statement_more_on_replay_is_found_out(extra):
    n_runs = []

    def program():
        n_runs.append(1)
        pgen.sample("x", coin)
        if len(n_runs) > 1:
            pgen.factor("new", -1.0) if extra == "factor" else pgen.deterministic("new", 1)
        return pgen.sample("y", coin)

    run = machine(program)
    at_y = run.resume(answer(run.start(), "h"))
    run.resume(answer(at_y, "h"))
    with pytest.raises(pgen.InvalidProgram, match=f"the run reached {extra} 'new'"):
        run.resume(answer(at_y, "t"))
