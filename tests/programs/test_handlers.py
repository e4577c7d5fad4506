"""Handlers against programs written out by hand, and against sums over their choices."""

import math

import pytest
from cases import VOCABULARIES

import pgen
from pgen import handlers
from pgen.programs.effects import Sample
from pgen.testing.oracles import random_model, text_masses

coin = pgen.categorical({"h": 0.5, "t": 0.5})
bent = {"h": pgen.categorical({"h": 0.9, "t": 0.1}), "t": pgen.categorical({"h": 0.2, "t": 0.8})}
lm = random_model(VOCABULARIES["pieces"], seed=3)
words = lm.text("", max_tokens=3, end="eos").given(pgen.choice("a", "ab", "ba"))
MASSES = dict(text_masses(words, 3))


@pgen.program
def two():
    first = pgen.sample("first", coin)
    second = pgen.sample("second", bent[first])
    pgen.factor("bonus", 0.3 if second == "h" else 0.0)
    return first + second


def exact(program, *args):
    return pgen.infer(program, *args, method=pgen.Enumerate())


def masses(program, *args):
    """Return value -> unnormalised mass."""
    posterior = exact(program, *args)
    return {value: share * math.exp(posterior.log_evidence) for value, share in posterior.probabilities().items()}


TWO = {"hh": 0.45 * math.exp(0.3), "ht": 0.05, "th": 0.1 * math.exp(0.3), "tt": 0.4}


def test_the_programs_own_masses():
    assert masses(two) == pytest.approx(TWO)


@pytest.mark.parametrize("handler", [handlers.substitute, handlers.condition])
def test_substitute_and_condition_fix_a_value_and_weigh_it(handler):
    fixed = handler(two, data={"second": "h"})
    assert masses(fixed) == pytest.approx({"hh": TWO["hh"], "th": TWO["th"]})


def test_substitute_keeps_a_latent_choice_and_condition_makes_it_evidence():
    substituted = exact(handlers.substitute(two, data={"second": "h"}))
    assert substituted.marginal("second") == {"h": pytest.approx(1.0)}
    conditioned = exact(handlers.condition(two, data={"second": "h"}))
    with pytest.raises(pgen.InvalidArgument, match="second"):
        conditioned.marginal("second")


def test_values_may_come_from_a_function():
    fixed = handlers.substitute(two, substitute_fn=lambda message: "t" if message.address == "first" else None)
    assert masses(fixed) == pytest.approx({"th": TWO["th"], "tt": TWO["tt"]})


def test_intervening_does_not_weigh_and_leaves_the_choice_itself_alone():
    intervened = exact(handlers.do(two, data={"second": "h"}))
    assert intervened.probabilities() == pytest.approx({"hh": 0.5, "th": 0.5})
    assert intervened.log_evidence == pytest.approx(0.3)
    assert intervened.marginal("second") == pytest.approx({"h": 0.55, "t": 0.45})


def test_seeing_is_not_doing():
    seen = exact(handlers.condition(two, data={"second": "h"})).marginal("first")
    done = exact(handlers.do(two, data={"second": "h"})).marginal("first")
    assert seen["h"] == pytest.approx(0.45 / 0.55)
    assert done["h"] == pytest.approx(0.5)


def test_a_counterfactual_conditions_on_what_happened_and_changes_it():
    """Had the first coin been tails, given that it was heads: the second follows the intervention."""

    def chain():
        noise = pgen.sample("noise", pgen.categorical({0: 0.3, 1: 0.7}))
        first = pgen.sample("first", pgen.categorical({0: 0.9, 1: 0.1} if noise else {0: 0.2, 1: 0.8}))
        return noise, first

    posterior = exact(handlers.condition(handlers.do(chain, data={"first": 0}), data={"first": 1}))
    seen = 0.3 * 0.8 + 0.7 * 0.1
    assert posterior.probabilities() == pytest.approx({(0, 0): 0.24 / seen, (1, 0): 0.07 / seen})


def test_replay_takes_choices_from_a_trace_a_record_or_values():
    posterior = exact(two)
    for recorded in (posterior.traces[0], {"first": "h", "second": "h"}):
        assert len(exact(handlers.replay(two, trace=recorded)).values) == 1
    sites = handlers.trace(handlers.seed(two, 5)).get_trace()
    again = exact(handlers.replay(two, trace=sites))
    assert again.values == (sites["first"].value + sites["second"].value,)
    partly = exact(handlers.replay(two, trace={"first": "t"}))
    assert set(partly.values) == {"th", "tt"}


