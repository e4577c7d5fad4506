"""Where a run of a program can stand, and what can come next: the choice tree that searches walk.

A place waits at a choice, or in the middle of a left-to-right text, one token at a
time. `Places.outcomes` lists what may follow with log masses (nats), batched over
places so that equal prefixes cost one model evaluation; `Places.follow` goes on with
one outcome. Texts of other kinds of model are one choice among all their texts.
Statements that leave no choice (factors, observations) are passed on the way.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.context import Context
from pgen.inference.drafting.drafts import at_sites
from pgen.inference.drafting.left_to_right import LeftToRight
from pgen.inference.drafting.prefix_tree import Weighed
from pgen.inference.observing import observe_all
from pgen.inference.particles import Particle, log_weight_since
from pgen.programs.effects import Observe, Sample
from pgen.programs.machine import Machine, Suspension
from pgen.programs.process import TextProcess, TextState
from pgen.programs.strings import StringDistribution, Text
from pgen.programs.text import TextDistribution
from pgen.programs.trace import Entry
from pgen.sampling.token_step import STOP, outcome_masses


class Drawn(NamedTuple):
    """A left-to-right text of a run, and the log mass of the spelling that was followed (critics included)."""

    distribution: TextDistribution
    text: Text
    log_mass: float


class Place(NamedTuple):
    """A run up to here. `log_weight` covers finished statements, `log_text` the tokens of the text in the making.

    `log_potential` is what critics say of that text so far, to be replaced by their word on the whole.
    """

    suspension: Suspension
    log_weight: float
    state: TextState | None = None
    log_text: float = 0.0
    log_potential: float = 0.0
    drawn: tuple[Drawn, ...] = ()

    @property
    def log_earned(self) -> float:
        """log weight without potentials; -inf for the dead."""
        return -math.inf if self.suspension.dead else self.log_weight + self.log_text

    @property
    def total_log_weight(self) -> float:
        """log weight, potentials included; -inf for the dead."""
        return self.log_earned + self.log_potential

    @property
    def waits(self) -> bool:
        """Whether it is alive and has a choice to make."""
        return self.suspension.effect is not None and self.total_log_weight > -math.inf

    @property
    def particle(self) -> Particle:
        """The run as a particle; dead if it has not come to its end."""
        if self.suspension.finished:
            return Particle(self.suspension, self.log_weight)
        return Particle(Suspension(self.suspension.trace, dead=True), -math.inf)


class Outcomes(NamedTuple):
    """What may follow: values, or token ids with `STOP` for the end of the text; `log_masses (n,)`, all finite."""

    values: Sequence[Any] | NDArray[np.int64]
    log_masses: NDArray[np.float64]


class Places:
    """The choice tree of one program under one run's context."""

    def __init__(
        self, machine: Machine, context: Context, max_evaluations: int = 4096, *, lists_normalised: bool = False
    ) -> None:
        self.machine = machine
        self.context = context
        self.max_evaluations = max_evaluations
        """For each text that is listed as a whole."""
        self._lists_normalised = lists_normalised
        """Whether a normalised text is one choice, too: of what its tokens weigh only the sum is at most 1."""

    def start(self) -> Place:
        """The first choice."""
        suspension = self.machine.start()
        return self._settled(Place(suspension, log_weight_since(suspension, None)))

    def outcomes(self, places: Sequence[Place]) -> list[Outcomes]:
        """For each waiting place what may follow; nothing, if it is a dead end. Infinite choices raise."""
        listed: dict[int, Outcomes] = {}
        groups: defaultdict[object, list[int]] = defaultdict(list)
        for i, place in enumerate(places):
            if place.state is None:
                listed[i] = self._values(place)
            else:
                process = self.process(place)
                groups[id(process.model), *process.shape].append(i)
        for indices in groups.values():
            states = [(self.process(places[i]), places[i].state) for i in indices]
            drafter = self._left_to_right(places[indices[0]])
            weighed = drafter.weigh_many([(process, state) for process, state in states if state is not None])
            for row, i in enumerate(indices):
                listed[i] = _tokens(self.process(places[i]), places[i], weighed, row)
        return [listed[i] for i in range(len(places))]

    def follow(self, place: Place, value: Any, log_earned: float) -> Place:
        """The next place after the outcome `value`, which has earned a log weight (for a search: its log mass)."""
        if place.state is None:
            return self._decided(place, value, log_earned, place.drawn)
        with at_sites([address(place)]):
            return self._extended(place, int(value), place.log_text + log_earned)

    def log_bounds(self, place: Place, outcomes: Outcomes) -> NDArray[np.float64]:
        """`(n,)`: the most that a run can weigh after each outcome, as far as this text goes.

        Later statements do not count: a factor above 0 or a density above 1 may still add to it.
        """
        if place.state is None:
            return place.total_log_weight + outcomes.log_masses
        log_later = self._log_later(place, len(place.state.tokens) + 1)
        log_gains = np.where(np.asarray(outcomes.values) == STOP, self.process(place).critics.log_bound, log_later)
        return self._capped(place, place.log_earned + log_gains + outcomes.log_masses)

    def log_bound(self, place: Place) -> float:
        """The most that a run can weigh if it goes on from this place; what it weighs if it is over."""
        if not place.waits or place.state is None:
            return place.total_log_weight
        log_later = self._log_later(place, len(place.state.tokens))
        return float(self._capped(place, np.array([place.log_earned + log_later]))[0])

    def _log_later(self, place: Place, n_tokens: int) -> float:
        """The most that a text of `n_tokens` can gain: by critics, by its measure, and by ending more than once."""
        process = self.process(place)
        n_left = process.most_tokens - n_tokens
        log_ends = math.log(max(n_left + 1, 1)) if process.rule == "prefix" else 0.0
        log_growth = 0.0 if process.measure is None else process.measure.log_growth(n_left)
        return process.critics.log_bound + log_growth + log_ends

    def _capped(self, place: Place, log_bounds: NDArray[np.float64]) -> NDArray[np.float64]:
        distribution = effect_of(place).distribution
        assert isinstance(distribution, TextDistribution)
        if distribution.normalizer is not None and distribution.n_normalized == len(distribution.critics):
            # The masses of a normalised text sum to 1, however improbable its language is.
            return np.asarray(np.minimum(log_bounds, place.log_weight), np.float64)
        return log_bounds

    def is_finite(self, place: Place) -> bool:
        """Whether the outcomes can be listed."""
        distribution = effect_of(place).distribution
        return isinstance(distribution, StringDistribution) or distribution.support() is not None

    def process(self, place: Place) -> TextProcess:
        """The process of the text in the making."""
        distribution = effect_of(place).distribution
        assert isinstance(distribution, TextDistribution)
        return self._left_to_right(place).process(distribution)

    def _left_to_right(self, place: Place) -> LeftToRight:
        distribution = effect_of(place).distribution
        assert isinstance(distribution, StringDistribution)
        drafter = self.context.drafter(distribution)
        assert isinstance(drafter, LeftToRight)
        return drafter

    def _values(self, place: Place) -> Outcomes:
        name, distribution = address(place), effect_of(place).distribution
        if isinstance(distribution, StringDistribution):
            with at_sites([name]):
                drafter = self.context.drafter(distribution)
                texts = drafter.enumerate(distribution, f"listing {name!r}", None, self.max_evaluations).texts
            return _possible([text for text, _ in texts], [log_mass for _, log_mass in texts])
        values = distribution.support()
        if values is None:
            raise InvalidArgument(
                f"{name!r} has infinitely many values ({distribution!r}): they cannot be searched",
                hint="use a sampling method: pgen.Importance, pgen.SMC, pgen.ASAp",
            )
        return _possible(list(values), [distribution.log_prob(value) for value in values])

    def _settled(self, place: Place) -> Place:
        """Pass observations; stand at the beginning of the text if a left-to-right one comes."""
        while isinstance(place.suspension.effect, Observe) and place.total_log_weight > -math.inf:
            effect = place.suspension.effect
            (log_prob,) = observe_all(self.context, [effect])
            place = self._resumed(place, Entry(effect.address, "observe", effect.value, log_prob))
        if not place.waits:
            return place
        distribution = effect_of(place).distribution
        if not isinstance(distribution, StringDistribution):
            return place
        drafter = self.context.drafter(distribution)
        if not isinstance(drafter, LeftToRight) or (self._lists_normalised and distribution.normalizer is not None):
            return place
        return self._begun(place, drafter, distribution)

    def _begun(self, place: Place, drafter: LeftToRight, distribution: Any) -> Place:
        process = drafter.process(distribution)
        with at_sites([address(place)]):
            begun = place._replace(state=process.start, log_text=-drafter.log_normalizer(distribution))
            text = process.finished(process.start)
            if text is not None:
                return self._finished(begun, text, begun.log_text)
            return begun._replace(log_potential=process.log_potential(process.start))

    def _extended(self, place: Place, token: int, log_text: float) -> Place:
        process, state = self.process(place), place.state
        assert state is not None
        if token == STOP:
            return self._finished(place, process.text(state), log_text)
        state = process.advance(state, token)
        text = process.finished(state)
        if text is not None:
            return self._finished(place, text, log_text)
        return place._replace(state=state, log_text=log_text, log_potential=process.log_potential(state))

    def _finished(self, place: Place, text: Text, log_text: float) -> Place:
        distribution = effect_of(place).distribution
        assert isinstance(distribution, TextDistribution)
        log_mass = log_text + self.process(place).log_final(text)
        return self._decided(place, text, log_mass, (*place.drawn, Drawn(distribution, text, log_mass)))

    def _decided(self, place: Place, value: Any, log_weight: float, drawn: tuple[Drawn, ...]) -> Place:
        after = self._resumed(place, Entry(address(place), "sample", value, log_weight))
        return self._settled(after._replace(drawn=drawn))

    def _resumed(self, place: Place, entry: Entry) -> Place:
        """The program run on to its next choice or observation."""
        before = place.suspension
        trace = before.trace.extend(entry)
        if entry.log_weight == -math.inf:
            return Place(Suspension(trace, dead=True), -math.inf)
        after = self.machine.resume(trace)
        return Place(after, place.log_weight + log_weight_since(after, before), drawn=place.drawn)


