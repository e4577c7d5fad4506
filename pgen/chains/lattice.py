"""Inside masses of a context-free language over the positions of a canvas whose tokens spell several terminals.

A canvas is a lattice: position by position a trie of tokens, whose arcs carry the mass of the
tokens that end there. The mass of a rule between two places sums over all ways through its body,
calls included (Baker 1979, on the lattice of Bar-Hillel, Perles and Shamir 1961): O(N n^2 A + E n^3)
for n places, N states and E calls. The text ends with the canvas, or before an
end-of-sequence token, behind which everything has mass 1.

Masses count derivations D(x) of a text by the bodies, which are deterministic each, but may be ambiguous in
how they call each other. Where masses are look-aheads, telescoping weights divide D out
(`docs/diffusion.md`); what must not depend on D is refused by those who ask.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.chains.emissions import FLOOR, LOG_TWO, Canvas, Floats, Rows
from pgen.chains.pushdown import Ints, Pushdown, is_unambiguous, pushdown
from pgen.errors import LimitExceeded, ModelError, UnsupportedFeature
from pgen.language.base import Language
from pgen.sampling.rng import Rng
from pgen.tokens.vocabulary import Vocabulary

if TYPE_CHECKING:
    from typing import Any

MAX_PLACES = 1 << 24
"""Numbers in one chart: rules times pairs of places."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """`rows (n, V)` log-probabilities of the first n positions; those behind are uniform, committed ones count 1.

    Without `open_ends`, an end-of-sequence token stands only where it is committed.
    """

    pushdown: Pushdown
    rows: Rows
    canvas: tuple[int | None, ...]
    open_ends: bool = True

    @property
    def length(self) -> int:
        """n: positions that the model was asked about."""
        return len(self.rows)

    def row(self, position: int) -> Rows:
        """Log-probabilities `(V,)` at a position."""
        row: Rows = self.rows[position]
        return row

    def committed(self, canvas: Canvas) -> Lattice:
        """The same with the positions of `canvas`, which may be a beginning of the whole, committed."""
        return replace(self, canvas=(*canvas, *self.canvas[len(canvas) :]))

    def floored(self, positions: Sequence[int]) -> Lattice:
        """The same, but at open positions other than these no token is impossible: masses of 0 become 2^`FLOOR`."""
        free = np.array([token is None for token in self.canvas[: self.length]])
        free[list(positions)] = False
        empty = (self.rows == -np.inf) & free[:, None]
        return replace(self, rows=np.where(empty, FLOOR * LOG_TWO, self.rows)) if empty.any() else self

    @cached_property
    def weights(self) -> tuple[Floats, Floats]:
        """`(L, A)` log masses of the trie's arcs, and `(L + 1,)` of the end before each position or behind the last."""
        spellings, eos = self.pushdown.spellings, sorted(self.pushdown.vocabulary.eos)
        arcs = np.full((len(self.canvas), len(spellings.arc_group)), 0.0)
        ends = np.full(len(self.canvas) + 1, 0.0)
        lasts = np.flatnonzero(spellings.arc_group >= 0)
        for i, token in enumerate(self.canvas):
            if token is not None:
                arcs[i, lasts] = np.where(spellings.arc_group[lasts] == spellings.group_of[token], 0.0, -np.inf)
                ends[i] = 0.0 if token in eos else -np.inf
            else:
                row = self._masses(i)
                arcs[i, lasts] = _summed(row, *self._groups)[spellings.arc_group[lasts]]
                ends[i] = np.logaddexp.reduce(row[eos]) if eos and self.open_ends else -np.inf
        return arcs, ends

    @cached_property
    def _groups(self) -> tuple[Ints, Ints]:
        """Tokens of groups, group by group, and where each group begins."""
        group_of = self.pushdown.spellings.group_of
        order = np.argsort(group_of, kind="stable")[np.count_nonzero(group_of < 0) :]
        return order.astype(np.int32), np.flatnonzero(np.diff(group_of[order], prepend=-1)).astype(np.int32)

    def members(self, group: int) -> Ints:
        """The tokens of a group."""
        return np.flatnonzero(self.pushdown.spellings.group_of == group).astype(np.int32)

    def _masses(self, position: int) -> Floats:
        n_tokens = len(self.pushdown.vocabulary)
        if position >= self.length:
            return np.full(n_tokens, -np.log(n_tokens))
        return np.asarray(self.rows[position], np.float64)


def lattice(rules: Pushdown, rows: Any, canvas: Canvas, *, open_ends: bool = True) -> Lattice:
    """The lattice of one canvas under marginals `(n, V)`, an array or a tensor.

    Raises `ModelError` on NaN at an open position.
    """
    array = np.asarray(rows if isinstance(rows, np.ndarray) else rows.double().cpu().numpy(), np.float64)
    tokens = tuple(canvas)
    if any(token is None and np.isnan(row).any() for row, token in zip(array, tokens, strict=False)):
        raise ModelError("the marginals of a canvas hold NaN", hint="NaN usually means corrupt weights")
    return Lattice(rules, array, tokens, open_ends)


