"""What `Grammar` reads besides plain rules: imports, terminals' operators, llguidance's extensions, attributes."""

from __future__ import annotations

import ast
import pickle
import re
from itertools import product

import lark
import pytest

from pgen.errors import InvalidArgument, InvalidLanguage, LimitExceeded, UnsupportedFeature
from pgen.language import ir
from pgen.language.grammar import Grammar
from tests.support.derivations import derives


def holds(grammar: Grammar, inside: list[str], outside: list[str]) -> None:
    assert [text for text in inside if not derives(grammar.node, text)] == []
    assert [text for text in outside if derives(grammar.node, text)] == []


JSON = r"""
?start: value
?value: object | array | string | SIGNED_NUMBER -> number | "true" | "false" | "null"
array: "[" [value ("," value)*] "]"
object: "{" [pair ("," pair)*] "}"
pair: string ":" value
string: ESCAPED_STRING
%import common.ESCAPED_STRING
%import common.SIGNED_NUMBER
%import common.WS
%ignore WS
"""


def test_the_json_of_larks_tutorial() -> None:
    texts = ["[]", ' [ 1 , -2.5e3, "a" ]', '{"a": {"b\\"": null}}', "true", '"\\\\"']
    wrong = ["[", "[1,]", '{"a"}', '["a"b"]', '"\\"', "tru e", "1 2", ""]
    holds(Grammar(JSON), texts, wrong)
    parser = lark.Lark(JSON, parser="lalr")
    for text in wrong:
        with pytest.raises(lark.exceptions.UnexpectedInput):
            parser.parse(text)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("ESCAPED_STRING", ['""', '"a"', '"\\""', '"\\\\"', '"é\\n"'], ['"', '"\\"', '"a"b"', '"\n"', "a"]),
        ("C_COMMENT", ["/**/", "/* a\n*/", "/***/", "/*/*/", "/* / **/"], ["/*", "/*/", "/* */ */", "/**/ "]),
        ("CPP_COMMENT", ["//", "// a"], ["/", "// \n"]),
        ("SIGNED_FLOAT", ["-1.5", "1e3", ".5", "+1.E-2"], ["1", "-", "1e", "."]),
        ("CNAME", ["a_1", "_"], ["1a", "a-"]),
        ("NEWLINE", ["\n", "\r\n\n"], ["\r", ""]),
        ("HEXDIGIT", ["a", "F", "0"], ["g", "00"]),
    ],
)
def test_common_terminals_are_what_lark_finds(name: str, inside: list[str], outside: list[str]) -> None:
    text = f"%import common.{name}\nstart: {name}\n"
    holds(Grammar(text), inside, outside)
    parser = lark.Lark(text, parser="earley", lexer="dynamic")
    for word in inside:
        parser.parse(word)
    for word in outside:
        with pytest.raises(lark.exceptions.LarkError):
            parser.parse(word)


def test_every_terminal_of_common_compiles() -> None:
    names = re.findall(r"^([A-Z]\w*)\s*:", _shipped("common.lark"), re.MULTILINE)
    assert len(names) > 20
    for name in names:
        assert Grammar(f"%import common.{name}\nstart: {name}\n").node != ir.EMPTY


def _shipped(name: str) -> str:
    from importlib.resources import files

    return files("lark.grammars").joinpath(name).read_text()


def test_python_expressions_of_larks_grammar() -> None:
    grammar = Grammar("%import python.expr -> start\n%ignore / +/\n")
    inside = [
        "a",
        "f(x, y=1)",
        "[i for i in x]",
        "not_a.b[1:2]",
        "'it\\'s'",
        'b"x" b"y"',
        "1_0 + 0xFf * -2",
        '"""a"b"""',
    ]
    for text in inside:
        ast.parse(text, mode="eval")
    holds(grammar, inside, ["a +", "f(", "'a", "a b", '"""a"""b"""'])


