"""What inference returns: weighted values, the evidence, and what they are worth.

`log_weights` are unnormalised and in nats. For enumeration they are log masses
(`complete`), whose sum is the evidence; for particles their mean times the evidence
of earlier resamplings is. Labels: `exact`, `consistent`, `map`, `heuristic`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument, ZeroEvidence
from pgen.inference.diagnostics.accounts import Removal, ancestors, deaths, removals
from pgen.inference.diagnostics.pareto import pareto_k
from pgen.language.base import late
from pgen.programs.trace import Trace
from pgen.sampling.logspace import effective_sample_size, log_sum_exp, normalized

if TYPE_CHECKING:
    import arviz
    from matplotlib.axes import Axes

    from pgen.inference.particles import Particle

Label = Literal["exact", "consistent", "map", "heuristic"]


@dataclass(frozen=True)
class Posterior:
    """Weighted runs of a program. `values (N,)` are return values, `traces` what each run chose."""

    values: tuple[Any, ...]
    log_weights: NDArray[np.float64]
    traces: tuple[Trace, ...]
    log_evidence: float
    label: Label
    method: str
    n_evaluations: int
    complete: bool = False
    log_unexplored: float = -math.inf
    ess_path: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    deaths: tuple[tuple[str, int], ...] = ()
    """`(statement, runs that died there)`; runs that resampling replaced are not known any more."""
    lineage: tuple[int, ...] = ()
    """`(N,)` where runs were resampled: which of the starting runs each descends from."""
    removals: tuple[Removal, ...] = ()
    """What each statement did to the mass (`pgen.inference.diagnostics.accounts`); empty where runs were resampled."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """`(N,)` normalised weights."""
        return normalized(self.log_weights)

    @property
    def ess(self) -> float:
        """Effective sample size (sum w)^2 / sum w^2; of an enumeration, how many values share the mass."""
        return effective_sample_size(self.log_weights)

    @property
    def n_dead(self) -> int:
        """Runs of weight 0 at the end; they are not among `values`."""
        return sum(count for _, count in self.deaths)

    @property
    def pareto_k(self) -> float:
        """Tail shape of the weights (`pgen.inference.diagnostics.pareto`): above 0.7 averages are not to be trusted.

        NaN for enumerations and fewer than 25 runs, -inf where the largest weights are equal.
        """
        dead = np.full(self.n_dead, -math.inf)
        return math.nan if self.complete else pareto_k(np.concatenate([self.log_weights, dead]))

    @property
    def ancestors(self) -> tuple[int, ...]:
        """For the n-th latent choice, how many different runs up to there these descend from; () for enumerations."""
        return () if self.complete else ancestors(self.traces)

    def probabilities(self) -> dict[Any, float]:
        """Return value -> posterior probability, likeliest first."""
        return self._grouped(self.values)

    def marginal(self, name: str) -> dict[Any, float]:
        """Value -> probability of the site `name`; `None` stands for runs that did not reach it."""
        recorded = [trace.values() for trace in self.traces]
        known = sorted({address for values in recorded for address in values})
        if name not in known:
            raise InvalidArgument(f"no site is called {name!r}; this posterior has {', '.join(known) or 'none'}")
        return self._grouped(values.get(name) for values in recorded)

    def expectation(self, function: Callable[[Any], float]) -> float:
        """Posterior mean of `function(value)`."""
        terms = [w * float(function(value)) for w, value in zip(self.weights, self.values, strict=True) if w > 0]
        return math.fsum(terms)

    def mode(self) -> Any:
        """The value with the most posterior mass (weights of equal values are added)."""
        mass: dict[Hashable, float] = {}
        first: dict[Hashable, Any] = {}
        for weight, value in zip(self.weights, self.values, strict=True):
            key = _key(value)
            first.setdefault(key, value)
            mass[key] = mass.get(key, 0.0) + float(weight)
        return first[max(mass, key=lambda key: mass[key])]

    def minimum_risk(self, loss: Callable[[Any, Any], float]) -> Any:
        """The value of least expected `loss(answer, truth)`; more in `pgen.inference.diagnostics.consensus`."""
        return late("pgen.inference.diagnostics.consensus:minimum_risk")(self, loss).value

    @property
    def log_evidence_bounds(self) -> tuple[float, float]:
        """The log evidence lies between these, as long as no later factor is above 0; (-inf, inf) for sampled runs."""
        if not self.complete:
            return -math.inf, math.inf
        return self.log_evidence, float(np.logaddexp(self.log_evidence, self.log_unexplored))

    def sample(self, seed: int, n: int) -> list[Any]:
        """`n` values drawn from the weighted runs."""
        points = np.random.Generator(np.random.Philox(seed)).random(n)
        running = np.cumsum(self.weights)
        chosen = np.searchsorted(running / running[-1], points, side="right")
        return [self.values[int(i)] for i in chosen]

    def to_arviz(self, draws: int = 1000, *, weighted: bool = False) -> arviz.InferenceData:
        """For ArviZ's plots and summaries: each site a variable, its values by (chain, draw).

        Chains keep their states. Weighted runs become `draws` equal ones by deterministic
        systematic resampling, or, with `weighted`, stay as they are beside `sample_stats.log_weight`.
        Texts and other labels are coded by numbers (`pgen.inference.diagnostics.arviz_export`). Needs
        `pip install 'pgen[arviz]'`.
        """
        return late("pgen.inference.diagnostics.arviz_export:to_arviz")(self, draws, weighted)

    def diagnose(self) -> str:
        """In words: how far to trust this result, and what to do about it."""
        return str(late("pgen.inference.diagnostics.report:diagnosis")(self))

    def plot(self, name: str | None = None, limit: int = 20, axes: Axes | None = None) -> Axes:
        """Bars of the likeliest return values, or of the values of site `name`."""
        shares = self.probabilities() if name is None else self.marginal(name)
        drawn: Axes = late("pgen.inference.diagnostics.report:plot")(shares, limit, axes)
        return drawn

    def __repr__(self) -> str:
        return str(late("pgen.inference.diagnostics.report:as_text")(self))

    def _repr_html_(self) -> str:
        return str(late("pgen.inference.diagnostics.report:as_html")(self))

    def _grouped(self, values: Iterable[Any]) -> dict[Any, float]:
        mass: dict[Any, float] = {}
        for weight, value in zip(self.weights, values, strict=True):
            try:
                mass[value] = mass.get(value, 0.0) + float(weight)
            except TypeError:
                raise InvalidArgument(
                    f"a value of type {type(value).__name__} cannot be a key: {value!r}",
                    hint="return strings, numbers or tuples from the program, or use .values with .weights",
                ) from None
        return dict(sorted(((v, p) for v, p in mass.items() if p > 0), key=lambda item: -item[1]))


def _key(value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value  # type: ignore[no-any-return]


def posterior_of(
    particles: Sequence[Particle],
    *,
    label: Label,
    method: str,
    n_evaluations: int,
    complete: bool = False,
    log_evidence: float = 0.0,
    log_unexplored: float = -math.inf,
    ess_path: Sequence[float] = (),
    lineage: Sequence[int] = (),
    notes: tuple[str, ...] = (),
) -> Posterior:
    """Collect finished particles; `log_evidence` is what earlier resamplings contributed, `lineage` whom they left.

    Raises `ZeroEvidence`, with the best partial texts, if every particle is dead.
    """
    log_weights = np.array([particle.total_log_weight for particle in particles])
    log_sum = log_sum_exp(log_weights)
    if log_sum == -math.inf:
        raise zero_evidence(particles)
    alive = log_weights > -math.inf
    kept = [particle for particle, lives in zip(particles, alive, strict=True) if lives]
    return Posterior(
        values=tuple(particle.suspension.value for particle in kept),
        log_weights=log_weights[alive],
        traces=tuple(particle.suspension.trace for particle in kept),
        log_evidence=log_evidence + log_sum - (0.0 if complete else math.log(len(particles))),
        label=label,
        method=method,
        n_evaluations=n_evaluations,
        complete=complete,
        log_unexplored=log_unexplored,
        ess_path=tuple(ess_path),
        notes=notes,
        deaths=() if complete else deaths(particles),
        lineage=tuple(start for start, lives in zip(lineage, alive, strict=False) if lives),
        removals=removals(particles, complete),
    )


def zero_evidence(particles: Sequence[Particle]) -> ZeroEvidence:
    """The error for runs that are all dead: where the one that came furthest died, and the best partial texts."""
    ranked = sorted(particles, key=lambda p: (p.suspension.trace.n_choices, len(p.partial_text())), reverse=True)
    partials = list(dict.fromkeys(particle.partial_text() for particle in ranked))[:5]
    place = _last_statement(ranked[0]) if ranked else "the start"
    places = deaths(particles)
    counted = ", ".join(f"{count} at {name}" for name, count in places[:3]) + (", ..." if len(places) > 3 else "")
    elsewhere = f" ({counted})" if len(places) > 1 else ""
    return ZeroEvidence(
        f"all {len(particles)} runs have weight 0; the one that came furthest died at {place}{elsewhere}",
        partials=partials,
        hint=f"best partial texts: {partials}. Loosen the condition there, allow more tokens, or use more particles "
        "or a larger lookahead if the event is merely rare",
    )


def _last_statement(particle: Particle) -> str:
    effect, entry = particle.suspension.effect, particle.suspension.trace.entry
    if effect is not None:
        return f"sample {effect.address!r}"
    if entry is None:
        return "its start"
    outside = entry.kind == "observe" and entry.log_weight == -math.inf
    shown = f": the value {entry.value!r} is outside the support" if outside else ""
    return f"{entry.kind} {entry.address!r}{shown}"
