"""Properties in any order: what the mask alone accepts is what is valid, for every sequence of members."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from pgen.automata.acceptor import accepts
from pgen.language.json_schema import JSONSchema

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
