"""A language over the positions of a canvas: a table, else a chart, else a superset's table beside exact completions.

A token table is taken where it has at most `MAX_STATES` states over the canvas, otherwise a pushdown
automaton, whose masses are those of charts (`pgen.inference.drafting.canvas_looks`). Where these are too
large, as they are for vocabularies of real models, masses are those of a superset (`pgen.chains.superset`), and
what the language itself allows is found by search (`pgen.chains.completions`) if that is quick enough: then no
draw comes to a dead end (but for residuals, which only complete texts show). If not, the language judges
complete texts alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pgen.chains.automaton import PositionAutomaton, canvas_automaton
from pgen.chains.completions import Completions, completions
from pgen.chains.lattice import Chart, chartable, lattice
from pgen.chains.pushdown import Pushdown
from pgen.chains.superset import superset_table
from pgen.errors import LimitExceeded, UnsupportedFeature
from pgen.inference.drafting.canvas_looks import given_by, look
from pgen.language import ir
from pgen.language.base import Language
from pgen.programs.orders import Canvas
from pgen.tokens.classes import TokenTable, short_table, token_table
from pgen.tokens.vocabulary import Vocabulary

ANY = Language(ir.ANY_TEXT, description="any text")
MAX_STATES = 4096
"""States of a table; a language that has more over its canvas gets a chart."""


@dataclass(frozen=True, eq=False)
class CanvasLanguage:
    """`automaton` gives masses; unless it `is_exact`, they are a superset's, and `completions`, if any, the truth."""

    automaton: PositionAutomaton | Pushdown
    is_exact: bool = True
    completions: Completions | None = None

    def fits(self, canvas: Canvas, *, open_ends: bool) -> bool:
        """Whether some filling of the open positions is accepted."""
        automaton = self.automaton
        if self.completions is not None:
            return self.completions.fits(canvas)
        if isinstance(automaton, Pushdown):
            unseen = np.zeros((0, len(automaton.vocabulary)))
            given = given_by(automaton, unseen, canvas, open_ends=open_ends)
            return look(given, len(canvas)).log_mass > -math.inf
        here = np.zeros(automaton.n_states, np.bool_)
        here[automaton.start] = True
        for token in canvas:
            targets = automaton.delta[here, 1:] if token is None else automaton.delta[here, automaton.class_of[token]]
            here = np.zeros(automaton.n_states, np.bool_)
            here[targets[targets >= 0]] = True
        return bool((here & automaton.final).any())

    def lengths(self, most: int) -> list[int]:
        """The numbers of tokens, up to `most`, that members take; `most` is the canvas's length where that matters."""
        if self.completions is not None:
            return list(self.completions.lengths)
        if isinstance(self.automaton, Pushdown):
            unseen = np.zeros((0, len(self.automaton.vocabulary)))
            return list(Chart(lattice(self.automaton, unseen, (None,) * most)).lengths)
        return list(_counts(self.automaton, most))


def canvas_language(language: Language, vocabulary: Vocabulary, length: int, *, open_ends: bool) -> CanvasLanguage:
    """The language over canvases of `length` positions. Raises what compiling it raises."""
    try:
        table = _table(language, vocabulary, length)
    except LimitExceeded:
        try:
            return CanvasLanguage(chartable(language, vocabulary, length))
        except LimitExceeded:
            return _searched(language, vocabulary, length, open_ends)
    return CanvasLanguage(canvas_automaton(table, vocabulary, open_ends=open_ends))


def _searched(language: Language, vocabulary: Vocabulary, length: int, open_ends: bool) -> CanvasLanguage:
    """A superset's masses and the language's completions, if only one of them is within limits that one."""
    found = completions(language, vocabulary, length, open_ends)
    try:
        table = superset_table(language, vocabulary, length, MAX_STATES)
    except LimitExceeded:
        if found is None:
            raise
        table = token_table(ANY.compile(vocabulary))
    return CanvasLanguage(canvas_automaton(table, vocabulary, open_ends=open_ends), False, found)


def _table(language: Language, vocabulary: Vocabulary, length: int) -> TokenTable:
    try:
        compiled = language.compile(vocabulary)
    except UnsupportedFeature:
        return short_table(language, vocabulary, length, MAX_STATES)
    try:
        return token_table(compiled, MAX_STATES)
    except LimitExceeded:
        return token_table(compiled, MAX_STATES, length)


def _counts(automaton: PositionAutomaton, most: int) -> Iterator[int]:
    """The numbers of tokens, up to `most`, of ways to acceptance."""
    here = np.zeros(automaton.n_states, np.bool_)
    here[automaton.start] = True
    for n_tokens in range(most + 1):
        if here[: automaton.ended].any() and automaton.final[: automaton.ended][here[: automaton.ended]].any():
            yield n_tokens
        targets = automaton.delta[here]
        here = np.zeros(automaton.n_states, np.bool_)
        here[targets[(targets >= 0) & (targets != automaton.ended)]] = True