class _Way(NamedTuple):
    """How a place was come to in one body: from `state` at place `origin`, by an arc, or a call of `rule`."""

    log_mass: float
    state: int
    origin: int
    arc: int
    rule: int


class Chart:
    """Inside masses of one lattice. Raises `LimitExceeded` beyond `MAX_PLACES` numbers."""

    def __init__(self, given: Lattice) -> None:
        from pgen.chains import lattice_kernels

        check_size(given.pushdown, len(given.canvas))
        self.lattice = given
        bodies, spellings = given.pushdown.bodies, given.pushdown.spellings
        self._n_nodes = spellings.n_nodes
        n_places = len(given.canvas) * self._n_nodes + 1
        arcs, self._ends = given.weights
        parts = bodies.delta, bodies.call_start, bodies.call_rule, bodies.call_back, bodies.bounds
        self._parts = *parts, spellings.arc_start, spellings.arc_target, spellings.arc_class, arcs
        self._arcs = arcs
        self._inside = np.empty((bodies.n_rules, n_places, n_places))
        lattice_kernels.fill(*self._parts, bodies.accepting, self._inside)
        self._alpha = self._forward(bodies.n_rules, 0)

    @cached_property
    def _whole(self) -> Floats:
        """`(L + 1,)` log mass of the members of each length in tokens."""
        bodies = self.lattice.pushdown.bodies
        accepting = bodies.accepting[bodies.bounds[-2] :]
        roots = self._alpha[accepting][:, :: self._n_nodes]
        return np.asarray(np.logaddexp.reduce(roots, axis=0, initial=-np.inf), np.float64)

    @property
    def _final(self) -> Floats:
        """`(L + 1,)` the same with their ends."""
        return self._whole + self._ends

    @property
    def log_mass(self) -> float:
        """log mass of the canvases in the language, each as often as it is derived; -inf if there are none."""
        return float(np.logaddexp.reduce(self._final))

    @property
    def lengths(self) -> list[int]:
        """The numbers of tokens that members have before their end, whether or not the canvas lets them end there."""
        return np.flatnonzero(self._whole > -np.inf).tolist()

    def given(self, canvas: Canvas) -> Chart:
        """The chart when more positions are committed, under the same marginals."""
        after = self.lattice.committed(canvas)
        return self if after.canvas == self.lattice.canvas else Chart(after)

    def sample(self, positions: Sequence[int], rng: Rng) -> tuple[int, ...]:
        """Tokens of some open positions, by mass; that of all must not be zero."""
        length = _drawn(self._final, rng)
        groups, eos = self._groups(length, rng), sorted(self.lattice.pushdown.vocabulary.eos)
        tokens = []
        for i in positions:
            if i < length:
                among = self.lattice.members(groups[i])
            else:
                among = (
                    np.array(eos, np.int32) if i == length else np.arange(self.lattice.rows.shape[1], dtype=np.int32)
                )
            tokens.append(int(among[_drawn(self.lattice.row(i)[among], rng)]))
        return tuple(tokens)

    @cached_property
    def marginals(self) -> Floats:
        """`(n, V)` log-probabilities of tokens, canvases counting once for each derivation; committed ones hold 0."""
        group_of, group_arc = self.lattice.pushdown.spellings.group_of, self.lattice.pushdown.spellings.arc_group
        rows = np.asarray(self.lattice.rows, np.float64)
        ended = np.logaddexp.accumulate(np.append(-np.inf, self._final)) - self.log_mass  # before each position
        arcs, made = self._arc_masses() - self.log_mass, np.full(rows.shape, -np.inf)
        eos, lasts = sorted(self.lattice.pushdown.vocabulary.eos), np.flatnonzero(group_arc >= 0)
        read = np.flatnonzero(group_of >= 0)
        arc_of = lasts[np.argsort(group_arc[lasts])][group_of[read]]
        for i, token in enumerate(self.lattice.canvas[: self.lattice.length]):
            if token is not None:
                made[i, token] = 0.0
                continue
            shares = np.subtract(
                arcs[i], self._arcs[i], where=self._arcs[i] > -np.inf, out=np.full(arcs[i].shape, -np.inf)
            )
            made[i] = rows[i] + ended[i]
            made[i, read] = np.logaddexp(made[i, read], rows[i, read] + shares[arc_of])
            if self._ends[i] > -np.inf:
                share = self._final[i] - self.log_mass - self._ends[i]
                made[i, eos] = np.logaddexp(made[i, eos], rows[i, eos] + share)
        return made

    def possible(self, position: int) -> NDArray[np.bool_]:
        """`(V,)`: the tokens at a position that members hold and marginals allow."""
        return np.asarray(self.marginals[position] > -np.inf)

    def constrained_marginals(self) -> Floats:
        """`(n, V)` log-probabilities of tokens in the language.

        Raises `UnsupportedFeature` unless every text has one derivation for certain.
        """
        if not is_unambiguous(self.lattice.pushdown.bodies):
            raise UnsupportedFeature(
                f"a member of {self.lattice.pushdown.language!r} may have several derivations, and marginals of its "
                "chart count each of them",
                hint="use an order that does not look at the language, write the grammar so that the next byte decides "
                "between alternatives, or bound its nesting so that it has a table",
            )
        return self.marginals

    def _arc_masses(self) -> Floats:
        from pgen.chains import lattice_kernels

        leave = np.full(self._inside.shape[1], -np.inf)
        leave[:: self._n_nodes] = self._ends
        accepting = self.lattice.pushdown.bodies.accepting
        return np.asarray(lattice_kernels.arc_masses(*self._parts, accepting, self._inside, leave), np.float64)

    def _groups(self, length: int, rng: Rng) -> dict[int, int]:
        """The group of tokens at each position of a text of `length` tokens, from its end backwards."""
        bodies, spellings = self.lattice.pushdown.bodies, self.lattice.pushdown.spellings
        found = dict[int, int]()
        waiting = [(bodies.n_rules, 0, length * self._n_nodes)]
        while waiting:
            rule, begin, place = waiting.pop()
            first, alpha = bodies.bounds[rule], self._forward(rule, begin)
            accepting = bodies.accepting[first : bodies.bounds[rule + 1]]
            state = int(first) + _drawn(np.where(accepting, alpha[:, place], -np.inf), rng)
            while place > begin:
                ways = list(self._ways(rule, begin, alpha, state, place))
                way = ways[_drawn(np.array([each.log_mass for each in ways]), rng)]
                if way.rule >= 0:
                    waiting.append((way.rule, way.origin, place))
                elif spellings.arc_group[way.arc] >= 0:
                    found[way.origin // self._n_nodes] = int(spellings.arc_group[way.arc])
                state, place = way.state, way.origin
        return found

    def _ways(self, rule: int, begin: int, alpha: Floats, state: int, place: int) -> Iterator[_Way]:
        """What can have led to `state` at `place`."""
        bodies, spellings = self.lattice.pushdown.bodies, self.lattice.pushdown.spellings
        first, last = bodies.bounds[rule], bodies.bounds[rule + 1]
        position, node = divmod(place, self._n_nodes)
        i = position if node else position - 1
        for arc in np.flatnonzero(spellings.arc_target == (node or -1)).tolist():
            origin = i * self._n_nodes + int(spellings.arc_source[arc])
            if origin >= begin and self._arcs[i, arc] > -np.inf:
                for q in (first + np.flatnonzero(bodies.delta[first:last, spellings.arc_class[arc]] == state)).tolist():
                    if alpha[q - first, origin] > -np.inf:
                        yield _Way(float(alpha[q - first, origin] + self._arcs[i, arc]), q, origin, arc, -1)
        for q in range(first, last):
            for k in range(bodies.call_start[q], bodies.call_start[q + 1]):
                if bodies.call_back[k] == state:
                    called = int(bodies.call_rule[k])
                    masses = alpha[q - first, begin:place] + self._inside[called, begin:place, place]
                    for at in np.flatnonzero(masses > -np.inf).tolist():
                        yield _Way(float(masses[at]), q, begin + at, -1, called)

    def _forward(self, rule: int, begin: int) -> Floats:
        from pgen.chains import lattice_kernels

        bounds = self.lattice.pushdown.bodies.bounds
        alpha = np.empty((bounds[rule + 1] - bounds[rule], self._inside.shape[1]))
        lattice_kernels.forward(rule, begin, *self._parts, self._inside, alpha)
        return alpha


def chartable(language: Language, vocabulary: Vocabulary, length: int) -> Pushdown:
    """The rules of a language for charts of `length` positions.

    Raises what `pushdown` does, and `LimitExceeded` if a chart would be too large.
    """
    rules = pushdown(language, vocabulary, math.isqrt(MAX_PLACES) // length)
    check_size(rules, length)
    return rules


def check_size(rules: Pushdown, length: int) -> None:
    """Raise `LimitExceeded` if the chart of a canvas of `length` positions is too large."""
    n_places = length * rules.spellings.n_nodes + 1
    if rules.bodies.n_rules * n_places**2 > MAX_PLACES:
        raise LimitExceeded(
            f"a chart of {rules.language!r} over {length} positions has {rules.bodies.n_rules:,} rules "
            f"times {n_places:,} places squared, more than {MAX_PLACES:,}",
            hint="use a shorter canvas or a smaller vocabulary, or bound its nesting and its counts so that it has a "
            "table; left-to-right models need neither",
        )


def _summed(row: Floats, order: Ints, starts: Ints) -> Floats:
    """Log masses of groups."""
    if not len(order):
        return np.zeros(0)
    return np.asarray(np.logaddexp.reduceat(row[order], starts), np.float64)


def _drawn(log_masses: Rows, rng: Rng) -> int:
    possible = np.flatnonzero(log_masses > -np.inf)
    if len(possible) == 1:
        return int(possible[0])
    logs = np.asarray(log_masses[possible], np.float64)
    running = np.cumsum(np.exp(logs - logs.max()))
    running /= running[-1]
    return int(possible[np.searchsorted(running, rng.uniform(lambda: running), side="right")])
