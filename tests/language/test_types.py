"""Python types as schemas, and texts as typed values."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from pgen.automata.acceptor import accepts as matches
from pgen.errors import InvalidArgument, InvalidLanguage
from pgen.language.json_schema import JSONSchema
from pgen.language.types import parse_value, schema_of
from pgen.tokens import Vocabulary


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=0, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str] = []


class Order(BaseModel):
    name: str = Field(min_length=1, max_length=8, pattern="^[A-Z]")
    colour: Colour
    price: float | None = Field(default=None, gt=0, lt=1000)
    day: datetime.date
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    pair: tuple[int, bool] = (1, True)
    counts: dict[str, int] = {}


@dataclasses.dataclass
class Point:
    x: int
    y: Optional[int] = None  # noqa: UP045


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Shelf(TypedDict, total=False):
    movies: list[Movie]
    best: Movie | None
    note: Annotated[Movie, "kept"]


class Node(BaseModel):
    children: list[Node] = []


class LinkedDict(TypedDict):
    tail: LinkedDict


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


ORDER = {"name": "Ab", "colour": "red", "price": 1.5, "day": "2024-02-29", "pet": {"kind": "cat", "lives": 9}}


def accepts(source: Any, value: Any) -> bool:
    return matches(JSONSchema(source).node, json.dumps(value).encode())


def test_a_model_goes_there_and_back() -> None:
    language = JSONSchema(Order)
    assert language.properties == ("name", "colour", "price", "day", "pet", "pair", "counts")
    assert accepts(Order, ORDER)
    value = parse_value(Order, json.dumps(ORDER))
    assert isinstance(value, Order)
    assert (value.colour, value.pet) == (Colour.RED, Cat(kind="cat", lives=9))
    assert parse_value(language, json.dumps(ORDER)) == value
    assert repr(language) == "JSONSchema(Order)"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "ab"},
        {"name": "A" * 9},
        {"colour": "green"},
        {"price": 0},
        {"price": 1000},
        {"day": "2023-02-29"},
        {"pet": {"kind": "dog", "lives": 1}},
        {"pair": [1]},
        {"more": 1},
    ],
)
def test_what_a_model_refuses(change: dict[str, Any]) -> None:
    assert not accepts(Order, {**ORDER, **change})


@settings(max_examples=40)
@given(
    st.builds(
        Order,
        name=st.from_regex("[A-Z][a-zé\n]{0,5}", fullmatch=True),
        price=st.none() | st.floats(0, 1000, exclude_min=True, exclude_max=True),
        pet=st.builds(Cat, lives=st.integers(0, 9)) | st.builds(Dog, tricks=st.lists(st.text(max_size=3), max_size=2)),
        counts=st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    )
)
def test_every_instance_is_accepted_as_its_dump(order: Order) -> None:
    data = order.model_dump(mode="json")
    assert matches(JSONSchema(Order).node, json.dumps(data).encode())
    assert parse_value(Order, json.dumps(data)) == order


def test_dataclasses() -> None:
    assert accepts(Point, {"x": 1, "y": None})
    assert not accepts(Point, {"x": 1, "z": None})
    assert parse_value(Point, '{"x": 1}') == Point(1)


def test_typed_dicts_of_the_standard_library() -> None:
    assert accepts(Movie, {"title": "M"})
    assert not accepts(Movie, {"year": 1931})
    shelf = {"movies": [{"title": "M", "year": 1931}], "best": None, "note": {"title": "N"}}
    assert accepts(Shelf, shelf)
    assert accepts(list[Movie], shelf["movies"])
    assert not accepts(Shelf, {"best": {}})
    assert parse_value(Shelf, json.dumps(shelf)) == shelf


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (int, "3", 3),
        (list[int], "[1, 2]", [1, 2]),
        (set[int], "[1, 2]", {1, 2}),
        (dict[str, bool], '{"a": true}', {"a": True}),
        (Literal["a", "b"], '"b"', "b"),
        (int | None, "null", None),
        (datetime.datetime, '"2024-01-02T03:04:05Z"', datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)),
        (datetime.timedelta, '"PT1M"', datetime.timedelta(minutes=1)),
        (UUID, '"2eb8aa08-aa98-11ea-b4aa-73b441d16380"', UUID("2eb8aa08-aa98-11ea-b4aa-73b441d16380")),
        (Decimal, '"1.50"', Decimal("1.50")),
        (bytes, '"ab"', b"ab"),
        (tuple[int, str], '[1, "a"]', (1, "a")),
    ],
)
def test_annotations(annotation: Any, text: str, value: Any) -> None:
    assert matches(JSONSchema(annotation).node, text.encode())
    assert parse_value(annotation, text) == value


def test_types_are_closed_unless_they_say_otherwise() -> None:
    assert schema_of(Point)["additionalProperties"] is False  # type: ignore[index]
    assert accepts(Open, {"a": 1, "b": [2]})
    assert JSONSchema(Order).residual == (JSONSchema(dict[str, int]).residual)
    assert JSONSchema(Movie).residual == ()


def test_a_property_may_be_called_properties() -> None:
    class Odd(BaseModel):
        properties: dict[str, int]
        items: int

    assert accepts(Odd, {"properties": {"a": 1}, "items": 3})


def test_schemas_give_plain_data() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    assert schema_of(json.dumps(schema)) == schema_of(schema) == schema
    assert parse_value(schema, '{"a": 1}') == {"a": 1}
    assert parse_value(JSONSchema({"format": "date"}, format="annotate"), '"x"') == "x"


@pytest.mark.parametrize(
    ("source", "text", "said"),
    [
        ({"type": "integer"}, '"a"', "not of type"),
        ({"properties": {"a": {"type": "integer"}}}, '{"a": "b"}', r"\$\.a"),
        ({"format": "date"}, '"2023-02-29"', "date"),
        (Point, '{"x": "a"}', "x"),
        (int, "{", "not a JSON text"),
        ({}, '{"a":1,"a":2}', "twice"),
        ({}, "NaN", "NaN"),
    ],
)
def test_invalid_values_say_what_is_wrong(source: Any, text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        parse_value(source, text)


@pytest.mark.parametrize("source", [3, "nope", "[1]", '{"a":1,"a":2}', {"a": {1}}, {"minimum": float("nan")}, object()])
def test_what_is_no_schema(source: Any) -> None:
    with pytest.raises(InvalidLanguage):
        schema_of(source)


def test_recursive_types() -> None:
    language = JSONSchema(Node)
    tree: Any = {"children": []}
    for _ in range(20):
        tree = {"children": [tree, {}]}
    assert language.matches(json.dumps(tree))
    assert not language.matches(json.dumps({"children": [tree, 1]}))
    with pytest.raises(InvalidLanguage):
        JSONSchema(LinkedDict).compile(Vocabulary([bytes([b]) for b in range(256)] + [b"</s>"], 256, {256}))
