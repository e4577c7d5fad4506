"""Shapes: what a JSON value may be, free of how schemas say it and of how texts spell it.

A shape is a union of *options*; each option concerns one JSON type. This
disjunctive form makes `allOf` a pairwise meeting of options (`meet.py`) and
lets the emitter (`emit.py`) work type by type. Shapes are immutable and hashable,
so equal sub-schemas share their nodes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

Value = Any
"""A JSON value as `json.loads` gives it."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """A set of strings: those that `pattern` occurs in, or those of a `format`."""

    kind: Literal["pattern", "format"]
    source: str


@dataclass(frozen=True, slots=True)
class Constant:
    """Exactly one value, kept as canonical JSON text (integral numbers without a fraction)."""

    text: str

    @property
    def value(self) -> Value:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class StringShape:
    """Strings of `low` to `high` code points that satisfy every restriction."""

    low: int = 0
    high: int | None = None
    restrictions: tuple[Restriction, ...] = ()


@dataclass(frozen=True, slots=True)
class NumberShape:
    """Numbers between exact bounds that are multiples of every one of `steps`."""

    integer: bool = False
    low: Decimal | None = None
    high: Decimal | None = None
    low_open: bool = False
    high_open: bool = False
    steps: tuple[Decimal, ...] = ()


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """Arrays of `low` to `high` items; those after `prefix` have the shape `rest`."""

    prefix: tuple[Shape, ...]
    rest: Shape
    low: int = 0
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """What undeclared properties may be: by pattern of their names, `otherwise` where none matches."""

    patterns: tuple[tuple[Restriction, Shape], ...]
    otherwise: Shape


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """Objects with declared properties in order, then extra ones that satisfy every rule of `extras`.

    Every required name is among `properties`. `names` is the shape of all names,
    `pointer` where the number of properties is bounded in the schema.
    """

    properties: tuple[tuple[str, Shape], ...] = ()
    required: tuple[str, ...] = ()
    extras: tuple[Extras, ...] = ()
    names: Shape | None = None
    low: int = 0
    high: int | None = None
    pointer: str = field(default="", compare=False)


Option = Constant | StringShape | NumberShape | ArrayShape | ObjectShape


@dataclass(frozen=True, slots=True)
class Shape:
    """The values of any option; `options` is `None` for every JSON value."""

    options: tuple[Option, ...] | None

    def expanded(self) -> tuple[Option, ...]:
        """The options, one for each type where every value is allowed."""
        return UNCONSTRAINED if self.options is None else self.options


ANYTHING = Shape(None)
NOTHING = Shape(())

NULL = Constant("null")
TRUE = Constant("true")
FALSE = Constant("false")
UNCONSTRAINED: tuple[Option, ...] = (
    NULL,
    FALSE,
    TRUE,
    NumberShape(),
    StringShape(),
    ArrayShape((), ANYTHING),
    ObjectShape(),
)


def constant(value: Value) -> Constant:
    """The canonical constant of a JSON value."""
    return Constant(json.dumps(_canonical(value), allow_nan=False))


def join(shapes: Iterable[Shape]) -> Shape:
    """The values of any of `shapes`."""
    options: dict[Option, None] = {}
    for shape in shapes:
        if shape.options is None:
            return ANYTHING
        options.update(dict.fromkeys(shape.options))
    return Shape(tuple(options))


def _canonical(value: Value) -> Value:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, dict):
        return {name: _canonical(item) for name, item in value.items()}
    return value
