"""Which tokens may be put into which gap under a context-free language of any size.

The grammar meets the automaton of all completions of a sequence (a loop over tokens in each
gap, fixed bytes in between), as in `emptiness`; but instead of asking whether there is
any way through both, the cheapest ones are sought, a round of a loop being 1 and what is fixed nothing
(`gaps.fewest`): the cheapest way through the last byte of a token's loop at gap g tells how
many tokens it takes to complete the sequence with that token there. One pass answers for all gaps and
tokens, in O(N n^2) places and more steps for N network states and n shape states. It needs no
bound on nesting or length, and no table of states.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pgen.gaps.automaton import FAR, Look
from pgen.gaps.emptiness import Shape, ShapeBuilder, network_of
from pgen.gaps.fewest import CheapestWays
from pgen.language.base import Language
from pgen.tokens import Vocabulary

MAX_MEMO = 4096


class GrammarState(NamedTuple):
    """A sequence."""

    tokens: tuple[int, ...]


class GrammarGaps:
    """What `GapAutomaton` is for token automata."""

    budgeted = True

    def __init__(self, language: Language, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._network = network_of(language.node)
        text = vocabulary.text_ids.tolist()
        self._pieces = sorted({vocabulary.tokens[token] for token in text})
        number = {piece: i for i, piece in enumerate(self._pieces, 1)}
        self.class_of = np.zeros(len(vocabulary), np.int32)
        self.class_of[text] = [number[vocabulary.tokens[token]] for token in text]
        self._known = lru_cache(MAX_MEMO)(self._worked_out)

    def start(self, tokens: tuple[int, ...] = ()) -> GrammarState:
        """The state of a sequence that stands from the beginning (by default the empty one)."""
        return GrammarState(tokens)

    def insert(self, state: GrammarState, gap: int, token: int) -> GrammarState:
        """The state after `token` is put into `gap`."""
        return GrammarState((*state.tokens[:gap], token, *state.tokens[gap:]))

    def look(self, state: GrammarState) -> Look:
        """What may be inserted where, and whether the sequence may stop."""
        return self._known(state.tokens)

    def _worked_out(self, tokens: tuple[int, ...]) -> Look:
        made = ShapeBuilder(self._pieces)
        here, ends = 0, []
        for token in (*tokens, None):
            # A state of its own, which nothing but the loop leads back to.
            here = made.jump(here)
            ends.append(made.tokens(here, here))
            if token is not None:
                here = made.chain(here, self.vocabulary.tokens[token])
        charged = {edge for lasts in ends for edge in lasts}
        ways = CheapestWays(self._network, Shape(made.ranges, made.jumps, here), charged)
        through = ways.through()
        rows = np.full((len(ends), 1 + len(self._pieces)), FAR, np.int32)
        for gap, lasts in enumerate(ends):
            rows[gap, 1:] = [through.get(edge, FAR + 1) - 1 for edge in lasts]
        rows.flags.writeable = False
        return Look(rows, FAR if ways.fewest is None else ways.fewest, ways.fewest == 0)
