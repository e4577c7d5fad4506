"""The vocabulary of what a model writes at all, and the token tables of languages over it.

A token that a model never inserts has mass 0 wherever a mask would allow it, and what it
alone could complete is a dead end. Leaving such tokens out changes no weighted draw; it
keeps drafts out of these dead ends, and tables small: the bundled molecule model writes 24 of its
vocabulary's 277 tokens, and `Grammar("smiles")` has 125 states over these, 810 over all.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

from pgen.errors import LimitExceeded, UnsupportedFeature
from pgen.gaps.automaton import GapAutomaton, Ints, Look
from pgen.gaps.bounded import bounded_table
from pgen.gaps.grammar import GrammarGaps
from pgen.gaps.merging import merged
from pgen.language.base import Language
from pgen.tokens import TokenAutomaton, Vocabulary
from pgen.tokens.classes import TokenTable, short_table, token_table


class Gaps(Protocol):
    """What the process of a text asks of a hole's language: `GapAutomaton` and `GrammarGaps`, each with its states."""

    class_of: Ints

    def start(self, tokens: tuple[int, ...] = ()) -> Any: ...

    def insert(self, state: Any, gap: int, token: int) -> Any: ...

    def look(self, state: Any) -> Look: ...


@lru_cache(maxsize=64)
def written_part(vocabulary: Vocabulary, written: frozenset[int]) -> Vocabulary:
    """The same ids, with no bytes for the text tokens that are not in `written`."""
    unwritten = set(vocabulary.text_ids.tolist()) - written
    if not unwritten:
        return vocabulary
    tokens = [b"" if i in unwritten else token for i, token in enumerate(vocabulary.tokens)]
    return Vocabulary(tokens, vocabulary.eos, vocabulary.special)


def longest(language: Language, vocabulary: Vocabulary) -> int | None:
    """The most tokens of a member, `None` without a bound. Raises what `compile` raises, but for missing bytes."""
    try:
        return language.compile(vocabulary).longest_tokens
    except UnsupportedFeature:
        return None


@lru_cache(maxsize=128)
def free_gaps(automaton: TokenAutomaton) -> GapAutomaton:
    """Gaps without budgets. Cached, so that runs share what they remember of them."""
    return GapAutomaton(merged(token_table(automaton)), budgeted=False)


@lru_cache(maxsize=128)
def budgeted_gaps(language: Language, vocabulary: Vocabulary, limit: int) -> Gaps:
    """Gaps with budgets of at most `limit` tokens; a language with too many states is cut to those in reach.

    A context-free language that has too many even so is asked itself, slowly (`gaps.grammar`).
    """
    try:
        table = _limited_table(language, vocabulary, limit)
    except LimitExceeded:
        return GrammarGaps(language, vocabulary)
    # Whoever allows too few tokens is told how many it takes.
    return GapAutomaton(merged(table), budgeted=True, most=max(limit, int(table.nearest[0])))


def _limited_table(language: Language, vocabulary: Vocabulary, limit: int) -> TokenTable:
    try:
        automaton = language.compile(vocabulary)
    except UnsupportedFeature:
        return short_table(language, vocabulary, limit)
    try:
        return token_table(automaton)
    except LimitExceeded:
        return bounded_table(automaton, limit)
