"""Python types as JSON Schemas, and JSON texts as typed values.

pydantic knows models, dataclasses, `TypedDict`s and `typing` annotations, and
writes their schemas; it is imported when a type is first seen. A type has no
properties but those it declares, so its objects are closed unless it says
otherwise (`extra="allow"`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING, Any

from pgen.errors import InvalidArgument, InvalidLanguage, LimitExceeded
from pgen.language.base import late
from pgen.language.typed_dicts import readable

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from pgen.language.json_schema import JSONSchema

Schema = dict[str, Any]

_NAMES = frozenset({str})
_MAX_BITS = 10_000
"""Python writes no integer of more than 4,300 digits."""
_NESTED_MAPS = ("$defs", "definitions", "properties", "patternProperties")
_NESTED_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_NESTED = ("items", "additionalProperties", "propertyNames")


def schema_of(source: Any) -> Schema | bool:
    """The JSON Schema of a type, of a `JSONSchema`, of JSON text, or of a schema itself.

    Raises `InvalidLanguage` on text that is not JSON or not a schema, and on types
    that have no schema.
    """
    if isinstance(source, str):
        return _parsed(source)
    if isinstance(source, (dict, bool)):
        return _plain(source)
    if _is_language(source):
        schema: Schema | bool = source.schema
        return schema
    return _closed(_type_schema(source))


def parse_value(source: Any, text: str) -> Any:
    """The typed value of a JSON text: an instance of the type, or plain JSON data for a schema.

    Raises `InvalidArgument`, saying what is wrong and where, if the text is not JSON,
    names a property twice or is not valid.
    """
    values = late("pgen.language.json_schema:values")
    try:
        value = values.parse(text)
    except ValueError as error:
        raise InvalidArgument(f"not a JSON text: {error}") from None
    assert_formats = source.assert_formats if _is_language(source) else True
    origin = source.source if _is_language(source) else source
    if not isinstance(origin, (str, dict, bool)):
        return _typed_value(origin, text)
    resources = json.dumps(source.resources) if _is_language(source) else "{}"
    wrong = values.first_error(json.dumps(schema_of(source)), assert_formats, text, resources)
    if wrong is not None:
        raise InvalidArgument(f"the value is not valid: {wrong}")
    return value


def _is_language(source: Any) -> bool:
    language: type[JSONSchema] = late("pgen.language.json_schema:JSONSchema")
    return isinstance(source, language)


def _parsed(text: str) -> Schema | bool:
    try:
        schema = late("pgen.language.json_schema:values").parse(text)
    except ValueError as error:
        position = error.pos if isinstance(error, json.JSONDecodeError) else None
        raise InvalidLanguage(f"the schema is not JSON: {error}", source=text, position=position) from None
    if not isinstance(schema, (dict, bool)):
        raise InvalidLanguage(f"a schema is an object, true or false, not {schema!r:.80}", pointer="")
    return schema


def _plain(schema: Schema | bool) -> Schema | bool:
    """A copy of `schema`, checked to be JSON data."""
    try:
        copied: Schema | bool = _copied(schema)
    except RecursionError:
        raise LimitExceeded("the schema nests too deeply", hint="use fewer levels") from None
    except (TypeError, ValueError) as error:
        raise InvalidLanguage(f"the schema is not JSON data: {error}") from None
    return copied


def _copied(value: Any) -> Any:
    """A copy of JSON data; what is of other types, such as tuples, is what `json` makes of it."""
    kind = type(value)
    if kind is dict and _NAMES.issuperset(map(type, value)):
        return {name: part if type(part) is str else _copied(part) for name, part in value.items()}
    if kind is list:
        return [part if type(part) is str else _copied(part) for part in value]
    if kind is str or kind is bool or value is None or (kind is int and value.bit_length() <= _MAX_BITS):
        return value
    if kind is float and isfinite(value):
        return value
    return json.loads(json.dumps(value, allow_nan=False))


def _adapter(source: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        return TypeAdapter(readable(source))
    except PydanticUserError as error:
        raise InvalidLanguage(
            f"{source!r:.80} is neither a schema nor a type that pydantic knows: {error.message}",
            hint="pass a dict, JSON text, a pydantic model, a dataclass, a TypedDict or an annotation",
        ) from None


def _type_schema(source: Any) -> Schema:
    from pydantic.errors import PydanticInvalidForJsonSchema

    try:
        return _adapter(source).json_schema()
    except PydanticInvalidForJsonSchema as error:
        raise InvalidLanguage(f"{source!r:.80} has no JSON Schema: {error.message}") from None


def _typed_value(source: Any, text: str) -> Any:
    from pydantic import ValidationError

    try:
        return _adapter(source).validate_json(text)
    except ValidationError as error:
        raise InvalidArgument(f"the value is not valid: {error}") from None


def _closed(schema: Schema) -> Schema:
    """`schema` with no additional properties in objects that declare theirs."""
    closed = schema | dict(_nested(schema))
    if "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


def _nested(schema: Schema) -> Iterator[tuple[str, Any]]:
    for keyword, value in schema.items():
        if keyword in _NESTED_MAPS:
            yield keyword, {name: _closed_any(item) for name, item in value.items()}
        elif keyword in _NESTED_LISTS:
            yield keyword, [_closed_any(item) for item in value]
        elif keyword in _NESTED:
            yield keyword, _closed_any(value)


def _closed_any(schema: Any) -> Any:
    return _closed(schema) if isinstance(schema, dict) else schema
