"""`pgen.map`: parts that advance together mean what they mean one after the other, in fewer model calls."""

import math
from collections import Counter

import pytest
from small_programs import MODEL, text

import pgen
from pgen import handlers
from pgen.backends.tabular import TabularAR
from pgen.programs.machine import Machine
from pgen.programs.trace import Entry
from pgen.testing.generative_laws import check_invariance
from pgen.testing.laws import check_batch_independence, check_proper_weights

METHODS = [
    pgen.Enumerate(),
    pgen.Importance(1, lookahead=0),
    pgen.Importance(1, lookahead=2),
    pgen.SMC(1, ess_threshold=1.0, resample="tokens", lookahead=0),
]


def part(prompt):
    word = pgen.sample("word", text(prompt, "a", "ab"))
    pgen.factor("bonus", 0.3 if word == "ab" else -0.2)
    if word == "a":
        pgen.sample("coin", pgen.categorical({"h": 0.5, "t": 0.5}))
    again = pgen.sample("again", text(word, "b", "ab")) if prompt else None
    return str(word), again and str(again)


def side_by_side():
    return tuple(pgen.map(part, ["", "a"], name="item"))


def in_turn():
    return tuple(part(prompt) for prompt in pgen.plate("item", ["", "a"]))


def masses(program):
    exact = pgen.infer(program, method=pgen.Enumerate())
    return {x: p * math.exp(exact.log_evidence) for x, p in exact.probabilities().items()}


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_the_measure_is_that_of_a_loop(method):
    target = masses(in_turn)
    assert check_proper_weights(side_by_side, method, target) < 1e-9


def test_equal_parts_of_one_run_stay_independent():
    """Strata are shared out between runs, never within one."""
    word = text("", "a", "ab")

    def twins():
        return tuple(map(str, pgen.map(lambda _: pgen.sample("x", word), range(2))))

    def loop():
        return tuple(str(pgen.sample(f"x{i}", word)) for i in range(2))

    for lookahead in (0, 4):
        assert check_proper_weights(twins, pgen.Importance(1, lookahead=lookahead), masses(loop)) < 1e-9
    assert check_proper_weights(twins, pgen.Importance(2, lookahead=4), masses(loop), max_paths=200_000) < 1e-9


def test_names_are_those_of_a_plate_and_choices_come_breadth_first():
    run = pgen.infer(side_by_side, method=pgen.Enumerate()).traces[0]
    loop = pgen.infer(in_turn, method=pgen.Enumerate())
    assert {a for trace in loop.traces for a in trace.values()} >= set(run.values())
    names = [entry.address for entry in run.entries()]
    assert names[:2] == ["item[0]/word", "item[1]/word"]


def test_results_do_not_depend_on_the_batch_size():
    check_batch_independence(side_by_side, pgen.SMC(9, lookahead=0))
    check_batch_independence(side_by_side, pgen.Importance(9))


def test_chains_leave_the_posterior_invariant():
    assert check_invariance(pgen.Generative(side_by_side), pgen.Regenerate("item[1]/word")) < 1e-9


class Counting(TabularAR):
    calls = 0

    def next_logits(self, prefixes):
        type(self).calls += 1
        return super().next_logits(prefixes)


def count_calls(combine):
    vocabulary = pgen.Vocabulary([b"a", b"b", b"<eos>"], eos=2)
    lm = Counting(vocabulary, lambda tokens: [math.log(0.5), math.log(0.4), math.log(0.1)])
    words = lm.text("").given(pgen.Regex("[ab]{6}"))
    Counting.calls = 0
    pgen.infer(lambda: combine(words), method=pgen.Importance(1, lookahead=0))
    return Counting.calls


def test_parts_share_model_calls():
    one = count_calls(lambda words: pgen.sample("x", words))
    assert count_calls(lambda words: [pgen.sample("x", words) for _ in pgen.plate("x", 8)]) == 8 * one
    assert count_calls(lambda words: pgen.map(lambda _: pgen.sample("x", words), range(8))) == one
    nested = count_calls(
        lambda words: pgen.map(lambda i: pgen.map(lambda j: pgen.sample("x", words), range(2), name="inner"), range(4))
    )
    assert nested == one


def test_parts_of_different_lengths_go_on_together():
    def chain(i):
        drawn = [pgen.sample(f"coin {k}", pgen.categorical([0.5, 0.5])) for k in range(i)]
        return sum(drawn)

    exact = pgen.infer(lambda: sum(pgen.map(chain, [0, 1, 2, 3])), method=pgen.Enumerate())
    for total, ways in Counter(bin(i).count("1") for i in range(64)).items():
        assert exact.probabilities()[total] == pytest.approx(ways / 64)


