"""Monte Carlo tree search for the run of highest reward. Label: heuristic.

The tree's nodes are beginnings of runs, its actions the allowed outcomes of the next
choice, for texts token by token. A simulation goes down by the rule

    puct    Q(v) + c p(v) sqrt(N) / (1 + n(v))      (Silver et al., Nature 2017)
    uct     Q(v) + c sqrt(log N / n(v))             (Kocsis and Szepesvári, ECML 2006)

with p the model's share of outcome v among those allowed, n and N the visits of v and of its parent, and Q the
mean reward behind v, scaled to [0, 1] by the rewards seen so far. It adds one node, goes
on from there by the masked model to an end, and backs the reward up. Dead ends count as the worst
reward. Branches that are known to their ends are closed; when everything is closed,
no reward is higher than the one found. The result follows the reward and no posterior: what a
reward should mean for beliefs, `pgen.factor` says. Cost: one evaluation a token of each simulation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.inference.budget import STOPPED, give_up, why
from pgen.inference.context import Context
from pgen.inference.places import Outcomes, Place, Places
from pgen.inference.posterior import Posterior, posterior_of, zero_evidence
from pgen.programs.machine import Machine
from pgen.sampling.logspace import normalized
from pgen.sampling.rng import Rng
from pgen.sampling.weighted import invert


class Node:
    """A beginning: its outcomes with their priors, visits, deaths, summed rewards, and whether all is known of them."""

    __slots__ = ("closed", "deaths", "following", "outcomes", "place", "priors", "totals", "visits")

    def __init__(self, place: Place, outcomes: Outcomes) -> None:
        size = len(outcomes.log_masses)
        self.place = place
        self.outcomes = outcomes
        self.priors = normalized(outcomes.log_masses)  # (n,)
        self.visits = np.zeros(size)
        self.deaths = np.zeros(size)
        self.totals = np.zeros(size)
        self.closed = np.zeros(size, bool)
        self.following: dict[int, Node] = {}


@dataclass
class Tree:
    """What the simulations so far have found. `best` is the finished run of highest reward."""

    root: Node | None
    best: Place | None = None
    best_reward: float = -math.inf
    worst_reward: float = math.inf
    n_simulations: int = 0
    dead: list[Place] = field(default_factory=list)

    @property
    def closed(self) -> bool:
        """Whether every run is known."""
        return self.root is None or bool(self.root.closed.all())


@dataclass(frozen=True)
class TreeSearch:
    """The run of highest `reward(value)` in `simulations`; `exploration` is c, larger values search more widely."""

    reward: Callable[[Any], float]
    simulations: int = 200
    rule: Literal["puct", "uct"] = "puct"
    exploration: float = 1.5

    def __post_init__(self) -> None:
        if self.simulations < 1:
            raise InvalidArgument(f"simulations={self.simulations}: at least one is needed")
        if self.rule not in ("puct", "uct"):
            raise InvalidArgument(f"rule={self.rule!r}: expected 'puct' or 'uct'")
        if not 0 < self.exploration < math.inf:
            raise InvalidArgument(f"exploration={self.exploration}: must be positive and finite")

    def run(self, machine: Machine, context: Context, rng: Rng) -> Posterior:
        """Raises `ZeroEvidence` if every simulation dies, `InvalidArgument` for a reward of NaN."""
        places, notes = Places(machine, context), tuple[str, ...]()
        tree = Tree(None)
        try:
            tree = init(places, self)
            while not tree.closed and tree.n_simulations < self.simulations:
                step(rng.at(tree.n_simulations), places, self, tree)
        except STOPPED as stop:
            if tree.best is None:
                raise give_up(stop) from None
            notes = (why(stop),)
        if tree.best is None:
            raise zero_evidence([place.particle for place in tree.dead])
        return self._posterior(tree, context, notes)

    def _posterior(self, tree: Tree, context: Context, notes: tuple[str, ...]) -> Posterior:
        assert tree.best is not None
        verdict = "every run was tried" if tree.closed else "a better run may not have been tried"
        found = posterior_of(
            [tree.best.particle],
            label="heuristic",
            method=repr(self),
            n_evaluations=context.n_evaluations,
            notes=(f"reward {tree.best_reward:.6g} after {tree.n_simulations} simulations: {verdict}", *notes),
        )
        return replace(found, log_weights=np.zeros(1), log_evidence=math.nan)


def init(places: Places, method: TreeSearch) -> Tree:
    """A tree of the root alone."""
    start = places.start()
    if not start.waits:
        tree = Tree(None)
        _judged(tree, method, start)
        return tree
    return Tree(_opened(places, start))


def step(rng: Rng, places: Places, method: TreeSearch, tree: Tree) -> None:
    """One simulation, from which the tree learns."""
    assert tree.root is not None
    node, path = tree.root, list[tuple[Node, int]]()
    while True:
        chosen = int(np.argmax(np.where(node.closed, -np.inf, scores(method, tree, node))))
        path.append((node, chosen))
        if chosen not in node.following:
            break
        node = node.following[chosen]
    place = _followed(places, node, chosen)
    if place.waits:
        node.following[chosen] = _opened(places, place)
        place = _finished_at_random(rng, places, node.following[chosen])
    else:
        node.closed[chosen] = True
    reward = _judged(tree, method, place)
    tree.n_simulations += 1
    _backed_up(path, reward)


def scores(method: TreeSearch, tree: Tree, node: Node) -> NDArray[np.float64]:
    """`(n,)`: what the rule makes of each outcome; the largest open one is followed."""
    total = float(node.visits.sum())
    spread = tree.best_reward - tree.worst_reward
    scale = 1.0 / spread if 0 < spread < math.inf else 0.0
    seen = node.visits > 0
    # Before two different rewards are known, outcomes are told apart by their priors and visits.
    worst = tree.worst_reward if scale else 0.0
    means = (node.totals + node.deaths * worst) / np.maximum(node.visits, 1.0)
    values = np.where(seen, (means - worst) * scale, 0.0)
    if method.rule == "puct":
        known = float(values[seen].mean()) if seen.any() else 0.0
        values = np.where(seen, values, known)
        return np.asarray(values + method.exploration * node.priors * math.sqrt(total + 1.0) / (1.0 + node.visits))
    bonus = method.exploration * np.sqrt(math.log(total + 1.0) / np.maximum(node.visits, 1.0))
    return np.where(seen, values + bonus, 2.0 + method.exploration * math.sqrt(math.log(total + 2.0)) + node.priors)


def _opened(places: Places, place: Place) -> Node:
    (outcomes,) = places.outcomes([place])
    return Node(place, outcomes)


def _followed(places: Places, node: Node, chosen: int) -> Place:
    return places.follow(node.place, node.outcomes.values[chosen], float(node.outcomes.log_masses[chosen]))


def _finished_at_random(rng: Rng, places: Places, node: Node) -> Place:
    """From a new node to an end by the masked model; the node itself where nothing is allowed."""
    n_steps = 0
    while len(node.priors):
        place = _followed(places, node, invert(node.priors, rng.at(n_steps)))
        if not place.waits:
            return place
        node, n_steps = _opened(places, place), n_steps + 1
    return node.place


def _judged(tree: Tree, method: TreeSearch, place: Place) -> float | None:
    """The reward of a finished run; `None` for the dead."""
    if not place.suspension.finished or place.log_weight == -math.inf:
        tree.dead.append(place)
        return None
    value = place.suspension.value
    reward = float(method.reward(value))
    if not math.isfinite(reward):
        raise InvalidArgument(f"the reward of {value!r} is {reward}: it must be a finite number")
    tree.worst_reward = min(tree.worst_reward, reward)
    if reward > tree.best_reward:
        tree.best, tree.best_reward = place, reward
    return reward


def _backed_up(path: list[tuple[Node, int]], reward: float | None) -> None:
    """Count the visit, or the death, on the way up; close what is known to its ends."""
    for node, chosen in reversed(path):
        following = node.following.get(chosen)
        if following is not None and following.closed.all():
            node.closed[chosen] = True
        node.visits[chosen] += 1
        node.deaths[chosen] += reward is None
        node.totals[chosen] += reward or 0.0
