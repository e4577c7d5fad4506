"""Malformed grammars: the message, the place, and no exception but pgen's own, whatever the text."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pgen.errors import InvalidLanguage, LimitExceeded, PgenError
from pgen.language.grammar import Grammar


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("start: x\n", 1, 8, "rule x is not defined"),
        ("start: X\n", 1, 8, "terminal X is not defined"),
        ('start: "a"\ny: "b"\n  | X\n', 3, 5, "terminal X is not defined"),
        ('start: VALUE\nVALUES: "a"\n', 1, 8, r"did you mean VALUES\?"),
        ('start: sep{"a"}\n_sep{x}: x\n', 1, 8, r"did you mean _sep\?"),
        ("%ignore SPACE\nstart: /a/\n", 1, 9, "terminal SPACE is not defined"),
        ('start: "a" "b"\n  "c"\n', 2, 3, r"(?s)expected the name.*after \| or inside brackets"),
        ('start: "a" )\n', 1, 12, r"expected \|, an operator or the next definition"),
        ('start: ("a"\nx: "b"\n', 1, 8, r"this \( is not closed"),
        ('start: ["a" "b"', 1, 8, r"this \[ is not closed"),
        ('start: ("a"]\n', 1, 12, r"expected \)"),
        ('start "a"\n', 1, 7, "(?s)expected :.*start: "),
        (": /a/\n", 1, 1, "expected the name of a rule or terminal"),
        ('start: "a\n', 1, 8, "this string has no end"),
        ("start: 'a'\n", 1, 8, "double quotes"),
        ("start: /a\nb/\n", 1, 8, "several lines"),
        ("start: /a\n", 1, 8, "this regular expression has no end"),
        ("start: /* a */\n", 1, 8, "comments begin"),
        ("start: /a(b/\n", 1, 10, "missing \\)"),
        ("start: /(a/is\n", 1, 9, "missing \\)"),
        ("start: /a/\nunused: /[b-a]/\n", 2, 11, "bad character range"),
        ("start: /a/l\n", 1, 9, "in this regular expression"),
        ("start: /a/;\n", 1, 11, "begins nothing"),
        ('start: ""\n', 1, 8, "an empty string"),
        ("start: /a*/\n", 1, 8, "this terminal matches the empty string"),
        ('start: A\nB: "b"\nA: B?\n', 3, 1, "terminal A matches the empty string"),
        ("start: A\nA: ~/a/\n", 2, 1, "terminal A matches the empty string"),
        ('start: "a"\n%ignore /b?/\n', 2, 9, "matches the empty string"),
        ("start: A\nA: \n", 2, 1, "terminal A matches the empty string"),
        ('start: A\nA: B\nB: "b" A\n', 3, 8, "terminal A contains itself"),
        ('start: A\nA: x\nx: "x"\n', 2, 4, "rule x inside a terminal"),
        ('start: A\nA: x{"b"}\nx{y}: y\n', 2, 4, "template x inside a terminal"),
        ("start: start\n", 1, 1, "rule start derives no text"),
        ('start: a "x"\na: b | a\nb: a\n', 1, 1, "rule start derives no text"),
        ('other: "a"\n', 1, 1, "(?s)no rule start.*other"),
        ('strat: "a"\n', 1, 1, r"did you mean strat\?"),
        ('START: "a"\n', 1, 1, "no rule start"),
        ("start{x}: x\n", 1, 1, "has parameters"),
        ('start: "a"\nstart: "b"\n', 2, 1, "(?s)rule start is defined twice.*%override"),
        ('start: A\nA: "a"\nA: "b"\n', 3, 1, "terminal A is defined twice"),
        ('%override start: "a"\n', 1, 11, "nothing to override"),
        ('start: "a"\n%extend star: "b"\n', 2, 9, r"(?s)nothing to extend.*did you mean start\?"),
        ('start: x{"a"}\nx{y}: y\n%extend x{y, z}: z\n', 3, 9, "other parameters"),
        ('start: x{"a", "b"}\nx{y}: y\n', 1, 8, "1 parameters, and here 2 arguments"),
        ('start: x{"a"}\nx: "b"\n', 1, 8, "0 parameters, and here 1 arguments"),
        ("start: x\nx{y}: y\n", 1, 8, r"(?s)template x without its arguments.*x\{y\}"),
        ('start: x{"a"}\nx{y, y}: y\n', 2, 6, "parameter y comes twice"),
        ('start: "a"\nX{y}: y\n', 2, 1, "terminal X cannot have parameters"),
        ('start: x{("a" "b")}\nx{y}: y\n', 1, 9, "expected"),
        ('start: "a"~2..1\n', 1, 11, "wrong way round"),
        ('start: "a"~-1\n', 1, 12, "cannot come -1 times"),
        ('start: "a"~99999999999999\n', 1, 12, "times"),
        ('start: "a"~2..\n', 1, 15, "expected a number of times"),
        ('start: "a"*?\n', 1, 11, "two operators in a row"),
        ('start: * "a"\n', 1, 8, "expected"),
        ('start: "b".."a"\n', 1, 8, "is empty"),
        ('start: "aa".."b"\n', 1, 8, "one character to another"),
        ('start: "a"..b\nb: "b"\n', 1, 13, "ends the range"),
        ('start: "\\x1"\n', 1, 9, "incomplete escape"),
        ('start: "\\U00110000"\n', 1, 9, "beyond the last code point"),
        ('start: "\\ud800"\n', 1, 8, "lone surrogate"),
        ("start: %json [1]\n", 1, 14, "a JSON object must follow"),
        ('start: %json {"a" 1}\n', 1, 19, "malformed JSON"),
        ("%foo bar\n", 1, 1, "unknown statement %foo"),
        ("%import common.NOPE\nstart: /a/\n", 1, 16, "common.lark has no terminal NOPE"),
        ("%import common.INTT\nstart: /a/\n", 1, 16, r"did you mean INT\?"),
        ("%import common.INT -> x\nstart: x\n", 1, 16, "cannot be imported as x"),
        ("%import common\nstart: /a/\n", 1, 15, "common.INT"),
        ("%import common.INT\nINT: /a/\nstart: INT\n", 2, 1, "defined twice"),
        ("%import common.INT -> A\n%import common.WORD -> A\nstart: A\n", 2, 16, "A is imported twice"),
        ("start.x: /a/\n", 1, 7, "a priority"),
        ("start[3]: /a/\n", 1, 7, "an attribute"),
        ('start: "a" ->\n', 1, 14, "the alias"),
        ("start: /a/ é\n", 1, 12, "begins nothing"),
    ],
)
def test_what_is_wrong_and_where(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(InvalidLanguage, match=message) as caught:
        Grammar(text)
    assert f"(line {line}, column {column})" in str(caught.value)


@pytest.mark.parametrize("text", ["", " ", "*", "x" * 100, '"a"', "start = /a/"])
def test_neither_text_nor_name(text: str) -> None:
    with pytest.raises(InvalidLanguage, match="neither a grammar nor its name"):
        Grammar(text)


def chain(n: int, body: str, last: str) -> str:
    lines = (body.format(name=f"R{i}", next=f"R{i + 1}") for i in range(n))
    return "start: R0\n" + "\n".join(lines) + f"\nR{n}: {last}\n"


@pytest.mark.parametrize(
    "text",
    [
        "start: " + "(" * 5000 + '"a"' + ")" * 5000,
        "start: A\nA: " + "~" * 5000 + '"a"',
        chain(40, "{name}: {next} {next}", '"a"'),
        chain(40, "{name}: {next} | {next}", "/(?=a)a/"),
        chain(40, "{name}: {next}~9", "/(?=a)a/"),
        chain(40, "{name}: ~{next} & {next}", '"a"'),
        chain(2000, '{name}: "b" ({next} | "c")', '"a"'),
        'start: a{"x"}\na{x}: a{p{x, x}}\np{x, y}: x y\n',
        'start: a{"x"}\na{x}: a{p{x}} | "c"\np{x}: x "d"\n',
        "start: /" + "(" * 200 + "a" + ")" * 200 + "/",
    ],
)
def test_grammars_without_reasonable_bounds(text: str) -> None:
    begin = time.perf_counter()
    with pytest.raises(LimitExceeded):
        Grammar(text)
    assert time.perf_counter() - begin < 3


@pytest.mark.parametrize(
    "text",
    [
        "start: " + " | ".join(f'"word{i}"' for i in range(3000)),
        "start: A\nA: " + " | ".join(f'"word{i}"' for i in range(3000)),
        "start: r0\n" + "\n".join(f"r{i}: r{i + 1}" for i in range(3000)) + '\nr3000: "a"',
        chain(3000, "{name}: {next}", '"a"'),
        "// comment\n" * 3000 + 'start: "a"',
        "start: " + "b " * 3000 + '\nb: "b"',
        "start: " + "(" * 60 + '"a"' + ")?" * 60,
    ],
)
def test_large_grammars_are_read(text: str) -> None:
    begin = time.perf_counter()
    assert Grammar(text).start == "start"
    assert time.perf_counter() - begin < 5


SAMPLE = r"""
%import common (INT, WS)
%import common.ESCAPED_STRING -> STR
%ignore WS
?start: _list{item} | "[" [start] "]" -> two
_list{x}: x ("," x)*   // a comment
!item.2: INT | STR | A~2..3 | pair+ # another
pair: "k"i ":" item
    | /[a-c]+(?=d)d/is
