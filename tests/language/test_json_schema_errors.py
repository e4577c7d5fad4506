"""Schemas that are malformed, contradictory or beyond pgen: what is said, and the pointer it names."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

import pytest

from pgen.errors import InvalidLanguage, LimitExceeded, UnsupportedFeature
from pgen.language.json_schema import JSONSchema, SchemaWarning
from pgen.language.json_schema.keywords import _KNOWN, _similar

CONTRADICTIONS: list[tuple[Any, str, str]] = [
    ({"type": "integer", "minimum": 3, "maximum": 2}, "", "minimum 3, maximum 2"),
    ({"type": "integer", "minimum": 0, "exclusiveMaximum": 0}, "", "no number"),
    ({"type": "string", "minLength": 3, "maxLength": 2}, "", "minLength 3"),
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
    ({"properties": {"a": {"enum": []}}, "required": ["a"], "type": "object"}, "", "enum is empty"),
    ({"not": {}}, "", "no value"),
    ({"type": "string", "not": {"type": "string"}}, "", "not"),
    (False, "", "no value"),
]


@pytest.mark.parametrize(("schema", "pointer", "said"), CONTRADICTIONS)
def test_contradictions(schema: Any, pointer: str, said: str) -> None:
    with pytest.raises(InvalidLanguage, match=said) as caught:
        JSONSchema(schema)
    assert not isinstance(caught.value, UnsupportedFeature)
    assert caught.value.pointer == pointer


NEW = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
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
    ({**NEW, "items": [{}]}, "/items", "prefixItems"),
    ({**NEW, "exclusiveMinimum": True, "minimum": 1}, "/exclusiveMinimum", "bound itself"),
    ({"exclusiveMinimum": "1"}, "/exclusiveMinimum", "a number"),
    ({"dependentRequired": {"a": "b"}}, "/dependentRequired", "lists of names"),
    ({"dependencies": {"a": 3}}, "/dependencies", "lists of names"),
    ({"if": 3, "then": {}}, "/if", "a schema"),
    ({"$ref": "#anchor"}, "/$ref", "no anchor 'anchor'"),
    ({"$ref": "#"}, "", "circle"),
    (
        {
            "$defs": {"n": {"anyOf": [{"$ref": "#/$defs/n"}, {"$ref": "#/$defs/m"}]}, "m": {"$ref": "#/$defs/n"}},
            "$ref": "#/$defs/n",
        },
        "/$defs/n",
        "circle",
    ),
    ({"allOf": [{"$ref": "#"}, {"type": "object"}]}, "", "circle"),
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
    ({"$ref": "https://example.com/s.json"}, "/$ref", "leaves the document"),
    ({"items": {"$id": "http://x/y", "$ref": "z"}}, "/items/$ref", "leaves the document"),
    ({"patternProperties": {r"(a)\1": {}}}, r"/patternProperties/(a)\1", "reference"),
    ({"$ref": "https://json-schema.org/draft/2031/schema"}, "/$ref", "leaves the document"),
    ({"$schema": "http://json-schema.org/draft-03/schema#"}, "/$schema", "draft 3"),
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
    left_open = {fact.description for fact in JSONSchema({"allOf": [pair, *many]}).residual}
    assert "allOf at /allOf" in left_open, "what multiplies too much is checked on complete values"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"propertis": {}}, "did you mean properties"),
        ({"properties": {"a": {"requird": []}}}, "/properties/a/requird .* did you mean required"),
        ({**NEW, "dependencies": {}}, "use dependentRequired"),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "const": 1}, "const is not a keyword of draft 4"),
        (
            {"properties": {"a": {"type": "string", "minLength": 3, "maxLength": 2}}},
            "/properties/a: this part can never hold: minLength 3",
        ),
        (
            {"anyOf": [{"type": "null"}, {"type": "string", "minLength": 1, "maxLength": 0}]},
            "/anyOf/1: this part can never hold",
        ),
    ],
)
def test_likely_mistakes_warn(schema: Any, said: str) -> None:
    with pytest.warns(SchemaWarning, match=said):
        JSONSchema(schema)


def test_a_mistake_that_comes_again_warns_once_where_the_schema_is_made() -> None:
    parts = {name: {"type": "string", "_format": "uuid"} for name in "abc"}
    with pytest.warns(SchemaWarning) as warned:
        JSONSchema({"properties": parts, "requird": []})
    said = sorted(str(warning.message) for warning in warned)
    assert [text.partition(" ")[0] for text in said] == ["/properties/a/_format", "/requird"]
    assert said[0].endswith("did you mean format? (2 more of them in this schema)")
    assert {warning.filename for warning in warned} == {__file__}


def near_misses() -> Iterator[str]:
    """Every keyword with a character more, less or other, or two that have changed places."""
    for known in sorted(_KNOWN):
        for at in range(len(known) + 1):
            before, after = known[:at], known[at:]
            yield from (f"{before}{letter}{after}" for letter in "_esX")
            if after:
                yield from (before + after[1:], f"{before}q{after[1:]}")
            if len(after) > 1:
                yield before + after[1] + after[0] + after[2:]


def test_names_like_keywords_are_those_that_difflib_finds() -> None:
    found = 0
    for name in near_misses():
        near = [known for known in _KNOWN if known[0] in name[:2] or name[:1] in known[:2]]
        expected = get_close_matches(name, sorted(near), n=1, cutoff=0.85)
        assert [*filter(None, [_similar(name)])] == expected, name
        found += bool(expected)
    assert found > 3000


def test_annotations_and_foreign_keywords_pass() -> None:
    JSONSchema({"$schema": "x", "title": "t", "x-vendor": 1, "if": {}, "version": 3, "examples": [1], "type": "null"})


def test_explicit_false_is_no_contradiction() -> None:
    assert JSONSchema({"anyOf": [False, {"type": "null"}]}) == JSONSchema({"type": "null"})
    JSONSchema({"type": "object", "properties": {"a": False, "b": {"allOf": [True, False]}}})


def test_references_are_pointers_with_escapes() -> None:
    schema = {"$id": "http://x/s", "$ref": "http://x/s#/$defs/a~1b%25", "$defs": {"a/b%": {"type": "null"}}}
    assert JSONSchema(schema) == JSONSchema({"type": "null"})


def test_too_few_distinct_items_contradict() -> None:
    with pytest.raises(InvalidLanguage, match="distinct"):
        JSONSchema({"type": "array", "items": {"enum": [1, 2]}, "minItems": 3, "uniqueItems": True})
