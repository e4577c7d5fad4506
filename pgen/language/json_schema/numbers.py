"""Numbers between bounds as nodes over their decimal spellings.

Python reads `7` as an integer and compares it exactly; it reads `7.0` as the
nearest float. So integers are bounded exactly, and spellings with a fraction by
the shortest decimals of the outermost floats within the bounds: rounding is
monotone, hence everything between those decimals reads as a float within the
bounds, exclusive ones included. Texts of digits are compared from the left,
with one branch a digit: nodes have size O(digits).
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from pgen.language import ir
from pgen.language.json_schema.shapes import NumberShape

MAX_DIGITS = 64
"""The longest run of digits where no bound says otherwise."""

PLACES = 20
"""Digits after the point in bounded numbers: what `json.dumps` needs for plain decimals."""

MANTISSA_PLACES = 16
"""Digits after the point in front of an exponent: what `json.dumps` needs."""

MAX_SPELLED = 24
"""Digits of bounds that are spelled out; longer ones are graphs."""

MAX_LISTED = 1024
"""Bounded integers with `multipleOf` are listed up to this many."""

_DIGIT: ir.Node = ir.Chars(((0x30, 0x39),))
_NONZERO: ir.Node = ir.Chars(((0x31, 0x39),))
_MINUS = ir.literal("-")
_POINT = ir.literal(".")
_LARGEST = Fraction(repr(sys.float_info.max))


@lru_cache(maxsize=4096)
def number(shape: NumberShape) -> ir.Node:
    """The JSON texts of the numbers of `shape`, in every spelling where it has neither bounds nor steps.

    Steps that `enforces_steps` denies are left to the caller.
    """
    low, high = _integer_bounds(shape)
    if low is not None and high is not None and _is_listed(shape):
        members = (n for n in range(low, high + 1) if all(is_multiple(Decimal(n), step) for step in shape.steps))
        return _listed(members, shape.plain)
    if shape.integer or 1 in shape.steps:
        return _whole(shape, low, high)
    if shape.low is None and shape.high is None and not shape.steps:
        return any_number()
    plain = _with_negative_zero(integers(low, high), low, high)
    return ir.union(plain, _signed(shape, min([PLACES, *_step_places(shape)])))


def constant(value: float | bool | None) -> ir.Node:
    """`true`, `false`, `null`, or a number as `json.dumps` writes it: integer and float if these are equal."""
    if value is None or isinstance(value, bool):
        return ir.literal(json.dumps(value))
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
    fraction = ir.concat(_POINT, ir.repeat(_DIGIT, 1, MAX_DIGITS))
    sign = ir.optional(ir.chars([(ord("+"), ord("+")), (ord("-"), ord("-"))]))
    exponent = ir.concat(ir.chars([(ord("e"), ord("e")), (ord("E"), ord("E"))]), sign, ir.repeat(_DIGIT, 1, 3))
    return ir.concat(ir.optional(_MINUS), integers(0, None), ir.optional(fraction), ir.optional(exponent))


def _integer_bounds(shape: NumberShape) -> tuple[int | None, int | None]:
    low = None if shape.low is None else math.floor(shape.low) + 1 if shape.low_open else math.ceil(shape.low)
    high = None if shape.high is None else math.ceil(shape.high) - 1 if shape.high_open else math.floor(shape.high)
    return low, high


def _whole(shape: NumberShape, low: int | None, high: int | None) -> ir.Node:
    least, most = _float_bounds(shape)
    plain = _with_negative_zero(integers(low, high), low, high)
    if shape.plain:
        return plain
    bounds = None if least is None else math.ceil(least), None if most is None else math.floor(most)
    rounded = _with_negative_zero(integers(*bounds), *bounds)
    if plain == rounded:
        return ir.concat(plain, ir.optional(ir.literal(".0")))
    return ir.union(plain, ir.concat(rounded, ir.literal(".0")))


def _float_bounds(shape: NumberShape) -> tuple[Fraction | None, Fraction | None]:
    """The shortest decimals of the smallest and the largest float within the bounds."""
    low = None if shape.low is None else _float_at_least(shape.low, shape.low_open)
    high = None if shape.high is None else -_float_at_least(shape.high.copy_negate(), shape.high_open)
    return low, high


def _float_at_least(bound: Decimal, is_open: bool) -> Fraction:
    if bound.copy_abs() > Decimal(sys.float_info.max):
        return Fraction(bound)
    value = float(bound)
    while Decimal(value) < bound or (is_open and Decimal(value) == bound):
        value = math.nextafter(value, math.inf)
    return Fraction(repr(value)) if math.isfinite(value) else Fraction(bound) + 1


def _signed(shape: NumberShape, places: int) -> ir.Node:
    """Spellings with a fraction or an exponent."""
    low, high = _float_bounds(shape)
    forms = []
    if low is None or low <= 0:
        least = Fraction(0) if high is None else max(Fraction(0), -high)
        forms.append(ir.concat(_MINUS, _magnitudes(least, None if low is None else -low, places)))
    if high is None or high >= 0:
        least = Fraction(0) if low is None else max(Fraction(0), low)
        forms.append(_magnitudes(least, high, places))
    return ir.union(*forms)


def _magnitudes(low: Fraction, high: Fraction | None, places: int) -> ir.Node:
    return ir.union(_decimals(low, high, places), _scientific(low, high, places))


def _with_negative_zero(plain: ir.Node, low: int | None, high: int | None) -> ir.Node:
    """The integers of `low` to `high`, and `-0` if zero is one of them."""
    has_zero = (low is None or low <= 0) and (high is None or high >= 0)
    return ir.union(plain, ir.literal("-0")) if has_zero else plain


def integers(low: int | None, high: int | None) -> ir.Node:
    """The integers of `low` to `high` as plain decimals without `-0`."""
    forms = []
    if low is None or low < 0:
        least = 1 if high is None else max(1, -high)
        forms.append(ir.concat(_MINUS, _plain(least, None if low is None else -low, _stop)))
    if high is None or high >= 0:
        forms.append(_plain(max(0, low or 0), high, _stop))
    return ir.union(*forms)


def _stop(low: bool, high: bool) -> ir.Node:
    return ir.EPSILON


def _decimals(low: Fraction, high: Fraction | None, places: int) -> ir.Node:
    """Magnitudes with one to `places` digits after a point."""
    unit = 10**places
    first, low_rest = divmod(math.ceil(low * unit), unit)
    last, high_rest = (None, 0) if high is None else divmod(math.floor(high * unit), unit)
    low_digits = f"{low_rest:0{places}d}".rstrip("0")
    high_digits = f"{high_rest:0{places}d}".rstrip("0")

    def fraction(at_low: bool, at_high: bool) -> ir.Node:
        bounds = (low_digits if at_low else "", high_digits if at_high else None)
        return ir.concat(_POINT, _fraction(*bounds, places, False))

    return _plain(first, last, fraction)


Tail = Callable[[bool, bool], ir.Node]
"""What follows the integer part, given whether it equals the lower and the upper bound's."""


