"""The token process behind texts of insertion models: states, choices, ends. No model calls, no randomness.

A sequence is made of fixed parts with holes between them; for `ilm.text(prompt)` the
prompt stands in front of one hole. From the fixed parts alone the model inserts one
token at a time into any slot of any hole, or stops. The mass of a text is the sum,
over all sequences that spell it and all orders in which their tokens can be
inserted, of the product of the steps' probabilities and that of the stop. Each step is
conditioned on the closed slots staying closed. A hole's language allows a token in
a slot iff more insertions can still make the hole a member (`pgen.gaps`), and the stop
iff all holes are members.

`max_tokens` counts insertions. Under a language it restricts the support (tokens after
which a member is still in reach, holes taken together); without one it completes
the text, which is then marked as truncated.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pgen.errors import InvalidArgument, InvalidLanguage, LimitExceeded
from pgen.gaps.automaton import FAR, GapAutomaton, GapState
from pgen.gaps.bounded import bounded_table
from pgen.gaps.step import Choice, OpenSlots
from pgen.language import ir
from pgen.language.base import Language
from pgen.programs.strings import Text
from pgen.tokens import TokenAutomaton
from pgen.tokens.classes import TokenTable, token_table

if TYPE_CHECKING:
    from pgen.programs.insertion import InsertionDistribution

Tokens = tuple[int, ...]
Key = tuple[Tokens, ...]
Move = tuple[int, int]
"""A slot of the whole sequence, and a token for it."""


class InsertionState(NamedTuple):
    """Where a draft stands: the gaps of every hole."""

    holes: tuple[GapState, ...]

    @property
    def n_inserted(self) -> int:
        """Tokens inserted so far."""
        return sum(len(hole.tokens) for hole in self.holes)


class InsertionProcess:
    """The process of one distribution; compiling raises what compiling its languages raises.

    `only`, a table for each hole, stands in place of the holes' languages: the same
    masses, of fewer texts.
    """

    def __init__(self, distribution: InsertionDistribution, only: Sequence[TokenTable] | None = None) -> None:
        self.distribution = distribution
        self.model = distribution.model
        self.vocabulary = distribution.model.vocabulary
        self.free = all(language is None for language in distribution.holes)
        self.limit = self._limit()
        self._gaps = self._compiled() if only is None else [GapAutomaton(table, budgeted=True) for table in only]
        self._budgeted = self._gaps[0].budgeted
        self.start = InsertionState(tuple(gaps.start() for gaps in self._gaps))
        if only is None:
            self._check_support()

    def sequence(self, state: InsertionState) -> Tokens:
        """What the model is asked about: fixed parts and holes in turn."""
        first, *others = self.distribution.fixed
        return first + tuple(t for hole, part in zip(state.holes, others, strict=True) for t in (*hole.tokens, *part))

    def choice(self, state: InsertionState) -> Choice:
        """What may come next."""
        left = self.limit - state.n_inserted
        needs = [gaps.fewest(hole) for gaps, hole in zip(self._gaps, state.holes, strict=True)]
        slots, at = [], 0
        for i, (gaps, hole) in enumerate(zip(self._gaps, state.holes, strict=True)):
            at += len(self.distribution.fixed[i])
            # What the other holes need is set aside; without budgets needs are 0.
            elsewhere = sum(needs) - needs[i]
            most = left - 1 - elsewhere if self._budgeted else FAR - 1
            slots.append(OpenSlots(at, gaps.rows(hole) <= most, gaps.table.class_of))
            at += len(hole.tokens)
        members = all(gaps.is_member(hole) for gaps, hole in zip(self._gaps, state.holes, strict=True))
        return Choice(slots, members)

    def key(self, state: InsertionState) -> Key:
        """The tokens of every hole."""
        return tuple(hole.tokens for hole in state.holes)

    def key_after(self, state: InsertionState, move: Move) -> Key:
        """The tokens of every hole after one insertion."""
        hole, gap = self._place(state, move[0])
        key = list(self.key(state))
        key[hole] = (*key[hole][:gap], move[1], *key[hole][gap:])
        return tuple(key)

    def after(self, state: InsertionState, move: Move) -> InsertionState:
        """The state after a token is put into a slot of the whole sequence."""
        hole, gap = self._place(state, move[0])
        grown = self._gaps[hole].insert(state.holes[hole], gap, move[1])
        return InsertionState((*state.holes[:hole], grown, *state.holes[hole + 1 :]))

    def _place(self, state: InsertionState, slot: int) -> tuple[int, int]:
        """Hole and gap of an open slot."""
        first = 0
        for number, (hole, part) in enumerate(zip(state.holes, self.distribution.fixed[:-1], strict=True)):
            first += len(part)
            if first <= slot <= first + len(hole.tokens):
                return number, slot - first
            first += len(hole.tokens)
        raise InvalidArgument(f"slot {slot} is closed")

    def finished(self, state: InsertionState) -> Text | None:
        """The text, if it is complete without asking the model: at `max_tokens` without a language."""
        return self.text(state) if self.free and state.n_inserted >= self.limit else None

    def text(self, state: InsertionState) -> Text:
        """The text of a complete state."""
        truncated = self.free and state.n_inserted >= self.limit
        return self._assembled(state, "replace" if truncated else "strict", truncated=truncated)

    def contents(self, state: InsertionState) -> tuple[bytes, ...]:
        """What stands in every hole."""
        return tuple(self.vocabulary.decode(hole.tokens) for hole in state.holes)

    def partial_text(self, state: InsertionState) -> Text:
        """What there is of the text, for messages."""
        return self._assembled(state, "replace", truncated=True)

    def holds(self, text: Text) -> bool:
        """Whether residuals, which no mask checks, accept a text."""
        return self.distribution.holds(text)

    def _assembled(self, state: InsertionState, errors: str, *, truncated: bool) -> Text:
        contents = [data.decode(errors=errors) for data in self.contents(state)]
        return self.distribution.assembled(contents, self.sequence(state), truncated)

    def _limit(self) -> int:
        room = self.model.context_length - sum(map(len, self.distribution.fixed))
        asked = self.distribution.max_tokens
        return room if asked is None else min(room, asked)

    def _compiled(self) -> list[GapAutomaton]:
        automata = [self._automaton(hole) for hole in range(len(self.distribution.holes))]
        longest = [automaton.longest_tokens for automaton in automata]
        short = not any(n is None for n in longest) and sum(n or 0 for n in longest) <= self.limit
        if short or self.free:
            return [gap_automaton(automaton) for automaton in automata]
        return [budgeted_automaton(automaton, self.limit) for automaton in automata]

    def _automaton(self, hole: int) -> TokenAutomaton:
        language, name = self.distribution.holes[hole], self.distribution.names[hole]
        inner = language if language is not None else Language(ir.ANY_TEXT, description="any text")
        try:
            return inner.compile(self.vocabulary)
        except InvalidLanguage as error:
            if name is None:
                raise
            raise InvalidLanguage(f"nothing can fill the hole {name!r}: {error.message}", hint=error.hint) from error

    def _check_support(self) -> None:
        needed = sum(gaps.fewest(hole) for gaps, hole in zip(self._gaps, self.start.holes, strict=True))
        if self._budgeted and needed > self.limit:
            raise InvalidArgument(
                f"{self.distribution.wanted} takes at least {needed} tokens, but only {self.limit} may be inserted",
                hint=f"set max_tokens to {needed} or more, or shorten the prompt if the context is full",
            )


@lru_cache(maxsize=128)
def gap_automaton(automaton: TokenAutomaton) -> GapAutomaton:
    """Without budgets. Cached, so that runs share what they remember of gaps."""
    return GapAutomaton(token_table(automaton), budgeted=False)


@lru_cache(maxsize=128)
def budgeted_automaton(automaton: TokenAutomaton, limit: int) -> GapAutomaton:
    """With budgets of at most `limit` tokens; a language with too many states is cut to those in reach."""
    try:
        table = token_table(automaton)
    except LimitExceeded:
        table = bounded_table(automaton, limit)
    return GapAutomaton(table, budgeted=True)
