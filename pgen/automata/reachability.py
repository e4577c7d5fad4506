"""Distances to acceptance in a fragment, and trimming.

Distances are 0-1 breadth-first searches backwards from the end (a byte edge costs 1,
a jump 0), in numba, linear in the edges; where rules are called, Knuth's shortest paths
over a grammar. A fragment is trimmed when every state lies
on a path from start to end; then every non-empty set of its states can be completed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.pieces import CALL, NO_STATES, OUTSIDE, Fragment

UNREACHABLE = 2**30

Ints = NDArray[np.int32]


@njit(cache=True)
def _zero_one(start: Ints, target: Ints, cost: NDArray[np.uint8], root: int, distance: Ints) -> None:
    """Fill `distance (n,)` from `root` over CSR edges with costs 0 and 1, with a deque of 2 E + 1 places."""
    size = 2 * target.shape[0] + 3
    queue = np.empty(2 * size, np.int32)
    head = tail = size
    distance[root] = 0
    queue[tail] = root
    tail += 1
    while head < tail:
        here = queue[head]
        head += 1
        for e in range(start[here], start[here + 1]):
            reached, through = target[e], distance[here] + cost[e]
            if through < distance[reached]:
                distance[reached] = through
                if cost[e] == 0:
                    head -= 1
                    queue[head] = reached
                else:
                    queue[tail] = reached
                    tail += 1


def _distances(n_states: int, sources: Ints, targets: Ints, costs: NDArray[np.uint8], root: int) -> Ints:
    order = np.argsort(sources, kind="stable")
    start = np.searchsorted(sources[order], np.arange(n_states + 1)).astype(np.int32)
    distance = np.full(n_states, UNREACHABLE, np.int32)
    _zero_one(start, targets[order], costs[order], root, distance)
    return distance


def byte_distances(fragment: Fragment, usable: NDArray[np.bool_] | None, outside: Ints = NO_STATES) -> Ints:
    """`(n,)` fewest bytes from each state to the end (of its rule), over edges that hold a usable byte (default: all).

    `UNREACHABLE` where there is no such way. A call costs what its rule does, for rules outside of the
    fragment as given.
    """
    if fragment.n_states == 0:
        return np.zeros(0, np.int32)
    edges = fragment.edges if usable is None else fragment.edges[_passable(fragment.edges, usable)]
    if len(fragment.begins) or len(outside):
        return _with_calls(fragment._replace(edges=edges), outside, ONE_EACH)
    sources = np.concatenate([edges[:, 3], fragment.jumps[:, 1]])
    targets = np.concatenate([edges[:, 0], fragment.jumps[:, 0]])
    costs = np.concatenate([np.ones(len(edges), np.uint8), np.zeros(len(fragment.jumps), np.uint8)])
    return _distances(fragment.n_states, sources, targets, costs, 1)


def cheapest(fragment: Fragment, costs: Ints) -> int:
    """The least that a member costs, each byte what `costs (256,)` says; `UNREACHABLE` without members."""
    if fragment.n_states == 0:
        return UNREACHABLE
    return int(_with_calls(fragment, NO_STATES, costs)[0])


def _with_calls(fragment: Fragment, outside: Ints, costs: Ints) -> Ints:
    n_states, edges, jumps, begins, ends = fragment
    edges, jumps = np.ascontiguousarray(edges), np.ascontiguousarray(jumps)
    found: Ints = distances_with_calls(n_states, edges, jumps, begins, ends, outside, costs)
    return found


ONE_EACH = np.ones(256, np.int32)


def _passable(edges: Ints, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`(E,)` whether an edge is a call or holds a usable byte."""
    running = np.concatenate([[0], np.cumsum(usable)])
    low, high = np.minimum(edges[:, 1], 255), np.minimum(edges[:, 2], 255)
    held: NDArray[np.bool_] = running[high + 1] > running[low]
    return held | (edges[:, 1] >= CALL)


