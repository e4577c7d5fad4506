"""Automata over the spellings of JSON strings, against `json.loads` and `re`, and against plain nodes by proof."""

import itertools
import json
import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgen import JSONSchema, Limits, Regex, Vocabulary
from pgen.automata.acceptor import completable
from pgen.automata.dfa import LazyDFA
from pgen.automata.layout import DEAD
from pgen.automata.nfa import text_fragment
from pgen.automata.pieces import Fragment
from pgen.automata.spellings import _templates, spelled
from pgen.errors import LimitExceeded
from pgen.language import ir
from pgen.language.json_schema import spelling
from pgen.language.json_schema.formats import PATTERNS

CHARACTERS = 'aAz09/"\\\b\f\n\r\t\x00\x1f \x7fé\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0001f600\U0010ffff'
PATTERNS_OF_ONE = [
    ".",
    "[a-z]",
    "[^a]",
    "[^é]",
    r"[\x00-\x1f\"\\/]",
    "[\u0080-\uffff]",
    "[\U00010000-\U0010ffff]",
    r"\W",
]


def spellings_of(char: str) -> list[str]:
    """Every way to write a character between the quotes of a JSON string, and some that are none."""
    units = char.encode("utf-16-be")
    words = [units[at : at + 2].hex() for at in range(0, len(units), 2)]
    cased = [set(map("".join, itertools.product(*((d, d.upper()) for d in word)))) for word in words]
    hexadecimal = ["".join(rf"\u{word}" for word in way) for way in itertools.product(*cased)]
    short = {'"': r"\"", "\\": r"\\", "/": r"\/", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
    return [char, "\\" + char, *hexadecimal, *([short[char]] if char in short else [])]


def value_of(body: str) -> str | None:
    try:
        value = json.loads(f'"{body}"')
    except json.JSONDecodeError:
        return None
    return value if isinstance(value, str) else None


def automaton(node: ir.Node) -> LazyDFA:
    return LazyDFA(spelled(text_fragment(node)))


def accepts(dfa: LazyDFA, body: str) -> bool:
    return not dfa.is_empty and dfa.is_accepting(dfa.run(dfa.start, body.encode()))


def are_equal(left: LazyDFA, right: LazyDFA) -> bool:
    """Whether two automata have the same members, by walking both at once."""
    if left.is_empty or right.is_empty:
        return left.is_empty == right.is_empty
    left.complete()
    right.complete()
    tables = [dfa.table.transitions[:, dfa.nfa.class_of] for dfa in (left, right)]  # (states, 256)
    met, waiting = {(left.start, right.start)}, [(left.start, right.start)]
    for a, b in waiting:
        if left.is_accepting(a) != right.is_accepting(b):
            return False
        after = set(zip(tables[0][a].tolist(), tables[1][b].tolist(), strict=True))
        waiting += after - met
        met |= after
    return True


@pytest.mark.parametrize("pattern", PATTERNS_OF_ONE)
def test_one_character_in_all_its_spellings(pattern):
    found = automaton(Regex(f"(?s:{pattern})").node)
    for char in CHARACTERS:
        for body in spellings_of(char):
            value = value_of(body)
            expected = value is not None and re.fullmatch(f"(?s:{pattern})", value) is not None
            assert accepts(found, body) == expected, (pattern, body)


@pytest.mark.parametrize("pattern", ['(?:é|ü|\n|")*x', "a(?:b|\U0001f600)?", "[^/]*/", "(?:[a-c]|é){2}", "()"])
def test_strings_of_several_characters(pattern):
    found, rng = automaton(Regex(pattern).node), random.Random(3)
    letters = sorted({*pattern, "a", "b", "x", "é", "/"} - set("(?:|)*[]^-{2}"))
    for text in map("".join, itertools.chain.from_iterable(itertools.product(letters, repeat=n) for n in range(4))):
        body = "".join(rng.choice(spellings_of(char)) for char in text)
        value = value_of(body)
        assert accepts(found, body) == (value is not None and re.fullmatch(pattern, value) is not None), body


RANGES = st.lists(
    st.one_of(st.integers(0, 0x10FFFF), st.sampled_from([ord(c) + d for c in CHARACTERS for d in (-1, 0, 1)])),
    min_size=2,
)


@settings(max_examples=60)
@given(RANGES)
def test_classes_are_spelled_as_plain_nodes_are(bounds):
    node = ir.chars((min(p), max(p)) for p in zip(bounds[::2], bounds[1::2], strict=False) if min(p) >= 0)
    if ir.is_empty(node):
        return
    assert are_equal(automaton(node), LazyDFA(text_fragment(spelling.spelled(node))))


@pytest.mark.parametrize("name", sorted(set(PATTERNS) - {"hostname", "idn-hostname"}))
def test_formats_are_spelled_as_plain_nodes_are(name):
    node = Regex(PATTERNS[name]).node
    assert are_equal(automaton(node), LazyDFA(text_fragment(spelling.spelled(node))))


def test_products_and_complements_leave_no_state_that_leads_nowhere():
    node = ir.intersect(Regex("(?:ab|cd|xy)*z").node, ir.complement(Regex(".*(?:cd|x).*").node))
    found = text_fragment(node)
    assert are_equal(LazyDFA(spelled(found)), LazyDFA(text_fragment(spelling.spelled(Regex("(?:ab)*z").node))))
    sources = {0, *found.edges[:, 3].tolist(), *found.jumps[:, 1].tolist()}
    ends = {1, *found.edges[:, 0].tolist(), *found.jumps[:, 0].tolist()}
    assert sources | ends == set(range(found.n_states)) and ends >= sources - {1}
    nothing = text_fragment(ir.intersect(Regex("a+").node, Regex("b+").node))
    assert nothing.n_states == 0 or not len(nothing.edges)


def test_names_that_are_none_of_some_words_with_controls_and_quotes():
    words, barred = ["a\nb", 'say "x"', "plain"], ["pre\t"]
    leaf, nodes = spelling.others(words, barred), spelling.other_than(words, barred)
    assert isinstance(leaf, ir.Spelled)
    dfa = LazyDFA(spelled(text_fragment(leaf.values)))
    assert are_equal(dfa, LazyDFA(text_fragment(nodes)))
    for text in (*words, "pre\tx", "a\n", "pre", "", "other"):
        assert accepts(dfa, json.dumps(text)[1:-1]) == (text not in words and not text.startswith("pre\t"))


@pytest.mark.filterwarnings("ignore::pgen.language.json_schema.SchemaWarning")
def test_a_contradiction_among_alternatives_is_left_out():
    schema = {"anyOf": [{"const": 1}, {"type": "string", "allOf": [{"pattern": "^a+$"}, {"pattern": "^b+$"}]}]}
    names = {"patternProperties": {"^a+$": {"const": 1}}, "propertyNames": {"pattern": "^b+$"}}
    for part in (schema, {"properties": {"p": schema}, "additionalProperties": False}, names):
        language = JSONSchema(part, whitespace="compact")
        automaton = language.compile(Vocabulary([bytes([byte]) for byte in range(256)] + [b""], eos=256))
        for text in ("1", '"a"', '"', '{"p":1}', '{"p":"', '{"a":1', '{"b":2}', '{"', "{}"):
            reached = automaton._dfa.run(automaton.start, text.encode())
            assert (reached != DEAD) == completable(language.node, text.encode()), (part, text)


def test_too_many_edges_are_refused_before_they_are_made():
    values: Fragment = text_fragment(Regex("[a-z]{100}").node)
    assert len(spelled(values).edges) > 500
    with Limits(edges=500), pytest.raises(LimitExceeded, match="JSON spellings"):
        spelled(values)


def test_equal_sets_of_ranges_share_one_template():
    ways = [[(97, 97)], [(97, 98)], [(97, 97)], [(97, 97), (99, 99)], [(99, 99)], [(97, 98)]]
    starts = np.cumsum([0, *map(len, ways)])
    which, _, firsts, sizes = _templates(starts, np.array([one for way in ways for one in way], np.int64))
    assert which.tolist() == [0, 1, 0, 2, 3, 1]
    assert len(sizes) == len(firsts) - 1 == 4
