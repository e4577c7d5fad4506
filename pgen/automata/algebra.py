"""Intersection and complement: complete DFAs, their product, and back to a fragment.

The parts of an intersection (with signs, for complements) are determinised and run
side by side; only reachable combinations are built, and only those from which
acceptance can be reached are kept. Complement is relative to valid UTF-8, so a
product without a positive part of valid texts gets the UTF-8 automaton as one. Worst case the
product of the parts' sizes; past `Limits.products` combinations it raises `LimitExceeded`.
One part may be context-free (`pgen.automata.regular_product`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit, types
from numba.typed import Dict
from numpy.typing import NDArray

from pgen.automata.dfa import START, LazyDFA
from pgen.automata.nfa import fragment, text_fragment
from pgen.automata.pieces import Fragment
from pgen.automata.regular_product import product
from pgen.automata.rules import normal_form
from pgen.errors import LimitExceeded
from pgen.language import ir
from pgen.limits import current

Ints = NDArray[np.int32]

MAX_PLAIN = 20_000
"""Edges, about, up to which a part is written out without rules."""


class Complete(NamedTuple):
    """A total DFA over C classes of bytes, each an interval: row 0 is dead.

    `table (n, C)`, `accepting (n,)`, the start's row, and `class_of (256,)`, ascending from 0.
    """

    table: Ints
    accepting: NDArray[np.bool_]
    start: int
    class_of: NDArray[np.int64]


def boolean_fragment(node: ir.Node) -> Fragment:
    """The fragment of an `Intersect` or `Complement` node."""
    parts = node.parts if isinstance(node, ir.Intersect) else (node,)
    signed = [(part.item, False) if isinstance(part, ir.Complement) else (part, True) for part in parts]
    # Complements are taken within the valid texts.
    if not all(positive for _, positive in signed) and not any(_is_text(item) for item, sign in signed if sign):
        signed.append((ir.ANY_TEXT, True))
    signed.sort(key=lambda pair: not pair[1])
    product = _complete(signed[0][0])
    for part, positive in signed[1:]:
        product = _product(product, _complete(part), positive)
    return _embedded(product)


def _is_plain(node: ir.Node) -> bool:
    """Whether a node is written out without rules: finding what could be shared costs more."""
    return ir.size(node) <= MAX_PLAIN and not ir.refers(node)


def _is_text(node: ir.Node) -> bool:
    """Whether all members are valid texts."""
    return not any(isinstance(part, ir.AnyByte) for part in ir.objects(node))


def is_small(node: ir.Node, most: int) -> bool:
    """Whether no intersection or complement in a regular node takes more than `most` states; tried out."""
    limits = current()
    try:
        with replace(limits, states=min(most, limits.states), products=min(most, limits.products)):
            text_fragment(node)
    except LimitExceeded:
        return False
    return True


def context_free_product(node: ir.Intersect, share: bool) -> Fragment | None:
    """The fragment of an intersection of which exactly one part is context-free; `None` if it is of another kind."""
    forms = [(part, normal_form(part) if ir.refers(part) else None) for part in node.parts]
    grammars = [part for part, form in forms if form is not None and form.bodies]
    if len(grammars) != 1:
        return None
    others = [form.start if form is not None else part for part, form in forms if part is not grammars[0]]
    regular = _complete(ir.intersect(*others))
    return product(fragment(grammars[0], share), regular.table[:, regular.class_of], regular.accepting, regular.start)


@lru_cache(maxsize=32)
def _complete(node: ir.Node) -> Complete:
    dfa = LazyDFA(text_fragment(node) if _is_plain(node) else fragment(node))
    if dfa.is_empty:
        return Complete(np.zeros((1, 1), np.int32), np.zeros(1, np.bool_), 0, np.zeros(256, np.int64))
    dfa.complete()
    count = int(dfa.table.counters[0])
    accepting = dfa.table.accepting[:count].astype(np.bool_)
    # Row 1 is the "ended" state of lazy automata, which no byte reaches.
    accepting[1] = False
    return Complete(dfa.table.transitions[:count].copy(), accepting, START, dfa.nfa.class_of.astype(np.int64))


def _product(left: Complete, right: Complete, positive: bool) -> Complete:
    heads, class_of = _common_classes(left, right)
    most = current().products
    tables = left.table[:, left.class_of[heads]], right.table[:, right.class_of[heads]]
    rows, pairs = _pairs(*tables, left.start, right.start, positive, most)
    if len(pairs) >= most:
        raise LimitExceeded(
            f"an intersection or complement needs more than {most:,} states",
            hint="use smaller repeat counts in the languages that are combined with & or ~",
        )
    accepting = left.accepting[pairs[:, 0]] & (right.accepting[pairs[:, 1]] == positive)
    return Complete(rows, accepting, min(1, len(rows) - 1), class_of)


def _common_classes(left: Complete, right: Complete) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first byte of each interval on which both automata are constant, and each byte's interval."""
    changes = np.zeros(256, np.bool_)
    for table, _, _, class_of in (left, right):
        differs = np.append(False, (table[:, 1:] != table[:, :-1]).any(axis=0))  # (C,) from the class before
        changes[1:] |= (class_of[1:] != class_of[:-1]) & differs[class_of[1:]]
    return np.flatnonzero(changes | (np.arange(256) == 0)), np.cumsum(changes)


