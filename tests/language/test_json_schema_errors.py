"""Schemas that are malformed, contradictory or beyond pgen: what is said, and the pointer it names."""

from __future__ import annotations

from typing import Any

import pytest

from pgen.errors import InvalidLanguage, LimitExceeded, UnsupportedFeature
from pgen.language.json_schema import JSONSchema, SchemaWarning

CONTRADICTIONS: list[tuple[Any, str, str]] = [
    ({"type": "integer", "minimum": 3, "maximum": 2}, "", "minimum 3, maximum 2"),
    ({"type": "integer", "minimum": 0, "exclusiveMaximum": 0}, "", "no number"),
    ({"properties": {"a": {"type": "string", "minLength": 3, "maxLength": 2}}}, "/properties/a", "minLength 3"),
    ({"type": "array", "minItems": 2, "maxItems": 1}, "", "minItems 2"),
    ({"type": "array", "minItems": 2, "prefixItems": [True], "items": False}, "", "fewer items"),
    ({"enum": []}, "/enum", "enum is empty"),
    ({"type": "string", "enum": [1, 2]}, "", "enum"),
    ({"const": 1, "enum": [2]}, "", "const 1"),
    ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "", "'a' is required"),
    ({"type": "object", "required": ["a"], "additionalProperties": False}, "", "'a' is required"),
    ({"type": "object", "required": ["a", "b"], "maxProperties": 1}, "", "maxProperties 1"),
    ({"type": "object", "minProperties": 3, "maxProperties": 1}, "", "minProperties 3"),
    ({"allOf": [{"type": "string"}, {"type": "number"}]}, "", "allOf"),
    ({"anyOf": [{"type": "null"}, {"minLength": 1, "maxLength": 0}]}, "/anyOf/1", "minLength"),
    (False, "", "no value"),
]


@pytest.mark.parametrize(("schema", "pointer", "said"), CONTRADICTIONS)
def test_contradictions(schema: Any, pointer: str, said: str) -> None:
    with pytest.raises(InvalidLanguage, match=said) as caught:
        JSONSchema(schema)
    assert not isinstance(caught.value, UnsupportedFeature)
    assert caught.value.pointer == pointer


MALFORMED: list[tuple[Any, str, str]] = [
    ({"minLength": "3"}, "/minLength", "whole number"),
    ({"minLength": -1}, "/minLength", "whole number"),
    ({"maximum": True}, "/maximum", "a number"),
    ({"multipleOf": 0}, "/multipleOf", "above 0"),
    ({"type": "strin"}, "/type", "strin"),
    ({"type": []}, "/type", "type name"),
    ({"properties": {"a": {"required": "b"}}}, "/properties/a/required", "list"),
    ({"required": ["a", "a"]}, "/required", "distinct"),
    ({"properties": {"a": 3}}, "/properties", "schemas"),
    ({"items": [{}]}, "/items", "prefixItems"),
    ({"exclusiveMinimum": True, "minimum": 1}, "/exclusiveMinimum", "bound itself"),
    ({"anyOf": []}, "/anyOf", "non-empty"),
    ({"$ref": "#/$defs/x"}, "/$ref", "nowhere"),
    ({"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/y"}}}, "/$defs/x/$ref", "nowhere"),
    ({"not": {"type": "strin"}}, "/not/type", "strin"),
    ({"contains": {"items": 3}}, "/contains/items", "3"),
]


@pytest.mark.parametrize(("schema", "pointer", "said"), MALFORMED)
def test_malformed_schemas(schema: Any, pointer: str, said: str) -> None:
    with pytest.raises(InvalidLanguage, match=said) as caught:
        JSONSchema(schema)
    assert not isinstance(caught.value, UnsupportedFeature)
    assert caught.value.pointer == pointer


UNSUPPORTED: list[tuple[Any, str, str]] = [
    ({"if": {}, "then": {}}, "/if", "if"),
    ({"properties": {"a": {"unevaluatedProperties": False}}}, "/properties/a/unevaluatedProperties", "unevaluated"),
    ({"dependentSchemas": {}}, "/dependentSchemas", "dependentSchemas"),
    ({"$ref": "#"}, "", "itself"),
    ({"$defs": {"n": {"items": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"}, "/$defs/n", "itself"),
    ({"$ref": "https://example.com/s.json"}, "/$ref", "leaves the document"),
    ({"$ref": "#anchor"}, "/$ref", "anchor"),
    ({"items": {"$id": "x", "$ref": "#/$defs/a"}}, "/items/$ref", "embedded"),
]


@pytest.mark.parametrize(("schema", "pointer", "said"), UNSUPPORTED)
def test_unsupported_features(schema: Any, pointer: str, said: str) -> None:
    with pytest.raises(UnsupportedFeature, match=said) as caught:
        JSONSchema(schema)
    assert caught.value.pointer == pointer


def test_bounded_work() -> None:
    deep: dict[str, Any] = {}
    for _ in range(200):
        deep = {"items": deep}
    with pytest.raises(LimitExceeded, match="nests deeper"):
        JSONSchema(deep)
    pair = {"anyOf": [{"required": ["a"]}, {"required": ["b"]}, {"required": ["c"]}]}
    many = [{"anyOf": [{"required": [f"{i}{c}"]} for c in "abc"]} for i in range(9)]
    with pytest.raises(LimitExceeded, match="alternatives"):
        JSONSchema({"allOf": [pair, *many]})


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"propertis": {}}, "did you mean properties"),
        ({"properties": {"a": {"requird": []}}}, "/properties/a/requird .* did you mean required"),
        ({"dependencies": {}}, "use dependentRequired"),
    ],
)
def test_likely_mistakes_warn(schema: Any, said: str) -> None:
    with pytest.warns(SchemaWarning, match=said):
        JSONSchema(schema)


def test_annotations_and_foreign_keywords_pass() -> None:
    JSONSchema({"$schema": "x", "title": "t", "x-vendor": 1, "if": {}, "version": 3, "examples": [1], "type": "null"})


def test_explicit_false_is_no_contradiction() -> None:
    assert JSONSchema({"anyOf": [False, {"type": "null"}]}) == JSONSchema({"type": "null"})
    JSONSchema({"type": "object", "properties": {"a": False, "b": {"allOf": [True, False]}}})


def test_references_are_pointers_with_escapes() -> None:
    schema = {"$id": "http://x/s", "$ref": "http://x/s#/$defs/a~1b%25", "$defs": {"a/b%": {"type": "null"}}}
    assert JSONSchema(schema) == JSONSchema({"type": "null"})
