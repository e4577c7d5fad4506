"""From schemas to shapes: every keyword of draft 2020-12 is read, refused or noted.

What a shape cannot say (`uniqueItems`, `not`, branches of `oneOf` that may overlap
...) widens the shape and is noted as a `Fact`, to be checked on complete values.
A schema that contradicts itself raises where it does so; only an explicit `false`
stands for no value. Cost: linear in the schema, times the branches that `allOf`
and `anyOf` multiply.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn
from urllib.parse import unquote

from pgen.errors import InvalidLanguage, LimitExceeded, UnsupportedFeature
from pgen.language.json_schema import keywords
from pgen.language.json_schema.formats import ANNOTATIONS, INCOMPLETE, PATTERNS
from pgen.language.json_schema.keywords import SchemaWarning, check_keywords, escaped
from pgen.language.json_schema.meet import array_shape, disjoint, meet, meet_all, numbers, object_shape
from pgen.language.json_schema.numbers import enforces_steps, is_multiple
from pgen.language.json_schema.shapes import (
    ANYTHING,
    FALSE,
    NOTHING,
    NULL,
    TRUE,
    Extras,
    NumberShape,
    ObjectShape,
    Option,
    Restriction,
    Shape,
    StringShape,
    constant,
    join,
)
from pgen.language.json_schema.strings import check_pattern, satisfies

Schema = dict[str, Any]

MAX_DEPTH = 100
"""How deep schemas may nest, references followed."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A keyword at `pointer` that shapes leave open."""

    keyword: str
    pointer: str