def effect_of(place: Place) -> Sample:
    """The choice that a place waits at."""
    effect = place.suspension.effect
    assert isinstance(effect, Sample)
    return effect


def address(place: Place) -> str:
    """The name of the choice that a place waits at."""
    return effect_of(place).address


def _possible(values: Sequence[Any], log_masses: Sequence[float]) -> Outcomes:
    kept = [(value, log_mass) for value, log_mass in zip(values, log_masses, strict=True) if log_mass > -math.inf]
    return Outcomes([value for value, _ in kept], np.array([log_mass for _, log_mass in kept], np.float64))


def _tokens(process: TextProcess, place: Place, weighed: Weighed, index: int) -> Outcomes:
    """Ending (EOS tokens together with what the end rule adds) and the text tokens, by the model's masses."""
    assert place.state is not None
    ending, tokens, masses = outcome_masses(weighed.given, weighed.rows[index], process.choice(place.state))
    ends = np.isin(tokens, list(process.vocabulary.eos))
    ending += float(masses[ends].sum())
    tokens, masses = tokens[~ends], np.asarray(masses[~ends], np.float64)  # (n,)
    if ending > 0:
        tokens, masses = np.insert(tokens, 0, STOP), np.insert(masses, 0, ending)
    return Outcomes(tokens, np.log(masses))
