"""Shapes: what a JSON value may be, free of how schemas say it and of how texts spell it.

A shape is a union of *options*; each option concerns one JSON type. This
disjunctive form makes `allOf` a pairwise meeting of options (`meet.py`) and
lets the emitter (`emit.py`) work type by type. Recursive schemas make options that are
looked up when they are needed (`Lazy`). Shapes are immutable and hashable, so equal
sub-schemas share their nodes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Any, Literal

Value = Any
"""A JSON value as `json.loads` gives it."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """A set of strings: those that `pattern` occurs in, those of a `format`, or all but one.

    `"no pattern"` are those that a pattern occurs in by no reading (`strings.py`).
    """

    kind: Literal["pattern", "format", "no pattern", "other than"]
    source: str


@dataclass(frozen=True, slots=True)
class Constant:
    """Exactly one value, kept as canonical JSON text (integral numbers without a fraction)."""

    text: str

    @property
    def value(self) -> Value:
        if self.text[0] == '"' and "\\" not in self.text:
            return self.text[1:-1]
        return _WORDS[self.text] if self.text in _WORDS else json.loads(self.text)


_WORDS: dict[str, Value] = {"null": None, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class StringShape:
    """Strings of `low` to `high` code points that satisfy every restriction; `pointer` is where the schema says so."""

    low: int = 0
    high: int | None = None
    restrictions: tuple[Restriction, ...] = ()
    pointer: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class NumberShape:
    """Numbers between exact bounds that are multiples of every one of `steps`.

    `plain` bars integers with a fraction, which draft 4 does not take for integers.
    """

    integer: bool = False
    low: Decimal | None = None
    high: Decimal | None = None
    low_open: bool = False
    high_open: bool = False
    steps: tuple[Decimal, ...] = ()
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Counted:
    """`low` to `high` items of an array have `shape`, the others have the shape `others`.

    `others` is the complement of `shape` where there is a `high`, and `ANYTHING` elsewhere;
    `pointer` is where the schema says so.
    """

    shape: Shape
    others: Shape
    low: int
    high: int | None = None
    pointer: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """Arrays of `low` to `high` items; those after `prefix` have the shape `rest`, and some are `counted`.

    If `distinct`, no value comes twice; `pointer` is where the schema says so.
    """

    prefix: tuple[Shape, ...]
    rest: Shape
    low: int = 0
    high: int | None = None
    counted: tuple[Counted, ...] = ()
    distinct: bool = False
    pointer: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Extras:
    """What undeclared properties may be: by pattern of their names, `otherwise` where none matches."""

    patterns: tuple[tuple[Restriction, Shape], ...]
    otherwise: Shape


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """Objects with declared properties in order, then extra ones that satisfy every rule of `extras`.

    Every required name is among `properties`. `names` is the shape of all names,
    `pointer` where the number of properties is bounded in the schema. The hash is computed once.
    """

    properties: tuple[tuple[str, Shape], ...] = ()
    required: tuple[str, ...] = ()
    extras: tuple[Extras, ...] = ()
    names: Shape | None = None
    low: int = 0
    high: int | None = None
    pointer: str = field(default="", compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fields = self.properties, self.required, self.extras, self.names, self.low, self.high
        object.__setattr__(self, "_hash", hash(fields))

    def __hash__(self) -> int:
        return self._hash


@dataclass(frozen=True, slots=True)
class Lazy:
    """The values of every one of `parts`: shapes, and schemas by their JSON pointers.

    `resolve` gives the shape, whose options are not lazy. It raises `StillOpen` while one of
    the schemas is being read.
    """

    parts: tuple[Shape | str, ...]
    resolve: Callable[[Lazy], Shape] = field(compare=False, repr=False)


class StillOpen(Exception):
    """The schema at `pointer` is needed while it is being read; `resolve` is for lazy options."""

    def __init__(self, pointer: str, resolve: Callable[[Lazy], Shape]) -> None:
        super().__init__(pointer)
        self.pointer = pointer
        self.resolve = resolve


Option = Constant | StringShape | NumberShape | ArrayShape | ObjectShape | Lazy


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The values of any option; `options` is `None` for every JSON value. The hash is computed once."""

    options: tuple[Option, ...] | None
    _hash: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(self.options))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Shape) and self._hash == other._hash and _PROVEN.same_options(self, other)

    def expanded(self) -> tuple[Option, ...]:
        """The options, one for each type where every value is allowed."""
        return UNCONSTRAINED if self.options is None else self.options

    @property
    def is_nothing(self) -> bool:
        """Whether there are no values."""
        return self.options == ()

    @property
    def is_lazy(self) -> bool:
        """Whether some option has to be looked up."""
        return self.options is not None and Lazy in map(type, self.options)

    def resolved(self) -> Shape:
        """The same shape with no lazy option at its top."""
        if not self.is_lazy:
            return self
        parts = [option.resolve(option) if isinstance(option, Lazy) else Shape((option,)) for option in self.expanded()]
        return join(parts)


class _Proven(threading.local):
    """Pairs of shapes that are equal, for as long as one comparison lasts: shared parts are compared once."""

    pairs: set[tuple[int, int]] | None = None

    def same_options(self, one: Shape, other: Shape) -> bool:
        """Whether two shapes have equal options."""
        if self.pairs is None:
            self.pairs = set()
            try:
                return one.options == other.options
            finally:
                self.pairs = None
        pair = id(one), id(other)
        if pair not in self.pairs:
            if one.options != other.options:
                return False
            self.pairs.add(pair)
        return True


_PROVEN = _Proven()

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
    if isinstance(value, str):
        return Constant(encode_basestring_ascii(value))
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
