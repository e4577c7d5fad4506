"""Merged states, and vocabularies cut to what a model writes: the same masks and the same texts."""

import math
import random

import numpy as np
import pytest
from gap_oracles import fewest_insertions, random_automaton, random_tokens
from insertion_oracles import random_insertion, text_masses

import pgen
from pgen.backends.tabular import TabularInsertion
from pgen.gaps.automaton import FAR, GapAutomaton
from pgen.gaps.merging import merged
from pgen.gaps.written import written_part
from pgen.tokens.classes import TokenTable, token_table


def doubled(table, choose):
    """The same language with every state but the first there twice, edges leading to either."""
    n = table.n_states
    copies = np.where(
        table.delta < 0,
        -1,
        table.delta + n * np.array(choose.choices([0, 1], k=table.delta.size)).reshape(table.delta.shape),
    )
    again = np.where(
        table.delta < 0,
        -1,
        table.delta + n * np.array(choose.choices([0, 1], k=table.delta.size)).reshape(table.delta.shape),
    )
    return TokenTable(
        table.class_of,
        np.vstack([copies, again]).astype(np.int32),
        np.tile(table.accepting, 2),
        np.tile(table.nearest, 2),
    )


@pytest.mark.parametrize("pattern", ["(ab)+a?", "a{2,5}(b|ab)*", "(a|b)*abb", "a?b?(ab){3}", ""])
def test_merging_keeps_the_language_and_finds_the_smallest_table(pattern):
    vocabulary = pgen.Vocabulary([b"a", b"b", b"ab", b"<eos>"], eos=3)
    table = token_table(pgen.Regex(pattern).compile(vocabulary))
    small, choose = merged(table), random.Random(pattern)
    for _ in range(5):
        again = merged(doubled(table, choose))
        assert again.n_states == small.n_states <= table.n_states
        assert np.array_equal(again.delta, small.delta) and np.array_equal(again.nearest, small.nearest)
    assert (
        len({(a, *row) for a, row in zip(small.accepting.tolist(), small.delta.tolist(), strict=True)})
        == small.n_states
    )
    for length in range(6):
        for tokens in np.ndindex(*[3] * length):
            assert accepts(small, tokens) == accepts(table, tokens)


def accepts(table, tokens):
    state = 0
    for token in tokens:
        state = table.delta[state, table.class_of[token]] if state >= 0 else -1
    return state >= 0 and bool(table.accepting[state])


def test_masks_of_merged_tables_equal_a_search_over_all_insertions():
    for seed in range(60):
        choose = random.Random(seed)
        automaton, tokens = random_automaton(choose), random_tokens(choose)
        delta = np.array([[automaton.run(s, token) for token in tokens] for s in range(automaton.n_states)], np.int32)
        accepting = np.array([s in automaton.accepting for s in range(automaton.n_states)])
        nearest = np.zeros(automaton.n_states, np.int32)
        table = TokenTable(np.arange(len(tokens), dtype=np.int32), delta, accepting, nearest)
        gaps = GapAutomaton(merged(table), budgeted=True)
        sequence = tuple(choose.randrange(len(tokens)) for _ in range(choose.randint(0, 4)))
        rows = gaps.look(gaps.start(sequence)).rows
        for gap in range(len(sequence) + 1):
            for token in range(len(tokens)):
                fewest = fewest_insertions(automaton, tokens, (*sequence[:gap], token, *sequence[gap:]))
                assert rows[gap, token] == (FAR if fewest is None else fewest)


class Writes(TabularInsertion):
    """A model that says which tokens it writes."""

    written = frozenset({0, 1})


def test_tokens_that_are_never_written_change_no_weighted_text():
    vocabulary = pgen.Vocabulary([b"a", b"b", b"ab", b"ba", b"<eos>"], eos=4)
    compared = 0
    for seed in range(6):
        random_lm = random_insertion(vocabulary, seed)

        def insert(tokens, lm=random_lm):
            slots, stop = lm._insert(tokens)
            masses = np.exp(slots)
            masses[:, 2:] = 0.0
            total = masses.sum() + math.exp(stop)
            with np.errstate(divide="ignore"):
                return np.log(masses / total), stop - math.log(total)

        for language in (pgen.Regex("(ab)+a?"), pgen.Grammar('start: "a" start "b" |')):
            lm = Writes(vocabulary, insert)
            expected = text_masses(lm, (), 3, language)
            compared += bool(expected)
            if not expected:
                continue
            posterior = pgen.infer(lm.text("", max_tokens=3).given(language), method=pgen.Enumerate())
            assert math.exp(posterior.log_evidence) == pytest.approx(sum(expected.values()), abs=1e-12)
            assert set(posterior.probabilities()) == set(expected)
    assert compared > 6


def test_what_the_model_cannot_write_is_found_before_any_call():
    vocabulary = pgen.Vocabulary([b"a", b"b", b"c", b"<eos>"], eos=3)

    def never(tokens):
        raise AssertionError("the model was asked")

    with pytest.raises(pgen.InvalidLanguage, match="no sequence of tokens spells"):
        pgen.infer(Writes(vocabulary, never).text("", max_tokens=3).given(pgen.Regex("a+c")))
    assert written_part(vocabulary, frozenset({0, 1, 2})) is vocabulary


def test_the_bundled_model_writes_atoms_and_signs_only():
    lm = pgen.load("molecules-insertion", device="cpu")
    assert lm.written == frozenset(range(24))
    step = lm.insertions([(1, 2)])[0]
    assert np.isfinite(step.slots[:, sorted(lm.written)]).all()
    others = [t for t in range(len(lm.vocabulary)) if t not in lm.written]
    assert np.isneginf(step.slots[:, others]).all()


def test_a_grammar_whose_shortest_member_is_too_long_is_told():
    vocabulary = pgen.Vocabulary([b"(", b")", b"a", b"<eos>"], eos=3)
    lm = TabularInsertion(vocabulary, lambda tokens: (_ for _ in ()).throw(AssertionError("the model was asked")))
    grammar = pgen.Grammar('start: "(" start ")" | "(" "(" "(" "a" ")" ")" ")"')
    with pytest.raises(pgen.InvalidArgument, match="more than 5 tokens, but only 5"):
        pgen.infer(lm.text("", max_tokens=5).given(grammar))
