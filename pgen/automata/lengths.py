"""The length of the longest member of a trimmed fragment, by longest paths in topological order."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.pieces import CALL, Fragment
from pgen.automata.rules import components

Ints = NDArray[np.int32]


def longest(fragment: Fragment) -> int | None:
    """Bytes of the longest member of a trimmed fragment; `None` if there is no longest."""
    lengths: dict[int, int] = {}
    bounds = np.array([0, *fragment.begins, fragment.n_states])
    block = np.searchsorted(bounds, fragment.edges[:, 0], side="right") - 1
    called = [
        set((part[part[:, 1] >= CALL, 1] - CALL).tolist())
        for part in (fragment.edges[block == i] for i in range(len(bounds) - 1))
    ]
    try:
        order = list(
            TopologicalSorter({i: {rule + 1 for rule in rules} for i, rules in enumerate(called)}).static_order()
        )
    except CycleError:
        return None
    for i in order:
        length = _longest_of(fragment, int(bounds[i]), int(bounds[i + 1]), lengths)
        if length is None:
            return None
        lengths[i] = length
    return lengths[0]


def _longest_of(fragment: Fragment, first: int, stop: int, lengths: dict[int, int]) -> int | None:
    """Bytes of the longest way through the states from `first` up to `stop`, whose second is the end."""

    def inside(rows: Ints) -> Ints:
        return rows[(rows[:, 0] >= first) & (rows[:, 0] < stop)]

    edges, jumps = inside(fragment.edges), inside(fragment.jumps)
    by_rule = np.array([1, *(lengths.get(rule + 1, 0) for rule in range(len(fragment.begins)))], np.int64)
    sources = np.concatenate([edges[:, 0], jumps[:, 0]]) - first
    targets = np.concatenate([edges[:, 3], jumps[:, 1]]) - first
    costs = np.concatenate([by_rule[np.maximum(edges[:, 1] - CALL + 1, 0)], np.zeros(len(jumps), np.int64)])
    length = _longest_way(sources, targets, costs, stop - first)
    if length < 0:
        # Going around jumps alone adds nothing.
        names = _merged_by_jumps(jumps - first, stop - first)
        apart = names[sources] != names[targets]
        kept = apart | (costs > 0)
        length = _longest_way(names[sources[kept]], names[targets[kept]], costs[kept], stop - first, names[0], names[1])
    return None if length < 0 else length


def _longest_way(
    sources: Ints, targets: Ints, costs: NDArray[np.int64], count: int, root: int = 0, end: int = 1
) -> int:
    order = np.argsort(sources, kind="stable")
    start = np.searchsorted(sources[order], np.arange(count + 1)).astype(np.int32)
    return int(_longest_path(start, targets[order], costs[order], root, end))


def _merged_by_jumps(jumps: Ints, count: int) -> Ints:
    """`(n,)` one state for all that jumps lead to and back from."""
    graph: dict[int, list[int]] = {}
    for source, target in jumps.tolist():
        graph.setdefault(source, []).append(target)
        graph.setdefault(target, [])
    names = np.arange(count, dtype=np.int32)
    for members in components(graph):
        names[members] = min(members)
    return names


@njit(cache=True)
def _longest_path(start: Ints, target: Ints, cost: NDArray[np.int64], root: int, end: int) -> int:
    """Longest path from `root` to `end` in topological order (Kahn); -1 if there is a cycle."""
    n_states = start.shape[0] - 1
    waiting = np.zeros(n_states, np.int32)
    for e in range(target.shape[0]):
        waiting[target[e]] += 1
    length = np.full(n_states, -1, np.int64)
    length[root] = 0
    ready = np.empty(n_states, np.int32)
    n_ready, n_done = 0, 0
    for state in range(n_states):
        if waiting[state] == 0:
            ready[n_ready] = state
            n_ready += 1
    while n_done < n_ready:
        here = ready[n_done]
        n_done += 1
        for e in range(start[here], start[here + 1]):
            reached = target[e]
            if length[here] >= 0:
                length[reached] = max(length[reached], length[here] + cost[e])
            waiting[reached] -= 1
            if waiting[reached] == 0:
                ready[n_ready] = reached
                n_ready += 1
    return length[end] if n_done == n_states else -1
