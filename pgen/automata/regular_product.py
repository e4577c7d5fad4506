"""A context-free language and a regular one at once: the product of rules and a DFA.

Bar-Hillel, Perles and Shamir (1961): a rule that is entered in DFA state d and left in
d' becomes a rule of its own. First the triples (NFA state n, entry d, now e) that can
come about are found, as in Earley's parsing with DFA states for positions: a triple of
a rule's end at e' lets every caller that stood at d go on at e'. Then each rule is
written out once for each exit d', with one beginning for each entry. Time and memory
are bounded by NFA states times the square of the DFA's (`Limits.triples`).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.automata.layout import DEAD
from pgen.automata.pieces import CALL, Fragment
from pgen.errors import LimitExceeded
from pgen.limits import current

MAX_STATES = 2_000_000

Ints = NDArray[np.int32]
Flags = NDArray[np.bool_]


def product(rules: Fragment, table: Ints, accepting: Flags, start: int) -> Fragment:
    """The members of `rules` that a total DFA over bytes accepts: `table (m, 256)`, whose row 0 is dead."""
    n_states, n_positions = rules.n_states, len(table)
    if n_states * n_positions**2 > current().triples:
        raise LimitExceeded(
            f"an intersection of a grammar of {n_states:,} automaton states with a regular language of {n_positions:,}",
            hint="intersect with a smaller regular language, or put it on the terminals of the grammar",
        )
    home = np.searchsorted(rules.begins, np.arange(n_states), side="right").astype(np.int32) - 1
    by_source, steps = _by_source(rules)
    met = _triples(by_source, steps, rules.begins, rules.ends, home, table, start)
    return _written(rules, home, met, table, accepting, start)


def _by_source(rules: Fragment) -> tuple[Ints, Ints]:
    """`(n + 1,)` where each state's steps begin; steps `(K, 4)`: source, first byte, last, target (jumps: -1)."""
    jumps = np.full((len(rules.jumps), 4), -1, np.int32)
    jumps[:, 0], jumps[:, 3] = rules.jumps[:, 0], rules.jumps[:, 1]
    steps = np.concatenate([rules.edges, jumps]).astype(np.int32)
    steps = steps[np.argsort(steps[:, 0], kind="stable")]
    return np.searchsorted(steps[:, 0], np.arange(rules.n_states + 1)).astype(np.int32), steps


@njit(cache=True)
def _triples(by_source: Ints, steps: Ints, begins: Ints, ends: Ints, home: Ints, table: Ints, start: int) -> Flags:
    """`(n, m, m)` whether a state can be met at e in a rule (or the whole) that was entered at d."""
    n_states, n_positions = by_source.shape[0] - 1, table.shape[0]
    met = np.zeros((n_states, n_positions, n_positions), np.bool_)
    todo = [(np.int32(0), np.int32(start), np.int32(start))]
    met[0, start, start] = True
    while len(todo) > 0:
        here, entry, now = todo.pop()
        rule = home[here]
        if rule >= 0 and here == ends[rule]:
            for k in range(steps.shape[0]):
                if steps[k, 1] == CALL + rule:
                    for outer in range(n_positions):
                        target = steps[k, 3]
                        if met[steps[k, 0], outer, entry] and not met[target, outer, now]:
                            met[target, outer, now] = True
                            todo.append((target, np.int32(outer), now))
        for k in range(by_source[here], by_source[here + 1]):
            low, target = steps[k, 1], steps[k, 3]
            if low >= CALL:
                called = low - CALL
                if not met[begins[called], now, now]:
                    met[begins[called], now, now] = True
                    todo.append((begins[called], now, now))
                for after in range(1, n_positions):
                    if met[ends[called], now, after] and not met[target, entry, after]:
                        met[target, entry, after] = True
                        todo.append((target, entry, np.int32(after)))
                continue
            for byte in range(max(low, 0), max(steps[k, 2], 0) + 1):
                reached = now if low < 0 else table[now, byte]
                if reached != DEAD and not met[target, entry, reached]:
                    met[target, entry, reached] = True
                    todo.append((target, entry, reached))
    return met


