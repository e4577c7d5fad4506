"""Handlers in each other, in plates, maps and nested programs, against masses written out by hand."""

import itertools
import math

import pytest

import pgen
from pgen import handlers

COIN = {"h": 0.6, "t": 0.4}
BENT = {"h": {"h": 0.9, "t": 0.1}, "t": {"h": 0.2, "t": 0.8}}
BONUS = {"h": 0.3, "t": 0.0}


@pgen.program
def two():
    first = pgen.sample("first", pgen.categorical(COIN))
    second = pgen.sample("second", pgen.categorical(BENT[first]))
    pgen.observe("seen", pgen.categorical(BENT[second]), "h")
    pgen.factor("bonus", BONUS[second])
    return first + second


def by_hand(prior=1.0, evidence=1.0, first="ht", second="ht", do_first=None):
    """Masses with the choices raised to `prior` and the statements that weigh to `evidence`, over allowed values.

    With `do_first` the second coin follows that value, whatever the first one came to.
    """
    masses = {}
    for x, y in itertools.product(first, second):
        seen = x if do_first is None else do_first
        mass = (COIN[x] * BENT[seen][y]) ** prior * (BENT[y]["h"] * math.exp(BONUS[y])) ** evidence
        masses[seen + y] = masses.get(seen + y, 0.0) + mass
    return masses


def masses(program, method=pgen.Enumerate()):  # noqa: B008
    posterior = pgen.infer(program, method=method)
    return {value: share * math.exp(posterior.log_evidence) for value, share in posterior.probabilities().items()}


def scaled(fn=None, by=0.5):
    return handlers.scale(fn, scale=by)


def masked(fn=None):
    return handlers.mask(fn, mask=False)


def fixed(handler, **data):
    return lambda fn=None: handler(fn, data=data)


NESTED = {
    "a mask in a scale": (lambda: scaled(masked(two)), by_hand(prior=0.5, evidence=0.0)),
    "a scale in a mask": (lambda: masked(scaled(two)), by_hand(prior=0.5, evidence=0.0)),
    "scales multiply": (lambda: scaled(scaled(two, 0.5), 3.0), by_hand(prior=1.5, evidence=1.5)),
    "a fixed choice counts to its power": (
        lambda: scaled(handlers.condition(two, data={"first": "t"})),
        by_hand(prior=0.5, evidence=0.5, first="t"),
    ),
    "a power around a choice fixed outside": (
        lambda: handlers.substitute(scaled(two), data={"first": "t"}),
        by_hand(prior=0.5, evidence=0.5, first="t"),
    ),
    "a mask silences observations, not what is substituted": (
        lambda: masked(handlers.substitute(two, data={"first": "t"})),
        by_hand(evidence=0.0, first="t"),
    ),
    "a mask outside silences a condition made inside": (
        lambda: masked(handlers.condition(two, data={"first": "t"})),
        {value: mass / COIN["t"] for value, mass in by_hand(evidence=0.0, first="t").items()},
    ),
    "a condition outside of a mask weighs": (
        lambda: handlers.condition(masked(two), data={"first": "t"}),
        by_hand(evidence=0.0, first="t"),
    ),
    "the inner of two values counts": (
        lambda: handlers.substitute(handlers.substitute(two, data={"first": "t"}), data={"first": "h"}),
        by_hand(first="t"),
    ),
    "two conditions": (
        lambda: handlers.condition(handlers.condition(two, data={"first": "t"}), data={"second": "h"}),
        by_hand(first="t", second="h"),
    ),
    "an intervention on what is observed outside": (
        lambda: handlers.condition(handlers.do(two, data={"first": "h"}), data={"first": "t"}),
        by_hand(first="t", do_first="h"),
    ),
    "an intervention under a power": (
        lambda: scaled(handlers.do(two, data={"first": "h"})),
        by_hand(prior=0.5, evidence=0.5, do_first="h"),
    ),
    "a block keeps an outer value away": (
        lambda: handlers.condition(handlers.block(two, hide=["first"]), data={"first": "t", "second": "h"}),
        by_hand(second="h"),
    ),
    "a block does not keep an inner value away": (
        lambda: handlers.block(handlers.condition(two, data={"first": "t"})),
        by_hand(first="t"),
    ),
    "scopes put their names before each other's": (
        lambda: handlers.condition(
            handlers.scope(handlers.scope(two, prefix="in"), prefix="out"), data={"out/in/first": "t", "in/second": "t"}
        ),
        by_hand(first="t"),
    ),
    "a replay of one run in another scope": (
        lambda: handlers.scope(handlers.replay(two, trace={"first": "h", "second": "t"}), prefix="a"),
        by_hand(first="h", second="t"),
    ),
}
METHODS = [pgen.Enumerate(), pgen.StochasticBeam(16)]


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("name", NESTED)
def test_handlers_in_handlers(name, method):
    make, expected = NESTED[name]
    assert masses(make(), method) == pytest.approx(expected, rel=1e-9)


def in_a_plate(handled):
    def program():
        return tuple(handled() for _ in pgen.plate("part", 2))

    return program


def in_a_map(handled):
    return lambda: tuple(pgen.map(lambda _: handled(), [0, 1], name="part"))


def in_scopes(handled):
    @pgen.program
    def program():
        return handlers.scope(handled, prefix="part[0]")(), handlers.scope(handled, prefix="part[1]")()

    return program


def in_blocks_of_code(handled):
    def program():
        found = []
        for index in range(2):
            with handlers.scope(prefix=f"part[{index}]"):
                found.append(handled())
        return tuple(found)

    return program


@pytest.mark.parametrize("repeat", [in_a_plate, in_a_map, in_scopes, in_blocks_of_code])
@pytest.mark.parametrize("name", [name for name in NESTED if "scope" not in name])
def test_handlers_within_parts(name, repeat):
    make, expected = NESTED[name]
    pairs = {(x, y): a * b for (x, a), (y, b) in itertools.product(expected.items(), repeat=2)}
    assert masses(repeat(make())) == pytest.approx(pairs, rel=1e-9)


@pytest.mark.parametrize("repeat", [in_a_plate, in_a_map, in_scopes, in_blocks_of_code])
@pytest.mark.parametrize(
    ("handler", "evidence"), [(handlers.condition, True), (handlers.substitute, False)], ids=["condition", "substitute"]
)
def test_handlers_around_parts_reach_one_part_by_its_name(repeat, handler, evidence):
    handled = handler(repeat(two), data={"part[1]/first": "t"})
    pairs = {(x, y): a * b for (x, a), (y, b) in itertools.product(by_hand().items(), by_hand(first="t").items())}
    assert masses(handled) == pytest.approx(pairs, rel=1e-9)
    choices = pgen.infer(handled, method=pgen.Enumerate()).traces[0].choices()
    assert ("part[1]/first" in choices) is not evidence


@pytest.mark.parametrize("name", NESTED)
def test_operations_on_handled_programs_are_exact(name):
    """Their weights obey the laws of generative functions, whatever the nesting."""
    from pgen.testing import generative_laws

    make, expected = NESTED[name]
    assert generative_laws.check_simulate(pgen.Generative(make()), expected) < 1e-9
