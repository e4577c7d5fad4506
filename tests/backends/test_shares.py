"""Parts of a pass: nobody sees a token of another part that is computed at the same time, and logits do not change."""

import time

import numpy as np
import pytest
import torch
from coded_models import branching, small_model

from pgen.backends.autoregressive.decoder_kernels import Seats
from pgen.backends.autoregressive.forward import CachedForward, Request
from pgen.backends.autoregressive.shares import FEWEST, PASSES_ALONE, Crew, parts


def tree_seats(seed, n_old=5, n_new=23):
    """A random forest of new tokens after old ones, in one row: each sees its ancestors and all that was there."""
    draws, visible = np.random.default_rng(seed), np.zeros((n_new, n_old + n_new), np.bool_)
    visible[:, :n_old] = draws.random((n_new, n_old)) < 0.5
    for new in range(n_new):
        parent = int(draws.integers(-6, new)) if new else -1
        if parent >= 0:
            visible[new] |= visible[parent]
        visible[new, n_old + new] = True
    return Seats(np.zeros(n_new, np.int64), np.arange(n_old, n_old + n_new), visible)


def row_seats(n_rows=6, width=3, n_old=4):
    """Rows of tokens that see what came before them in their row."""
    visible = np.tri(width, n_old + width, n_old, dtype=np.bool_)
    slots = np.tile(np.arange(n_old, n_old + width), n_rows)
    return Seats(np.repeat(np.arange(n_rows), width), slots, np.tile(visible, (n_rows, 1)))


def sees(seats, i, j):
    return seats.rows[i] == seats.rows[j] and bool(seats.visible[i, seats.slots[j]])


@pytest.mark.parametrize(("seats", "width"), [*((tree_seats(seed), 23) for seed in range(20)), (row_seats(), 3)])
@pytest.mark.parametrize("most", [1, 2, 4])
def test_parts_are_all_tokens_and_see_nothing_of_each_other(seats, width, most):
    found = parts(seats, width, most)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(seats.rows)))
    assert len(found) <= most
    for part in found:
        inside = set(part.tolist())
        assert part.tolist() == sorted(inside)
        assert all(j in inside for i in inside for j in range(len(seats.rows)) if sees(seats, i, j))


def test_parts_of_independent_tokens_are_of_one_size_and_not_too_small():
    seats = Seats(np.zeros(12, np.int64), np.arange(12), np.eye(12, dtype=np.bool_))
    assert [len(part) for part in parts(seats, 12, 3)] == [4, 4, 4]
    assert [len(part) for part in parts(seats, 12, 2)] == [6, 6]
    few = 2 * FEWEST - 1
    assert len(parts(Seats(*(array[:few] for array in seats[:2]), seats.visible[:few, :few]), few, 2)) == 1


def test_large_families_are_dealt_out_first():
    visible = np.eye(16, dtype=np.bool_)
    visible[8:, 8] = True
    assert sorted(len(part) for part in parts(Seats(np.zeros(16, np.int64), np.arange(16), visible), 16, 2)) == [8, 8]


def test_logits_are_the_same_bits_for_any_number_of_threads(monkeypatch):
    def logits(n_threads):
        n_parts = []
        run = Crew.run
        monkeypatch.setattr(Crew, "size", n_threads)
        monkeypatch.setattr(
            Crew, "run", lambda self, task, shares: n_parts.append(len(shares)) or run(self, task, shares)
        )
        forward = CachedForward(small_model("llama"), torch.device("cpu"), 64, 2**24)
        found = [
            forward([Request(prefix, 1 + seed % 2) for prefix in branching(seed, count)])
            for seed, count in ((0, 1), (1, 12), (2, 14), (3, 6))
        ]
        monkeypatch.undo()
        return torch.cat([rows for batch in found for rows in batch]), max(n_parts)

    alone, n_alone = logits(1)
    shared, n_shared = logits(3)
    assert (n_alone, n_shared) == (1, 3)
    assert torch.equal(alone, shared)


def test_a_crew_without_processors_of_its_own_works_alone_for_a_while(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    crew, shares = Crew(), [np.arange(2), np.arange(2, 4)]

    def waiting(share):
        time.sleep(0.01)
        return share.astype(np.float32)

    assert crew.size == 2
    assert [part.tolist() for part in crew.run(waiting, shares)] == [[0, 1], [2, 3]]
    assert crew.size == 1
    for _ in range(PASSES_ALONE):
        assert crew.size == 1
        crew.run(waiting, shares[:1])
    assert crew.size == 2


def test_errors_of_any_part_are_raised():
    def failing(share):
        if share[0] == 2:
            raise ValueError("here")
        return share.astype(np.float32)

    with pytest.raises(ValueError, match="here"):
        Crew().run(failing, [np.arange(2), np.arange(2, 4)])
