"""Complements of shapes, where shapes can say them: the algebra behind `not` and `if`.

The complement of a union meets the complements of its options; that of an option is
every value of the other types, and those of its own type that break one of its
conditions. `Unspeakable` is raised for what shapes cannot say (`not` of `integer`, of
`multipleOf`, of formats, of items, of rules for undeclared properties, of recursion).
Cost: as `meet`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

from pgen.errors import LimitExceeded
from pgen.language.json_schema.meet import meet_all
from pgen.language.json_schema.shapes import (
    ANYTHING,
    NOTHING,
    UNCONSTRAINED,
    ArrayShape,
    Constant,
    NumberShape,
    ObjectShape,
    Option,
    Restriction,
    Shape,
    StringShape,
)


class Unspeakable(Exception):
    """A complement that is no shape."""


def negated(shape: Shape) -> Shape | None:
    """The values that do not have `shape`, or `None` where no shape says so."""
    if shape.options is None:
        return NOTHING
    try:
        return meet_all(_without(option) for option in shape.options)
    except (Unspeakable, LimitExceeded):
        return None


def _without(option: Option) -> Shape:
    if isinstance(option, Constant):
        return _without_constant(option)
    if isinstance(option, StringShape):
        return _others(StringShape, _strings(option))
    if isinstance(option, NumberShape):
        return _others(NumberShape, _numbers(option))
    if isinstance(option, ArrayShape):
        return _others(ArrayShape, _arrays(option))
    if isinstance(option, ObjectShape):
        return _others(ObjectShape, _objects(option))
    raise Unspeakable


def _others(kind: type[Option], same_type: Iterator[Option]) -> Shape:
    """Every value of other types than `kind`, and the options given."""
    return Shape((*(o for o in UNCONSTRAINED if not isinstance(o, kind)), *same_type))


def _without_constant(option: Constant) -> Shape:
    value = option.value
    if value is None or isinstance(value, bool):
        return Shape(tuple(other for other in UNCONSTRAINED if other != option))
    if isinstance(value, str):
        return _others(StringShape, iter([StringShape(restrictions=(Restriction("other than", value),))]))
    if isinstance(value, (int, float)):
        return _others(NumberShape, _numbers(NumberShape(low=Decimal(value), high=Decimal(value))))
    raise Unspeakable


def _counts(shape: StringShape | ArrayShape | ObjectShape) -> Iterator[tuple[int, int | None]]:
    """The counts outside those of a shape."""
    if shape.low > 0:
        yield 0, shape.low - 1
    if shape.high is not None:
        yield shape.high + 1, None


def _strings(shape: StringShape) -> Iterator[Option]:
    for bounds in _counts(shape):
        yield StringShape(*bounds)
    for restriction in shape.restrictions:
        if restriction.kind == "other than":
            yield Constant(json.dumps(restriction.source))
        elif restriction.kind == "pattern":
            yield StringShape(restrictions=(Restriction("no pattern", restriction.source),))
        else:
            raise Unspeakable


def _numbers(shape: NumberShape) -> Iterator[Option]:
    if shape.integer or shape.steps:
        raise Unspeakable
    if shape.low is not None:
        yield NumberShape(high=shape.low, high_open=not shape.low_open)
    if shape.high is not None:
        yield NumberShape(low=shape.high, low_open=not shape.high_open)


def _arrays(shape: ArrayShape) -> Iterator[Option]:
    if shape.high != 0 and any(item != ANYTHING for item in (*shape.prefix, shape.rest)):
        raise Unspeakable
    for bounds in _counts(shape):
        yield ArrayShape((), ANYTHING, *bounds)


def _objects(shape: ObjectShape) -> Iterator[Option]:
    if shape.extras or shape.names is not None:
        raise Unspeakable
    for name in shape.required:
        yield ObjectShape(((name, NOTHING),))
    for name, item in shape.properties:
        outside = negated(item)
        if outside is None:
            raise Unspeakable
        if outside != NOTHING:
            yield ObjectShape(((name, outside),), (name,))
    for low, high in _counts(shape):
        yield ObjectShape(low=low, high=high)
