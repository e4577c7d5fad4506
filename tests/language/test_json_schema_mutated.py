"""Schemas with mistakes in them: a pgen error, or the values that `jsonschema` finds valid; never anything else."""

from __future__ import annotations

import copy
import json
import warnings
from random import Random
from typing import Any

import jsonschema
import pytest

from pgen.errors import PgenError
from pgen.language.json_schema import JSONSchema
from pgen.language.json_schema.keywords import SchemaWarning

SAMPLE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[a-c]{1,2}$", "maxLength": 4},
        "n": {"type": ["integer", "null"], "minimum": -2, "exclusiveMaximum": 5, "multipleOf": 1},
        "items": {"type": "array", "items": {"$ref": "#/$defs/leaf"}, "minItems": 1, "maxItems": 3, "uniqueItems": True},
        "kind": {"enum": ["a", 1, None]},
    },
    "required": ["id"],
    "patternProperties": {"^x": {"type": "boolean"}},
    "additionalProperties": False,
    "anyOf": [{"required": ["n"]}, {"properties": {"kind": {"const": 1}}}],
    "if": {"properties": {"n": {"minimum": 2}}, "required": ["n"]},
    "then": {"required": ["kind"]},
    "not": {"required": ["items", "kind"]},
    "dependentRequired": {"items": ["n"]},
    "$defs": {"leaf": {"oneOf": [{"type": "integer"}, {"$ref": "#/$defs/tree"}]}, "tree": {"type": "object",
        "additionalProperties": {"$ref": "#/$defs/leaf"}, "maxProperties": 2}},
}  # fmt: skip
VALUES: list[Any] = [
    {"id": "a"}, {"id": "ab", "n": 1}, {"id": "a", "n": 3, "kind": 1}, {"id": "d", "n": 1}, {"n": 1}, {"id": "a", "xy": True},
    {"id": "a", "n": 1, "items": [1, 2]}, {"id": "a", "n": 1, "items": [1, 1]}, {"id": "a", "n": 7}, {"id": 1}, [], "a", 3, None,
    {"id": "a", "n": None, "items": [{"a": 1, "b": {}}]}, {"id": "a", "n": 2}, {"id": "c", "kind": 1}, {"id": "a", "zz": 1},
]  # fmt: skip
JUNK: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, 1e308, "", "a", "[", "#", "#/$defs/leaf", "#/nowhere", "http://x/", "integer", [], {},
    [1], ["a", "a"], [[]], [{}], {"type": "integer"}, {"$ref": "#"}, {"not": {}}, {"a": 1}, {"a": ["b"]}, [True, False],
]  # fmt: skip
NAMES = [
    *SAMPLE,
    "items",
    "prefixItems",
    "minimum",
    "const",
    "contains",
    "oneOf",
    "allOf",
    "$ref",
    "unevaluatedProperties",
    "requird",
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything inside."""
    found, waiting = list[tuple[Any, Any]](), [value]
    for part in waiting:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        found += [(part, key) for key in keys]
        waiting += [part[key] for key in keys if isinstance(part[key], (dict, list))]
    return found


def mutated(random: Random) -> Any:
    schema = copy.deepcopy(SAMPLE)
    for _ in range(random.choice([1, 1, 2])):
        container, key = random.choice(places(schema) or [(schema, "type")])
        match random.randrange(4):
            case 0 if isinstance(container, dict):
                container[random.choice(NAMES)] = container.pop(key, {})
            case 1 if isinstance(container, dict):
                container[random.choice(NAMES)] = copy.deepcopy(random.choice(JUNK))
            case 2:
                del container[key]
            case _:
                container[key] = copy.deepcopy(random.choice(JUNK))
    return schema


def valid(schema: Any, value: Any) -> bool:
    checker = jsonschema.Draft202012Validator
    return bool(checker(schema, format_checker=checker.FORMAT_CHECKER).is_valid(value))


def check(seed: int) -> str:
    """What became of one mutated schema; asserts that it is right."""
    random = Random(seed)
    schema = mutated(random)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SchemaWarning)
        try:
            language = JSONSchema(schema, property_order=random.choice(["declared", "any"]))
        except PgenError as error:
            assert error.message
            return "refused"
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError:
        return "older spellings"
    for value in VALUES:
        if language.matches(json.dumps(value)):
            assert valid(schema, value), (schema, value)
    return "read"


def test_the_sample_is_a_schema() -> None:
    found = [JSONSchema(SAMPLE, property_order="any").matches(json.dumps(value)) for value in VALUES]
    assert found == [valid(SAMPLE, value) for value in VALUES] and 4 <= sum(found) < len(VALUES)


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_mutated_schemas_are_read_or_refused(first: int) -> None:
    found = [check(seed) for seed in range(first, first + 20)]
    assert {"refused", "read"} <= set(found)
