"""Which prefixes to ask a model about together: the likeliest ones, and what probably comes after them.

A forward pass of a large model reads all weights, so a dozen prefixes take little longer than
one; but what a text goes on with is known only after the pass. The language narrows it
down: where it leaves few tokens, a text mostly goes on with one that no other allowed token
extends (maximal munch, which the spellings of tokenizers come close to), and a draft of
several tokens can be evaluated at once. Each of these is taken to be equally likely, and the end of
the text as likely as one of them. Guesses that turn out wrong cost their evaluation and change
no result.

A batch is chosen best first from candidates of known mass and guesses of guessed mass: O(log n) each,
after one pass over the mask for every prefix.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import defaultdict
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from pgen.programs.process import TextProcess, TextState
from pgen.sampling.token_step import Packed, pack, unpack
from pgen.tokens import TokenAutomaton, Vocabulary

FEW_TOKENS = 64
"""Allowed tokens, pieces of others included, up to which the next one is guessed."""

KEPT = 0.1
"""Share of a prefix's mass that guesses after it share out: the model may leave the language."""

PIECE = 0.01
"""Share of its mass that a piece of a longer token is likely to keep: models seldom say words in pieces."""

Origin = TypeVar("Origin")


class Place(NamedTuple):
    """A prefix, and where the automaton that restricts its spelling stands (0 without one)."""

    state: TextState
    spelling: int


class Guesses(NamedTuple):
    """Tokens that probably come next, the log share of the mass that each is taken to have, and pieces of them.

    After one of the `pieces` a text can go on only with the rest of a longer token that is allowed in its place.
    """

    tokens: tuple[int, ...]
    log_share: float
    pieces: tuple[int, ...]


class Planned(Generic[Origin]):
    """A prefix to evaluate; `row` is its place in the batch, `following` the guesses after it by token."""

    __slots__ = ("following", "origin", "place", "row")

    def __init__(self, place: Place, origin: Origin, row: int) -> None:
        self.place, self.origin, self.row = place, origin, row
        self.following: dict[int, Planned[None]] = {}


class Foresight:
    """Guesses for one process, restricted to the spellings that `only` accepts, if it is given."""

    def __init__(self, process: TextProcess, only: TokenAutomaton | None = None) -> None:
        self._process, self._only = process, only
        self._known: dict[tuple[int, int, int], Guesses] = {}
        self._said: NDArray[np.bool_] | None = None

    def hear(self, weights: NDArray[np.floating[Any]]) -> None:
        """Note which tokens have any weight `(V,)` after the first prefix: models refuse tokens that they never say."""
        if self._said is None:
            self._said = weights > 0

    def after(self, place: Place) -> Guesses:
        """What probably comes next; nothing where many tokens are allowed."""
        state, spelling = place
        key = state.automaton, spelling, self._process.budget(state)
        if key not in self._known:
            self._known[key] = self._guessed(place)
        return self._known[key]

    def _mask(self, place: Place) -> Packed:
        mask = self._process.choice(place.state).mask
        return mask if self._only is None else mask & self._only.mask(place.spelling)

    def follow(self, place: Place, token: int) -> Place | None:
        """The prefix after one more token; `None` where nobody asks the model any more."""
        state = self._process.advance(place.state, token)
        if self._process.finished(state) is not None:
            return None
        return Place(state, self._only.advance(place.spelling, token) if self._only else 0)

    def _guessed(self, place: Place) -> Guesses:
        said = self._said_after(place)
        longer = _longer(said, self._process.vocabulary)
        longest = tuple(token for token, following in longer.items() if not following)
        ends = self._process.automaton.is_accepting(place.state.automaton)
        pieces = tuple(t for t, following in longer.items() if following and self._is_piece(place, t, following))
        return Guesses(longest, math.log(KEPT / max(len(longest) + ends, 1)), pieces)

    def _said_after(self, place: Place) -> list[int]:
        """The few tokens of text that are allowed, in the order of their bytes; none if they are many."""
        mask, vocabulary = self._mask(place), self._process.vocabulary
        few = np.bitwise_count(mask).sum() <= FEW_TOKENS
        tokens: list[int] = unpack(mask, len(vocabulary)).tolist() if few else []
        said = [t for t in tokens if t not in vocabulary.eos and (self._said is None or self._said[t])]
        return sorted(said, key=lambda token: vocabulary.tokens[token])

    def _is_piece(self, place: Place, token: int, following: set[bytes]) -> bool:
        """Whether after `token` only bytes in `following` can come, those of longer tokens, and no end."""
        after = self.follow(place, token)
        if after is None or self._process.automaton.is_accepting(after.state.automaton):
            return False
        starts = _starts(self._process.vocabulary)
        mask = self._mask(after)
        return bool(mask.any()) and not (mask & ~np.bitwise_or.reduce([starts[byte] for byte in following])).any()


class Batch(Generic[Origin]):
    """Prefixes that are evaluated together, filled best first."""

    def __init__(self, foresight: Foresight) -> None:
        self.roots: list[Planned[Origin]] = []
        self.states: list[TextState] = []
        self._foresight = foresight
        self._guesses: list[tuple[float, int, Place, dict[int, Planned[None]], int]] = []
        self._ties = itertools.count()

    @property
    def log_best_guess(self) -> float:
        """The guessed log mass of the best guess that is left, -inf without any."""
        return -self._guesses[0][0] if self._guesses else -math.inf

    def add(self, place: Place, log_mass: float, origin: Origin) -> None:
        """Take a candidate into the batch."""
        planned = Planned(place, origin, len(self.states))
        self.roots.append(planned)
        self._taken(planned, log_mass)

    def guess(self) -> None:
        """Take the best guess into the batch."""
        cost, _, before, siblings, token = heapq.heappop(self._guesses)
        place = self._foresight.follow(before, token)
        if place is not None:
            siblings[token] = Planned(place, None, len(self.states))
            self._taken(siblings[token], -cost)

    def _taken(self, planned: Planned[Origin] | Planned[None], log_mass: float) -> None:
        self.states.append(planned.place.state)
        tokens, log_share, _ = self._foresight.after(planned.place)
        for token in tokens:
            cost = -(log_mass + log_share)
            heapq.heappush(self._guesses, (cost, next(self._ties), planned.place, planned.following, token))


def _longer(tokens: list[int], vocabulary: Vocabulary) -> dict[int, set[bytes]]:
    """For tokens in the order of their bytes: which bytes come next in those that begin with them."""
    longer: dict[int, set[bytes]] = {}
    beginnings: list[int] = []
    for token in tokens:
        data = vocabulary.tokens[token]
        while beginnings and not data.startswith(vocabulary.tokens[beginnings[-1]]):
            beginnings.pop()
        for begun in beginnings:
            at = len(vocabulary.tokens[begun])
            longer[begun] |= {data[at : at + 1]} - {b""}
        longer[token] = set()
        beginnings.append(token)
    return longer


@lru_cache(maxsize=4)
def _starts(vocabulary: Vocabulary) -> dict[bytes, Packed]:
    """The tokens that begin with each byte, packed."""
    starting: defaultdict[bytes, list[int]] = defaultdict(list)
    for token, data in enumerate(vocabulary.tokens):
        starting[data[:1]].append(token)
    return {byte: pack(tokens, len(vocabulary)) for byte, tokens in starting.items()}