def test_handlers_outside_and_inside_see_every_part():
    def inner(i):
        with handlers.scope(prefix="in"):
            return pgen.sample("x", pgen.categorical([0.5, 0.5]))

    def program():
        return sum(pgen.map(inner, range(3)))

    fixed = handlers.condition(program, data={"map[0]/in/x": 1, "map[2]/in/x": 1})
    found = pgen.infer(fixed, method=pgen.Enumerate())
    assert found.probabilities() == pytest.approx({2: 0.5, 3: 0.5})
    assert found.log_evidence == pytest.approx(math.log(0.25))
    with handlers.trace() as sites:
        handlers.seed(program, 3)()
    assert list(sites) == ["map[0]/in/x", "map[1]/in/x", "map[2]/in/x"]


def test_powers_within_parts():
    def half(i):
        with handlers.scale(scale=0.5):
            return str(pgen.sample("word", text("", "a", "ab")))

    loop = masses(lambda: tuple(half(i) for i in pgen.plate("map", 2)))
    assert masses(lambda: tuple(pgen.map(half, range(2)))) == pytest.approx(loop)


def test_an_error_in_one_part_ends_the_others_and_comes_through():
    left = []

    def fragile(i):
        try:
            value = pgen.sample("x", pgen.categorical([0.5, 0.5]))
            if i == 1:
                raise ZeroDivisionError("mine")
            return value
        finally:
            left.append(i)

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        pgen.infer(lambda: pgen.map(fragile, range(3)), method=pgen.Importance(1))
    assert sorted(left) == [0, 1, 2]
    assert "raised inside the program" in caught.value.__notes__[0]


def test_a_part_that_dies_kills_the_run_and_leaves_nothing_behind():
    left = []

    def judged(i):
        try:
            pgen.condition("positive", pgen.sample("x", pgen.categorical([0.5, 0.5])) == 1)
        finally:
            left.append(i)

    found = pgen.infer(lambda: pgen.map(judged, range(3)), method=pgen.Enumerate())
    assert found.log_evidence == pytest.approx(3 * math.log(0.5))
    assert len(left) % 3 == 0


def test_siblings_are_told_and_runs_replay():
    machine = Machine(lambda: pgen.map(lambda i: pgen.sample("x", pgen.categorical([0.5, 0.5])), range(3)), (), {})
    start = machine.start()
    assert [effect.address for effect in start.siblings] == ["map[1]/x", "map[2]/x"]
    for value in (0, 1):
        second = machine.resume(start.trace.extend(Entry("map[0]/x", "sample", value)))
        assert [second.effect.address, *(e.address for e in second.siblings)] == ["map[1]/x", "map[2]/x"]
        third = machine.resume(second.trace.extend(Entry("map[1]/x", "sample", 1)))
        assert machine.resume(third.trace.extend(Entry("map[2]/x", "sample", 0))).value == [value, 1, 0]
    machine.close()


def test_no_items_and_a_part_without_choices():
    def program():
        pgen.map(lambda i: pgen.deterministic("seen", i), range(2))
        return pgen.map(len, []), pgen.map(len, ["abc", ""])

    found = pgen.infer(program, method=pgen.Enumerate())
    assert found.values == (([], [3, 0]),)
    assert found.traces[0].values() == {"map[0]/seen": 0, "map[1]/seen": 1}
    assert MODEL.vocabulary is not None


def test_a_critic_that_raises_in_a_part_names_text_and_addresses():
    def broken(text):
        if text == "ab":
            raise ValueError("no such word")
        return True

    word = text("", "a", "ab").where(broken)

    def program():
        return pgen.map(lambda _: pgen.sample("x", word), range(2))

    with pytest.raises(pgen.CriticError, match="no such word") as caught:
        pgen.infer(program, method=pgen.Importance(4, lookahead=0))
    assert caught.value.text == "ab"
    assert caught.value.address == "map[0]/x or map[1]/x"


def test_two_parts_may_not_share_a_global_name():
    def same(i):
        with handlers.block():
            pgen.sample("hidden", pgen.categorical([1.0]))
        return i

    assert pgen.infer(lambda: pgen.map(same, range(2)), method=pgen.Enumerate()).values == ([0, 1],)

    def twice():
        pgen.map(lambda i: pgen.sample("x", pgen.categorical([1.0])), range(1))
        pgen.map(lambda i: pgen.sample("x", pgen.categorical([1.0])), range(1))

    with pytest.raises(pgen.InvalidProgram, match="map\\[0\\]/x' is used twice"):
        pgen.infer(twice, method=pgen.Enumerate())
