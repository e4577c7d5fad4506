"""Guesses of what comes next: fewer calls of the model, the same result, and every evaluation counted."""

import math

import numpy as np
import pytest

import pgen
from pgen.backends.tabular import TabularAR
from pgen.inference.context import Context
from pgen.inference.drafting.foresight import KEPT, PIECE, Batch, Foresight, Place
from pgen.inference.drafting.prefix_tree import EVALUATIONS_AT_ONCE, Stratum
from pgen.sampling.rng import CounterRng

TOKENS = [b"Par", b"is", b"P", b"aris", b"Lon", b"don", b"London", b" Tower", b"s", b"<eos>"]
VOCABULARY = pgen.Vocabulary(TOKENS, eos=9)


def model(seed=0):
    """Random rows, and the prefixes of each call."""
    calls = []

    class Spied(TabularAR):
        def next_logits(self, prefixes):
            calls.append(list(prefixes))
            return super().next_logits(prefixes)

    def row(tokens):
        draws = np.random.default_rng([seed, len(tokens), *tokens]).normal(size=len(TOKENS))
        return draws - math.log(np.exp(draws).sum())

    return Spied(VOCABULARY, row), calls


def posed(lm, *members, end="eos"):
    return lm.text("", end=end, max_tokens=6).given(pgen.choice(*members))


def tree_of(text):
    return Context().drafter(text).tree(text)


def test_guesses_are_the_tokens_that_no_other_allowed_token_extends():
    lm, _ = model()
    process = tree_of(posed(lm, "Paris", "London", "London Tower")).process
    foresight, start = Foresight(process), Place(process.start, 0)
    tokens, log_share, _ = foresight.after(start)
    assert sorted(TOKENS[token] for token in tokens) == [b"London", b"Par"]
    assert log_share == pytest.approx(math.log(KEPT / 2))
    london = foresight.follow(start, TOKENS.index(b"London"))
    tokens, log_share, _ = foresight.after(london)
    assert [TOKENS[token] for token in tokens] == [b" Tower"]
    assert log_share == pytest.approx(math.log(KEPT / 2)), "the end is as likely as one token"


def pieces_of(process, data=()):
    foresight, place = Foresight(process), Place(process.start, 0)
    for token in data:
        place = foresight.follow(place, TOKENS.index(token))
    return sorted(TOKENS[token] for token in foresight.after(place).pieces)


def test_pieces_can_only_go_on_with_the_rest_of_a_longer_token():
    lm, _ = model()
    assert pieces_of(tree_of(posed(lm, "Paris", "London")).process) == [b"Lon", b"P"]
    assert pieces_of(tree_of(posed(lm, "Pis", "Paris", "London")).process) == [b"Lon"], "P is the beginning of Pis"
    assert pieces_of(tree_of(posed(lm, "Paris", "Lon", "London")).process) == [b"P"], "Lon is a member"
    assert pieces_of(tree_of(posed(lm, "Paris", "London")).process, [b"P"]) == []


def by_mass_and_hope(seed, members=("Paris", "London", "London Tower")):
    """Trees of one text, expanded by mass and then explored by hope, and the other way round."""
    text = posed(model(seed)[0], *members)
    trees = tree_of(text), tree_of(text)
    trees[0].expand(2)
    trees[0].explore(2, 0.0)
    trees[1].explore(2, 0.0)
    trees[1].expand(2)
    return trees


@pytest.mark.parametrize("seed", range(6))
def test_hope_changes_the_order_and_no_bound(seed, monkeypatch):
    evidence = pgen.infer(
        posed(model(seed)[0], "Paris", "London", "London Tower"), method=pgen.Enumerate()
    ).log_evidence
    monkeypatch.setattr("pgen.inference.drafting.prefix_tree.EVALUATIONS_AT_ONCE", 1)
    for tree in by_mass_and_hope(seed):
        assert tree.log_found - 1e-12 <= evidence <= np.logaddexp(tree.log_found, tree.log_frontier) + 1e-12
        tree.expand(1000)
        assert tree.log_found == pytest.approx(evidence, abs=1e-12)


def in_pieces():
    """A text in which `P` is as likely as `Par`, and the prefixes that its model has been asked about."""
    tokens = {(): {b"P": 0.4, b"Par": 0.3, b"London": 0.3}, (b"P",): {b"aris": 1.0}, (b"Par",): {b"is": 1.0}}
    asked = []

    def row(prefix):
        path = tuple(TOKENS[token] for token in prefix)
        asked.append(b"|".join(path))
        said = tokens.get(path, {b"<eos>": 1.0})
        return [math.log(said.get(token, 1e-9)) for token in TOKENS]

    return posed(TabularAR(VOCABULARY, row), "Paris", "London"), asked


