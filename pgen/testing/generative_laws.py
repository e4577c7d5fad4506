"""Laws of the operations on traces and of MCMC kernels, checked by enumerating their random choices.

Each raises `AssertionError` with the first counterexample, and returns the largest error
found. Programs must be small: finitely many runs, a few thousand at most.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import chain, combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.inference.generative import Generative
from pgen.inference.moves.trace_moves import Kernel
from pgen.inference.runs import Choice, Run
from pgen.testing.enumeration import enumerate_outcomes

Key = Hashable


def run_key(run: Run) -> Key:
    """What tells runs apart: every choice, by tokens where these are the state, or by the random weight of its draw."""
    return tuple((address, choice.value, _state(choice)) for address, choice in sorted(run.choices.items()))


def _state(choice: Choice) -> object:
    if choice.law.level == "opaque":
        return round(choice.log_draw_weight, 9)
    return choice.value.tokens if choice.law.level == "spelled" else None


def enumerate_runs(model: Generative) -> dict[Key, Run]:
    """Every run of positive mass."""
    drawn = [weighted for _, weighted in enumerate_outcomes(model.simulate)]
    return {run_key(run): run for run, log_weight in drawn if log_weight > -math.inf}


def check_simulate(model: Generative, target: Mapping[Any, float], tolerance: float = 1e-9) -> float:
    """E[weight * 1{run}] is the run's mass, and the masses of the runs with value x sum to `target[x]`."""
    expected, runs = _expected(model.simulate), enumerate_runs(model)
    by_value: defaultdict[Any, float] = defaultdict(float)
    for key, run in runs.items():
        by_value[run.value] += math.exp(run.log_mass)
        _agree(expected[key], math.exp(run.log_mass), tolerance, f"simulate {key}")
    errors = {x: abs(by_value[x] - target.get(x, 0.0)) for x in {*by_value, *target}}
    worst = max(errors, key=lambda x: errors[x])
    assert errors[worst] <= tolerance, f"runs with value {worst!r} have mass {by_value[worst]}, not {target.get(worst)}"
    return errors[worst]


def check_generate(model: Generative, tolerance: float = 1e-9) -> float:
    """For every subset of the choices of every run: E[weight * 1{run}] is the mass of each run that has them."""
    runs, worst, seen = enumerate_runs(model), 0.0, set()
    for run in runs.values():
        for addresses in _subsets(list(run.choices)):
            given = {address: run.choices[address].value for address in addresses}
            if (label := _label(run, addresses)) in seen:
                continue
            seen.add(label)
            expected = _expected(lambda rng, given=given: model.generate(given, rng))  # type: ignore[misc]
            for key, other in runs.items():
                mass = math.exp(other.log_mass) if _label(other, addresses) == label else 0.0
                worst = max(worst, _agree(expected.get(key, 0.0), mass, tolerance, f"generate {given}: {key}"))
    return worst


def check_assess(model: Generative, tolerance: float = 1e-9) -> float:
    """The assessed mass of every run's choices is its mass, and its value is the same."""
    worst = 0.0
    for key, run in enumerate_runs(model).items():
        assessed, log_mass = model.assess({a: choice.value for a, choice in run.choices.items()})
        assert assessed.value == run.value, f"assess {key}: value {assessed.value!r}, not {run.value!r}"
        worst = max(worst, _agree(math.exp(log_mass), math.exp(run.log_mass), tolerance, f"assess {key}"))
    return worst


def check_update(model: Generative, tolerance: float = 1e-9) -> float:
    """Changing one choice of any run to its value in any other: E[weight * 1{run}] g(old) is the mass of each outcome.

    Undoing an update by what it discarded gives the old run back, with the opposite weight where nothing was drawn.
    """
    runs, worst = enumerate_runs(model), 0.0
    for old, other in ((a, b) for a in runs.values() for b in runs.values()):
        for address in sorted(set(old.choices) & set(other.choices)):
            change = {address: other.choices[address].value}
            expected: defaultdict[Key, float] = defaultdict(float)
            for probability, updated in enumerate_outcomes(lambda rng, c=change, o=old: model.update(o, c, rng)):  # type: ignore[misc]
                if updated.log_weight > -math.inf:
                    expected[run_key(updated.run)] += probability * math.exp(updated.log_weight + old.log_mass)
                    _check_undone(model, old, updated.run, updated.log_weight, updated.discarded, tolerance)
            for key, mass in expected.items():
                worst = max(worst, _agree(mass, math.exp(runs[key].log_mass), tolerance, f"update {change}: {key}"))
    return worst


