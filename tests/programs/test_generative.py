"""simulate, generate, assess, update and regenerate: their weights by enumeration of what they draw."""

import math

import pytest
from cases import generated
from small_programs import COIN, PROGRAMS, branching, exact, in_turn, powered, support_shrinks, text

import pgen
from pgen.inference.runs import Run
from pgen.testing import generative_laws as laws

CASES = [case for case in generated(24, seed=5, max_tokens=2) if len(case.target) <= 4]


def named(values):
    return {
        "argvalues": values,
        "ids": [f"{i}-{getattr(v, 'name', getattr(v, '__name__', v))}" for i, v in enumerate(values)],
    }


@pytest.mark.parametrize("lookahead", [0, 8])
@pytest.mark.parametrize("program", **named(PROGRAMS))
def test_every_operation_has_its_exact_weight(program, lookahead):
    model = pgen.Generative(program, lookahead=lookahead)
    # A power of a text's mass needs the sum over its spellings, known to 1e-6.
    tolerance = 1e-6 if program is powered else 1e-9
    assert laws.check_simulate(model, exact(program), tolerance) < tolerance
    laws.check_assess(model)
    laws.check_generate(model)
    laws.check_update(model)
    laws.check_regenerate(model)


@pytest.mark.parametrize("lookahead", [0, 8])
@pytest.mark.parametrize("case", **named(CASES))
def test_simulated_runs_are_properly_weighted(case, lookahead):
    laws.check_simulate(pgen.Generative(case.program, lookahead=lookahead), case.target)


@pytest.mark.parametrize("case", **named(CASES[::3]))
def test_the_other_operations_on_generated_cases(case):
    model = pgen.Generative(case.program)
    laws.check_assess(model)
    laws.check_generate(model)
    laws.check_regenerate(model)


def test_assessing_a_run_needs_every_choice_and_no_other():
    model = pgen.Generative(support_shrinks)
    run, log_mass = model.assess({"low": 0, "high": 2})
    assert run.value == (0, 2)
    assert log_mass == pytest.approx(math.log(0.4 * 0.5))
    with pytest.raises(pgen.InvalidArgument, match="'high'"):
        model.assess({"low": 0})
    with pytest.raises(pgen.InvalidArgument, match="'hihg'"):
        model.assess({"low": 0, "high": 2, "hihg": 2})
    assert model.generate({"hihg": 2}).log_weight == -math.inf


def test_what_is_outside_the_support_has_no_mass():
    model = pgen.Generative(support_shrinks)
    for choices in ({"low": 3, "high": 2}, {"low": 1, "high": 1}):
        run, log_mass = model.assess(choices)
        assert log_mass == -math.inf
        assert run.dead
    assert pgen.Generative(in_turn).assess({"first": "ba", "second": "a"}).log_weight == -math.inf


def test_a_string_stands_for_the_tokenizers_spelling():
    program = lambda: pgen.sample("word", text("", "ab", "b"))  # noqa: E731
    _, log_mass = pgen.Generative(program).assess({"word": "ab"})
    assert log_mass == pytest.approx(text("", "ab", "b").log_prob("ab", tokenization="canonical"))
    _, listed = pgen.Generative(program, lookahead=20).assess({"word": "ab"})
    assert listed == pytest.approx(text("", "ab", "b").log_prob("ab"))


def test_updating_reports_what_it_replaced_and_dropped():
    model = pgen.Generative(branching)
    run, _ = model.generate({"coin": "h", "extra": 2, "word": "ab"})
    changed, _, discarded = model.update(run, {"coin": "t"})
    assert changed.value == ("t", "ab")
    assert discarded == {"coin": "h", "extra": 2}
    assert isinstance(changed, Run)
    back, _, gone = model.update(changed, {"coin": "h"}, seed=3)
    assert back.choices["extra"].is_drawn
    assert gone == {"coin": "t"}


def test_an_update_that_changes_nothing_weighs_nothing_and_asks_no_model():
    model = pgen.Generative(in_turn)
    run, _ = model.simulate(seed=4)
    before = model.runner.context.n_evaluations
    same, log_weight, discarded = model.update(run, {})
    assert (same.value, log_weight, discarded) == (run.value, 0.0, {})
    assert model.runner.context.n_evaluations == before


def test_regenerating_an_unknown_address_names_the_known_ones():
    model = pgen.Generative(support_shrinks)
    with pytest.raises(pgen.InvalidArgument, match=r"third.*low, high"):
        model.regenerate(model.generate({"low": 0, "high": 2}).run, ["third"])


def test_the_laws_find_wrong_weights():
    """The control: a model whose `update` or `regenerate` forgets a term does not pass."""

    class Forgetful(pgen.Generative):
        def update(self, run, choices, seed=0):
            updated = super().update(run, choices, seed)
            return updated._replace(log_weight=updated.log_weight + 0.01 * (updated.run.value != run.value))

        def regenerate(self, run, addresses, seed=0):
            return super().regenerate(run, addresses, seed)._replace(log_weight=0.0)

    with pytest.raises(AssertionError):
        laws.check_update(Forgetful(branching))
    with pytest.raises(AssertionError):
        laws.check_regenerate(Forgetful(in_turn))
    with pytest.raises(AssertionError):
        laws.check_simulate(pgen.Generative(in_turn), {**exact(in_turn), ("b", "a"): 0.5})


def test_draws_depend_on_the_seed_only():
    model = pgen.Generative(in_turn)
    first = [model.simulate(seed).run.value for seed in range(6)]
    assert first == [pgen.Generative(in_turn, batch_size=1).simulate(seed).run.value for seed in range(6)]
    assert len(set(first)) > 1


def test_the_trace_of_a_run_names_its_choices():
    run, _ = pgen.Generative(lambda: pgen.sample("x", COIN)).generate({"x": "t"})
    assert run.trace.choices() == {"x": "t"}
    assert repr(run.trace) == "Trace(sample 'x': 't')"
