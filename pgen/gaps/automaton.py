"""Which tokens may be put into which gap of a growing sequence so that it can still become a member.

A sequence x_1 .. x_n has gaps 0 .. n. With D(s, s') the fewest tokens that lead a
deterministic token automaton from s to s' (over token edges: byte edges would
allow what no tokens spell), f_g(s) counts the tokens to insert into gaps 0 .. g so
that the automaton may stand in s inside gap g, and b_g(s) those to insert from there on:

    f_0(s) = D(start, s)      f_g(s') = min over s of f_{g-1}(s) + D(delta(s, x_g), s')
    b_n(s) = min over accepting a of D(s, a)
    b_{g-1}(s) = min over s' of D(s, s') + b_g(delta(s', x_g))

Token t may go into gap g iff some s has f_g(s) + b_g(delta(s, t)) <= what is left
after t; the sequence may stop iff it is a member. Without a budget D is 0 or
infinite, and vectors are sets. An insertion into gap g leaves f_0 .. f_g and
b_g .. b_n as they are, and the others are recomputed until one is as before. Vectors
are bytes, so what follows from them is memoised (by content) across sequences: a
step costs look-ups, and O(edges) per vector seen for the first time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgen.gaps.kernels import FAR as FAR
from pgen.gaps.kernels import after, before, closure, insertable

if TYPE_CHECKING:
    from pgen.tokens.classes import TokenTable

Vector = bytes
Ints = NDArray[np.int32]

MAX_MEMO_BYTES = 1 << 28
"""Memory for the vectors that are remembered."""


class GapState(NamedTuple):
    """A sequence with the vectors of its gaps, `forward[g]` and `backward[g]` for g = 0 .. n.

    `reached[i]` is the state of the automaton after the first i tokens as they are, -1 once it has died.
    """

    tokens: tuple[int, ...]
    forward: tuple[Vector, ...]
    backward: tuple[Vector, ...]
    reached: tuple[int, ...]


class GapAutomaton:
    """Insertion into the members of one token automaton; with `budgeted`, distances are counted."""

    def __init__(self, table: TokenTable, budgeted: bool) -> None:
        self.table = table
        self.budgeted = budgeted
        self._delta = np.ascontiguousarray(table.delta, np.int32)
        self._cost = int(budgeted)
        self._edges = _edges(self._delta)
        self._successors, self._predecessors = _neighbours(self._delta)
        room = max(256, MAX_MEMO_BYTES // (3 * 4 * len(self._delta)))
        self._forward = lru_cache(room)(self._forward_uncached)
        self._backward = lru_cache(room)(self._backward_uncached)
        self._row = lru_cache(room)(self._row_uncached)
        self._first = self._closed(np.arange(len(self._delta)) == 0, self._successors)
        self._last = self._closed(np.asarray(table.accepting, np.bool_), self._predecessors)

    def start(self, tokens: tuple[int, ...] = ()) -> GapState:
        """The state of a sequence that stands from the beginning (by default the empty one)."""
        classes = [int(self.table.class_of[token]) for token in tokens]
        forward, backward, reached = [self._first], [self._last], [0]
        for token_class in classes:
            forward.append(self._forward(forward[-1], token_class))
            reached.append(self._step(reached[-1], token_class))
        for token_class in reversed(classes):
            backward.append(self._backward(backward[-1], token_class))
        return GapState(tokens, tuple(forward), tuple(backward[::-1]), tuple(reached))

    def insert(self, state: GapState, gap: int, token: int) -> GapState:
        """The state after `token` is put into `gap`, with only what changes recomputed."""
        tokens = (*state.tokens[:gap], token, *state.tokens[gap:])
        classes = [int(self.table.class_of[t]) for t in tokens]
        forward = [*state.forward[: gap + 1], self._forward(state.forward[gap], classes[gap])]
        for at in range(gap + 1, len(tokens)):
            if forward[-1] == state.forward[at - 1]:
                forward += state.forward[at:]
                break
            forward.append(self._forward(forward[-1], classes[at]))
        backward = [*reversed(state.backward[gap:]), self._backward(state.backward[gap], classes[gap])]
        for at in range(gap - 1, -1, -1):
            if backward[-1] == state.backward[at + 1]:
                backward += reversed(state.backward[: at + 1])
                break
            backward.append(self._backward(backward[-1], classes[at]))
        return GapState(tokens, tuple(forward), tuple(backward[::-1]), self._reached(state, gap, classes))

    def fewest(self, state: GapState) -> int:
        """The fewest insertions that make the sequence a member, `FAR` if none do; 0 or `FAR` without budgets."""
        return int(_ints(state.backward[0])[0])

    def rows(self, state: GapState) -> Ints:
        """`(gaps, C)`: the fewest further insertions after one of each token class, `FAR` where it must not go."""
        return np.stack([self._row(f, b) for f, b in zip(state.forward, state.backward, strict=True)])

    def allowed(self, state: GapState, left: int | None = None) -> NDArray[np.bool_]:
        """`(gaps, V)`: what may be inserted; with `left` insertions to go, the next one included."""
        within = self.rows(state) <= (FAR - 1 if left is None else left - 1)
        return within[:, self.table.class_of]

    def is_member(self, state: GapState) -> bool:
        """Whether the sequence as it is is a member."""
        return state.reached[-1] >= 0 and bool(self.table.accepting[state.reached[-1]])

    def _reached(self, state: GapState, gap: int, classes: list[int]) -> tuple[int, ...]:
        reached = list(state.reached[: gap + 1])
        for token_class in classes[gap:]:
            reached.append(self._step(reached[-1], token_class))
        return tuple(reached)

    def _step(self, state: int, token_class: int) -> int:
        return int(self._delta[state, token_class]) if state >= 0 else -1

    def _closed(self, inside: NDArray[np.bool_], edges: tuple[Ints, Ints]) -> Vector:
        distances = np.where(inside, 0, FAR).astype(np.int32)
        closure(distances, *edges, self._cost)
        return distances.tobytes()

    def _forward_uncached(self, vector: Vector, token_class: int) -> Vector:
        distances: Ints = after(_ints(vector), self._delta, token_class)
        closure(distances, *self._successors, self._cost)
        return distances.tobytes()

    def _backward_uncached(self, vector: Vector, token_class: int) -> Vector:
        distances: Ints = before(_ints(vector), self._delta, token_class)
        closure(distances, *self._predecessors, self._cost)
        return distances.tobytes()

    def _row_uncached(self, forward: Vector, backward: Vector) -> Ints:
        row: Ints = insertable(_ints(forward), _ints(backward), *self._edges, self._delta.shape[1])
        return row


def _ints(vector: Vector) -> Ints:
    return np.frombuffer(vector, np.int32)


def _edges(delta: Ints) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Edges by source with targets and labels, and the classes of each label: equal sets of classes are one label."""
    numbers: dict[tuple[int, ...], int] = {}
    first, targets, labels = [0], list[int](), list[int]()
    for row in delta.tolist():
        leading: dict[int, list[int]] = {}
        for token_class, target in enumerate(row):
            if target >= 0:
                leading.setdefault(target, []).append(token_class)
        targets += leading
        labels += [numbers.setdefault(tuple(classes), len(numbers)) for classes in leading.values()]
        first.append(len(targets))
    bounds = np.cumsum([0, *map(len, numbers)])
    members = [token_class for classes in numbers for token_class in classes]
    return _ints32(first), _ints32(targets), _ints32(labels), _ints32(bounds), _ints32(members)


def _ints32(values: ArrayLike) -> Ints:
    return np.asarray(values, np.int32)


def _neighbours(delta: Ints) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Successors and predecessors of every state as compressed rows, each once."""
    sources, classes = np.nonzero(delta >= 0)
    pairs = np.unique(np.stack([sources, delta[sources, classes]], 1), axis=0)
    return _compressed(pairs, len(delta)), _compressed(pairs[:, ::-1], len(delta))


def _compressed(pairs: NDArray[np.int64], n_states: int) -> tuple[Ints, Ints]:
    ordered = pairs[np.argsort(pairs[:, 0], kind="stable")]
    first = np.searchsorted(ordered[:, 0], np.arange(n_states + 1))
    return first.astype(np.int32), np.ascontiguousarray(ordered[:, 1], np.int32)