@dataclass
class Reader:
    """Reads one schema document; `facts` collects what its shapes leave open."""

    root: Schema | bool
    assert_formats: bool = True
    facts: list[Fact] = field(default_factory=list)
    _shapes: dict[str, Shape] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)
    _embedded: int = 0

    def read(self, schema: Any, pointer: str = "") -> Shape:
        """The shape of the values that `schema`, at `pointer` in the document, allows.

        Raises `InvalidLanguage` on malformed and contradictory schemas and
        `UnsupportedFeature` on what cannot be compiled, both naming the place.
        """
        if isinstance(schema, bool):
            return ANYTHING if schema else NOTHING
        if not isinstance(schema, dict):
            raise InvalidLanguage(f"a schema is an object, true or false, not {schema!r:.80}", pointer=pointer)
        if pointer not in self._shapes:
            self._enter(pointer)
            embedded = pointer != "" and _is_resource(schema)
            self._embedded += embedded
            self._shapes[pointer] = self._shape(schema, pointer)
            self._embedded -= embedded
            self._open.pop()
        return self._shapes[pointer]

    def _enter(self, pointer: str) -> None:
        if pointer in self._open:
            raise UnsupportedFeature(
                "this schema refers to itself: recursive values are not supported",
                pointer=pointer,
                hint="unroll the recursion to the depth you need",
            )
        if len(self._open) >= MAX_DEPTH:
            raise LimitExceeded(f"the schema nests deeper than {MAX_DEPTH} levels at {pointer}")
        self._open.append(pointer)

    def _shape(self, schema: Schema, pointer: str) -> Shape:
        check_keywords(schema, pointer)
        parts = [*self._values(schema, pointer), self._typed(schema, pointer), *self._applied(schema, pointer)]
        shape = meet_all(parts)
        if shape == NOTHING and NOTHING not in parts:
            conflict(f"no value satisfies {_named(schema)} together", pointer)
        self._note_not(schema, pointer)
        return shape

    def _values(self, schema: Schema, pointer: str) -> list[Shape]:
        if "enum" in schema and not schema["enum"]:
            conflict("enum is empty, so that no value is allowed", f"{pointer}/enum")
        lists = [[schema["const"]]] if "const" in schema else []
        lists += [schema["enum"]] if "enum" in schema else []
        return [Shape(tuple(dict.fromkeys(constant(value) for value in values))) for values in lists]

    def _applied(self, schema: Schema, pointer: str) -> list[Shape]:
        """The shapes of `$ref`, `allOf`, `anyOf` and `oneOf`."""
        parts = [self._referenced(schema["$ref"], f"{pointer}/$ref")] if "$ref" in schema else []
        parts += self._branches(schema, "allOf", pointer)
        if "anyOf" in schema:
            parts.append(join(self._branches(schema, "anyOf", pointer)))
        if "oneOf" in schema:
            branches = self._branches(schema, "oneOf", pointer)
            parts.append(join(branches))
            if not disjoint(branches):
                self._note("oneOf", pointer)
        return parts

    def _branches(self, schema: Schema, keyword: str, pointer: str) -> list[Shape]:
        branches = schema.get(keyword, [])
        return [self.read(branch, f"{pointer}/{keyword}/{i}") for i, branch in enumerate(branches)]

    def _note_not(self, schema: Schema, pointer: str) -> None:
        if "not" in schema:
            check_whole(schema["not"], f"{pointer}/not")
            self._note("not", pointer)

    def _note(self, keyword: str, pointer: str) -> None:
        self.facts.append(Fact(keyword, f"{pointer}/{keyword}"))

    def _referenced(self, reference: str, pointer: str) -> Shape:
        if self._embedded:
            raise UnsupportedFeature(f"$ref inside an embedded resource ($id): {reference!r}", pointer=pointer)
        own = self.root.get("$id", "") if isinstance(self.root, dict) else ""
        base, _, fragment = reference.partition("#")
        if base and base != own.partition("#")[0]:
            raise UnsupportedFeature(
                f"$ref leaves the document: {reference!r}", pointer=pointer, hint="put the schema under $defs"
            )
        target = unquote(fragment)
        if target and not target.startswith("/"):
            raise UnsupportedFeature(
                f"$ref to an anchor: {reference!r}", pointer=pointer, hint="refer by JSON pointer: #/$defs/name"
            )
        return self.read(self._lookup(target, reference, pointer), target)

    def _lookup(self, target: str, reference: str, pointer: str) -> Any:
        place: Any = self.root
        for step in target.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict) and name in place:
                place = place[name]
            elif isinstance(place, list) and name.isdecimal() and int(name) < len(place):
                place = place[int(name)]
            else:
                raise InvalidLanguage(f"$ref leads nowhere: {reference!r}", pointer=pointer)
            if _is_resource(place):
                raise UnsupportedFeature(f"$ref {reference!r} leads into an embedded resource", pointer=pointer)
        return place

    def _typed(self, schema: Schema, pointer: str) -> Shape:
        """The shape of `type` and of the keywords that concern one type."""
        if "type" not in schema and not keywords.TYPED & schema.keys():
            return ANYTHING
        named = schema.get("type", [t for t in keywords.TYPES if t != "integer"])
        types = [named] if isinstance(named, str) else named
        unknown = [t for t in types if t not in keywords.TYPES]
        if unknown:
            raise InvalidLanguage(
                f"unknown type {unknown[0]!r}", pointer=f"{pointer}/type", hint="one of " + ", ".join(keywords.TYPES)
            )
        return Shape(tuple(dict.fromkeys(option for t in types for option in self._options(t, schema, pointer))))

    def _options(self, type_name: str, schema: Schema, pointer: str) -> list[Option]:
        if type_name == "null":
            return [NULL]
        if type_name == "boolean":
            return [FALSE, TRUE]
        if type_name == "string":
            return [self._string(schema, pointer)]
        if type_name == "array":
            return [self._array(schema, pointer)]
        if type_name == "object":
            return [self._object(schema, pointer)]
        return [self._number(type_name == "integer", schema, pointer)]

    def _number(self, integer: bool, schema: Schema, pointer: str) -> NumberShape:
        steps = (Decimal(repr(schema["multipleOf"])),) if "multipleOf" in schema else ()
        if integer and steps and is_multiple(Decimal(1), steps[0]):
            steps = ()
        inclusive = NumberShape(integer, _exact(schema, "minimum"), _exact(schema, "maximum"), steps=steps)
        exclusive = NumberShape(
            False, _exact(schema, "exclusiveMinimum"), _exact(schema, "exclusiveMaximum"), True, True
        )
        shape = numbers(inclusive, exclusive)
        if shape is None:
            conflict(f"no number lies within {_named(schema, keywords.NUMBER)}", pointer)
        if not enforces_steps(shape):
            self._note("multipleOf", pointer)
        return shape

    def _string(self, schema: Schema, pointer: str) -> StringShape:
        low, high = _counts(schema, "Length", pointer)
        restrictions = []
        if "pattern" in schema:
            restrictions.append(_pattern(schema["pattern"], f"{pointer}/pattern"))
        if "format" in schema and self._asserts(schema["format"], f"{pointer}/format"):
            restrictions.append(Restriction("format", schema["format"]))
        return StringShape(low, high, tuple(restrictions))

    def _asserts(self, name: str, pointer: str) -> bool:
        if not self.assert_formats or name in PATTERNS:
            return self.assert_formats
        if name in INCOMPLETE:
            raise UnsupportedFeature(
                f"format {name!r} is not supported", pointer=pointer, hint='pass format="annotation" to ignore formats'
            )
        if name not in ANNOTATIONS:
            warnings.warn(f"{pointer}: unknown format {name!r} has no effect", SchemaWarning, stacklevel=2)
        return False

    def _array(self, schema: Schema, pointer: str) -> Option:
        low, high = _counts(schema, "Items", pointer)
        prefix = tuple(self._branches(schema, "prefixItems", pointer))
        rest = self.read(schema.get("items", True), f"{pointer}/items")
        shape = array_shape(prefix, rest, low, high)
        if shape is None:
            conflict(f"fewer items are possible than minItems {low} asks for", pointer)
        if schema.get("uniqueItems") and shape.high not in (0, 1):
            self._note("uniqueItems", pointer)
        if "contains" in schema:
            check_whole(schema["contains"], f"{pointer}/contains")
            self._note("contains", pointer)
        return shape

    def _object(self, schema: Schema, pointer: str) -> Option:
        low, high = _counts(schema, "Properties", pointer)
        patterns = self._pattern_properties(schema, pointer)
        otherwise = self.read(schema.get("additionalProperties", True), f"{pointer}/additionalProperties")
        names = self.read(schema["propertyNames"], f"{pointer}/propertyNames") if "propertyNames" in schema else None
        free = not patterns and otherwise == ANYTHING
        properties = self._properties(schema, patterns, pointer)
        required = tuple(schema.get("required", ()))
        extras = () if free else (Extras(patterns, otherwise),)
        shape = object_shape(ObjectShape(properties, required, extras, names, low, high, pointer))
        if shape is None:
            conflict(_impossible_object(schema, dict(properties)), pointer)
        if schema.get("dependentRequired"):
            self._note("dependentRequired", pointer)
        return shape

    def _properties(
        self, schema: Schema, patterns: tuple[tuple[Restriction, Shape], ...], pointer: str
    ) -> tuple[tuple[str, Shape], ...]:
        read = []
        for name, item in schema.get("properties", {}).items():
            shape = self.read(item, f"{pointer}/properties/{escaped(name)}")
            matching = [also for pattern, also in patterns if satisfies(pattern, name)]
            read.append((name, meet(shape, meet_all(matching))))
        return tuple(read)

    def _pattern_properties(self, schema: Schema, pointer: str) -> tuple[tuple[Restriction, Shape], ...]:
        place = f"{pointer}/patternProperties"
        return tuple(
            (_pattern(source, f"{place}/{escaped(source)}"), self.read(item, f"{place}/{escaped(source)}"))
            for source, item in schema.get("patternProperties", {}).items()
        )


