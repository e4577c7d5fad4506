"""Explanations against completability by trying, Lark's expected terminals, and known paths in JSON texts."""

import json
import random
import time

import lark
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgen
from pgen.automata.acceptor import automaton
from pgen.automata.following import in_words, next_ranges
from pgen.language import ir
from pgen.language.json_schema.places import place_at_end

CHARACTERS = [*map(chr, range(0x20, 0x7F)), "\n", "\0", "é", "ß", "€", "\ud7ff", "\ue000", "\uff5e", "😀", "\U0010ffff"]
PATTERNS = [
    "[ab]{2}c?",
    r"\d+-\w*",
    "(?s:.)é",
    "[^a-z]+",
    "x(?:y|zé)*",
    "€|😀+",
    "[\x00-\U0010ffff]a",
    r"(?=.*b)[a-c]{1,3}",
    "[à-ï€-😀]x",
]
SUMS = r"""
    start: sum
    sum: product (("+" | "-") product)*
    product: atom (("*" | "/") atom)*
    ?atom: NUMBER | "(" sum ")"
    NUMBER: /[0-9]+/
    %ignore " "
"""

texts = st.text(alphabet="abcxyz19-é€😀 ", max_size=5)


@given(st.sampled_from(PATTERNS), texts)
@settings(max_examples=80)
def test_the_place_the_status_and_what_can_follow(pattern, text):
    language = pgen.Regex(pattern)
    found = language.explain(text)
    good = max(n for n in range(len(text) + 1) if language.completable(text[:n]))
    assert found.offset == len(text[:good].encode())
    assert bool(found) == language.matches(text)
    assert (found.status == "rejected") == (not language.completable(text))
    assert (found.line, found.column) == (1, good + 1)
    dfa = automaton(language.node)
    ranges = next_ranges(dfa, dfa.run(dfa.start, text[:good].encode()))
    for char in CHARACTERS:
        inside = any(low <= ord(char) <= high for low, high in ranges)
        assert inside == language.completable(text[:good] + char), char
    assert str(found)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[ab]", ["'a'", "'b'"]),
        (r"\d", ["a digit"]),
        (r"\w", ["a word character"]),
        ("[0-9]", ["0 to 9"]),
        ("[a-zA-Z_-]", ["A to Z", "a to z", "'-'", "'_'"]),
        ("(?s:.)", ["any character"]),
        ('[^"]', ["any character but '\"'"]),
        ("[4-9]", ["'4' to '9'"]),
    ],
)
def test_classes_in_words(pattern, said):
    node = pgen.Regex(pattern).node
    ranges = (
        node.ranges if isinstance(node, ir.Chars) else tuple((ord(w), ord(w)) for w in map(bytes.decode, node.words))
    )
    assert in_words(ranges) == said


def test_what_is_expected_goes_on_as_far_as_it_must():
    assert pgen.choice("yes", "no, never").explain("").expected == ("'no, never'", "'yes'")
    assert pgen.Regex("a(b|cd)?").explain("a").status == "member"
    assert pgen.Regex("a(b|cd)").explain("ax").expected == ("'b'", "'cd'")
    assert pgen.Regex("ab?").explain("ax").expected == ("'b'", "the end")


def test_texts_that_end_inside_a_character():
    assert pgen.Regex("é+").explain(b"\xc3").expected == ("the rest of a character",)
    broken = pgen.Regex("é+").explain(b"\xc3\xa9\xc3(")
    assert (broken.status, broken.offset, broken.column) == ("rejected", 2, 2)
    assert (pgen.Regex("é").explain("ê").offset, pgen.Regex("é").explain("é").offset) == (0, 2)


def test_lines_and_columns():
    found = pgen.Grammar('start: (WORD "\\n")+\nWORD: /[a-z]+/').explain("ab\né\nx")
    assert (found.line, found.column, found.offset) == (2, 1, 3)
    assert str(found).splitlines() == [
        "line 2, column 1: 'é' cannot stand here; expected a to z or the end",
        "    é",
        "    ^",
        "in WORD in rule start",
    ]


