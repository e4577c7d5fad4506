"""Complete values: strict parsing of JSON texts, and validation by `jsonschema` with exact `multipleOf`.

This is the oracle of the design: what masks leave open is settled here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pgen.language.json_schema.numbers import is_multiple

if TYPE_CHECKING:
    from jsonschema.protocols import Validator


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
    return json.loads(text, parse_constant=_reject_constant, object_pairs_hook=_distinct)


def has_distinct_names(text: str) -> bool:
    """Whether a JSON text has no object with two properties of one name."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


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
def is_valid(schema_text: str, assert_formats: bool, text: str) -> bool:
    """Whether a JSON text is valid by a schema (given as JSON text)."""
    return first_error(schema_text, assert_formats, text) is None


def first_error(schema_text: str, assert_formats: bool, text: str) -> str | None:
    """What is wrong with a JSON text by a schema, and where; `None` if it is valid."""
    try:
        value = json.loads(text, parse_float=WrittenFloat, parse_constant=_reject_constant)
    except ValueError as error:
        return str(error)
    found = next(iter(_validator(schema_text, assert_formats).iter_errors(value)), None)
    return None if found is None else f"{found.message} (at {found.json_path})"


@lru_cache(maxsize=64)
def _validator(schema_text: str, assert_formats: bool) -> Validator:
    from jsonschema import Draft202012Validator, validators

    extend: Callable[..., type[Validator]] = validators.extend
    exact = extend(Draft202012Validator, {"multipleOf": _multiple_of})
    checker = Draft202012Validator.FORMAT_CHECKER if assert_formats else None
    return exact(json.loads(schema_text), format_checker=checker)


def _multiple_of(validator: Validator, step: float, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if not validator.is_type(instance, "number"):
        return
    written = instance.written if isinstance(instance, WrittenFloat) else Decimal(repr(instance))
    if not written.is_finite() or not is_multiple(written, Decimal(repr(step))):
        yield ValidationError(f"{instance!r} is not a multiple of {step!r}")