@njit(cache=True)
def _pairs(left: Ints, right: Ints, left_start: int, right_start: int, positive: bool, limit: int) -> tuple[Ints, Ints]:
    """Rows over classes and the pair behind each; pair 0 is dead, 1 the start. Stops at `limit` pairs."""
    ids = Dict.empty(types.int64, types.int32)
    width, n_right = left.shape[1], np.int64(right.shape[0])
    capacity = 1024
    pairs, rows = np.zeros((capacity, 2), np.int32), np.zeros((capacity, width), np.int32)
    pairs[1, 0], pairs[1, 1] = left_start, right_start
    ids[np.int64(left_start) * n_right + right_start] = np.int32(1)
    count, here = 2, 1
    if left_start == 0 or (positive and right_start == 0):
        return rows[:1].copy(), pairs[:1].copy()
    while here < count < limit:
        if count + width > capacity:
            capacity = 2 * capacity + width
            more_pairs, more_rows = np.zeros((capacity, 2), np.int32), np.zeros((capacity, width), np.int32)
            more_pairs[:count], more_rows[:count] = pairs[:count], rows[:count]
            pairs, rows = more_pairs, more_rows
        for symbol in range(width):
            a, b = left[pairs[here, 0], symbol], right[pairs[here, 1], symbol]
            if a == 0 or (positive and b == 0):
                continue
            key = np.int64(a) * n_right + b
            if key not in ids:
                ids[key] = np.int32(count)
                pairs[count, 0], pairs[count, 1] = a, b
                count += 1
            rows[here, symbol] = ids[key]
        here += 1
    return rows[:count].copy(), pairs[:count].copy()


def _embedded(dfa: Complete) -> Fragment:
    """A DFA as a fragment without states that lead nowhere: a copy of the start becomes 0, acceptance jumps to 1."""
    accepting = np.ascontiguousarray(dfa.accepting)
    lasts = np.searchsorted(dfa.class_of, np.arange(1, dfa.table.shape[1] + 1)) - 1
    return Fragment(*_live_rows(np.ascontiguousarray(dfa.table), accepting, dfa.start, lasts.astype(np.int32)))


@njit(cache=True)
def _live_rows(table: Ints, accepting: NDArray[np.bool_], start: int, lasts: Ints) -> tuple[int, Ints, Ints]:
    """States, edges and jumps of `_embedded`; `lasts (C,)` are the last bytes of classes."""
    n_states, n_classes = table.shape
    names = _from_which_accepted(table, accepting)
    if not names[start]:
        return 2, np.empty((0, 4), np.int32), np.empty((0, 2), np.int32)
    edges, n_edges = np.empty((2 * n_states * n_classes, 4), np.int32), 0
    jumps, n_jumps = np.empty((n_states + 1, 2), np.int32), 0
    count = 2
    for state in range(n_states):
        if names[state]:
            names[state] = count
            count += 1
    for source in range(-1, n_states):
        # The start comes twice: as state 0, which nothing enters, and as itself.
        row, name = (start, 0) if source < 0 else (source, names[source])
        if source >= 0 and name == 0:
            continue
        if accepting[row]:
            jumps[n_jumps, 0], jumps[n_jumps, 1] = name, 1
            n_jumps += 1
        for symbol in range(n_classes):
            target = names[table[row, symbol]]
            if target == 0:
                continue
            low = lasts[symbol - 1] + 1 if symbol else 0
            last = edges[n_edges - 1] if n_edges else edges[0]
            if n_edges and last[0] == name and last[2] == low - 1 and last[3] == target:
                last[2] = lasts[symbol]
                continue
            edges[n_edges, 0], edges[n_edges, 1] = name, low
            edges[n_edges, 2], edges[n_edges, 3] = lasts[symbol], target
            n_edges += 1
    return count, edges[:n_edges].copy(), jumps[:n_jumps].copy()


@njit(cache=True)
def _from_which_accepted(table: Ints, accepting: NDArray[np.bool_]) -> Ints:
    """`(n,)` whether acceptance can be reached from a state; never from row 0."""
    n_states, n_classes = table.shape
    before = np.zeros(n_states + 2, np.int64)
    for state in range(n_states):
        for symbol in range(n_classes):
            if symbol == 0 or table[state, symbol] != table[state, symbol - 1]:
                before[table[state, symbol] + 2] += 1
    for state in range(n_states):
        before[state + 2] += before[state + 1]
    sources = np.empty(before[n_states + 1], np.int32)
    for state in range(n_states):
        for symbol in range(n_classes):
            if symbol == 0 or table[state, symbol] != table[state, symbol - 1]:
                sources[before[table[state, symbol] + 1]] = state
                before[table[state, symbol] + 1] += 1
    live, todo, n_todo = np.zeros(n_states, np.int32), np.empty(n_states, np.int32), 0
    for state in range(1, n_states):
        if accepting[state]:
            live[state] = 1
            todo[n_todo] = state
            n_todo += 1
    while n_todo:
        n_todo -= 1
        here = todo[n_todo]
        for k in range(before[here], before[here + 1]):
            if not live[sources[k]] and sources[k] > 0:
                live[sources[k]] = 1
                todo[n_todo] = sources[k]
                n_todo += 1
    return live
