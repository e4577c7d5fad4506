"""Inputs that explode are answered in bounded time: by the right answer, or by `LimitExceeded`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

import pgen
from pgen.errors import InvalidArgument, LimitExceeded
from pgen.limits import current
from pgen.tokens import TokenAutomaton, Vocabulary

VOCABULARY = Vocabulary([*(bytes([byte]) for byte in range(256)), b"((", b"aa", b"))", b"[[", b"]]", b""], eos=261)
MOST_S = 60.0
"""Of processor time. Generous: each of these takes a second or two."""


@contextmanager
def bounded() -> Iterator[None]:
    begin = time.process_time()
    yield
    assert time.process_time() - begin < MOST_S


def compiled(language: pgen.Language) -> TokenAutomaton:
    return TokenAutomaton(language, VOCABULARY)


AMBIGUOUS = [
    "start: start start | start start start | /a/",
    "start: x*\nx: y*\ny: z+\nz: /a/ | /a/ z",
    "start: (a | a)*\na: /a+/",
]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_deep_ambiguity(text: str) -> None:
    with bounded():
        automaton = compiled(pgen.Grammar(text + "\n"))
        state = automaton.run([ord("a")] * 3000)
        assert automaton.is_accepting(state) and ord("a") in automaton.allowed_tokens(state)


@pytest.mark.parametrize("pattern", ["(a|a)*", "(a*)*b?", "((a|a)|(a|aa))*", "(a?){200}a{200}", "(a|b)*a(a|b){14}"])
def test_ambiguous_expressions(pattern: str) -> None:
    with bounded():
        automaton = compiled(pgen.Regex(pattern))
        assert automaton.is_accepting(automaton.run([ord("a")] * 300))


COUNTERS: list[Callable[[], pgen.Language]] = [
    lambda: pgen.Regex("(((a{1,1000}){1,1000}){1,1000}){1,1000}"),
    lambda: pgen.Regex("a{4000000000}"),
    lambda: pgen.Grammar('start: (("a" ~ 1..3000) ~ 1..3000) ~ 1..3000\n'),
    lambda: pgen.JSONSchema({"type": "array", "maxItems": 10**9, "minItems": 10**9}),
]


@pytest.mark.parametrize("make", COUNTERS)
def test_nested_counters(make: Callable[[], pgen.Language]) -> None:
    with bounded():
        try:
            assert compiled(make()).accepts(b"a" * 700)
        except LimitExceeded as error:
            assert any(said in error.message for said in ("repeat of", "edges", "minItems"))


def test_counters_that_multiply_when_walked() -> None:
    language, text = pgen.Regex("(a|b)*a(a|b){39}"), bytes(Random(0).choices(b"ab", k=100_000))
    with bounded(), pgen.Limits(states=20_000), pytest.raises(LimitExceeded, match=r"passed [\d,]+ states"):
        language.matches(text)


def test_wide_alternations() -> None:
    words = [f"word{i * 7919 % 10_007:05}" for i in range(10_000)]
    with bounded():
        for language in (
            pgen.Regex("|".join(words)),
            pgen.Grammar("start: " + " | ".join(f'"{w}"' for w in words) + "\n"),
        ):
            assert language.matches(words[77]) and not language.matches("word99999")
            assert len(compiled(language).allowed_tokens(2)) == 1


def test_schemas_of_a_megabyte() -> None:
    item: dict[str, Any] = {"type": "string", "enum": [f"value {i} of many" for i in range(40)]}
    properties = {
        f"property number {i}": item | {"enum": [f"{i} {text}" for text in item["enum"]]} for i in range(1200)
    }
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    assert len(json.dumps(schema)) > 1_000_000
    with bounded():
        language = pgen.JSONSchema(schema)
        assert language.matches('{"property number 7": "7 value 3 of many"}')
        assert len(compiled(language).allowed_tokens(2)) == 1


NESTED = [
    'start: "(" start? ")"',
    'start: ("[" start "]" | "(" start ")")*',
    "start: a\na: b | /x/\nb: /\\(/ a /\\)/ | /\\(/ /\\)/",
]


@pytest.mark.parametrize("text", NESTED)
def test_texts_that_nest_ten_thousand_deep(text: str) -> None:
    depth = 10_000
    with bounded():
        automaton = compiled(pgen.Grammar(text + "\n"))
        state = automaton.run([ord("(")] * depth)
        assert ord(")") in automaton.allowed_tokens(state)
        state = automaton.run([ord("(")] * depth + [ord(")")] * depth)
        assert automaton.is_accepting(state) and ord(")") not in automaton.allowed_tokens(state)


def test_values_that_nest_ten_thousand_deep() -> None:
    with bounded():
        language = pgen.JSONSchema(True)
        automaton, text = compiled(language), "[" * 10_000 + "]" * 10_000
        assert automaton.accepts(text.encode())
        assert not automaton.accepts(text[:-1].encode())


def test_settings() -> None:
    default = current()
    with pgen.Limits(edges=50) as outer:
        with pgen.Limits(edges=10):
            assert current().edges == 10
        assert current() is outer
        with pytest.raises(LimitExceeded, match="a repeat of 60 needs 60 automaton edges; the limit is 50"):
            compiled(pgen.Regex("(?:[ab]){60}"))
    assert current() == default and compiled(pgen.Regex("[ab]{60}")).forced(2) == ()
    with pgen.Limits(products=20), pytest.raises(LimitExceeded, match="needs more than 20 states"):
        compiled(pgen.Regex("(a|b)*a(a|b){5}") & pgen.Regex("(a|b)*b(a|b){4}"))
    sums = pgen.Grammar('start: "(" start ")" | /a/\n')
    with pgen.Limits(triples=20), pytest.raises(LimitExceeded, match="intersection of a grammar"):
        compiled(sums & pgen.Regex("[^b]{3,5}"))
    with pytest.raises(InvalidArgument, match="states=0"):
        pgen.Limits(states=0)


def test_an_automaton_keeps_its_limits() -> None:
    with pgen.Limits(states=300):
        automaton = compiled(pgen.Regex("(a|b)*a(a|b){12}"))
    with pytest.raises(LimitExceeded):
        automaton._dfa.complete()
