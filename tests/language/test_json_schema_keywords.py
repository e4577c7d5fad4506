"""Every keyword of every draft against `jsonschema`: all values of a small world, in any order of properties."""

from __future__ import annotations

import itertools
import json
import warnings
from typing import Any

import jsonschema
import pytest
import referencing.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st

from pgen.automata.acceptor import accepts
from pgen.errors import InvalidLanguage
from pgen.language.json_schema import JSONSchema

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_6 = "http://json-schema.org/draft-06/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"
VALIDATORS = {
    DRAFT_4: jsonschema.Draft4Validator,
    DRAFT_6: jsonschema.Draft6Validator,
    DRAFT_7: jsonschema.Draft7Validator,
    DRAFT_2019: jsonschema.Draft201909Validator,
    None: jsonschema.Draft202012Validator,
}

SCALARS: list[Any] = [None, True, False, 0, 1, 1.0, 2, 3, 3.5, -1, "", "a", "ab", "abc", "b1", "é"]
ARRAYS: list[Any] = [list(items) for n in range(4) for items in itertools.product([1, "a", True], repeat=n)]
OBJECTS: list[Any] = [
    dict(zip(names, values, strict=True))
    for n in range(4)
    for names in itertools.permutations(["a", "b", "c"], n)
    for values in itertools.product([1, "x"], repeat=n)
]
DEEP: list[Any] = [
    {"a": {"a": {"a": 1}}},
    {"a": {"b": {}}},
    [[1], [["a"]]],
    {"a": [1, {"a": "x"}]},
    [{"a": 1}, {"b": "x"}],
]
WORLD = SCALARS + ARRAYS + OBJECTS + DEEP

