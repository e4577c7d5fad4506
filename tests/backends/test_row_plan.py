"""The bookkeeping of cached rows against a simulation in which every row is a Python list."""

import random

import numpy as np
import pytest

from pgen.backends.autoregressive.row_plan import RowTable

JUNK = -7


class SimulatedRows:
    """Carries out plans on lists as `RowCache` and the forward pass do on tensors."""

    def __init__(self, n_rows, capacity):
        self.table = RowTable(n_rows, capacity)
        self.rows = [[JUNK] * capacity for _ in range(n_rows)]

    def serve(self, prefixes, most):
        plan = self.table.plan(prefixes, most)
        self._check_shape(plan, prefixes, most)
        sources = [self.rows[source][: plan.copied] for source, _ in plan.copies]
        for (_, target), tokens in zip(plan.copies, sources, strict=True):
            self.rows[target][: plan.copied] = tokens
        for at, i in enumerate(plan.order):
            self._extend(plan.first + at, prefixes[i], plan.cached[at])
        return plan

    def _extend(self, row, prefix, n_cached):
        assert tuple(self.rows[row][:n_cached]) == prefix[:n_cached]
        rest = len(self.rows[row]) - len(prefix)
        self.rows[row] = [*self.rows[row][:n_cached], *prefix[n_cached:], *[JUNK] * rest]
        self.table.hold(row, prefix)

    def _check_shape(self, plan, prefixes, most):
        assert 0 <= plan.first <= self.table.n_rows - len(prefixes)
        assert sorted(plan.order) == list(range(len(prefixes)))
        window = range(plan.first, plan.first + len(prefixes))
        targets = [target for _, target in plan.copies]
        assert len(set(targets)) == len(targets)
        assert set(targets) <= set(window)
        for at, i in enumerate(plan.order):
            assert plan.cached[at] == self.table.longest(prefixes[i], most[i]) <= most[i]
        copied = [plan.cached[target - plan.first] for target in targets]
        assert plan.copied == max(copied, default=0)

    def check_claims(self):
        """What the table says of each row is what the row holds."""
        for row, length in enumerate(self.table.length):
            assert self.rows[row][:length] == self.table.held[row, :length].tolist()


def changed_prefix(rng, known, capacity, n_symbols):
    """A prefix that extends, cuts, branches off or repeats a known one, or is new."""
    base = rng.choice(known) if known and rng.random() < 0.9 else ()
    keep = rng.choice([len(base), len(base), rng.randint(0, len(base))])
    added = rng.choice([0, 1, 1, 1, rng.randint(0, capacity)])
    tokens = (*base[:keep], *(rng.randrange(n_symbols) for _ in range(added)))[:capacity]
    return tokens or (rng.randrange(n_symbols),)


def batch(rng, known, n_rows, capacity):
    n = rng.randint(1, n_rows)
    return list(dict.fromkeys(changed_prefix(rng, known, capacity, 3) for _ in range(n)))


@pytest.mark.parametrize("seed", range(12))
def test_rows_hold_what_the_plan_says_over_long_sequences(seed):
    rng = random.Random(seed)
    n_rows, capacity = rng.choice([(1, 6), (2, 8), (5, 10), (16, 20), (40, 12)])
    simulated, known = SimulatedRows(n_rows, capacity), []
    for _ in range(250):
        prefixes = batch(rng, known, n_rows, capacity)
        most = [len(p) - rng.choice([1, 1, 1, rng.randint(1, len(p))]) for p in prefixes]
        simulated.serve(prefixes, most)
        simulated.check_claims()
        known = (known + prefixes)[-30:]


