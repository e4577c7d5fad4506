"""Numbers between bounds: Python reads each accepted text as a number within them, and no value is left out."""

from __future__ import annotations

import json
import math
import random
import sys
from decimal import Decimal
from typing import Any

import jsonschema
import number_trees
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import pgen
from pgen.automata import acceptor
from pgen.automata.acceptor import accepts as matches
from pgen.automata.growth import cheapest_member
from pgen.automata.lengths import longest
from pgen.automata.nfa import fragment
from pgen.automata.reachability import trim
from pgen.automata.reversal import backwards
from pgen.language import ir
from pgen.language.json_schema import JSONSchema, numbers
from pgen.language.json_schema.numbers import MAX_DIGITS
from pgen.language.json_schema.shapes import NumberShape
from pgen.language.json_schema.spelling import spelled
from pgen.language.json_schema.values import is_valid
from pgen.testing import derivatives

BOUNDS = st.one_of(
    st.integers(-120, 120),
    st.integers(-(10**25), 10**25),
    st.sampled_from([0, 0.1, 0.3, -0.5, 1e-7, 1e16, 1e23, -1e300, 2**53 + 1, 1e-320, 9.99, 100.0]),
    st.floats(allow_nan=False, allow_infinity=False),
)
NUMBERS = st.one_of(BOUNDS, st.floats(-1e3, 1e3), st.floats(-1e-3, 1e-3), st.integers(-1000, 1000))
KINDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def schemas() -> st.SearchStrategy[dict[str, Any]]:
    bounds = st.dictionaries(st.sampled_from(KINDS), BOUNDS, min_size=1, max_size=2)
    return st.builds(lambda b, t: {**b, "type": t}, bounds, st.sampled_from(["integer", "number"])).filter(consistent)


def consistent(schema: dict[str, Any]) -> bool:
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    return bool(low < high) and (schema["type"] == "number" or high - low >= 2)


def accepts(schema: dict[str, Any], text: str) -> bool:
    return acceptor.accepts(JSONSchema(schema).node, text.encode())


@settings(max_examples=250)
@given(schemas(), NUMBERS)
def test_a_value_is_accepted_as_json_dumps_writes_it_iff_it_is_within_the_bounds(
    schema: dict[str, Any], number: float
) -> None:
    if schema["type"] == "integer" and (isinstance(number, float) and "e" in repr(number)):
        return
    text = json.dumps(number)
    assert accepts(schema, text) == is_valid(json.dumps(schema), True, text)


@settings(max_examples=150)
@given(schemas(), st.integers(-3, 3), st.integers(0, 3), st.data())
@example({"type": "number", "exclusiveMaximum": 100}, 0, 0, None)
def test_decimals_beside_a_bound_never_read_as_numbers_outside(
    schema: dict[str, Any], shift: int, extra: int, data: st.DataObject | None
) -> None:
    bound = next(value for name, value in schema.items() if name in KINDS)
    written = f"{Decimal(repr(bound)):f}"
    if len(written) > 40:
        return
    unit = Decimal(1).scaleb(-(len(written.partition(".")[2]) + extra))
    near = f"{Decimal(written) + shift * unit:f}"
    for text in (near, near + "0" * ("." in near), written.rstrip("0") + "9" * 18):
        if accepts(schema, text):
            assert is_valid(json.dumps(schema), True, text), text


@pytest.mark.parametrize("text", ["99.99999999999999", "1e-07", "0.5", "99", "0.0001", "1.5e-300", "5e-324"])
def test_open_bounds_reach_the_last_float(text: str) -> None:
    assert accepts({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100}, text)


@pytest.mark.parametrize("text", ["99.999999999999999", "100", "100.0", "0", "0.0", "-0.0", "1e-330", "-1", "1e+16"])
def test_open_bounds_exclude_what_rounds_to_them(text: str) -> None:
    assert not accepts({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100}, text)


def test_integers_are_exact_where_floats_are_not() -> None:
    schema = {"type": "integer", "minimum": 2**53 + 1, "maximum": 10**20}
    assert accepts(schema, str(2**53 + 1))
    assert not accepts(schema, str(2**53))
    assert not accepts(schema, f"{2**53 + 1}.0"), "this reads as 2**53"
    assert accepts(schema, f"{2**53 + 2}.0")
    assert not accepts({"type": "integer", "maximum": 1e23}, str(10**23)), "the float 1e23 is below 10**23"


@given(st.integers(-2000, 2000), st.integers(0, 3000), st.integers(-5000, 5000))
def test_integer_ranges(low: int, width: int, number: int) -> None:
    high = low + width
    node = numbers.number(NumberShape(True, Decimal(low), Decimal(high), plain=True))
    assert matches(node, str(number).encode()) == (low <= number <= high)
    assert matches(node, b"-0") == (low <= 0 <= high)
    assert not matches(node, f"0{abs(number)}".encode())


