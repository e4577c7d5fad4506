"""What a step sees of its language: messages over the states of a table, or a chart over places where there is none.

Both give the mass of what can follow, draws from it and the tokens that are possible. A chart counts
derivations: as a look-ahead that is as good as any, since telescoping weights divide it out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgen.chains import sum_product
from pgen.chains.automaton import PositionAutomaton
from pgen.chains.emissions import Canvas, Emissions, Floats, emissions
from pgen.chains.lattice import Chart, Lattice, lattice
from pgen.chains.pushdown import Pushdown
from pgen.chains.sum_product import Messages
from pgen.sampling.rng import Rng

Restriction = PositionAutomaton | Pushdown
Given = Emissions | Lattice
Look = Messages | Chart


def given_by(restriction: Restriction, rows: Any, canvas: Canvas, *, open_ends: bool) -> Given:
    """What marginals `(n, V)` of the first n positions of a canvas say to a language.

    Without `open_ends` (which a table knows by itself) ends stand only where they are committed.
    """
    if isinstance(restriction, Pushdown):
        return lattice(restriction, rows, canvas, open_ends=open_ends)
    return emissions(restriction, rows[None], [canvas[: len(rows)]])[0]


def look(given: Given, length: int) -> Look:
    """What can follow on a canvas of `length` positions."""
    return Chart(given) if isinstance(given, Lattice) else sum_product.messages(given, length=length)


def log_mass_given(seen: Look, canvas: Canvas) -> float:
    """log mass of what can follow when more positions are committed, as `canvas` says."""
    return seen.given(canvas).log_mass if isinstance(seen, Chart) else seen.log_mass_given(canvas)


def drawn(seen: Look, positions: list[int], rng: Rng) -> tuple[int, ...]:
    """Tokens of some open positions, by the mass of what is seen."""
    return seen.sample(positions, rng) if isinstance(seen, Chart) else sum_product.sample(seen, positions, rng).tokens


def marginal(seen: Look, position: int) -> Floats:
    """`(V,)` log-probabilities at one open position, by the mass of what is seen."""
    return seen.marginals[position] if isinstance(seen, Chart) else sum_product.marginal(seen, position)


def possible(seen: Look, position: int) -> NDArray[np.bool_]:
    """`(V,)`: the tokens at a position that members hold (whether or not the marginals allow them)."""
    if isinstance(seen, Chart):
        return seen.possible(position)
    ratios = sum_product.class_ratios(seen)[position]
    return np.asarray(ratios[seen.emissions.automaton.class_of] > -np.inf)


def constrained_marginals(seen: Look) -> Floats:
    """`(n, V)` log-probabilities under the language. Raises `UnsupportedFeature` if these may count derivations."""
    return seen.constrained_marginals() if isinstance(seen, Chart) else sum_product.constrained_marginals(seen)
