"""The fewest inserted tokens on ways through a grammar and an automaton at once, in total and through each edge.

Ways are those of `emptiness`, with a cost for some edges of the automaton. Costs of ways
that begin where their frame begins are found in order of cost (Knuth's generalisation of
Dijkstra, 1977: a call costs what the caller has cost and what the called frame costs up to its exit, which is never
less than either). What completes a place to a whole way is then found from the end backwards, in
order of cost as well. O(S log S) for S steps between places.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Set as AbstractSet

from pgen.gaps.emptiness import Edge, Frame, Network, Place, Shape

Origins = tuple[Place, ...]
Step = tuple[Origins, int | None, int]
"""Where a place is reached from (two places: a caller, and the exit of what it calls), the byte read, and the cost."""


class CheapestWays:
    """The costs of all ways; edges in `charged` cost 1, others nothing."""

    def __init__(self, network: Network, shape: Shape, charged: AbstractSet[Edge]) -> None:
        self._network, self._shape, self._charged = network, shape, charged
        self._exits: defaultdict[Frame, dict[int, int]] = defaultdict(dict)
        self._callers: defaultdict[Frame, list[tuple[Place, int]]] = defaultdict(list)
        self._steps: defaultdict[Place, list[Step]] = defaultdict(list)
        self._goal: Place = ((-1, 0), 1, shape.final)
        self._to: dict[Place, int] = {}
        self._waiting: list[tuple[int, Place]] = []
        self._find_to()

    @property
    def fewest(self) -> int | None:
        """The cost of the cheapest way, `None` if there is none."""
        return self._to.get(self._goal)

    def through(self) -> dict[Edge, int]:
        """The cost of the cheapest way through every edge of the automaton that lies on one."""
        found: dict[Edge, int] = {}
        for place, rest in self._completions().items():
            for origins, byte, cost in self._steps[place]:
                if byte is not None:
                    edge, total = (origins[0][2], byte, place[2]), self._to[origins[0]] + cost + rest
                    found[edge] = min(total, found.get(edge, total))
        return found

    def _find_to(self) -> None:
        """What it costs to come to each place from the beginning of its frame."""
        self._waiting = [(0, ((-1, 0), 0, 0))]
        while self._waiting:
            cost, place = heapq.heappop(self._waiting)
            if place in self._to:
                continue
            self._to[place] = cost
            (rule, _), state, _ = place
            if rule >= 0 and state == self._network.ends[rule]:
                self._leave(place)
            self._read(place)
            self._call(place)

    def _reach(self, place: Place, origins: Origins, byte: int | None = None, cost: int = 0) -> None:
        self._steps[place].append((origins, byte, cost))
        if place not in self._to:
            heapq.heappush(self._waiting, (cost + sum(self._to[origin] for origin in origins), place))

    def _read(self, place: Place) -> None:
        frame, state, at = place
        for low, high, target in self._network.ranges.get(state, ()):
            for first, _, after in self._shape.ranges.get(at, ()):
                if low <= first <= high:
                    self._reach((frame, target, after), (place,), first, int((at, first, after) in self._charged))
        for target in self._network.jumps.get(state, ()):
            self._reach((frame, target, at), (place,))
        for after in self._shape.jumps.get(at, ()):
            self._reach((frame, state, after), (place,))

    def _call(self, place: Place) -> None:
        frame, state, at = place
        for rule, back in self._network.calls.get(state, ()):
            called = rule, at
            self._callers[called].append((place, back))
            entered = called, self._network.begins[rule], at
            if entered not in self._to:
                heapq.heappush(self._waiting, (0, entered))
            for exit_at in self._exits[called]:
                self._reach((frame, back, exit_at), (place, (called, self._network.ends[rule], exit_at)))

    def _leave(self, place: Place) -> None:
        frame, _, at = place
        self._exits[frame][at] = self._to[place]
        for caller, back in tuple(self._callers[frame]):
            self._reach((caller[0], back, at), (caller, place))

    def _completions(self) -> dict[Place, int]:
        """What it costs besides to make a whole way of one that has come to a place."""
        done: dict[Place, int] = {}
        waiting = [(0, self._goal)] if self._goal in self._to else []
        while waiting:
            rest, place = heapq.heappop(waiting)
            if place in done:
                continue
            done[place] = rest
            for origins, _, cost in self._steps[place]:
                together = rest + cost + sum(self._to[origin] for origin in origins)
                for origin in origins:
                    if origin not in done:
                        heapq.heappush(waiting, (together - self._to[origin], origin))
        return done
