"""The process of one `CanvasDistribution`: which positions a step commits, and when a text is finished.

No model calls here. `restriction` narrows the process to some canvases (the spellings of one
text, say) without changing what the order looks at.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgen.chains.automaton import PositionAutomaton
from pgen.chains.pushdown import Pushdown
from pgen.errors import InvalidArgument, LimitExceeded, UnsupportedFeature
from pgen.inference.drafting.canvas_language import ANY, CanvasLanguage, canvas_language
from pgen.inference.drafting.canvas_looks import Given, given_by
from pgen.programs.canvas import CanvasDistribution
from pgen.programs.critics import Panel
from pgen.programs.orders import Canvas, looks_at_language, open_positions
from pgen.programs.strings import Text

LOWEST_PREVIEW = -30.0
"""A preview that critics rule out is a bad sign and no more: another may follow."""


class CanvasProcess:
    """Raises what compiling the language raises, and `InvalidArgument` if nothing in it fits the canvas."""

    def __init__(self, distribution: CanvasDistribution, restriction: PositionAutomaton | None = None) -> None:
        self.distribution = distribution
        self.model = distribution.model
        self.vocabulary = distribution.model.vocabulary
        self.language = ANY if distribution.language is None else distribution.language
        compiled = self._compiled(distribution.length)
        self.automaton, self.is_exact, self.completions = compiled.automaton, compiled.is_exact, compiled.completions
        if not self.is_exact and looks_at_language(distribution.order):
            raise UnsupportedFeature(
                f"order={distribution.order!r} looks at marginals under {self.language!r}, which has no table over "
                f"{distribution.length} positions",
                hint="use an order that does not look at the language, or bound its nesting and its counts",
            )
        self.restriction: PositionAutomaton | Pushdown = self.automaton if restriction is None else restriction
        self.critics = Panel(distribution.critics)
        if restriction is None and not compiled.fits(distribution.canvas, open_ends=not distribution.sized):
            raise self._misfit()

    def given(self, restriction: PositionAutomaton | Pushdown, rows: Any, canvas: Canvas) -> Given:
        """What marginals `(n, V)` of the first n positions of a canvas say to a language."""
        return given_by(restriction, rows, canvas, open_ends=not self.distribution.sized)

    def span(self, canvas: Canvas) -> tuple[int, int]:
        """`(begin, end)` of the block at work: the first with an open position."""
        return next(block for block in self.distribution.blocks if None in canvas[slice(*block)])

    def horizon(self, canvas: Canvas) -> int:
        """How many positions the model is asked about: all, or those up to the end of the block at work."""
        return len(canvas) if self.model.block_length is None else self.span(canvas)[1]

    def n_commits(self, canvas: Canvas) -> int:
        """How many positions this step commits by schedule."""
        begin, end = self.span(canvas)
        schedule = self.distribution.schedule[self.distribution.blocks.index((begin, end))]
        return schedule[canvas[begin:end].count(None)]

    def candidates(self, canvas: Canvas) -> NDArray[np.int64]:
        """The open positions of the block at work."""
        begin, end = self.span(canvas)
        positions = open_positions(canvas[:end])
        return positions[positions >= begin]

    def finished(self, canvas: Canvas) -> Text | None:
        """The text, if what stands before its end is committed."""
        tokens: list[int] = []
        for token in canvas:
            if token is None:
                return None
            if token in self.vocabulary.eos:
                break
            tokens.append(token)
        return Text(self.vocabulary.decode(tokens).decode(errors="replace"), tuple(tokens))

    def holds(self, text: Text) -> bool:
        """Whether the language accepts a finished text, its residual included, which no automaton checks."""
        automaton = self.restriction
        if isinstance(automaton, Pushdown):
            spelled = (automaton.spellings.group_of[list(text.tokens)] >= 0).all()
            return bool(spelled) and self.language.matches(self.vocabulary.decode(text.tokens))
        state = automaton.start
        for token in text.tokens:
            state = int(automaton.delta[state, automaton.class_of[token]]) if state >= 0 else -1
        if state < 0 or not automaton.final[state]:
            return False
        if not self.is_exact:
            return self.language.matches(self.vocabulary.decode(text.tokens))
        return all(fact.holds(text) for fact in self.language.residual)

    def log_judged(self, text: Text) -> float:
        """What critics give a finished text; -inf if it is no member of the language."""
        return self.critics.of_text(str(text)) if self.holds(text) else -math.inf

    def log_preview(self, canvas: Canvas | None) -> float:
        """What critics give the text of a preview, never less than `LOWEST_PREVIEW`; 0 without one."""
        text = None if canvas is None else self.finished(canvas)
        return 0.0 if text is None else max(self.critics.of_text(str(text)), LOWEST_PREVIEW)

    def partial_text(self, canvas: Canvas) -> str:
        """The canvas as people read it, a box for every open position."""
        return "".join("□" if token is None else self._shown(token) for token in canvas)

    def _shown(self, token: int) -> str:
        return "⏹" if token in self.vocabulary.eos else self.vocabulary.decode([token]).decode(errors="replace")

    def _misfit(self) -> InvalidArgument:
        canvas = self.distribution.canvas
        if self.distribution.sized or canvas.count(None) < len(canvas):
            return InvalidArgument(
                f"no member of {self.language!r} agrees with what is fixed in the canvas {self.partial_text(canvas)!r}",
                hint="every hole takes as many tokens as its size says" if self.distribution.sized else None,
            )
        length = len(canvas)
        try:
            lengths = self._compiled(2 * length + 8).lengths(2 * length + 8)
        except LimitExceeded:
            lengths = self._compiled(length).lengths(length)
        if not lengths or lengths[0] > length:
            shortest = str(lengths[0]) if lengths else f"more than {2 * length + 8}"
            return InvalidArgument(
                f"the shortest member of {self.language!r} takes {shortest} tokens, but length={length}",
                hint=f"set length to {shortest} or more" if lengths else "allow a longer canvas",
            )
        around = [max(n for n in lengths if n < length), *[n for n in lengths if n > length][:1]]
        return InvalidArgument(
            f"no member of {self.language!r} takes exactly {length} tokens, and the vocabulary has no "
            "end-of-sequence token to fill a canvas with",
            hint=f"the nearest lengths are {' and '.join(map(str, around))}",
        )

    def _compiled(self, length: int) -> CanvasLanguage:
        return canvas_language(self.language, self.vocabulary, length, open_ends=not self.distribution.sized)
