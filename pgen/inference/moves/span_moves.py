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
from pgen.inference.drafting.choice_laws import Law, Spelled
from pgen.inference.drafting.drafts import Drawn
from pgen.inference.drafting.left_to_right import LeftToRight, TokenDraft
from pgen.inference.generative import log_redraw_ratio, redraw
from pgen.inference.moves.trace_moves import Metropolis, Proposal, draw, log_share, pick
from pgen.inference.runs import Keep, Plan, Refuse, Run, Runner
from pgen.programs.process import TextProcess, TextState
from pgen.programs.strings import Text
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import outcome_masses


@dataclass(frozen=True)
class RegenerateSpan(Metropolis):
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

    def applies(self, run: Run) -> bool:
        """Whether a run has a text with a token to begin at."""
        return bool(spelled(run, self.address))

    def propose(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Proposal]:
        """Each run with a piece of a text drawn anew, and the log acceptance ratio."""
        spans = [self._span(run, rng) for run, rng in zip(runs, rngs, strict=True)]
        texts = (
            _suffixes(spans, rngs)
            if self.length is None
            else [_span_text(span, rng) for span, rng in zip(spans, rngs, strict=True)]
        )
        plans = [with_text(run, span.address, text) for run, span, text in zip(runs, spans, texts, strict=True)]
        proposed = runner.run(plans, rngs)
        return [
            Proposal(new, -math.inf if text is None or new.dead else self._log_ratio(old, new, span))
            for old, new, span, text in zip(runs, proposed, spans, texts, strict=True)
        ]

    def _span(self, run: Run, rng: Rng) -> _Span:
        address = pick_spelled(self, run, self.address, rng)
        choice = run.choices[address]
        assert isinstance(choice.law, Spelled)
        n_starts = _n_starts(choice.value, self.length)
        start = pick(rng, range(n_starts)) if n_starts else 0
        return _Span(address, choice.law, choice.value.tokens, start, self.length)

    def _log_ratio(self, old: Run, new: Run, span: _Span) -> float:
        """Everything that changed, by its exact mass, times the chance to draw the old span over the new one."""
        before, after = old.choices[span.address].value, new.choices[span.address].value
        places = log_share(_n_starts(before, self.length), _n_starts(after, self.length))
        texts = log_share(len(spelled(old, self.address)), len(spelled(new, self.address)))
        return log_redraw_ratio(old, new) + places + texts + span.log_chance(before) - span.log_chance(after)


def spelled(run: Run, address: str | None) -> list[str]:
    """The addresses of texts whose states are token sequences; only `address` if it is given."""
    found = [a for a, choice in run.choices.items() if isinstance(choice.law, Spelled)]
    return [a for a in found if a == address] if address is not None else found


def pick_spelled(kernel: object, run: Run, address: str | None, rng: Rng) -> str:
    """One of them at random; raises `InvalidArgument` in the kernel's name if there is none."""
    eligible = spelled(run, address)
    if not eligible:
        text = f"text {address!r}" if address else "text"
        raise InvalidArgument(
            f"{type(kernel).__name__}: the run has no {text} that is a sequence of tokens",
            hint="texts of small languages are listed instead: use pgen.MCMC(..., lookahead=0), or Regenerate",
        )
    return pick(rng, eligible)


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
        return process.text(state_after(process, state, span.tokens[stop:]))
    except DeadEnd:
        return None


def state_after(process: TextProcess, state: TextState, tokens: Sequence[int]) -> TextState:
    """Where some more tokens lead; raises `DeadEnd` if the language does not allow them."""
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


def with_text(run: Run, address: str, text: Text | None) -> Plan:
    """The run with another text, if there is one, and with everything else kept as far as possible."""
    kept = redraw(run, ())

    def plan(at: str, law: Law) -> Keep | Refuse | None:
        return Keep(text) if at == address and text is not None else kept(at, law)

    return plan