LETTERS = """
    start: left | right
    left: A left? B | C
    right: A D+ E?
    A: "a"
    B: "b"
    C: "c"
    D: "d"
    E: "e"
"""


@given(st.text(alphabet="abcde", max_size=6))
@settings(max_examples=60)
def test_terminals_are_those_that_lark_expects(text):
    parser = lark.Lark(LETTERS, parser="earley", lexer="dynamic_complete")
    found = pgen.Grammar(LETTERS).explain(text)
    ours = {part.split(" in ")[0] for part in found.parts}
    try:
        parser.parse(text)
    except lark.UnexpectedEOF as error:
        assert found.status == "incomplete" and ours == set(error.expected)
    except lark.UnexpectedCharacters as error:
        assert found.status == "rejected" and ours == set(error.allowed) - {"$END"}
        assert found.offset == error.pos_in_stream
    else:
        assert found


def test_rules_and_terminals_of_a_grammar():
    sums = pgen.Grammar(SUMS)
    assert sums.explain("(1 + 22").parts == ("NUMBER in rule atom", "rule atom", "rule product", "rule sum")
    assert sums.explain("1 + *").parts[0] == "NUMBER in rule atom"
    assert sums.explain("1 2").expected[0] == "' '"
    template = pgen.Grammar('start: pair{X}\npair{t}: t "," t\nX: "x"').explain("x,")
    assert template.parts == ("X in rule pair{X}",)
    right = pgen.Grammar('start: "a" start | "b"').explain("a" * 2000)
    assert right.parts == ("rule start",)


def test_rules_that_derive_nothing_are_passed():
    grammar = pgen.Grammar("""
        start: empty empty pair B
        pair: empty A empty
        empty: C*
        A: "a"
        B: "b"
        C: "c"
    """)
    assert {part.split()[0] for part in grammar.explain("").parts} == {"A", "C"}
    assert {part.split()[0] for part in grammar.explain("cca").parts} == {"B", "C"}


def test_pieces_of_a_pattern():
    dates = pgen.Regex(r"[0-9]{4}-[0-9]{2}(?:T\d+)?")
    assert dates.explain("20").parts == ("the piece [0-9]{4} at 1 of the pattern",)
    assert dates.explain("2020").parts == ("the piece - at 9 of the pattern",)
    assert dates.explain("2020-01x").parts == (r"the piece (?:T\d+)? at 18 of the pattern",)
    assert pgen.Regex("a|b").explain("c").parts == ()
    assert pgen.Regex("(?i)ab").explain("c").parts == ()


def test_holes_and_tags_say_what_their_languages_say():
    item = pgen.JSONSchema(
        {"type": "object", "properties": {"n": {"maximum": 5, "type": "integer"}}, "required": ["n"]}
    )
    template = pgen.template("{id}: {item}.", id=pgen.Regex("[0-9]{2}x"), item=item)
    assert template.explain('12x: {"n": 6}.').parts == (
        "the value at /n, with maximum 5 (#/properties/n/maximum), in hole item",
    )
    assert template.explain("1").parts == ("the piece [0-9]{2} at 1 of the pattern, in hole id",)
    calls = pgen.tagged(("<a>", item, "</a>"), ("<b>", "x", "</b>"), triggers=["<"])
    assert calls.explain('hm <a>{"n": ').parts == (
        'the value at /n, with type "integer" (#/properties/n/type), in tag 1 (<a>)',
        "the value at /n, with maximum 5 (#/properties/n/maximum), in tag 1 (<a>)",
    )


@given(st.integers(0, 2**32))
@settings(max_examples=60)
def test_places_in_json_texts(seed):
    """The path of a mark put into a random value is found in front of the mark."""
    rng = random.Random(seed)

    def value(depth):
        kind = rng.choice(["leaf", "array", "object"] if depth < 3 else ["leaf"])
        if kind == "leaf":
            return rng.choice([1, -2.5e3, 'x,"{[', None, True, "\\"])
        if kind == "array":
            return [value(depth + 1) for _ in range(rng.randrange(1, 4))]
        return {rng.choice(["a", "b/", "~c", 'q"', "é"]): value(depth + 1) for _ in range(rng.randrange(1, 4))}

    whole = [value(0)]
    place, path = whole, []
    while isinstance(place, (list, dict)):
        step = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
        path.append(step)
        inner = place[step]
        if not isinstance(inner, (list, dict)):
            place[step] = "MARK"
        place = inner
    text = json.dumps(whole, ensure_ascii=rng.choice([True, False]), indent=rng.choice([None, 1]))
    found = place_at_end(text[: text.index('"MARK"')])
    assert (found.steps, found.doing) == (tuple(path), "value")
    assert place_at_end(text[: text.index("MARK") + 2]).steps == tuple(path)


