"""Prefixes that branch off one another as a tree of tokens: right, a token for each new one, and handed on to rows."""

import random

import pytest
import torch
from tiny_models import tiny_model

from pgen.backends.autoregressive.forward import CachedForward, PlainForward, Request

PROMPT = tuple(random.Random(2).randrange(40) for _ in range(30))


class Watched:
    """A forward pass with a tree; `n_tokens` counts what the model is given, `asked` holds its results to plain ones."""

    def __init__(self, monkeypatch, most_branches=512):
        model, cpu = tiny_model("llama"), torch.device("cpu")
        self.forward, self.plain = CachedForward(model, cpu, 128, 2**24), PlainForward(tiny_model("llama"), cpu)
        self.tree, self.shapes, original = self.forward._tree, [], model.forward
        monkeypatch.setattr(self.tree, "_most_branches", most_branches)

        def counted(input_ids, **settings):
            self.shapes.append(tuple(input_ids.shape))
            return original(input_ids, **settings)

        monkeypatch.setattr(model, "forward", counted)
        self.asked([PROMPT])

    def asked(self, prefixes):
        self.shapes.clear()
        requests = [Request(prefix) for prefix in prefixes]
        for found, expected in zip(self.forward(requests), self.plain(requests), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
        return list(self.shapes)


def test_prefixes_that_branch_are_one_pass_over_their_new_tokens(monkeypatch):
    tree = Watched(monkeypatch)
    first = [(1,), (1, 2), (1, 2, 3), (1, 4), (5, 6)]
    assert tree.asked([PROMPT + end for end in first]) == [(1, 6)]
    then = [*((1, 2, 3, n) for n in range(4)), (5, 6, 7), (5, 6, 7, 8)]
    assert tree.asked([PROMPT + end for end in then]) == [(1, 6)]


def test_a_prefix_that_the_tree_has_passed_through_costs_one_token(monkeypatch):
    tree = Watched(monkeypatch)
    tree.asked([PROMPT + (1, 2, 3), PROMPT + (1, 4)])
    assert tree.asked([PROMPT + (1,), PROMPT + (1, 2), PROMPT + (1, 2, 3, 5)]) == [(1, 3)]
    assert tree.asked([PROMPT + (1, 2, 3, 6)]) == [(1, 1)]


@pytest.mark.parametrize("most_branches", [12, 512])
def test_rows_take_over_what_the_tree_holds(monkeypatch, most_branches):
    tree, rng = Watched(monkeypatch, most_branches), random.Random(3)
    particles = [(*PROMPT, n) for n in range(4)]
    for _ in range(8):
        ((n_rows, width),) = tree.asked(particles)
        assert n_rows * width == 4
        particles = [(*p, rng.randrange(40)) for p in rng.sample(particles, len(particles))]
    assert (n_rows, width) == ((4, 1) if most_branches == 12 else (1, 4))


def test_a_tree_that_is_full_begins_anew(monkeypatch):
    tree, rng = Watched(monkeypatch, 20), random.Random(6)
    for _ in range(12):
        path = PROMPT + tuple(rng.randrange(40) for _ in range(6))
        tree.asked([path[: 31 + n] for n in range(5)])
        assert len(tree.tree) <= 50
