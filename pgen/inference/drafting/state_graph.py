"""Expansion of the graph of states that a text process can visit, with certified bounds.

For processes in which one state is reached in several ways: insertions in any order,
positions filled in any order. Nodes are states, in levels by the number of moves made;
mass arrives at a node over several edges. A node holds the mass that has arrived but
not been passed on (its residual); passing it on pays the share of ending into a text
and the others into later states, and costs a model evaluation the first time only.
With Z the mass of finished texts and F all residuals,

    Z <= evidence <= Z + F

at any time. A sweep passes on, level by level, every residual of at least a
threshold, a tenth of the largest; so each state waits for all that the sweep will
bring it, and likely ones come first. A child enters the graph when its share reaches the
threshold; the others wait at their parent. Cost: one evaluation a state; memory: the
moves with any mass of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pgen.inference.drafting.prefix_tree import NotCertified
from pgen.programs.strings import Text
from pgen.sampling.logspace import log_or_ninf, log_sum_exp
from pgen.sampling.rng import Rng
from pgen.sampling.weighted import invert
from pgen.tokens import Vocabulary

State = TypeVar("State")
Move = tuple[int, int]
"""A place (slot or position) and a token for it."""

RATIO = 0.1
"""Threshold of a sweep, relative to the largest residual."""


class Process(Protocol[State]):
    """What the graph asks of a process."""

    @property
    def start(self) -> State: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    def key(self, state: State) -> Hashable:
        """Equal for equal states."""
        ...

    def key_after(self, state: State, move: Move) -> Hashable:
        """The key of `after(state, move)`, without making it."""
        ...

    def after(self, state: State, move: Move) -> State: ...

    def finished(self, state: State) -> Text | None:
        """The text, if it is complete without asking the model."""
        ...

    def text(self, state: State) -> Text:
        """The text of a state that may end."""
        ...

    def partial_text(self, state: State) -> str:
        """What there is of the text, for messages."""
        ...

    def contents(self, state: State) -> Hashable:
        """What texts are told apart by."""
        ...

    def holds(self, text: Text) -> bool:
        """Whether residuals, which no mask checks, accept a text."""
        ...


class Outcomes(NamedTuple):
    """The probabilities of one step: of ending, and `masses (N,)` > 0 of the moves; `precise`: from float64."""

    ending: float
    moves: Sequence[Move]
    masses: NDArray[np.float64]
    precise: bool


class Start(NamedTuple, Generic[State]):
    """A draw from the graph: a finished `text` or a `state` to go on from; `log_weight` is all mass in the graph."""

    text: Text | None
    state: State
    log_weight: float


class _Node(Generic[State]):
    """An evaluated sequence: its children by falling probability, of which those from `following` on wait here."""

    __slots__ = ("following", "log_ending", "log_masses", "log_passed", "moves", "state", "suffix")

    def __init__(self, state: State, outcomes: Outcomes) -> None:
        ranked = np.argsort(-outcomes.masses, kind="stable")
        masses = outcomes.masses[ranked]
        self.state = state
        self.log_ending = log_or_ninf(outcomes.ending)
        self.moves = [outcomes.moves[i] for i in ranked]
        self.log_masses = np.log(masses)
        # suffix[i] = mass of the children from i on; summed from the small end.
        self.suffix = np.append(np.cumsum(masses[::-1])[::-1], 0.0)
        self.log_passed = -math.inf
        self.following = 0

    @property
    def log_waiting(self) -> float:
        """log mass of the children that wait here."""
        return self.log_passed + log_or_ninf(float(self.suffix[self.following]))

    @property
    def log_next(self) -> float:
        """log mass of the largest of them."""
        if self.following == len(self.moves):
            return -math.inf
        return self.log_passed + float(self.log_masses[self.following])


class _Arrival(NamedTuple, Generic[State]):
    """Mass that has come to a state and not been passed on; the state is `parent` after `move` (`None`: itself)."""

    parent: State
    move: Move | None
    log_mass: float


class _Level(NamedTuple, Generic[State]):
    """The states after one number of moves: those with residuals, and those evaluated."""

    arrivals: dict[Hashable, _Arrival[State]]
    nodes: dict[Hashable, _Node[State]]


class StateGraph(Generic[State]):
    """The explored part of one process; `evaluate(states)` asks the model."""

    def __init__(self, process: Process[State], evaluate: Callable[[Sequence[State]], list[Outcomes]]) -> None:
        self.process = process
        self.n_evaluations = 0
        self._evaluate = evaluate
        self._precise = True
        self._leaves: dict[Hashable, tuple[Text, float]] = {}
        self._levels: list[_Level[State]] = [_Level({}, {})]
        self._arrive(0, process.key(process.start), _Arrival(process.start, None, 0.0))

    @property
    def leaves(self) -> list[tuple[Text, float]]:
        """Finished texts with their log masses, in order of discovery."""
        return list(self._leaves.values())

    @property
    def log_found(self) -> float:
        """log Z, the mass of the finished texts."""
        return log_sum_exp(log_mass for _, log_mass in self._leaves.values())

    @property
    def log_frontier(self) -> float:
        """log F, the mass of what is not passed on."""
        return log_sum_exp([*(a.log_mass for a in self._arrivals()), *(node.log_waiting for node in self._nodes())])

    @property
    def explored(self) -> float:
        """Z / (Z + F); 1 when nothing is left."""
        found, frontier = self.log_found, self.log_frontier
        if frontier == -math.inf:
            return 1.0
        return math.exp(found - np.logaddexp(found, frontier)) if found > -math.inf else 0.0

    def expand(self, n_evaluations: int, tolerance: float = 0.0) -> None:
        """Sweep until 1 - explored <= `tolerance` or `n_evaluations` more states are evaluated."""
        target = self.n_evaluations + n_evaluations
        while self.n_evaluations < target and 1.0 - self.explored > tolerance:
            self._sweep(self._largest() + math.log(RATIO), target)

    def certify(self, what: str, tolerance: float | None = None, max_evaluations: int = 4096) -> None:
        """Expand until at most `tolerance` of the mass is unknown; raises `NotCertified` otherwise.

        The default tolerance is 1e-12, or 1e-5 for models of less than float64.
        """
        if tolerance is None:
            self.expand(1)
            tolerance = 1e-12 if self._precise else 1e-5
        self.expand(max_evaluations - self.n_evaluations, tolerance)
        if 1.0 - self.explored > tolerance:
            raise NotCertified(
                f"{what}: after {self.n_evaluations} evaluations {self.explored:.2%} of the mass is explored, "
                f"{1 - tolerance:.6%} was asked for",
                self.explored,
                hint="use a smaller language, allow more evaluations or a larger tolerance, "
                "or a sampling method (pgen.Importance, pgen.SMC)",
            )

    def draw(self, rng: Rng, part: int = 0, n_parts: int = 1) -> Start[State]:
        """A finished text or a state from one of equal parts of the graph's mass, in proportion to it."""
        leaves, arrivals, nodes = self.leaves, list(self._arrivals()), list(self._nodes())
        log_masses = np.array(
            [*(leaf[1] for leaf in leaves), *(a.log_mass for a in arrivals), *(node.log_waiting for node in nodes)]
        )
        total = log_sum_exp(log_masses)
        if total == -math.inf:
            return Start(None, self._deepest(), total)
        chosen = invert(np.exp(log_masses - total), rng, part, n_parts)
        if chosen < len(leaves):
            return Start(leaves[chosen][0], self.process.start, total)
        chosen -= len(leaves)
        if chosen < len(arrivals):
            state = self._state(arrivals[chosen])
        else:
            state = self._drawn_child(nodes[chosen - len(arrivals)], rng)
        return Start(self.process.finished(state), state, total)

    def _drawn_child(self, node: _Node[State], rng: Rng) -> State:
        waiting = node.log_masses[node.following :]
        drawn = node.following + invert(np.exp(waiting - waiting[0]), rng)
        return self.process.after(node.state, node.moves[drawn])

    def _sweep(self, threshold: float, target: int) -> None:
        depth = 0
        while depth < len(self._levels):
            self._pass_on(depth, threshold, target)
            for node in self._levels[depth].nodes.values():
                while node.log_next >= threshold:
                    self._send(depth, node, node.following, node.log_passed)
                    node.following += 1
            depth += 1

    def _pass_on(self, depth: int, threshold: float, target: int) -> None:
        """Pay and pass on the residuals of one level that reach the threshold."""
        level = self._levels[depth]
        keys = [key for key, arrival in level.arrivals.items() if arrival.log_mass >= threshold]
        unknown = [key for key in keys if key not in level.nodes and not self._settled(level, key)]
        unknown.sort(key=lambda k: -level.arrivals[k].log_mass)
        self._evaluate_all(level, unknown[: max(0, target - self.n_evaluations)])
        for key in keys:
            if key in level.nodes:
                node, log_mass = level.nodes[key], level.arrivals.pop(key).log_mass
                if node.log_ending > -math.inf:
                    self._pay(node.state, self.process.text(node.state), log_mass + node.log_ending)
                node.log_passed = float(np.logaddexp(node.log_passed, log_mass))
                for child in range(node.following):
                    self._send(depth, node, child, log_mass)

    def _settled(self, level: _Level[State], key: Hashable) -> bool:
        """Pay a state that is complete without asking the model."""
        state = self._state(level.arrivals[key])
        text = self.process.finished(state)
        if text is not None:
            self._pay(state, text, level.arrivals.pop(key).log_mass)
        return text is not None

    def _evaluate_all(self, level: _Level[State], keys: Sequence[Hashable]) -> None:
        if not keys:
            return
        states = [self._state(level.arrivals[key]) for key in keys]
        for key, state, outcomes in zip(keys, states, self._evaluate(states), strict=True):
            level.nodes[key] = _Node(state, outcomes)
            self._precise = self._precise and outcomes.precise
        self.n_evaluations += len(keys)

    def _send(self, depth: int, node: _Node[State], child: int, log_mass: float) -> None:
        """Let a share of `log_mass` arrive at a child."""
        move, share = node.moves[child], log_mass + float(node.log_masses[child])
        self._arrive(depth + 1, self.process.key_after(node.state, move), _Arrival(node.state, move, share))

    def _arrive(self, depth: int, key: Hashable, arrival: _Arrival[State]) -> None:
        if depth == len(self._levels):
            self._levels.append(_Level({}, {}))
        level = self._levels[depth]
        known = level.arrivals.get(key)
        total = arrival.log_mass if known is None else float(np.logaddexp(known.log_mass, arrival.log_mass))
        level.arrivals[key] = arrival._replace(log_mass=total)

    def _pay(self, state: State, text: Text, log_mass: float) -> None:
        """Add to the mass of a text."""
        contents = self.process.contents(state)
        known = self._leaves.get(contents)
        if known is not None:
            self._leaves[contents] = known[0], float(np.logaddexp(known[1], log_mass))
        elif self.process.holds(text):
            self._leaves[contents] = text, log_mass

    def _state(self, arrival: _Arrival[State]) -> State:
        return arrival.parent if arrival.move is None else self.process.after(arrival.parent, arrival.move)

    def _arrivals(self) -> Iterator[_Arrival[State]]:
        return (arrival for level in self._levels for arrival in level.arrivals.values())

    def _nodes(self) -> Iterator[_Node[State]]:
        return (node for level in self._levels for node in level.nodes.values())

    def _deepest(self) -> State:
        """A state that most moves lead to, of those that were evaluated: where texts ended that have no mass."""
        return next((node.state for level in self._levels[::-1] for node in level.nodes.values()), self.process.start)

    def _largest(self) -> float:
        """The largest residual, children that wait included."""
        return max([*(a.log_mass for a in self._arrivals()), *(node.log_next for node in self._nodes())])
