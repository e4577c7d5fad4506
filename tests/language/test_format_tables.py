"""Formats whose networks come with the package: they are those of the patterns, and masks are made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgen.automata.acceptor import difference
from pgen.language import ir
from pgen.language.json_schema import JSONSchema, format_tables, strings
from pgen.language.json_schema.formats import PATTERNS
from pgen.language.json_schema.shapes import Restriction, StringShape
from pgen.language.regex import Regex
from pgen.testing import format_tables as maker
from pgen.tokens import Vocabulary

OTHERS = {"hostname", "uri-reference", "json-pointer", "relative-json-pointer"}
"""Too large, with the empty string, and beyond ASCII."""


def test_the_tables_are_those_of_the_patterns():
    assert Path(format_tables.__file__).read_text() == maker.module(), "write them again (pgen.testing.format_tables)"
    assert set(format_tables.TABLES) == set(PATTERNS) - OTHERS


@pytest.mark.parametrize("name", sorted(set(PATTERNS) - OTHERS))
def test_a_table_has_the_strings_of_its_pattern(name):
    ready = strings.ready(StringShape(restrictions=(Restriction("format", name),)))
    assert isinstance(ready, ir.Packed)
    assert difference(ir.unpacked(ready), Regex(PATTERNS[name]).node) is None


@pytest.mark.parametrize("also", [{}, {"minLength": 20}, {"maxLength": 20}, {"pattern": "9"}])
def test_masks_of_a_format_with_or_without_more(also):
    vocabulary = Vocabulary([bytes([byte]) for byte in range(256)] + [b"<end>"], eos=256)
    automaton = JSONSchema({"type": "string", "format": "date-time", **also}).compile(vocabulary)
    assert automaton.accepts(b'"2024-02-29T23:59:59Z"')
    assert automaton.accepts(rb'"2024-02-29\u0054\u00323:59:59Z"')
    assert not automaton.accepts(b'"2023-02-29T23:59:59Z"')


@pytest.mark.parametrize(("also", "held"), [({"minLength": 8}, [False, True]), ({"maxLength": 7}, [True, False])])
def test_masks_of_a_format_hold_its_length(also, held):
    vocabulary = Vocabulary([bytes([byte]) for byte in range(256)] + [b"<end>"], eos=256)
    automaton = JSONSchema({"type": "string", "format": "ipv4", **also}).compile(vocabulary)
    assert [automaton.accepts(text) for text in (b'"1.2.3.4"', b'"1.2.3.45"')] == held