A: "a".."c" & ~B | "\x41\n"
B: /b{1,2}/ ["x"]
%declare C
%extend A: %json {"const": 1} "!"
h[lazy]: /x+/ B{1,2}
"""


def test_the_sample_is_a_grammar() -> None:
    assert Grammar(SAMPLE).unused == ("h",)


PIECES = ['"', "/", "(", ")", "[", "]", "{", "}", "|", "~", "&", "->", "..", "%", "%import ", "%json ", "\n", ":", "\\"]
PIECES += [
    ",",
    "*",
    "?",
    "+",
    "<",
    ">",
    "@",
    "!",
    "_",
    "start",
    "A",
    "item",
    "2",
    "-1",
    "\x00",
    "é",
    "\ud800",
    "//",
    " ",
]
EDITS = st.lists(
    st.tuples(st.integers(0, len(SAMPLE)), st.integers(0, 12), st.sampled_from(PIECES) | st.text(max_size=3)),
    min_size=1,
    max_size=4,
)


def edited(edits: list[tuple[int, int, str]]) -> str:
    text = SAMPLE
    for at, n_removed, added in edits:
        text = text[:at] + added + text[at + n_removed :]
    return text


@settings(max_examples=400)
@given(EDITS.map(edited))
@example("")
@example("start: /\ud800/\n")
@example('start: "\ud800"\n')
@example("start: <\ud800>\n")
def test_changed_grammars_are_read_or_refused(text: str) -> None:
    try:
        assert Grammar(text).rules[0] == "start"
    except PgenError as error:
        assert str(error)


@settings(max_examples=300)
@given(st.lists(st.sampled_from([*PIECES, '"a"', "/a/", "start: ", "\n"]), max_size=20).map("".join))
def test_random_statements_are_read_or_refused(text: str) -> None:
    try:
        assert Grammar("start: " + text).start == "start"
    except PgenError as error:
        assert str(error)