def _plain(low: int, high: int | None, tail: Tail) -> ir.Node:
    """Integer parts of `low` to `high` (`None`: of `MAX_DIGITS` digits), each with its tail."""
    if high is not None and low > high:
        return ir.EMPTY
    longest = max(MAX_DIGITS, len(str(low))) if high is None else len(str(high))
    shortest = len(str(low))
    forms = []
    if longest - shortest > 1:
        forms.append(_lengths(shortest + 1, longest - 1, tail))
    if high is None and longest > shortest:
        forms.append(_lengths(longest, longest, tail))
    for length in {shortest, longest} if high is not None else {shortest}:
        least = str(low) if length == shortest else None
        most = str(high) if high is not None and length == longest else None
        forms.append(_same_length(least, most, length, length > 1, tail))
    return ir.union(*forms)


def _lengths(shortest: int, longest: int, tail: Tail) -> ir.Node:
    return ir.concat(_NONZERO, ir.repeat(_DIGIT, shortest - 1, longest - 1), tail(False, False))


def _same_length(low: str | None, high: str | None, length: int, leading: bool, tail: Tail) -> ir.Node:
    """`length` digits between two texts of that length; `leading` bars a zero in front."""
    if length > MAX_SPELLED:
        return _long(low, high, length, leading, tail)
    if length == 0:
        return tail(low is not None, high is not None)
    if low is None and high is None and not leading:
        return ir.concat(ir.repeat(_DIGIT, length, length), tail(False, False))
    first = int(low[0]) if low else int(leading)
    last = int(high[0]) if high else 9
    forms = []
    for start, end, at_low, at_high in _runs(first, last, bool(low), bool(high)):
        least, most = low[1:] if low and at_low else None, high[1:] if high and at_high else None
        rest = _same_length(least, most, length - 1, False, tail)
        forms.append(ir.concat(_digits(start, end), rest))
    return ir.union(*forms)


def _long(low: str | None, high: str | None, length: int, leading: bool, tail: Tail) -> ir.Node:
    """The same with as many edges as digits: once a text has left its bounds it does not matter where."""
    bounds = dict.fromkeys(bound for bound in (low, high) if bound is not None)
    exact = [ir.concat(ir.literal(bound), tail(bound == low, bound == high)) for bound in bounds]
    return ir.union(ir.concat(_inside(low, high, length, leading), tail(False, False)), *exact)


