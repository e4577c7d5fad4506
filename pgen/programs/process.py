"""A text distribution as a process over tokens: states, choices, ends. No model calls, no randomness.

Masses, with t the tokens so far, s the automaton state and p the model:

    rule      the text may end              with mass                     where
    eos       by an EOS token               p(EOS | t)                    t spells a member
    match     where the model leaves L      1 - sum of p(v | t), v in M   t spells a member
    prefix    anywhere in L                 1                             t spells a member
    stop      at the first stop string, or  the token that completes it;  t up to it is a member
              by an EOS token before it     p(EOS | t)

M is the mask of s without budget and without EOS. The mass of a text is the sum
over its spellings of the product of p over its tokens times the mass of its end.
Where a member has no continuation, "match" and "prefix" end without asking the
model. `max_tokens` counts tokens before EOS or before the token that completes a
stop string; with a language it restricts the support (budget masks), without one
it cuts the text there, which is then marked as truncated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.backends.base import TokenMeasure
from pgen.errors import DeadEnd, InvalidArgument
from pgen.language import ir
from pgen.language.base import Language
from pgen.programs.critics import Panel
from pgen.programs.text import Text, TextDistribution
from pgen.programs.twists import BoundTwist, bound_twist
from pgen.sampling.token_step import STOP, Choice, Distribution, StopMass, exponentiate, pack
from pgen.sampling.truncation import Truncation
from pgen.tokens import TokenAutomaton, Vocabulary


class TextState(NamedTuple):
    """Where a draft stands: its tokens (without the prompt) and the automaton state they lead to."""

    tokens: tuple[int, ...]
    automaton: int


class TextProcess:
    """The token process of one `TextDistribution`; compiling raises what compiling its language raises."""

    def __init__(self, distribution: TextDistribution) -> None:
        self.distribution = distribution
        self.model = distribution.model
        self.vocabulary: Vocabulary = distribution.model.vocabulary
        self.rule = distribution.end_rule
        self.free = distribution.language is None
        self._stops = tuple(text.encode() for text in distribution.stop)
        self.automaton = compile_until(distribution.language, distribution.stop, self.vocabulary)
        self.limit, self._budgeted = self._length_limit()
        longest = None if self.free else self.automaton.longest_tokens
        self.most_tokens = self.limit if longest is None else min(self.limit, longest)
        self._eos = pack(sorted(self.vocabulary.eos), len(self.vocabulary))
        self._nothing = np.zeros_like(self._eos)
        self.start = TextState((), self.automaton.start)
        self.critics = Panel(distribution.critics)
        self.guide: BoundTwist | None = None
        """What is expected of unfinished texts."""
        self.measure = self.model if isinstance(self.model, TokenMeasure) else None
        self.log_growth = self.critics.log_bound
        if self.measure is not None:
            self.log_growth += self.measure.log_growth(self.most_tokens)
        """The most, in nats, that a text can weigh beyond the masses of its tokens."""
        self._check_support()
        self.on_evaluation: Callable[[int], None] = lambda count: None
        """Told of model evaluations that a guide asks for."""
        if distribution.guide is not None:
            self.guide = bound_twist(distribution.guide, self)

    def _length_limit(self) -> tuple[int, bool]:
        """`(limit, budgeted)`: the most tokens, and whether masks must enforce it."""
        room = self.model.context_length - len(self.distribution.prompt)
        asked = self.distribution.max_tokens
        limit = room if asked is None else min(room, asked)
        longest = None if self.free else self.automaton.longest_tokens
        return limit, not self.free and (longest is None or longest > limit)

    def _check_support(self) -> None:
        if not self._budgeted:
            return
        needed = self.automaton.distance_to_accept(self.automaton.start)
        if needed > self.budget(self.start):
            raise InvalidArgument(
                f"the shortest member of {self.distribution.language!r} takes {needed} tokens, "
                f"but only {self.budget(self.start)} are allowed",
                hint=f"set max_tokens to {needed} or more, or shorten the prompt if the context is full",
            )

    def budget(self, state: TextState) -> int:
        """Tokens that may still be drawn; the token that completes a stop string is free."""
        return self.limit - len(state.tokens) + (self.rule == "stop")

    def prefix(self, state: TextState) -> tuple[int, ...]:
        """What the model is conditioned on: prompt and tokens so far."""
        return self.distribution.prompt + state.tokens

    def finished(self, state: TextState) -> Text | None:
        """The text, if it is complete without asking the model (with mass 1), else `None`."""
        if self._stopped(state) or (self.free and len(state.tokens) >= self.limit):
            return self.text(state)
        if self.rule in ("match", "prefix") and not self.automaton.has_continuation(state.automaton):
            return self.text(state)
        return None

    def choice(self, state: TextState) -> Choice:
        """What may come next: the mask (EOS bits by rule), and the mass of ending here."""
        budget = self.budget(state) if self._budgeted else None
        mask = self.automaton.mask(state.automaton, budget=budget)
        if self.rule in ("eos", "stop"):
            return Choice(mask, self._nothing, StopMass.NONE)
        mask = mask & ~self._eos
        if not self.automaton.is_accepting(state.automaton):
            return Choice(mask, self._nothing, StopMass.NONE)
        if self.rule == "prefix":
            return Choice(mask, self._nothing, StopMass.ONE)
        # Leaving mass, not 1 - staying mass: no cancellation where the model is sure to stay.
        staying = self.automaton.mask(state.automaton) & ~self._eos
        return Choice(mask, ~staying, StopMass.LEAVING)

    def advance(self, state: TextState, token: int) -> TextState:
        """The state after one more text token."""
        return TextState((*state.tokens, token), self.automaton.advance(state.automaton, token))

    def ends(self, token: int) -> bool:
        """Whether drawing `token` ends the text (an EOS token)."""
        return token in self.vocabulary.eos

    def text(self, state: TextState) -> Text:
        """The text of a complete state, cut at its stop string."""
        data = self.vocabulary.decode(state.tokens)
        cut = self._stop_position(data)
        truncated = self.free and cut is None and len(state.tokens) >= self.limit
        errors = "replace" if truncated else "strict"
        return Text(data[:cut].decode(errors=errors), state.tokens, truncated)

    def holds(self, text: Text) -> bool:
        """Whether the residual of the language, which no mask checks, accepts a complete text."""
        language = self.distribution.language
        if language is None:
            return True
        if len(self._stops) > 1 and not language.matches(text):
            return False
        return all(fact.holds(text) for fact in language.residual)

    def log_final(self, text: Text) -> float:
        """log weight of a complete text: that of the critics, -inf where the residual fails."""
        if not self.holds(text):
            return -math.inf
        return self.critics.of_text(str(text)) if self.critics else 0.0

    def log_potential(self, state: TextState) -> float:
        """log weight of an unfinished text: what critics give to the certain part of it and the guide to its future."""
        judged = self.critics.of_prefix(self.certain_text(state)) if self.critics else 0.0
        return judged if self.guide is None else judged + self.guide.log_at(state)

    @property
    def has_potential(self) -> bool:
        """Whether there is anything that weighs unfinished texts."""
        return bool(self.critics) or self.guide is not None

    def log_twists(self, state: TextState, outcomes: NDArray[np.int64]) -> NDArray[np.float64]:
        """What the guide expects after each outcome (`STOP` and EOS end the text, so nothing is left to expect)."""
        if self.guide is None:
            return np.zeros(len(outcomes))
        ends = np.isin(outcomes, [STOP, *self.vocabulary.eos])
        log_twists = np.zeros(len(outcomes))
        log_twists[~ends] = self.guide.log_after(state, outcomes[~ends])
        return log_twists

    def log_outcome(self, state: TextState, token: int) -> float:
        """The log weight that the critics give once `token` (or `STOP`) has been drawn after `state`."""
        if token == STOP or self.ends(token):
            return self.log_final(self.text(state))
        after = self.advance(state, token)
        text = self.finished(after)
        return self.log_potential(after) if text is None else self.log_final(text)

    def certain_text(self, state: TextState) -> str:
        """What every completion begins with: whole characters, none of which may turn out to be a stop string's."""
        return self._certain(self.vocabulary.decode(state.tokens))

    def may_begin(self, data: bytes) -> bool:
        """Whether the critics allow any text that begins with these bytes, as far as they can tell."""
        return self.critics.of_prefix(self._certain(data)) > -math.inf

    def _certain(self, data: bytes) -> str:
        held_back = max((_overlap(data, stop) for stop in self._stops), default=0)
        data = data[: len(data) - held_back]
        return data[: len(data) - _broken_tail(data)].decode()

    def weigh(self, logits: NDArray[np.floating[Any]]) -> Distribution:
        """The model's probabilities after temperature and truncation, from logits `(R, V)`."""
        return shaped(logits, *self.shape) if self.measure is None else self.measure.weigh(logits)

    @property
    def shape(self) -> tuple[float, Truncation | None]:
        """Processes of equal shape may share one call of `weigh`."""
        return self.distribution.temperature, self.distribution.truncate

    def dead_end(self, state: TextState) -> DeadEnd:
        """The error for a state that nothing can continue."""
        text = self.vocabulary.decode(state.tokens)
        return DeadEnd(f"no allowed token has any mass after {text!r}", text=text)

    def _stopped(self, state: TextState) -> bool:
        if not self._stops or not state.tokens:
            return False
        # A stop string can begin in earlier tokens, each at least one byte long.
        reach = max(map(len, self._stops))
        tail = self.vocabulary.decode(state.tokens[-reach:])
        return any(stop in tail for stop in self._stops)

    def _stop_position(self, data: bytes) -> int | None:
        return min((at for at in (data.find(stop) for stop in self._stops) if at >= 0), default=None)


