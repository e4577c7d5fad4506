"""Where in a value and in its schema a JSON text stands, for messages about texts.

The text up to the place is read by a small tokenizer, which keeps the path of open
objects and arrays; the schema is followed along that path through references and
applicators. Only `explain` comes here. Linear in the text, times the schemas that apply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pgen.errors import PgenError
from pgen.language.base import Language, late
from pgen.language.json_schema.dialects import dialect_of
from pgen.language.json_schema.references import Document, escaped
from pgen.language.json_schema.strings import in_python

_TOKEN = re.compile(r'[ \t\n\r]+|[{}\[\]:,]|"(?:[^"\\]|\\.)*\\?"?|[^\s{}\[\]:,"]+', re.DOTALL)
_OF_OBJECTS = (
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependencies",
    "unevaluatedProperties",
)
_OF_ARRAYS = (
    "items",
    "prefixItems",
    "additionalItems",
    "minItems",
    "maxItems",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
)
_OF_ALL_ITEMS = ("uniqueItems", "contains", "minContains", "maxContains")
_OF_ENDS = {"}": ("required", "minProperties", "dependentRequired"), "]": ("minItems", *_OF_ALL_ITEMS)}
"""The keywords that the end of an object or of an array may break."""
_OF_VALUES = (
    "type",
    "const",
    "enum",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
)
_COMPANIONS = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}
_BRANCHES = ("allOf", "anyOf", "oneOf")


class Place(NamedTuple):
    """A place in a JSON text: the steps to a value; what is written (`"value"`, `"name"`, `"rest"`), and from where."""

    steps: tuple[str | int, ...]
    doing: str
    start: int

    @property
    def pointer(self) -> str:
        """The JSON pointer of the value that is being written, or whose members are."""
        return "".join(f"/{escaped(str(step))}" for step in self.steps)


class _Frame:
    """An open object or array: its current member, and what comes next."""

    def __init__(self, opening: str) -> None:
        self.is_object = opening == "{"
        self.member: str | int = "" if self.is_object else 0
        self.next = "name" if self.is_object else "value"


def place_at_end(text: str) -> Place:
    """Where the end of a beginning of a JSON text stands."""
    frames: list[_Frame] = []
    start, doing = 0, "value"
    for token in _TOKEN.finditer(text):
        if token[0].isspace():
            continue
        open_end = token.end() == len(text) and not _is_closed(token[0])
        doing = _doing(frames)
        if open_end:
            start = token.start()
            break
        _read(frames, token[0])
        start, doing = token.end(), _doing(frames)
    inner = frames if doing == "value" else frames[:-1]
    return Place(tuple(frame.member for frame in inner), doing, start)


def _is_closed(token: str) -> bool:
    """Whether nothing can be added to a token (numbers and unfinished strings can be longer)."""
    if token.startswith('"'):
        return re.fullmatch(r'"(?:[^"\\]|\\.)*"', token, re.DOTALL) is not None
    return token in ("{", "}", "[", "]", ":", ",", "true", "false", "null")


def _doing(frames: list[_Frame]) -> str:
    return frames[-1].next if frames else "value"


def _read(frames: list[_Frame], token: str) -> None:
    """Follow one whole token."""
    if token in "{[":
        frames.append(_Frame(token))
        return
    if token in "}]":
        frames.pop()
    frame = frames[-1] if frames else None
    if frame is None:
        return
    if token == ":":
        frame.next = "value"
    elif token == ",":
        frame.next = "name" if frame.is_object else "value"
        frame.member = frame.member + 1 if isinstance(frame.member, int) else frame.member
    elif frame.is_object and frame.next == "name" and token not in "}]":
        frame.member, frame.next = json.loads(token), "rest"
    else:
        frame.next = "rest"


def parts_at(
    schema: Any, assert_formats: bool, resources: Mapping[str, Any], before: str, after: str
) -> tuple[str, ...]:
    """The keywords that decide what may stand where `before` ends, as messages name them."""
    place = place_at_end(before)
    following = (before + after)[place.start :].lstrip(" \t\n\r")
    if place.doing != "rest" and following[:1] in tuple("]}"):
        place = Place(place.steps[: -1 if place.doing == "value" else None], "rest", place.start)
    document = Document(schema, dialect_of(schema, resources), resources)
    found = list(_decisive(place, document))
    blamed = _blamed(found, place.doing, following, assert_formats)
    if not blamed and place.doing == "value" and place.steps and not after[:1].isspace():
        # The value alone may be right, and be wrong among the others.
        around = place._replace(steps=place.steps[:-1], doing="rest")
        blamed = _blamed_around(list(_decisive(around, document)), following)
        place = around if blamed else place
    found = blamed or found
    where = {"value": "the value", "name": "the names", "rest": "the members"}[place.doing]
    said = f"{where} at {place.pointer or 'the root'}"
    return tuple(f"{said}, with {part.said}" for part in found) or (said,)


class _Keyword(NamedTuple):
    pointer: str
    name: str
    schema: Mapping[str, Any]

    @property
    def said(self) -> str:
        """The keyword, its value if it is short, and where it stands."""
        value = json.dumps(self.schema[self.name], ensure_ascii=False)
        shown = f" {value}" if len(value) <= 60 else ""
        return f"{self.name}{shown} (#{self.pointer}/{self.name})"


def _decisive(place: Place, document: Document) -> Iterator[_Keyword]:
    pointers = _applicable([""], document)
    for step in place.steps:
        pointers = _applicable(list(_below(pointers, step, document)), document)
    names = _OF_VALUES if place.doing == "value" else _OF_OBJECTS + _OF_ARRAYS
    for pointer in pointers:
        schema = document.known_at(pointer)
        yield from (_Keyword(pointer, name, schema) for name in names if name in schema)


def _applicable(waiting: list[str], document: Document) -> list[str]:
    """The schemas at some pointers, with those that they refer to or branch into."""
    found: dict[str, None] = {}
    while waiting:
        pointer = waiting.pop(0)
        schema = document.known_at(pointer)
        if pointer in found:
            continue
        found[pointer] = None
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            target = document.target(schema[keyword], pointer) if keyword in schema else None
            waiting += [] if target is None else [target]
        for keyword in _BRANCHES:
            waiting += [f"{pointer}/{keyword}/{i}" for i in range(len(schema.get(keyword, ())))]
        waiting += [f"{pointer}/{keyword}" for keyword in ("then", "else") if keyword in schema]
    return list(found)


def _below(pointers: list[str], step: str | int, document: Document) -> Iterator[str]:
    """The schemas of a member of the values that the schemas at some pointers describe."""
    for pointer in pointers:
        schema = document.known_at(pointer)
        steps = _of_item(schema, step) if isinstance(step, int) else _of_property(schema, step)
        yield from (pointer + found for found in steps)


def _of_property(schema: Mapping[str, Any], name: str) -> list[str]:
    found = [f"/properties/{escaped(name)}"] if name in schema.get("properties", ()) else []
    patterns = schema.get("patternProperties", ())
    found += [f"/patternProperties/{escaped(pattern)}" for pattern in patterns if re.search(in_python(pattern), name)]
    others = ("additionalProperties", "unevaluatedProperties")
    return found or [f"/{keyword}" for keyword in others if keyword in schema]


def _of_item(schema: Mapping[str, Any], index: int) -> list[str]:
    for keyword in ("prefixItems", "items"):
        listed = schema.get(keyword)
        if isinstance(listed, list) and index < len(listed):
            return [f"/{keyword}/{index}"]
    others = ("items", "additionalItems", "unevaluatedItems")
    return [f"/{keyword}" for keyword in others if isinstance(schema.get(keyword), (dict, bool))]


def _blamed(found: list[_Keyword], doing: str, text: str, assert_formats: bool) -> list[_Keyword]:
    """The keywords that what is written from here on breaks, as far as it is complete."""
    if doing == "rest":
        return [part for part in found if part.name in _OF_ENDS.get(text[:1], ())]
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return []
    if doing == "value":
        return [part for part in found if _fails(part, value, assert_formats)]
    known = [part for part in found if part.name == "properties" and _has(part.schema, value)]
    return known or [part for part in found if part.name in ("additionalProperties", "unevaluatedProperties")]


def _blamed_around(found: list[_Keyword], text: str) -> list[_Keyword]:
    """The keywords of all members that may forbid the value that `text` begins with, or the end behind it."""
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return []
    following = text[end:].lstrip(" \t\n\r")[:1]
    return [part for part in found if part.name in _OF_ENDS.get(following, _OF_ALL_ITEMS)]


def _has(schema: Mapping[str, Any], name: Any) -> bool:
    return isinstance(name, str) and name in schema["properties"]


def _fails(part: _Keyword, value: Any, assert_formats: bool) -> bool:
    """Whether a value breaks a keyword alone."""
    kept = {name: part.schema[name] for name in (part.name, _COMPANIONS.get(part.name, "")) if name in part.schema}
    make = late("pgen.language.json_schema.language:JSONSchema")
    try:
        alone: Language = make(kept, format="assert" if assert_formats else "annotate")
    except PgenError:
        return False
    return not alone.matches(json.dumps(value))
