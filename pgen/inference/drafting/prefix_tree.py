"""Best-first expansion of the prefix tree of a text process, with certified bounds.

Nodes are token prefixes; a node's mass is the model's mass of that prefix under
the constraint. Expanding one costs one model evaluation, pays its ending mass into
the text it spells, and puts its children on the frontier. With Z the mass of
finished texts and F the mass of the frontier,

    Z <= evidence <= Z + F,    total variation of the found posterior <= F / (Z + F)

because no step multiplies by more than 1. Several prefixes are evaluated at once, with guesses of
what comes after them (`foresight`), which are expanded with them. Under the rule "prefix" a text and its
extensions are paid in full, so there F counts times the most tokens a text may have.
The frontier is a heap with one entry per expanded node, its best unexpanded child
(`tree_node`), so memory is linear in expansions. Which child is best may be told by its mass, for the bounds, or
by hope, for a look-ahead: a piece of a longer token that is allowed counts for `PIECE` of its mass.

`draw` samples from (finished texts, frontier), properly weighted. Frontier mass has yet to
survive: of a prefix that may become an answer perhaps e^-15 ends there by EOS. So it counts
times psi, the largest share of an expanded prefix that ended in it (and pieces for what is hoped of
them), which makes the law of a draw close to the posterior; a share `BY_MASS` of the draws, scaled by what is not
certified, ignores psi, lest a prefix that ends more readily than all others be overlooked.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import LimitExceeded
from pgen.inference.drafting.foresight import PIECE, Batch, Foresight, Place, Planned
from pgen.inference.drafting.tree_node import Candidate, Node
from pgen.programs.process import TextProcess, TextState
from pgen.programs.text import Text
from pgen.sampling.logspace import log_sum_exp, normalized
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import Choice, Distribution, outcome_masses
from pgen.sampling.weighted import invert
from pgen.tokens import TokenAutomaton

EVALUATIONS_AT_ONCE = 8
"""Prefixes per model call: each of more would take as long, and the next ones are chosen knowing these."""
BY_MASS = 0.0625
"""Share of the draws that go by mass alone while nothing is certified."""


class Weighed(NamedTuple):
    """Model probabilities for some requests: request i is row `rows[i]` of `given`."""

    given: Distribution
    rows: list[int]


Weigh = Callable[[TextProcess, Sequence[TextState]], Weighed]


class Leaf(NamedTuple):
    """A finished text (its first, likeliest spelling found) and the log mass found for it."""

    text: Text
    log_mass: float


class Start(NamedTuple):
    """A draw from the tree: a finished `text`, or a `state` to continue from.

    `log_weight` is mass over probability of the draw, without what critics give to the text or the
    state. `log_survival` is what the state was expected to keep until its end (log psi).
    """

    text: Text | None
    state: TextState
    log_weight: float
    log_survival: float = 0.0


class Stratum(NamedTuple):
    """One of `n_parts` equal parts of a distribution."""

    part: int
    n_parts: int


class NotCertified(LimitExceeded):
    """Expansion stopped before the bounds were as tight as asked.

    `explored` is Z / (Z + F), `likely` what it is likely to be in truth (`PrefixTree.likely_explored`).
    """

    def __init__(self, message: str, explored: float, *, hint: str, likely: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.explored = explored
        self.likely = explored if likely is None else likely


class PrefixTree:
    """The explored part of one process.

    `weigh(process, states)` evaluates the model. With `only`, an automaton of
    spellings, the tree is restricted to the texts whose spellings it accepts while
    masses stay those of the process (used to sum over the spellings of one text).
    """

    def __init__(
        self,
        process: TextProcess,
        weigh: Weigh,
        only: TokenAutomaton | None = None,
    ) -> None:
        self.process = process
        self.n_evaluations = 0
        self._weigh = weigh
        self._only = only
        self._ends = np.zeros(len(process.vocabulary), np.bool_)
        self._ends[list(process.vocabulary.eos)] = True
        self._leaves: dict[str, Leaf] = {}
        self._finals: dict[str, float] = {}
        self._nodes: list[Node] = []
        self._log_remaining: list[float] = []
        self._log_hopes: list[float] = []
        self._by_hope = False
        self._precise = True
        self._law: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._log_survival = -math.inf
        self._foresight = Foresight(process, only)
        self._heap: list[tuple[float, int, int]] = []
        self._ties = itertools.count()
        root = Candidate(process.start, only.start if only else 0, 0.0, 0.0)
        finished = process.finished(process.start)
        self._root: Candidate | None = None if finished is not None else root
        if finished is not None:
            self._pay(finished, 0.0)

    @property
    def leaves(self) -> list[Leaf]:
        """Finished texts in order of discovery."""
        return list(self._leaves.values())

    @property
    def log_found(self) -> float:
        """log Z, the mass of the finished texts."""
        return log_sum_exp(leaf.log_mass for leaf in self._leaves.values())

    @property
    def log_frontier(self) -> float:
        """log F, what is not expanded can weigh at most; summed afresh, since running subtraction cancels."""
        return self._log_frontier(self._log_remaining)

    def _log_frontier(self, log_masses: list[float]) -> float:
        if self.exhausted:
            return -math.inf
        ends = self.process.most_tokens if self.process.rule == "prefix" else 1
        log_masses = [self._root.log_mass] if self._root is not None else log_masses
        return log_sum_exp(np.array(log_masses)) + math.log(max(ends, 1)) + self.process.log_growth

    @property
    def explored(self) -> float:
        """Z / (Z + F); 1 when nothing is left."""
        return _share(self.log_found, self.log_frontier)

    @property
    def log_survival(self) -> float:
        """log psi: the largest share of an expanded prefix that ended in it; 0 while no text has ended."""
        return self._log_survival if self._log_survival > -math.inf else 0.0

    @property
    def likely_explored(self) -> float:
        """Z / (Z + psi F), with F as hoped for: an estimate of the explored share, not a bound."""
        return _share(self.log_found, self._log_frontier(self._log_hopes) + self.log_survival)

    @property
    def exhausted(self) -> bool:
        """Whether the frontier is empty: everything found is exact."""
        return self._root is None and not self._heap

    def expand(self, n_evaluations: int, tolerance: float = 0.0) -> None:
        """Expand best-first until 1 - explored <= `tolerance` or `n_evaluations` more prefixes are evaluated."""
        self._turn(by_hope=False)
        target = self.n_evaluations + n_evaluations
        while not self.exhausted and self.n_evaluations < target:
            if 1.0 - self.explored <= tolerance:
                return
            self._expand_batch(min(EVALUATIONS_AT_ONCE, target - self.n_evaluations))

    def explore(self, n_evaluations: int, tolerance: float) -> None:
        """Like `expand`, by hope, until the unexplored share is likely to be at most `tolerance`."""
        self._turn(by_hope=True)
        target = self.n_evaluations + n_evaluations
        while self.n_evaluations < target and 1.0 - self.likely_explored > tolerance:
            self._expand_batch(min(EVALUATIONS_AT_ONCE, target - self.n_evaluations))

    def certify(self, what: str, tolerance: float | None = None, max_evaluations: int = 4096) -> None:
        """Expand until at most `tolerance` of the mass is unknown; raises `NotCertified` otherwise.

        The default tolerance is 1e-11, or 1e-5 for models of less than float64.
        """
        if tolerance is None:
            self.expand(EVALUATIONS_AT_ONCE)
            tolerance = 1e-11 if self._precise else 1e-5
        self.expand(max_evaluations - self.n_evaluations, tolerance)
        if not self.exhausted and 1.0 - self.explored > tolerance:
            raise NotCertified(
                f"{what}: after {self.n_evaluations} evaluations {self.explored:.2%} of the mass is explored, "
                f"{1 - tolerance:.6%} was asked for",
                self.explored,
                hint="use a smaller language, allow more evaluations or a larger tolerance, "
                "or a sampling method (pgen.Importance, pgen.SMC)",
                likely=self.likely_explored,
            )

    def draw(self, rng: Rng, stratum: Stratum) -> Start:
        """A finished text or an unexpanded child, from one part of the law that the module describes."""
        if self._root is not None:
            return Start(None, self._root.state, self._root.log_mass)
        leaves = self.leaves
        if self._law is None:
            self._law = self._starts()
        log_masses, shares = self._law
        if not len(shares):
            return Start(None, self._longest(), -math.inf)
        chosen = invert(shares, rng, *stratum)
        log_weight = float(log_masses[chosen] - np.log(shares[chosen]))
        if chosen < len(leaves):
            text = leaves[chosen].text
            return Start(text, self.process.start, log_weight - self._finals[text])
        node = self._nodes[chosen - len(leaves)]
        child, log_share = node.draw(rng)
        state = self.process.advance(node.state, child.token)
        log_weight = child.log_mass - log_share - float(np.log(shares[chosen]))
        return Start(self.process.finished(state), state, log_weight, self.log_survival + child.log_hope)

    def _longest(self) -> TextState:
        """A longest prefix that was expanded: where texts without mass ended."""
        states = [node.state for node in self._nodes]
        return max(states, key=lambda state: len(state.tokens), default=self.process.start)

    def _starts(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Log masses of the leaves and of what is left of each node, and their shares in a draw; empty: no mass."""
        potentials = np.array([node.log_potential for node in self._nodes])
        found = np.array([leaf.log_mass for leaf in self._leaves.values()])
        log_masses = np.append(found, self._log_remaining + potentials)  # (leaves + nodes,)
        if log_sum_exp(log_masses) == -math.inf:
            return log_masses, np.zeros(0)
        surviving = np.append(found, self._log_hopes + potentials + self.log_survival)
        by_mass = BY_MASS * (1.0 - self.explored)
        return log_masses, (1.0 - by_mass) * normalized(surviving) + by_mass * normalized(log_masses)

    def _turn(self, by_hope: bool) -> None:
        """Go on by hope or by mass."""
        if self._by_hope == by_hope:
            return
        self._by_hope = by_hope
        for node in self._nodes:
            if node.has_pieces:
                node.sort(by_hope)
        self._heap.clear()
        for index in range(len(self._nodes)):
            self._push(index)

    def _expand_batch(self, size: int) -> None:
        """Evaluate the likeliest unexpanded prefixes, and as many guesses as fit in with them."""
        self._law = None
        batch: Batch[Candidate] = Batch(self._foresight)
        while len(batch.states) < size:
            if self._heap and -self._heap[0][0] >= batch.log_best_guess:
                log_hope = -self._heap[0][0]
                self._add(batch, self._pop(), log_hope)
            elif batch.log_best_guess > -math.inf:
                batch.guess()
            elif self._root is not None:
                self._add(batch, self._root, self._root.log_mass)
                self._root = None
                break
            else:
                break
        if batch.states:
            weighed = self._weigh(self.process, batch.states)
            self._precise = weighed.given.weights.dtype == np.float64
            self.n_evaluations += len(batch.states)
            self._foresight.hear(weighed.given.weights[weighed.rows[0]])
            for planned in batch.roots:
                self._open(planned.origin, planned, weighed)

    def _add(self, batch: Batch[Candidate], candidate: Candidate, log_hope: float) -> None:
        """Take a prefix into a batch, unless it is complete without the model or the critics drop it."""
        judged = self._judged(candidate)
        if judged is not None:
            batch.add(Place(judged.state, judged.spelling), log_hope, judged)

    def _judged(self, candidate: Candidate) -> Candidate | None:
        finished = self.process.finished(candidate.state)
        if finished is not None:
            self._log_survival = 0.0
            self._pay(finished, candidate.log_mass)
            return None
        log_potential = self.process.log_potential(candidate.state)
        return candidate._replace(log_potential=log_potential) if log_potential > -math.inf else None

    def _pop(self) -> Candidate:
        """The likeliest unexpanded prefix."""
        _, _, index = heapq.heappop(self._heap)
        candidate = self._next_child(index)
        self._push(index)
        return candidate

    def _next_child(self, index: int) -> Candidate:
        node = self._nodes[index]
        child = node.take()
        self._log_remaining[index], self._log_hopes[index] = node.log_remaining(), node.log_remaining(by_hope=True)
        spelling = self._only.advance(node.spelling, child.token) if self._only else 0
        return Candidate(self.process.advance(node.state, child.token), spelling, child.log_mass, 0.0)

    def _push(self, index: int) -> None:
        node = self._nodes[index]
        if not node.exhausted:
            heapq.heappush(self._heap, (-node.log_next(self._by_hope), next(self._ties), index))

    def _open(self, candidate: Candidate, planned: Planned[Any], weighed: Weighed) -> None:
        """Expand a prefix, and those that were guessed after it."""
        choice, row = self.process.choice(candidate.state), weighed.rows[planned.row]
        ending, tokens, masses = outcome_masses(weighed.given, row, self._restricted(choice, candidate.spelling))
        ends = self._ends[tokens]
        ending += float(masses[ends].sum())
        if ending > 0 and (self._only is None or self._only.is_accepting(candidate.spelling)):
            self._log_survival = max(self._log_survival, min(0.0, math.log(ending)))
            self._pay(self.process.text(candidate.state), candidate.log_mass + math.log(ending))
        index, node = len(self._nodes), self._node(candidate, planned, tokens[~ends], masses[~ends])
        self._nodes.append(node)
        self._log_remaining.append(node.log_remaining())
        self._log_hopes.append(node.log_remaining(by_hope=True))
        while not node.exhausted:
            guessed = planned.following.get(int(node.children[node.following]))
            if guessed is None:
                break
            judged = self._judged(self._next_child(index))
            if judged is not None:
                self._open(judged, guessed, weighed)
        self._push(index)

    def _node(
        self, candidate: Candidate, planned: Planned[Any], tokens: NDArray[np.int64], masses: NDArray[np.float64]
    ) -> Node:
        pieces = self._foresight.after(planned.place).pieces
        hopes = np.where(np.isin(tokens, pieces), PIECE, 1.0) if pieces else None
        node = Node(candidate, tokens, masses, hopes)
        node.sort(self._by_hope, first=list(planned.following))
        return node

    def _restricted(self, choice: Choice, spelling: int) -> Choice:
        return choice if self._only is None else choice._replace(mask=choice.mask & self._only.mask(spelling))

    def _pay(self, text: Text, log_mass: float) -> None:
        known = self._leaves.get(text)
        if text not in self._finals:
            self._finals[text] = self.process.log_final(text)
        log_paid = log_mass + self._finals[text]
        if known is not None:
            self._leaves[text] = Leaf(known.text, float(np.logaddexp(known.log_mass, log_paid)))
        elif log_paid > -math.inf:
            self._leaves[text] = Leaf(text, log_paid)


def _share(log_found: float, log_rest: float) -> float:
    """found / (found + rest); 1 when there is no rest."""
    if log_rest == -math.inf:
        return 1.0
    if log_found == -math.inf or log_rest == math.inf:
        return 0.0
    return math.exp(log_found - np.logaddexp(log_found, log_rest))
