"""The vocabularies of the drafts: which keywords there are, of what type, and which look like mistakes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any

from pgen.errors import InvalidLanguage
from pgen.language.json_schema.dialects import DRAFT_4, Dialect
from pgen.language.json_schema.references import escaped


class SchemaWarning(UserWarning):
    """A schema says something that has no effect: a misspelt or outdated keyword, an unknown format."""


Check = Callable[[Any], bool]

_DICT, _STR = frozenset({dict}), frozenset({str})


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number (booleans are not)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return is_number(value) and value >= 0 and (isinstance(value, int) or value.is_integer())


def _is_schema(value: Any) -> bool:
    return isinstance(value, (dict, bool))


def _is_schemas(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(_is_schema, value))


def _is_schema_map(value: Any) -> bool:
    # Nearly all are plain dicts, which takes no call for each of them to see.
    if not isinstance(value, dict):
        return False
    return _DICT.issuperset(map(type, value.values())) or all(map(_is_schema, value.values()))


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and _STR.issuperset(map(type, value)) and len(set(value)) == len(value)


def _is_name_map(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_names, value.values()))


def _is_dependency_map(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_names(item) or _is_schema(item) for item in value.values())


_SCHEMAS = (
    "items additionalItems additionalProperties unevaluatedItems unevaluatedProperties propertyNames contains"
    " not if then else"
)
_EXPECTED: tuple[tuple[str, Check, str], ...] = (
    ("a number", is_number, "minimum maximum exclusiveMinimum exclusiveMaximum"),
    ("a number above 0", lambda v: is_number(v) and v > 0, "multipleOf"),
    (
        "a whole number of 0 or more",
        _is_count,
        "minLength maxLength minItems maxItems minProperties maxProperties minContains maxContains",
    ),
    ("true or false", lambda v: isinstance(v, bool), "uniqueItems"),
    ("a string", _is_string, "pattern format $ref $dynamicRef $recursiveRef $id $anchor"),
    ("a list", lambda v: isinstance(v, list), "enum"),
    ("a list of distinct strings", _is_names, "required"),
    ("a schema", _is_schema, _SCHEMAS),
    ("a non-empty list of schemas", _is_schemas, "allOf anyOf oneOf prefixItems"),
    (
        "an object of schemas",
        _is_schema_map,
        "properties patternProperties dependentSchemas $defs definitions",
    ),
    ("an object of lists of names", _is_name_map, "dependentRequired"),
    ("an object of schemas and lists of names", _is_dependency_map, "dependencies"),
    ("a type name or a list of them", lambda v: isinstance(v, str) or (_is_names(v) and len(v) > 0), "type"),
)
_CHECKS = {name: (expected, check) for expected, check, names in _EXPECTED for name in names.split()}
_CHECKS["const"] = "any value", lambda value: True
_EXCLUSIVE = ("exclusiveMinimum", "exclusiveMaximum")

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")

STRING = frozenset({"minLength", "maxLength", "pattern", "format"})
NUMBER = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
ARRAY = frozenset(
    {"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"}
    | {"contains", "minContains", "maxContains"}
)
OBJECT = frozenset(
    {"properties", "required", "additionalProperties", "patternProperties", "propertyNames"}
    | {"minProperties", "maxProperties"}
)
TYPED = STRING | NUMBER | ARRAY | OBJECT

_ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "discriminator"}
    | {"$schema", "$comment", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary"}
    | {"$defs", "definitions"}
    | {"contentEncoding", "contentMediaType", "contentSchema"}
)
_OUTDATED = {
    "dependencies": "dependentRequired or dependentSchemas",
    "additionalItems": "prefixItems and items",
    "$recursiveRef": "$dynamicRef",
    "divisibleBy": "multipleOf",
    "disallow": "not",
    "extends": "allOf",
    "nullable": 'type: [..., "null"]',
}
TYPE_ALONE = frozenset({"type", "title", "description", "default", "examples"})
"""`type`, and keywords beside it that nothing reads."""
_KNOWN = _CHECKS.keys() | _ANNOTATIONS | {"const"}


Unknown = dict[str, dict[str, None]]
"""Names that are no keywords, and the pointers of the schemas that have them."""


def in_effect(schema: Mapping[str, Any], pointer: str, dialect: Dialect, unknown: Unknown) -> Mapping[str, Any]:
    """The keywords of a schema that its draft knows; raises on those of a wrong type, and notes `unknown` ones."""
    if dialect.lone_references and "$ref" in schema:
        schema = {"$ref": schema["$ref"]}
    known, keywords, special = {}, dialect.keywords, dialect is DRAFT_4
    for name, value in schema.items():
        if name in keywords:
            # What most schemas say is right, which takes no further call to see.
            if special or not _CHECKS[name][1](value):
                _check_value(name, value, pointer, dialect)
            known[name] = value
        elif name not in _ANNOTATIONS:
            unknown.setdefault(name, {})[pointer] = None
    return known


def _accepts(name: str, value: Any, dialect: Dialect) -> bool:
    """Whether a value has the type of a keyword in older drafts."""
    if name == "items" and isinstance(value, list):
        return (dialect.lenient or "prefixItems" not in dialect.keywords) and all(map(_is_schema, value))
    return name in _EXCLUSIVE and dialect.lenient and isinstance(value, bool)


def _check_value(name: str, value: Any, pointer: str, dialect: Dialect) -> None:
    expected, check = _CHECKS["uniqueItems" if name in _EXCLUSIVE and dialect is DRAFT_4 else name]
    if not check(value) and not _accepts(name, value, dialect):
        raise InvalidLanguage(
            f"{name} must be {expected}, not {value!r:.80}",
            pointer=f"{pointer}/{escaped(name)}",
            hint=_hint(name, value),
        )


def _hint(name: str, value: Any) -> str | None:
    if name == "items" and isinstance(value, list):
        return "since draft 2020-12 a list of item schemas is called prefixItems"
    if name in _EXCLUSIVE and is_number(value):
        return f"in draft 4 {name} says whether the bound itself is excluded"
    if name in _EXCLUSIVE and isinstance(value, bool):
        return f"since draft 6 {name} is the bound itself"
    return None


def warn_unknown(unknown: Unknown, dialect: Dialect) -> None:
    """Warn of likely mistakes among names that are no keywords, once of each name."""
    for name, pointers in unknown.items():
        if advice := _advice(name, dialect):
            first, *more = pointers
            places = f" ({len(more)} more of them in this schema)" if more else ""
            warnings.warn(f"{first}/{escaped(name)} {advice}{places}", SchemaWarning, stacklevel=4)


def _advice(name: str, dialect: Dialect) -> str | None:
    if name in _OUTDATED:
        return f"is not a keyword of {dialect.name} and has no effect; use {_OUTDATED[name]}"
    if name in _KNOWN:
        return f"is not a keyword of {dialect.name}, which $schema names, and has no effect"
    close = _similar(name)
    return f"is not a keyword and has no effect; did you mean {close}?" if close else None


_LEAST_ALIKE = 0.85
_BY_FIRST: dict[str, frozenset[str]] = {
    letter: frozenset(known for known in _KNOWN if known[0] == letter) for letter in {known[0] for known in _KNOWN}
}
_BY_EARLY: dict[str, frozenset[str]] = {
    letter: frozenset(known for known in _KNOWN if letter in known[:2])
    for letter in {letter for known in _KNOWN for letter in known[:2]}
}
"""Keywords by their first letter, and by their first two."""


@lru_cache(maxsize=1024)
def _similar(name: str) -> str | None:
    """The keyword that a name looks like a misspelling of: its first letter is among the first two of the name."""
    bare = name.strip("_$-")
    if bare in _KNOWN and bare[0] in name[:2] and 2 * len(bare) >= _LEAST_ALIKE * (len(bare) + len(name)):
        return bare
    near = _BY_EARLY.get(name[:1], _NONE) | _BY_FIRST.get(name[1:2], _NONE)
    likely = [(SequenceMatcher(None, known, name).ratio(), known) for known in near if _may_be_alike(name, known)]
    ratio, known = max(likely, default=(0.0, ""))
    return known if ratio >= _LEAST_ALIKE else None


def _may_be_alike(name: str, known: str) -> bool:
    """Whether lengths and letters let two names be alike enough, which most are not."""
    apart = (1 - _LEAST_ALIKE) * (len(name) + len(known))
    return abs(len(name) - len(known)) <= apart and len(set(name) ^ set(known)) <= apart


_NONE = frozenset[str]()
