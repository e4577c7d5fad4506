"""Operations on traces, each with its exact log weight: simulate, generate, assess, update, regenerate.

After Gen's generative function interface (Cusumano-Towner et al., "Gen", PLDI 2019).
With g(t) the mass of a complete run t (all choices and all evidence) and q the
probability with which an operation draws what it draws:

    simulate                t ~ q           log g(t) - log q(t)
    generate(choices)       t ~ q(. | choices)   log g(t) - log q(t | choices)
    assess(choices)         t = choices     log g(t)
    update(t, choices)      t' ~ q(. | t, choices)   log g(t') - log g(t) - log q
    regenerate(t, where)    t' ~ q(. | t, where)     log g(t') q(t | t') / (g(t) q(t' | t)),

the last being the log ratio of Metropolis and Hastings. Texts of left-to-right models
are token sequences here (a `Text` stands for its own tokens, another string for the
tokenizer's spelling), unless `lookahead` evaluations suffice to list a text's language.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from pgen.errors import InvalidArgument
from pgen.inference.context import Context
from pgen.inference.drafting.choice_laws import Law
from pgen.inference.runs import Choice, Keep, Plan, Run, Runner, draw_everything
from pgen.programs.machine import Machine
from pgen.sampling.rng import CounterRng, Rng


class Weighted(NamedTuple):
    """A run and the log weight (nats) of the operation that made it."""

    run: Run
    log_weight: float


class Updated(NamedTuple):
    """A run, the log weight of the update, and the values that it replaced or dropped, by address."""

    run: Run
    log_weight: float
    discarded: dict[str, Any]


class Generative:
    """A program at given arguments, with the operations on its runs."""

    def __init__(
        self, program: Callable[..., Any], *args: Any, lookahead: int = 0, batch_size: int = 64, **kwargs: Any
    ) -> None:
        self.runner = Runner(Machine(program, args, kwargs), Context(batch_size), lookahead)

    def simulate(self, seed: int | Rng = 0) -> Weighted:
        """Draw every choice; E[weight * 1{run}] is the run's mass."""
        (run,) = self.runner.run([draw_everything], [_stream(seed)])
        return Weighted(run, log_draw_weight(run))

    def generate(self, choices: Mapping[str, Any], seed: int | Rng = 0) -> Weighted:
        """Draw what `choices` leaves open; E[weight * 1{run}] is the run's mass if it has these choices.

        A run that what was drawn leads past one of the addresses has weight 0.
        """
        (run,) = self.runner.run([_given(choices)], [_stream(seed)])
        return Weighted(run, log_draw_weight(run) if _uses(run, choices) else -math.inf)

    def assess(self, choices: Mapping[str, Any]) -> Weighted:
        """The run with exactly these choices, and its log mass; raises `InvalidArgument` if one is missing."""
        (run,) = self.runner.run([_all_given(choices)], [CounterRng(0)])
        _uses(run, choices)
        return Weighted(run, -math.inf if run.dead else run.log_mass)

    def update(self, run: Run, choices: Mapping[str, Any], seed: int | Rng = 0) -> Updated:
        """Change some choices and keep the others; what the change makes newly necessary is drawn.

        Raises `InvalidArgument` if the new run has no choice under one of the addresses, unless what was
        drawn is to blame; then the weight is 0.
        """
        (changed,) = self.runner.run([change(run, choices)], [_stream(seed)])
        log_weight = log_update_weight(run, changed) if _uses(changed, choices) else -math.inf
        return Updated(changed, log_weight, _discarded(run, changed, choices))

    def regenerate(self, run: Run, addresses: Collection[str], seed: int | Rng = 0) -> Weighted:
        """Draw the choices at `addresses` anew; raises `InvalidArgument` if the run has none there."""
        unknown = sorted(set(addresses) - set(run.choices))
        if unknown:
            raise InvalidArgument(f"the run has no choice {unknown}; it has {', '.join(run.choices) or 'none'}")
        (changed,) = self.runner.run([redraw(run, addresses)], [_stream(seed)])
        return Weighted(changed, log_redraw_ratio(run, changed))


