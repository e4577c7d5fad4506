"""Tries in level order, and masks that states share."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgen
from pgen.tokens import Vocabulary
from pgen.tokens.lexicon import MOST_LISTED
from pgen.tokens.mask_kernels import _of_list
from pgen.tokens.trie import NONE, Levels, Trie, build, joined, levels

WORDS = st.lists(st.text("abc", min_size=1, max_size=5).map(str.encode), max_size=30)


def spelled(trie: Trie, order: Levels, root: int) -> dict[int, bytes]:
    """The tokens below a root with their bytes, found by going from parents to children."""
    found: dict[int, bytes] = {}
    waiting = [(child, b"") for child in range(order.begin[root], order.begin[root + 1])]
    while waiting:
        node, before = waiting.pop()
        data, only = before + bytes([order.byte[node]]), int(order.only[node])
        below = [only] if only >= 0 else []
        if only < NONE:
            below = trie.tokens[trie.first[-2 - only] : trie.first[-1 - only]].tolist()
        found |= dict.fromkeys(below, data)
        waiting += [(child, data) for child in range(order.begin[node], order.begin[node + 1])]
    return found


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_levels_hold_the_tokens_of_their_tries(parts: list[list[bytes]]) -> None:
    tries = [build(words, range(len(words))) for words in parts]
    trie, bounds = joined(tries)
    order = levels(trie, bounds[:-1])
    assert len(order.byte) == len(trie.byte) and (np.diff(order.begin) >= 0).all()
    for root, words in enumerate(parts):
        assert spelled(trie, order, root) == dict(enumerate(words))
        children = order.byte[order.begin[root] : order.begin[root + 1]].tolist()
        assert children == sorted({word[0] for word in words})


VOCABULARY = Vocabulary([*(bytes([byte]) for byte in range(256)), b"ab", b"ba", b""], eos=258)


def test_states_with_equal_masks_share_one() -> None:
    automaton = pgen.Regex("(aab|baa){3}c?").compile(VOCABULARY)
    texts = (b"aa", b"aabaa", b"aab", b"aabbaa")
    states = [automaton.run(list(text)) for text in texts]
    assert len(set(states)) == 4
    first, second, third, fourth = (automaton.mask(state) for state in states)
    assert first is second and third is fourth and first is not third
    assert not first.flags.writeable
    for text, state in zip(texts, states, strict=True):
        tokens = VOCABULARY.tokens[:-1]
        expected = [v for v, token in enumerate(tokens) if automaton.language.completable(text + token)]
        assert automaton.allowed_tokens(state).tolist() == expected


def test_masks_with_one_code_stay_apart() -> None:
    automaton = pgen.Regex("ab").compile(VOCABULARY)
    one, other = memoryview(bytes(36)), memoryview(bytes([1, *bytes(35)]))
    assert automaton._shared((7, 0), one).tobytes() == one
    assert automaton._shared((7, 0), other).tobytes() == other
    assert automaton._shared((7, 0), other) is automaton._shared((7, 0), other)


@given(st.lists(st.sets(st.integers(0, 300_000), max_size=6), min_size=2, max_size=8))
def test_codes_of_listed_tokens_tell_sets(sets: list[set[int]]) -> None:
    codes = {}
    for tokens in sets:
        for order in (sorted(tokens), sorted(tokens, reverse=True)):
            code, second = _of_list(np.array(order, np.int32))
            assert second % 2 == 1
            assert codes.setdefault((code, second), tokens) == tokens
    assert len(codes) == len({frozenset(tokens) for tokens in sets})


@pytest.mark.parametrize("eos", [(600,), (600, 601)])
@pytest.mark.parametrize("n_words", range(MOST_LISTED - 12, MOST_LISTED + 3))
def test_masks_about_as_large_as_lists(n_words: int, eos: tuple[int, ...]) -> None:
    """Drafts are cleared by their lists or as a whole, in turn: nothing of one mask stays in the next."""
    words = [b"%03d" % i for i in range(500)]
    vocabulary = pgen.Vocabulary([*words, *(bytes([b]) for b in range(0x30, 0x3A)), *[b""] * 92], eos=eos)
    automaton = pgen.Regex(f"({'|'.join(word.decode() for word in words[:n_words])})?").compile(vocabulary)
    after, begun = automaton.advance(automaton.start, 5), automaton.advance(automaton.start, 500)
    digits = {500 + i // 100 for i in range(n_words)}
    for _ in range(2):
        automaton._masks.clear()
        assert set(automaton.allowed_tokens(automaton.start).tolist()) == {*range(n_words), *digits, *eos}
        assert set(automaton.allowed_tokens(after).tolist()) == {*eos}
        assert set(automaton.allowed_tokens(begun).tolist()) == {*range(500, 510)}