def guided_language(distribution: TextDistribution) -> Language:
    """What a guide looks ahead in: the language, ended by the stop strings."""
    node = ir.ANY_TEXT if distribution.language is None else distribution.language.node
    if distribution.stop:
        node = _until(node, distribution.stop, ir.EPSILON)
    return Language(node, description="what the guide sees")


def shaped(logits: NDArray[np.floating[Any]], temperature: float, truncate: Truncation | None) -> Distribution:
    """Probabilities from logits `(R, V)`: first the temperature, then the truncation."""
    if temperature != 1.0:
        logits = logits / temperature
    if truncate is not None:
        logits = np.stack([truncate(row) for row in logits])
    return exponentiate(logits)


def _overlap(data: bytes, stop: bytes) -> int:
    """Length of the longest end of `data` with which `stop` begins."""
    return next((n for n in range(min(len(stop), len(data)), 0, -1) if data.endswith(stop[:n])), 0)


def _broken_tail(data: bytes) -> int:
    """Bytes at the end that begin a character but do not complete it."""
    for n in range(1, min(4, len(data)) + 1):
        lead = data[-n]
        if lead < 0x80:
            return 0
        if lead >= 0xC0:
            return n if n < 2 + (lead >= 0xE0) + (lead >= 0xF0) else 0
    return 0


