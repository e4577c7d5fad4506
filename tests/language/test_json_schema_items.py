"""`contains` and `uniqueItems` in masks: every array of a small world, against jsonschema, without a residual check."""

from __future__ import annotations

import itertools
import json
import warnings
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgen import JSONSchema, Vocabulary
from pgen.automata.acceptor import accepts, completable
from pgen.errors import InvalidLanguage, LimitExceeded
from pgen.language.json_schema import SchemaWarning

ITEMS: list[Any] = [1, 2, "a", {"k": 1}, None]
ARRAYS = [list(items) for length in range(5) for items in itertools.product(ITEMS, repeat=length)]
BYTES = Vocabulary([bytes([byte]) for byte in range(256)] + [b"<end>"], eos=256)
ONE = {"const": 1}
EXACT: list[dict[str, Any]] = [
    {"contains": ONE},
    {"contains": ONE, "minContains": 2},
    {"contains": ONE, "maxContains": 0, "minContains": 0},
    {"contains": ONE, "maxContains": 1},
    {"contains": ONE, "minContains": 0, "maxContains": 2, "minItems": 3},
    {"contains": ONE, "minContains": 2, "maxContains": 3, "maxItems": 3},
    {"contains": ONE, "minItems": 3},
    {"contains": ONE, "minItems": 2, "maxItems": 3},
    {"contains": {"type": "integer"}, "items": {"enum": [2, "a"]}},
    {"contains": {"type": "integer"}, "minContains": 2, "prefixItems": [{"const": "a"}, {"enum": [1, "a"]}]},
    {"contains": ONE, "maxContains": 1, "prefixItems": [ONE, True], "items": {"not": {"type": "string"}}},
    {"contains": {"type": "string"}, "prefixItems": [ONE, {"type": ["string", "integer"]}], "items": False},
    {"contains": {"required": ["k"]}, "maxContains": 2},
    {"contains": {"properties": {"k": ONE}}, "maxContains": 1},
    {"contains": True, "minContains": 2, "maxContains": 3},
    {"contains": False, "minContains": 0, "maxContains": 2},
    {"allOf": [{"contains": ONE}, {"contains": {"type": "string"}}]},
    {"allOf": [{"contains": ONE, "maxContains": 1}, {"contains": {"type": "integer"}, "minContains": 2}]},
    {"anyOf": [{"contains": ONE, "minContains": 2}, {"contains": {"const": "a"}, "minContains": 3}]},
    {"oneOf": [{"type": "array", "contains": ONE}, {"type": "array", "items": {"const": "a"}}]},
    {"not": {"contains": ONE}},
    {"not": {"contains": ONE, "minContains": 2, "maxContains": 2}},
    {"if": {"contains": ONE}, "then": {"maxItems": 2}, "else": {"minItems": 1}},
    {"contains": ONE, "minContains": 0},
    {"uniqueItems": True, "items": {"enum": [1, 2, "a"]}},
    {"uniqueItems": True, "items": {"enum": [1, 2, "a"]}, "minItems": 2},
    {"uniqueItems": True, "items": {"enum": [1, 1.0, 2, "a"]}, "maxItems": 2},
    {"uniqueItems": True, "items": {"type": ["boolean", "null"]}, "minItems": 1},
    {"allOf": [{"uniqueItems": True}, {"items": {"enum": [1, "a"]}}]},
    {"uniqueItems": True, "items": {"enum": [1, 2, *"abcdefghijklmnopqrst"]}, "maxItems": 2},
    {"uniqueItems": False, "items": {"enum": [1, 2]}},
    {"uniqueItems": True, "enum": [[1, 1], [1, 2], [2], [1, 1.0, 2]]},
    {"contains": ONE, "enum": [[1, 1], [2], [2, 1]], "maxContains": 1},
]


def validator(schema: Any) -> Any:
    return jsonschema.Draft202012Validator(schema)


def is_exact(language: JSONSchema) -> bool:
    """Whether only names that come twice are left to be checked."""
    return all(fact.pointer is None for fact in language.residual)


