"""Token tables against the masks and transitions that they tabulate."""

import itertools

import numpy as np
import pytest

import pgen
from pgen.tokens.classes import short_table, token_table

TOKENS = [b"a", b"b", b"ab", b"ba", b"aab", b"", b"a", b"c", b"\xc3", b"\xa9", b"<s>", b"</s>", b"abc"]
SMALL = pgen.Vocabulary(TOKENS, eos=11, special=[10])
BYTES = pgen.Vocabulary([*(bytes([b]) for b in range(256)), b"", *TOKENS], eos=256)

LANGUAGES = [
    pgen.Regex(r"(a|b)*abb?"),
    pgen.Regex(r"a{2,5}b{0,3}"),
    pgen.Regex(r"(ab|a)(b|bb)|cé+"),
    ~pgen.Regex(r".*aa.*") & pgen.Regex("[abé]{0,6}"),
    pgen.choice("a", "aba", "abc", "é"),
    pgen.literal(""),
]


def states_of(automaton, table):
    """The automaton's state behind each of the table's, by walking both together."""
    behind, queue = {0: automaton.start}, [0]
    for state in queue:
        for token in range(len(automaton.vocabulary)):
            target = int(table.delta[state, table.class_of[token]])
            if target >= 0 and target not in behind:
                behind[target] = automaton.advance(behind[state], token)
                queue.append(target)
    return behind


@pytest.mark.parametrize("vocabulary", [SMALL, BYTES], ids=["small", "bytes"])
@pytest.mark.parametrize("language", LANGUAGES, ids=repr)
def test_the_table_is_the_automaton(language, vocabulary):
    automaton = language.compile(vocabulary)
    table = token_table(automaton)
    behind = states_of(automaton, table)
    assert sorted(behind) == list(range(table.n_states)), "every state is reached"
    for state, there in behind.items():
        allowed = set(automaton.allowed_tokens(there).tolist()) - vocabulary.eos
        assert {t for t in range(len(vocabulary)) if table.delta[state, table.class_of[t]] >= 0} == allowed
        for token in allowed:
            assert behind[int(table.delta[state, table.class_of[token]])] == automaton.advance(there, token)
        assert table.accepting[state] == automaton.is_accepting(there)
        assert table.nearest[state] == automaton.distance_to_accept(there)


@pytest.mark.parametrize("language", LANGUAGES, ids=repr)
def test_classes_are_the_coarsest(language):
    table = token_table(language.compile(SMALL))
    assert (table.delta[:, 0] == -1).all()
    assert len(np.unique(table.delta, axis=1).T) == table.n_classes
    assert set(table.class_of.tolist()) | {0} == set(range(table.n_classes))
    assert all(table.class_of[t] == 0 for t in (5, 10, 11))


def test_equal_tokens_share_a_class_and_the_table_is_cached():
    automaton = pgen.Regex("a+").compile(SMALL)
    table = token_table(automaton)
    assert table.class_of[0] == table.class_of[6] > 0
    assert token_table(automaton) is table
    with pytest.raises(ValueError, match="read-only"):
        table.delta[0, 0] = 1


def test_the_automaton_may_grow_in_the_middle_of_a_walk():
    language = pgen.Regex("(a|b)*a(a|b){9}")
    table = token_table(language.compile(SMALL))
    assert table.n_states == 1024
    for text in ("abbbbbbbbb", "bbbbbbbbbb", "aaaaaaaaaaa", "bbaababbaabab"):
        state = 0
        for letter in text:
            state = table.delta[state, table.class_of[TOKENS.index(letter.encode())]]
        assert table.accepting[state] == language.matches(text)


def test_too_many_states_raise_and_say_what_to_do():
    with pytest.raises(pgen.LimitExceeded, match=r"more than 100 states(.|\n)*bound its nesting"):
        token_table(pgen.Regex("(a|b)*a(a|b){9}").compile(SMALL), max_states=100)
    nested = pgen.Grammar('start: "a" start "b" | "ab"')
    with pytest.raises(pgen.LimitExceeded):
        token_table(nested.compile(BYTES))


@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_a_table_of_limited_length_has_all_that_short_texts_need(length):
    """Context-free, so infinitely many states; against membership of every text of so many tokens."""
    language = pgen.Grammar('start: "a" start "b" start | "c"')
    vocabulary = pgen.Vocabulary([b"a", b"b", b"c", b"ac", b"bc", b""], eos=5)
    table = token_table(language.compile(vocabulary), length=length)
    for tokens in itertools.product(range(5), repeat=length):
        state = 0
        for place, token in enumerate(tokens):
            if state >= 0 and table.nearest[state] <= length - place:
                state = table.delta[state, table.class_of[token]]
            else:
                state = -1
        accepted = state >= 0 and bool(table.accepting[state])
        assert accepted == language.matches(vocabulary.decode(tokens))


def test_a_short_table_needs_no_single_bytes():
    language = pgen.Grammar('start: "<" start ">" | "xy" | "x" start "y"')
    vocabulary = pgen.Vocabulary([b"<", b">", b"xy", b"<x", b"y>", b""], eos=5)
    with pytest.raises(pgen.UnsupportedFeature):
        language.compile(vocabulary)
    for length in (1, 3, 5):
        table = short_table(language, vocabulary, length)
        for tokens in itertools.product(range(5), repeat=length):
            state = 0
            for place, token in enumerate(tokens):
                near = state >= 0 and table.nearest[state] <= length - place
                state = table.delta[state, table.class_of[token]] if near else -1
            assert (state >= 0 and bool(table.accepting[state])) == language.matches(vocabulary.decode(tokens))
    with pytest.raises(pgen.InvalidLanguage, match="no sequence of tokens"):
        short_table(pgen.Grammar('start: "q"'), vocabulary, 3)