A_IS_1 = {"properties": {"a": {"const": 1}}, "required": ["a"]}
TREE = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/tree"}, "b": {"type": "integer"}},
    "additionalProperties": False,
}
KEYWORDS: list[Any] = [
    {"not": {"type": ["string", "array"]}},
    {"not": {"type": "integer"}},
    {"not": {"enum": ["a", 1, True, None, 3.5]}},
    {"not": {"const": [1]}},
    {"not": {"minimum": 1}},
    {"not": {"pattern": "^a"}},
    {"not": {"minLength": 2, "maxLength": 2}},
    {"not": {"maxItems": 1}},
    {"not": {"required": ["a", "b"]}},
    {"not": {"not": A_IS_1}},
    {"not": {"anyOf": [A_IS_1, {"type": "array"}, {"minimum": 2}]}},
    {"not": {"properties": {"a": False}}},
    {"not": {"uniqueItems": True}},
    {"if": A_IS_1, "then": {"required": ["b"]}, "else": {"maxProperties": 1}},
    {"if": {"type": "string"}, "then": {"minLength": 2}},
    {"if": {"type": "array"}, "else": {"type": "object"}},
    {"if": {"items": {"const": 1}}, "then": {"maxItems": 2}, "else": {"minItems": 2}},
    {"if": False, "then": False, "else": {"type": "string"}},
    {"dependentRequired": {"a": ["b"], "b": ["c"]}},
    {"dependentRequired": {"a": []}},
    {"dependentSchemas": {"a": {"properties": {"b": {"const": 1}}}, "c": False}},
    {"dependentSchemas": {"a": {"required": ["c"]}}, "additionalProperties": {"type": "integer"}},
    {"contains": {"const": 1}},
    {"contains": {"const": 1}, "minContains": 2},
    {"contains": {"const": "a"}, "minContains": 0, "maxContains": 1},
    {"contains": True, "minContains": 2},
    {"contains": False},
    {"uniqueItems": True},
    {"uniqueItems": True, "items": {"enum": [1, "a"]}},
    {"prefixItems": [{"type": "integer"}], "items": {"type": "string"}},
    {"prefixItems": [True, {"const": "a"}], "items": False},
    {"prefixItems": [{"type": "integer"}], "unevaluatedItems": False},
    {"allOf": [{"prefixItems": [{"type": "integer"}]}], "unevaluatedItems": {"type": "string"}},
    {"anyOf": [{"prefixItems": [{"const": 1}]}, {"prefixItems": [True, {"const": 1}]}], "unevaluatedItems": False},
    {"contains": {"type": "string"}, "unevaluatedItems": {"const": 1}},
    {"properties": {"a": {}}, "unevaluatedProperties": False},
    {"allOf": [{"additionalProperties": {"const": 1}}], "unevaluatedProperties": False},
    {"anyOf": [{"additionalProperties": {"const": 1}, "required": ["a"]}, True], "unevaluatedProperties": False},
    {"allOf": [{"properties": {"a": {}}}], "properties": {"b": {}}, "unevaluatedProperties": {"const": "x"}},
    {"if": A_IS_1, "then": {"properties": {"b": {}}}, "unevaluatedProperties": False},
    {"oneOf": [A_IS_1, {"properties": {"b": {"const": 1}}, "required": ["b"]}], "unevaluatedProperties": False},
    {"$ref": "#/$defs/x", "unevaluatedProperties": False, "$defs": {"x": {"patternProperties": {"^[ab]": {}}}}},
    {"patternProperties": {"^a": {"type": "integer"}, "[bc]": {"type": "string"}}, "additionalProperties": False},
    {"patternProperties": {f"^{c}$": {"const": 1} for c in "abcdefgh"}, "additionalProperties": {"const": "x"}},
    {"propertyNames": {"enum": ["a", "b"]}},
    {"propertyNames": {"maxLength": 0}},
    {"propertyNames": {"not": {"const": "a"}}},
    {"minProperties": 2, "maxProperties": 2},
    {"properties": {"a": {}}, "minProperties": 2},
    {"properties": {"a": {}, "b": {}, "c": {}}, "required": ["a"], "maxProperties": 2},
    {"properties": {n: {"type": "integer"} for n in "abcd"}, "required": ["b", "c"]},
    {"required": ["a"], "additionalProperties": {"type": "string"}},
    {"additionalProperties": False},
    {"const": {"a": 1, "b": "x", "c": 1}},
    {"enum": [{"a": 1, "b": 1}, [1, "a"], {"b": "x", "a": "x", "c": "x"}, {}]},
    {"oneOf": [{"type": "integer"}, {"minimum": 2}]},
    {"oneOf": [A_IS_1, {"required": ["b"]}]},
    {"allOf": [{"properties": {"a": {"minimum": 1}}}, {"properties": {"a": {"maximum": 1}}}, {"required": ["a"]}]},
    {"allOf": [{"additionalProperties": False, "properties": {"a": {}, "b": {}}}, {"minProperties": 1}]},
    {"type": ["string", "null", "array"]},
    {"anyOf": [{"type": "string", "minLength": 3, "maxLength": 1}, {"type": "integer"}]},
    {"$ref": "#/$defs/tree", "$defs": {"tree": TREE}},
    {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"$ref": "#"}}]},
    {"type": ["object", "string", "integer"], "properties": {"a": {"allOf": [{"$ref": "#"}, {"not": {"const": 1}}]}}},
    {"oneOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"const": 1}}, {"const": "a"}]},
    {"$ref": "#here", "$defs": {"x": {"$anchor": "here", "type": "array", "items": {"$ref": "#/$defs/x/$defs/y"}, "$defs": {"y": {"const": 1}}}}},
    {"$id": "http://x/root", "items": {"$ref": "inner"}, "$defs": {"i": {"$id": "inner", "$ref": "#/$defs/t", "$defs": {"t": {"const": 1}}}}},
    {"items": {"$dynamicRef": "#t"}, "$defs": {"t": {"$dynamicAnchor": "t", "enum": [1, "a"]}}},
    {"$schema": DRAFT_2019, "items": [{"const": 1}], "additionalItems": {"const": "a"}},
    {"$schema": DRAFT_2019, "type": ["array", "integer"], "items": {"$recursiveRef": "#"}},
    {"$schema": DRAFT_2019, "unevaluatedItems": False, "additionalItems": {"type": "integer"}},
    {"$schema": DRAFT_2019, "items": [{"const": 1}], "additionalItems": {"type": "integer"}, "unevaluatedItems": False},
    {"$schema": DRAFT_2019, "contains": {"const": 1}, "unevaluatedItems": False},
    {"$schema": DRAFT_7, "items": [{"const": 1}, {"type": "string"}], "additionalItems": False},
    {"$schema": DRAFT_7, "dependencies": {"a": ["b"], "b": {"properties": {"a": {"const": 1}}}}},
    {"$schema": DRAFT_7, "$ref": "#/definitions/x", "type": "string", "definitions": {"x": {"type": "integer"}}},
    {"$schema": DRAFT_7, "items": {"$ref": "#x"}, "definitions": {"x": {"$id": "#x", "const": 1}}},
    {"$schema": DRAFT_7, "prefixItems": [False], "unevaluatedItems": False},
    {"$schema": DRAFT_4, "minimum": 1, "exclusiveMinimum": True, "maximum": 3, "exclusiveMaximum": False},
    {"$schema": DRAFT_4, "type": "integer"},
    {"$schema": DRAFT_4, "enum": [1, 2, "a"], "type": "integer"},
    {"$schema": DRAFT_4, "const": 1, "type": ["array", "integer"]},
]  # fmt: skip


