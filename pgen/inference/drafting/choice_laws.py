"""How moves on traces draw and score one latent choice: a law for each distribution.

A law has a state space, an exact mass m(x) on it, and a proposal q with the weight
w(x) = m(x) / q(x); all that MCMC and the generative operations need. Laws of texts:

    listed    all texts of the language, enumerated: w is the total mass, constant
    spelled   token sequences of a left-to-right model, proposed by the masked model:
              m(t) and w(t) from one forward pass; summed over spellings m is the text's mass
    opaque    any other draw, whose weight is random and belongs to the state

A distribution keeps the law that it was first given, so that kernels stay reversible.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from pgen.errors import InvalidArgument, LimitExceeded, UnsupportedFeature
from pgen.inference.context import Context
from pgen.inference.drafting.drafts import AnyDrafter, Draft, Drawn
from pgen.inference.drafting.infill import filled, with_holes
from pgen.inference.drafting.left_to_right import LeftToRight, TokenDraft
from pgen.programs.distributions import Distribution
from pgen.programs.infill import Infill
from pgen.programs.process import TextProcess, TextState
from pgen.programs.strings import StringDistribution, Text
from pgen.programs.text import TextDistribution
from pgen.sampling.logspace import log_or_ninf, log_sum_exp
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import Distribution as Weights
from pgen.sampling.token_step import outcome_masses
from pgen.tokens.special_tokens import check_plain

Level = Literal["plain", "listed", "spelled", "opaque"]


class Score(NamedTuple):
    """log m(x) and log w(x), in nats."""

    log_mass: float
    log_weight: float


class Step(NamedTuple):
    """log probabilities (nats) at one place of a spelling: of what follows there, of all allowed, of allowed tokens."""

    log_mass: float
    log_weight: float
    log_tokens: float


IMPOSSIBLE = Step(-math.inf, -math.inf, -math.inf)


class Law(ABC):
    """The law of one latent choice."""

    level: Level

    @abstractmethod
    def begin(self, rng: Rng) -> Drawn | Draft:
        """Start a draw; it is finished already, or a draft for the `drafter` to move on."""

    @abstractmethod
    def score(self, value: Any) -> Score:
        """Mass and weight of a value of the state space; masses are -inf outside of it."""

    def member(self, value: Any) -> Any:
        """The element of the state space that stands for what a user gave."""
        return value

    def support(self) -> Sequence[tuple[Any, float]] | None:
        """Every value with its log mass, if they are finitely many and known."""
        return None

    @property
    def drafter(self) -> AnyDrafter | None:
        """What moves drafts on."""
        return None


class Plain(Law):
    """An ordinary distribution, drawn from exactly."""

    level = "plain"

    def __init__(self, distribution: Distribution) -> None:
        self._distribution = distribution

    def begin(self, rng: Rng) -> Drawn:
        return Drawn(self._distribution.sample(rng), 0.0)

    def score(self, value: Any) -> Score:
        return Score(float(self._distribution.log_prob(value)), 0.0)

    def support(self) -> Sequence[tuple[Any, float]] | None:
        values = self._distribution.support()
        return None if values is None else [(value, float(self._distribution.log_prob(value))) for value in values]


class Listed(Law):
    """A text whose language has been enumerated."""

    level = "listed"

    def __init__(self, texts: Sequence[tuple[Text, float]]) -> None:
        self._texts = list(texts)
        self._log_masses = {str(text): log_mass for text, log_mass in texts}
        self._members = {str(text): text for text, _ in texts}
        self._log_total = log_sum_exp(self._log_masses.values())

    def begin(self, rng: Rng) -> Drawn:
        if self._log_total == -math.inf:
            return Drawn(Text(""), -math.inf)
        running = np.cumsum(np.exp([log_mass - self._log_total for _, log_mass in self._texts]))
        running /= running[-1]
        drawn = int(np.searchsorted(running, rng.uniform(lambda: running), side="right"))
        return Drawn(self._texts[drawn][0], self._log_total)

    def score(self, value: Any) -> Score:
        return Score(self._log_masses.get(str(value), -math.inf), self._log_total)

    def member(self, value: Any) -> Any:
        return self._members.get(str(value), value)

    def support(self) -> Sequence[tuple[Any, float]]:
        return self._texts


class Spelled(Law):
    """A token sequence of a left-to-right model under its masks."""

    level = "spelled"

    def __init__(self, drafter: LeftToRight, distribution: TextDistribution) -> None:
        self.left_to_right = drafter
        self.process: TextProcess = drafter.process(distribution)
        self._log_norm = drafter.log_normalizer(distribution)
        self._steps: dict[tuple[int, ...], list[Step]] = {}

    @property
    def drafter(self) -> AnyDrafter:
        return self.left_to_right

    def begin(self, rng: Rng) -> Drawn | Draft:
        return self.resume(self.process.start)

    def resume(self, state: TextState) -> Drawn | TokenDraft:
        """A draft that goes on from `state`."""
        text = self.process.finished(state)
        if text is None:
            return TokenDraft(self.process, state, 0.0, self._log_norm)
        return Drawn(text, -self._log_norm if self.process.holds(text) else -math.inf)

    def score(self, value: Any) -> Score:
        text = self.member(value)
        steps = self.steps(text.tokens)
        log_mass = math.fsum(step.log_mass for step in steps) - self._log_norm
        if log_mass == -math.inf or not self._ends_as(text):
            return Score(-math.inf, -math.inf)
        return Score(log_mass, math.fsum(step.log_weight for step in steps) - self._log_norm)

    def steps(self, tokens: tuple[int, ...]) -> list[Step]:
        """Each token and the end (the last item); cut after the first that is impossible."""
        if tokens not in self._steps:
            self._steps[tokens] = self._walk(tokens)
        return self._steps[tokens]

    def state(self, tokens: tuple[int, ...]) -> TextState:
        """Where the process stands after tokens that it allows."""
        state = self.process.start
        for token in tokens:
            state = self.process.advance(state, token)
        return state

    def _walk(self, tokens: tuple[int, ...]) -> list[Step]:
        process = self.process
        if len(tokens) > process.limit + (process.rule == "stop"):
            return [IMPOSSIBLE]
        given = process.weigh(process.model.path_logits(process.distribution.prompt, tokens))
        self.left_to_right.context.n_evaluations += len(tokens) + 1
        state, steps = process.start, []
        for row, token in enumerate(tokens):
            steps.append(IMPOSSIBLE if process.finished(state) is not None else self._step(given, row, state, {token}))
            if steps[-1].log_mass == -math.inf:
                return steps
            state = process.advance(state, token)
        ends = process.vocabulary.eos
        over = process.finished(state) is not None
        return [*steps, Step(0.0, 0.0, -math.inf) if over else self._step(given, len(tokens), state, ends, True)]

    def _step(self, given: Weights, row: int, state: TextState, chosen: Collection[int], ending: bool = False) -> Step:
        stop, tokens, masses = outcome_masses(given, row, self.process.choice(state))
        mass = float(masses[np.isin(tokens, list(chosen))].sum()) + (stop if ending else 0.0)
        text_mass = float(masses[~np.isin(tokens, list(self.process.vocabulary.eos))].sum())
        return Step(log_or_ninf(mass), log_or_ninf(stop + float(masses.sum())), log_or_ninf(text_mass))

    def _ends_as(self, text: Text) -> bool:
        reached = self.process.text(self.state(text.tokens))
        return reached == text and self.process.holds(reached)

    def member(self, value: Any) -> Text:
        """A `Text` with its own tokens; for another string the likelier of the tokenizer's spellings."""
        if isinstance(value, Text) and (value.tokens or not value):
            return value
        if not isinstance(value, str):
            raise InvalidArgument(f"a text distribution needs a string, got {type(value).__name__}")
        if self.process.distribution.language is not None:
            check_plain(self.process.distribution.language.node, "a text that is given without its tokens")
        endings = ("", *self.process.distribution.stop)
        paths = [self.process.vocabulary.encode(value + ending) for ending in endings]
        spellings = [Text(value, tokens) for tokens in dict.fromkeys(paths)]
        return max(spellings, key=lambda text: self.score(text).log_mass) if len(spellings) > 1 else spellings[0]