def _written(rules: Fragment, home: Ints, met: Flags, table: Ints, accepting: Flags, start: int) -> Fragment:
    """The product: states 0 and 1, then copies of the whole and of each rule, in the order of the rules."""
    live: Flags = np.asarray(met.any(axis=1), np.bool_)  # (n, m)
    found = np.argwhere(met[rules.ends])  # (K, 3) rule, entry, exit of each new rule
    found = found[np.lexsort((found[:, 1], found[:, 2], found[:, 0]))]
    numbered = np.full((len(rules.begins), len(table), len(table)), -1, np.int32)
    numbered[tuple(found.T)] = np.arange(len(found))
    copies = [(-1, 0), *dict.fromkeys((rule, exit_) for rule, _, exit_ in found.tolist())]
    members = {rule: np.argwhere(live & (home == rule)[:, None]).astype(np.int32) for rule, _ in copies}
    _check_size(2 + sum(len(members[rule]) for rule, _ in copies))
    name, fresh, parts = np.zeros(live.shape, np.int32), 2, []
    begins, ends = np.zeros((2, len(found)), np.int32)
    for rule, exit_ in copies:
        pairs = members[rule]
        name[pairs[:, 0], pairs[:, 1]] = np.arange(fresh, fresh + len(pairs))
        fresh += len(pairs)
        parts.append(_copied(pairs, *_by_source(rules), table, live, name, numbered))
        if rule < 0:
            final = [(name[1, e], 1) for e in np.flatnonzero(live[1] & accepting)]
            opening = np.array([(0, name[0, start]), *final], np.int32)
        else:
            own = np.flatnonzero((found[:, 0] == rule) & (found[:, 2] == exit_))
            begins[own], ends[own] = name[rules.begins[rule], found[own, 1]], name[rules.ends[rule], exit_]
    edges, jumps = zip(*parts, strict=True)
    return Fragment(fresh, np.concatenate(edges), np.concatenate([opening, *jumps]), begins, ends)


def _check_size(n_states: int) -> None:
    if n_states > MAX_STATES:
        raise LimitExceeded(
            f"an intersection of a grammar with a regular language needs {n_states:,} states",
            hint="intersect with a smaller regular language",
        )


@njit(cache=True)
def _copied(
    pairs: Ints, by_source: Ints, steps: Ints, table: Ints, live: Flags, name: Ints, numbered: Ints
) -> tuple[Ints, Ints]:
    """Edges and jumps of one copy: `pairs (K, 2)` of state and position, called `name`."""
    edges, jumps = [], []
    for p in range(pairs.shape[0]):
        here, now = pairs[p, 0], pairs[p, 1]
        source = name[here, now]
        for k in range(by_source[here], by_source[here + 1]):
            low, high, target = steps[k, 1], steps[k, 2], steps[k, 3]
            if low < 0:
                jumps.append((source, name[target, now]))
            elif low >= CALL:
                for after in range(table.shape[0]):
                    number = numbered[low - CALL, now, after]
                    if number >= 0 and live[target, after]:
                        edges.append((source, np.int32(CALL + number), np.int32(CALL + number), name[target, after]))
            else:
                first = low
                for byte in range(low, high + 1):
                    after = table[now, byte]
                    if byte == high or table[now, byte + 1] != after:
                        if after != DEAD:
                            edges.append((source, np.int32(first), np.int32(byte), name[target, after]))
                        first = np.int32(byte + 1)
    rows, skips = np.empty((len(edges), 4), np.int32), np.empty((len(jumps), 2), np.int32)
    for i in range(len(edges)):
        rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3] = edges[i]
    for i in range(len(jumps)):
        skips[i, 0], skips[i, 1] = jumps[i]
    return rows, skips
