"""`Grammar` against Lark's Earley parser: the same texts over a small alphabet, by the definition of the nodes."""

from __future__ import annotations

import itertools

import lark
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pgen.errors import InvalidLanguage
from pgen.language.grammar import Grammar
from tests.support.derivations import derives


def texts(alphabet: str, n: int) -> list[str]:
    return ["".join(letters) for k in range(n + 1) for letters in itertools.product(alphabet, repeat=k)]


def parses(parser: lark.Lark, text: str) -> bool:
    try:
        parser.parse(text)
    except (lark.exceptions.UnexpectedInput, lark.exceptions.ParseError):
        return False
    return True


def agrees(grammar: str, words: list[str], **options: str) -> None:
    language = Grammar(grammar, **options)
    parser = lark.Lark(grammar, parser="earley", lexer="dynamic_complete", **options)
    for text in words:
        assert derives(language.node, text) == parses(parser, text), (grammar, text)


@pytest.mark.parametrize(
    "grammar",
    [
        'start: "a" start "b" | ',
        'start: start start | "a" | "b" "a"',
        'start: start "a" | "b"',
        'start: "a" start | "b"',
        'start: x y\nx: "a"?\ny: x "b" | x',
        'start: x\nx: x | "a"? ',
        'start: [x] "b" [x]\nx: "a" "b"?',
        'start: "a"~2 "b"~1..2',
        'start: ("a" | "b" "a")~0..2 "b"~0',
        'start: ("a"? "b")* "a"+',
        'start:\n  | "a"\n  | "b" start "b" // comment\n  # and one\n  | "a" "b"',
        'start: _sep{A, "b"}\n_sep{x, s}: x (s x)*\nA: "a"',
        'start: _two{_two{"a"}} | _two{b}\n_two{x}: x x\nb: "b" _opt{"a"}\n_opt{x}: [x]',
        'start: use{twice, "b"}\nuse{f, x}: f{x} | "a"\ntwice{x}: x x',
        'start: nest{"a"}\nnest{x}: x nest{x} "b" |',
        '?start: x -> one | y -> two\n!x.2: "a" "b"\n_y: "b"\n?y.-1: _y+',
        "start: A B | B A\nA.2: /a+/\nB: /b{1,2}/",
        'start: "A"i "bA"i',
        "start: /AB?/i /[^ab]/s?",
        'start: A*\nA: B B?\nB: "a".."b"',
        'start: A\nA: ("a" | "b")~1..2 "a"*',
        'start: A "b" | A\nA: "a" ["b"]',
        'start: "a" "b"\n%override start: "b" _x\n%extend start: _x _x\n_x: "a"',
        'start: "\\x61" "\\u0062" | "\\""',
        "start: /a b/x | /a # two\n b a/x",
        'start: "a" "b" \\\n "a"',
        'start: x+\nx: "a" | "b" x | "b"',
        'start: a b c\na: "a" | \nb: "b" | a\nc: a b | b a',
        'start: e\ne: e "+" e | "a"',
        'start: A -> x | ( A B ) -> y\nA: "a"\nB: "b"',
    ],
)
def test_same_texts_as_earley(grammar: str) -> None:
    agrees(grammar, texts("ab", 5) + ["+", "a+a", "a+a+a", "a+", "A", "BA", "Ab", "ABA", "aBA", '"', "abc", "aba"])


@pytest.mark.parametrize(
    "grammar",
    [
        'start: "a" "b"?\n%ignore " "',
        'start: "a"?\n%ignore " "',
        'start: "a" | "a" start "b"\nWS: " "+\n%ignore WS',
        "start: A+\nA: /ab/\n%ignore / +/",
        'start: x x\nx: "a"*\n%ignore " " | "b"',
        'start: "a"\n%ignore " "\n%ignore "b" " "',
        '%import common.WS\nstart: ("a" "b")+\n%ignore WS',
        'start: _l{"a"}\n_l{x}: x ("b" x)*\n%ignore " "',
    ],
)
def test_ignored_terminals_between_others(grammar: str) -> None:
    agrees(grammar, texts("ab ", 5))


def test_ignored_terminals_do_not_stand_inside_terminals() -> None:
    language = Grammar('start: A\nA: "a" "b"\n%ignore " "')
    assert derives(language.node, "  ab ")
    assert not derives(language.node, "a b")


ATOMS = st.sampled_from(["x", "y", "start", '"a"', '"b"', '"ab"', "A", "B", "AB", "_two{x}", '_two{"b"}', "_two{A}"])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from(["*", "+", "?", "~2", "~0..2", "~1..2"])
    return st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " ".join(parts) + ")"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " | ".join(parts) + ")"),
        st.builds(lambda part, sign: f"({part}){sign}", inner, operator),
    )


BODIES = st.lists(st.recursive(ATOMS, larger, max_leaves=4) | st.just(""), min_size=1, max_size=3).map(" | ".join)
GRAMMARS = st.builds(
    lambda start, x, y, ignored: (
        f"start: {start}\nx: {x}\ny: {y}\n_two{{t}}: t t\n"
        'A: "a"+\nB: /b{1,2}/\nAB: ("ab" | "b") "a"?\nSPACE: " "+\n' + ("%ignore SPACE" if ignored else "")
    ),
    BODIES,
    BODIES,
    BODIES,
    st.booleans(),
)


WORDS = [*texts("ab", 3), "aaaa", "abab", "bbba", "aabba", *(" ab", "a b", "ab ", " ", "b  a", " b a ", "a b b")]


@settings(max_examples=60)
@given(GRAMMARS)
@example('start: start "a" | x\nx: y start | \ny: x x | "b"\n_two{t}: t t\nA: "a"\nB: "b"\nAB: "ab"\nSPACE: " "\n')
def test_generated_grammars_have_the_texts_that_earley_finds(grammar: str) -> None:
    try:
        parser = lark.Lark(grammar, parser="earley", lexer="dynamic_complete")
    except lark.exceptions.GrammarError as error:
        # Lark wants every alternative to be written once.
        assert "Rules defined twice" in str(error)
        return
    found = {text for text in WORDS if parses(parser, text)}
    try:
        language = Grammar(grammar)
    except InvalidLanguage as error:
        assert "derives no text" in str(error)
        assert not found
    else:
        assert {text for text in WORDS if derives(language.node, text)} == found