@pytest.mark.parametrize("text", ["-0", "1E5", "1e400", "0.10", "-12.5e-03", "9" * MAX_DIGITS])
def test_unbounded_numbers_in_any_spelling(text: str) -> None:
    assert accepts({"type": "number"}, text)


@pytest.mark.parametrize("text", ["", "-", "01", "1.", ".5", "+1", "1e", "NaN", "Infinity", "9" * (MAX_DIGITS + 1)])
def test_what_is_no_json_number(text: str) -> None:
    assert not accepts({"type": "number"}, text)


@pytest.mark.parametrize(
    ("step", "texts"),
    [
        (0.01, {"1": 1, "1.25": 1, "1.255": 0, "-0.1": 1, "1e-07": 0, "1.5e+16": 1}),
        (1, {"3": 1, "3.0": 1, "3.5": 0}),
    ],
)
def test_decimal_steps_are_held_by_the_mask(step: float, texts: dict[str, int]) -> None:
    language = JSONSchema({"type": "number", "multipleOf": step, "minimum": -5})
    assert language.residual == ()
    assert {text: int(matches(language.node, text.encode())) for text in texts} == texts


def test_steps_of_few_integers_are_listed() -> None:
    language = JSONSchema({"type": "integer", "multipleOf": 7, "minimum": -20, "maximum": 20})
    accepted = {n for n in range(-30, 31) if matches(language.node, str(n).encode())}
    assert (accepted, language.residual) == ({-14, -7, 0, 7, 14}, ())


def test_other_steps_are_residual_and_exact_in_decimals() -> None:
    language = JSONSchema({"type": "number", "multipleOf": 0.3})
    (fact,) = language.residual
    assert fact.pointer == "/multipleOf"
    assert [fact.holds(t) for t in ("0.9", "3.3", "0.30000000000000001", "1", "3e-1")] == [
        True,
        True,
        False,
        False,
        True,
    ]


def test_nodes_stay_small() -> None:
    schema = {"type": "number", "minimum": -1.2345678901234567e-5, "exclusiveMaximum": 7.1e18}
    assert ir.size(JSONSchema(schema).node) < 400
    assert ir.size(JSONSchema({"type": "number", "minimum": 0, "maximum": 100}).node) < 100


@pytest.mark.parametrize(
    "schema",
    [{"type": "integer"}, {"type": "integer", "minimum": 0}, {"type": "integer", "maximum": -1}, {"minimum": 0.5}]
    + [{"const": 0}, {"type": "integer", "minimum": -2, "maximum": 9, "multipleOf": 3}, {"exclusiveMinimum": 0}]
    + [{"type": "number", "maximum": 0}],
    ids=json.dumps,
)
def test_negative_zero_is_zero(schema: dict[str, Any]) -> None:
    language, validator = JSONSchema(schema), jsonschema.Draft202012Validator(schema)
    for text in ("-0", "-0.0", "0"):
        assert language.matches(text) == validator.is_valid(json.loads(text))


def random_bound(rng: random.Random) -> Decimal:
    texts = {
        "short": str(rng.randint(0, 1200)),
        "round": str(10 ** rng.randint(0, 20) - rng.randint(0, 1)),
        "decimal": f"{rng.uniform(0, 20):.{rng.randint(1, 3)}f}",
        "float": repr(rng.uniform(0, 20)),
        "power": f"{rng.uniform(1, 10)}e{rng.randint(-330, 310)}",
        "inexact": str(2 ** rng.randint(50, 70) + rng.randint(-2, 2)),
        "long": str(rng.randint(1, 10 ** rng.randint(1, 40))),
        "huge": str(rng.randint(10**299, 10 ** rng.randint(300, 312))),
        "last": rng.choice(["0", "1", "1e16", "1e-4", "9.5e-5", "5e-324", "4e-324", repr(sys.float_info.max)]),
        "nines": f"{rng.randint(0, 30)}.{'9' * rng.randint(1, 25)}",
        "zeros": f"{rng.randint(0, 3)}.{'0' * rng.randint(1, 22)}{rng.randint(0, 9)}",
    }
    return Decimal(rng.choice(["", "-"]) + rng.choice(list(texts.values())))


def random_shape(rng: random.Random) -> NumberShape:
    low, high = (random_bound(rng) if rng.random() < 0.7 else None for _ in "ab")
    if low is not None and rng.random() < 0.3:
        high = low if low.adjusted() > 5 else low + rng.randint(0, 3) * Decimal(1).scaleb(-rng.randint(0, 22))
    if low is not None and high is not None and low > high:
        low, high = high, low
    is_open = [bound is not None and rng.random() < 0.3 for bound in (low, high)]
    steps = rng.choice([(), (), (Decimal("0.01"),), (Decimal("0.1"), Decimal("0.001")), (Decimal(1),)])
    integer = rng.random() < 0.35
    return NumberShape(integer, low, high, *is_open, steps, plain=integer and rng.random() < 0.3)


