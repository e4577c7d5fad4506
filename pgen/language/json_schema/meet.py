"""Meeting of shapes (what satisfies both) and membership of values, the algebra behind `allOf`, `enum` and `oneOf`.

Meeting is exact except that two string restrictions are never proved to be
contradictory, and that lazy options meet when they are looked up, so a shape that is
not `NOTHING` may still be empty. Cost: the product of the numbers of options, limited
by `MAX_WEIGHT`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import reduce
from itertools import combinations

from pgen.errors import LimitExceeded
from pgen.language.json_schema.numbers import is_multiple
from pgen.language.json_schema.shapes import (
    ANYTHING,
    NOTHING,
    ArrayShape,
    Constant,
    Counted,
    Extras,
    Lazy,
    NumberShape,
    ObjectShape,
    Option,
    Shape,
    StillOpen,
    StringShape,
    Value,
    constant,
)
from pgen.language.json_schema.strings import satisfies

MAX_WEIGHT = 500
"""What meeting two unions may add: options, objects with one more for each property, strings doubled by patterns."""

MAX_DOUBLINGS = 6

MAX_TOTAL = 5000
"""What may come of meeting again and again; heavier unions only lose options."""

MAX_PAIRS = 5000
"""How many pairs of branches of a `oneOf` are compared."""


def meet(left: Shape, right: Shape) -> Shape:
    """The values of both shapes. Raises `LimitExceeded` past `MAX_WEIGHT`."""
    if left.options is None:
        return right
    if right.options is None or left == right:
        return left
    if NOTHING in (left, right):
        return NOTHING
    lazy = next((option for option in (*left.options, *right.options) if isinstance(option, Lazy)), None)
    if lazy is not None:
        return _postponed(left, right, lazy.resolve)
    try:
        return _meet_all_options(left, right)
    except StillOpen as needed:
        return _postponed(left, right, needed.resolve)


def is_plain(option: Option) -> bool:
    """Whether an option is a constant that is no container: different ones have different values."""
    return isinstance(option, Constant) and option.text[0] not in "[{"


def _postponed(left: Shape, right: Shape, resolve: Callable[[Lazy], Shape]) -> Shape:
    """The values of both shapes, to be met when they are needed."""
    return Shape((Lazy(tuple(dict.fromkeys(_parts(left) + _parts(right))), resolve),))


def _parts(shape: Shape) -> tuple[Shape | str, ...]:
    first, *others = shape.expanded()
    return first.parts if isinstance(first, Lazy) and not others else (shape,)


def _meet_all_options(left: Shape, right: Shape) -> Shape:
    if len(right.expanded()) == 1 and all(map(is_plain, left.expanded())):
        (other,) = right.expanded()
        return Shape(tuple([both for one in left.expanded() if (both := _meet_options(one, other)) is not None]))
    options: dict[Option, None] = {}
    heavier = max(weight(left), weight(right))
    allowed = max(heavier, min(heavier + MAX_WEIGHT, MAX_TOTAL))
    added = 0
    plain = {option for option in right.expanded() if is_plain(option)}
    others = [option for option in right.expanded() if option not in plain]
    for one in left.expanded():
        for other in ([one] * (one in plain) + others) if is_plain(one) else right.expanded():
            both = _meet_options(one, other)
            if both is not None and both not in options:
                options[both] = None
                added += _option_weight(both)
        if added > allowed:
            raise LimitExceeded(
                f"combining the branches of this schema gives more than {MAX_WEIGHT} alternatives",
                hint="flatten nested anyOf and allOf",
            )
    return Shape(tuple(options))


def weight(shape: Shape) -> int:
    """How much there is to write out at the top of a shape."""
    return sum(map(_option_weight, shape.expanded()))


def _option_weight(option: Option) -> int:
    if isinstance(option, StringShape):
        n_patterns = sum(restriction.kind != "other than" for restriction in option.restrictions)
        return 1 << min(max(n_patterns - 1, 0), MAX_DOUBLINGS)
    return 1 + len(option.properties) if isinstance(option, ObjectShape) else 1


def meet_all(shapes: Iterable[Shape]) -> Shape:
    """The values of all of `shapes`."""
    return reduce(meet, shapes, ANYTHING)


def contains(shape: Shape, value: Value) -> bool:
    """Whether `value` has the shape."""
    return shape.options is None or any(_holds(option, value) for option in shape.options)


def extra_shape(rules: tuple[Extras, ...], name: str) -> Shape:
    """The shape of an undeclared property called `name`."""
    return meet_all(shape for rule in rules for shape in _applicable(rule, name))


def _applicable(rule: Extras, name: str) -> list[Shape]:
    return [shape for pattern, shape in rule.patterns if satisfies(pattern, name)] or [rule.otherwise]


def _meet_options(one: Option, other: Option) -> Option | None:
    if isinstance(one, Constant):
        return _constant(one, other)
    if isinstance(other, Constant):
        return _constant(other, one)
    if isinstance(one, StringShape) and isinstance(other, StringShape):
        return _strings(one, other)
    if isinstance(one, NumberShape) and isinstance(other, NumberShape):
        return numbers(one, other)
    if isinstance(one, ArrayShape) and isinstance(other, ArrayShape):
        return _arrays(one, other)
    if isinstance(one, ObjectShape) and isinstance(other, ObjectShape):
        return _objects(one, other)
    return None


def _constant(one: Constant, other: Option) -> Option | None:
    if not _holds(other, one.value):
        return None
    if isinstance(other, NumberShape) and other.plain:
        return NumberShape(True, Decimal(one.value), Decimal(one.value), plain=True)
    return one


def _strings(one: StringShape, other: StringShape) -> StringShape | None:
    low, high = _counts(one, other)
    if high is not None and low > high:
        return None
    return StringShape(low, high, tuple(dict.fromkeys(one.restrictions + other.restrictions)), one.pointer)


def _counts(
    one: StringShape | ArrayShape | ObjectShape, other: StringShape | ArrayShape | ObjectShape
) -> tuple[int, int | None]:
    highs = [high for high in (one.high, other.high) if high is not None]
    return max(one.low, other.low), min(highs, default=None)


def numbers(one: NumberShape, other: NumberShape) -> NumberShape | None:
    """The numbers of both shapes, or `None` where the bounds leave none."""
    low, low_open = max(_lower(one), _lower(other))
    high, high_closed = min(_upper(one), _upper(other))
    both = NumberShape(
        one.integer or other.integer,
        low if low.is_finite() else None,
        high if high.is_finite() else None,
        low_open,
        not high_closed,
        tuple(dict.fromkeys(one.steps + other.steps)),
        one.plain or other.plain,
    )
    return None if low > high or (low == high and (low_open or not high_closed)) else both


def _lower(shape: NumberShape) -> tuple[Decimal, bool]:
    return (Decimal("-Infinity"), False) if shape.low is None else (shape.low, shape.low_open)


def _upper(shape: NumberShape) -> tuple[Decimal, bool]:
    return (Decimal("Infinity"), True) if shape.high is None else (shape.high, not shape.high_open)


def _arrays(one: ArrayShape, other: ArrayShape) -> ArrayShape | None:
    length = max(len(one.prefix), len(other.prefix))
    return array_shape(
        ArrayShape(
            tuple([meet(_item(one, i), _item(other, i)) for i in range(length)]),
            meet(one.rest, other.rest),
            *_counts(one, other),
            tuple(dict.fromkeys(one.counted + other.counted)),
            one.distinct or other.distinct,
            one.pointer or other.pointer,
        )
    )


def _item(array: ArrayShape, index: int) -> Shape:
    return array.prefix[index] if index < len(array.prefix) else array.rest


def array_shape(shape: ArrayShape) -> ArrayShape | None:
    """The same arrays, cut before the first impossible item; `None` if that leaves no array."""
    prefix, rest, low, high, counted = shape.prefix, shape.rest, shape.low, shape.high, shape.counted
    if any(one.high is not None and one.low > one.high for one in counted):
        return None
    for never in [one for one in counted if one.high == 0]:
        prefix, rest = tuple([meet(item, never.others) for item in prefix]), meet(rest, never.others)
    counted = tuple([one for one in counted if one.high != 0])
    low = max([low, *(one.low for one in counted)])
    impossible = next((i for i, item in enumerate(prefix) if item == NOTHING), None)
    if impossible is not None:
        prefix, rest = prefix[:impossible], NOTHING
    if rest == NOTHING:
        high = len(prefix) if high is None else min(high, len(prefix))
    if shape.distinct and not prefix and all(isinstance(option, Constant) for option in rest.expanded()):
        high = min(len(rest.expanded()), len(rest.expanded()) if high is None else high)
    if high is not None and low > high:
        return None
    distinct = shape.distinct and (high is None or high > 1)
    array = ArrayShape(prefix if high is None else prefix[:high], rest, low, high, counted, distinct, shape.pointer)
    return array if all(_can_hold(array, one) for one in counted) else None


def _can_hold(array: ArrayShape, counted: Counted) -> bool:
    """Whether enough items of an array may have the shape that is counted (True where it is not known)."""
    try:
        possible = sum(meet(item, counted.shape) != NOTHING for item in array.prefix)
        if possible >= counted.low or meet(array.rest, counted.shape) == NOTHING:
            return possible >= counted.low
    except LimitExceeded:
        return True
    return array.high is None or possible + array.high - len(array.prefix) >= counted.low


def _objects(one: ObjectShape, other: ObjectShape) -> ObjectShape | None:
    names = dict.fromkeys([name for name, _ in one.properties] + [name for name, _ in other.properties])
    first, second = dict(one.properties), dict(other.properties)
    low, high = _counts(one, other)
    return object_shape(
        ObjectShape(
            tuple((n, meet(_property(one, first, n), _property(other, second, n))) for n in names),
            tuple(dict.fromkeys(one.required + other.required)),
            tuple(dict.fromkeys(one.extras + other.extras)),
            other.names if one.names is None else one.names if other.names is None else meet(one.names, other.names),
            low,
            high,
            one.pointer or other.pointer,
        )
    )


def _property(shape: ObjectShape, declared: dict[str, Shape], name: str) -> Shape:
    found = declared.get(name)
    if found is None:
        return extra_shape(shape.extras, name) if shape.extras else ANYTHING
    return found


def object_shape(shape: ObjectShape) -> ObjectShape | None:
    """`shape` with its name rule applied and every required name declared; `None` if no object has it."""
    declared = dict(shape.properties)
    for name in shape.required:
        if name not in declared:
            declared[name] = extra_shape(shape.extras, name)
    if shape.names is not None:
        declared = {n: item if contains(shape.names, n) else NOTHING for n, item in declared.items()}
    if any(declared[name].is_nothing for name in shape.required):
        return None
    if shape.high is not None and max(shape.low, len(shape.required)) > shape.high:
        return None
    if shape.names is None and len(declared) == len(shape.properties):
        return shape
    return replace(shape, properties=tuple(declared.items()))


def _holds(option: Option, value: Value) -> bool:
    if isinstance(option, Lazy):
        return contains(option.resolve(option), value)
    if isinstance(option, Constant):
        return constant(value) == option or _same(option.value, value)
    if isinstance(option, StringShape):
        return isinstance(value, str) and _in_string(option, value)
    if isinstance(option, NumberShape):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and _in_number(option, value)
    if isinstance(option, ArrayShape):
        return isinstance(value, list) and _in_array(option, value)
    return isinstance(value, dict) and _in_object(option, value)


def _same(left: Value, right: Value) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(item, right[name]) for name, item in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _within(count: int, low: int, high: int | None) -> bool:
    return low <= count and (high is None or count <= high)


def _in_string(shape: StringShape, value: str) -> bool:
    return _within(len(value), shape.low, shape.high) and all(satisfies(r, value) for r in shape.restrictions)


def _in_number(shape: NumberShape, value: int | float) -> bool:
    exact = Decimal(value)
    written = Decimal(repr(value))
    point = NumberShape(low=exact, high=exact)
    return (
        numbers(shape, point) is not None
        and not (shape.integer and exact != int(exact))
        and all(is_multiple(written, step) for step in shape.steps)
    )


def _in_array(shape: ArrayShape, value: list[Value]) -> bool:
    return (
        _within(len(value), shape.low, shape.high)
        and all(contains(_item(shape, i), item) for i, item in enumerate(value))
        and not (shape.distinct and any(_same(*pair) for pair in combinations(value, 2)))
        and all(_within(sum(contains(one.shape, item) for item in value), one.low, one.high) for one in shape.counted)
    )


def _in_object(shape: ObjectShape, value: dict[str, Value]) -> bool:
    declared = dict(shape.properties)
    return (
        _within(len(value), shape.low, shape.high)
        and value.keys() >= set(shape.required)
        and all(_in_member(shape, declared, name, item) for name, item in value.items())
    )


def _in_member(shape: ObjectShape, declared: dict[str, Shape], name: str, item: Value) -> bool:
    allowed = shape.names is None or contains(shape.names, name)
    return allowed and contains(_property(shape, declared, name), item)


def disjoint(shapes: list[Shape]) -> bool:
    """Whether no value can have two of the shapes (proved; False where it is not known)."""
    resolved = [shape.resolved() for shape in shapes]
    pairs = len(shapes) * len(shapes) // 2
    return _told_apart(resolved) or (pairs <= MAX_PAIRS and all(_apart(*pair) for pair in combinations(resolved, 2)))


def _told_apart(shapes: list[Shape]) -> bool:
    """Whether the shapes are constants, or objects with a property of constants, and no two share one; linear."""
    branches = [shape.expanded() for shape in shapes]
    objects = [[option for option in options if isinstance(option, ObjectShape)] for options in branches]
    if [*map(len, objects)] != [*map(len, branches)]:
        return _distinct(branches)
    needed = [set(option.required) for options in objects for option in options]
    tags = set[str].intersection(*needed) if needed else ()
    return any(_distinct([_tagged(options, tag) for options in objects]) for tag in tags)


def _tagged(objects: Iterable[ObjectShape], tag: str) -> list[Option]:
    """The values of one property of any of the objects."""
    return [value for option in objects for value in dict(option.properties)[tag].expanded()]


def _distinct(branches: Sequence[Sequence[Option]]) -> bool:
    """Whether all options are constants, none of them a container, and no two branches share one."""
    met = set[Option]()
    for options in branches:
        if not all(map(is_plain, options)) or not met.isdisjoint(options):
            return False
        met.update(options)
    return True


def _apart(left: Shape, right: Shape) -> bool:
    return all(_options_apart(one, other) for one in left.expanded() for other in right.expanded())


def _options_apart(one: Option, other: Option) -> bool:
    if isinstance(one, ObjectShape) and isinstance(other, ObjectShape):
        first, second = dict(one.properties), dict(other.properties)
        needed = dict.fromkeys((*one.required, *other.required))
        if any(meet(_property(one, first, n), _property(other, second, n)) == NOTHING for n in needed):
            return True
    try:
        return _meet_options(one, other) is None
    except (LimitExceeded, StillOpen):
        return False
