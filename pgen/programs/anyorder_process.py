"""The process behind texts of any-order models: canvases, masks, ends. No model calls, no randomness.

A canvas x_1 .. x_L has committed and open positions. With F_i the automaton states
that some way to fill positions 1 .. i leads to, and B_i those from which some way to fill the
others ends well, token t may stand at position i iff some s in F_{i-1} has
delta(s, t) in B_i. Sets are remembered by content across canvases; a mask costs L look-ups.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.chains.automaton import PositionAutomaton, canvas_automaton
from pgen.errors import InvalidArgument
from pgen.language import ir
from pgen.language.base import Language
from pgen.programs.anyorder import AnyOrderDistribution
from pgen.programs.orders import Canvas
from pgen.programs.strings import Text
from pgen.tokens import TokenAutomaton
from pgen.tokens.classes import TokenTable, token_table

Move = tuple[int, int]
"""A position and a token for it."""
States = bytes
ANY = -1
"""In place of a class: any token."""
MAX_MEMO = 4096


class CanvasState(NamedTuple):
    """Where a draft stands."""

    canvas: Canvas


class CanvasMasks:
    """What may stand at open positions, by the automaton of whole canvases."""

    def __init__(self, automaton: PositionAutomaton) -> None:
        self.automaton = automaton
        self._delta = automaton.delta
        self._forward = lru_cache(MAX_MEMO)(self._forward_uncached)
        self._backward = lru_cache(MAX_MEMO)(self._backward_uncached)
        self._row = lru_cache(MAX_MEMO)(self._row_uncached)
        self._start = (np.arange(automaton.n_states) == automaton.start).tobytes()
        self._final = automaton.final.tobytes()

    def allowed(self, canvas: Canvas, position: int) -> NDArray[np.bool_]:
        """`(V,)`: the tokens that some filling of the other open positions completes."""
        before, behind = self._start, self._final
        for token in canvas[:position]:
            before = self._forward(before, self._class(token))
        for token in reversed(canvas[position + 1 :]):
            behind = self._backward(behind, self._class(token))
        return self._row(before, behind)[self.automaton.class_of]

    def _class(self, token: int | None) -> int:
        return ANY if token is None else int(self.automaton.class_of[token])

    def _forward_uncached(self, states: States, token_class: int) -> States:
        targets = self._delta[_flags(states)]
        reached = np.zeros(len(self._delta) + 1, np.bool_)
        reached[targets if token_class == ANY else targets[:, token_class]] = True
        return reached[:-1].tobytes()

    def _backward_uncached(self, states: States, token_class: int) -> States:
        alive = np.append(_flags(states), False)[self._delta]  # (S, C)
        return (alive.any(1) if token_class == ANY else alive[:, token_class]).tobytes()

    def _row_uncached(self, before: States, behind: States) -> NDArray[np.bool_]:
        alive = np.append(_flags(behind), False)[self._delta[_flags(before)]]  # (|F|, C)
        return np.asarray(alive.any(0), np.bool_)


class AnyOrderProcess:
    """The process of one distribution; compiling raises what compiling its language raises.

    `only`, a table, stands in place of the language's: the same masses, of fewer texts.
    """

    def __init__(self, distribution: AnyOrderDistribution, only: TokenTable | None = None) -> None:
        self.distribution = distribution
        self.model = distribution.model
        self.vocabulary = distribution.model.vocabulary
        if only is None:
            self._masks = canvas_masks(self._automaton())
            self._check_support()
        else:
            self._masks = CanvasMasks(canvas_automaton(only, self.vocabulary))
        self.start = CanvasState((None,) * distribution.length)

    def whole(self, state: CanvasState) -> Canvas:
        """What the model is asked about: the prompt and the canvas."""
        return (*self.distribution.prompt, *state.canvas)

    def allowed(self, state: CanvasState, position: int) -> NDArray[np.bool_]:
        """`(V,)`: what may stand at an open position."""
        return self._masks.allowed(state.canvas, position)

    def key(self, state: CanvasState) -> Canvas:
        """The canvas."""
        return state.canvas

    def key_after(self, state: CanvasState, move: Move) -> Canvas:
        """The canvas after a position is filled."""
        return (*state.canvas[: move[0]], move[1], *state.canvas[move[0] + 1 :])

    def after(self, state: CanvasState, move: Move) -> CanvasState:
        """The state after a position is filled."""
        return CanvasState(self.key_after(state, move))

    def finished(self, state: CanvasState) -> Text | None:
        """The text, once all positions up to the first end are filled."""
        for token in state.canvas:
            if token is None:
                return None
            if token in self.vocabulary.eos:
                break
        return self.text(state)

    def text(self, state: CanvasState) -> Text:
        """The text of a state whose text is decided."""
        tokens = self._tokens(state)
        return Text(self.vocabulary.decode(tokens).decode(), tokens)

    def contents(self, state: CanvasState) -> bytes:
        """What texts are told apart by."""
        return self.vocabulary.decode(self._tokens(state))

    def partial_text(self, state: CanvasState) -> str:
        """What there is of the text, for messages; `_` for open positions."""
        shown = [token for token in state.canvas if token not in self.vocabulary.eos]
        pieces = [b"_" if token is None else self.vocabulary.tokens[token] for token in shown]
        return b"".join(pieces).decode(errors="replace")

    def holds(self, text: Text) -> bool:
        """Whether residuals, which no mask checks, accept a text."""
        language = self.distribution.language
        return language is None or all(fact.holds(text) for fact in language.residual)

    def _tokens(self, state: CanvasState) -> tuple[int, ...]:
        tokens: list[int] = []
        for token in state.canvas:
            if token is None or token in self.vocabulary.eos:
                break
            tokens.append(token)
        return tuple(tokens)

    def _automaton(self) -> TokenAutomaton:
        language = self.distribution.language
        return (language or Language(ir.ANY_TEXT, description="any text")).compile(self.vocabulary)

    def _check_support(self) -> None:
        automaton, length = self._masks.automaton, self.distribution.length
        if not automaton.within(length)[automaton.start]:
            needed = int(automaton.nearest[automaton.start])
            raise InvalidArgument(
                f"no member of {self.distribution.language!r} fits {length} positions: the shortest takes {needed}",
                hint="choose a length that some member has" + (", or more" if self.vocabulary.eos else ""),
            )


@lru_cache(maxsize=64)
def canvas_masks(automaton: TokenAutomaton) -> CanvasMasks:
    """Cached, so that runs share what they remember."""
    return CanvasMasks(canvas_automaton(token_table(automaton), automaton.vocabulary))


def _flags(states: States) -> NDArray[np.bool_]:
    return np.frombuffer(states, np.bool_)
