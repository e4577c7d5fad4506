"""Schemas whose automata would explode: right answers in bounded time, or errors that name the keyword.

The oracle is `jsonschema`.
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgen
from pgen import JSONSchema

SCALARS: list[Any] = [None, True, False, 0, 1, -1, 0.5, 0.1, 2.0, "", "a", "b", "ab", [], {}]


def _objects(n: int) -> list[dict[str, Any]]:
    """Objects that a tag tells apart."""
    return [
        {"type": "object", "properties": {"tag": {"const": f"k{i}"}, f"p{i}": {"type": "string"}}, "required": ["tag"]}
        for i in range(n)
    ]


def _assert_agrees(language: JSONSchema, values: list[Any]) -> None:
    validator = jsonschema.Draft202012Validator(language.schema)
    for value in values:
        text = json.dumps(value, ensure_ascii=False)
        assert language.matches(text) == validator.is_valid(value), text


def _kept_by_mask(language: JSONSchema, values: list[Any]) -> None:
    """Whatever is valid is a member of what the mask allows."""
    for value in values:
        text = json.dumps(value, ensure_ascii=False)
        assert language.completable(text) or not language.matches(text)


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"pattern": "a.{30}$"}},
        {"type": "string", "not": {"pattern": "a.{30}$"}},
        {"type": "string", "pattern": r"\S.{30}$"},
        {"type": "string", "allOf": [{"pattern": f"a{i}"} for i in range(20)]},
        {"type": "string", "pattern": "^(a{1,1000}b?){1,1000}$"},
        {"allOf": [{"anyOf": [{"pattern": f"a{i}"}, {"pattern": f"b{i}"}]} for i in range(60)]},
    ],
    ids=["not", "not a string", "two readings", "twenty patterns", "nested counts", "sixty unions"],
)
def test_patterns_without_a_small_automaton_are_residual(schema: dict[str, Any]) -> None:
    language = JSONSchema(schema)
    assert language.residual
    everything = "".join(f"a{i}b{i}" for i in range(60))
    strings = ["", "a", "aaab", "a" * 31, "xa" + "b" * 30, "xa" + "b" * 31, " " + "b" * 30, " " * 31, everything]
    values = [*strings, everything[20:], everything[:-3], 1, None]
    _assert_agrees(language, values)
    _kept_by_mask(language, values)


def test_few_patterns_are_held_by_the_mask() -> None:
    language = JSONSchema({"type": "string", "allOf": [{"pattern": f"a{i}"} for i in range(5)]})
    assert language.residual == ()
    _assert_agrees(language, ["a0a1a2a3a4", "a4a3a2a1a0", "a0a1a2a3", "a0a1a2a3a4!", ""])


@pytest.mark.parametrize("more", [{}, {"additionalProperties": False}], ids=["open", "closed"])
def test_names_whose_patterns_no_small_automaton_tells_apart(more: dict[str, Any]) -> None:
    language = JSONSchema({"type": "object", "patternProperties": {"a.{20}$": {"type": "string"}}} | more)
    long = "a" + "b" * 20
    _assert_agrees(language, [{}, {long: "x"}, {long: 1}, {"b": 1}, {"x" + long: "x", long: "y"}, {long + "b": 1}])


def test_tagged_branches_of_one_of_are_told_apart() -> None:
    language = JSONSchema({"oneOf": [branch | {"additionalProperties": False} for branch in _objects(200)]})
    assert language.residual == ()
    _assert_agrees(language, [{"tag": "k7"}, {"tag": "k7", "p7": "x"}, {"tag": "k7", "p8": "x"}, {"tag": "k200"}, {}])


def test_branches_that_share_a_tag_are_not() -> None:
    branches = [*_objects(150), {"type": "object", "properties": {"tag": {"enum": ["x", "k3"]}}, "required": ["tag"]}]
    language = JSONSchema({"oneOf": branches})
    assert any(fact.description.startswith("oneOf") for fact in language.residual)
    _assert_agrees(language, [{"tag": "k3"}, {"tag": "k4"}, {"tag": "x"}])


@given(st.lists(st.sampled_from([*SCALARS, *range(3), "c"]), min_size=1, max_size=8, unique_by=json.dumps))
def test_complements_of_constants(values: list[Any]) -> None:
    schema = {"not": {"enum": values}}
    _assert_agrees(JSONSchema(schema), SCALARS)


def test_complement_of_many_constants() -> None:
    language = JSONSchema({"type": ["string", "integer"], "not": {"enum": [f"v{i}" for i in range(1500)] + [3, 5]}})
    assert language.residual == ()
    _assert_agrees(language, ["v", "v0", "v1499", "v1500", 2, 3, 4, 5, 6])


def test_a_chain_of_dependent_properties() -> None:
    needed = {f"p{i}": [f"p{i + 1}"] for i in range(150)}
    language = JSONSchema({"type": "object", "dependentRequired": needed})
    last = {f"p{i}": 1 for i in range(140, 151)}
    _assert_agrees(language, [{}, {"p150": 1}, last, {"p149": 1}, {**last, "p3": 1}, {"p0": 1, "p1": 1}])


@pytest.mark.parametrize("keyword", ["minItems", "minLength", "minProperties"])
def test_lower_bounds_that_no_text_reaches_are_named(keyword: str) -> None:
    schema = {"type": "object", "properties": {"a": {keyword: 10**9}}}
    with pytest.raises(pgen.LimitExceeded, match=rf"{keyword} 1,000,000,000 \(at /properties/a/{keyword}"):
        JSONSchema(schema)


def test_schemas_that_share_parts_deeply_are_compared_in_linear_time() -> None:
    definitions: dict[str, Any] = {"d0": {"type": "integer"}}
    for i in range(1, 25):
        inner = {"$ref": f"#/$defs/d{i - 1}"}
        definitions[f"d{i}"] = {"type": "object", "properties": {"a": inner, "b": inner}}
    schema = {"$ref": "#/$defs/d24", "$defs": definitions}
    one, same, other = JSONSchema(schema), JSONSchema(schema), JSONSchema(schema, property_order="any")
    assert one == same and one != other
    assert JSONSchema({"const": True}) != JSONSchema({"const": 1})


@pytest.mark.parametrize("whitespace", ["default", 2], ids=str)
def test_many_definitions_that_refer_to_each_other(whitespace: str | int) -> None:
    """However deep they lead into each other: here each definition is one step from four others."""
    count = 60 if whitespace == "default" else 8
    links = [{f"p{j}": {"$ref": f"#/$defs/d{(3 * i + j + 1) % count}"} for j in range(4)} for i in range(count)]
    definitions = {f"d{i}": {"type": "object", "properties": {"n": {"const": i}, **links[i]}} for i in range(count)}
    language = JSONSchema({"$ref": "#/$defs/d0", "$defs": definitions}, whitespace=whitespace)
    validator = jsonschema.Draft202012Validator(language.schema)
    for value in (
        {"p0": {"n": 1, "p3": {"n": 7}}},
        {"p0": {"n": 1, "p3": {"n": 8}}},
        {"n": 0, "p1": {"p0": {"p0": 1}}},
    ):
        indent = None if whitespace == "default" else 2
        assert language.matches(json.dumps(value, indent=indent)) == validator.is_valid(value)