class Trimmed(NamedTuple):
    """A fragment whose states all lie on a path from start to end; `nearest (n,)` bytes to the end."""

    fragment: Fragment
    nearest: Ints


def trim(fragment: Fragment, usable: NDArray[np.bool_] | None = None, outside: Ints = NO_STATES) -> Trimmed:
    """Only the states on a path from start to end, by usable bytes (default: all); none at all if there is no path."""
    if fragment.n_states == 0:
        return Trimmed(fragment, NO_STATES)
    if usable is None:
        usable = np.ones(256, np.bool_)
    edges = fragment.edges[_passable(fragment.edges, usable)]
    fragment = fragment._replace(edges=edges)
    nearest = byte_distances(fragment, usable, outside)
    keep = (nearest < UNREACHABLE) & _reached(fragment, nearest)
    if not keep[0]:
        return Trimmed(Fragment(0, edges[:0], fragment.jumps[:0]), nearest[:0])
    if keep.all():
        return Trimmed(fragment, nearest)
    # What is cut lies on no shortest way from a state that stays.
    return Trimmed(_kept(fragment, keep), nearest[keep])


def _reached(fragment: Fragment, nearest: Ints) -> NDArray[np.bool_]:
    """`(n,)` whether a way leads from the start to a state."""
    edges, jumps = fragment.edges, fragment.jumps
    sources, targets = [edges[:, 0], jumps[:, 0]], [edges[:, 3], jumps[:, 1]]
    if len(fragment.begins):
        is_call = _is_inner_call(edges)
        calls, rules = edges[is_call], np.where(is_call, edges[:, 1] - CALL, 0)
        sources.append(calls[:, 0])
        targets.append(fragment.begins[calls[:, 1] - CALL])
        # Nothing returns from a rule that has no end.
        endless = is_call & (nearest[fragment.begins[rules]] >= UNREACHABLE)
        sources[0], targets[0] = sources[0][~endless], targets[0][~endless]
    source, target = np.concatenate(sources), np.concatenate(targets)
    return _distances(fragment.n_states, source, target, np.ones(len(source), np.uint8), 0) < UNREACHABLE


def _is_inner_call(edges: Ints) -> NDArray[np.bool_]:
    """`(E,)` whether an edge calls a rule of the fragment itself."""
    inner: NDArray[np.bool_] = (edges[:, 1] >= CALL) & (edges[:, 1] < OUTSIDE)
    return inner


def _kept(fragment: Fragment, keep: NDArray[np.bool_]) -> Fragment:
    names = (np.cumsum(keep) - 1).astype(np.int32)
    edges, jumps = fragment.edges, fragment.jumps
    rules = keep[fragment.begins]
    if len(rules):
        is_call = _is_inner_call(edges)
        called = np.where(is_call, edges[:, 1] - CALL, 0)
        renumbered = (CALL + np.cumsum(rules) - 1).astype(np.int32)[called]
        edges = np.where(is_call[:, None], np.stack([edges[:, 0], renumbered, renumbered, edges[:, 3]], axis=1), edges)
        edges = edges[rules[called] | ~is_call]
    edges = edges[keep[edges[:, 0]] & keep[edges[:, 3]]].copy()
    edges[:, 0], edges[:, 3] = names[edges[:, 0]], names[edges[:, 3]]
    jumps = names[jumps[keep[jumps[:, 0]] & keep[jumps[:, 1]]]]
    return Fragment(int(keep.sum()), edges, jumps, names[fragment.begins[rules]], names[fragment.ends[rules]])


