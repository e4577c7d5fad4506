"""Complete values: strict parsing of JSON texts, and validation by `jsonschema` with exact `multipleOf`.

This is the oracle of the design: what masks leave open is settled here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pgen.errors import LimitExceeded
from pgen.language.base import late
from pgen.language.json_schema import validators
from pgen.language.json_schema.dialects import VALIDATION, dialect_of
from pgen.language.json_schema.numbers import is_multiple
from pgen.language.json_schema.references import subschemas
from pgen.language.json_schema.strings import in_python

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:]')

if TYPE_CHECKING:
    from jsonschema.protocols import Validator
    from referencing import Registry


class WrittenFloat(float):
    """A float that remembers the decimal it was written as."""

    written: Decimal

    def __new__(cls, text: str) -> WrittenFloat:
        """The float nearest to the decimal `text`."""
        number = super().__new__(cls, text)
        number.written = Decimal(text)
        return number


def parse(text: str) -> Any:
    """The value of a JSON text. Raises `ValueError` on what is not JSON (NaN too) and on duplicate names."""
    try:
        return json.loads(text, parse_constant=_reject_constant, object_pairs_hook=_distinct)
    except RecursionError:
        raise _too_deep() from None


def has_distinct_names(text: str) -> bool:
    """Whether a JSON text has no object with two properties of one name."""
    try:
        parse(text)
    except ValueError:
        return False
    except LimitExceeded:
        return _names_differ(text)
    return True


def _names_differ(text: str) -> bool:
    """`has_distinct_names` of a JSON text of any depth."""
    names, last = list[set[str]](), ""
    for found in _PIECE.finditer(text):
        piece = found[0]
        if piece in "{[":
            names.append(set())
        elif piece in "}]":
            names.pop()
        elif piece == ":":
            name = json.loads(last)
            if name in names[-1]:
                return False
            names[-1].add(name)
        else:
            last = piece
    return True


def _too_deep() -> LimitExceeded:
    return LimitExceeded("the JSON text nests too deep for its value to be checked", hint="use fewer levels")


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} comes twice in one object")
    return members


@lru_cache(maxsize=1024)
def is_valid(schema_text: str, assert_formats: bool, text: str, resources_text: str = "{}") -> bool:
    """Whether a JSON text is valid by a schema (given as JSON text, as are other schemas by their URIs)."""
    return first_error(schema_text, assert_formats, text, resources_text) is None


def first_error(schema_text: str, assert_formats: bool, text: str, resources_text: str = "{}") -> str | None:
    """What is wrong with a JSON text by a schema, and where; `None` if it is valid."""
    try:
        value = json.loads(text, parse_float=WrittenFloat, parse_constant=_reject_constant)
    except ValueError as error:
        return str(error)
    except RecursionError:
        raise _too_deep() from None
    try:
        found = next(iter(_validator(schema_text, assert_formats, resources_text).iter_errors(value)), None)
    except RecursionError:
        raise _too_deep() from None
    return None if found is None else f"{found.message} (at {found.json_path})"


@lru_cache(maxsize=64)
def _validator(schema_text: str, assert_formats: bool, resources_text: str) -> Validator:
    jsonschema = validators.jsonschema()
    from referencing.jsonschema import DRAFT202012

    schema, resources = _in_python(json.loads(schema_text)), json.loads(resources_text)
    dialect = dialect_of(schema, resources)
    base: type[Validator] = getattr(jsonschema, dialect.validator)
    extend: Callable[..., type[Validator]] = jsonschema.validators.extend
    absent: dict[str, Rule] = dict.fromkeys(VALIDATION - dialect.keywords, lambda *given: ())
    older = _older_spellings(base) if dialect.lenient else {}
    exact = extend(base, {"multipleOf": _multiple_of, **older, **absent})
    # A registry of its own keeps jsonschema from fetching what references name.
    known: Registry[Any] = late("jsonschema_specifications:REGISTRY")
    registry = known.with_resources(
        (uri, DRAFT202012.create_resource(_in_python(found))) for uri, found in resources.items()
    )
    return exact(schema, registry=registry, format_checker=base.FORMAT_CHECKER if assert_formats else None)


def _in_python(schema: Any) -> Any:
    """A schema whose patterns were put into Python's spelling, in place."""
    waiting = [schema]
    for part in waiting:
        if isinstance(part, dict):
            if "pattern" in part:
                part["pattern"] = in_python(part["pattern"])
            if "patternProperties" in part:
                part["patternProperties"] = {in_python(p): s for p, s in part["patternProperties"].items()}
        waiting += [found for found, _ in subschemas(part)]
    return schema


Rule = Callable[[Any, Any, Any, Any], Iterable[Any]]
"""What `jsonschema` calls for a keyword: (validator, keyword's value, instance, schema) -> errors."""


def _multiple_of(validator: Validator, step: float, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if not validator.is_type(instance, "number"):
        return
    written = instance.written if isinstance(instance, WrittenFloat) else Decimal(repr(instance))
    if not written.is_finite() or not is_multiple(written, Decimal(repr(step))):
        yield ValidationError(f"{instance!r} is not a multiple of {step!r}")


def _older_spellings(base: type[Validator]) -> dict[str, Rule]:
    """Rules for keywords as drafts 4 to 7 spell them, next to those of draft 2020-12."""
    from jsonschema import Draft4Validator, Draft7Validator

    new, old, oldest = base.VALIDATORS, Draft7Validator.VALIDATORS, Draft4Validator.VALIDATORS

    def items(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[Any]:
        return (old if isinstance(value, list) else new)["items"](validator, value, instance, schema) or ()

    def bound(keyword: str, exclusive: str) -> Rule:
        def rule(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[Any]:
            rules = oldest if isinstance(schema.get(exclusive), bool) else new
            return rules[keyword](validator, value, instance, schema) or ()

        return rule

    def strictly(keyword: str) -> Rule:
        def rule(validator: Any, value: Any, instance: Any, schema: Any) -> Iterable[Any]:
            return () if isinstance(value, bool) else new[keyword](validator, value, instance, schema) or ()

        return rule

    return {
        "items": items,
        "additionalItems": old["additionalItems"],
        "dependencies": old["dependencies"],
        "minimum": bound("minimum", "exclusiveMinimum"),
        "maximum": bound("maximum", "exclusiveMaximum"),
        "exclusiveMinimum": strictly("exclusiveMinimum"),
        "exclusiveMaximum": strictly("exclusiveMaximum"),
    }