def log_draw_weight(run: Run) -> float:
    """log g - log q of a run whose drawn choices came from their laws."""
    if run.dead:
        return -math.inf
    terms = [c.log_draw_weight if c.is_drawn else c.score.log_mass for c in run.choices.values()]
    return run.log_evidence + math.fsum(terms)


def log_update_weight(before: Run, after: Run) -> float:
    """log g(after) - log g(before) - log q; kept choices under unchanged laws cancel without being scored."""
    if after.dead:
        return -math.inf
    kept = {a for a, choice in after.choices.items() if _carried(before, a, choice)}
    gained = [c.log_draw_weight if c.is_drawn else c.score.log_mass for a, c in after.choices.items() if a not in kept]
    lost = [c.score.log_mass for a, c in before.choices.items() if a not in kept]
    return after.log_evidence - before.log_evidence + math.fsum(gained) - math.fsum(lost)


def log_redraw_ratio(before: Run, after: Run) -> float:
    """The log Metropolis-Hastings ratio of drawing what is drawn in `after`, once it is settled what to draw."""
    if after.dead:
        return -math.inf
    kept = [a for a, choice in after.choices.items() if not choice.is_drawn]
    changed = [a for a in kept if not _carried(before, a, after.choices[a])]
    gained = [c.log_draw_weight for c in after.choices.values() if c.is_drawn]
    gained += [after.choices[a].score.log_mass for a in changed]
    lost = [c.log_draw_weight for a, c in before.choices.items() if a not in set(kept)]
    lost += [before.choices[a].score.log_mass for a in changed]
    return after.log_evidence - before.log_evidence + math.fsum(gained) - math.fsum(lost)


def redraw(run: Run, addresses: Collection[str]) -> Plan:
    """Draw `addresses` anew and keep the others, as far as their laws have the same kind of states."""

    def plan(address: str, law: Law) -> Keep | None:
        old = run.choices.get(address)
        if old is None or address in addresses:
            return None
        if old.law is not law and (old.law.level != law.level or law.level == "opaque"):
            return None
        return Keep(old.value, old)

    return plan


def _given(choices: Mapping[str, Any]) -> Plan:
    return lambda address, law: Keep(choices[address]) if address in choices else None


def _all_given(choices: Mapping[str, Any]) -> Plan:
    def plan(address: str, law: Law) -> Keep | None:
        if address not in choices:
            raise InvalidArgument(
                f"assess needs a value for every choice; there is none for {address!r}",
                hint="generate draws what is missing",
            )
        return Keep(choices[address])

    return plan


def change(run: Run, choices: Mapping[str, Any]) -> Plan:
    """Take `choices`, else what the run has, else draw."""

    def plan(address: str, law: Law) -> Keep | None:
        if address in choices:
            return Keep(choices[address])
        old = run.choices.get(address)
        return None if old is None else Keep(old.value, old)

    return plan


def _carried(before: Run, address: str, choice: Choice) -> bool:
    old = before.choices.get(address)
    return old is not None and not choice.is_drawn and old.law is choice.law and old.value is choice.value


def _discarded(before: Run, after: Run, choices: Mapping[str, Any]) -> dict[str, Any]:
    return {a: old.value for a, old in before.choices.items() if a in choices or a not in after.choices}


def _stream(seed: int | Rng) -> Rng:
    return CounterRng(seed) if isinstance(seed, int) else seed


def _uses(run: Run, choices: Mapping[str, Any]) -> bool:
    """Whether the run has all the choices; raises `InvalidArgument` if it has not, and nothing was left to chance."""
    unused = sorted(set(choices) - set(run.choices))
    if unused and not run.dead and not any(choice.is_drawn for choice in run.choices.values()):
        raise InvalidArgument(
            f"the run has no choice {', '.join(map(repr, unused))}; it has {', '.join(map(repr, run.choices))}",
            hint="a value for an address that is never reached would have no effect",
        )
    return not unused
