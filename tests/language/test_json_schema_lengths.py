"""Lengths of shortest texts that are told without automata: automata decide."""

import itertools
from decimal import Decimal

import pytest

from pgen.language.json_schema import strings
from pgen.language.json_schema.formats import PATTERNS, SHORTEST
from pgen.language.json_schema.meet import numbers
from pgen.language.json_schema.numbers import number
from pgen.language.json_schema.shapes import NumberShape, Restriction, Shape, StringShape
from pgen.language.json_schema.shortest import Shortest, shortest_bytes
from pgen.language.json_schema.spelling import quoted, spelled

BOUNDS = [
    None,
    *map(Decimal, ["-12345", "-100", "-99.5", "-10", "-9.5", "-1", "0", "0.5", "9", "9.5", "10", "99", "256"]),
]


def told(option):
    def unexpected(option, parts):
        raise AssertionError("told without an automaton")

    return Shortest(unexpected).of(Shape((option,)))


@pytest.mark.parametrize("name", PATTERNS)
def test_formats(name):
    restriction = Restriction("format", name)
    assert told(StringShape(restrictions=(restriction,))) == 2 + SHORTEST[name]
    assert 2 + SHORTEST[name] == shortest_bytes(quoted(spelled(strings.node(restriction))))


@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("steps", [(), (Decimal("0.5"),), (Decimal(7),)], ids=str)
def test_numbers(integer, steps):
    for low, high, is_open in itertools.product(BOUNDS, BOUNDS, (False, True)):
        shape = numbers(NumberShape(integer, low, high, is_open and low is not None, False, steps), NumberShape())
        if shape is not None:
            assert told(shape) == shortest_bytes(number(shape)), shape
