"""How much mass a small model expects ahead: the product of a byte model and a language's automaton.

h(q, c) is the probability, under an n-gram model, that a text in state q of the
automaton and context c of the model is completed to a member and ends there:

    h(q, c) = end(q, c) + sum over allowed bytes b of p(b | c) h(q after b, c after b).

For a hidden Markov model c is the state that emits next, h(q after b, .) is its mean over the states that may
follow c, and what is expected after a text is the mean of h(q, .) over the states that it may have led to.

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

from pgen.chains.byte_hmm import ByteHMM
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
    """Expected masses for one language, small model and end rule; for "stop" the language ends with the stop strings.

    `log_expected (Q + 1, K)`; the last state is dead. Positions are pairs of a state and where the model is.
    """

    def __init__(self, language: Language, model: ByteNgram | ByteHMM, ending: Ending) -> None:
        table = _byte_table(language)
        n_states, n_contexts = table.n_states, len(model.probabilities)
        if n_states * n_contexts > MAX_CELLS:
            raise LimitExceeded(
                f"looking ahead needs {n_states:,} states times {n_contexts:,} contexts",
                hint="use an n-gram model of smaller order, or from fewer texts",
            )
        self.probabilities = model.probabilities
        self.first_state = table.start
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
        ends = np.zeros((len(self.delta), len(self.probabilities)))
        if ending == "prefix":
            ends[:-1][accepting] = 1.0
        elif ending == "match":
            staying = (self.delta[:-1] < len(accepting)).astype(np.float64) @ self.probabilities[:, :END].T
            ends[:-1][accepting] = np.maximum(1.0 - staying[accepting], 0.0)
        else:
            ends[:-1][accepting] = self.probabilities[:, END]
        if ending == "stop":
            ends[:-1][final] = 1.0
        return ends

    def _solved(self, ends: Floats, final: NDArray[np.bool_], ending: Ending) -> Floats:
        used = [b for b in range(256) if (self.delta[:-1, b] < len(final)).any()]
        open_rows = np.append(~final, False) if ending == "stop" else np.ones(len(ends), np.bool_)
        expected = ends
        for _ in range(MAX_SWEEPS):
            swept, later = ends.copy(), self._later(expected)
            for b in used:
                swept[open_rows] += self.probabilities[:, b] * self._ahead(later[self.delta[open_rows, b]], b)
            swept[-1] = 0.0
            if (np.abs(swept - expected) <= TOLERANCE * swept).all():
                return swept
            expected = swept
        return expected

    def _later(self, expected: Floats) -> Floats:
        """`(Q + 1, K)` what is expected of the states that come next, by those that emit."""
        return expected

    def _ahead(self, later: Floats, byte: int) -> Floats:
        """`(n, K)` what is expected after `byte`, from rows `(n, K)` of `later`."""
        raise NotImplementedError


class NgramLookahead(Lookahead):
    """The look-ahead of an n-gram model; a position is (state, context)."""

    def __init__(self, language: Language, ngram: ByteNgram, ending: Ending) -> None:
        self.ngram = ngram
        super().__init__(language, ngram, ending)

    @property
    def start(self) -> tuple[int, int]:
        """The position before the first byte."""
        return self.first_state, 0

    def advance(self, position: tuple[int, int], data: bytes) -> tuple[int, int]:
        """The position after more bytes."""
        state, context = position
        for byte in data:
            state, context = int(self.delta[state, byte]), int(self.ngram.following[context, byte])
        return state, context

    def log_at(self, position: tuple[int, int]) -> float:
        """log expected mass from a position on, in nats."""
        return float(self.log_expected[position])

    def log_after(self, position: tuple[int, int], tokens: TokenBytes) -> Floats:
        """`(V,)` log expected masses after each token of a vocabulary."""
        states = np.full(tokens.n_tokens, position[0], np.int64)
        contexts = np.full(tokens.n_tokens, position[1], np.int64)
        for longer, column in tokens.columns:
            contexts[longer] = self.ngram.following[contexts[longer], column]
            states[longer] = self.delta[states[longer], column]
        return np.asarray(self.log_expected[states, contexts], np.float64)

    def _ahead(self, later: Floats, byte: int) -> Floats:
        return np.asarray(later[:, self.ngram.following[:, byte]], np.float64)


class HiddenLookahead(Lookahead):
    """The look-ahead of a hidden Markov model; a position is a state and the law `(Z,)` of the hidden state."""

    def __init__(self, language: Language, hmm: ByteHMM, ending: Ending) -> None:
        self.hmm = hmm
        super().__init__(language, hmm, ending)

    @property
    def start(self) -> tuple[int, Floats]:
        """The position before the first byte."""
        return self.first_state, self.hmm.initial

    def advance(self, position: tuple[int, Floats], data: bytes) -> tuple[int, Floats]:
        """The position after more bytes."""
        state, belief = position
        for byte in data:
            state, belief = int(self.delta[state, byte]), self.hmm.after(belief, byte)
        return state, belief

    def log_at(self, position: tuple[int, Floats]) -> float:
        """log expected mass from a position on, in nats."""
        state, belief = position
        return float(np.log(belief @ np.exp(self.log_expected[state])))

    def log_after(self, position: tuple[int, Floats], tokens: TokenBytes) -> Floats:
        """`(V,)` log expected masses after each token of a vocabulary."""
        dead = len(self.delta) - 1
        states = np.full(tokens.n_tokens, position[0], np.int64)
        beliefs = np.broadcast_to(position[1], (tokens.n_tokens, len(position[1]))).copy()  # (V, Z)
        for longer, column in tokens.columns:
            states[longer] = self.delta[states[longer], column]
            alive = states[longer] != dead
            rows, seen = longer[alive], self.probabilities[:, column[alive]].T
            joint = beliefs[rows] * seen
            beliefs[rows] = joint / joint.sum(axis=1, keepdims=True) @ self.hmm.transitions
        return np.asarray(np.log((beliefs * np.exp(self.log_expected[states])).sum(axis=1)), np.float64)

    def _later(self, expected: Floats) -> Floats:
        return np.asarray(expected @ self.hmm.transitions.T, np.float64)

    def _ahead(self, later: Floats, byte: int) -> Floats:
        return later


@lru_cache(maxsize=32)
def lookahead(language: Language, model: ByteNgram | ByteHMM, ending: Ending) -> NgramLookahead | HiddenLookahead:
    """The look-ahead of a language; cached."""
    if isinstance(model, ByteHMM):
        return HiddenLookahead(language, model, ending)
    return NgramLookahead(language, model, ending)


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
