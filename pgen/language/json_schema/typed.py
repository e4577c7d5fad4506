"""The keywords that concern one type of values, and `type` itself, as shapes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pgen.errors import InvalidLanguage, LimitExceeded, UnsupportedFeature
from pgen.language.json_schema import keywords
from pgen.language.json_schema.conditions import complement
from pgen.language.json_schema.dialects import DRAFT_4, Dialect
from pgen.language.json_schema.formats import ANNOTATIONS, INCOMPLETE, PATTERNS
from pgen.language.json_schema.keywords import SchemaWarning
from pgen.language.json_schema.meet import array_shape, meet, meet_all, numbers, object_shape
from pgen.language.json_schema.numbers import enforces_steps, is_multiple
from pgen.language.json_schema.references import escaped
from pgen.language.json_schema.shapes import (
    ANYTHING,
    FALSE,
    NOTHING,
    NULL,
    TRUE,
    ArrayShape,
    Counted,
    Extras,
    NumberShape,
    ObjectShape,
    Option,
    Restriction,
    Shape,
    StringShape,
)
from pgen.language.json_schema.strings import check_pattern, in_python, satisfies

if TYPE_CHECKING:
    from pgen.language.json_schema.reader import Reader

MAX_COUNTED = 100_000
"""Upper bounds on lengths and numbers of items or properties that masks count; larger ones are left open."""

MAX_LEAST = 1_000_000
"""The largest lower bound on lengths and numbers of items or properties."""

Schema = Mapping[str, Any]
Rules = tuple[tuple[Restriction, Shape], ...]


_PLAIN = {
    "null": Shape((NULL,)),
    "boolean": Shape((FALSE, TRUE)),
    "integer": Shape((NumberShape(integer=True),)),
    "number": Shape((NumberShape(),)),
    "string": Shape((StringShape(),)),
    "array": Shape((ArrayShape((), ANYTHING),)),
    "object": Shape((ObjectShape(),)),
}
"""The shapes of types without other keywords: one object each, which is compared in no time."""
_NOT_SAID = [name for name in keywords.TYPES if name != "integer"]


def plain(schema: Schema, dialect: Dialect) -> Shape | None:
    """The shape of a schema that says no more than one type, as most do; `None` of others."""
    said = schema.get("type")
    if type(said) is str and schema.keys() <= keywords.TYPE_ALONE and dialect is not DRAFT_4:
        return _PLAIN.get(said)
    return None


def shape(reader: Reader, schema: Schema, pointer: str) -> Shape:
    """The shape of `type` and of the keywords that concern one type."""
    said = schema.get("type", _NOT_SAID)
    if isinstance(said, str) and said in keywords.TYPES:
        if keywords.TYPED.isdisjoint(schema) and reader.dialect is not DRAFT_4:
            return _PLAIN[said]
        return Shape(_options(reader, said, schema, pointer))
    types = [said] if isinstance(said, str) else said
    unknown = [t for t in types if t not in keywords.TYPES]
    if unknown:
        raise InvalidLanguage(
            f"unknown type {unknown[0]!r}", pointer=f"{pointer}/type", hint="one of " + ", ".join(keywords.TYPES)
        )
    return Shape(tuple(dict.fromkeys(option for t in types for option in _options(reader, t, schema, pointer))))


def _options(reader: Reader, type_name: str, schema: Schema, pointer: str) -> tuple[Option, ...]:
    option: Option | None = None
    if type_name == "null":
        return (NULL,)
    if type_name == "boolean":
        return (FALSE, TRUE)
    if type_name == "string":
        option = _string(reader, schema, pointer)
    elif type_name == "array":
        option = _array(reader, schema, pointer)
    elif type_name == "object":
        option = _object(reader, schema, pointer)
    else:
        option = _number(reader, type_name == "integer", schema, pointer)
    return () if option is None else (option,)


def _number(reader: Reader, integer: bool, schema: Schema, pointer: str) -> NumberShape | None:
    steps = (Decimal(repr(schema["multipleOf"])),) if "multipleOf" in schema else ()
    if integer and steps and is_multiple(Decimal(1), steps[0]):
        steps = ()
    low, above = _bound(schema, "minimum", "exclusiveMinimum", reader)
    high, below = _bound(schema, "maximum", "exclusiveMaximum", reader)
    plain = integer and reader.dialect is DRAFT_4
    found: NumberShape | None = NumberShape(integer, low, high, steps=steps, plain=plain)
    if above is not None or below is not None:
        inclusive = NumberShape(integer, low, high, low == above, high == below, steps, plain)
        found = numbers(inclusive, NumberShape(False, above, below, True, True))
    elif low is not None and high is not None and low > high:
        found = None
    if found is None:
        reader.conflict(f"no number lies within {_said(schema, keywords.NUMBER)}", pointer)
    elif not enforces_steps(found):
        reader.note("multipleOf", pointer)
    return found


def _bound(schema: Schema, keyword: str, exclusive: str, reader: Reader) -> tuple[Decimal | None, Decimal | None]:
    """The inclusive and the exclusive bound; up to draft 4 the latter is a flag."""
    bound = Decimal(schema[keyword]) if keyword in schema else None
    said = schema.get(exclusive)
    if reader.dialect is DRAFT_4 or isinstance(said, bool):
        return bound, bound if said else None
    return bound, None if said is None else Decimal(said)


def _string(reader: Reader, schema: Schema, pointer: str) -> StringShape | None:
    bounds = _counts(reader, schema, "Length", pointer)
    if bounds is None:
        return None
    restrictions = []
    if "pattern" in schema:
        try:
            restrictions.append(_pattern(schema["pattern"], f"{pointer}/pattern"))
        except UnsupportedFeature:
            reader.note("pattern", pointer)
    if "format" in schema and _asserts(reader, schema["format"], pointer):
        restrictions.append(Restriction("format", schema["format"]))
    return StringShape(*bounds, tuple(restrictions), pointer)


def _asserts(reader: Reader, name: str, pointer: str) -> bool:
    """Whether a format is part of the shape."""
    if not reader.assert_formats:
        return False
    if name in reader.dialect.formats:
        if name in INCOMPLETE:
            reader.note("format", pointer)
        return name not in INCOMPLETE
    if name not in ANNOTATIONS:
        unknown = "unknown format" if name not in PATTERNS else f"{reader.dialect.name} does not know the format"
        warnings.warn(f"{pointer}: {unknown} {name!r}, which has no effect", SchemaWarning, stacklevel=2)
    return False


def _array(reader: Reader, schema: Schema, pointer: str) -> ArrayShape | None:
    bounds = _counts(reader, schema, "Items", pointer)
    if bounds is None:
        return None
    low, high = bounds
    prefix, rest = _items(reader, schema, pointer)
    plain = ArrayShape(prefix, rest, low, high)
    counting = replace(plain, counted=_counted(reader, schema, pointer))
    distinct = bool(schema.get("uniqueItems"))
    found = array_shape(replace(counting, distinct=distinct, pointer=f"{pointer}/uniqueItems" if distinct else ""))
    if found is None:
        reader.conflict(_impossible_array(plain, counting), pointer)
    return found


def _impossible_array(plain: ArrayShape, counting: ArrayShape) -> str:
    is_distinct = array_shape(counting) is not None
    asks = "contains" if array_shape(replace(plain, distinct=is_distinct)) else f"minItems {plain.low}"
    return f"fewer {'distinct ' * is_distinct}items are possible than {asks} asks for"


def _items(reader: Reader, schema: Schema, pointer: str) -> tuple[tuple[Shape, ...], Shape]:
    """The shapes of the first items and of those after them."""
    listed, rest = ("prefixItems", "items")
    if isinstance(schema.get("items"), list):
        listed, rest = ("items", "additionalItems")
    prefix = tuple(reader.read(item, f"{pointer}/{listed}/{i}") for i, item in enumerate(schema.get(listed, ())))
    return prefix, reader.read(schema.get(rest, True), f"{pointer}/{rest}")


def _counted(reader: Reader, schema: Schema, pointer: str) -> tuple[Counted, ...]:
    """The items that `contains` counts; an upper bound is left open where no shape says what the others are."""
    if "contains" not in schema:
        return ()
    found = reader.read(schema["contains"], f"{pointer}/contains")
    low, high = _at_least(schema, "minContains", 1, pointer), schema.get("maxContains")
    others = ANYTHING if high is None else complement(reader, schema["contains"], "contains", pointer)
    is_never = high is not None and low > high
    if is_never:
        reader.conflict(f"minContains {low} is above maxContains {high}", pointer)
    most = None if high is None or (others == ANYTHING and not is_never) else int(high)
    return (Counted(found, others, low, most, f"{pointer}/contains"),) if low > 0 or most is not None else ()


def _object(reader: Reader, schema: Schema, pointer: str) -> ObjectShape | None:
    bounds = _counts(reader, schema, "Properties", pointer)
    patterns = _pattern_properties(reader, schema, pointer)
    otherwise = reader.read(schema.get("additionalProperties", True), f"{pointer}/additionalProperties")
    names = reader.read(schema["propertyNames"], f"{pointer}/propertyNames") if "propertyNames" in schema else None
    properties = _properties(reader, schema, patterns, pointer)
    if bounds is None:
        return None
    required = tuple(schema.get("required", ()))
    extras = () if not patterns and otherwise == ANYTHING else (Extras(patterns, otherwise),)
    found = object_shape(ObjectShape(properties, required, extras, names, *bounds, pointer))
    if found is None:
        reader.conflict(_impossible_object(schema, dict(properties)), pointer)
    return found


def _properties(reader: Reader, schema: Schema, patterns: Rules, pointer: str) -> tuple[tuple[str, Shape], ...]:
    read = []
    for name, item in schema.get("properties", {}).items():
        declared = reader.read(item, f"{pointer}/properties/{escaped(name)}")
        if patterns and (matching := [also for pattern, also in patterns if satisfies(pattern, name)]):
            declared = meet(declared, meet_all(matching))
        read.append((name, declared))
    return tuple(read)


def _pattern_properties(reader: Reader, schema: Schema, pointer: str) -> Rules:
    if "patternProperties" not in schema:
        return ()
    place = f"{pointer}/patternProperties"
    return tuple(
        (_pattern(source, f"{place}/{escaped(source)}"), reader.read(item, f"{place}/{escaped(source)}"))
        for source, item in schema["patternProperties"].items()
    )


def _pattern(source: str, pointer: str) -> Restriction:
    try:
        source = in_python(source)
        check_pattern(source)
    except InvalidLanguage as error:
        raise type(error)(error.message, pointer=pointer, hint=error.hint) from None
    return Restriction("pattern", source)


def _counts(reader: Reader, schema: Schema, what: str, pointer: str) -> tuple[int, int | None] | None:
    low, high = _at_least(schema, f"min{what}", 0, pointer), schema.get(f"max{what}")
    if high is not None and low > high:
        reader.conflict(f"min{what} {low} is above max{what} {high}", pointer)
        return None
    if high is not None and high > MAX_COUNTED:
        reader.note(f"max{what}", pointer)
        return low, None
    return low, None if high is None else int(high)


def _at_least(schema: Schema, keyword: str, default: int, pointer: str) -> int:
    """A lower bound on a count."""
    low = int(schema.get(keyword, default))
    if low > MAX_LEAST:
        raise LimitExceeded(
            f"{keyword} {low:,} (at {pointer}/{keyword} of the schema) is beyond the limit of {MAX_LEAST:,}",
            hint="no text that long can be generated: use a smaller bound",
        )
    return low


def _said(schema: Schema, among: frozenset[str]) -> str:
    return ", ".join(f"{name} {value!r:.40}" for name, value in schema.items() if name in among)


def _impossible_object(schema: Schema, properties: dict[str, Shape]) -> str:
    most = schema.get("maxProperties")
    if most is not None and len(schema.get("required", ())) > most:
        return f"more properties are required than maxProperties {most} allows"
    for name in schema["required"]:
        if properties.get(name, NOTHING) == NOTHING:
            return f"property {name!r} is required and no value is allowed for it"
    return "propertyNames forbids a required property"
