"""Whether a context-free language has a member that certain fixed parts and holes make up.

Parts become a byte automaton: a chain for what is fixed, loops over tokens for holes. The
language is a recursive transition network; the two intersect iff some way through its
start rule and the automaton at once reaches both ends (Bar-Hillel, Perles and Shamir
1961). Ways are tabulated per (rule, state it is entered in) -> states it can be left in,
each explored when it is first called and resumed when more exits are known (Reps, Horwitz and
Sagiv, POPL 1995), with an early exit: O(N n^2) for N network states and n automaton
states at worst, far less where holes are few. Needs no bound on nesting or length.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from pgen.automata.nfa import fragment
from pgen.automata.pieces import CALL
from pgen.errors import InvalidArgument
from pgen.language import ir
from pgen.language.base import Language
from pgen.tokens import Vocabulary
from pgen.tokens.special_tokens import check_plain

Range = tuple[int, int, int]
"""First byte, last byte, target."""
Edge = tuple[int, int, int]
"""A state, the byte read there, and the state that follows."""


@dataclass(frozen=True)
class Hole:
    """Exactly `n_tokens` tokens, or any number of them."""

    n_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.n_tokens is not None and self.n_tokens < 0:
            raise InvalidArgument(f"Hole({self.n_tokens}): must not be negative")


def completable(language: Language, vocabulary: Vocabulary, parts: Sequence[bytes | Hole]) -> bool:
    """Whether some tokens in the holes make the parts a member (residual not considered)."""
    return _intersects(network_of(language.node), _shape(vocabulary, parts))


def contradiction(language: Language, vocabulary: Vocabulary, parts: Sequence[bytes | Hole]) -> int | None:
    """The number of the first part that cannot follow those before it, `len(parts)` if only the end cannot come.

    `None` if the parts are completable.
    """
    if completable(language, vocabulary, parts):
        return None
    for count in range(len(parts)):
        if not completable(language, vocabulary, [*parts[: count + 1], Hole()]):
            return count
    return len(parts)


class Network(NamedTuple):
    """State 0 is the start, 1 the end; per state byte ranges, jumps, and calls as (rule, return state)."""

    ranges: dict[int, list[Range]]
    jumps: dict[int, list[int]]
    calls: dict[int, list[tuple[int, int]]]
    begins: list[int]
    ends: list[int]


class Shape(NamedTuple):
    """A byte automaton that begins in state 0: per state ranges and jumps, and its final state."""

    ranges: dict[int, list[Range]]
    jumps: dict[int, list[int]]
    final: int


@lru_cache(maxsize=64)
def network_of(node: ir.Node) -> Network:
    """The language as a recursive transition network; cached."""
    check_plain(node, "inference over gaps")
    laid = fragment(node)
    ranges, jumps, calls = defaultdict[int, list[Range]](list), defaultdict[int, list[int]](list), defaultdict(list)
    for source, low, high, target in laid.edges.tolist():
        if low >= CALL:
            calls[source].append((low - CALL, target))
        else:
            ranges[source].append((low, high, target))
    for source, target in laid.jumps.tolist():
        jumps[source].append(target)
    return Network(ranges, jumps, calls, laid.begins.tolist(), laid.ends.tolist())


def _shape(vocabulary: Vocabulary, parts: Sequence[bytes | Hole]) -> Shape:
    made = ShapeBuilder(sorted({vocabulary.tokens[token] for token in vocabulary.text_ids}))
    here = 0
    for part in parts:
        if isinstance(part, bytes):
            here = made.chain(here, part)
        elif part.n_tokens is None:
            # A state of its own, which nothing but the loop leads back to.
            here = made.jump(here)
            made.tokens(here, here)
        else:
            for _ in range(part.n_tokens):
                target = made.new()
                made.tokens(here, target)
                here = target
    return Shape(made.ranges, made.jumps, here)


class ShapeBuilder:
    """Lays out parts as a byte automaton, from state 0 on; every range is a single byte."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self.ranges, self.jumps = defaultdict[int, list[Range]](list), defaultdict[int, list[int]](list)
        self._tokens, self._size = tokens, 1

    def new(self) -> int:
        self._size += 1
        return self._size - 1

    def jump(self, source: int) -> int:
        target = self.new()
        self.jumps[source].append(target)
        return target

    def chain(self, source: int, data: bytes) -> int:
        """One byte after another, to a new state."""
        for byte in data:
            target = self.new()
            self.ranges[source].append((byte, byte, target))
            source = target
        return source

    def tokens(self, source: int, target: int) -> list[Edge]:
        """Every token from one state to another, with shared beginnings; the last edge of each."""
        known, lasts = {b"": source}, []
        for token in self._tokens:
            for end in range(1, len(token)):
                if token[:end] not in known:
                    known[token[:end]] = self.new()
                    self.ranges[known[token[: end - 1]]].append((token[end - 1], token[end - 1], known[token[:end]]))
            self.ranges[known[token[:-1]]].append((token[-1], token[-1], target))
            lasts.append((known[token[:-1]], token[-1], target))
        return lasts


Frame = tuple[int, int]
"""A rule (-1: the start) and the automaton state in which it is entered."""
Place = tuple[Frame, int, int]
"""Where a way through a frame comes to: a state of the network and one of the shape."""


@dataclass
class Tabulation:
    """What is known of every frame: its exits, and who waits for them."""

    network: Network
    shape: Shape
    exits: defaultdict[Frame, set[int]] = field(default_factory=lambda: defaultdict(set))
    callers: defaultdict[Frame, set[tuple[Place, int]]] = field(default_factory=lambda: defaultdict(set))
    seen: set[Place] = field(default_factory=set)
    waiting: list[Place] = field(default_factory=list)

    def reach(self, place: Place) -> None:
        """Note a place that a way through its frame comes to."""
        if place not in self.seen:
            self.seen.add(place)
            self.waiting.append(place)

    def run(self) -> Iterator[Place]:
        """Reach all there is from the start; the places, as they are looked at."""
        self.reach(((-1, 0), 0, 0))
        while self.waiting:
            place = self.waiting.pop()
            yield place
            (rule, _), state, _ = place
            if rule >= 0 and state == self.network.ends[rule]:
                self.leave(place)
            self.follow(place)

    def follow(self, place: Place) -> None:
        """Everything that can come next."""
        frame, state, at = place
        for low, high, target in self.network.ranges.get(state, ()):
            for first, last, after in self.shape.ranges.get(at, ()):
                if first <= high and low <= last:
                    self.reach((frame, target, after))
        for target in self.network.jumps.get(state, ()):
            self.reach((frame, target, at))
        for after in self.shape.jumps.get(at, ()):
            self.reach((frame, state, after))
        for rule, back in self.network.calls.get(state, ()):
            called = rule, at
            self.callers[called].add((place, back))
            self.reach((called, self.network.begins[rule], at))
            for exit_at in tuple(self.exits[called]):
                self.reach((frame, back, exit_at))

    def leave(self, place: Place) -> None:
        """A rule can be left here: resume those that called it."""
        frame, _, at = place
        self.exits[frame].add(at)
        for caller, back in tuple(self.callers[frame]):
            self.reach((caller[0], back, at))


def _intersects(network: Network, shape: Shape) -> bool:
    table = Tabulation(network, shape)
    return any(place == ((-1, 0), 1, shape.final) for place in table.run())