def test_a_look_ahead_leaves_pieces_for_last():
    text, asked = in_pieces()
    explored = tree_of(text)
    explored.explore(4, 0.0)
    assert sorted(asked) == [b"", b"London", b"Par", b"Par|is"]
    assert math.exp(explored.log_found) == pytest.approx(0.6)
    assert explored.likely_explored == pytest.approx(0.6 / (0.6 + 0.4 * PIECE))
    assert explored.explored == pytest.approx(0.6)
    assert pgen.infer(text, method=pgen.Enumerate()).probabilities()["Paris"] == pytest.approx(0.7)


def test_what_was_explored_by_hope_is_expanded_by_mass():
    text, asked = in_pieces()
    tree = tree_of(text)
    tree.explore(1, 0.0)
    tree.expand(1)
    assert asked == [b"", b"P"]
    tree.explore(1, 0.0)
    assert asked[2:] in ([b"Par"], [b"London"], [b"P|aris"])


def test_starts_in_pieces_expect_to_keep_little():
    tree = tree_of(in_pieces()[0])
    tree.explore(4, 0.0)
    drawn = [tree.draw(CounterRng(seed), Stratum(9_999, 10_000)) for seed in range(20)]
    starts = [start for start in drawn if [TOKENS[token] for token in start.state.tokens] == [b"P"]]
    assert starts
    assert {round(start.log_survival - math.log(PIECE), 6) for start in starts} == {round(tree.log_survival, 6)}


def test_open_languages_are_not_guessed():
    many = [bytes([65 + i // 10, 48 + i % 10]) for i in range(100)]
    letters = TabularAR(pgen.Vocabulary([*many, b"<eos>"], eos=100), lambda tokens: [-math.log(101)] * 101)
    process = tree_of(letters.text("", end="eos", max_tokens=3).given(pgen.Regex("([A-J][0-9])*"))).process
    assert Foresight(process).after(Place(process.start, 0))[0] == ()


def test_a_batch_takes_the_heaviest_first():
    lm, _ = model()
    process = tree_of(posed(lm, "Paris", "London", "London Tower")).process
    batch, start = Batch(Foresight(process)), Place(process.start, 0)
    batch.add(start, 0.0, None)
    assert batch.log_best_guess == pytest.approx(math.log(KEPT / 2))
    for _ in range(2):
        batch.guess()
    assert [process.vocabulary.decode(state.tokens) for state in batch.states] == [b"", b"London", b"Par"]
    assert batch.log_best_guess == pytest.approx(math.log(KEPT / 2) + math.log(KEPT)), "the rest of Paris"


@pytest.mark.parametrize("end", ["eos", "match", "prefix"])
@pytest.mark.parametrize("seed", range(4))
def test_guesses_change_no_mass(end, seed, monkeypatch):
    text = posed(model(seed)[0], "Paris", "London", "London Tower", end=end)
    found = pgen.infer(text, method=pgen.Enumerate())
    monkeypatch.setattr("pgen.inference.drafting.foresight.FEW_TOKENS", 0)
    plain = pgen.infer(text, method=pgen.Enumerate())
    assert found.log_evidence == pytest.approx(plain.log_evidence, abs=1e-12)
    assert found.probabilities() == pytest.approx(plain.probabilities(), abs=1e-12)
    assert found.n_evaluations == plain.n_evaluations, "nothing is asked for that is not needed in the end"


def test_a_small_language_takes_few_calls(monkeypatch):
    def n_calls():
        lm, calls = model()
        tree_of(posed(lm, "London Tower", "Paris")).expand(100)
        return len(calls)

    guessing = n_calls()
    monkeypatch.setattr("pgen.inference.drafting.foresight.FEW_TOKENS", 0)
    assert guessing == 3 < n_calls()


@pytest.mark.parametrize("lookahead", [1, 3, 5, EVALUATIONS_AT_ONCE])
def test_guesses_are_counted_and_keep_to_the_lookahead(lookahead):
    lm, calls = model()
    context = Context()
    text = posed(lm, "Paris", "London", "London Tower")
    tree = context.drafter(text).tree(text)
    tree.explore(lookahead, 0.0)
    asked = [prefix for call in calls for prefix in call]
    assert len(asked) == len(set(asked)) == tree.n_evaluations == context.n_evaluations <= lookahead


@pytest.mark.parametrize("seed", range(3))
def test_guesses_after_a_prefix_that_critics_drop_are_not_followed(seed):
    text = posed(model(seed)[0], "Paris", "London", "London Tower")
    judged = text.where(lambda begun: "Tower" not in begun)
    whole, found = (pgen.infer(t, method=pgen.Enumerate()).probabilities() for t in (text, judged))
    kept = {str(answer): share for answer, share in whole.items() if answer != "London Tower"}
    expected = {answer: share / sum(kept.values()) for answer, share in kept.items()}
    assert {str(a): p for a, p in found.items() if p > 0} == pytest.approx(expected, abs=1e-12)
