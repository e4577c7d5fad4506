"""Parts and holes that a context-free language can or cannot fill, against all members."""

import itertools
import random
import re

import pytest

import pgen
from pgen.gaps.automaton import FAR, GapAutomaton
from pgen.gaps.bounded import bounded_table
from pgen.gaps.emptiness import Hole, completable, contradiction

GRAMMARS = {
    "brackets": 'start: "(" start* ")"',
    "as many": 'start: "a" start "b" |',
    "mirrored": 'start: "a" start "a" | "b" start "b" | "ab"',
    "sums": 'start: "a" | start "+" start | "(" start ")"',
    "mutual": 'start: other "b" | "a"\nother: start "(" | ")"',
}
PIECES = [b"(", b")", b"()", b"a", b"b", b"ab", b"aa", b"+", b"+a", b")("]


def vocabulary_of(tokens):
    return pgen.Vocabulary([*tokens, b""], eos=len(tokens))


@pytest.mark.parametrize("name", sorted(GRAMMARS))
def test_holes_of_known_width_against_all_fillings(name):
    grammar, choose = pgen.Grammar(GRAMMARS[name]), random.Random(name)
    found = {True: 0, False: 0}
    for _ in range(40):
        letters = "".join(re.findall('"(.*?)"', GRAMMARS[name])).encode()
        useful = [piece for piece in PIECES if set(piece) <= set(letters)]
        tokens = sorted(choose.sample(useful, 3))
        kinds = [Hole(choose.randint(0, 3)), choose.choice(useful)]
        parts = [choose.choice(kinds) for _ in range(choose.randint(1, 3))]
        options = [
            [b"".join(f) for f in itertools.product(tokens, repeat=part.n_tokens)] if isinstance(part, Hole) else [part]
            for part in parts
        ]
        expected = any(grammar.matches(b"".join(text)) for text in itertools.product(*options))
        assert completable(grammar, vocabulary_of(tokens), parts) == expected
        found[expected] += 1
    assert min(found.values()) > 0


@pytest.mark.parametrize("name", sorted(GRAMMARS))
def test_holes_of_any_width_agree_with_gaps_that_have_room(name):
    """Every sequence of up to three tokens with holes around each: the same as distances over a bounded table."""
    grammar, choose, checked = pgen.Grammar(GRAMMARS[name]), random.Random(name), 0
    while checked < 24:
        vocabulary = vocabulary_of(sorted(choose.sample(PIECES, 4)))
        try:
            gaps = GapAutomaton(bounded_table(grammar.compile(vocabulary), 10), budgeted=True)
        except pgen.InvalidLanguage:
            continue
        for _ in range(4):
            sequence = tuple(choose.randrange(4) for _ in range(choose.randint(0, 3)))
            parts = [Hole(), *(part for t in sequence for part in (vocabulary.tokens[t], Hole()))]
            assert completable(grammar, vocabulary, parts) == (gaps.look(gaps.start(sequence)).fewest < FAR)
            checked += 1


def test_an_unbounded_hole_is_not_a_hole_of_known_width():
    grammar, vocabulary = pgen.Grammar(GRAMMARS["as many"]), vocabulary_of([b"a", b"b"])
    assert completable(grammar, vocabulary, [b"a", Hole(), b"b"])
    assert completable(grammar, vocabulary, [b"a", Hole(2), b"b"])
    assert not completable(grammar, vocabulary, [b"a", Hole(1), b"b"])


def test_the_part_that_contradicts_is_named():
    grammar = pgen.Grammar("json")
    vocabulary = vocabulary_of([bytes([byte]) for byte in range(256)])
    assert contradiction(grammar, vocabulary, [b'{"a": ', Hole(), b', "b": [', Hole(), b"]}"]) is None
    # The hole may open a string, in which both brackets stand.
    assert contradiction(grammar, vocabulary, [b'{"a": ', Hole(), b"}", b"]"]) == 4
    assert contradiction(grammar, vocabulary, [b'{"a": 1', b"}", b"]"]) == 2
    assert contradiction(grammar, vocabulary, [b"[1,", b"2"]) == 2
    assert contradiction(grammar, vocabulary, [b"{]", Hole()]) == 0
    with pytest.raises(pgen.InvalidArgument, match="negative"):
        Hole(-1)
