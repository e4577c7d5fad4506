"""Separated lists: the automaton and the spelled-out form against `re`, for all kinds of up to three items."""

import itertools
import re

import pytest

from pgen.automata import acceptor
from pgen.language import ir
from pgen.testing import derivatives

KINDS = ["".join(kinds) for n in (1, 2, 3) for kinds in itertools.product("1?*+", repeat=n)]
TEXTS = [",".join(letters) for n in range(6) for letters in itertools.product("abc", repeat=n)] + [
    "a,",
    ",a",
    "a,,b",
    "ab",
]


def oracle(kinds):
    """Every letter is followed by a comma, the last comma is dropped."""
    pattern = re.compile(
        "".join(f"(?:{letter},){'' if kind == '1' else kind}" for letter, kind in zip("abc", kinds, strict=False))
    )
    return lambda text: text != "" and pattern.fullmatch(text + ",") is not None


def node_of(kinds):
    return ir.separated(
        ir.literal(","), [(ir.literal(letter), kind) for letter, kind in zip("abc", kinds, strict=False)]
    )


@pytest.mark.parametrize("kinds", KINDS)
def test_members_are_those_of_the_pattern(kinds):
    node, expected = node_of(kinds), oracle(kinds)
    for text in TEXTS:
        assert acceptor.accepts(node, text.encode()) == expected(text), text
        assert derivatives.matches(node, text.encode()) == expected(text), text


def test_items_and_separators_may_be_empty_or_impossible():
    comma, a, maybe = ir.literal(","), ir.literal("a"), ir.optional(ir.literal("a"))
    assert ir.separated(comma, [(a, "1"), (ir.EMPTY, "1")]) == ir.EMPTY
    assert ir.separated(comma, [(a, "?"), (ir.EMPTY, "*")]) == a
    assert ir.separated(comma, [(ir.EMPTY, "?")]) == ir.EMPTY
    for separator, item in ((ir.EPSILON, a), (comma, maybe), (ir.optional(comma), maybe)):
        node = ir.separated(separator, [(item, "+"), (a, "?")])
        for text in ("", "a", "aa", ",", ",,", "a,", ",a", "a,a,a", "b"):
            assert acceptor.accepts(node, text.encode()) == derivatives.matches(node, text.encode()), text


def test_equal_lists_are_equal_values():
    assert node_of("1?*") == node_of("1?*")
    assert node_of("1?*") != node_of("1?+")
    assert len({node_of("*+"), node_of("*+"), node_of("+*")}) == 2


def test_size_is_linear():
    letters = [(ir.chars([(97, 97 + i % 26)]), "?") for i in range(300)]
    assert len(acceptor.automaton(ir.separated(ir.literal(","), letters)).fragment.edges) < 1000
