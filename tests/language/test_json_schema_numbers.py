"""Numbers between bounds: Python reads each accepted text as a number within them, and no value is left out."""

from __future__ import annotations

import json
import math
import random
from decimal import Decimal
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import pgen
from pgen.automata import acceptor
from pgen.automata.acceptor import accepts as matches
from pgen.automata.nfa import fragment
from pgen.automata.reachability import trim
from pgen.language import ir
from pgen.language.json_schema import JSONSchema, numbers
from pgen.language.json_schema.numbers import MAX_DIGITS, integers
from pgen.language.json_schema.values import is_valid

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
    node = integers(low, low + width)
    assert matches(node, str(number).encode()) == (low <= number <= low + width)
    assert not matches(node, b"-0")
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
    assert (
        size(JSONSchema({"type": "number", "minimum": -1.2345678901234567e-5, "exclusiveMaximum": 7.1e18}).node) < 1500
    )


def size(node: ir.Node) -> int:
    return 1 + sum(map(size, ir.children(node)))


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


@pytest.mark.parametrize("seed", range(20))
def test_long_bounds_are_graphs_with_the_same_numbers(seed, monkeypatch):
    """With graphs for bounds of any length: every state of the laid automaton leads on, and just the numbers are in."""
    monkeypatch.setattr(numbers, "MAX_SPELLED", 0)
    rng = random.Random(seed)
    low, high = sorted(
        rng.choice([rng.randint(0, 10 ** rng.randint(1, 4)), 10 ** rng.randint(0, 3), 999]) for _ in "ab"
    )
    node = numbers.integers(low, high)
    language = pgen.Language(node, description="integers")
    assert [n for n in range(1200) if language.matches(str(n))] == [n for n in range(1200) if low <= n <= high]
    assert not language.matches(f"0{high}") and language.matches(str(high)) and not language.matches(str(high + 1))
    laid = fragment(node)
    assert trim(laid).fragment.n_states == laid.n_states