def _inside(low: str | None, high: str | None, length: int, leading: bool) -> ir.Node:
    """`length` digits strictly between two texts; a state says how many there were and which bounds they agree with."""
    edges: list[tuple[int, ir.Ranges, int]] = []
    place = {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}
    kinds = {(low is not None, high is not None)}
    for at in range(length):
        reached = set()
        for at_low, at_high in kinds:
            first = int(low[at]) if low and at_low else int(leading and at == 0)
            last = int(high[at]) if high and at_high else 9
            for start, end, *agrees in _runs(first, last, at_low, at_high):
                still_low, still_high = agrees
                reached.add((still_low, still_high))
                source, target = 4 * at + place[at_low, at_high], 4 * at + 4 + place[still_low, still_high]
                edges.append((source, ((0x30 + start, 0x30 + end),), target))
        kinds = reached
    ends, kept = {4 * length + 3}, []
    for edge in reversed(edges):
        # Digits that never leave a bound lead nowhere.
        if edge[2] in ends:
            ends.add(edge[0])
            kept.append(edge)
    begin, names = place[low is not None, high is not None], {state: name for name, state in enumerate(sorted(ends))}
    if begin not in ends:
        return ir.EMPTY
    named = ((names[source], ranges, names[target]) for source, ranges, target in reversed(kept))
    return ir.network(named, [names[begin]], [names[4 * length + 3]])


def _runs(first: int, last: int, low: bool, high: bool) -> Iterator[tuple[int, int, bool, bool]]:
    """The digits `first` to `last` in runs, with whether each run stays at the lower and at the upper bound."""
    if first == last and (low or high):
        yield first, first, low, high
        return
    if low and first <= last:
        yield first, first, True, False
    if first + low <= last - high:
        yield first + low, last - high, False, False
    if high and first <= last:
        yield last, last, False, True


def _digits(start: int, end: int) -> ir.Node:
    return ir.chars([(0x30 + start, 0x30 + end)])


@lru_cache(maxsize=4096)
def _fraction(low: str, high: str | None, room: int, may_stop: bool) -> ir.Node:
    """Up to `room` digits after the point between two texts without trailing zeros (`None`: no upper bound)."""
    if room == 0:
        return ir.EMPTY if low else ir.EPSILON
    if not low and high is None:
        return ir.repeat(_DIGIT, 0 if may_stop else 1, room)
    first = int(low[0]) if low else 0
    last = 9 if high is None else int(high[0]) if high else 0
    forms = [ir.EPSILON] if may_stop and not low else []
    for start, end, at_low, at_high in _runs(first, last, bool(low), high is not None):
        rest = _fraction(low[1:] if at_low else "", high[1:] if high is not None and at_high else None, room - 1, True)
        forms.append(ir.concat(_digits(start, end), rest))
    return ir.union(*forms)


def _scientific(low: Fraction, high: Fraction | None, places: int) -> ir.Node:
    """Magnitudes with an exponent as `json.dumps` writes them: below 1e-4 and from 1e16."""
    high = _LARGEST if high is None else min(high, _LARGEST)
    if high <= 0 or low > high:
        return ir.EMPTY
    bottom, top = _decade(low) if low else -400, _decade(high)
    forms = []
    for first, last in ((16, 308),) if places < PLACES else ((-324, -5), (16, 308)):
        start, stop = max(first, bottom + 1), min(last, top - 1)
        if start <= stop:
            forms.append(_powers(Fraction(1), None, start, stop))
        edges = {bottom, top} & set(range(first, last + 1))
        forms.extend(_powers(low / Fraction(10) ** e, high / Fraction(10) ** e, e, e) for e in sorted(edges))
    return ir.union(*forms)


def _decade(number: Fraction) -> int:
    """The exponent of a positive number in scientific notation."""
    guess = len(str(number.numerator)) - len(str(number.denominator))
    return guess if number >= Fraction(10) ** guess else guess - 1


def _powers(low: Fraction, high: Fraction | None, first: int, last: int) -> ir.Node:
    """Mantissas between bounds with any exponent from `first` to `last`, both of one sign."""
    low = max(low, Fraction(1))
    high = Fraction(10) - Fraction(1, 10**MANTISSA_PLACES) if high is None or high >= 10 else high
    if low > high:
        return ir.EMPTY
    mantissa = ir.union(integers(math.ceil(low), math.floor(high)), _decimals(low, high, MANTISSA_PLACES))
    return ir.concat(mantissa, ir.literal("e-" if last < 0 else "e+"), _exponents(*sorted((abs(first), abs(last)))))


@lru_cache(maxsize=1024)
def _exponents(low: int, high: int) -> ir.Node:
    return ir.word_set(f"{e:02d}".encode() for e in range(low, high + 1))
