"""Which tokens may be put into which gap under a context-free language of any size.

The grammar meets the automaton of all completions of a sequence (a loop over tokens in each
gap, fixed bytes in between), as in `emptiness`; but instead of asking whether there is
any way through both, all ways are tabulated, and those that reach both ends are marked from
the end backwards: token t may go into gap g iff the last byte of its loop at g is on such
a way. One pass answers for all gaps and tokens, in O(N n^2) places and more steps for N
network states and n shape states. It needs no bound on nesting or length, and no table
of states; budgets are not counted (what overruns a limit has weight 0).
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.gaps.emptiness import Edge, Network, Place, Shape, ShapeBuilder, Tabulation, completable, network_of
from pgen.gaps.kernels import FAR
from pgen.language.base import Language
from pgen.tokens import Vocabulary

MAX_MEMO = 4096


class GrammarState(NamedTuple):
    """A sequence."""

    tokens: tuple[int, ...]


class GrammarGaps:
    """What `GapAutomaton` is for token automata, without budgets: rows are 0, or `FAR` where a token must not go."""

    budgeted = False

    def __init__(self, language: Language, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._language = language
        self._network = network_of(language.node)
        text = vocabulary.text_ids.tolist()
        self._pieces = sorted({vocabulary.tokens[token] for token in text})
        number = {piece: i for i, piece in enumerate(self._pieces, 1)}
        self.class_of = np.zeros(len(vocabulary), np.int32)
        self.class_of[text] = [number[vocabulary.tokens[token]] for token in text]
        self._rows = lru_cache(MAX_MEMO)(self._rows_uncached)
        self._member = lru_cache(MAX_MEMO)(self._member_uncached)

    def start(self, tokens: tuple[int, ...] = ()) -> GrammarState:
        """The state of a sequence that stands from the beginning (by default the empty one)."""
        return GrammarState(tokens)

    def insert(self, state: GrammarState, gap: int, token: int) -> GrammarState:
        """The state after `token` is put into `gap`."""
        return GrammarState((*state.tokens[:gap], token, *state.tokens[gap:]))

    def fewest(self, state: GrammarState) -> int:
        """0, or `FAR` if no insertions make the sequence a member."""
        return 0 if self.is_member(state) or (self.rows(state) == 0).any() else FAR

    def rows(self, state: GrammarState) -> NDArray[np.int32]:
        """`(gaps, C)`: 0 where a token of the class may go, else `FAR`."""
        return self._rows(state.tokens)

    def is_member(self, state: GrammarState) -> bool:
        """Whether the sequence as it is is a member."""
        return self._member(state.tokens)

    def _member_uncached(self, tokens: tuple[int, ...]) -> bool:
        return completable(self._language, self.vocabulary, [self.vocabulary.decode(tokens)])

    def _rows_uncached(self, tokens: tuple[int, ...]) -> NDArray[np.int32]:
        made = ShapeBuilder(self._pieces)
        here, ends = 0, []
        for token in (*tokens, None):
            # A state of its own, which nothing but the loop leads back to.
            here = made.jump(here)
            ends.append(made.tokens(here, here))
            if token is not None:
                here = made.chain(here, self.vocabulary.tokens[token])
        read = _read_on_the_way(self._network, Shape(made.ranges, made.jumps, here))
        rows = np.full((len(ends), 1 + len(self._pieces)), FAR, np.int32)
        for gap, lasts in enumerate(ends):
            rows[gap, [number for number, edge in enumerate(lasts, 1) if edge in read]] = 0
        rows.flags.writeable = False
        return rows


class _Traced(Tabulation):
    """Remembers where each place was reached from."""

    def __init__(self, network: Network, shape: Shape) -> None:
        super().__init__(network, shape)
        self.origins: defaultdict[Place, set[tuple[tuple[Place, ...], int | None]]] = defaultdict(set)

    def reach(self, place: Place, *origins: Place, byte: int | None = None) -> None:
        self.origins[place].add((origins, byte))
        super().reach(place)


def _read_on_the_way(network: Network, shape: Shape) -> set[Edge]:
    """The bytes that ways from both beginnings to both ends read, and where."""
    table, goal = _Traced(network, shape), ((-1, 0), 1, shape.final)
    reached = set(table.run())
    waiting, useful, read = [goal] if goal in reached else [], {goal}, set[Edge]()
    while waiting:
        place = waiting.pop()
        for origins, byte in table.origins[place]:
            if byte is not None:
                read.add((origins[0][2], byte, place[2]))
            for origin in origins:
                if origin not in useful:
                    useful.add(origin)
                    waiting.append(origin)
    return read
