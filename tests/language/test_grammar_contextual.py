r"""`lexer="contextual"`: the same texts as Lark's LALR parser with its contextual lexer, over all short texts."""

from __future__ import annotations

from itertools import product
from typing import Any

import lark
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgen.errors import InvalidLanguage, LimitExceeded, UnsupportedFeature
from pgen.language.grammar import Grammar

GRAMMARS = {
    "keywords": (
        'start: stmt+\nstmt: "if" NAME "then" stmt | NAME "=" INT ";"\nNAME: /[a-z]+/\nINT: /[0-9]+/\n%ignore " "\n',
        "if=1;",
        ["if a then b=1;", "ifa=1;", "if=1;", "if if then a=1;", "if athen b=1;", "ifx then b=1;", "if x thenb=1;"],
    ),
    "an order of terminals": (
        'start: (INT | FLOAT | "." | NAME)+\nINT: /[0-9]+/\nFLOAT: /[0-9]+\\.[0-9]+e/\nNAME: /[a-z]+/\n',
        "1.e",
        ["1.1e", "1.1", "1.1.1e", "11e"],
    ),
    "operators": (
        'start: e\ne: t | e OP t\nt: A | "(" e ")"\nOP: "+" | "++" | "-"\nA: /a+b?/\n%ignore /[ ]+/\n',
        "a+b (",
        ["a++a", "a+ +a", "a - aab", "(a+(a))"],
    ),
    "lazy": ('start: C* A\nC: /<.*?>/\nA: /a+>?/\n%ignore "-"\n', "<a>-", ["<a>a", "<a>a>", "<<a>a", "<>a-"]),
    "options in order": ('start: (X|Y)+\nX: /a|ab/\nY: "b"\n', "ab", ["ab", "aab", "b"]),
    "ignored texts": ('start: A B? A\nA: "a"\nB: "b"\n%ignore /c+/\n%ignore "cb"\n', "abc", ["acba", "acca", "abca"]),
    "what the parser expects": ('start: "x" A | "y" B\nA: /[0-9a-f]+/\nB: /[a-z]+/\n%ignore " "\n', "xyaz ", ["xab"]),
    "texts that are ignored": ('start: A\nA: /b?c/\n%ignore "c"\n', "abc", ["cbc", "bc"]),
    "priorities": ('start: (A|B)+\nA.2: "a"\nB: /ab*/\n', "ab", ["a", "ab", "abb"]),
    "case": (
        'start: A (B | C)\nA: /[a-z]+/i\nB: "no"i\nC: "so"\n%ignore " "\n',
        "aNos ",
        ["a NO", "a so", "A nO", "a sO"],
    ),
    "json": (
        '?start: object | array | string | SIGNED_NUMBER\narray: "[" [start ("," start)*] "]"\n'
        'object: "{" [pair ("," pair)*] "}"\npair: string ":" start\nstring: ESCAPED_STRING\n'
        "%import common (ESCAPED_STRING, SIGNED_NUMBER, WS)\n%ignore WS\n",
        '[]"1, ',
        ["[1,2]", '{"a":1}', "[1 2]", '[12, "a\\"b"]', '{"a" : [1.5e3]}', '["a""b"]', '"a', "[12.e]"],
    ),
}


def differences(grammar: str, alphabet: str, more: list[str], size: int) -> list[str]:
    """Texts about which pgen and Lark do not agree."""
    parser = lark.Lark(grammar, parser="lalr", lexer="contextual", maybe_placeholders=False)
    language = Grammar(grammar, lexer="contextual")
    texts = [*more, *("".join(chars) for n in range(size + 1) for chars in product(alphabet, repeat=n))]
    return [text for text in texts if language.matches(text) != reads(parser, text)]


def reads(parser: Any, text: str) -> bool:
    try:
        parser.parse(text)
    except lark.exceptions.LarkError:
        return False
    return True


@pytest.mark.parametrize(("grammar", "alphabet", "more"), GRAMMARS.values(), ids=GRAMMARS)
def test_same_texts_as_lark(grammar: str, alphabet: str, more: list[str]) -> None:
    assert differences(grammar, alphabet, more, 5 if len(alphabet) < 4 else 3) == []


def test_prefixes() -> None:
    language = Grammar(GRAMMARS["an order of terminals"][0], lexer="contextual")
    assert language.completable("1.1") and language.matches("1.1") and language.matches("1.1e")
    keywords = Grammar(GRAMMARS["keywords"][0], lexer="contextual")
    assert keywords.completable("if a the") and not keywords.completable("if a thenx b")
    assert Grammar(GRAMMARS["keywords"][0]).matches("ifa thenb=1;") and not keywords.matches("ifa thenb=1;")


PATTERNS = [
    '"a"',
    '"ab"',
    '"b"i',
    "/a+/",
    "/a*b/",
    "/[ab]+?/",
    "/(a|ab)(b|c)?/",
    "/b?c/",
    "/a.?c/",
    '"a" | "ac"',
    "/a{2,3}/",
]
BODIES = ["A", "B", "C", "A B", "B start C", "A start", "start B", "(A | B) C", "A* C", "[A] B", "(A C)+", "C ~ 2..3"]


@st.composite
def grammars(draw: st.DrawFn) -> str:
    bodies = draw(st.lists(st.sampled_from(BODIES), min_size=1, max_size=3, unique=True))
    patterns = draw(st.lists(st.sampled_from(PATTERNS), min_size=3, max_size=3, unique=True))
    priority = draw(st.sampled_from(["", ".1"]))
    ignored = draw(st.sampled_from(["", '%ignore "c"\n', "%ignore /c+/\n", '%ignore /b+c/\n%ignore "c"\n']))
    names = zip(("A" + priority, "B", "C"), patterns, strict=True)
    return f"start: {' | '.join(bodies)}\n" + "".join(f"{name}: {said}\n" for name, said in names) + ignored


@settings(max_examples=20)
@given(grammars())
def test_random_grammars(grammar: str) -> None:
    try:
        Grammar(grammar, lexer="contextual")
    except InvalidLanguage as error:
        assert 'lexer="contextual"' in error.message or "derives no text" in error.message
    else:
        assert differences(grammar, "abc", [], 4) == []


@pytest.mark.parametrize(
    ("grammar", "said"),
    [
        ('start: "a" start "a" | "a"\n', "Shift/Reduce conflict for terminal A"),
        ('start: x | y\nx: "a"\ny: "a"\n', "Reduce/Reduce"),
        ("start: A\nA: /a(?=b)/\n", "a lookahead in a terminal .terminal A"),
        ('start: A "b"\nA: /a++/\n', "possessive"),
        ('start: A\nA: "a" & /b/\n', "Lark cannot build"),
    ],
)
def test_what_lark_or_maximal_munch_refuses(grammar: str, said: str) -> None:
    with pytest.raises(UnsupportedFeature, match=said):
        Grammar(grammar, lexer="contextual")


def test_too_many_states() -> None:
    with pytest.raises(LimitExceeded, match="states"):
        Grammar("start: A\nA: /(a|b)*a(a|b){60000}/\n", lexer="contextual")
