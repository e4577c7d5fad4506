"""Arrays in which items are counted (`contains`), or are distinct: how many or which have come is remembered.

A node for each number of items that have come and each number of matches that are still to
come, as far as these matter; equal nodes are one object, which the automaton keeps once. An item that
need not be told from a match (no upper bound) may be either, so no complement is needed for lower bounds.
With n items told apart and m matches of each of c counted shapes: n·mᶜ nodes with 2ᶜ ways each. Of n distinct
values there are 2ⁿ sets, each a node with one way for each value that is still to come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from math import comb, prod

from pgen.errors import LimitExceeded
from pgen.language import ir
from pgen.language.json_schema.meet import meet
from pgen.language.json_schema.shapes import NOTHING, ArrayShape, Counted, Shape

MAX_ITEMS = 50
"""Numbers of items and of matches that masks tell apart in one array."""

MAX_WAYS = 4_000
"""Ways to go on, of all that is remembered of one array with items that are counted."""

MAX_DISTINCT = 2_000
"""The same of arrays with distinct items."""

Left = tuple[tuple[int, int | None], ...]
"""How many matches of each counted shape are still to come: at least, and at most."""
Ways = Mapping[int, Shape]
"""The shapes of one item, by the set of counted shapes that it is taken for (a bit each)."""


def ways(array: ArrayShape) -> list[Ways] | None:
    """Those of each item of the prefix, then of the rest; `None` if they are too many to be written out."""
    # Where matches alone make up the least number of items, nothing else need be counted.
    least = array.low - max(counted.low for counted in array.counted)
    told = max(len(array.prefix), least) if array.high is None else array.high
    matches = [counted.low if counted.high is None else counted.high for counted in array.counted]
    if told + sum(matches) > MAX_ITEMS or (told + 1) * prod(2 * (count + 1) for count in matches) > MAX_WAYS:
        return None
    sets = range(1 << len(array.counted))
    try:
        return [{taken: _taken(item, array.counted, taken) for taken in sets} for item in (*array.prefix, array.rest)]
    except LimitExceeded:
        return None


def _taken(item: Shape, counted: tuple[Counted, ...], taken: int) -> Shape:
    return reduce(meet, (one.shape if taken >> i & 1 else one.others for i, one in enumerate(counted)), item)


@dataclass(frozen=True, slots=True)
class Counting:
    """The items of an array, `node` being the texts of a shape."""

    array: ArrayShape
    ways: list[Ways]
    comma: ir.Node
    node: Callable[[Shape], ir.Node]
    _known: dict[tuple[int | None, Left], ir.Node] = field(default_factory=dict)

    @property
    def items(self) -> ir.Node:
        """The sequences of items that are not empty, with commas between them."""
        return ir.union(*self._forms(0, tuple((counted.low, counted.high) for counted in self.array.counted)))

    def _after(self, position: int, left: Left) -> ir.Node:
        """What may follow so many items, a comma in front."""
        is_same_from_here = self.array.high is None and position >= len(self.array.prefix)
        # So many items are needed for matches alone.
        if is_same_from_here and position + max(low for low, _ in left) >= self.array.low:
            return self._looped(left)
        key = position, left
        if key not in self._known:
            may_end = position >= self.array.low and not any(low for low, _ in left)
            self._known[key] = ir.union(*[ir.EPSILON] * may_end, *self._forms(position, left))
        return self._known[key]

    def _looped(self, left: Left) -> ir.Node:
        """The same where neither the position nor the number of items matters any more."""
        key = None, left
        if key not in self._known:
            position = max(1, len(self.array.prefix), self.array.low)
            may_end = not any(low for low, _ in left)
            matches = ir.union(*[ir.EPSILON] * may_end, *self._forms(position, left, first=1))
            self._known[key] = ir.concat(ir.repeat(self._item(position, 0), 0, None), matches)
        return self._known[key]

    def _forms(self, position: int, left: Left, first: int = 0) -> list[ir.Node]:
        """One more item and what follows it, for each set of counted shapes, from the `first`, that it may be."""
        if position == self.array.high:
            return []
        open_to = sum(1 << i for i, bounds in enumerate(left) if bounds != (0, None) and bounds[1] != 0)
        sets = [taken for taken in range(first, 1 << len(left)) if not taken & ~open_to]
        items = [(taken, self._item(position, taken)) for taken in sets]
        return [
            ir.concat(item, self._after(position + 1, _without(left, taken)))
            for taken, item in items
            if not ir.is_empty(item)
        ]

    def _item(self, position: int, taken: int) -> ir.Node:
        shape = self.ways[min(position, len(self.array.prefix))][taken]
        item = ir.EMPTY if shape == NOTHING else self.node(shape)
        return ir.concat(self.comma, item) if position else item


def _without(left: Left, taken: int) -> Left:
    """What is still to come after an item that is taken for these."""
    return tuple(
        (max(0, low - 1), None if high is None else high - 1) if taken >> i & 1 else (low, high)
        for i, (low, high) in enumerate(left)
    )


def are_many(count: int, high: int | None) -> bool:
    """Whether so many distinct items, up to `high` in one array, have more ways than masks tell apart."""
    ways = 0
    for n in range(count if high is None else high):
        ways += comb(count, n) * (count - n)
        if ways > MAX_DISTINCT:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Distinct:
    """The items of an array of a few values, none of which comes twice: texts, and the bytes of the shortest of each.

    With `lengths` what may come after a set of values is written later; `number` tells arrays apart.
    """

    array: ArrayShape
    values: list[ir.Node]
    comma: ir.Node
    lengths: list[int] | None
    number: int
    _known: dict[int, ir.Node] = field(default_factory=dict)

    @property
    def items(self) -> ir.Node:
        """The sequences of items that are not empty, with commas between them."""
        return self._next((1 << len(self.values)) - 1)

    def _next(self, left: int) -> ir.Node:
        """One of the values that are left (a bit each), and what follows it."""
        forms = [(value, left & ~(1 << i)) for i, value in enumerate(self.values) if left >> i & 1]
        return ir.union(*[ir.concat(value, self._after(others)) for value, others in forms])

    def _after(self, left: int) -> ir.Node:
        if left not in self._known:
            n_come = len(self.values) - left.bit_count()
            more = ir.EPSILON if n_come == self.array.high else self._more(left, self.array.low - n_come)
            self._known[left] = more if n_come < self.array.low else ir.optional(more)
        return self._known[left]

    def _more(self, left: int, needed: int) -> ir.Node:
        """More items, a comma in front, at least so many (and one)."""
        if self.lengths is None:
            return self._written(left)
        lengths = sorted(length for i, length in enumerate(self.lengths) if left >> i & 1)[: max(1, needed)]
        return ir.Later(f"#{self.number} {left:b}", sum(lengths) + len(lengths), partial(self._written, left))

    def _written(self, left: int) -> ir.Node:
        return ir.concat(self.comma, self._next(left))
