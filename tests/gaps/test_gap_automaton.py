"""Masks and stop rule of insertion against searches over all completions."""

import itertools
import random
import re

import numpy as np
import pytest
from gap_oracles import (
    fewest_by_enumeration,
    fewest_insertions,
    is_subsequence,
    random_automaton,
    random_tokens,
    token_table,
)

import pgen
from pgen.gaps import automaton as module
from pgen.gaps import store
from pgen.gaps.automaton import FAR, GapAutomaton
from pgen.gaps.bounded import bounded_table

N_SETTINGS = 420


def setting(seed, acyclic=False):
    choose = random.Random(seed)
    automaton, tokens = random_automaton(choose, acyclic), random_tokens(choose)
    sequences = [tuple(choose.randrange(len(tokens)) for _ in range(choose.randint(0, 4))) for _ in range(5)]
    return automaton, tokens, sequences


def inserted(sequence, gap, token):
    return (*sequence[:gap], token, *sequence[gap:])


def expected_rows(sequence, n_tokens, fewest):
    rows = [[fewest(inserted(sequence, gap, t)) for t in range(n_tokens)] for gap in range(len(sequence) + 1)]
    return np.array([[FAR if count is None else count for count in row] for row in rows])


@pytest.mark.parametrize("block", range(6))
def test_masks_stop_and_budgets_equal_a_search_over_all_insertions(block):
    """6 x 70 random automata with 5 sequences each, every budget: 2,100 sequences."""
    for seed in range(block * N_SETTINGS // 6, (block + 1) * N_SETTINGS // 6):
        automaton, tokens, sequences = setting(seed)
        table = token_table(automaton, tokens)
        counted, free = GapAutomaton(table, budgeted=True), GapAutomaton(table, budgeted=False)
        for sequence in sequences:
            rows = expected_rows(sequence, len(tokens), lambda s, a=automaton, t=tokens: fewest_insertions(a, t, s))
            state, plain = counted.start(sequence), free.start(sequence)
            assert np.array_equal(np.minimum(counted.look(state).rows[:, table.class_of], FAR), rows)
            assert np.array_equal(free.allowed(plain), rows < FAR)
            for left in range(4):
                assert np.array_equal(counted.allowed(state, left), rows <= left - 1)
            member = automaton.accepts(b"".join(tokens[t] for t in sequence))
            assert counted.look(state).is_member == free.look(plain).is_member == member
            fewest = fewest_insertions(automaton, tokens, sequence)
            assert min(counted.look(state).fewest, FAR) == (FAR if fewest is None else fewest)


@pytest.mark.parametrize("block", range(3))
def test_masks_equal_the_enumeration_of_all_members(block):
    """On acyclic automata every member is short: 3 x 40 automata, nothing but products and subsequences."""
    for seed in range(1000 + 40 * block, 1040 + 40 * block):
        automaton, tokens, sequences = setting(seed, acyclic=True)
        gaps = GapAutomaton(token_table(automaton, tokens), budgeted=False)
        for sequence in {s[:2] for s in sequences}:
            rows = expected_rows(
                sequence, len(tokens), lambda s, a=automaton, t=tokens: fewest_by_enumeration(a, t, s, a.n_states - 1)
            )
            assert np.array_equal(gaps.allowed(gaps.start(sequence)), rows < FAR)


@pytest.mark.parametrize("most", [3, 8])
def test_insertions_one_by_one_within_a_limit(most):
    """What a limit rules out is followed no further; all else is as without one, through every way of inserting."""
    compared = 0
    for seed in range(150):
        automaton, tokens, _ = setting(seed)
        table, choose = token_table(automaton, tokens), random.Random(seed)
        within, free = GapAutomaton(table, True, most), GapAutomaton(table, True)
        state = within.start()
        for left in range(most, -1, -1):
            found, plain = within.look(state), free.look(free.start(state.tokens))
            assert np.array_equal(found.rows, np.where(plain.rows < left, plain.rows, FAR))
            assert found[1:] == (plain.fewest if plain.fewest <= left else FAR, plain.is_member)
            compared += (found.rows < FAR).any()
            moves = np.argwhere(within.allowed(state)).tolist() or [[0, 0]]
            state = within.insert(state, *map(int, choose.choice(moves)))
    assert compared > 150


@pytest.mark.parametrize("budgeted", [False, True])
def test_insertions_one_by_one_lead_to_the_state_of_the_whole_sequence(budgeted):
    compared = 0
    for seed in range(300):
        automaton, tokens, _ = setting(seed)
        table, choose = token_table(automaton, tokens), random.Random(seed)
        gaps, other = GapAutomaton(table, budgeted), GapAutomaton(table, budgeted)
        state = gaps.start()
        for _ in range(6):
            allowed = np.argwhere(gaps.allowed(state))
            if not len(allowed):
                break
            gap, token = (int(i) for i in choose.choice(allowed.tolist()))
            state = gaps.insert(state, gap, token)
            fresh = other.start(state.tokens)
            assert np.array_equal(gaps.look(state).rows, other.look(fresh).rows)
            assert (gaps.look(state).fewest, gaps.look(state).is_member) == (
                other.look(fresh).fewest,
                other.look(fresh).is_member,
            )
            compared += 1
    assert compared > 500


def test_what_is_forgotten_is_worked_out_again(monkeypatch):
    """Room for next to nothing: states outlive what was known of them, and one sequence alone may need more."""
    emptied = 0
    for seed in range(60):
        automaton, tokens, sequences = setting(seed)
        table = token_table(automaton, tokens)
        roomy = GapAutomaton(table, budgeted=True)
        with monkeypatch.context() as patched:
            patched.setattr(store, "MAX_BYTES", 0)
            patched.setattr(store, "MIN_VECTORS", 2)
            patched.setattr(module, "MAX_KNOWN", 2)
            tight = GapAutomaton(table, budgeted=True)
            memory = tight._store.memory
            states = [tight.insert(tight.start(sequence), len(sequence), 0) for sequence in sequences]
            for _, (sequence, state) in itertools.product(range(2), zip(sequences, states, strict=True)):
                found, whole = tight.look(state), roomy.look(roomy.start((*sequence, 0)))
                assert np.array_equal(found.rows, whole.rows)
                assert found[1:] == whole[1:]
                assert len(tight._known) <= 2
            emptied += tight._store.memory is not memory
    assert emptied > 30


@pytest.mark.parametrize("most", [0, 1, 2, 3, 5, 200])
def test_members_of_more_tokens_than_a_limit_do_not_count(most):
    compared = 0
    for seed in range(80):
        automaton, tokens, sequences = setting(seed)
        table = token_table(automaton, tokens)
        within, counted = GapAutomaton(table, True, most), GapAutomaton(table, True)
        for sequence in sequences:
            state, plain = within.insert(within.start(sequence), 0, 0), counted.look(counted.start((0, *sequence)))
            left = most - len(sequence) - 1
            assert np.array_equal(within.look(state).rows, np.where(plain.rows < left, plain.rows, FAR))
            assert within.look(state).fewest == (plain.fewest if plain.fewest <= left else FAR)
            compared += (plain.rows < left).any()
    assert compared > 60 or most < 200


def test_an_allowed_insertion_never_leads_into_a_dead_end():
    for seed in range(200):
        automaton, tokens, sequences = setting(seed)
        gaps = GapAutomaton(token_table(automaton, tokens), budgeted=True)
        for sequence in sequences:
            state = gaps.start(sequence)
            rows = gaps.look(state).rows[:, gaps.table.class_of]
            for gap, token in np.argwhere(rows < FAR):
                assert gaps.look(gaps.insert(state, int(gap), int(token))).fewest == rows[gap, token]


GRAMMARS = {
    "brackets": 'start: "(" start* ")"',
    "as many": 'start: "a" start "b" |',
    "mirrored": 'start: "a" start "a" | "b" start "b" | "ab"',
    "sums": 'start: "a" | start "+" start | "(" start ")"',
}
PIECES = [b"(", b")", b"()", b"a", b"b", b"ab", b"aa", b"+", b"+a", b")("]


@pytest.mark.parametrize("name", sorted(GRAMMARS))
def test_context_free_masks_with_budgets_equal_the_enumeration_of_all_members(name):
    """Members of at most 6 tokens, which unbounded nesting gives more and more states."""
    grammar, choose, longest, checked = pgen.Grammar(GRAMMARS[name]), random.Random(name), 6, 0
    while checked < 24:
        tokens = sorted(choose.sample(PIECES, 4))
        try:
            automaton = grammar.compile(pgen.Vocabulary([*tokens, b""], eos=len(tokens)))
        except pgen.InvalidLanguage:
            continue
        gaps = GapAutomaton(bounded_table(automaton, longest), budgeted=True)
        members = [
            member
            for size in range(longest + 1)
            for member in itertools.product(range(len(tokens)), repeat=size)
            if grammar.matches(b"".join(tokens[t] for t in member))
        ]
        for sequence in {tuple(choose.randrange(len(tokens)) for _ in range(choose.randint(0, 3))) for _ in range(4)}:
            rows = expected_rows(sequence, len(tokens), lambda s, m=members: fewest_among(s, m))
            state, left = gaps.start(sequence), longest - len(sequence)
            for budget in range(1, left + 1):
                assert np.array_equal(gaps.allowed(state, budget)[:, :-1], rows <= budget - 1)
            assert gaps.look(state).is_member == grammar.matches(b"".join(tokens[t] for t in sequence))
            checked += 1


def test_the_downward_closure_of_a_grammar_knows_no_budget():
    """All subsequences of members are a regular language, but its masks are right for no budget; distances are not.

    Of `(^n )^n` the closure is `(* )*`, of which every sequence can be completed, given enough tokens. How many
    it takes is 0 for members alone: a finite automaton that told it would accept the members, which none does.
    """
    automaton = pgen.Grammar('start: "(" start ")" |').compile(pgen.Vocabulary([b"(", b")", b""], eos=2))
    members = [(0,) * n + (1,) * n for n in range(7)]
    closure = re.compile(r"\(*\)*")
    for most in range(2, 13, 2):
        gaps = GapAutomaton(bounded_table(automaton, most), budgeted=True)
        within = [member for member in members if len(member) <= most]
        for n_open, n_close in itertools.product(range(4), repeat=2):
            sequence = (0,) * n_open + (1,) * n_close
            if len(sequence) >= most:
                continue
            state, left = gaps.start(sequence), most - len(sequence)
            allowed = gaps.allowed(state, left)[:, :2]
            for gap, token in itertools.product(range(len(sequence) + 1), range(2)):
                grown = inserted(sequence, gap, token)
                in_closure = closure.fullmatch("".join("()"[t] for t in grown)) is not None
                # What is allowed is the closure of the members within the budget, which is smaller.
                assert allowed[gap, token] == any(is_subsequence(grown, member) for member in within)
                assert in_closure == any(is_subsequence(grown, member) for member in members)
            assert gaps.look(state).fewest == (abs(n_open - n_close) if 2 * max(n_open, n_close) <= most else FAR)
    tight = GapAutomaton(bounded_table(automaton, 3), budgeted=True)
    assert not tight.allowed(tight.start((0,)), 2)[0, 0] and closure.fullmatch("((")


def fewest_among(sequence, members):
    return min((len(m) - len(sequence) for m in members if is_subsequence(sequence, m)), default=None)


def test_a_table_with_too_many_states_is_refused():
    automaton = pgen.Grammar(GRAMMARS["brackets"]).compile(pgen.Vocabulary([b"(", b")", b""], eos=2))
    assert len(bounded_table(automaton, 12).delta) == 8
    with pytest.raises(pgen.LimitExceeded, match="at most 12 tokens visit more than 4 states"):
        bounded_table(automaton, 12, max_states=4)
