"""Set sampling on a byte trie against the masses themselves, all random choices enumerated."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgen.sampling.byte_walk import byte_walk
from pgen.sampling.token_step import DEAD
from pgen.testing.enumeration import enumerate_outcomes

spellings = st.lists(st.text("abc", max_size=3).map(str.encode), min_size=1, max_size=6).map(sorted)


@settings(max_examples=30)
@given(spellings, st.data())
def test_walks_are_properly_weighted_whatever_the_steps(tokens, data):
    masses = np.array(data.draw(st.lists(st.floats(0.01, 1.0), min_size=len(tokens), max_size=len(tokens))))
    accepted = data.draw(st.sets(st.integers(0, len(tokens) - 1)))
    tilt = np.array(data.draw(st.lists(st.floats(0.1, 3.0), min_size=256, max_size=256)))

    def branch(path, following, below):
        assert all(any(token.startswith(path + bytes([b])) for token in tokens) for b in following)
        return tilt[following] * (below if len(path) % 2 else 1.0)

    expected = dict.fromkeys(range(len(tokens)), 0.0)
    for probability, drawn in enumerate_outcomes(
        lambda rng: byte_walk(rng, tokens, masses, branch, accepted.__contains__)
    ):
        if drawn.token != DEAD:
            expected[drawn.token] += probability * math.exp(drawn.log_weight)
    for index, mass in enumerate(masses):
        assert expected[index] == pytest.approx(mass * (index in accepted), abs=1e-9)


def test_only_what_is_on_the_path_is_asked_for():
    tokens = sorted(bytes([a, b]) for a in range(97, 117) for b in range(97, 117))
    asked = []

    def branch(path, following, below):
        asked.append(path)
        return np.array([float(byte == 97) for byte in following])

    (only,) = enumerate_outcomes(lambda rng: byte_walk(rng, tokens, np.ones(400) / 400, branch, lambda _: True))
    assert tokens[only[1].token] == b"aa"
    assert only[1].n_checks == 1
    assert asked == [b"", b"a"]


def test_a_walk_that_leads_nowhere_is_dead():
    def closed(path, following, below):
        return np.zeros(len(following))

    ((_, drawn),) = enumerate_outcomes(lambda rng: byte_walk(rng, [b"a"], np.ones(1), closed, lambda _: True))
    assert drawn.token == DEAD and drawn.log_weight == -math.inf
