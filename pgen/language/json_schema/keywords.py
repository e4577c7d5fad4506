"""The vocabulary of draft 2020-12: which keywords there are, of what type, and how pgen treats them."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from pgen.errors import InvalidLanguage, UnsupportedFeature


class SchemaWarning(UserWarning):
    """A schema says something that has no effect: a misspelt or outdated keyword, an unknown format."""


Check = Callable[[Any], bool]


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number (booleans are not)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return is_number(value) and value >= 0 and float(value).is_integer()


def _is_schema(value: Any) -> bool:
    return isinstance(value, (dict, bool))


def _is_schemas(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(_is_schema, value))


def _is_schema_map(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_schema, value.values()))


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_string, value)) and len(set(value)) == len(value)


def _is_name_map(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_names, value.values()))


_EXPECTED: tuple[tuple[str, Check, str], ...] = (
    ("a number", is_number, "minimum maximum exclusiveMinimum exclusiveMaximum"),
    ("a number above 0", lambda v: is_number(v) and v > 0, "multipleOf"),
    (
        "a whole number of 0 or more",
        _is_count,
        "minLength maxLength minItems maxItems minProperties maxProperties minContains maxContains",
    ),
    ("true or false", lambda v: isinstance(v, bool), "uniqueItems"),
    ("a string", _is_string, "pattern format $ref $id $anchor"),
    ("a list", lambda v: isinstance(v, list), "enum"),
    ("a list of distinct strings", _is_names, "required"),
    ("a schema", _is_schema, "items additionalProperties propertyNames contains not if then else"),
    ("a non-empty list of schemas", _is_schemas, "allOf anyOf oneOf prefixItems"),
    (
        "an object of schemas",
        _is_schema_map,
        "properties patternProperties dependentSchemas $defs definitions",
    ),
    ("an object of lists of names", _is_name_map, "dependentRequired"),
    ("a type name or a list of them", lambda v: _is_string(v) or (_is_names(v) and len(v) > 0), "type"),
)
_CHECKS = {name: (expected, check) for expected, check, names in _EXPECTED for name in names.split()}

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")

STRING = frozenset({"minLength", "maxLength", "pattern", "format"})
NUMBER = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
ARRAY = frozenset({"items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"})
OBJECT = frozenset(
    {"properties", "required", "additionalProperties", "patternProperties", "propertyNames"}
    | {"minProperties", "maxProperties", "dependentRequired"}
)
TYPED = STRING | NUMBER | ARRAY | OBJECT

UNSUPPORTED = ("dependentSchemas", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef")

_ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "discriminator"}
    | {"$schema", "$comment", "$id", "$anchor", "$dynamicAnchor", "$vocabulary"}
    | {"contentEncoding", "contentMediaType", "contentSchema"}
)
_OUTDATED = {
    "dependencies": "dependentRequired or dependentSchemas",
    "additionalItems": "prefixItems and items",
    "$recursiveRef": "$ref",
    "divisibleBy": "multipleOf",
    "disallow": "not",
    "extends": "allOf",
    "nullable": 'type: [..., "null"]',
}
_KNOWN = TYPED | _CHECKS.keys() | _ANNOTATIONS | set(UNSUPPORTED) | {"const"}


def check_keywords(schema: Mapping[str, Any], pointer: str) -> None:
    """Raise on keywords of a wrong type or not supported; warn of those that look like mistakes."""
    for name, value in schema.items():
        if name in _CHECKS:
            _check_value(name, value, pointer)
        elif name not in _KNOWN:
            _warn_unknown(name, pointer)
    _reject_unsupported(schema, pointer)


def _check_value(name: str, value: Any, pointer: str) -> None:
    expected, check = _CHECKS[name]
    if not check(value):
        raise InvalidLanguage(
            f"{name} must be {expected}, not {value!r:.80}",
            pointer=f"{pointer}/{escaped(name)}",
            hint=_hint(name, value),
        )


def _hint(name: str, value: Any) -> str | None:
    if name == "items" and isinstance(value, list):
        return "since draft 2020-12 a list of item schemas is called prefixItems"
    if name in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool):
        return f"since draft 6 {name} is the bound itself"
    return None


def _reject_unsupported(schema: Mapping[str, Any], pointer: str) -> None:
    conditional = ["if"] if "if" in schema and ("then" in schema or "else" in schema) else []
    for name in [*conditional, *UNSUPPORTED]:
        if name in schema:
            raise UnsupportedFeature(f"{name} is not supported", pointer=f"{pointer}/{name}")


def _warn_unknown(name: str, pointer: str) -> None:
    if name in _OUTDATED:
        advice = f"is not a keyword of draft 2020-12 and has no effect; use {_OUTDATED[name]}"
    elif close := difflib.get_close_matches(name, sorted(_KNOWN), n=1, cutoff=0.85):
        advice = f"is not a keyword and has no effect; did you mean {close[0]}?"
    else:
        return
    warnings.warn(f"{pointer}/{escaped(name)} {advice}", SchemaWarning, stacklevel=2)


def escaped(name: str) -> str:
    """One step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
