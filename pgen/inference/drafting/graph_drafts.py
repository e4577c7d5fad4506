"""What drafters have in common whose texts come about along a graph of states (`state_graph`).

A draft begins at a finished text or a state of the graph explored so far, drawn in
proportion to its mass, with the graph's whole mass as weight; each later step multiplies
the weight by the mass of all that was allowed. So E[weight * 1{text = x}] is the mass of
x, over all ways that lead to it.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from pgen.errors import InvalidArgument, InvalidLanguage, LimitExceeded
from pgen.gaps.spellings import of_text, of_tokens
from pgen.inference.drafting.drafts import Drafter, Drawn, Enumerated
from pgen.inference.drafting.state_graph import Outcomes, Process, StateGraph
from pgen.programs.strings import StringDistribution, Text, Tokenization
from pgen.sampling.logspace import log_sum_exp
from pgen.sampling.rng import Rng

if TYPE_CHECKING:
    from pgen.inference.context import Context
    from pgen.tokens.classes import TokenTable

MAX_EVALUATIONS = 4096
"""Distinct states spent on the mass of one text: up to 2 to the number of its tokens are needed."""

DistributionT = TypeVar("DistributionT", bound=StringDistribution)
ProcessT = TypeVar("ProcessT", bound=Process[Any])


class GraphDraft(NamedTuple, Generic[ProcessT]):
    """Where a text stands; `log_weight` is what it has earned, `log_norm` the normaliser."""

    process: ProcessT
    state: Any
    log_weight: float
    log_norm: float

    def reweighted(self, log_weight: float) -> GraphDraft[ProcessT]:
        return self._replace(log_weight=log_weight)

    def partial_text(self) -> str:
        return self.process.partial_text(self.state)

    def settled(self, text: Text | None) -> GraphDraft[ProcessT] | Drawn:
        """The finished text, if there is one and residuals accept it."""
        if text is None:
            return self
        if not self.process.holds(text):
            return self.reweighted(-math.inf)
        return Drawn(text, self.log_weight - self.log_norm)


class GraphDrafter(Drafter[DistributionT, GraphDraft[ProcessT]], Generic[DistributionT, ProcessT]):
    """Compiled processes and graphs of one run."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._processes: dict[DistributionT, ProcessT] = {}
        self._graphs: dict[DistributionT, StateGraph[Any]] = {}

    @abstractmethod
    def compiled(self, distribution: DistributionT) -> ProcessT:
        """The process of a distribution."""

    @abstractmethod
    def only(self, distribution: DistributionT, text: str, spell: Callable[[str], TokenTable]) -> list[ProcessT]:
        """Processes whose masses add up to that of one text, by tables of its spellings; none outside the language."""

    @abstractmethod
    def outcomes(self, process: ProcessT, states: Sequence[Any]) -> list[Outcomes]:
        """What can follow each state, asking the model."""

    def begin(
        self, distributions: Sequence[DistributionT], rngs: Sequence[Rng], lookahead: int
    ) -> list[GraphDraft[ProcessT] | Drawn]:
        """Stratified starts: the drafts of one graph share its mass out in equal parts, rotated at random.

        The rotation makes every draft's own law the graph's, so that weights stay proper.
        """
        graphs = [self.graph(distribution) for distribution in distributions]
        different = {id(graph): graph for graph in graphs}
        for graph in different.values():
            graph.expand(max(0, lookahead // len(different) - graph.n_evaluations))
        begun: dict[int, GraphDraft[ProcessT] | Drawn] = {}
        for indices in grouped(range(len(graphs)), lambda i: id(graphs[i])):
            count = len(indices)
            uniform = rngs[indices[0]].uniform(lambda n=count: np.arange(1, n + 1) / n) if count > 1 else 0.0  # type: ignore[misc]
            rotation = int(uniform * count)
            for rank, i in enumerate(indices):
                begun[i] = self._begin(distributions[i], rngs[i], (rank + rotation) % count, count)
        return [begun[i] for i in range(len(graphs))]

    def score(self, distribution: DistributionT, text: str, tokenization: Tokenization, tol: float) -> float:
        if tokenization not in ("all", "canonical"):
            raise InvalidArgument(f"tokenization={tokenization!r}: expected 'all' or 'canonical'")
        log_norm, vocabulary = self.log_normalizer(distribution), self.process(distribution).vocabulary
        table = of_tokens if tokenization == "canonical" else of_text
        try:
            processes = self.only(distribution, text, lambda part: table(vocabulary, part))
        except (InvalidLanguage, InvalidArgument):
            return -math.inf
        return log_sum_exp([self._total(process, text, tol) for process in processes]) - log_norm

    def enumerate(
        self, distribution: DistributionT, what: str, tolerance: float | None, max_evaluations: int
    ) -> Enumerated:
        log_norm, graph = self.log_normalizer(distribution), self.graph(distribution)
        graph.certify(what, tolerance, graph.n_evaluations + max_evaluations)
        texts = [(text, log_mass - log_norm) for text, log_mass in graph.leaves]
        return Enumerated(texts, graph.log_frontier - log_norm)

    def process(self, distribution: DistributionT) -> ProcessT:
        """The compiled process of a distribution (its normaliser plays no part)."""
        key = replace(distribution, normalizer=None)
        if key not in self._processes:
            self._processes[key] = self.compiled(key)
        return self._processes[key]

    def graph(self, distribution: DistributionT) -> StateGraph[Any]:
        """The graph of a distribution; it grows as callers expand it."""
        key = replace(distribution, normalizer=None)
        if key not in self._graphs:
            self._graphs[key] = self._graph_of(self.process(distribution))
        return self._graphs[key]

    def log_normalizer(self, distribution: DistributionT) -> float:
        """log mass of the language of `.within`, 0 without one; certified, else `LimitExceeded`."""
        if distribution.normalizer is None:
            return 0.0
        graph = self.graph(replace(distribution, language=distribution.normalizer))
        graph.certify(f"the mass of .within({distribution.normalizer!r})")
        return graph.log_found

    def _graph_of(self, process: ProcessT) -> StateGraph[Any]:
        return StateGraph(process, lambda states: self.outcomes(process, states))

    def _begin(self, distribution: DistributionT, rng: Rng, part: int, n_parts: int) -> GraphDraft[ProcessT] | Drawn:
        log_norm = self.log_normalizer(distribution)
        start = self.graph(distribution).draw(rng, part, n_parts)
        return GraphDraft(self.process(distribution), start.state, start.log_weight, log_norm).settled(start.text)

    def _total(self, process: ProcessT, text: str, tol: float) -> float:
        """log of all mass of a process, to within `tol` nats."""
        graph = self._graph_of(process)
        graph.expand(MAX_EVALUATIONS, tolerance=-math.expm1(-tol))
        lower, upper = graph.log_found, float(np.logaddexp(graph.log_found, graph.log_frontier))
        if upper - lower > tol:
            raise LimitExceeded(
                f"log_prob({text!r}): after {graph.n_evaluations} states the log mass is only known to lie in "
                f"[{lower:.6g}, {upper:.6g}]",
                hint="all orders in which its tokens can come are summed: allow a larger tol=, or score shorter texts",
            )
        return lower


def grouped(indices: Iterable[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    """Indices with equal keys together, in order of first appearance."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index in indices:
        groups[key(index)].append(index)
    return list(groups.values())


def once(requests: Sequence[Hashable]) -> tuple[list[Any], list[int]]:
    """The distinct requests, and the place of each one's own among them."""
    index: dict[Hashable, int] = {}
    places = [index.setdefault(request, len(index)) for request in requests]
    return list(index), places