@pytest.mark.parametrize("options", [{}, {"property_order": "any", "whitespace": "any"}, {"whitespace": 1}], ids=str)
@pytest.mark.parametrize("schema", EXACT, ids=json.dumps)
def test_masks_have_the_arrays_of_jsonschema(schema: Any, options: Any) -> None:
    schema = schema | {"type": "array"}
    language, judge = JSONSchema(schema, **options), validator(schema)
    assert is_exact(language)
    indent = options.get("whitespace") if options.get("whitespace") == 1 else None
    for value in ARRAYS:
        text = json.dumps(value, indent=indent).encode()
        assert accepts(language.node, text) == judge.is_valid(value), value


@pytest.mark.parametrize("schema", EXACT, ids=json.dumps)
def test_values_written_when_they_are_met_are_those_of_the_whole(schema: Any) -> None:
    schema = schema | {"type": "array"}
    automaton, judge = JSONSchema(schema).compile(BYTES), validator(schema)
    for value in ARRAYS:
        assert automaton.accepts(json.dumps(value).encode()) == judge.is_valid(value), value
    shortest = min(
        len(json.dumps(items, separators=(",", ":")))
        for items in ARRAYS + [["", *a] for a in ARRAYS]
        if judge.is_valid(items)
    )
    assert automaton.distance_to_accept(automaton.start) <= shortest


def test_masks_lead_to_matches() -> None:
    schema = {"type": "array", "items": {"enum": [1, 2]}, "contains": ONE, "minContains": 2, "maxItems": 3}
    node = JSONSchema(schema, whitespace="compact").node
    texts = {json.dumps(a, separators=(",", ":")) for a in ARRAYS if validator(schema).is_valid(a)}
    prefixes = {text[:end] for text in texts for end in range(len(text) + 1)}
    tried = {prefix + more for prefix in prefixes for more in "[],12"} | {""}
    assert len(prefixes) > 10
    for text in tried:
        assert completable(node, text.encode()) == (text in prefixes), text


SMALL = st.sampled_from([ONE, {"enum": [1, "a"]}, {"type": "string"}, {"minimum": 2}, {"required": ["k"]}, True, False])
SCHEMAS = st.fixed_dictionaries(
    {"contains": SMALL},
    optional={
        "minContains": st.integers(0, 3),
        "maxContains": st.integers(0, 3),
        "minItems": st.integers(0, 3),
        "maxItems": st.integers(0, 4),
        "prefixItems": st.lists(SMALL, min_size=1, max_size=3),
        "items": SMALL,
    },
)


@settings(max_examples=150)
@given(SCHEMAS, st.none() | SCHEMAS)
def test_random_bounds(schema: Any, also: Any) -> None:
    schema = {"type": "array", **schema} if also is None else {"type": "array", "allOf": [schema, also]}
    judge = validator(schema)
    valid = [value for value in ARRAYS if judge.is_valid(value)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SchemaWarning)
        try:
            language = JSONSchema(schema)
            automaton = language.compile(BYTES)
        except InvalidLanguage:
            assert not valid
            return
    assert is_exact(language)
    for value in ARRAYS:
        text = json.dumps(value).encode()
        assert accepts(language.node, text) == automaton.accepts(text) == (value in valid), value


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"contains": False}, "contains"),
        ({"contains": {"type": "string"}, "items": {"type": "integer"}}, "contains"),
        ({"contains": ONE, "minContains": 2, "prefixItems": [True, {"const": 2}], "items": {"const": 2}}, "contains"),
        ({"contains": ONE, "minContains": 3, "maxItems": 2}, "contains"),
        ({"contains": ONE, "minContains": 3, "maxContains": 2}, "minContains 3 is above maxContains 2"),
        ({"contains": {"multipleOf": 3}, "minContains": 3, "maxContains": 2}, "minContains 3 is above maxContains 2"),
        ({"uniqueItems": True, "items": ONE, "contains": ONE, "minContains": 2}, "fewer distinct items .* contains"),
        ({"contains": ONE, "maxContains": 1, "items": ONE, "minItems": 2}, "no value"),
        ({"uniqueItems": True, "items": {"enum": [1, 1.0]}, "minItems": 2}, "fewer distinct items .* minItems 2"),
        ({"uniqueItems": True, "items": False, "minItems": 2}, "fewer items are possible than minItems 2"),
        ({"allOf": [{"contains": ONE}, {"items": {"type": "string"}}]}, "together"),
    ],
    ids=json.dumps,
)
def test_what_no_array_can_contain(more: Any, said: str) -> None:
    with pytest.raises(InvalidLanguage, match=said):
        JSONSchema({"type": "array", **more}).compile(BYTES)