SCHEMA = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1},
        "kind": {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]},
    },
    "required": ["items"],
    "additionalProperties": False,
    "$defs": {
        "item": {
            "type": "object",
            "properties": {"n": {"type": "integer", "exclusiveMinimum": 0}, "s": {"pattern": "^x", "type": "string"}},
            "required": ["n"],
            "additionalProperties": False,
        }
    },
}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('{"items": [{"n": 0}]}', ["the value at /items/0/n, with exclusiveMinimum 0 (#/$defs/item/properties/n/exclusiveMinimum)"]),
        ('{"items": [{"n": 1, "s": "y"}]}', ['the value at /items/0/s, with pattern "^x" (#/$defs/item/properties/s/pattern)']),
        ('{"items": []}', ["the members at /items, with minItems 1 (#/properties/items/minItems)"]),
        ('{"items": [{}]}', ['the members at /items/0, with required ["n"] (#/$defs/item/required)']),
        ('{"item', []),
        ('{"other": 1}', ["the names at the root, with additionalProperties false (#/additionalProperties)"]),
        ('{"items": [{"n": 1}], "kind": "c"}', ['the value at /kind, with enum ["a", "b"] (#/properties/kind/anyOf/0/enum)', 'the value at /kind, with type "null" (#/properties/kind/anyOf/1/type)']),
        ("3", ['the value at the root, with type "object" (#/type)']),
    ],
)  # fmt: skip
def test_keywords_that_decide(text, parts):
    found = pgen.JSONSchema(SCHEMA).explain(text)
    assert not found
    assert list(found.parts) == parts if parts else found.parts[0].startswith("the names at the root, with properties")


@pytest.mark.parametrize(
    ("more", "text", "said"),
    [
        ({"uniqueItems": True, "items": {"enum": ["a", "b"]}}, '["a", "a"]', ["uniqueItems true (#/uniqueItems)"]),
        ({"uniqueItems": True, "items": {"enum": ["a", "b"]}}, '["a", "c"]', ['enum ["a", "b"] (#/items/enum)']),
        ({"uniqueItems": True, "items": {"enum": ["a", "b"]}}, '["a",  "b"]', ['enum ["a", "b"] (#/items/enum)']),
        ({"contains": {"const": 5}, "items": {"type": "integer"}}, "[1, 2]", ['contains {"const": 5} (#/contains)']),
        ({"contains": {"const": "x"}}, '["y"]', ['contains {"const": "x"} (#/contains)']),
        ({"items": {"type": "integer"}, "minItems": 2}, "[1]", ["minItems 2 (#/minItems)"]),
    ],
)
def test_keywords_of_all_items(more, text, said):
    found = pgen.JSONSchema({"type": "array", **more}).explain(text)
    assert [part.partition(", with ")[2] for part in found.parts] == said


def test_residual_facts_and_empty_languages():
    found = pgen.JSONSchema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}).explain("[1, 1]")
    assert found.status == "residual" and not found
    assert [fact.pointer for fact in found.failed] == ["/uniqueItems"]
    assert "uniqueItems" in str(found)
    empty = pgen.literal("a") & pgen.literal("b")
    assert str(empty.explain("a")) == "the language has no members"
    assert str(pgen.literal("a").explain("a")) == "the text is a member"


def test_long_texts_are_explained_quickly():
    sums = pgen.Grammar(SUMS)
    begun = time.perf_counter()
    found = sums.explain("1 + (2 * 3) + " * 500 + "*")
    assert found.offset == 14 * 500 and found.parts[0] == "NUMBER in rule atom"
    assert time.perf_counter() - begun < 10
