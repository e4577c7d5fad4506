"""Who removed the mass, where runs died, which ancestors are left: against brute force and enumeration."""

import math
from dataclasses import replace

import pytest
from small_programs import MODEL, SMALL, text

import pgen
from pgen.inference.context import Context
from pgen.inference.diagnostics.accounts import ancestors
from pgen.inference.infer import run
from pgen.programs.trace import Entry, Trace
from pgen.testing.enumeration import enumerate_outcomes
from pgen.testing.oracles import text_masses

coin = pgen.categorical({"h": 0.25, "t": 0.75})


def evidential():
    """Every kind of statement, one of them on one branch only."""
    side = pgen.sample("side", coin)
    word = pgen.sample("word", text("", "ab", "b"))
    if side == "h":
        pgen.condition("right", word == "ab")
    pgen.factor("bonus", 0.7 if side == "t" else -0.3)
    pgen.observe("seen", pgen.bernoulli(0.2 if word == "b" else 0.9), True)
    return side, str(word)


def brute_force():
    """statement -> (mass before, mass after), with the text's masses from the oracle."""
    masses = text_masses(MODEL.text("", max_tokens=3, end="eos").given(pgen.choice("ab", "b")), 3)
    rows = {}

    def account(name, before, after):
        old = rows.get(name, (0.0, 0.0))
        rows[name] = old[0] + before, old[1] + after
        return after

    for side, p in (("h", 0.25), ("t", 0.75)):
        account("sample 'word'", p, 0.0)
        for word, mass in masses.items():
            here = account("sample 'word'", 0.0, p * mass)
            if side == "h":
                here = account("factor 'right'", here, here if word == "ab" else 0.0)
            here = account("factor 'bonus'", here, here * math.exp(0.7 if side == "t" else -0.3))
            account("observe 'seen'", here, here * (0.2 if word == "b" else 0.9))
    return rows


def test_enumeration_charges_each_statement_exactly():
    found = pgen.infer(evidential, method=pgen.Enumerate())
    expected = brute_force()
    assert {row.name for row in found.removals} == set(expected), "what changes nothing is not listed"
    for row in found.removals:
        before, after = expected[row.name]
        assert math.exp(row.log_before) == pytest.approx(before, abs=1e-12)
        assert math.exp(row.log_after) == pytest.approx(after, abs=1e-12)
        assert row.removed == pytest.approx(1 - after / before, abs=1e-9)


def test_sampled_runs_charge_each_statement_without_bias():
    """E[before] and E[after] over all random choices of the sampler are the masses."""
    method, means = pgen.Importance(1, lookahead=0), {}
    for probability, posterior in enumerate_outcomes(lambda rng: attempt(evidential, method, rng)):
        for row in posterior:
            old = means.get(row.name, (0.0, 0.0))
            after = math.exp(row.log_after)
            means[row.name] = old[0] + probability * math.exp(row.log_before), old[1] + probability * after
    expected = brute_force()
    assert means["factor 'right'"][1] == pytest.approx(expected["factor 'right'"][1], abs=1e-9)
    assert means["observe 'seen'"][1] == pytest.approx(expected["observe 'seen'"][1], abs=1e-9)
    assert means["factor 'bonus'"] == pytest.approx(expected["factor 'bonus'"], abs=1e-9)


def attempt(program, method, rng):
    from pgen.inference.diagnostics import accounts
    from pgen.inference.methods import importance
    from pgen.inference.particles import Population
    from pgen.programs.machine import Machine

    population = Population(Machine(program, (), {}), Context(), method.lookahead)
    state = importance.init(population, method.particles)
    while any(p.running for p in state.particles):
        state, _ = importance.step(rng, population, state)
    return accounts.charged(state.particles, complete=False)


def test_dead_runs_count_in_the_account_and_are_counted_by_statement():
    found = pgen.infer(evidential, method=pgen.Importance(200, lookahead=0), seed=1)
    rows = {row.name: row for row in found.removals}
    before, after = brute_force()["factor 'right'"]
    assert rows["factor 'right'"].removed == pytest.approx(1 - after / before, abs=0.12)
    deaths = dict(found.deaths)
    assert set(deaths) <= {"factor 'right'", "sample 'word'"}
    assert deaths["factor 'right'"] > 0
    assert found.n_dead == sum(deaths.values()) == 200 - len(found.values)
    assert f"{found.n_dead} of 200 runs died" in found.diagnose()


def test_runs_that_were_resampled_give_no_account():
    found = pgen.infer(evidential, method=pgen.SMC(50, ess_threshold=1.0, lookahead=0), seed=1)
    assert found.removals == ()