def test_statements_of_python_need_declared_terminals() -> None:
    with pytest.raises(UnsupportedFeature, match=r"_INDENT is only declared.*python\.lark"):
        Grammar("%import python.file_input -> start\n")


def test_python_strings_are_those_of_larks_pattern() -> None:
    grammar = Grammar("%import python (STRING, LONG_STRING)\nstart: STRING | LONG_STRING\n")
    patterns = [re.search(rf"^{n}: /(.*)/i", _shipped("python.lark"), re.M)[1] for n in ("STRING", "LONG_STRING")]  # type: ignore[index]
    for size in range(6):
        for number in range(3**size):
            text = "'" + "".join("'a\\"[number // 3**k % 3] for k in range(size))
            found = [m for p in patterns if (m := re.match(p, text, re.I | re.S)) and m[0] == text]
            assert derives(grammar.node, text) == bool(found), text


def test_imports_of_files(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "words.lark").write_text(
        'pair{x}: x SEP x\nword: LETTER+\nLETTER: "a" | "b"\nSEP: "-"\nrest: word'
    )
    (tmp_path / "mine.lark").write_text(
        "%import .deep.words (word, pair, SEP)\n%import deep.words.LETTER -> L\n"
        'start: pair{word} | rest\nrest: L "!"\n%override SEP: "+"\n%extend L: "c"\n%ignore " "\n'
    )
    holds(Grammar.from_file(tmp_path / "mine.lark"), ["ab+b", "a + b", "c!"], ["a-b", "c+c", "ab!", "a"])
    (tmp_path / "over.lark").write_text('%import .mine.start\n%import .mine.rest\n%override rest: "z"\n')
    holds(Grammar.from_file(tmp_path / "over.lark"), ["ab+b", "z"], ["a + b", "a!"])


def test_files_that_cannot_be_imported(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "loop.lark").write_text('%import .loop.start -> other\nstart: other | "a"\n')
    (tmp_path / "bad.lark").write_text("start: (\n")
    (tmp_path / "latin.lark").write_bytes(b'start: "\xe9"\n')
    with pytest.raises(InvalidLanguage, match=r"loop\.lark imports itself"):
        Grammar.from_file(tmp_path / "loop.lark")
    with pytest.raises(InvalidLanguage, match=r"is not closed, in bad\.lark \(line 1, column 8\)"):
        Grammar("%import .bad.start\n", folder=tmp_path)
    with pytest.raises(InvalidLanguage, match="cannot read the grammar"):
        Grammar.from_file(tmp_path / "latin.lark")
    with pytest.raises(InvalidLanguage, match="cannot read the grammar"):
        Grammar.from_file(tmp_path / "none.lark")
    with pytest.raises(InvalidLanguage, match="no grammar none to import from"):
        Grammar("%import none.X\nstart: X\n")
    with pytest.raises(InvalidLanguage, match="relative import"):
        Grammar("%import .none.X\nstart: X\n")


def test_one_terminal_under_two_names() -> None:
    grammar = Grammar('%import common.INT\n%import common.INT -> A\n%extend A: "x"\nstart: A "," INT\n')
    holds(grammar, ["1,2", "x,2", "x,x"], ["y,1"])


@pytest.mark.parametrize(
    ("terminal", "inside", "outside"),
    [
        ("/[a-z]+/ & ~KEYWORD", ["iff", "i", "x"], ["if", "else", ""]),
        ("/[ab]{1,3}/ & /.*a/ | C", ["a", "ba", "c"], ["b", "bb", "aaaa"]),
        ("C ~/[ab]/ C", ["cc", "cabc", "ccc"], ["cac", "cbc", "c"]),
        ("(C | ~/(?s:.*)/)~2", ["cc"], ["c"]),
        ("/x(?=y)/ /[a-z]/", ["xy"], ["xz", "x"]),
        ("/(?!if)/ /[a-z]+/", ["i", "fi"], ["if", "iffy"]),
        ("C{2}", ["cc"], ["c", "ccc"]),
        ("C{1,}", ["c", "ccc"], [""]),
        ("C C{,2}", ["c", "ccc"], ["cccc"]),
        ('"\\/"', ["\\/"], ["/"]),
        ("/a.b/s", ["a\nb"], []),
        ("/a.b/", ["a.b"], ["a\nb"]),
        ('"ß"i "k"i', ["ßk", "ẞK", "ß\u212a"], ["ssk"]),
    ],
)
def test_terminal_operators(terminal: str, inside: list[str], outside: list[str]) -> None:
    holds(Grammar(f'start: A\nA: {terminal}\nKEYWORD: "if" | "else"\nC: "c"\n'), inside, outside)


def test_lazy_terminals_end_where_they_first_can() -> None:
    grammar = Grammar('start: head "x"\nhead[lazy]: TEXT "<f"\nTEXT: /(.|\\n)*/\n')
    holds(grammar, ["<fx", "a<b<fx"], ["<f<fx", "<f", "x"])


def test_inline_schemas() -> None:
    grammar = Grammar('start: "call" %json {"type": "object", "properties": {"n": {"enum": [1, "}"]}}, '
                      '"required": ["n"], "additionalProperties": false} ";"\n%ignore " "\n')  # fmt: skip
    holds(grammar, ['call {"n": 1};', 'call{"n":"}"} ;'], ['call {"n": 2};', "call {};", 'call { "n": 1};'])
    terminal = Grammar('start: A | "x"\nA: %json {"const": null} "!"\n')
    holds(terminal, ["null!", "x"], ["null"])
    with pytest.raises(UnsupportedFeature, match=r"residual.*uniqueItems"):
        Grammar('start: %json {"type": "array", "uniqueItems": true, "items": {"type": "integer"}, "maxItems": 3}\n')
    free = Grammar('start: %json {"properties": {"a": {"type": "null"}}, "type": "object", "minProperties": 1} ";"\n')
    holds(free, ['{"a": null};', '{"b": 1, "b": 2};', '{"a": null, "b": {"c": []}};'], ["{};", '{"b": 1, "a": 1};'])
    with pytest.raises(UnsupportedFeature, match="two properties of one name"):
        Grammar('start: %json {"type": "object", "minProperties": 2}\n')
    with pytest.raises(InvalidLanguage, match=r"in this schema.*line 1, column 8"):
        Grammar('start: %json {"type": "nope"}\n')


def test_attributes_and_names_of_llguidance() -> None:
    grammar = Grammar('%llguidance {}\nstart: my-rule\nmy-rule[capture, capture="x"]: A-B\nA-B: "a"\n')
    holds(grammar, ["a"], ["b"])
    for attribute in ("max_tokens=3", 'stop="x"', "temperature=0"):
        with pytest.raises(UnsupportedFeature, match="the attribute"):
            Grammar(f"start[{attribute}]: /a/\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("start: A\nA: <[1-2]>\n", r"special token <\[1-2\]>"),
        ("start: @other\n", "by reference"),
        ('start: %regex {"substring_words": "a b"}\n', "%regex"),
        ('%llguidance {"no_forcing": true}\nstart: "a"\n', "%llguidance"),
        ("%declare A\nstart: A\n", "terminal A is only declared"),
        ("%declare x\nstart: x\n", "rule x is only declared"),
        ("start: /a(?>a)b/\n", r"the atomic group.*column 10"),
        ("start: /(a)\\1/i\n", r"the back-reference.*column 12"),
        ('start: "a" & "b"\n', "& and ~ outside of terminals"),
        ("start: /b(?<=^a(?=b))/\n", "in this terminal"),
        ("start: A\nA: /(?=a)/ (B & B)\nB: /a/\n", "beside &"),
    ],
)
def test_what_no_set_of_texts_can_be(text: str, message: str) -> None:
    with pytest.raises(UnsupportedFeature, match=message):
        Grammar(text)


def test_unused_declarations_and_rules_do_no_harm() -> None:
    grammar = Grammar('start: x "a"\nx: A\nA: B\nB: "b"\nC: D\nD: "d"\ny: y | <eos> | Z\n%declare Z\n')
    assert grammar.unused == ("C", "D", "y")
    assert grammar.rules == ("start", "x")
    assert (grammar.start, grammar.lexer) == ("start", "dynamic_complete")


def test_grammars_are_values() -> None:
    text = 'start: "a" start | X\nX: /b+/\n'
    first, second = Grammar(text), Grammar(text)
    assert first == second and hash(first) == hash(second) and first != Grammar(text + 'Y: "c"\n%ignore Y')
    assert pickle.loads(pickle.dumps(first)) == first
    assert repr(first) == "Grammar('start: \"a\" start | X\\nX: /b+/')"
    assert repr(Grammar(text, start="start")) == repr(first)
    assert repr(Grammar('x: "' + "a" * 80 + '"', start="x")).endswith("…', start='x')")


def test_other_start_and_regular_grammars() -> None:
    grammar = Grammar('start: "a"\nother: "b" "c"?\n', start="other")
    holds(grammar, ["b", "bc"], ["a", ""])
    assert grammar.unused == ("start",)
    assert not any(isinstance(node, ir.Ref) for node in ir.descendants(grammar.node))


def test_combined_with_other_languages() -> None:
    inner = Grammar('start: "(" start ")" | "x"\n')
    assert derives((inner + "!").node, "((x))!")
    assert derives((inner | "y").node, "y")


def test_named_grammars(monkeypatch: pytest.MonkeyPatch) -> None:
    import pgen.grammars

    monkeypatch.setattr(pgen.grammars, "names", lambda: ["dates", "json"], raising=False)
    monkeypatch.setattr(pgen.grammars, "load", {"dates": 'start: "1970"'}.__getitem__, raising=False)
    assert derives(Grammar("dates").node, "1970")
    assert repr(Grammar("dates")) == "Grammar('dates')"
    with pytest.raises(InvalidLanguage, match=r"(?s)no grammar is named 'date'.*did you mean dates\?"):
        Grammar("date")


def test_arguments_are_checked() -> None:
    for wrong in (None, 3, b"start: /a/"):
        with pytest.raises(InvalidArgument, match="a grammar and its start are str"):
            Grammar(wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="a grammar and its start are str"):
        Grammar("start: /a/", start=None)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="lexer="):
        Grammar("start: /a/", lexer="basic")