@pytest.mark.parametrize(
    "more",
    [
        {"contains": ONE, "minContains": 51},
        {"contains": ONE, "maxItems": 200},
        {"contains": {"multipleOf": 3}, "maxContains": 1},
        {"contains": {"uniqueItems": True, "type": "array"}},
        {"uniqueItems": True},
        {"uniqueItems": True, "items": {"enum": [*range(20)]}},
        {"uniqueItems": True, "items": {"enum": [*range(20_000)]}},
        {"uniqueItems": True, "items": {"enum": [1, 2]}, "contains": {"const": 1}},
        {"uniqueItems": True, "prefixItems": [True], "items": {"enum": [1, 2]}},
        {"uniqueItems": True, "items": {"enum": [{"a": 1, "b": 2}, {"b": 2, "a": 1}, 1]}},
        {"not": {"uniqueItems": True}},
    ],
    ids=json.dumps,
)
def test_what_is_too_much_for_masks_is_checked_on_whole_texts(more: Any) -> None:
    language, judge = JSONSchema({"type": "array", **more}), validator(more)
    assert not is_exact(language)
    for value in [[], [1], [1] * 100, [1] * 101, [2, 4, 6], [3, 6], [[3, 3]], [[1]], [2] * 200 + [1], [1, 2], [2, 2]]:
        assert language.matches(json.dumps(value)) == judge.is_valid(value), value


@pytest.mark.parametrize(("low", "items"), [(50, 0), (30, 40), (1, 50)])
def test_as_many_matches_as_masks_count(low: int, items: int) -> None:
    language = JSONSchema({"type": "array", "contains": ONE, "minContains": low, "minItems": items})
    assert is_exact(language)
    automaton, least = language.compile(BYTES), max(low, items)
    for ones, others in [(low, least - low), (low - 1, least), (low, least - low - 1), (low + 5, 0), (least, 3)]:
        text = json.dumps([2, 1] * min(ones, others) + [2] * (others - ones) + [1] * (ones - others)).encode()
        expected = ones >= low and ones + max(0, others) >= items
        assert automaton.accepts(text) == accepts(language.node, text) == expected, (ones, others)


def test_objects_among_items_in_any_order() -> None:
    names = [*"abcde"]
    row = {"type": "object", "properties": {name: {"type": "integer"} for name in names}, "required": names}
    schema = {"type": "array", "contains": row | {"additionalProperties": False}}
    language = JSONSchema(schema, property_order="any")
    assert is_exact(language)
    full, short = dict.fromkeys("edcba", 1), dict.fromkeys("dcba", 1)
    assert accepts(language.node, json.dumps([short, full]).encode())
    assert not accepts(language.node, json.dumps([short, 1]).encode())


def test_matches_beyond_any_text() -> None:
    with pytest.raises(LimitExceeded, match="minContains"):
        JSONSchema({"type": "array", "contains": ONE, "minContains": 10**9})


def test_items_that_contain_the_same_again() -> None:
    schema = {"type": ["array", "integer"], "contains": {"anyOf": [ONE, {"$ref": "#", "type": "array"}]}}
    language, judge = JSONSchema(schema), validator(schema)
    assert is_exact(language)
    automaton = language.compile(BYTES)
    for value in [[], [1], [2], [[1]], [[2]], [2, [3, [1]], "a"], [[[[]]]], [[], 2, [[1], []]], 3]:
        text = json.dumps(value).encode()
        assert accepts(language.node, text) == automaton.accepts(text) == judge.is_valid(value), value
