"""Properties in any order: what the mask alone accepts is what is valid, for every sequence of members."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from pgen.automata.acceptor import accepts, shortest_bytes
from pgen.language.json_schema import JSONSchema
from pgen.tokens import Vocabulary

VALUES = {"a": "1", "b": '"x"', "c": "[]", "d": "true", "e": "null"}
SCHEMAS: dict[str, dict[str, Any]] = {
    "some required": {"required": ["b", "d"]},
    "all required": {"required": ["a", "b", "c", "d"]},
    "counted": {"required": ["c"], "minProperties": 2, "maxProperties": 3},
    "none": {"maxProperties": 0},
    "few": {"minProperties": 3},
}


def _schema(names: str, more: dict[str, Any]) -> dict[str, Any]:
    properties = {name: {"const": json.loads(VALUES[name])} for name in names}
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


@pytest.mark.parametrize("more", SCHEMAS.values(), ids=SCHEMAS)
def test_every_sequence_of_members(more: dict[str, Any]) -> None:
    schema = _schema("abcd", more)
    language = JSONSchema(schema, whitespace="compact", property_order="any")
    assert language.residual == ()
    low, high = schema.get("minProperties", 0), schema.get("maxProperties", 9)
    for size in range(6):
        for names in product("abcd", repeat=size):
            valid = len(set(names)) == size and set(more.get("required", ())) <= set(names) and low <= size <= high
            text = "{" + ",".join(f'"{name}":{VALUES[name]}' for name in names) + "}"
            assert accepts(language.node, text.encode()) == valid, text


def test_undeclared_members_among_them() -> None:
    schema = _schema("abcde", {"required": ["a", "e"], "additionalProperties": {"type": "integer"}})
    language = JSONSchema(schema, property_order="any")
    assert [fact.description for fact in language.residual] == ["no object has two properties of one name"]
    inside = ['{"z": 1, "e": null, "y": 2, "a": 1}', '{"e": null, "d": true, "c": [], "b": "x", "a": 1, "z": 0}']
    outside = ['{"z": 1, "e": null}', '{"a": 1, "e": null, "a": 1}', '{"a": 1, "e": null, "z": "x"}', "{}"]
    assert [text for text in inside if not language.matches(text)] == []
    assert [text for text in outside if accepts(language.node, text.encode())] == []
    assert not language.matches('{"z": 1, "e": null, "z": 2, "a": 1}')


def test_larger_objects_leave_a_residual() -> None:
    names = [f"p{i}" for i in range(7)]
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"} for name in names},
        "required": names,
        "additionalProperties": False,
    }
    language = JSONSchema(schema, property_order="any")
    assert [fact.description for fact in language.residual] == [
        "required at /",
        "no object has two properties of one name",
    ]
    assert language.matches(json.dumps(dict.fromkeys(reversed(names), 1)))
    assert not language.matches(json.dumps(dict.fromkeys(names[1:], 1)))
    assert not language.matches('{"p0": 1, ' + json.dumps(dict.fromkeys(names, 1))[1:])


def test_many_objects_share_the_steps_of_a_schema() -> None:
    objects = {}
    for i in range(40):
        inner = _schema("abcde", {"required": ["a"]})
        inner["properties"]["a"] = {"const": i}
        objects[f"p{i:02}"] = inner
    schema = {"type": "object", "properties": objects, "required": ["p00"], "additionalProperties": False}
    language = JSONSchema(schema, property_order="any")
    left = [fact.pointer for fact in language.residual if fact.pointer and fact.description.startswith("required")]
    assert "/properties/p00" not in left and "/properties/p39" in left


BYTES = Vocabulary([bytes([i]) for i in range(256)] + [b"</s>"], eos=256)
WIDE: dict[str, dict[str, Any]] = {
    "required": {"required": ["p0", "p1", "p2", "p3"], "additionalProperties": False},
    "undeclared": {"required": ["p0"], "additionalProperties": {"type": "boolean"}},
    "none required": {"additionalProperties": {"type": "array", "minItems": 3}, "minProperties": 2},
    "patterns": {"required": ["p1"], "patternProperties": {"^x{3}": {"type": "null"}}, "additionalProperties": False},
    "names": {"required": ["p1"], "propertyNames": {"minLength": 2}},
    "bounded": {"required": ["p1", "p2"], "maxProperties": 2},
}


@pytest.mark.parametrize("n_names", [4, 7])
@pytest.mark.parametrize("more", WIDE.values(), ids=WIDE)
def test_larger_objects_are_as_short_before_they_are_written(more: dict[str, Any], n_names: int) -> None:
    """Masks know the length of what is written later, which is less where required properties are residual."""
    names = [f"p{i}" for i in range(n_names)]
    item = {"type": "object", "properties": {name: {"type": "integer", "minimum": 10} for name in names}, **more}
    schema = {"type": "array", "minItems": 2, "items": item}
    language = JSONSchema(schema, whitespace="compact", property_order="any")
    automaton = language.compile(BYTES)
    assert automaton.distance_to_accept(automaton.start) == shortest_bytes(language.node)


def test_wide_constants_are_as_short_before_they_are_written() -> None:
    value = {"a": 1, "b": 22, "c": [{"x": 10, "y": 11, "z": 12, "w": 13}], "d": 3}
    language = JSONSchema({"items": {"enum": [value, "a string that is longer"]}, "minItems": 1}, property_order="any")
    automaton = language.compile(BYTES)
    assert automaton.distance_to_accept(automaton.start) == shortest_bytes(language.node)