def judged(schema: Any, value: Any) -> bool:
    return bool(VALIDATORS[schema.get("$schema")](schema).is_valid(value))


def language_of(schema: Any, **options: Any) -> JSONSchema | None:
    """The language, `None` where no value is valid."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            language = JSONSchema(schema, **options)
            language.matches("")
        except InvalidLanguage as error:
            assert "no value" in str(error) or "contradicts itself" in str(error), error
            return None
    return language


@pytest.mark.parametrize("schema", KEYWORDS, ids=lambda schema: json.dumps(schema)[:60])
def test_values_are_valid_as_for_jsonschema(schema: Any) -> None:
    language = language_of(schema, property_order="any")
    for value in WORLD:
        found = language is not None and language.matches(json.dumps(value))
        assert found == judged(schema, value), value


OLDER: list[Any] = [
    {"minimum": 1, "maximum": 3},
    {"minimum": 1, "exclusiveMinimum": 1},
    {"exclusiveMaximum": 3},
    {"exclusiveMinimum": True, "minimum": 1},
    {"exclusiveMinimum": True},
    {"exclusiveMaximum": True, "maximum": 3, "type": "number"},
    {"exclusiveMaximum": False, "maximum": 3},
    {"const": 1},
    {"const": {"a": 1}},
    {"contains": {"const": 1}},
    {"contains": False},
    {"contains": {"const": 1}, "minContains": 2, "maxContains": 2},
    {"propertyNames": {"enum": ["a", "b"]}},
    {"propertyNames": False},
    {"if": {"type": "array"}, "then": {"maxItems": 1}, "else": {"type": "string"}},
    {"then": False, "else": False},
    {"examples": [1], "default": 2, "$comment": "x", "readOnly": True, "title": "t"},
    {"contentEncoding": "base64", "contentMediaType": "application/json", "type": "string"},
    {"items": [{"const": 1}]},
    {"items": [{"const": 1}, {"type": "string"}], "additionalItems": {"const": True}},
    {"additionalItems": False},
    {"items": {"const": 1}, "additionalItems": False},
    {"items": []},
    {"items": True},
    {"items": False},
    {"prefixItems": [False], "items": {"type": "string"}},
    {"dependencies": {"a": ["b"], "b": {"required": ["c"]}}},
    {"dependencies": {"a": []}},
    {"dependencies": {"a": False, "b": True}},
    {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"a": False}},
    {"definitions": {"x": {"const": 1}}, "items": {"$ref": "#/definitions/x"}},
    {"$defs": {"x": {"const": 1}}, "items": {"$ref": "#/$defs/x"}},
    {"$ref": "#/definitions/x", "maxLength": 1, "definitions": {"x": {"type": ["string", "null"]}}},
    {"items": {"$ref": "#/definitions/x", "const": 2}, "definitions": {"x": {"type": "integer"}}},
    {"allOf": [{"$ref": "#/definitions/x"}], "maxLength": 1, "definitions": {"x": {"type": "string"}}},
    {"properties": {"$ref": {"type": "string"}, "a": {"type": "integer"}}},
    {"properties": {"a": True, "b": False}},
    {"additionalProperties": {"$ref": "#"}, "type": ["object", "integer"]},
    {"required": ["a", "b"]},
    {"required": []},
    {"type": "integer"},
    {"type": ["integer", "string"]},
    {"type": "number"},
    {"enum": [1, "a", [1, "a"]]},
    {"enum": [1.0, True]},
    {"multipleOf": 1.5},
    {"multipleOf": 2, "type": "integer"},
    {"uniqueItems": True},
    {"uniqueItems": False, "maxItems": 1},
    {"minProperties": 1, "maxProperties": 2, "patternProperties": {"^a": {"const": 1}}},
    {"unevaluatedProperties": False, "unevaluatedItems": False},
    {"not": {"type": "object"}, "anyOf": [{"type": "string"}, {"required": ["a"]}]},
    {"oneOf": [{"type": "integer"}, {"minimum": 2}]},
    {"$id": "http://x/y", "items": {"$ref": "y"}, "type": ["array", "integer"]},
    {"id": "http://x/y", "items": {"$ref": "y"}, "type": ["array", "integer"]},
    {"definitions": {"x": {"$id": "#f", "const": 1}}, "items": {"$ref": "#f"}},
    {"definitions": {"x": {"id": "#f", "const": 1}}, "items": {"$ref": "#f"}},
    {"definitions": {"x": {"$anchor": "f", "const": 1}}, "items": {"$ref": "#f"}},
    {"$recursiveRef": "#", "type": "integer"},
    {"$dynamicRef": "#", "type": "integer"},
    {"divisibleBy": 2, "disallow": "string", "extends": False},
]  # fmt: skip
"""Keywords of any draft, each also under the drafts that do not have it, where it means nothing."""


def is_schema(schema: Any) -> bool:
    """Whether the draft's metaschema allows it and its references lead somewhere."""
    validator = VALIDATORS[schema["$schema"]]
    try:
        validator.check_schema(schema)
        for value in ([1], {"a": 1}, "a", 1):
            validator(schema).is_valid(value)
    except (jsonschema.SchemaError, referencing.exceptions.Unresolvable, RecursionError):
        return False
    return True


