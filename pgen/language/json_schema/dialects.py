"""The drafts of JSON Schema: which keywords and formats each one has.

`$schema` at the root names the draft. A schema without it is read as draft 2020-12
with the spellings of drafts 4 to 7 understood where they do not contradict it
(`items` as a list, `additionalItems`, `dependencies`, boolean `exclusiveMinimum` and
`exclusiveMaximum`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pgen.errors import UnsupportedFeature

_CORE_4 = frozenset(
    [
        "type",
        "enum",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "$ref",
        "properties",
        "patternProperties",
        "additionalProperties",
        "required",
        "minProperties",
        "maxProperties",
        "dependencies",
        "items",
        "additionalItems",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "definitions",
    ]
)
_CORE_6 = _CORE_4 | frozenset(["const", "contains", "propertyNames"])
_CORE_7 = _CORE_6 | frozenset(["if", "then", "else"])
_CORE_2019 = (_CORE_7 - {"dependencies"}) | frozenset(
    [
        "$recursiveRef",
        "$defs",
        "$anchor",
        "dependentRequired",
        "dependentSchemas",
        "minContains",
        "maxContains",
        "unevaluatedItems",
        "unevaluatedProperties",
    ]
)
_CORE_2020 = (_CORE_2019 - {"$recursiveRef", "additionalItems"}) | frozenset(["$dynamicRef", "prefixItems"])

_FORMATS_4 = frozenset(["date-time", "email", "hostname", "idn-email", "ipv4", "ipv6", "regex", "uri"])
_FORMATS_6 = _FORMATS_4 | frozenset(["json-pointer", "uri-reference", "uri-template"])
_FORMATS_7 = _FORMATS_6 | frozenset(["date", "idn-hostname", "iri", "iri-reference", "relative-json-pointer", "time"])
_FORMATS_2019 = _FORMATS_7 | frozenset(["duration", "uuid"])


@dataclass(frozen=True, slots=True)
class Dialect:
    """One draft: `validator` is its class in `jsonschema`, `formats` are those that it asserts.

    `lenient` says whether spellings of older drafts are understood, `lone_references` whether the keywords beside a
    `$ref` have no effect.
    """

    name: str
    validator: str
    keywords: frozenset[str]
    formats: frozenset[str]
    identifier: str = "$id"
    lenient: bool = False
    lone_references: bool = False


DRAFT_4 = Dialect("draft 4", "Draft4Validator", _CORE_4, _FORMATS_4, "id", lone_references=True)
DRAFT_6 = Dialect("draft 6", "Draft6Validator", _CORE_6, _FORMATS_6, lone_references=True)
DRAFT_7 = Dialect("draft 7", "Draft7Validator", _CORE_7, _FORMATS_7, lone_references=True)
DRAFT_2019 = Dialect("draft 2019-09", "Draft201909Validator", _CORE_2019, _FORMATS_2019)
DRAFT_2020 = Dialect("draft 2020-12", "Draft202012Validator", _CORE_2020, _FORMATS_2019)
UNDECLARED = Dialect(
    "draft 2020-12",
    "Draft202012Validator",
    _CORE_2020 | {"additionalItems", "dependencies"},
    _FORMATS_2019,
    lenient=True,
)

METASCHEMAS = {
    "http://json-schema.org/draft-04/schema": DRAFT_4,
    "http://json-schema.org/draft-06/schema": DRAFT_6,
    "http://json-schema.org/draft-07/schema": DRAFT_7,
    "https://json-schema.org/draft/2019-09/schema": DRAFT_2019,
    "https://json-schema.org/draft/2020-12/schema": DRAFT_2020,
}
"""The drafts by the identifiers of their metaschemas, without fragments."""


VALIDATION = frozenset(
    [
        "type",
        "const",
        "enum",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxContains",
        "minContains",
        "maxProperties",
        "minProperties",
        "required",
        "dependentRequired",
    ]
)
_OF_VOCABULARIES = {
    "validation": VALIDATION,
    "unevaluated": frozenset(["unevaluatedItems", "unevaluatedProperties"]),
}
"""The keywords of the vocabularies that a metaschema can do without."""
_VOCABULARY = re.compile(r"https://json-schema\.org/draft/(?:2019-09|2020-12)/vocab/([a-z-]+)")


def dialect_of(schema: Any, resources: Mapping[str, Any] | None = None) -> Dialect:
    """The draft that a whole schema names; draft 2020-12 for names that are not known.

    A name of one of the `resources` is that of a metaschema, whose `$vocabulary` says which
    keywords there are. Raises `UnsupportedFeature` on draft 3 and on vocabularies that a
    metaschema requires and that no draft has.
    """
    named = schema.get("$schema") if isinstance(schema, dict) else None
    if not isinstance(named, str):
        return UNDECLARED
    if named.rstrip("#") == "http://json-schema.org/draft-03/schema":
        raise UnsupportedFeature("draft 3 is not supported", pointer="/$schema", hint="rewrite it for a later draft")
    own = (resources or {}).get(named.rstrip("#"))
    if isinstance(own, dict) and isinstance(own.get("$vocabulary"), dict):
        return _with_vocabularies(own["$vocabulary"])
    return METASCHEMAS.get(named.rstrip("#"), UNDECLARED)


def _with_vocabularies(listed: Mapping[str, Any]) -> Dialect:
    known = {found[1] for uri in listed if (found := _VOCABULARY.fullmatch(uri))}
    for uri, required in listed.items():
        if required and not _VOCABULARY.fullmatch(uri):
            raise UnsupportedFeature(f"the vocabulary {uri!r} is required and not known", pointer="/$schema")
    missing = [keywords for name, keywords in _OF_VOCABULARIES.items() if name not in known]
    return replace(DRAFT_2020, name="the metaschema", keywords=_CORE_2020.difference(*missing))