@njit(cache=True)
def distances_with_calls(
    n_states: int, edges: Ints, jumps: Ints, begins: Ints, ends: Ints, outside: Ints, costs: Ints
) -> Ints:
    """`byte_distances` of a fragment with rules; a byte costs what `costs (256,)` says."""
    n_edges, n_jumps = edges.shape[0], jumps.shape[0]
    start, call_start = np.zeros(n_states + 2, np.int32), np.zeros(begins.shape[0] + 2, np.int32)
    for e in range(n_edges):
        start[edges[e, 3] + 2] += 1
        if CALL <= edges[e, 1] < OUTSIDE:
            call_start[edges[e, 1] - CALL + 2] += 1
    for j in range(n_jumps):
        start[jumps[j, 1] + 2] += 1
    for state in range(n_states + 1):
        start[state + 1] += start[state]
    for rule in range(begins.shape[0] + 1):
        call_start[rule + 1] += call_start[rule]
    # i + 1: a call of rule i, -k: a way of k bytes (0: a jump).
    sources, kinds = np.empty(n_edges + n_jumps, np.int32), np.empty(n_edges + n_jumps, np.int32)
    call_source, call_target = np.empty(call_start[-1], np.int32), np.empty(call_start[-1], np.int32)
    for e in range(n_edges):
        source, symbol, target = edges[e, 0], edges[e, 1], edges[e, 3]
        at = start[target + 1]
        start[target + 1] += 1
        sources[at] = source
        if symbol < CALL:
            least = costs[symbol]
            for byte in range(symbol + 1, edges[e, 2] + 1):
                if least == 1:
                    break
                least = min(least, costs[byte])
            kinds[at] = -least
        elif symbol >= OUTSIDE:
            kinds[at] = -outside[symbol - OUTSIDE]
        else:
            kinds[at] = symbol - CALL + 1
            call = call_start[symbol - CALL + 1]
            call_start[symbol - CALL + 1] += 1
            call_source[call], call_target[call] = source, target
    for j in range(n_jumps):
        at = start[jumps[j, 1] + 1]
        start[jumps[j, 1] + 1] += 1
        sources[at], kinds[at] = jumps[j, 0], 0
    rule_of, distance = np.full(n_states, -1, np.int32), np.full(n_states, UNREACHABLE, np.int32)
    roots = np.empty(ends.shape[0] + 1, np.int32)
    distance[1], roots[0] = 0, 1
    for rule in range(begins.shape[0]):
        rule_of[begins[rule]], roots[rule + 1], distance[ends[rule]] = rule, ends[rule], 0
    _relax(start, sources, kinds, call_start, call_source, call_target, begins, rule_of, roots, distance)
    return distance


@njit(inline="always")
def _relax(
    start: Ints,
    sources: Ints,
    kinds: Ints,
    call_start: Ints,
    call_source: Ints,
    call_target: Ints,
    begins: Ints,
    rule_of: Ints,
    roots: Ints,
    distance: Ints,
) -> None:
    """Knuth's generalisation of shortest paths to grammars (1977), by a queue of states whose distance fell."""
    n_states = distance.shape[0]
    queue, queued = np.empty(n_states + 1, np.int32), np.zeros(n_states, np.uint8)
    head, tail = 0, 0
    for root in roots:
        queue[tail], queued[root] = root, 1
        tail += 1
    while head != tail:
        here = queue[head]
        head, queued[here] = (head + 1) % (n_states + 1), 0
        rule = rule_of[here]
        n_in, n_calls = start[here + 1] - start[here], 0
        if rule >= 0:
            n_calls = call_start[rule + 1] - call_start[rule]
        for k in range(n_in + n_calls):
            if k < n_in:
                source, kind = sources[start[here] + k], kinds[start[here] + k]
                cost = -kind if kind <= 0 else distance[begins[kind - 1]]
            else:
                source = call_source[call_start[rule] + k - n_in]
                cost = distance[call_target[call_start[rule] + k - n_in]]
            if cost < UNREACHABLE and distance[here] + cost < distance[source]:
                distance[source] = distance[here] + cost
                if not queued[source]:
                    queue[tail], queued[source] = source, 1
                    tail = (tail + 1) % (n_states + 1)