class SpelledTemplate(Spelled):
    """A token sequence of a left-to-right model that fills a template; texts know what stands in the holes."""

    def __init__(self, outer: AnyDrafter, inner: LeftToRight, distribution: Infill) -> None:
        assert isinstance(distribution.inner, TextDistribution)
        super().__init__(inner, distribution.inner)
        self.distribution = distribution
        self._outer = outer

    @property
    def drafter(self) -> AnyDrafter:
        return self._outer

    def begin(self, rng: Rng) -> Drawn | Draft:
        return with_holes(self.distribution, super().begin(rng))

    def member(self, value: Any) -> Text:
        text = super().member(value)
        return filled(self.distribution, text) if self.distribution.template.matches(text) else text


class Opaque(Law):
    """A text of another kind of model; the weight of a draw is random and kept with it."""

    level = "opaque"

    def __init__(self, drafter: AnyDrafter, distribution: StringDistribution) -> None:
        self._drafter = drafter
        self.distribution = distribution

    @property
    def drafter(self) -> AnyDrafter:
        return self._drafter

    def begin(self, rng: Rng) -> Drawn | Draft:
        (begun,) = self._drafter.begin([self.distribution], [rng], 0)
        found: Drawn | Draft = begun
        return found

    def score(self, value: Any) -> Score:
        return Score(self._drafter.score(self.distribution, str(value), "all", 1e-9), math.nan)


class Laws:
    """The law of each distribution of one run; texts are listed if `lookahead` evaluations suffice for it."""

    def __init__(self, context: Context, lookahead: int) -> None:
        self._context = context
        self._lookahead = lookahead
        self._known: dict[StringDistribution, Law] = {}

    def of(self, distribution: StringDistribution | Distribution) -> Law:
        """The law of a distribution, the same for equal text distributions."""
        if not isinstance(distribution, StringDistribution):
            return Plain(distribution)
        if distribution not in self._known:
            self._known[distribution] = self._decide(distribution)
        return self._known[distribution]

    def _decide(self, distribution: StringDistribution) -> Law:
        drafter = self._context.drafter(distribution)
        normalised = distribution.normalizer is not None and distribution.normalizer == distribution.language
        # The mass of a normalised text comes from the tree that lists its language: nothing is spent twice.
        limit = MAX_EVALUATIONS if normalised and isinstance(drafter, LeftToRight) else self._lookahead
        if limit and distribution.language is not None:
            try:
                return Listed(drafter.enumerate(distribution, "listing the texts of a move", None, limit).texts)
            except (LimitExceeded, UnsupportedFeature):
                pass
        inner = distribution.inner if isinstance(distribution, Infill) else distribution
        written = self._context.drafter(inner)
        plain = isinstance(inner, TextDistribution) and not (inner.critics or inner.guide or inner.proposer)
        # Drafters of subclasses propose by laws of their own.
        if type(written) is LeftToRight and isinstance(inner, TextDistribution) and plain:
            if isinstance(distribution, Infill):
                return SpelledTemplate(drafter, written, distribution)
            return Spelled(written, inner)
        return Opaque(drafter, distribution)


MAX_EVALUATIONS = 4096
"""Evaluations spent on listing a normalised text."""
