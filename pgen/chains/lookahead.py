"""How much mass a small model expects ahead: the product of a byte n-gram model and a language's automaton.

h(q, c) is the probability, under the n-gram model, that a text in state q of the
automaton and context c of the model is completed to a member and ends there:

    h(q, c) = end(q, c) + sum over allowed bytes b of p(b | c) h(q after b, c after b).

It is exact for the small model, so it tells particles of a large one which prefixes lead
somewhere likely (tractable guides: Zhang et al., "Tractable control for autoregressive
language generation", ICML 2023). As a twist any positive function is valid; weights
make up for what the small model does not know. Solved by iteration from below, a
sweep O(256 Q K) for Q states and K contexts; sweep n is the mass that ends within n bytes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pgen.chains.byte_ngram import END, ByteNgram
from pgen.errors import LimitExceeded
from pgen.language.base import Language
from pgen.tokens import Vocabulary
from pgen.tokens.classes import TokenTable, token_table
from pgen.tokens.special_tokens import check_plain

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ending = Literal["eos", "match", "prefix", "stop"]

MAX_CELLS = 1 << 23
"""States times contexts."""
MAX_SWEEPS = 2000
TOLERANCE = 1e-6
"""Relative change of every value at which the iteration stops."""
LEAST = 1e-300
"""In place of 0, which underflow can give: a twist must not exclude anything."""


class Lookahead:
    """Expected masses for one language, n-gram model and end rule; for "stop" the language ends with the stop strings.

    `log_expected (Q + 1, K)`; the last state is dead. Positions are pairs (state, context).
    """

    start: tuple[int, int]

    def __init__(self, language: Language, ngram: ByteNgram, ending: Ending) -> None:
        table = _byte_table(language)
        n_states, n_contexts = table.n_states, len(ngram.contexts)
        if n_states * n_contexts > MAX_CELLS:
            raise LimitExceeded(
                f"looking ahead needs {n_states:,} states times {n_contexts:,} contexts",
                hint="use an n-gram model of smaller order, or from fewer texts",
            )
        self.ngram = ngram
        self.start = table.start, 0
        self.delta = np.full((n_states + 1, 256), n_states, np.int64)
        self.delta[:-1] = np.where(table.delta >= 0, table.delta, n_states)[:, table.class_of[:256]]
        final = table.accepting & (table.delta < 0).all(axis=1)
        ends = self._ends(table.accepting, final, ending)
        if ending == "stop":
            self.delta[:-1][final] = np.flatnonzero(final)[:, None]
        with np.errstate(divide="ignore"):
            self.log_expected = np.log(np.maximum(self._solved(ends, final, ending), LEAST))

    def _ends(self, accepting: NDArray[np.bool_], final: NDArray[np.bool_], ending: Ending) -> Floats:
        """`(Q + 1, K)`: probability of ending right here."""
        ends = np.zeros((len(self.delta), len(self.ngram.contexts)))
        if ending == "prefix":
            ends[:-1][accepting] = 1.0
        elif ending == "match":
            staying = (self.delta[:-1] < len(accepting)).astype(np.float64) @ self.ngram.probabilities[:, :END].T
            ends[:-1][accepting] = np.maximum(1.0 - staying[accepting], 0.0)
        else:
            ends[:-1][accepting] = self.ngram.probabilities[:, END]
        if ending == "stop":
            ends[:-1][final] = 1.0
        return ends

    def _solved(self, ends: Floats, final: NDArray[np.bool_], ending: Ending) -> Floats:
        used = [b for b in range(256) if (self.delta[:-1, b] < len(final)).any()]
        open_rows = np.append(~final, False) if ending == "stop" else np.ones(len(ends), np.bool_)
        expected = ends
        for _ in range(MAX_SWEEPS):
            swept = ends.copy()
            for b in used:
                ahead = expected[self.delta[open_rows, b]][:, self.ngram.following[:, b]]
                swept[open_rows] += self.ngram.probabilities[:, b] * ahead
            swept[-1] = 0.0
            if (np.abs(swept - expected) <= TOLERANCE * swept).all():
                return swept
            expected = swept
        return expected

    def advance(self, position: tuple[int, int], data: bytes) -> tuple[int, int]:
        """The position after more bytes."""
        state, context = position
        for byte in data:
            state, context = int(self.delta[state, byte]), int(self.ngram.following[context, byte])
        return state, context

    def log_after(self, position: tuple[int, int], tokens: TokenBytes) -> Floats:
        """`(V,)` log expected masses after each token of a vocabulary."""
        states = np.full(tokens.n_tokens, position[0], np.int64)
        contexts = np.full(tokens.n_tokens, position[1], np.int64)
        for longer, column in tokens.columns:
            contexts[longer] = self.ngram.following[contexts[longer], column]
            states[longer] = self.delta[states[longer], column]
        return np.asarray(self.log_expected[states, contexts], np.float64)


@lru_cache(maxsize=32)
def lookahead(language: Language, ngram: ByteNgram, ending: Ending) -> Lookahead:
    """The look-ahead of a language; cached."""
    return Lookahead(language, ngram, ending)


class TokenBytes:
    """The bytes of all tokens by position: `columns[n]` are the ids longer than n and their n-th bytes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.n_tokens = len(vocabulary)
        lengths = np.array([len(token) for token in vocabulary.tokens])
        self.columns: list[tuple[Ints, Ints]] = []
        for place in range(int(lengths.max(initial=0))):
            longer = np.flatnonzero(lengths > place)
            column = np.array([vocabulary.tokens[token][place] for token in longer], np.int64)
            self.columns.append((longer, column))


@lru_cache(maxsize=4)
def token_bytes(vocabulary: Vocabulary) -> TokenBytes:
    """The bytes of a vocabulary's tokens; cached."""
    return TokenBytes(vocabulary)


@lru_cache(maxsize=1)
def _bytes() -> Vocabulary:
    return Vocabulary([*(bytes([b]) for b in range(256)), b"<eos>"], eos=256)


def _byte_table(language: Language) -> TokenTable:
    check_plain(language.node, "a guide that looks ahead by bytes")
    return token_table(language.compile(_bytes()))
