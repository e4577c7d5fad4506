"""GBNF and EBNF read as the languages that their notations mean, xgrammar being one oracle."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgen.errors import InvalidLanguage, PgenError, UnsupportedFeature
from pgen.language.grammar import Grammar
from pgen.language.grammar.convert import from_ebnf, from_gbnf
from tests.support.derivations import derives

ARITHMETIC = r"""
# arithmetic, as llama.cpp's examples write it
root  ::= (expr "=" ws term "\n")+
expr  ::= term ([-+*/] term)*
term  ::= ident | num |
  "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num   ::= [0-9]{1,3} ws
ws    ::= [ \t\n]*
"""


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (ARITHMETIC, ["a=1\n", "a+(b*22) = c\n(1)=2\n"], ["", "a=1", "a=1234\n", "a+=1\n"]),
        ('root ::= "a" "" | ""\n', ["a", ""], ["aa"]),
        ('root ::= [^"\\\\\\x7F\\x00-\\x1F] .\n', ["a\n", "é\\"], ['"a', "\\a", "\x00a", "a"]),
        ('root ::= "\\u00e9\\"\\\\\\n" [\\]\\-^a-c-]\n', ['é"\\\n]', 'é"\\\n-', 'é"\\\nb', 'é"\\\n^'], ['é"\\\nd']),
        ('root ::= Item{2} item{,1} "x"{1,}\nItem ::= "A"\nitem ::= "b"', ["AAx", "AAbxx"], ["Abx", "AAbb"]),
        ('root ::= one-two(" " one-two)*\none-two ::=\n  "1"\n  | "2"\n', ["1 2 1"], ["12", ""]),
        ('root ::= 1a? 1a\n1a ::= "a" root | ""', ["", "a", "aaa"], ["b"]),
    ],
)
def test_texts_of_both_notations(text: str, inside: list[str], outside: list[str]) -> None:
    for convert in (from_gbnf, from_ebnf):
        node = convert(text).node
        assert [word for word in inside if not derives(node, word)] == []
        assert [word for word in outside if derives(node, word)] == []


def test_another_start() -> None:
    grammar = from_gbnf('root ::= "a"\nOther ::= root root\n', start="Other")
    assert derives(grammar.node, "aa") and not derives(grammar.node, "a")


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("root ::= value\nvalues ::= [a]\n", 1, 10, r"(?s)rule value is not defined.*did you mean values\?"),
        ('root ::= ("a"\nx ::= "b"', 1, 10, r"this \( is not closed"),
        ('root ::= "a")\n', 1, 13, r"this \) closes nothing"),
        ('root ::= "a" |* "b"\n', 1, 15, "nothing to repeat"),
        ('root ::= {2} "b"\n', 1, 10, "nothing to repeat"),
        ('root ::= "a\n', 1, 10, "begins nothing"),
        ("root ::= []\n", 1, 10, "class is empty"),
        ("root ::= [b-a]\n", 1, 10, "range from 'b' to 'a'"),
        ('root ::= "\\ud800"\n', 1, 11, "is no character"),
        ('root ::= "a"\nroot ::= "b"\n', 2, 1, "defined twice"),
        ('"a"\n', 1, 1, "expected name ::="),
        ('::= "a"\n', 1, 1, "expected the name"),
        ('rot ::= "a"\n', 1, 1, r"(?s)no rule root.*did you mean rot\?"),
        ("root ::= root\n", 1, 1, "derives no text"),
    ],
)
def test_what_is_wrong_and_where(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(InvalidLanguage, match=message) as caught:
        from_gbnf(text)
    assert f"(line {line}, column {column})" in str(caught.value)


@pytest.mark.parametrize("body", ["!<think>", "!<[10]>", '"a" (= "b")', 'TagDispatch(("a", root))'])
def test_what_no_set_of_texts_can_be(body: str) -> None:
    with pytest.raises(UnsupportedFeature, match="line 1, column"):
        from_ebnf(f"root ::= {body}\n")


def test_special_tokens() -> None:
    for convert in (from_gbnf, from_ebnf):
        grammar = convert("root ::= <think> [ab]* </think> | <[3-4]>\n")
        assert grammar == Grammar("start: <think> /[ab]/* </think> | <[3-4]>\n")


ATOMS = st.sampled_from(["x", '"a"', '"b"', '"ab"', "[ab]", "[^a]", '""'])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,1}", "{1,}"])
    return st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " ".join(parts) + ")"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: "(" + " | ".join(parts) + ")"),
        st.builds(lambda part, sign: f"({part}){sign}", inner, operator),
    )


BODIES = st.recursive(ATOMS, larger, max_leaves=4)
WORDS = ["".join(letters) for n in range(5) for letters in itertools.product("ab", repeat=n)]


@settings(max_examples=25)
@given(BODIES, BODIES)
def test_same_texts_as_xgrammar(root: str, x: str) -> None:
    xgrammar = pytest.importorskip("xgrammar")
    accepts = pytest.importorskip("xgrammar.testing")._is_grammar_accept_string
    # xgrammar does not read left recursion: x goes on only after a letter.
    text = f'root ::= {root}\nx ::= "b" | "a" ({x.replace("x", "root")})\n'
    node = from_ebnf(text).node
    peer = xgrammar.Grammar.from_ebnf(text)
    assert [w for w in WORDS if derives(node, w)] == [w for w in WORDS if accepts(peer, w)]


PIECES = ["root", "::=", '"a"', "[a-", "]", "(", ")", "{", "2", "}", "|", "*", ".", "\n", "#", "\\", '"', "<", "x", " "]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=15).map("".join))
def test_random_texts_are_read_or_refused(text: str) -> None:
    try:
        assert from_gbnf('root ::= "a" ' + text).start == "root"
    except PgenError as error:
        assert str(error)
