"""Context-free languages in the lazy automaton: membership, completability, masks and distances, by definition."""

import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgen
from pgen.automata import acceptor
from pgen.language import ir
from pgen.language.base import Language
from tests.automata.test_rules import SYSTEMS
from tests.support.derivations import derives
from tests.support.enumerate_language import members

TEXTS = [bytes(text) for n in range(6) for text in product(b"ab", repeat=n)]
LONGEST = 8


def system(start, **rules):
    return ir.recursive(start, rules)


def word(text):
    return ir.literal(text)


def nested(opening="(", closing=")", inside=ir.EPSILON):
    return system("s", s=ir.concat(word(opening), ir.repeat(ir.Ref("s"), 0, None), inside, word(closing)))


PALINDROME = system(
    "s",
    s=ir.union(*(word(c) for c in ("", "a", "b")), *(ir.concat(word(c), ir.Ref("s"), word(c)) for c in "ab")),
)
CHOICES = system(
    "s",
    s=ir.union(word("a"), ir.concat(word("a"), ir.Ref("s"), word("x")), ir.concat(word("a"), ir.Ref("s"), word("y"))),
)
DANGLING = system(
    "s",
    s=ir.union(
        word("c"),
        ir.concat(word("a"), ir.Ref("s")),
        ir.concat(word("a"), ir.Ref("s"), word("b"), ir.Ref("s")),
    ),
)


@given(SYSTEMS)
def test_membership_and_completability(node):
    accepted = members(node, LONGEST)
    if not accepted:
        return
    for text in TEXTS:
        assert acceptor.accepts(node, text) == (text in accepted)
        # A member may be longer than what is enumerated: only one way round.
        if any(member.startswith(text) for member in accepted):
            assert acceptor.completable(node, text)


@given(SYSTEMS)
def test_distances_are_lengths_of_shortest_completions(node):
    accepted = members(node, LONGEST)
    if not accepted:
        return
    automaton = acceptor.automaton(node)
    for text in TEXTS:
        ways = [len(member) - len(text) for member in accepted if member.startswith(text)]
        state = automaton.run(automaton.start, text)
        if ways:
            assert automaton.table.nearest[state] == min(ways)
        elif state:
            assert automaton.table.nearest[state] > LONGEST - len(text)


TOKENS = [
    b"a",
    b"b",
    b"c",
    b"aa",
    b"ab",
    b"ba",
    b"bb",
    b"aab",
    b"acb",
    b"xy",
    b"x",
    b"y",
    b"(",
    b")",
    b"((",
    b")(",
    b"",
]
VOCABULARY = pgen.Vocabulary([*TOKENS, b"</s>"], eos=len(TOKENS))


@pytest.mark.parametrize("node", [PALINDROME, CHOICES, DANGLING, nested(inside=word("a"))])
def test_masks_and_budgets(node):
    """Against the shortest completions among all texts of up to nine bytes."""
    alphabet = "abcxy()"
    automaton = Language(node, description="test").compile(VOCABULARY)
    accepted = sorted(members(node, 9, alphabet), key=len)
    waiting = [(automaton.start, b"")]
    for state, text in waiting[:60]:
        for budget in (None, 1, 2, 3, 4):
            allowed = {TOKENS[v] for v in range(len(TOKENS)) if _bit(automaton.mask(state, budget), v)}
            for token in TOKENS:
                rest = [m[len(text + token) :] for m in accepted if m.startswith(text + token) and token]
                fits = [r for r in rest if budget is None or _fewest(r) <= budget - 1]
                if len(text + token) <= 4:
                    assert (token in allowed) == bool(fits), (text, token, budget)
        assert _bit(automaton.mask(state), len(TOKENS)) == (text in accepted)
        if len(text) < 4:
            waiting += [
                (automaton.advance(state, v), text + TOKENS[v])
                for v in range(len(TOKENS))
                if _bit(automaton.mask(state), v)
            ]


def _bit(mask, token):
    return bool(mask[token >> 5] >> (token & 31) & 1)


def _fewest(text):
    """Fewest tokens that spell a text."""
    best = [0] + [99] * len(text)
    for end in range(1, len(text) + 1):
        for token in TOKENS:
            if token and text[:end].endswith(token):
                best[end] = min(best[end], best[end - len(token)] + 1)
    return best[-1]


def test_deep_nesting_of_the_text():
    node, deep = nested(), 10_000
    began = time.perf_counter()
    assert acceptor.accepts(node, b"(" * deep + b")" * deep)
    assert not acceptor.accepts(node, b"(" * deep + b")" * (deep - 1))
    assert acceptor.automaton(node).table.nearest[acceptor.automaton(node).run(2, b"(" * deep)] == deep
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (PALINDROME, b"ab" * 40 + b"ba" * 40),
        (CHOICES, b"a" * 300 + b"xy" * 149),
        (DANGLING, b"a" * 200 + b"c" + b"bc" * 60),
    ],
)
def test_ambiguity_stays_small(node, text):
    """Plain sets of stacks grow exponentially or quadratically here; merged nodes do not."""
    automaton = acceptor.automaton(node)
    state = automaton.run(automaton.start, text)
    assert state
    assert len(automaton.members(state)) < 20
    assert int(automaton.table.node_counters[0]) < 40 * len(text)


def test_readings_that_differ_on_many_levels_merge_or_are_refused():
    """Two rules nest side by side; where they end the stacks must merge to the bottom."""
    pair = {
        "s": ir.union(ir.concat(ir.Ref("p"), word("x")), ir.concat(ir.Ref("q"), word("y"))),
        "p": ir.concat(word("a"), ir.optional(ir.Ref("p")), word("b")),
        "q": ir.concat(word("a"), ir.optional(ir.Ref("q")), word("b")),
    }
    node = system("s", **pair)
    for depth in (1, 5, 50):
        assert acceptor.accepts(node, b"a" * depth + b"b" * depth + b"x")
        assert acceptor.accepts(node, b"a" * depth + b"b" * depth + b"y")
        assert not acceptor.accepts(node, b"a" * depth + b"b" * (depth - 1) + b"y")


def test_a_shared_part_is_a_rule_of_a_regular_language():
    letters = ir.repeat(ir.chars([(97, 122), (48, 57), (0xE0, 0xFF), (0x400, 0x4FF), (0x1000, 0x10FF)]), 3, 9)
    node = ir.concat(letters, word(","), letters, word(","), letters)
    assert len(acceptor.automaton(node).fragment.begins) > 0
    for text in (b"abc,def,xyz", b"ab,def,xyz", b"abc,def,xyz1234567", b"abc,def", "abс,дef,éée".encode()):
        assert acceptor.accepts(node, text) == derives(node, text)
    assert acceptor.longest_bytes(node) == 9 * 3 * 3 + 2


@given(st.lists(st.sampled_from([b"a", b"b", b"ab", b"ba"]), min_size=1, max_size=4, unique=True))
def test_vocabularies_without_single_bytes_are_refused_or_exact(tokens):
    vocabulary = pgen.Vocabulary([*tokens, b"</s>"], eos=len(tokens))
    language = Language(PALINDROME, description="palindromes")
    try:
        automaton = language.compile(vocabulary)
    except (pgen.UnsupportedFeature, pgen.InvalidLanguage):
        assert not {b"a", b"b"} <= set(tokens)
        return
    spelled = {b"".join(t) for n in range(5) for t in product(tokens, repeat=n)}
    for v, token in enumerate(tokens):
        if any(text.startswith(token) and text == text[::-1] for text in spelled):
            assert _bit(automaton.mask(automaton.start), v)
