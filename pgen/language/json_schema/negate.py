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
from itertools import pairwise

from pgen.errors import LimitExceeded
from pgen.language.json_schema.meet import array_shape, meet_all
from pgen.language.json_schema.shapes import (
    ANYTHING,
    NOTHING,
    UNCONSTRAINED,
    ArrayShape,
    Constant,
    Counted,
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
    constants = [option for option in shape.options if isinstance(option, Constant)]
    others = [option for option in shape.options if not isinstance(option, Constant)]
    try:
        return meet_all([_without_constants(constants), *map(_without, others)])
    except (Unspeakable, LimitExceeded):
        return None


def _without(option: Option) -> Shape:
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


def _without_constants(constants: list[Constant]) -> Shape:
    """Every value but those."""
    if not constants:
        return ANYTHING
    values = [option.value for option in constants]
    if any(isinstance(value, (list, dict)) for value in values):
        raise Unspeakable
    texts = [value for value in values if isinstance(value, str)]
    numbers = {Decimal(value) for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)}
    kept = [o for o in UNCONSTRAINED if o not in constants and not isinstance(o, (NumberShape, StringShape))]
    string = StringShape(restrictions=tuple(Restriction("other than", text) for text in texts))
    return Shape((*kept, string, *_between(sorted(numbers))))


def _between(points: list[Decimal]) -> Iterator[Option]:
    """The numbers that are none of these, ascending."""
    bounds = [None, *points, None]
    for low, high in pairwise(bounds):
        yield NumberShape(low=low, high=high, low_open=low is not None, high_open=high is not None)


def _counts(shape: StringShape | ArrayShape | ObjectShape | Counted) -> Iterator[tuple[int, int | None]]:
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
    if shape.distinct or (shape.high != 0 and any(item != ANYTHING for item in (*shape.prefix, shape.rest))):
        raise Unspeakable
    for bounds in _counts(shape):
        yield ArrayShape((), ANYTHING, *bounds)
    for counted in shape.counted:
        outside = negated(counted.shape)
        if outside is None:
            raise Unspeakable
        for low, high in _counts(counted):
            others = ANYTHING if high is None else outside
            some = Counted(counted.shape, others, low, high, counted.pointer)
            found = array_shape(ArrayShape((), ANYTHING, counted=(some,)))
            if found is not None:
                yield found


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
