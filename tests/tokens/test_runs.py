"""Counted runs that walks of the vocabulary only count, against completability of every token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgen
from pgen.automata.runs import run_from
from pgen.language import ir
from pgen.language.base import Language

WORDS = [
    *("  ", "   ", "    ", "     ", " \n ", "\n\n", " a", "  a", "   a", "a ", "a  ", "a   ", " =", "=>", " => "),
    *("=\n", "a=", "\n" * 5, " \n\n\n", "  \n=\n=", " qx", " qy", "qx", "  qy", "( qy", "( qx", "(  qy", "(qy"),
    *(" " + 7 * "\n", "  " + 5 * "\n", "   " + 3 * "\n=", "    \n=", 3 * "\n" + 3 * " ="),
]
VOCABULARY = pgen.Vocabulary(
    [bytes([byte]) for byte in range(256)] + [w.encode() for w in WORDS] + [b""], eos=256 + len(WORDS)
)


def masks_are_right(language, texts):
    """Whether the masks along each text allow the tokens after which the language can be completed, and no others."""
    automaton = language.compile(VOCABULARY)
    for text in texts:
        state, before = automaton.start, b""
        for token in [*VOCABULARY.encode(text), None]:
            allowed = set(automaton.allowed_tokens(state).tolist()) - VOCABULARY.eos
            expected = {t for t, word in enumerate(VOCABULARY.tokens) if word and language.completable(before + word)}
            assert allowed == expected, (text, before, [VOCABULARY.tokens[t] for t in allowed ^ expected])
            if token is None or token not in allowed:
                break
            state, before = automaton.advance(state, token), before + VOCABULARY.tokens[token]


@pytest.mark.parametrize(
    "pattern",
    [
        *("[ \\n]{0,5}a", "[ \\n]{0,3}a[ \\n]{0,2}=", "(?: {0,4}a)*", " {0,2}(?:a| =)", "(?: ?\\n){0,3}a"),
        # What leads to the same state as a run without being of it.
        *(
            "a[=>]?[ \\n]*b",
            "a[=>]?[ \\n]{0,3}=?b",
            "(?:=|[ =]{0,3})a",
            "[ \\n]{0,3}[ =]{0,2}a",
            "(?: {0,3}|\\n{0,2})a",
        ),
        *("[=>]?[ \\n]*b", "[ \\n]{0,4}\\n*a", "(?: |\\n=){0,5}a", "(?:\\n| =){0,5}a"),
        # Runs that have to be of some length, or of one that depends on how they begin.
        *(" {2,4}a", " {3}a", " {1,4}", "(?:\\n {0,3}| {0,1})a", "(?: {0,2}|  \\n{0,2})a", " {0,1}=? {0,3}a"),
    ],
)
def test_masks_of_runs(pattern):
    masks_are_right(pgen.Regex(pattern), ["   a", " \n  a=", "a=> b", "  ", "= = a", "\n   a", "  \n\na", "a   ="])


pieces = st.sampled_from(
    [" {0,3}", "[ \\n]{0,4}", "[ =]{0,2}", "a", "=", "[=>]?", "\\n?", "(?: |a){0,2}", " *", "(?:a {0,2})?"]
)
patterns = st.lists(st.lists(pieces, min_size=1, max_size=4).map("".join), min_size=1, max_size=3).map("|".join)


@given(patterns, st.text(" \n=>a", max_size=6))
def test_masks_of_random_runs(pattern, text):
    masks_are_right(pgen.Regex(pattern), [text])


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(" \n=a"), st.integers(0, 4)), min_size=1, max_size=9),
    st.text(" \n=a", max_size=4),
)
def test_masks_of_random_graphs(edges, text):
    # States of graphs are entered from anywhere, those of repeats only along the run.
    node = ir.network([(source, ((ord(char), ord(char)),), target) for source, char, target in edges], [0], [1, 3])
    language = Language(ir.concat(node, ir.repeat(ir.chars([(32, 32)]), 0, 3)), description="graph")
    try:
        masks_are_right(language, [text])
    except pgen.InvalidLanguage:
        assert not any(edge[0] == 0 for edge in edges) or not language.completable(b"")


def test_white_space_of_json_takes_few_states():
    automaton = pgen.JSONSchema({"properties": {"a": {"type": "null"}}, "required": ["a"]}, whitespace="any").compile(
        VOCABULARY
    )
    state = automaton.run(VOCABULARY.encode('{"a"'))
    before = int(automaton._dfa.table.counters[0])
    automaton.mask(state)
    assert int(automaton._dfa.table.counters[0]) - before < 8


def test_how_far_a_run_goes():
    automaton = pgen.Regex("[ \\n]{0,5}a|b").compile(VOCABULARY)
    dfa, state = automaton._dfa, automaton.start
    symbol = int(dfa.nfa.class_of[ord(" ")])
    for left in (5, 4, 3, 2, 1):
        after = dfa.run(state, b" ")
        # The first state takes "b" as well, which the next does not; the last has nothing to count.
        assert run_from(dfa.memory, state, symbol, after)[1] == (left if 1 < left < 5 else 0)
        state = after
    assert dfa.run(state, b" ") == 0


def test_circles_are_no_runs():
    ways = [(0, ((32, 32),), 1), (1, ((32, 32),), 0)]
    language = Language(ir.concat(ir.literal("a"), ir.network(ways, [0], [0, 1])), description="circle")
    masks_are_right(language, ["a", "a   "])


def test_a_run_that_changes_what_comes_after_a_rule():
    # After white space the rule can only be the one before "x", though its states are the same.
    language = pgen.Grammar('start: "(" (" "~0..3 inner "x" | inner "y")\ninner: "q" | "[" inner "]"')
    masks_are_right(language, ["(", "( qx", "(qy", "(  q"])
