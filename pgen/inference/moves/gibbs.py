"""Draw one choice from its exact conditional, by trying every value with the rest of the run kept."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pgen.errors import InvalidArgument, InvalidProgram, UnsupportedFeature
from pgen.inference.generative import change, log_update_weight
from pgen.inference.moves.trace_moves import Move, draw, pick
from pgen.inference.runs import Run, Runner
from pgen.sampling.logspace import normalized
from pgen.sampling.rng import Rng


@dataclass(frozen=True)
class Gibbs:
    """Draw one of `addresses` (default: of all choices) from its conditional given the rest of the run.

    Its values must be finitely many and listed (see `lookahead` for texts), and must
    not decide which other choices exist; else `InvalidArgument` or `InvalidProgram`.
    """

    addresses: tuple[str, ...] = ()

    def __init__(self, *addresses: str) -> None:
        object.__setattr__(self, "addresses", addresses)

    def step(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Move]:
        """Each chain with one of its choices drawn from its exact conditional."""
        picked = [self._pick(run, rng) for run, rng in zip(runs, rngs, strict=True)]
        tried = [
            (i, change(run, {address: value}))
            for i, (run, address) in enumerate(zip(runs, picked, strict=True))
            if address is not None
            for value in _values(run, address)
        ]
        after = runner.run([plan for _, plan in tried], [rngs[i] for i, _ in tried])
        outcomes: defaultdict[int, list[Run]] = defaultdict(list)
        for (i, _), run in zip(tried, after, strict=True):
            _check_structure(runs[i], run, picked[i])
            outcomes[i].append(run)
        return [Move(_conditional_draw(run, outcomes[i], rngs[i]), True) for i, run in enumerate(runs)]

    def _pick(self, run: Run, rng: Rng) -> str | None:
        present = [a for a in (self.addresses or run.choices) if a in run.choices]
        return pick(rng, present) if present else None


def _values(run: Run, address: str) -> list[object]:
    support = run.choices[address].law.support()
    if support is None:
        raise InvalidArgument(
            f"Gibbs cannot try every value of {address!r}",
            hint="name the addresses with few values: pgen.Gibbs('kind'); list a text's language by a larger "
            "lookahead; or use pgen.Regenerate",
        )
    return [value for value, log_mass in support if log_mass > -math.inf]


def _check_structure(before: Run, after: Run, address: str | None) -> None:
    if after.dead:
        return
    if set(before.choices) != set(after.choices):
        raise InvalidProgram(
            f"the value of {address!r} decides which other choices exist", hint="use pgen.Regenerate there"
        )
    for name, choice in after.choices.items():
        if choice.law.level != before.choices[name].law.level:
            raise UnsupportedFeature(
                f"the texts of {name!r} can be listed for some values of {address!r} only",
                hint="use pgen.Regenerate, or lookahead=0",
            )


def _conditional_draw(run: Run, outcomes: Sequence[Run], rng: Rng) -> Run:
    log_masses = [log_update_weight(run, outcome) for outcome in outcomes]
    return outcomes[draw(rng, normalized(log_masses))] if log_masses else run