@pytest.mark.parametrize("seed", range(100))
def test_graphs_have_the_numbers_of_trees(seed: int) -> None:
    """And every state is on a way, so that lengths, sizes and masks are what they are for trees."""
    rng = random.Random(seed)
    for _ in range(3):
        has_the_numbers_of_trees(random_shape(rng))


@pytest.mark.parametrize("bound", [2**53 + 1, 2**53 + 3, -(2**54) - 2, 10**17 + 9])
@pytest.mark.parametrize("integer", [False, True])
def test_integers_that_are_no_floats_bound_integers_alone(bound: int, integer: bool) -> None:
    has_the_numbers_of_trees(NumberShape(integer, low=Decimal(bound)))
    has_the_numbers_of_trees(NumberShape(integer, high=Decimal(bound)))
    has_the_numbers_of_trees(NumberShape(integer, Decimal(bound - 1), Decimal(bound)))
    has_the_numbers_of_trees(NumberShape(integer, Decimal(bound), Decimal(bound + 2)))


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_bounds_beside_the_largest_float(is_open: bool, more: int) -> None:
    """It is a little more than the shortest decimal that reads as it."""
    for largest in (int(Decimal(repr(sys.float_info.max))) + more, int(sys.float_info.max) + more):
        has_the_numbers_of_trees(NumberShape(low=Decimal(largest), low_open=is_open))
        has_the_numbers_of_trees(NumberShape(high=Decimal(-largest), high_open=is_open))
        has_the_numbers_of_trees(NumberShape(high=Decimal(largest), high_open=is_open))


def has_the_numbers_of_trees(shape: NumberShape) -> None:
    graph, tree = numbers.number(shape), number_trees.number(shape)
    assert acceptor.difference(graph, tree) is None, shape
    assert cheapest_member(graph, (1,) * 256) == cheapest_member(tree, (1,) * 256), shape
    if graph != ir.EMPTY:
        is_well_laid(graph, tree)


def is_well_laid(graph: ir.Node, tree: ir.Node) -> None:
    laid = fragment(graph)
    assert trim(laid).fragment.n_states == laid.n_states
    assert 0 not in laid.edges[:, 3] and 1 not in laid.edges[:, 0] and not {0, 1}.intersection(laid.jumps[:, 0])
    assert ir.size(graph) == 1 + len(laid.edges)
    assert longest(laid) == longest(trim(fragment(tree)).fragment)


@pytest.mark.parametrize("shape", [NumberShape(), NumberShape(True), NumberShape(True, plain=True)], ids=str)
def test_all_numbers_are_those_of_trees(shape: NumberShape) -> None:
    has_the_numbers_of_trees(shape)


@pytest.mark.parametrize("low", ["10", "3", "0.5", "-2"])
@pytest.mark.parametrize("other", ["3", "2.5", "1e16", "-1e-7"])
def test_intersections_of_numbers_have_the_larger_bound(low: str, other: str) -> None:
    shapes = [NumberShape(low=Decimal(bound)) for bound in (low, other)]
    joint = NumberShape(low=max(Decimal(low), Decimal(other)))
    assert acceptor.difference(ir.intersect(*map(numbers.number, shapes)), numbers.number(joint)) is None
    assert (
        acceptor.difference(ir.intersect(*map(ir.unpacked, map(numbers.number, shapes))), numbers.number(joint)) is None
    )


def test_numbers_in_other_operations() -> None:
    node = numbers.number(NumberShape(True, Decimal(7), Decimal(12)))
    texts = [str(n) + end for n in range(5, 15) for end in ("", ".0", ".", "0")]
    members = [text for text in texts if matches(node, text.encode())]
    assert members == [str(n) + end for n in range(7, 13) for end in ("", ".0")]
    assert [text for text in texts if derivatives.matches(node, text.encode())] == members
    assert [text for text in texts if matches(backwards(node), text[::-1].encode())] == members
    assert [text for text in texts if matches(spelled(node), text.encode())] == members
    assert matches(spelled(node), b"\\u0031\\u0032") and not matches(spelled(node, lean=True), b"\\u0031\\u0032")
    ended = pgen.until("8", pgen.Language(node, description="numbers"))
    assert [text for text in texts if ended.matches(text + "8")] == [text for text in members if "8" not in text]


@pytest.mark.parametrize("kind", ["integer", "number"])
def test_bounds_may_leave_one_number(kind):
    language = JSONSchema({"type": kind, "minimum": 5, "maximum": 5})
    assert matches(language.node, b"5") and not matches(language.node, b"6") and not matches(language.node, b"4.9")