def test_deep_json_in_a_schema_is_an_error() -> None:
    with pytest.raises(LimitExceeded, match="nested too deep"):
        Grammar("start: %json " + '{"items": ' * 100_000 + "{}" + "}" * 100_000 + "\n")


LOOKING_AROUND = {
    "a comment of Verilog": ("start: (COMMENT | /[ab]/)+\nCOMMENT: /\\/\\*(\\*(?!\\/)|[^*])*\\*\\//", "a/*", 6),
    "no word inside": ('start: "a"? TEXT ">"\nTEXT: /((?!<a)[<a])+/', "<a>", 6),
    "behind, across fragments": ("start: TEXT\nTEXT: (A /(?<!ba)b/)+\nA: /(?:b?a|b)/", "ab", 8),
}


@pytest.mark.parametrize("name", LOOKING_AROUND)
def test_terminals_that_look_around_in_repeats(name: str) -> None:
    """Each terminal sees itself only, as in Lark where nothing follows or precedes that could matter."""
    text, alphabet, longest = LOOKING_AROUND[name]
    grammar, peer = Grammar(text), lark.Lark(text, parser="earley", lexer="dynamic_complete")
    for n in range(1, longest + 1):
        for letters in product(alphabet, repeat=n):
            assert grammar.matches(found := "".join(letters)) == _parses(peer, found), found


def _parses(peer: lark.Lark, text: str) -> bool:
    try:
        peer.parse(text)
    except lark.exceptions.LarkError:
        return False
    return True
