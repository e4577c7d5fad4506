"""`JSONSchema` against `jsonschema`: random schemas, random values, mutated texts."""

from __future__ import annotations

import json
import pickle
import time
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgen.automata.acceptor import accepts as matches
from pgen.errors import InvalidArgument, InvalidLanguage
from pgen.language.json_schema import JSONSchema, SchemaWarning
from pgen.language.json_schema.meet import contains, extra_shape
from pgen.language.json_schema.reader import Reader
from pgen.language.json_schema.shapes import ArrayShape, ObjectShape, Shape
from pgen.language.json_schema.values import has_distinct_names, is_valid

NAMES = st.sampled_from(["a", "b", "é", 'q"', "x1"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-4, 12), st.sampled_from([0.5, 1.0, 2.5, 1e-7]), st.text("aé\n", max_size=3)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)


def mapping(**keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keywords)


def combined(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    return {**left, **right}


def composite(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    arrays = mapping(
        items=inner,
        prefixItems=st.lists(inner, min_size=1, max_size=2),
        minItems=st.integers(0, 2),
        maxItems=st.integers(2, 3),
        uniqueItems=st.booleans(),
    )
    objects = mapping(
        properties=st.dictionaries(NAMES, inner, max_size=3),
        required=st.lists(NAMES, max_size=2, unique=True),
        additionalProperties=inner | st.booleans(),
        patternProperties=st.dictionaries(st.sampled_from(["^a", "1$", "é|q"]), inner, max_size=2),
        propertyNames=st.sampled_from([{"maxLength": 1}, {"pattern": "[a-z]"}, {"enum": ["a", "é"]}]),
        minProperties=st.integers(0, 2),
        maxProperties=st.integers(2, 3),
    )
    groups = st.lists(inner, min_size=1, max_size=2)
    applied = mapping(allOf=groups, anyOf=groups, oneOf=groups) | st.builds(lambda s: {"not": s}, inner)
    return st.builds(combined, arrays | objects | applied, st.just({}) | mapping(anyOf=groups))


LEAVES = st.one_of(
    st.booleans(),
    mapping(type=st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])),
    st.builds(lambda t: {"type": t}, st.lists(st.sampled_from(["null", "integer", "string", "object"]), min_size=1, max_size=2, unique=True)),
    mapping(minimum=st.integers(-3, 2), exclusiveMaximum=st.sampled_from([3, 2.5, 9]), multipleOf=st.sampled_from([1, 2, 0.5])),
    mapping(minLength=st.integers(0, 1), maxLength=st.integers(1, 2), pattern=st.sampled_from(["^a", "é", "a|\n"])),
    st.builds(lambda v: {"const": v}, VALUES),
    st.builds(lambda v: {"enum": v}, st.lists(VALUES, min_size=1, max_size=3)),
)  # fmt: skip
SCHEMAS = st.recursive(LEAVES, composite, max_leaves=6)


