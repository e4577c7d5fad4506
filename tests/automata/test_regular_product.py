"""Grammar & regular language: membership against both parts, masks against brute force, limits."""

import re
from itertools import product

import pytest

import pgen
from pgen.errors import InvalidLanguage, LimitExceeded, UnsupportedFeature

BRACKETS = 'start: "(" start ")" start | '
NESTED = 'start: list | /[ab]/\nlist: "[" (start ("," start)*)? "]"'
LEFT = 'start: start "+" term | term\nterm: "a" | "(" start ")"'
EVEN = 'start: "a" start "b" | "c"'

CASES = [
    (BRACKETS, "()", r"(\(\))*"),
    (BRACKETS, "()", r"(..)*\)|"),
    (BRACKETS, "()", r"\({2,3}.*"),
    (NESTED, "[],a", r"\[.{2,4}"),
    (NESTED, "[],a", r"[^a]*"),
    (LEFT, "a+()", r".*\+.*"),
    (LEFT, "a+()", r"[a+]*\(?a\)?"),
    (EVEN, "abc", r"a{2,4}c?.*"),
    (EVEN, "abc", r".{5}"),
]


def texts(alphabet, longest):
    return ("".join(t) for n in range(longest + 1) for t in product(alphabet, repeat=n))


@pytest.mark.parametrize(("grammar", "alphabet", "pattern"), CASES)
def test_members_are_those_of_both(grammar, alphabet, pattern):
    both = pgen.Grammar(grammar) & pgen.Regex(pattern)
    alone = pgen.Grammar(grammar)
    for text in texts(alphabet, 7):
        expected = alone.matches(text) and re.fullmatch(pattern, text) is not None
        assert both.matches(text) == expected, text


@pytest.mark.parametrize(("grammar", "alphabet", "pattern"), CASES)
def test_what_can_be_completed_is_a_prefix_of_a_member(grammar, alphabet, pattern):
    both = pgen.Grammar(grammar) & pgen.Regex(pattern)
    members = [text for text in texts(alphabet, 8) if both.matches(text)]
    prefixes = {text[:n] for text in members for n in range(len(text) + 1)}
    for text in texts(alphabet, 4):
        assert both.completable(text) or text not in prefixes, text
    for text in prefixes:
        assert both.completable(text), text


def test_no_mask_leads_into_a_dead_end():
    letters = pgen.Vocabulary([bytes([i]) for i in range(256)] + [b"((", b"))", b")(", b""], eos=259)
    automaton = (pgen.Grammar(BRACKETS) & pgen.Regex(r"\({3}.{0,5}")).compile(letters)
    seen, waiting = set(), [automaton.start]
    while waiting:
        state = waiting.pop()
        tokens = [int(t) for t in automaton.allowed_tokens(state)]
        assert tokens
        for token in tokens:
            after = automaton.advance(state, token)
            if token != 259 and after not in seen:
                seen.add(after)
                waiting.append(after)
    assert len(seen) > 10


def test_a_complement_joins_a_grammar():
    language = pgen.Grammar(EVEN) & ~pgen.literal("acb")
    assert language.matches("aacbb")
    assert not language.matches("acb")


def test_bytes_are_bounded():
    language = pgen.Grammar(BRACKETS).max_bytes(6)
    assert language.matches("((()))")
    assert not language.matches("(((())))")
    assert not language.completable("((((")


def test_nothing_in_common_is_said():
    letters = pgen.Vocabulary([bytes([i]) for i in range(256)] + [b""], eos=256)
    with pytest.raises(InvalidLanguage, match="no text is a member"):
        (pgen.Grammar(EVEN) & pgen.Regex("(ab)+")).compile(letters)


def test_two_grammars_do_not_join():
    with pytest.raises(UnsupportedFeature):
        (pgen.Grammar(EVEN) & pgen.Grammar(BRACKETS)).matches("c")


def test_too_large_a_product_names_the_way_out():
    with pytest.raises(LimitExceeded, match="smaller regular language"):
        pgen.Grammar(NESTED).max_bytes(100_000).matches("a")