def _check_undone(
    model: Generative, old: Run, new: Run, log_weight: float, discarded: Mapping[str, Any], tolerance: float
) -> None:
    if any(choice.is_drawn for choice in new.choices.values()):
        return
    undone = model.update(new, discarded)
    assert run_key(undone.run) == run_key(old), f"undoing {discarded} led to {run_key(undone.run)}, not {run_key(old)}"
    _agree(undone.log_weight, -log_weight, max(tolerance, 1e-9) * 10, f"undoing {discarded}")


def check_regenerate(model: Generative, tolerance: float = 1e-9) -> float:
    """Detailed balance: g(t) q(t'|t) min(1, e^w) is symmetric in t and t', for every single address and for all."""
    runs, worst = enumerate_runs(model), 0.0
    for addresses in _selections(runs.values()):
        flow: defaultdict[tuple[Key, Key], float] = defaultdict(float)
        for key, run in runs.items():
            chosen = [address for address in addresses if address in run.choices]
            if not chosen:
                continue
            for probability, moved in enumerate_outcomes(lambda rng, r=run, c=chosen: model.regenerate(r, c, rng)):  # type: ignore[misc]
                if moved.log_weight > -math.inf:
                    flow[key, run_key(moved.run)] += math.exp(
                        run.log_mass + math.log(probability) + min(0.0, moved.log_weight)
                    )
        for (here, there), mass in flow.items():
            worst = max(worst, _agree(mass, flow.get((there, here), 0.0), tolerance, f"{addresses}: {here} -> {there}"))
    return worst


def check_invariance(model: Generative, kernel: Kernel, tolerance: float = 1e-9) -> float:
    """Law 4: the full transition matrix of the kernel leaves the masses of all runs unchanged."""
    _, matrix, masses = transition_matrix(model, kernel)
    assert np.abs(matrix.sum(axis=1) - 1.0).max() < 1e-9, "the rows of the transition matrix do not sum to 1"
    error = float(np.abs(masses @ matrix - masses).max())
    assert error <= tolerance, f"{kernel!r} changes the mass of a run by {error}"
    return error


class Transitions(NamedTuple):
    """All S runs of a program, the `(S, S)` probabilities to go from one to another, and their `(S,)` masses."""

    runs: list[Run]
    matrix: NDArray[np.float64]
    masses: NDArray[np.float64]


def transition_matrix(model: Generative, kernel: Kernel) -> Transitions:
    """What a kernel does to every run, by enumerating its random choices.

    Where the weight of a draw is random, runs with different weights are different states.
    """
    runs, masses = enumerate_runs(model), _expected(model.simulate)
    index = {key: i for i, key in enumerate(runs)}
    matrix = np.zeros((len(runs), len(runs)))
    for key, run in runs.items():
        for probability, moves in enumerate_outcomes(lambda rng, run=run: kernel.step(model.runner, [run], [rng])):  # type: ignore[misc]
            matrix[index[key], index[run_key(moves[0].run)]] += probability
    return Transitions(list(runs.values()), matrix, np.array([masses[key] for key in runs]))


def _expected(operation: Callable[[Any], Any]) -> defaultdict[Key, float]:
    """Run -> E[weight * 1{run}]."""
    expected: defaultdict[Key, float] = defaultdict(float)
    total = 0.0
    for probability, (run, log_weight) in enumerate_outcomes(operation):
        total += probability
        if log_weight > -math.inf:
            expected[run_key(run)] += probability * math.exp(log_weight)
    assert abs(total - 1.0) < 1e-9, f"the paths' probabilities sum to {total}"
    return expected


def _selections(runs: Any) -> list[tuple[str, ...]]:
    addresses = sorted({address for run in runs for address in run.choices})
    return [*((address,) for address in addresses), tuple(addresses)]


def _subsets(addresses: Sequence[str]) -> chain[tuple[str, ...]]:
    return chain.from_iterable(combinations(addresses, size) for size in range(len(addresses) + 1))


def _label(run: Run, addresses: Sequence[str]) -> Key:
    kept = {address: run.choices[address] for address in addresses if address in run.choices}
    return tuple((address, choice.value, _state(choice)) for address, choice in kept.items())


def _agree(found: float, expected: float, tolerance: float, where: str) -> float:
    error = abs(found - expected)
    assert error <= tolerance, f"{where}: {found}, expected {expected}"
    return error