def compiled(schema: Any) -> JSONSchema | None:
    """The language, or `None` where the schema contradicts itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SchemaWarning)
        try:
            language = JSONSchema(schema)
            matches(language.node, b"")
        except InvalidLanguage as error:
            if "contradicts itself" in str(error) or "no value is valid" in str(error):
                return None
            raise
    return language


def shape_of(language: JSONSchema) -> Shape:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SchemaWarning)
        return Reader(language.schema).whole()


def ordered(shape: Shape, value: Any) -> Any:
    """`value` with names in the order in which an option that it satisfies declares them."""
    option = next((o for o in shape.options or () if contains(Shape((o,)), value)), None)
    if isinstance(option, ObjectShape):
        declared = dict(option.properties)
        names = [n for n in declared if n in value] + [n for n in value if n not in declared]
        return {n: ordered(declared.get(n) or extra_shape(option.extras, n), value[n]) for n in names}
    if isinstance(option, ArrayShape):
        items = [*option.prefix, *[option.rest] * len(value)]
        return [ordered(item, part) for item, part in zip(items, value, strict=False)]
    return value if option is None or not hasattr(option, "value") else option.value


def whole_truth(language: JSONSchema, text: str) -> bool:
    return matches(language.node, text.encode()) and all(fact.holds(text) for fact in language.residual)


@settings(max_examples=200)
@given(
    SCHEMAS, st.lists(VALUES, min_size=1, max_size=4), st.booleans(), st.sampled_from([None, (",", ":"), (", ", ":")])
)
def test_a_value_is_accepted_iff_jsonschema_finds_it_valid(
    schema: Any, values: list[Any], ensure_ascii: bool, separators: tuple[str, str] | None
) -> None:
    language = compiled(schema)
    if language is None:
        return
    shape = shape_of(language)
    for value in values:
        text = json.dumps(ordered(shape, value), ensure_ascii=ensure_ascii, separators=separators)
        assert whole_truth(language, text) == is_valid(json.dumps(schema), True, text), text


@settings(max_examples=100)
@given(SCHEMAS, VALUES, st.data())
def test_mutated_texts_are_accepted_only_if_they_are_valid(schema: Any, value: Any, data: st.DataObject) -> None:
    language = compiled(schema)
    if language is None:
        return
    text = json.dumps(value)
    at = data.draw(st.integers(0, len(text)))
    mutated = text[:at] + data.draw(st.text('0a"{}[],: .-e\\', max_size=2)) + text[at + data.draw(st.integers(0, 2)) :]
    if whole_truth(language, mutated):
        assert has_distinct_names(mutated)
        assert is_valid(json.dumps(schema), True, mutated)


@settings(max_examples=100)
@given(SCHEMAS, VALUES)
def test_membership_of_shapes_is_membership_of_masks(schema: Any, value: Any) -> None:
    language = compiled(schema)
    if language is not None and is_valid(json.dumps(schema), True, json.dumps(value)):
        assert contains(shape_of(language), value)


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["name"],
    "additionalProperties": False,
}  # fmt: skip
ANN = {"name": "Ann", "age": 3, "tags": ["x", "y"]}


@pytest.mark.parametrize(
    ("whitespace", "accepted", "rejected"),
    [
        ("default", ['{"name":"A"}', '{"name": "A","age":1}', json.dumps(ANN)], ['{ "name":"A"}', '{"name" :"A"}', "{}"]),
        ("compact", ['{"name":"A"}'], ['{"name": "A"}', json.dumps(ANN)]),
        ("any", ['\n{ "name"\t:\r\n"A" , "tags" : [ ] }  ', json.dumps(ANN, indent=3)], ['{"name"\x0b:"A"}', " " * 33 + '{"name":"A"}']),
        (2, [json.dumps(ANN, indent=2), json.dumps({"name": "A", "tags": []}, indent=2)], [json.dumps(ANN), json.dumps(ANN, indent=3)]),
        (0, [json.dumps(ANN, indent=0)], [json.dumps(ANN)]),
    ],
)  # fmt: skip
def test_whitespace(whitespace: str | int, accepted: list[str], rejected: list[str]) -> None:
    node = JSONSchema(PERSON, whitespace=whitespace).node
    assert [text for text in accepted if not matches(node, text.encode())] == []
    assert [text for text in rejected if matches(node, text.encode())] == []


@pytest.mark.parametrize(
    "options",
    [
        {"whitespace": "some"},
        {"whitespace": -1},
        {"whitespace": True},
        {"property_order": "sorted"},
        {"format": "ignore"},
    ],
)
def test_unknown_options_raise(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(options))):
        JSONSchema(PERSON, **options)


def test_properties_come_in_declared_order() -> None:
    node = JSONSchema(PERSON).node
    assert matches(node, b'{"name":"A","age":1}')
    assert not matches(node, b'{"age":1,"name":"A"}')


def test_undeclared_properties_follow_under_other_names() -> None:
    language = JSONSchema({"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}}})
    assert matches(language.node, b'{"b":null,"c":[1]}')
    assert not matches(language.node, b'{"b":null,"a":1}'), "a declared name is no extra one"
    assert not matches(language.node, rb'{"b":null,"\u0061":1}'), "nor is another spelling of it"
    twice = '{"c":1,"c":2}'
    assert matches(language.node, twice.encode())
    assert not whole_truth(language, twice)


def test_residuals_name_their_places() -> None:
    schema = {"items": {"uniqueItems": True}, "type": "array", "not": {"const": []}}
    facts = {(fact.pointer, fact.description) for fact in JSONSchema(schema).residual}
    assert ("/items/uniqueItems", "uniqueItems at /items/uniqueItems") in facts
    assert ("/not", "not at /not") in facts


def test_disjoint_one_of_needs_no_residual() -> None:
    def branch(kind: str) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"kind": {"const": kind}},
            "required": ["kind"],
            "additionalProperties": False,
        }

    assert JSONSchema({"oneOf": [branch("a"), branch("b"), {"type": "null"}]}).residual == ()
    overlapping = JSONSchema({"oneOf": [{"type": "integer"}, {"type": "number"}]})
    assert (whole_truth(overlapping, "1"), whole_truth(overlapping, "1.5")) == (False, True)


def test_counts_of_extra_properties_are_held_by_the_mask() -> None:
    language = JSONSchema(
        {"type": "object", "additionalProperties": {"type": "null"}, "minProperties": 1, "maxProperties": 2}
    )
    texts = ["{}", '{"a":null}', '{"a":null,"b":null}', '{"a":null,"b":null,"c":null}']
    assert [matches(language.node, text.encode()) for text in texts] == [False, True, True, False]


def test_constants_as_json_dumps_writes_them() -> None:
    node = JSONSchema({"enum": ["é", 1, 2.5, [1, {"a": None}], True, 0]}).node
    accepted = ['"é"', r'"\u00e9"', "1", "1.0", "2.5", '[1, {"a":null}]', "true", "0", "-0.0"]
    rejected = [r'"\u00E9"', "1.00", "10e-1", "2.50", '[1,{"a":null} ]', "false"]
    assert [text for text in accepted if not matches(node, text.encode())] == []
    assert [text for text in rejected if matches(node, text.encode())] == []


def test_languages_of_one_schema_are_equal_values() -> None:
    one, other = JSONSchema(PERSON | {"minProperties": 2}), JSONSchema(json.dumps(PERSON | {"minProperties": 2}))
    assert one == other
    assert hash(one) == hash(other)
    assert one != JSONSchema(PERSON)
    assert pickle.loads(pickle.dumps(one.node)) == one.node
    assert JSONSchema(one) == one


def test_declared_names_of_the_top_level() -> None:
    schema = {"$ref": "#/$defs/p", "$defs": {"p": PERSON}, "properties": {"id": {"type": "null"}}}
    assert JSONSchema(schema).properties == ("id", "name", "age", "tags")
    assert JSONSchema({"type": "array"}).properties == ()


def test_twenty_properties_compile_in_milliseconds() -> None:
    schema = {
        "type": "object",
        "properties": {f"p{i}": {"type": "string", "maxLength": 40, "format": "email"} for i in range(20)},
        "required": ["p3"],
    }
    JSONSchema(schema)
    start = time.perf_counter()
    JSONSchema({**schema, "title": "fresh"})
    assert time.perf_counter() - start < 0.1
