"""The ready-made grammars: what they take and refuse, and what they generate, against parsers written by others."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from functools import cache
from random import Random

import grammar_examples as examples
import pytest
from grammar_oracles import ORACLES

from pgen import grammars
from pgen.automata.acceptor import shortest_bytes
from pgen.errors import InvalidArgument, InvalidLanguage
from pgen.language.base import Language
from pgen.language.grammar import Grammar
from pgen.tokens import TokenAutomaton, Vocabulary

N_MEMBERS, MAX_BYTES = 60, 90
END = 256
KINDS = ("letters", "digits", "spaces", "signs", "others")


def kind(byte: int) -> str:
    character = chr(byte) if byte < 128 else "é"
    if not character.isascii() or not (character.isprintable() or character in "\t\n\r"):
        return "others"
    return (
        "letters"
        if character.isalpha()
        else "digits"
        if character.isdigit()
        else "spaces"
        if character.isspace()
        else "signs"
    )


def member(language: Language, random: Random, max_bytes: int) -> str:
    """A random member: kinds of bytes first, then a byte, so that structure is as frequent as letters."""
    automaton = language.compile(bytes_vocabulary())
    state, text = automaton.start, b""
    while True:
        allowed = set(allowed_tokens(automaton, state, max_bytes - len(text)))
        if END in allowed and (len(allowed) == 1 or random.random() < 0.15):
            return text.decode()
        groups = {name: [b for b in sorted(allowed - {END}) if kind(b) == name] for name in KINDS}
        weights = [(0 if not groups[name] else 0.05 if name == "others" else 1) for name in KINDS]
        byte = random.choice(groups[random.choices(KINDS, weights)[0]])
        state, text = automaton.advance(state, byte), text + bytes([byte])


def allowed_tokens(automaton: TokenAutomaton, state: int, budget: int) -> list[int]:
    words = automaton.mask(state, budget=budget)
    return [token for token in range(END + 1) if words[token >> 5] >> (token & 31) & 1]


@cache
def bytes_vocabulary() -> Vocabulary:
    return Vocabulary([*(bytes([b]) for b in range(256)), b"</s>"], eos=END)


@cache
def members(name: str, start: str = "start") -> tuple[str, ...]:
    """Distinct random members of a ready-made grammar, of many lengths."""
    return generated(Grammar(name, start=start))


def generated(language: Language, n: int = N_MEMBERS, max_bytes: int = MAX_BYTES) -> tuple[str, ...]:
    random, found = Random(0), {}
    shortest = shortest_bytes(language.node)
    for trial in range(2 * n):
        found[member(language, random, shortest + (trial + 1) * max_bytes // n)] = None
        if len(found) == n:
            break
    assert len(found) >= n // 2
    return tuple(found)


@cache
def language(name: str) -> Grammar:
    return Grammar(name)


def test_names_and_texts():
    assert set(grammars.names()) == set(examples.ACCEPTED) == set(examples.REJECTED)
    assert grammars.names() == tuple(sorted(grammars.names()))
    for name in grammars.names():
        assert grammars.load(name).startswith("// ")
        assert Grammar(name) == Grammar(grammars.load(name))


@pytest.mark.parametrize(
    ("name", "hint"), [("jsn", "json"), ("SQL", "sql"), ("python", "python_expr"), ("qqqq", "one of ")]
)
def test_unknown_names(name: str, hint: str):
    with pytest.raises(InvalidArgument, match=hint):
        grammars.load(name)
    with pytest.raises(InvalidLanguage, match="no grammar is named"):
        Grammar(name)


@pytest.mark.parametrize("name", grammars.names())
def test_examples_are_many(name: str):
    assert len(set(examples.ACCEPTED[name])) >= 6
    assert len(set(examples.REJECTED[name])) >= 6


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in examples.ACCEPTED.items() for t in ts])
def test_accepted(name: str, text: str):
    assert language(name).matches(text)


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in examples.REJECTED.items() for t in ts])
def test_rejected(name: str, text: str):
    assert not language(name).matches(text)


@pytest.mark.parametrize("name", grammars.names())
def test_members_pass_the_oracle(name: str):
    wrong = [text for text in (*members(name), *examples.ACCEPTED[name]) if not ORACLES[name](text)]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "start", "form"),
    [
        ("uuid", "version_4", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("uuid", "version_7", r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("iso8601", "date", r"[\dW-]+"),
        ("iso8601", "time", r"T?\d\d:?\d\d.*"),
        ("iso8601", "date_time", r"[\dW-]+T\d.*"),
        ("iso8601", "duration", r"P.*"),
        ("markdown_table", "table_3", r"(?:\|(?:(?:\\\||[^|])+\|){3}\n)+"),
    ],
)
def test_other_starts(name: str, start: str, form: str):
    texts = members(name, start)
    assert [text for text in texts if not (ORACLES[name](text) and re.fullmatch(form, text, re.IGNORECASE))] == []


def test_elements_whose_names_are_known():
    """With the template, end tags match: nothing is left that a parser could refuse."""
    notes = """
%import xml (tag, text)
start: tag{"note", language, body}
language: [" lang=\\"en\\""]
none:
body: (text | tag{"b", none, body} | tag{"i", none, body})
"""
    grammar = Grammar(notes)
    assert grammar.matches('<note lang="en"><b><i>x</i></b></note>')
    assert not grammar.matches("<note><b></i></note>")
    for text in generated(grammar, 40):
        assert ElementTree.fromstring(text).tag == "note"
