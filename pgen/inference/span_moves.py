"""Redraw a part of a text: from a random token to the end, or a span in the middle.

With the rest of the run kept, a proposal t -> t' is accepted with probability

    min(1, g(t') q(t | t') / (g(t) q(t' | t))),

g being the exact mass of the run and q the masked model's chance to draw the old or
the new tokens in that place, times that of choosing the place. Cost: one forward pass
over the new text, beside what is drawn.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pgen.errors import DeadEnd, InvalidArgument
from pgen.inference.choice_laws import Law, Spelled
from pgen.inference.drafts import Drawn
from pgen.inference.generative import log_redraw_ratio, redraw
from pgen.inference.left_to_right import LeftToRight, TokenDraft
from pgen.inference.runs import Keep, Plan, Run, Runner
from pgen.inference.trace_moves import Move, accepted, draw, log_share, pick
from pgen.programs.process import TextProcess, TextState
from pgen.programs.strings import Text
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import outcome_masses


@dataclass(frozen=True)
class RegenerateSpan:
    """Draw a part of the text at `address` anew (default: of one text at random).

    Without `length` everything after a random token; with it that many tokens
    anywhere, the rest of the text being kept. Only for texts whose states are token
    sequences (`lookahead=0`).
    """

    address: str | None = None
    length: int | None = None

    def __post_init__(self) -> None:
        if self.length is not None and self.length < 1:
            raise InvalidArgument(f"length={self.length}: a span has at least one token")

    def step(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Move]:
        spans = [self._span(run, rng) for run, rng in zip(runs, rngs, strict=True)]
        texts = (
            _suffixes(spans, rngs)
            if self.length is None
            else [_span_text(span, rng) for span, rng in zip(spans, rngs, strict=True)]
        )
        plans = [_with_text(run, span.address, text) for run, span, text in zip(runs, spans, texts, strict=True)]
        proposed = runner.run(plans, rngs)
        log_ratios = [
            -math.inf if text is None or new.dead else self._log_ratio(old, new, span)
            for old, new, span, text in zip(runs, proposed, spans, texts, strict=True)
        ]
        return accepted(runs, proposed, log_ratios, rngs)

    def _spelled(self, run: Run) -> list[str]:
        found = [a for a, choice in run.choices.items() if isinstance(choice.law, Spelled)]
        return [a for a in found if a == self.address] if self.address is not None else found

    def _span(self, run: Run, rng: Rng) -> _Span:
        eligible = self._spelled(run)
        if not eligible:
            raise InvalidArgument(
                f"RegenerateSpan: the run has no text {self.address!r} that is a sequence of tokens"
                if self.address
                else "RegenerateSpan: the run has no text that is a sequence of tokens",
                hint="texts of small languages are listed instead: use pgen.MCMC(..., lookahead=0), or Regenerate",
            )
        address = pick(rng, eligible)
        choice = run.choices[address]
        assert isinstance(choice.law, Spelled)
        n_starts = _n_starts(choice.value, self.length)
        start = pick(rng, range(n_starts)) if n_starts else 0
        return _Span(address, choice.law, choice.value.tokens, start, self.length)

    def _log_ratio(self, old: Run, new: Run, span: _Span) -> float:
        """Everything that changed, by its exact mass, times the chance to draw the old span over the new one."""
        before, after = old.choices[span.address].value, new.choices[span.address].value
        places = log_share(_n_starts(before, self.length), _n_starts(after, self.length))
        texts = log_share(len(self._spelled(old)), len(self._spelled(new)))
        return log_redraw_ratio(old, new) + places + texts + span.log_chance(before) - span.log_chance(after)


class _Span(NamedTuple):
    address: str
    law: Spelled
    tokens: tuple[int, ...]
    start: int
    length: int | None

    def log_chance(self, text: Text) -> float:
        """log probability of drawing `text`'s tokens in this place, given those before."""
        steps = self.law.steps(text.tokens)
        if self.length is None:
            return math.fsum(step.log_mass - step.log_weight for step in steps[self.start :])
        inside = steps[self.start : self.start + self.length]
        return math.fsum(step.log_mass - step.log_tokens for step in inside)


def _n_starts(text: Text, length: int | None) -> int:
    """Places where a span can begin: at any token or at the end, or where `length` tokens follow."""
    return len(text.tokens) + 1 if length is None else max(len(text.tokens) - length + 1, 0)


def _suffixes(spans: Sequence[_Span], rngs: Sequence[Rng]) -> list[Text | None]:
    """New texts with the old beginnings; `None` where the draft died."""
    results: list[Drawn | TokenDraft] = [span.law.resume(span.law.state(span.tokens[: span.start])) for span in spans]
    while True:
        moving: defaultdict[LeftToRight, list[tuple[int, TokenDraft]]] = defaultdict(list)
        for i, result in enumerate(results):
            if isinstance(result, TokenDraft) and result.log_weight > -math.inf:
                moving[spans[i].law.left_to_right].append((i, result))
        if not moving:
            return [r.text if isinstance(r, Drawn) and r.log_weight > -math.inf else None for r in results]
        for drafter, group in moving.items():
            moved = drafter.step([draft for _, draft in group], [rngs[i] for i, _ in group])
            for (i, _), result in zip(group, moved, strict=True):
                results[i] = result


def _span_text(span: _Span, rng: Rng) -> Text | None:
    """A new text with `length` tokens drawn from the masked model in the middle; `None` where that is impossible."""
    assert span.length is not None
    process, stop = span.law.process, span.start + span.length
    if stop > len(span.tokens):
        return None
    state = span.law.state(span.tokens[: span.start])
    for _ in range(span.length):
        token = _next_token(span.law, state, rng)
        if token is None:
            return None
        state = process.advance(state, token)
    try:
        return process.text(_after(process, state, span.tokens[stop:]))
    except DeadEnd:
        return None


def _after(process: TextProcess, state: TextState, tokens: Sequence[int]) -> TextState:
    for token in tokens:
        state = process.advance(state, token)
    return state


def _next_token(law: Spelled, state: TextState, rng: Rng) -> int | None:
    """A token of the text (not its end) from the masked model; `None` if there is none."""
    if law.process.finished(state) is not None:
        return None
    weighed = law.left_to_right.weigh(law.process, [state])
    _, tokens, masses = outcome_masses(weighed.given, weighed.rows[0], law.process.choice(state))
    inside = ~np.isin(tokens, list(law.process.vocabulary.eos))
    return int(tokens[inside][draw(rng, masses[inside])]) if inside.any() else None


def _with_text(run: Run, address: str, text: Text | None) -> Plan:
    """The run with another text, if there is one, and with everything else kept as far as possible."""
    kept = redraw(run, ())

    def plan(at: str, law: Law) -> Keep | None:
        return Keep(text) if at == address and text is not None else kept(at, law)

    return plan
