"""Redraw what stands in one hole of a template, whatever its length, and keep the rest of the text.

The proposal is the masked model on the texts that differ in this hole only, from a token
before the hole on: its new content, and the fixed rest in any spelling. With t and t' the
old and new tokens, k the tokens kept, and r the masked model under that restriction,

    log ratio = log g(t') / g(t) + log r(t | t[:k]) / r(t' | t'[:k]) + log chances of choosing k,

g being the exact mass of the run. Cost: one pass over what is drawn and one over the old text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple

from pgen.errors import InvalidArgument
from pgen.inference.drafting.choice_laws import Spelled, SpelledTemplate
from pgen.inference.drafting.drafts import Drawn
from pgen.inference.drafting.left_to_right import TokenDraft
from pgen.inference.generative import log_redraw_ratio
from pgen.inference.moves.span_moves import with_text
from pgen.inference.moves.trace_moves import Metropolis, Proposal, log_share, pick
from pgen.inference.runs import Run, Runner
from pgen.programs.infill import Filled
from pgen.programs.strings import Text
from pgen.programs.text import TextDistribution
from pgen.sampling.rng import Rng

MOST_TAKEN_BACK = 1
"""Tokens before the hole that may be drawn anew, so that one across its border can come and go."""


@dataclass(frozen=True)
class RegenerateHole(Metropolis):
    """Draw the content of a hole anew: that called `name`, or one at random; the other holes keep theirs.

    `address` is that of the text (default: of one at random among those filled by `lm.fill`
    on a left-to-right model). Only for texts whose states are token sequences (`lookahead=0`).
    """

    name: str | None = None
    address: str | None = None

    def propose(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Proposal]:
        """Each run with one hole of a template drawn anew, and the log acceptance ratio."""
        places = [self._place(run, rng) for run, rng in zip(runs, rngs, strict=True)]
        texts = [place.drawn(rng) for place, rng in zip(places, rngs, strict=True)]
        plans = [with_text(run, place.address, text) for run, place, text in zip(runs, places, texts, strict=True)]
        proposed = runner.run(plans, rngs)
        return [
            Proposal(new, -math.inf if text is None or new.dead else self._log_ratio(old, new, place))
            for old, new, place, text in zip(runs, proposed, places, texts, strict=True)
        ]

    def _filled(self, run: Run) -> list[str]:
        found = [a for a, choice in run.choices.items() if isinstance(choice.law, SpelledTemplate)]
        return [a for a in found if self.address in (None, a)]

    def _place(self, run: Run, rng: Rng) -> _Place:
        eligible = self._filled(run)
        if not eligible:
            raise InvalidArgument(
                "RegenerateHole: the run has no text with holes that is a sequence of tokens",
                hint="draw one from lm.fill(...) of a left-to-right model, and use pgen.MCMC(..., lookahead=0)",
            )
        address = pick(rng, eligible)
        law, value = run.choices[address].law, run.choices[address].value
        assert isinstance(law, SpelledTemplate)
        names = law.distribution.template.names
        if self.name is not None and self.name not in names:
            raise InvalidArgument(
                f"RegenerateHole: {address!r} has no hole {self.name!r}", hint=f"holes: {', '.join(names)}"
            )
        name = pick(rng, names) if self.name is None else self.name
        n_before = _n_before(law, value, name)
        kept = n_before - pick(rng, range(min(n_before, MOST_TAKEN_BACK) + 1))
        return _Place(address, law, name, value, kept)

    def _log_ratio(self, old: Run, new: Run, place: _Place) -> float:
        after = new.choices[place.address].value
        n_before = _n_before(place.law, place.value, place.name), _n_before(place.law, after, place.name)
        taken_back = n_before[1] - place.kept
        if place.others(after) != place.others(place.value) or taken_back > MOST_TAKEN_BACK:
            # From there this move would not lead back.
            return -math.inf
        shares = log_share(*(min(n, MOST_TAKEN_BACK) + 1 for n in n_before))
        texts = log_share(len(self._filled(old)), len(self._filled(new)))
        there = place.log_chance(after) - place.log_chance(place.value)
        return log_redraw_ratio(old, new) + shares + texts - there


class _Place(NamedTuple):
    """The hole `name` of the text at `address`, and how many of its tokens are kept."""

    address: str
    law: SpelledTemplate
    name: str
    value: Filled
    kept: int

    def others(self, text: Filled) -> dict[str, str]:
        """What stands in the other holes."""
        return {name: content for name, content in text.holes.items() if name != self.name}

    @property
    def restricted(self) -> Spelled:
        """The law of the texts that differ in this hole only."""
        inner = self.law.distribution.inner
        assert isinstance(inner, TextDistribution)
        narrow = self.law.distribution.template.fixing(**self.others(self.value))
        language = narrow if inner.language is None else inner.language & narrow
        return Spelled(self.law.left_to_right, replace(inner, language=language, normalizer=None))

    def drawn(self, rng: Rng) -> Text | None:
        """A new text with the same beginning; `None` where the draft died."""
        law = self.restricted
        result: Drawn | TokenDraft = law.resume(law.state(self.value.tokens[: self.kept]))
        while isinstance(result, TokenDraft) and result.log_weight > -math.inf:
            (result,) = law.left_to_right.step([result], [rng])
        return result.text if isinstance(result, Drawn) and result.log_weight > -math.inf else None

    def log_chance(self, text: Text) -> float:
        """log probability of drawing `text`, once it is settled what to keep."""
        steps = self.restricted.steps(text.tokens)
        return math.fsum(step.log_mass - step.log_weight for step in steps[self.kept :])


def _n_before(law: SpelledTemplate, text: Filled, name: str) -> int:
    """How many tokens of a text end before the hole."""
    begin = law.distribution.template.begins(text)[name]
    lengths = accumulate(len(law.process.vocabulary.decode([token])) for token in text.tokens)
    return sum(length <= len(text[:begin].encode()) for length in lengths)