def test_blocked_statements_have_no_name_but_happen():
    hidden = exact(handlers.block(two, hide=["first"]))
    assert masses(handlers.block(two)) == pytest.approx(TWO)
    assert set(hidden.traces[0].values()) == {"second"}
    exposed = exact(handlers.block(two, expose=["first"]))
    assert set(exposed.traces[0].values()) == {"first"}
    chosen = exact(handlers.block(two, hide_fn=lambda message: isinstance(message, Sample)))
    assert chosen.traces[0].values() == {}


def test_blocked_names_are_out_of_reach_and_may_repeat():
    untouched = handlers.substitute(handlers.block(two, hide=["first"]), data={"first": "h"})
    assert masses(untouched) == pytest.approx(TWO)

    def twice():
        return handlers.block(two)() + handlers.block(two)()

    found = masses(twice)
    assert found["hhtt"] == pytest.approx(TWO["hh"] * TWO["tt"])
    assert sum(found.values()) == pytest.approx(sum(TWO.values()) ** 2)


def test_scopes_prefix_names_and_the_inner_handler_sees_the_short_one():
    def both():
        left = handlers.scope(two, prefix="left")()
        return left + handlers.scope(two, prefix="right", divider=".")()

    assert set(exact(both).traces[0].values()) == {"left/first", "left/second", "right.first", "right.second"}
    outside = masses(handlers.substitute(both, data={"left/first": "h", "right.first": "t"}))
    inside = masses(handlers.scope(handlers.substitute(two, data={"first": "h"}), prefix="left"))
    assert set(outside) == {"hhth", "hhtt", "htth", "httt"}
    assert inside == pytest.approx({"hh": TWO["hh"], "ht": TWO["ht"]})


def test_masked_evidence_does_not_weigh():
    def weighed():
        first = pgen.sample("first", coin)
        pgen.observe("seen", bent[first], "h")
        pgen.condition("never", False)
        pgen.factor("bonus", 2.0)
        return first

    assert masses(handlers.mask(weighed, mask=False)) == pytest.approx({"h": 0.5, "t": 0.5})
    with pytest.raises(pgen.ZeroEvidence, match="never"):
        exact(handlers.mask(weighed, mask=True))


def test_scale_is_a_power_of_every_mass():
    def program():
        first = pgen.sample("first", coin)
        second = pgen.sample("second", bent[first])
        pgen.factor("bonus", 0.3 if second == "h" else 0.0)
        pgen.observe("seen", bent[second], "h")
        return first + second

    seen = {value: mass * math.exp(bent[value[1]].log_prob("h")) for value, mass in TWO.items()}
    assert masses(program) == pytest.approx(seen)
    powered = {value: mass**0.4 for value, mass in seen.items()}
    assert masses(handlers.scale(program, scale=0.4)) == pytest.approx(powered)
    assert masses(handlers.scale(handlers.scale(program, scale=0.8), scale=0.5)) == pytest.approx(powered)


def test_a_scaled_text_has_the_power_of_its_mass_over_all_spellings():
    def program():
        return pgen.sample("x", words)

    assert masses(program) == pytest.approx(MASSES)
    powered = {x: mass**0.5 for x, mass in MASSES.items()}
    assert masses(handlers.scale(program, scale=0.5)) == pytest.approx(powered, rel=1e-5)
    sampled = pgen.infer(handlers.scale(program, scale=0.5), method=pgen.Importance(1500, lookahead=0))
    total = sum(powered.values())
    assert sampled.probabilities() == pytest.approx({x: m / total for x, m in powered.items()}, abs=0.08)


def test_a_substituted_text_weighs_by_one_spelling_or_by_all():
    def program():
        return pgen.sample("x", words)

    every = masses(handlers.substitute(program, data={"x": "ab"}, tokenization="all"))
    own = masses(handlers.substitute(program, data={"x": "ab"}))
    assert every["ab"] == pytest.approx(MASSES["ab"], rel=1e-5)
    assert own["ab"] == pytest.approx(math.exp(words.log_prob("ab", tokenization="canonical")))
    assert own["ab"] < every["ab"]


