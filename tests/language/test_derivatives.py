"""The members of a node that begin with some letters, against complements made of DFAs and against `re`."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgen.automata.acceptor import accepts, difference
from pgen.language import ir
from pgen.language.derivatives import beginning_with
from pgen.language.json_schema import strings
from pgen.language.json_schema.formats import PATTERNS
from pgen.language.json_schema.shapes import Restriction
from pgen.language.regex import Regex

ENOUGH = 10**9


def led_by(node, start):
    """The members of a node that begin with `start`, by automata: those outside of what begins otherwise."""
    otherwise = [ir.literal(start[:at]) for at in range(len(start))]
    for at, letter in enumerate(start):
        outside = ir.chars(ir.negated_ranges([(ord(letter), ord(letter))]))
        otherwise.append(ir.concat(ir.literal(start[:at]), outside, ir.ANY_TEXT))
    return ir.intersect(node, ir.complement(ir.union(*otherwise)))


PATTERNS_HERE = [
    *("ab|abc*|x", "(?:a|é)*b?", "[^b]*", "", "a", "ab.*", "(?:ab|b)*(?:cd)?", "(?:a?b?){2,3}c", "(?:a|ab){2,}"),
    *("(?:a*b*)*", "(?:ab){0,4}b", "a{3}|ab{2,5}", "é|éa|b"),
]


@pytest.mark.parametrize("pattern", PATTERNS_HERE)
@pytest.mark.parametrize("start", ["a", "ab", "é", "abab", "x", "zz"])
def test_members_that_begin_with_a_word(pattern, start):
    node = Regex(f"(?s:{pattern})").node
    found = beginning_with(node, start, ENOUGH)
    assert difference(found, led_by(node, start)) is None
    for text in ("", "a", "ab", "abab", "abc", "é", "éa", "aab", "ababab", "x", "abb", "zz"):
        expected = re.fullmatch(f"(?s:{pattern})", text) is not None and text.startswith(start)
        assert accepts(found, text.encode()) == expected


@pytest.mark.parametrize("name", sorted(set(PATTERNS) - {"hostname"}))
@pytest.mark.parametrize("start", ["http:", "2024-02", "a@", "::1", '"', "/~0"])
def test_formats_that_begin_with_a_word(name, start):
    node = Regex(PATTERNS[name]).node
    assert difference(beginning_with(node, start, ENOUGH), led_by(node, start)) is None


texts = st.text("ab", max_size=3)
nodes = st.recursive(
    st.one_of(texts.map(ir.literal), st.lists(texts, min_size=2).map(lambda w: ir.word_set(x.encode() for x in w))),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: ir.concat(*parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: ir.union(*parts)),
        st.tuples(inner, st.integers(0, 2), st.one_of(st.none(), st.integers(2, 3))).map(lambda t: ir.repeat(*t)),
    ),
    max_leaves=6,
)


@given(nodes, texts)
def test_random_nodes(node, start):
    assert difference(beginning_with(node, start, ENOUGH), led_by(node, start)) is None


def test_what_takes_other_nodes_or_becomes_too_large_is_told():
    looking = Regex(PATTERNS["hostname"]).node
    assert beginning_with(looking, "a", ENOUGH) is None
    assert beginning_with(ir.complement(ir.literal("a")), "a", ENOUGH) is None
    overlapping = Regex("(?:a|ab){0,30}(?:a|ba){0,30}").node
    assert beginning_with(overlapping, "a" * 12, ir.size(overlapping)) is None
    assert beginning_with(overlapping, "a", 4 * ir.size(overlapping)) is not None


def test_restrictions_of_strings_are_worked_in():
    mail = [Restriction("format", "uri"), Restriction("pattern", "^mailto:"), Restriction("pattern", "^ma")]
    found = strings.all_of(mail)
    assert not ir.has_boolean(found)
    assert difference(found, led_by(Regex(PATTERNS["uri"]).node, "mailto:")) is None
    hosts = strings.all_of([Restriction("format", "hostname"), Restriction("pattern", "^a")])
    assert difference(hosts, led_by(Regex(PATTERNS["hostname"]).node, "a")) is None
    unlike = strings.all_of([*mail, Restriction("other than", "mailto:x")])
    assert accepts(unlike, b"mailto:y") and not accepts(unlike, b"mailto:x") and not accepts(unlike, b"ma:y")
    assert ir.is_empty(strings.all_of([Restriction("pattern", "^b"), Restriction("pattern", "^a")]))
