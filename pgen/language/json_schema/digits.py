"""Graphs of decimal texts between bounds, as one leaf (`ir.Packed`).

Digits are compared from the left. A state says with which bounds they agree so far; once they have left
these it only matters how many more may come, and such states are shared by all that ends alike. States are
made after those they lead to, and for what has members only, so that all of them lead on. Linear in the digits of the
bounds and of the longest text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise, takewhile
from typing import NamedTuple

from pgen.language import ir

MAX_DIGITS = 64
"""The longest run of digits where no bound says otherwise."""

NONE = 0
"""No state: the start, which nothing leads to."""
END = 1

Way = tuple[int, int, int]
"""The first and the last of some digits, and the state they lead to (`NONE`: they lead nowhere)."""

_State = Callable[[int, int, int], int]


class Tails(NamedTuple):
    """What follows integers inside of the bounds (`NONE` if there are none), at one of them, and where both are one."""

    free: int
    low: int
    high: int
    both: int


class Graph:
    """States and the ways between them; a tail is a state from which a text goes on as it may from another."""

    def __init__(self) -> None:
        self._edges: list[int] = []
        self._jumps: list[int] = []
        self._n_states = 2
        self._chains: dict[tuple[int, int, int], list[int]] = {}
        self._known: dict[tuple[object, ...], int] = {}

    def node(self, positive: Iterable[Way], negative: Iterable[Way]) -> ir.Node:
        """The texts along some ways, and those along others behind a minus sign."""
        self._lead(NONE, positive)
        self.edges(NONE, "-", self.state(NONE, negative))
        return ir.packed(self._edges, self._jumps) if self._edges else ir.EMPTY

    def edges(self, source: int, characters: str, target: int) -> None:
        """Lead from a state to another by any of some characters."""
        for code in map(ord, characters if target else ""):
            self._edges += (source, code, code, target)

    def state(self, tail: int, ways: Iterable[Way]) -> int:
        """A state with some ways and a tail: the tail itself where there are no ways."""
        return self._new(tail) if self._lead(self._n_states, ways) else tail

    def digit(self, tail: int, digit: int, below: int, same: int, above: int) -> int:
        """`state` with ways by a digit, those below it and those above it."""
        if not (below or same or above):
            return tail
        state, edges = self._n_states, self._edges
        self._n_states += 1
        if tail:
            self._jumps += (state, tail)
        if same:
            edges += (state, 0x30 + digit, 0x30 + digit, same)
        if below:
            edges += (state, 0x30, 0x2F + digit, below)
        if above:
            edges += (state, 0x31 + digit, 0x39, above)
        return state

    def before(self, characters: str, target: int, tail: int = NONE) -> int:
        """A state with a tail from which any of some characters lead to another state."""
        if not target:
            return tail
        name = (characters, target, tail)
        if name not in self._known:
            self._known[name] = self._new(tail)
            self.edges(self._known[name], characters, target)
        return self._known[name]

    def free(self, least: int, most: int, tail: int, top: int = 9) -> int:
        """`least` to `most` digits up to `top`, then the tail."""
        least = max(0, least)
        if most < least or not tail:
            return NONE
        # After the digits that have to come the state is that of those that may.
        width, length = (most - least, least) if least else (-1, most)
        chain = self._chains.get((tail, width, top))
        if chain is None:
            chain = self._chains[tail, width, top] = [self.free(0, width, tail, top) if least else tail]
        if length >= len(chain):
            self._extend(chain, length, NONE if least else tail, top)
        return chain[length]

    def integers(self, low: int, high: int | None, tails: Tails) -> list[Way]:
        """The integers from `low` to `high` (`None`: of `MAX_DIGITS` digits), without leading zeros."""
        if low > 0:
            return self._positive(low, high, tails)
        if high == 0:
            return [(0, 0, tails.both)]
        return [(0, 0, tails.low), *self._positive(1, high, tails._replace(low=tails.free, both=tails.high))]

    def _positive(self, low: int, high: int | None, tails: Tails) -> list[Way]:
        lower, upper = str(low), "" if high is None else str(high)
        least, most = len(lower), len(upper) or max(MAX_DIGITS, len(lower))

        def tail(at: int, to_low: int, to_high: int) -> int:
            if to_low == 0:
                at_both = to_high == 0 and at == most
                return NONE if at < least else tails.both if at_both else tails.low
            return tails.high if at == most else tails.free if at >= least + (to_low < 0) else NONE

        chain = self._chains.setdefault((tails.free, -1, 9), [tails.free])

        def free(at: int, to_low: int, to_high: int) -> int:
            length = most - at - (to_high > 0)
            # What this is asked for most.
            if at >= least + (to_low < 0) and 0 <= length < len(chain) and tails.free:
                return chain[length]
            return self.free(least - at + (to_low < 0), length, tails.free)

        # Bounds that all integers of their lengths keep need no states.
        if tails.low == tails.free != NONE and low == 10 ** (least - 1):
            lower = ""
        if tails.high == tails.free != NONE and high == 10**most - 1:
            upper = ""
        return _Comparison(self, lower, upper, tail, free).ways(1)

    def fraction(self, low: str, high: str | None, room: int, tail: int) -> int:
        """One to `room` digits between two texts without zeros at their ends (`None`: unbounded), then the tail."""
        if not (low or high):
            return self.free(1, room, tail, 9 if high is None else 0)
        name = (low, high, room, tail)
        if name not in self._known:
            self._known[name] = self.state(NONE, self._fraction(low, high, room, tail))
        return self._known[name]

    def _fraction(self, low: str, high: str | None, room: int, tail: int) -> list[Way]:
        def stop(at: int, to_low: int, to_high: int) -> int:
            if to_low == 0 and at < len(low):
                return NONE
            return self.free(0, room - at, tail, 0) if to_high == 0 and at == len(high or "") else tail

        def free(at: int, to_low: int, to_high: int) -> int:
            return self.free(0, room - at, tail) if to_low > 0 > to_high else NONE

        return _Comparison(self, low, high or "", stop, free).ways(0)

    def _new(self, tail: int) -> int:
        state = self._n_states
        self._n_states += 1
        if tail:
            self._jumps += (state, tail)
        return state

    def _lead(self, source: int, ways: Iterable[Way]) -> bool:
        """Lay the ways of a state; whether there are any."""
        edges, before = self._edges, len(self._edges)
        for first, last, target in ways:
            if target:
                edges += (source, 0x30 + first, 0x30 + last, target)
        return len(edges) > before

    def _extend(self, chain: list[int], length: int, tail: int, top: int) -> None:
        """Make a chain of states so long; each has a tail and leads to the one before it by a digit up to `top`."""
        first = self._n_states
        self._n_states += length + 1 - len(chain)
        for state in range(first, self._n_states):
            self._edges += (state, 0x30, 0x30 + top, chain[-1])
            if tail:
                self._jumps += (state, tail)
            chain.append(state)


class _Comparison:
    """Digits beside two texts, either of which may be missing ("").

    What they have to do with a text is 0 if they agree with its beginning, else 1 or -1: they are above or below it.
    `tail` is the tail after digits that agree with a text, by their number and what they have to do with both texts,
    and `free` the state after those that agree with none.
    """

    def __init__(self, graph: Graph, lower: str, upper: str, tail: _State, free: _State) -> None:
        self._graph, self._lower, self._upper, self._tail, self._free = graph, lower, upper, tail, free
        self._shared = at = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(lower, upper, strict=False)))
        parted = at < min(len(lower), len(upper))
        # What digits of the upper text have to do with the lower one behind the part they share.
        self._side = -1 if parted and upper[at] < lower[at] else 1
        self._lows, self._highs = [NONE] * (len(lower) + 2), [NONE] * (len(upper) + 2)

    def ways(self, first: int) -> list[Way]:
        """The ways of the state before all digits, the first of which is not below `first`."""
        self._lay_beside(self._lower, self._lows, 0, -self._side)
        self._lay_beside(self._upper, self._highs, self._side, 0)
        for at in range(self._shared, 0, -1):
            self._lows[at] = self._highs[at] = self._graph.state(self._tail(at, 0, 0), self._ways(at, 0, 0, 0))
        return self._ways(0, 0 if self._lower else 1, 0 if self._upper else -1, first)

    def _lay_beside(self, text: str, states: list[int], to_low: int, to_high: int) -> None:
        """The states after digits that agree with one text beyond what both share, the last first."""
        tail, free, lay = self._tail, self._free, self._graph.digit
        if (last := len(text)) > self._shared:
            states[last] = self._graph.state(tail(last, to_low, to_high), self._ways(last, to_low, to_high, 0))
        for at in range(last - 1, self._shared, -1):
            digit = int(text[at])
            below = free(at + 1, to_low or -1, to_high or -1) if digit else NONE
            above = free(at + 1, to_low or 1, to_high or 1) if digit < 9 else NONE
            states[at] = lay(tail(at, to_low, to_high), digit, below, states[at + 1], above)

    def _ways(self, at: int, to_low: int, to_high: int, first: int) -> list[Way]:
        if to_high == 0 and at == len(self._upper):
            return []
        if to_low == 0 and at == len(self._lower):
            # Digits that go on behind the lower text are above it.
            to_low = 1
        if to_low == 0 == to_high:
            return self._apart(at, first)
        if to_low and to_high:
            return [(first, 9, self._free(at + 1, to_low, to_high))]
        text, states = (self._upper, self._highs) if to_low else (self._lower, self._lows)
        digit = int(text[at])
        ways = [(digit, digit, states[at + 1])]
        if digit > first:
            ways.append((first, digit - 1, self._free(at + 1, to_low or -1, to_high or -1)))
        if digit < 9:
            ways.append((digit + 1, 9, self._free(at + 1, to_low or 1, to_high or 1)))
        return ways

    def _apart(self, at: int, first: int) -> list[Way]:
        """The same where digits agree with both texts."""
        low, high = int(self._lower[at]), int(self._upper[at])
        ways = []
        for start, stop in pairwise(sorted({first, low, low + 1, high, high + 1, 10})):
            to_low, to_high = (start > low) - (start < low), (start > high) - (start < high)
            same = self._lows if to_low == 0 else self._highs
            reached = self._free(at + 1, to_low, to_high) if to_low and to_high else same[at + 1]
            ways.append((start, stop - 1, reached))
        return ways
