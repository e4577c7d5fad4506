"""Rules that are laid when a walk first calls them, but for a first few.

A large schema is mostly parts that one text never gets to. `ir.Later` nodes stand for such parts: they
become rules without states, whose shortest members have a known length, so that distances
and trimming need no more of them. When a kernel comes to call one, `LazyDFA` asks for its
piece: the node is written, laid, and put behind the arrays there are. Later pieces call the shared parts of
earlier ones. States keep their numbers, and so does what is known of them: a piece adds
edges to no state but its own. Cost: that of what is laid, and of copying the arrays once a piece.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.automata.arrays import UNWRITTEN, Piece, extended
from pgen.automata.layout import Nfa
from pgen.automata.nfa import Builder
from pgen.automata.pieces import CALL, OUTSIDE, Fragment
from pgen.automata.reachability import byte_distances, trim
from pgen.automata.sharing import same_parts
from pgen.language import ir

AHEAD = 60_000
"""Edges that are laid before the first walk: so many take a tenth of a second, and few schemas have more."""


class Growth:
    """A language in pieces; rules are numbered as they are first mentioned."""

    def __init__(self, node: ir.Node) -> None:
        self._rules = _Rules({}, [], [])
        self._n_edges = 0
        self.first = self._piece(node)

    def ahead(self, nfa: Nfa) -> Nfa:
        """The arrays with the pieces of the next rules, up to `AHEAD` edges."""
        rule = 0
        while rule < len(nfa.begin) and self._n_edges < AHEAD:
            if nfa.begin[rule] == UNWRITTEN:
                nfa = extended(nfa, self.written(rule))
            rule += 1
        return nfa

    def written(self, rule: int) -> Piece:
        """The piece of a rule that has none."""
        part = self._rules.parts[rule]
        assert isinstance(part, ir.Later), "other rules come with the piece that mentions them first"
        piece = self._piece(part.write())
        assert piece.nearest[0] == part.n_bytes, "a part is as short as it says"
        fragment = piece.fragment
        begins, ends = np.append(np.int32(0), fragment.begins), np.append(np.int32(1), fragment.ends)
        return piece._replace(
            fragment=fragment._replace(begins=begins, ends=ends), rules=np.append(np.int32(rule), piece.rules)
        )

    def _piece(self, node: ir.Node) -> Piece:
        shared = [part for part in same_parts(node) if self._rules.number(part) is None]
        builder = _PieceBuilder(self._rules, {id(part): i for i, part in enumerate(shared)}, self._n_edges)
        begins = [builder.lay_apart(body) for body in (node, *shared)][1:]
        self._n_edges = builder.n_edges
        fragment, costs = builder.fragment(np.array(begins, np.int32)), np.array([*self._rules.costs, 0], np.int32)
        if ir.has_boolean(node):
            return self._numbered(*trim(fragment, outside=costs), shared)
        # Without intersections nothing that was laid is in vain.
        return self._numbered(fragment, byte_distances(fragment, np.ones(256, np.bool_), costs), shared)

    def _numbered(self, fragment: Fragment, nearest: NDArray[np.int32], shared: list[ir.Node]) -> Piece:
        """The piece with its own rules numbered after those there are, and calls of them by these numbers."""
        first, n_own = len(self._rules.parts), len(fragment.begins)
        # Where trimming has cut rules, it is not said which; those left serve this piece alone.
        names = shared if n_own == len(shared) else [ir.Ref("") for _ in range(n_own)]
        for part, begin in zip(names, fragment.begins, strict=True):
            self._rules.add(part, int(nearest[begin]))
        edges, symbol = fragment.edges.copy(), fragment.edges[:, 1]
        edges[(symbol >= CALL) & (symbol < OUTSIDE), 1:3] += first
        edges[symbol >= OUTSIDE, 1:3] += CALL - OUTSIDE
        rules = np.arange(first, len(self._rules.parts), dtype=np.int32)
        return Piece(fragment._replace(edges=edges), nearest, rules, len(self._rules.parts))


class _Rules(NamedTuple):
    """The rules there are: their numbers by the identity of their parts, these parts, and their shortest members."""

    numbers: dict[int, int]
    parts: list[ir.Node]
    costs: list[int]

    def number(self, part: ir.Node) -> int | None:
        return self.numbers.get(id(part))

    def add(self, part: ir.Node, n_bytes: int) -> int:
        self.numbers[id(part)] = number = len(self.parts)
        self.parts.append(part)
        self.costs.append(n_bytes)
        return number


class _PieceBuilder(Builder):
    """Calls the rules of earlier pieces; parts to be written later are rules from when they are mentioned."""

    def __init__(self, rules: _Rules, own: dict[int, int], n_edges: int, whole: bool = False) -> None:
        super().__init__(whole)
        self.n_edges = n_edges
        self._rules, self._own = rules, own

    def _inner(self) -> _PieceBuilder:
        return _PieceBuilder(self._rules, self._own, self.n_edges, self._whole)

    def _call(self, part: ir.Node) -> int | None:
        if (own := self._own.get(id(part))) is not None:
            return CALL + own
        number = self._rules.number(part)
        if number is None and isinstance(part, ir.Later):
            number = self._rules.add(part, part.n_bytes)
        return None if number is None else OUTSIDE + number
