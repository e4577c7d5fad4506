"""Numbers between bounds as trees of nodes, one branch a digit: what the graphs of `numbers` have to be equal to.

Built of unions, sequences and repeats, apart from long bounds, which are plain networks. Nothing is shared with the
construction in use but what it is about: exact bounds for integers, and the outermost floats within them for others.
"""

from __future__ import annotations

import math
import sys
from decimal import Decimal
from fractions import Fraction

from pgen.language import ir

MAX_DIGITS = 64
PLACES = 20
MANTISSA_PLACES = 16
MAX_SPELLED = 24

_DIGIT = ir.Chars(((0x30, 0x39),))
_NONZERO = ir.Chars(((0x31, 0x39),))
_MINUS = ir.literal("-")
_POINT = ir.literal(".")
_LARGEST = Fraction(repr(sys.float_info.max))


def number(shape):
    """The JSON texts of the numbers of a shape whose steps, if any, are powers of ten."""
    low, high = _integer_bounds(shape)
    if shape.integer or 1 in shape.steps:
        return _whole(shape, low, high)
    if shape.low is None and shape.high is None and not shape.steps:
        return any_number()
    plain = _with_negative_zero(integers(low, high), low, high)
    return ir.union(plain, _signed(shape, min([PLACES, *(-step.as_tuple().exponent for step in shape.steps)])))


def any_number():
    """Any JSON number with runs of at most `MAX_DIGITS` digits and a three-digit exponent."""
    fraction = ir.concat(_POINT, ir.repeat(_DIGIT, 1, MAX_DIGITS))
    sign = ir.optional(ir.chars([(ord("+"), ord("+")), (ord("-"), ord("-"))]))
    exponent = ir.concat(ir.chars([(ord("e"), ord("e")), (ord("E"), ord("E"))]), sign, ir.repeat(_DIGIT, 1, 3))
    return ir.concat(ir.optional(_MINUS), integers(0, None), ir.optional(fraction), ir.optional(exponent))


def _integer_bounds(shape):
    low = None if shape.low is None else math.floor(shape.low) + 1 if shape.low_open else math.ceil(shape.low)
    high = None if shape.high is None else math.ceil(shape.high) - 1 if shape.high_open else math.floor(shape.high)
    return low, high


def _whole(shape, low, high):
    least, most = _float_bounds(shape)
    plain = _with_negative_zero(integers(low, high), low, high)
    if shape.plain:
        return plain
    bounds = None if least is None else math.ceil(least), None if most is None else math.floor(most)
    rounded = _with_negative_zero(integers(*bounds), *bounds)
    if plain == rounded:
        return ir.concat(plain, ir.optional(ir.literal(".0")))
    return ir.union(plain, ir.concat(rounded, ir.literal(".0")))


def _float_bounds(shape):
    """The shortest decimals of the smallest and the largest float within the bounds."""
    low = None if shape.low is None else _float_at_least(shape.low, shape.low_open)
    high = None if shape.high is None else -_float_at_least(shape.high.copy_negate(), shape.high_open)
    return low, high


def _float_at_least(bound, is_open):
    if bound.copy_abs() > Decimal(sys.float_info.max):
        return Fraction(bound)
    value = float(bound)
    while Decimal(value) < bound or (is_open and Decimal(value) == bound):
        value = math.nextafter(value, math.inf)
    return Fraction(repr(value)) if math.isfinite(value) else Fraction(bound) + 1


def _signed(shape, places):
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


def _magnitudes(low, high, places):
    return ir.union(_decimals(low, high, places), _scientific(low, high, places))


def _with_negative_zero(plain, low, high):
    """The integers of `low` to `high`, and `-0` if zero is one of them."""
    has_zero = (low is None or low <= 0) and (high is None or high >= 0)
    return ir.union(plain, ir.literal("-0")) if has_zero else plain


def integers(low, high):
    """The integers of `low` to `high` as plain decimals without `-0`."""
    forms = []
    if low is None or low < 0:
        least = 1 if high is None else max(1, -high)
        forms.append(ir.concat(_MINUS, _plain(least, None if low is None else -low, _stop)))
    if high is None or high >= 0:
        forms.append(_plain(max(0, low or 0), high, _stop))
    return ir.union(*forms)


def _stop(low, high):
    return ir.EPSILON


def _decimals(low, high, places):
    """Magnitudes with one to `places` digits after a point."""
    unit = 10**places
    first, low_rest = divmod(math.ceil(low * unit), unit)
    last, high_rest = (None, 0) if high is None else divmod(math.floor(high * unit), unit)
    low_digits = f"{low_rest:0{places}d}".rstrip("0")
    high_digits = f"{high_rest:0{places}d}".rstrip("0")

    def fraction(at_low, at_high):
        bounds = (low_digits if at_low else "", high_digits if at_high else None)
        return ir.concat(_POINT, _fraction(*bounds, places, False))

    return _plain(first, last, fraction)


def _plain(low, high, tail):
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


def _lengths(shortest, longest, tail):
    return ir.concat(_NONZERO, ir.repeat(_DIGIT, shortest - 1, longest - 1), tail(False, False))


def _same_length(low, high, length, leading, tail):
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


def _long(low, high, length, leading, tail):
    """The same with as many edges as digits: once a text has left its bounds it does not matter where."""
    bounds = dict.fromkeys(bound for bound in (low, high) if bound is not None)
    exact = [ir.concat(ir.literal(bound), tail(bound == low, bound == high)) for bound in bounds]
    return ir.union(ir.concat(_inside(low, high, length, leading), tail(False, False)), *exact)


def _inside(low, high, length, leading):
    """`length` digits strictly between two texts; a state says how many there were and which bounds they agree with."""
    edges = []
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


def _runs(first, last, low, high):
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


def _digits(start, end):
    return ir.chars([(0x30 + start, 0x30 + end)])


def _fraction(low, high, room, may_stop):
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


def _scientific(low, high, places):
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


def _decade(number):
    """The exponent of a positive number in scientific notation."""
    guess = len(str(number.numerator)) - len(str(number.denominator))
    return guess if number >= Fraction(10) ** guess else guess - 1


def _powers(low, high, first, last):
    """Mantissas between bounds with any exponent from `first` to `last`, both of one sign."""
    low = max(low, Fraction(1))
    high = Fraction(10) - Fraction(1, 10**MANTISSA_PLACES) if high is None or high >= 10 else high
    if low > high:
        return ir.EMPTY
    mantissa = ir.union(integers(math.ceil(low), math.floor(high)), _decimals(low, high, MANTISSA_PLACES))
    return ir.concat(mantissa, ir.literal("e-" if last < 0 else "e+"), _exponents(*sorted((abs(first), abs(last)))))


def _exponents(low, high):
    return ir.word_set(f"{e:02d}".encode() for e in range(low, high + 1))