def test_the_statement_that_eats_the_mass_is_named():
    def rare():
        side = pgen.sample("side", pgen.categorical({"h": 0.01, "t": 0.99}))
        pgen.condition("heads", side == "h")

    assert "factor 'heads' left 0.01 of the mass before it" in pgen.infer(rare, method=pgen.Enumerate()).diagnose()


def test_ancestors_count_distinct_pasts():
    root = Trace().extend(Entry("f", "factor", None, -0.1))
    left, right = (root.extend(Entry("x", "sample", v)) for v in "ab")
    runs = [left.extend(Entry("y", "sample", v)) for v in "ab"] + [right.extend(Entry("y", "sample", "a"))]
    assert ancestors(runs) == (2, 3)
    assert ancestors([runs[0], runs[0]]) == (1, 1)
    assert ancestors([runs[0], right]) == (2,)


def test_resampling_leaves_fewer_ancestors_and_is_told():
    def sharpening():
        for i in range(6):
            pgen.factor(f"f{i}", 3.0 * pgen.sample(f"x{i}", pgen.categorical([0.5, 0.5])))
        return 0

    found = pgen.infer(sharpening, method=pgen.SMC(32, ess_threshold=1.0), seed=0)
    assert found.ancestors[0] < 16
    assert found.ancestors == tuple(sorted(found.ancestors))
    assert found.ancestors[0] == len(set(found.lineage))
    assert f"descendants of {found.ancestors[0]} of the runs that started" in found.diagnose()
    moved = replace(found, lineage=())
    assert f"descend from {found.ancestors[0]} at choice 1" in moved.diagnose()
    alone = pgen.infer(sharpening, method=pgen.Importance(32), seed=0)
    assert alone.ancestors == (32,) * 6
    assert alone.lineage == ()


def test_resampling_within_a_text_is_told():
    """Copies of a draft end in different texts: only the lineage shows that they had one beginning."""
    word = SMALL.text("", max_tokens=8, end="eos").weighted(lambda x: 3.0 * x.count("a"))
    found = pgen.infer(word, method=pgen.SMC(32, ess_threshold=1.0, resample="tokens", lookahead=0), seed=0)
    assert found.ancestors == (len(found.values),)
    assert len(set(found.lineage)) <= 8
    assert "descendants of" in found.diagnose()


def no_b(text):
    return "b" not in text


def prefers_short(text):
    return -0.5 * len(text)


@pytest.mark.parametrize("end", ["eos", "stop"])
def test_a_text_charges_its_languages_and_critics_in_turn(end):
    options = {"stop": "bb"} if end == "stop" else {"end": end}
    free = SMALL.text("", max_tokens=2, **options)
    first, second = pgen.Regex("[ab]{1,3}"), pgen.Regex("a.*")
    judged = free.given(first).where(no_b, at="word").given(second).weighted(prefers_short)
    report = pgen.mass_report(judged, method=pgen.Enumerate())
    one = text_masses(free.given(first), 2)
    two = text_masses(free.given(first & second), 2)
    three = {x: m for x, m in two.items() if no_b(x)}
    masses = [1.0, *(sum(m.values()) for m in (one, two, three))]
    masses.append(sum(m * math.exp(prefers_short(x)) for x, m in three.items()))
    assert [row.name for row in report] == [repr(first), repr(second), "no_b", "prefers_short"]
    for row, before, after in zip(report, masses, masses[1:], strict=False):
        assert math.exp(row.log_before) == pytest.approx(before, abs=1e-10)
        assert row.removed == pytest.approx(1 - after / before, abs=1e-10)
    evidence = pgen.infer(judged, method=pgen.Enumerate()).log_evidence
    assert report[-1].log_after == pytest.approx(evidence, abs=1e-10)


def test_a_text_report_ends_where_nothing_is_left():
    free = SMALL.text("", max_tokens=3, end="eos")
    report = pgen.mass_report(free.given(pgen.choice("a", "ab")).where(lambda text: False, at="text").weighted(len))
    assert [row.removed for row in report][-1] == 1.0
    assert len(report) == 2
    with pytest.raises(pgen.InvalidArgument, match="mass_report"):
        pgen.mass_report("text")


def test_when_all_die_the_error_counts_the_places():
    def doomed():
        side = pgen.sample("side", pgen.categorical({"h": 0.5, "t": 0.5}))
        pgen.condition("first" if side == "h" else "second", False)

    with pytest.raises(pgen.ZeroEvidence, match=r"died at factor '(first|second)' \(.* at factor .*, .* at factor"):
        run(doomed, (), {}, pgen.Importance(16), Context(), pgen.sampling.rng.CounterRng(0))