def test_handlers_work_inside_of_running_programs():
    def program():
        with handlers.substitute(data={"first": "t"}), handlers.scope(prefix="inner"), handlers.trace() as sites:
            value = two()
        return value, tuple(sites)

    found = masses(program)
    assert set(found) == {(value, ("first", "second", "bonus")) for value in ("hh", "ht", "th", "tt")}

    def outside():
        with handlers.scope(prefix="inner"), handlers.substitute(data={"first": "t"}):
            return two()

    assert masses(outside) == pytest.approx({"th": TWO["th"], "tt": TWO["tt"]})


def test_handlers_leave_with_their_block_even_after_an_error():
    def program():
        try:
            with handlers.scope(prefix="a"):
                raise KeyError
        except KeyError:
            pass
        return pgen.sample("x", coin)

    assert set(exact(program).traces[0].values()) == {"x"}


def test_a_direct_run_draws_forwards_by_its_seed():
    def program():
        first = pgen.sample("first", coin)
        text = pgen.sample("text", words)
        pgen.observe("seen", coin, "h")
        return first, str(text)

    drawn = [handlers.seed(program, seed)() for seed in range(8)]
    assert drawn == [handlers.seed(program, seed)() for seed in range(8)]
    assert len(set(drawn)) > 1
    assert all(text in MASSES for _, text in drawn)
    sites = handlers.trace(handlers.seed(program, 3)).get_trace()
    assert [(name, site.kind) for name, site in sites.items()] == [
        ("first", "sample"),
        ("text", "sample"),
        ("seen", "observe"),
    ]
    assert (sites["first"].value, sites["text"].value) == drawn[3]


def test_direct_draws_follow_the_prior():
    heads = sum(handlers.seed(lambda: pgen.sample("x", bent["h"]), seed)() == "h" for seed in range(400))
    assert heads / 400 == pytest.approx(0.9, abs=0.05)


def test_direct_runs_nest_in_either_order_and_end():
    with handlers.trace() as sites, handlers.seed(rng_seed=0):
        value = two()
    assert sites["first"].value + sites["second"].value == value
    with handlers.seed(rng_seed=0):
        assert two() == value
    with pytest.raises(pgen.InvalidProgram, match=r"pgen\.infer"):
        two()
    with pytest.raises(pgen.InvalidProgram, match="needs a seed"):
        handlers.trace(two).get_trace()


def test_what_makes_no_sense_in_a_direct_run_is_refused():
    with pytest.raises(pgen.ZeroEvidence, match="'never'"):
        handlers.seed(lambda: pgen.condition("never", False), 0)()
    with pytest.raises(pgen.InvalidProgram, match="power"):
        handlers.seed(handlers.scale(two, scale=0.5), 0)()
    with pytest.raises(pgen.InvalidProgram, match="seed to pgen"):
        pgen.infer(handlers.seed(two, 0))


def test_an_inference_inside_a_direct_run_is_one_of_its_own():
    def program():
        return exact(two).log_evidence

    assert handlers.seed(program, 0)() == pytest.approx(math.log(sum(TWO.values())))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: handlers.substitute(two),
        lambda: handlers.seed(two),
        lambda: handlers.replay(two),
        lambda: handlers.scope(two),
        lambda: handlers.scale(two, scale=0.0),
        lambda: handlers.scale(two, scale=math.inf),
        lambda: handlers.block(two, hide=["a"], expose=["b"]),
        lambda: handlers.mask(mask=False)(),
        lambda: handlers.trace().get_trace(),
    ],
)
def test_wrong_uses_are_refused(wrong):
    with pytest.raises(pgen.InvalidArgument):
        wrong()


def test_map_is_a_plate_that_collects():
    def program():
        return "".join(pgen.map(lambda side: pgen.sample("coin", bent[side]), ["h", "t"], name="toss"))

    posterior = exact(program)
    assert set(posterior.traces[0].values()) == {"toss[0]/coin", "toss[1]/coin"}
    assert posterior.probabilities()["ht"] == pytest.approx(0.9 * 0.8)


def test_derived_names_stay_when_another_part_of_the_program_grows():
    def program(n):
        for _ in pgen.plate("noise", n):
            pgen.sample(coin)
        with handlers.scope(prefix="end"):
            return pgen.sample(coin)

    last = [list(exact(program, n).traces[0].values())[-1] for n in (1, 3)]
    assert last[0] == last[1]
    assert last[0].startswith("end/")


def test_leaving_a_plate_early_restores_names():
    def program():
        for _ in pgen.plate("parts", 3):
            pgen.sample("x", coin)
            break
        return pgen.sample("y", coin)

    assert set(exact(program).traces[0].values()) == {"parts[0]/x", "y"}
