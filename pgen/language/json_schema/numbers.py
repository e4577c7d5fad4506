"""Numbers between bounds as one leaf: the graph of their decimal spellings.

Python reads `7` as an integer and compares it exactly; it reads `7.0` as the
nearest float. So integers are bounded exactly, and spellings with a fraction by
the shortest decimals of the outermost floats within the bounds: rounding is
monotone, hence everything between those decimals reads as a float within the
bounds, exclusive ones included. Linear in the digits (`pgen.language.json_schema.digits`).
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache, partial
from typing import NamedTuple

from pgen.language import ir
from pgen.language.json_schema.digits import END, MAX_DIGITS, NONE, Graph, Tails, Way
from pgen.language.json_schema.shapes import NumberShape

PLACES = 20
"""Digits after the point in bounded numbers: what `json.dumps` needs for plain decimals."""

MANTISSA_PLACES = 16
"""Digits after the point in front of an exponent: what `json.dumps` needs."""

MAX_LISTED = 1024
"""Bounded integers with `multipleOf` are listed up to this many."""

_ONE = 10**MANTISSA_PLACES
_LARGEST = Decimal(repr(sys.float_info.max))


class _Span(NamedTuple):
    """The integers of `low` to `high` (`None`: as long as digits go)."""

    low: int
    high: int | None


class _Decimals(NamedTuple):
    """Decimals with one to `room` digits after a point, from `first.low` to `last.high`.

    `low` and `high` are digits without zeros at their ends; the fractions of all are up to `most` (`None`: any).
    """

    first: int
    low: str
    last: int | None
    high: str | None
    room: int
    most: str | None = None


@lru_cache(maxsize=4096)
def number(shape: NumberShape) -> ir.Node:
    """The JSON texts of the numbers of `shape`, in every spelling where it has neither bounds nor steps.

    Steps that `enforces_steps` denies are left to the caller.
    """
    low, high = _integer_bounds(shape)
    if low is not None and high is not None and _is_listed(shape):
        members = (n for n in range(low, high + 1) if all(is_multiple(Decimal(n), step) for step in shape.steps))
        return _listed(members, shape.plain)
    whole = shape.integer or 1 in shape.steps
    if not whole and shape.low is None and shape.high is None and not shape.steps:
        return any_number()
    return _Numbers(shape, whole).node()


def constant(value: float | bool | None) -> ir.Node:
    """`true`, `false`, `null`, or a number as `json.dumps` writes it: integer and float if these are equal."""
    if value is None or isinstance(value, bool):
        return ir.literal("null" if value is None else "true" if value else "false")
    forms = {json.dumps(value), "-0", "-0.0"} if value == 0 else {json.dumps(value)}
    if abs(value) <= sys.float_info.max and float(value) == value:
        forms.add(json.dumps(float(value)))
    return ir.word_set(form.encode() for form in forms)


def enforces_steps(shape: NumberShape) -> bool:
    """Whether `number` holds every step exactly (else the residual has to)."""
    return len(_step_places(shape)) == len(shape.steps) or _is_listed(shape)


def is_multiple(number: Decimal, step: Decimal) -> bool:
    """Whether `number` is an exact decimal multiple of `step`."""
    top, bottom = number.as_integer_ratio()
    step_top, step_bottom = step.as_integer_ratio()
    return (top * step_bottom) % (bottom * step_top) == 0


def _is_listed(shape: NumberShape) -> bool:
    low, high = _integer_bounds(shape)
    whole = shape.integer or any(step.as_integer_ratio()[1] == 1 for step in shape.steps)
    few = low is not None and high is not None and high - low < MAX_LISTED
    return whole and few and len(_step_places(shape)) < len(shape.steps)


def _listed(members: Iterable[int], plain: bool) -> ir.Node:
    listed = list(members)
    forms = [*map(str, listed), *(["-0"] if 0 in listed else [])]
    rounded = [] if plain else [f"{form}.0" for form in forms if float(form) == int(form)]
    return ir.word_set(form.encode() for form in (*forms, *rounded))


def _step_places(shape: NumberShape) -> list[int]:
    """Digits after the point that steps of 1, 0.1, 0.01 … allow, one for each such step."""
    ratios = [step.as_integer_ratio() for step in shape.steps]
    return [len(str(bottom)) - 1 for top, bottom in ratios if top == 1 and str(bottom).strip("0") == "1"]


@lru_cache(maxsize=8)
def any_number() -> ir.Node:
    """Any JSON number with runs of at most `MAX_DIGITS` digits and a three-digit exponent."""
    graph = Graph()
    exponent = graph.free(1, 3, END)
    signed = graph.before("+-", exponent, exponent)
    scientific = graph.before("eE", signed, END)
    tail = graph.before(".", graph.free(1, MAX_DIGITS, scientific), scientific)
    ways = graph.integers(0, None, Tails(tail, tail, tail, tail))
    return graph.node(ways, ways)


def _integer_bounds(shape: NumberShape) -> tuple[int | None, int | None]:
    low = None if shape.low is None else math.floor(shape.low) + 1 if shape.low_open else math.ceil(shape.low)
    high = None if shape.high is None else math.ceil(shape.high) - 1 if shape.high_open else math.floor(shape.high)
    return low, high


def _float_at_least(bound: Decimal, is_open: bool) -> Decimal:
    """The shortest decimal of the smallest float within a lower bound."""
    if bound.copy_abs() > Decimal(sys.float_info.max):
        return bound
    value = float(bound)
    while Decimal(value) < bound or (is_open and Decimal(value) == bound):
        value = math.nextafter(value, math.inf)
    return Decimal(repr(value)) if math.isfinite(value) else Decimal(math.floor(bound) + 1)


def _units(number: Decimal, places: int) -> tuple[int, int]:
    """So many places before the point moved behind it: the integers next to the number from below and above."""
    top, bottom = number.as_integer_ratio()
    below, rest = divmod(top * 10 ** max(0, places), bottom * 10 ** max(0, -places))
    return below, below + (rest > 0)


class _Numbers:
    """The spellings of the numbers of a shape."""

    def __init__(self, shape: NumberShape, whole: bool) -> None:
        self._graph, self._shape, self._whole = Graph(), shape, whole
        self._places = min([PLACES, *_step_places(shape)])
        self._known: dict[tuple[_Span | None, _Decimals | None, int], list[Way]] = {}
        self._exponents: dict[ir.Ranges, int] = {}

    def node(self) -> ir.Node:
        """All of them."""
        shape = self._shape
        low, high = (None if bound is None else bound.copy_negate() for bound in (shape.low, shape.high))
        mirrored = replace(shape, low=high, high=low, low_open=shape.high_open, high_open=shape.low_open)
        return self._graph.node(self._magnitudes(shape), self._magnitudes(mirrored))

    def _magnitudes(self, shape: NumberShape) -> list[Way]:
        """Those of a shape with these bounds that have no sign."""
        low, high = _integer_bounds(shape)
        span = _span(low or 0, high)
        if self._whole and shape.plain:
            return self._ways(span, None, END)
        least, most = Decimal(0), None
        if shape.low is not None and shape.low >= 0:
            least = _float_at_least(shape.low, shape.low_open)
        if shape.high is not None:
            most = _float_at_least(shape.high.copy_negate(), shape.high_open).copy_negate()
        if self._whole:
            rounded = _span(_units(least, 0)[1], None if most is None else _units(most, 0)[0])
            return self._ways(span, rounded and _Decimals(rounded.low, "", rounded.high, "", 1, ""), END)
        places = self._places
        decimals = _decimals(_units(least, places)[1], None if most is None else _units(most, places)[0], places)
        return [*self._ways(span, decimals, END), *self._scientific(least, most)]

    def _ways(self, span: _Span | None, decimals: _Decimals | None, end: int) -> list[Way]:
        """Some integers and some decimals, then the state `end`; both at once if they have about the same bounds."""
        name = (span, decimals, end)
        if name not in self._known:
            if span and decimals and not _alike(span, decimals):
                self._known[name] = [*self._ways(span, None, end), *self._ways(None, decimals, end)]
            else:
                self._known[name] = self._together(span, decimals, end)
        return self._known[name]

    def _together(self, span: _Span | None, decimals: _Decimals | None, end: int) -> list[Way]:
        bounds = [b for b in (span, decimals and _Span(decimals.first, decimals.last)) if b]
        if not bounds:
            return []
        low = min(b.low for b in bounds)
        high = max((b.high for b in bounds if b.high is not None), default=None)
        at = partial(self._tail, span, decimals, end)
        if low == high:
            return self._graph.integers(low, high, Tails(NONE, NONE, NONE, at(low)))
        inside = at(low + 1) if high is None or low + 1 < high else NONE
        return self._graph.integers(low, high, Tails(inside, at(low), NONE if high is None else at(high), NONE))

    def _tail(self, span: _Span | None, decimals: _Decimals | None, end: int, number: int) -> int:
        """What may follow this integer: a fraction, or nothing but `end`."""
        stops, fraction = span and span.low <= number and (span.high is None or number <= span.high), NONE
        if decimals and decimals.first <= number and (decimals.last is None or number <= decimals.last):
            low = decimals.low if number == decimals.first else ""
            high = decimals.high if number == decimals.last else decimals.most
            fraction = self._graph.fraction(low, high, decimals.room, end)
        return self._graph.before(".", fraction, end if stops else NONE)

    def _scientific(self, low: Decimal, high: Decimal | None) -> list[Way]:
        """Magnitudes with an exponent as `json.dumps` writes them: below 1e-4 and from 1e16."""
        groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for least, most, first, last in _powers(low, _LARGEST if high is None else min(high, _LARGEST), self._places):
            groups.setdefault((least, most), []).append((first, last))
        ways = list[Way]()
        for (least, most), exponents in groups.items():
            if decimals := _decimals(least, most, MANTISSA_PLACES):
                span = _span(-(-least // _ONE), most // _ONE)
                ways += self._ways(span, decimals, self._exponent(ir.normal_ranges(exponents)))
        return ways

    def _exponent(self, ranges: ir.Ranges) -> int:
        """The state before an `e` and the exponents of some ranges, none of which has both signs."""
        if ranges not in self._exponents:
            graph = self._graph
            minus = [way for first, last in ranges if last < 0 for way in self._two_digits(-last, -first)]
            plus = [way for first, last in ranges if first > 0 for way in self._two_digits(first, last)]
            signed = graph.before("-", graph.state(NONE, minus), graph.before("+", graph.state(NONE, plus)))
            self._exponents[ranges] = graph.before("e", signed)
        return self._exponents[ranges]

    def _two_digits(self, low: int, high: int) -> list[Way]:
        """Integers with two digits at least."""
        ways = [(0, 0, self._graph.state(NONE, [(low, min(9, high), END)]))] if low < 10 else []
        if high >= 10:
            ways += self._graph.integers(max(low, 10), high, Tails(END, END, END, END))
        return ways


def _span(low: int, high: int | None) -> _Span | None:
    """The integers of `low` to `high` that are not negative, if there are any."""
    low = max(0, low)
    return _Span(low, high) if high is None or low <= high else None


def _decimals(least: int, most: int | None, room: int) -> _Decimals | None:
    """The decimals with up to `room` digits after the point, of `least` to `most` units of the last of them."""
    if most is not None and most < least:
        return None
    last, high = (None, None) if most is None else _at_point(most, room)
    return _Decimals(*_at_point(least, room), last, None if high == "9" * room else high, room)


def _at_point(units: int, room: int) -> tuple[int, str]:
    """The integer part and the digits of the fraction of so many units."""
    whole, rest = divmod(units, 10**room)
    return whole, f"{rest:0{room}d}".rstrip("0")


def _alike(span: _Span, decimals: _Decimals) -> bool:
    """Whether bounds of integers and decimals are one but next to the outermost integers."""
    if abs(span.low - decimals.first) > 1 or (decimals.first > span.low and decimals.low):
        return False
    if span.high is None or decimals.last is None:
        return True
    return abs(span.high - decimals.last) <= 1 and (decimals.last >= span.high or decimals.high == decimals.most)


def _powers(low: Decimal, high: Decimal, places: int) -> Iterator[tuple[int, int, int, int]]:
    """Bounds of mantissas, in units of their last place, and the first and last exponent that they go with."""
    if high <= 0 or low > high:
        return
    bottom, top = low.adjusted() if low else -400, high.adjusted()
    for first, last in ((16, 308),) if places < PLACES else ((-324, -5), (16, 308)):
        start, stop = max(first, bottom + 1), min(last, top - 1)
        if start <= stop:
            yield _ONE, 10 * _ONE - 1, start, stop
        for exponent in sorted({bottom, top}):
            if first <= exponent <= last:
                moved = MANTISSA_PLACES - exponent
                least, most = _units(low, moved)[1], _units(high, moved)[0]
                yield max(_ONE, least), min(10 * _ONE - 1, most), exponent, exponent