@pytest.mark.parametrize("seed", range(6))
def test_rows_keep_their_tokens_when_the_table_is_resized(seed):
    rng = random.Random(seed)
    simulated, known = SimulatedRows(4, 8), []
    for _ in range(60):
        n_rows, capacity = rng.randint(1, 12), rng.randint(2, 16)
        old = simulated.rows
        simulated.table, kept = simulated.table.resized(n_rows, capacity)
        moved = [old[k] for k in kept] + [[]] * (n_rows - len(kept))
        simulated.rows = [(row + [JUNK] * capacity)[:capacity] for row in moved]
        simulated.check_claims()
        known = [p for p in known if len(p) <= capacity]
        for _ in range(4):
            prefixes = batch(rng, known, n_rows, capacity)
            simulated.serve(prefixes, [len(p) - 1 for p in prefixes])
            simulated.check_claims()
            known = (known + prefixes)[-20:]


def held(table):
    return {tuple(table.held[r, :n].tolist()) for r, n in enumerate(table.length) if n}


def filled(paths, n_rows, capacity):
    table = RowTable(n_rows, capacity)
    for row, path in enumerate(paths):
        table.hold(row, path)
    return table


def test_shrinking_keeps_the_most_recently_used():
    table = filled([(1,), (2,), (3,), (4,)], 4, 4)
    table.hold(0, (1, 9))
    smaller, kept = table.resized(2, 4)
    assert kept.tolist() == [0, 3]
    assert held(smaller) == {(1, 9), (4,)}
    smallest, _ = smaller.resized(1, 4)
    assert held(smallest) == {(1, 9)}


def test_growing_keeps_everything_and_a_narrow_table_cuts_paths():
    table = filled([(1, 2, 3), (4,)], 2, 3)
    larger, kept = table.resized(5, 9)
    assert kept.tolist() == [0, 1]
    assert (larger.n_rows, larger.capacity) == (5, 9)
    assert held(larger) == {(1, 2, 3), (4,)}
    narrow, _ = larger.resized(2, 2)
    assert held(narrow) == {(1, 2), (4,)}


def test_used_rows_are_kept_before_unused_ones():
    table = RowTable(6, 4)
    table.hold(5, (1, 2))
    assert held(table.resized(1, 4)[0]) == {(1, 2)}


@pytest.mark.parametrize("size", [1, 3, 8])
def test_extending_every_row_copies_nothing(size):
    simulated = SimulatedRows(12, 30)
    paths = [(n,) for n in range(size)]
    simulated.serve(paths, [0] * size)
    for step in range(20):
        paths = [(*p, step) for p in random.Random(step).sample(paths, size)]
        plan = simulated.serve(paths, [len(p) - 1 for p in paths])
        assert plan.copies == []
        assert plan.cached == [step + 1] * size


def test_a_shared_path_is_copied_from_one_row():
    simulated = SimulatedRows(8, 10)
    simulated.serve([(1, 2, 3)], [0])
    plan = simulated.serve([(1, 2, 3, n) for n in range(4)], [3] * 4)
    assert plan.cached == [3] * 4
    assert len(plan.copies) == 3
    assert len({source for source, _ in plan.copies}) == 1


def test_the_rows_used_longest_ago_are_given_up():
    simulated = SimulatedRows(4, 4)
    for n in range(4):
        simulated.serve([(n,)], [0])
    simulated.serve([(9, 9)], [1])
    assert held(simulated.table) == {(1,), (2,), (3,), (9, 9)}


def test_shared_counts_common_tokens_within_length_and_limit():
    table = filled([(1, 2, 3, 4), (1, 2), (5,)], 4, 6)
    table.hold(0, (1, 2, 3))
    assert table.shared((1, 2, 3, 4, 5), 5).tolist() == [3, 2, 0, 0]
    assert table.shared((1, 2, 3, 4, 5), 1).tolist() == [1, 1, 0, 0]
    assert table.shared((1, 2), 0).tolist() == [0, 0, 0, 0]
    assert table.longest((1, 2, 9), 2) == 2
    assert RowTable(0, 0).longest((1, 2), 1) == 0
    assert table.shared((1,), 1).dtype == np.int32
