"""Masks of insertion under context-free languages without a table, against distances and all members."""

import itertools
import math
import random
import re

import numpy as np
import pytest
from gap_oracles import is_subsequence
from insertion_oracles import random_insertion, text_masses

import pgen
from pgen.backends.tabular import TabularInsertion
from pgen.errors import LimitExceeded
from pgen.gaps import written
from pgen.gaps.automaton import FAR, GapAutomaton
from pgen.gaps.bounded import bounded_table
from pgen.gaps.emptiness import Hole, completable
from pgen.gaps.grammar import GrammarGaps
from pgen.programs.insertion_process import InsertionProcess

GRAMMARS = {
    "brackets": 'start: "(" start* ")"',
    "as many": 'start: "a" start "b" |',
    "mirrored": 'start: "a" start "a" | "b" start "b" | "ab"',
    "sums": 'start: "a" | start "+" start | "(" start ")"',
    "mutual": 'start: other "b" | "a"\nother: start "(" | ")"',
}
PIECES = [b"(", b")", b"()", b"a", b"b", b"ab", b"aa", b"+", b"+a", b")("]


def settings(name, count, n_tokens=4):
    """Vocabularies of the letters of a grammar, with sequences."""
    choose, made = random.Random(name), 0
    letters = set("".join(re.findall('"(.*?)"', GRAMMARS[name])).encode())
    useful = [piece for piece in PIECES if set(piece) <= letters]
    while made < count:
        tokens = sorted(choose.sample(useful, min(len(useful), choose.randint(2, n_tokens))))
        sequence = tuple(choose.randrange(len(tokens)) for _ in range(choose.randint(0, 3)))
        yield pgen.Vocabulary([*tokens, b""], eos=len(tokens)), sequence
        made += 1


@pytest.mark.parametrize("name", sorted(GRAMMARS))
def test_masks_with_budgets_equal_the_enumeration_of_all_members(name):
    """Against all members with up to five more tokens: rows, fewest insertions, stop, and masks for every budget."""
    grammar, found = pgen.Grammar(GRAMMARS[name]), {True: 0, False: 0}
    for vocabulary, sequence in settings(name, 25, n_tokens=3):
        n_tokens, room = len(vocabulary) - 1, 5
        members = [
            member
            for size in range(len(sequence) + room + 1)
            for member in itertools.product(range(n_tokens), repeat=size)
            if is_subsequence(sequence, member) and grammar.matches(vocabulary.decode(member))
        ]
        gaps = GrammarGaps(grammar, vocabulary)
        state = gaps.start(sequence)
        rows, fewest = gaps.look(state).rows[:, gaps.class_of], gaps.look(state).fewest
        least = min((len(member) - len(sequence) for member in members), default=None)
        assert fewest == least if least is not None else fewest > room
        for gap, token in itertools.product(range(len(sequence) + 1), range(n_tokens)):
            grown = (*sequence[:gap], token, *sequence[gap:])
            least = min((len(m) - len(grown) for m in members if is_subsequence(grown, m)), default=None)
            assert rows[gap, token] == least if least is not None else rows[gap, token] >= room, (sequence, gap, token)
            found[least is not None] += 1
        assert (rows[:, -1] == FAR).all()
        assert gaps.look(state).is_member == grammar.matches(vocabulary.decode(sequence))
    assert min(found.values()) > 0


@pytest.mark.parametrize("name", sorted(GRAMMARS))
def test_distances_agree_with_those_of_a_table_that_has_room(name):
    grammar, compared, longest = pgen.Grammar(GRAMMARS[name]), 0, 9
    for vocabulary, sequence in settings(name, 30):
        try:
            table = bounded_table(grammar.compile(vocabulary), longest)
        except pgen.InvalidLanguage:
            continue
        most = longest - len(sequence)
        counted, gaps = GapAutomaton(table, budgeted=True), GrammarGaps(grammar, vocabulary)
        far, state = counted.start(sequence), gaps.start(sequence)
        expected, rows = (
            each[:, owner.class_of]
            for each, owner in ((counted.look(far).rows, counted), (gaps.look(state).rows, gaps))
        )
        assert np.array_equal(np.where(rows < most, rows, FAR), np.where(expected < most, expected, FAR))
        assert min(gaps.look(state).fewest, most + 1) == min(counted.look(far).fewest, most + 1)
        for gap, token in np.argwhere(expected < FAR)[:3].tolist():
            assert gaps.insert(state, gap, token).tokens == counted.insert(far, gap, token).tokens
        compared += expected.size
    assert compared > 5


def test_texts_have_the_masses_of_all_histories_without_a_table_too(monkeypatch):
    def refuse(*given):
        raise LimitExceeded("too many states")

    monkeypatch.setattr(written, "_limited_table", refuse)
    written.budgeted_gaps.cache_clear()
    brackets = pgen.Vocabulary([b"(", b")", b"()", b"<eos>"], eos=3)
    lm, grammar = random_insertion(brackets, 5), pgen.Grammar(GRAMMARS["brackets"])
    masses = text_masses(lm, (), 4, grammar)
    text = lm.text("", max_tokens=4).given(grammar)
    assert isinstance(InsertionProcess(text)._gaps[0], GrammarGaps)
    posterior = pgen.infer(text, method=pgen.Enumerate())
    written.budgeted_gaps.cache_clear()
    assert math.exp(posterior.log_evidence) == pytest.approx(sum(masses.values()), abs=1e-12)
    assert set(posterior.probabilities()) == set(masses)


def test_a_grammar_that_no_table_holds():
    """JSON with up to 60 bytes has more states than any table may have; its masks against emptiness one by one."""
    letters = [bytes([byte]) for byte in b'{}[]",:0tru']
    vocabulary = pgen.Vocabulary([*letters, b'"t', b"<eos>"], eos=len(letters) + 1)
    lm = TabularInsertion(vocabulary, lambda tokens: (np.zeros((len(tokens) + 1, len(vocabulary))), 0.0))
    gaps = InsertionProcess(lm.text("", max_tokens=60).given(pgen.Grammar("json")))._gaps[0]
    assert isinstance(gaps, GrammarGaps)
    sequence = vocabulary.encode('{"t:]')
    rows = gaps.look(gaps.start(sequence)).rows[:, gaps.class_of]
    assert 0 < (rows < FAR).sum() < rows.size
    assert gaps.look(gaps.start(vocabulary.encode('{"t'))).fewest == 4  # ":0}
    for gap in (0, 2, len(sequence)):
        for token in range(len(letters)):
            grown = [vocabulary.tokens[t] for t in (*sequence[:gap], token, *sequence[gap:])]
            parts = [Hole(), *(part for piece in grown for part in (piece, Hole()))]
            assert (rows[gap, token] < FAR) == completable(pgen.Grammar("json"), vocabulary, parts)