def compile_until(language: Language | None, stops: tuple[str, ...], vocabulary: Vocabulary) -> TokenAutomaton:
    """The automaton of a language (`None`: any text), with first stop strings if there are any."""
    inner = language if language is not None else Language(ir.ANY_TEXT, description="any text")
    if not stops:
        return inner.compile(vocabulary)
    rest_of_token = ir.repeat(ir.ANY_BYTE, 0, None)
    named = Language(
        _until(inner.node, stops, rest_of_token), description=f"{inner!r} until {' or '.join(map(repr, stops))}"
    )
    return named.compile(vocabulary)


def _until(node: ir.Node, stops: tuple[str, ...], rest: ir.Node) -> ir.Node:
    """Members of `node` free of stop strings, alone (for EOS) or with a first stop string and `rest`."""
    stop = ir.word_set(text.encode() for text in stops)
    anywhere = ir.concat(ir.ANY_TEXT, stop, ir.ANY_TEXT)
    too_early = ir.concat(ir.ANY_TEXT, stop, ir.repeat(ir.ANY_CHAR, 1, None))
    free = ir.intersect(node, ir.complement(anywhere))
    stopped = ir.intersect(ir.concat(node, stop), ir.complement(too_early))
    return ir.union(free, ir.concat(stopped, rest))