@pytest.mark.parametrize("draft", [DRAFT_4, DRAFT_6, DRAFT_7], ids=["4", "6", "7"])
def test_keywords_of_any_draft_under_older_ones(draft: str) -> None:
    n_schemas = 0
    for schema in ({"$schema": draft, **body} for body in OLDER):
        if not is_schema(schema):
            language_or_error(schema)
            continue
        n_schemas += 1
        language = language_of(schema, property_order="any")
        for value in WORLD:
            found = language is not None and language.matches(json.dumps(value))
            assert found == judged(schema, value), (schema, value)
    assert n_schemas > 40


def language_or_error(schema: Any) -> JSONSchema | None:
    """The language, `None` where the schema is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return JSONSchema(schema, property_order="any")
        except InvalidLanguage:
            return None


EXACT = [
    schema
    for schema in KEYWORDS
    if (language := language_of(schema, property_order="any"))
    and not any(fact.pointer is not None for fact in language.residual)
]


def test_many_keywords_are_held_by_the_mask_alone() -> None:
    assert len(EXACT) > 0.5 * len(KEYWORDS)
    for schema in EXACT:
        language = language_of(schema, property_order="any")
        assert language is not None
        wrong = [v for v in WORLD if accepts(language.node, json.dumps(v).encode()) != judged(schema, v)]
        assert wrong == [], schema


@pytest.mark.parametrize(
    "schema",
    [
        {"items": [{"const": 1}], "additionalItems": {"const": "a"}},
        {"dependencies": {"a": ["b"], "c": {"required": ["a"]}}},
    ],
)
def test_older_spellings_without_a_draft(schema: Any) -> None:
    language = language_of(schema, property_order="any")
    assert language is not None
    for value in WORLD:
        assert language.matches(json.dumps(value)) == judged({**schema, "$schema": DRAFT_7}, value), value


def test_boolean_bounds_without_a_draft() -> None:
    language = JSONSchema({"type": "number", "minimum": 1, "exclusiveMinimum": True, "not": {"multipleOf": 5}})
    assert [language.matches(text) for text in ("1", "1.5", "2", "10")] == [False, True, True, False]


def test_deep_texts_of_recursive_schemas() -> None:
    language = JSONSchema({"$ref": "#/$defs/tree", "$defs": {"tree": TREE}})
    deep = '{"a":' * 200 + '{"b":1}' + "}" * 200
    assert language.matches(deep)
    assert not language.matches(deep[:-1])
    assert not language.matches(deep.replace("1", '"x"'))
    assert JSONSchema({}).matches("[" * 200 + "]" * 200)


def test_recursion_within_an_indent_is_bounded() -> None:
    language = JSONSchema({"$ref": "#/$defs/tree", "$defs": {"tree": TREE}}, whitespace=2)
    value: Any = {"b": 1}
    for _ in range(8):
        value = {"a": value}
    assert language.matches(json.dumps(value, indent=2))
    assert not language.matches(json.dumps(value))


NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.sampled_from(
    [True, False, {"type": "integer"}, {"const": 1}, {"type": "string"}, {"minLength": 2}, {"required": ["a"]}]
    + [{"$ref": "#/$defs/r"}, {"type": "array"}, {"enum": [1, "x", [1], {"a": 1, "b": 1}]}, {"type": "object"}, {"minimum": 2}]
)  # fmt: skip


def composite(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    groups = st.lists(inner, min_size=1, max_size=2)
    optional = {
        "properties": st.dictionaries(NAMES, inner, max_size=3),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "additionalProperties": inner,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "[bc]"]), inner, max_size=2),
        "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=1), max_size=2),
        "dependentSchemas": st.dictionaries(NAMES, inner, max_size=1),
        "unevaluatedProperties": inner,
        "unevaluatedItems": inner,
        "maxProperties": st.integers(0, 2),
        "prefixItems": groups,
        "items": inner,
        "contains": inner,
        "minContains": st.integers(0, 2),
        "maxContains": st.integers(0, 2),
        "uniqueItems": st.booleans(),
        "allOf": groups,
        "anyOf": groups,
        "oneOf": groups,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
    }
    return st.sets(st.sampled_from(sorted(optional)), min_size=1, max_size=4).flatmap(
        lambda names: st.fixed_dictionaries({name: optional[name] for name in sorted(names)})
    )


@settings(max_examples=150)
@given(
    st.recursive(LEAVES, composite, max_leaves=5),
    composite(LEAVES),
    st.lists(st.sampled_from(WORLD), min_size=10, max_size=10),
)
def test_random_schemas_in_any_order(schema: Any, recursive: Any, values: list[Any]) -> None:
    whole = {
        "allOf": [schema],
        "$defs": {"r": {"type": ["object", "array", "integer"], "properties": {"a": recursive}}},
    }
    language = language_of(whole, property_order="any")
    for value in values:
        found = language is not None and language.matches(json.dumps(value))
        assert found == judged(whole, value), value


def test_references_out_of_the_document() -> None:
    resources = {
        "http://x/items.json": {"$defs": {"n": {"$anchor": "n", "type": "integer"}}, "items": {"$ref": "#n"}},
        "http://x/tree.json": {"type": "object", "additionalProperties": {"$ref": "tree.json"}},
    }
    schema = {
        "$id": "http://x/main",
        "anyOf": [{"type": "array", "$ref": "items.json"}, {"$ref": "http://x/tree.json"}],
    }
    language = JSONSchema(schema, resources=resources)
    accepted, rejected = ["[1, 2]", "[]", '{"a": {"b": {}}}'], ['["x"]', '{"a": 1}', "1"]
    assert [text for text in accepted if not language.matches(text)] == []
    assert [text for text in rejected if language.matches(text)] == []
    assert JSONSchema(language) == language
    unique = JSONSchema(schema | {"uniqueItems": True}, resources=resources)
    assert (unique.matches("[1, 2]"), unique.matches("[1, 1]")) == (True, False)


METASCHEMA_PARTS: list[tuple[str, str, str]] = [
    (f"{DRAFT_4}/definitions/positiveInteger", "3", "-3"),
    (f"{DRAFT_7}/properties/title", '"t"', "1"),
    ("https://json-schema.org/draft/2020-12/meta/validation#/$defs/stringArray", '["a"]', '["a", "a"]'),
    (f"{DRAFT_6}", '{"minItems": 1}', '{"minItems": -1}'),
]


@pytest.mark.parametrize(("reference", "inside", "outside"), METASCHEMA_PARTS)
def test_references_into_the_metaschemas(reference: str, inside: str, outside: str) -> None:
    language = JSONSchema({"$ref": reference})
    assert "$ref at /$ref" in [fact.description for fact in language.residual]
    assert language.matches(inside) and not language.matches(outside)


@pytest.mark.parametrize("part", ["/definitions/none", "none"])
def test_references_to_nothing_in_a_metaschema(part: str) -> None:
    with pytest.raises(InvalidLanguage, match="leads nowhere"):
        JSONSchema({"$ref": f"{DRAFT_7.rstrip('#')}#{part}"})


@pytest.mark.parametrize("length", [40, 90])
def test_long_chains_of_references(length: int) -> None:
    """What lies deep behind references is read later, and what it says still holds."""
    chain = {f"s{i}": {"properties": {"n": {"$ref": f"#/$defs/s{i + 1}"}}} for i in range(length)}
    chain[f"s{length}"] = {"type": "integer", "minimum": 7}
    language = JSONSchema({"$defs": chain, "$ref": "#/$defs/s0"})
    inside, outside = ('{"n": ' * length + number + "}" * length for number in ("7", "6"))
    assert language.matches(inside) and not language.completable(outside)


def test_long_chains_without_content() -> None:
    """Chains that end, and a circle of the same length."""
    chain = {f"s{i}": {"$ref": f"#/$defs/s{i + 1}"} for i in range(100)}
    assert JSONSchema({"$defs": {**chain, "s100": {"type": "integer"}}, "$ref": "#/$defs/s0"}).matches("1")
    with pytest.raises(InvalidLanguage, match="circle without content"):
        JSONSchema({"$defs": {**chain, "s100": {"$ref": "#/$defs/s0"}}, "$ref": "#/$defs/s0"})