def conflict(message: str, pointer: str) -> NoReturn:
    """Raise `InvalidLanguage`: the schema contradicts itself at `pointer`."""
    raise InvalidLanguage(f"the schema contradicts itself: {message}", pointer=pointer)


def _is_resource(schema: Any) -> bool:
    """Whether references inside `schema` are relative to its own `$id`."""
    return isinstance(schema, dict) and "$id" in schema and not str(schema["$id"]).startswith("#")


def check_whole(schema: Any, pointer: str) -> None:
    """Check by the draft's own metaschema a schema that is only used to validate complete values."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = "".join(f"/{escaped(str(step))}" for step in error.absolute_path)
        raise InvalidLanguage(error.message, pointer=pointer + place) from None


def _pattern(source: str, pointer: str) -> Restriction:
    try:
        check_pattern(source)
    except InvalidLanguage as error:
        raise type(error)(error.message, pointer=pointer, hint=error.hint) from None
    return Restriction("pattern", source)


def _exact(schema: Schema, keyword: str) -> Decimal | None:
    return Decimal(schema[keyword]) if keyword in schema else None


def _counts(schema: Schema, what: str, pointer: str) -> tuple[int, int | None]:
    low, high = int(schema.get(f"min{what}", 0)), schema.get(f"max{what}")
    if high is not None and low > high:
        conflict(f"min{what} {low} is above max{what} {high}", pointer)
    return low, None if high is None else int(high)


def _named(schema: Schema, among: frozenset[str] | None = None) -> str:
    said = {name: value for name, value in schema.items() if among is None or name in among}
    return ", ".join(f"{name} {value!r:.40}" for name, value in said.items())


def _impossible_object(schema: Schema, properties: dict[str, Shape]) -> str:
    most = schema.get("maxProperties")
    if most is not None and len(schema.get("required", ())) > most:
        return f"more properties are required than maxProperties {most} allows"
    for name in schema["required"]:
        if properties.get(name, NOTHING) == NOTHING:
            return f"property {name!r} is required and no value is allowed for it"
    return "propertyNames forbids a required property"
