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
from typing import TYPE_CHECKING, NamedTuple

from pgen.errors import InvalidArgument, InvalidLanguage
from pgen.gaps.automaton import FAR, GapAutomaton, GapState
from pgen.gaps.grammar import GrammarState
from pgen.gaps.step import Choice, OpenSlots
from pgen.gaps.written import Gaps, budgeted_gaps, free_gaps, longest, written_part
from pgen.language import ir
from pgen.language.base import Language
from pgen.programs.strings import Text
from pgen.tokens import Vocabulary

if TYPE_CHECKING:
    from pgen.programs.insertion import InsertionDistribution
    from pgen.tokens.classes import TokenTable

Tokens = tuple[int, ...]
Key = tuple[Tokens, ...]
ANY = Language(ir.ANY_TEXT, description="any text")
Move = tuple[int, int]
"""A slot of the whole sequence, and a token for it."""


class InsertionState(NamedTuple):
    """Where a draft stands: the gaps of every hole."""

    holes: tuple[GapState | GrammarState, ...]

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
        self._gaps: list[Gaps] = [GapAutomaton(table, budgeted=True) for table in only or ()] or self._compiled()
        self.start = InsertionState(tuple(gaps.start() for gaps in self._gaps))
        if only is None:
            self._check_support()

    def sequence(self, state: InsertionState) -> Tokens:
        """What the model is asked about: fixed parts and holes in turn."""
        first, *others = self.distribution.fixed
        return first + tuple(t for hole, part in zip(state.holes, others, strict=True) for t in (*hole.tokens, *part))

    def choice(self, state: InsertionState) -> Choice:
        """What may come next."""
        looks = [gaps.look(hole) for gaps, hole in zip(self._gaps, state.holes, strict=True)]
        # What the other holes need is set aside; without budgets needs and rows are 0.
        left = self.limit - state.n_inserted - sum(look.fewest for look in looks)
        slots, at = [], 0
        for i, look in enumerate(looks):
            at += len(self.distribution.fixed[i])
            slots.append(OpenSlots(at, look.rows, left - 1 + look.fewest, self._gaps[i].class_of))
            at += len(state.holes[i].tokens)
        return Choice(slots, all(look.is_member for look in looks))

    @property
    def gaps(self) -> Sequence[Gaps]:
        """The constraint of every hole, whose states are those of `InsertionState.holes`."""
        return self._gaps

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

    def _compiled(self) -> list[Gaps]:
        written = written_part(self.vocabulary, self.model.written)
        languages = [language or ANY for language in self.distribution.holes]
        lengths = [self._longest(hole, language, written) for hole, language in enumerate(languages)]
        short = not any(n is None for n in lengths) and sum(n or 0 for n in lengths) <= self.limit
        if short or self.free:
            return [free_gaps(language.compile(written)) for language in languages]
        return [budgeted_gaps(language, written, self.limit) for language in languages]

    def _longest(self, hole: int, language: Language, written: Vocabulary) -> int | None:
        """The most tokens of a hole; raises `InvalidLanguage` naming a hole that nothing can fill."""
        name = self.distribution.names[hole]
        try:
            return longest(language, written)
        except InvalidLanguage as error:
            if name is None:
                raise
            raise InvalidLanguage(f"nothing can fill the hole {name!r}: {error.message}", hint=error.hint) from error

    def _check_support(self) -> None:
        needed = sum(gaps.look(hole).fewest for gaps, hole in zip(self._gaps, self.start.holes, strict=True))
        if needed > self.limit:
            # The table of a language with too many states knows its members of up to `limit` tokens only.
            least = f"at least {needed}" if needed < FAR else f"more than {self.limit}"
            raise InvalidArgument(
                f"{self.distribution.wanted} takes {least} tokens, but only {self.limit} may be inserted",
                hint=f"set max_tokens to {needed if needed < FAR else self.limit + 1} or more, "
                "or shorten the prompt if the context is full",
            )
