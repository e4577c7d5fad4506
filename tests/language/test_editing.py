"""The nearest member against distances to every member of finite languages, and the repair of broken JSON."""

import itertools
import math
import pickle
import random

import numpy as np
import pytest
from anyorder_oracles import random_anyorder

import pgen
from pgen.backends.tabular import TabularAR, TabularInsertion
from pgen.language.base import Residual
from pgen.language.editing import edit
from pgen.testing.broken_json import is_valid, n_kept, own_cases


def cost(text, member, insert=1, delete=1, replace=2):
    """Dynamic programming over both texts."""
    row = [insert * j for j in range(len(member) + 1)]
    for character in text:
        before, row = row, [row[0] + delete]
        for j, other in enumerate(member):
            kept = before[j] + (0 if character == other else replace)
            row.append(min(kept, before[j + 1] + delete, row[j] + insert))
    return row[-1]


def members_up_to(language, alphabet, length):
    texts = ("".join(t) for n in range(length + 1) for t in itertools.product(alphabet, repeat=n))
    return [text for text in texts if language.matches(text)]


LANGUAGES = [
    pgen.choice("abc", "ccb", "", "bbbb"),
    pgen.Regex("(ab){1,2}c?"),
    pgen.Regex("[aé]{2,4}"),
    pgen.choice("é", "a—b", "c"),
    pgen.Grammar('start: "a" start "b" | "c"'),
    pgen.Regex("a+") & pgen.Regex("(..)*"),
]
COSTS = [(1, 1, 2), (1, 1, 1), (3, 1, 2), (1, 4, 2)]


@pytest.mark.parametrize("language", LANGUAGES, ids=repr)
def test_no_member_is_nearer(language):
    members, choose = members_up_to(language, "abcé—", 5), random.Random(repr(language))
    for _ in range(14):
        text = "".join(choose.choice("abcé—x") for _ in range(choose.randint(0, 3)))
        insert, delete, replace = choose.choice(COSTS)
        found = edit(text, language, insert=insert, delete=delete, replace=replace)
        assert language.matches(found)
        assert found.distance == cost(text, found, insert, delete, replace)
        # Members longer than those enumerated cost more insertions than emptying and refilling.
        nearest = min(cost(text, member, insert, delete, replace) for member in members)
        assert found.distance <= nearest
        assert found.distance == nearest or len(found) > 5


def test_changes_lead_from_the_text_to_the_member():
    for text in ["2024-1-5", "on 2024-01-05!", "24-13-5x"]:
        found = edit(text, pgen.Regex(r"\d{4}-\d{2}-\d{2}"))
        made, at = "", 0
        for change in found.changes:
            assert text[change.position : change.position + len(change.old)] == change.old
            made, at = made + text[at : change.position] + change.new, change.position + len(change.old)
        assert made + text[at:] == found
    assert edit("2024-01-05", pgen.Regex(r"\d{4}-\d{2}-\d{2}")).changes == ()
    assert pickle.loads(pickle.dumps(found)).changes == found.changes


def test_a_residual_holds_of_the_result():
    even = Residual("an even number", lambda text: len(text) % 2 == 0)
    language = pgen.Language(pgen.Regex("a*").node, description="a*", residual=(even,))
    assert edit("aab", language) == "aa"
    assert edit("aaa", language) in ("aa", "aaaa")


def test_a_search_that_grows_too_large_still_finds_a_member(monkeypatch):
    from pgen.automata import edits

    date, text = pgen.Regex(r"(\d{4}-\d{2}-\d{2}, )*\d{4}-\d{2}-\d{2}"), "2024-01-05, 2024-1-6, 2024-02-0"
    nearest = edit(text, date)
    assert nearest.is_nearest
    monkeypatch.setattr(edits, "MAX_NODES", 90)
    near = edit(text, date)
    assert date.matches(near)
    assert not near.is_nearest
    assert near.distance >= nearest.distance
    assert near.distance == edits.distance(text, near, edits.Costs(1, 1, 2)) or near.distance > nearest.distance
    monkeypatch.setattr(edits, "MAX_NODES", 10)
    with pytest.raises(pgen.LimitExceeded, match="within 10 steps"):
        edit(text, date)


def writer(text):
    """A model that likes to write one text."""
    letters = pgen.Vocabulary([*(bytes([b]) for b in b"abct"), b"<eos>"], eos=4)

    def next_logprobs(tokens):
        row = np.full(5, 0.05)
        row[letters.encode(text)[len(tokens)] if len(tokens) < len(text) else 4] += 0.75
        return np.log(row)

    return TabularAR(letters, next_logprobs)


@pytest.mark.parametrize("rate", [0.3, 3.0])
def test_a_model_chooses_among_near_members(rate):
    words = pgen.choice("cat", "bat", "cab", "tac", "acta")
    lm = writer("cab")
    chosen = edit("ct", words, model=lm.text("", end="eos"), slack=3, rate=rate)
    weights = {w: lm.text("", end="eos").log_prob(w) - rate * cost("ct", w) for w in ("cat", "bat", "cab", "tac")}
    assert chosen == max(weights, key=weights.get)
    assert chosen == ("cab" if rate < 1 else "cat")
    assert (chosen.distance, chosen.is_nearest) == (cost("ct", chosen), chosen == "cat")
    made, at = "", 0
    for change in chosen.changes:
        made, at = made + "ct"[at : change.position] + change.new, change.position + len(change.old)
    assert made + "ct"[at:] == chosen


def test_draws_near_a_text_follow_the_model_and_the_distance():
    words, lm = pgen.choice("cat", "bat", "cab"), writer("cab")
    drawn = [edit("cat", words, model=lm.text("", end="eos"), rate=0.5, seed=s) for s in range(40)]
    weights = {w: math.exp(lm.text("", end="eos").log_prob(w) - 0.5 * cost("cat", w)) for w in ("cat", "bat", "cab")}
    for word, weight in weights.items():
        assert drawn.count(word) / 40 == pytest.approx(weight / sum(weights.values()), abs=0.25)
    only = [edit("cat", words, model=lm.text("", end="eos"), max_cost=0, rate=0.0, seed=s) for s in range(3)]
    assert only == ["cat"] * 3


def test_other_kinds_of_models_choose_as_well():
    vocabulary = writer("").vocabulary
    inserting = TabularInsertion(vocabulary, lambda tokens: (np.full((len(tokens) + 1, 5), -np.inf), 0.0))
    with pytest.raises(pgen.ZeroEvidence):
        edit("ca", pgen.choice("cat", "cab"), model=inserting.text(""))
    lm = random_anyorder(vocabulary, 3, zeros=0)
    text = lm.text("", length=4)
    masses = {w: math.exp(text.log_prob(w)) for w in ("cat", "cab")}
    assert edit("ca", pgen.choice("cat", "cab"), model=text) == max(masses, key=masses.get)


def test_broken_json_becomes_valid_and_keeps_its_fields():
    kept = total = 0
    for case in own_cases(30, seed=1):
        repaired = edit(case.text, pgen.JSONSchema(case.schema))
        assert is_valid(repaired, case.schema)
        kept += n_kept(case, repaired)
        total += len(case.intact)
    assert kept >= 0.95 * total


def test_bad_arguments_are_refused():
    with pytest.raises(pgen.InvalidLanguage, match="empty"):
        edit("a", pgen.Regex("a+") & pgen.Regex("b+"))
    with pytest.raises(pgen.LimitExceeded, match="at a cost of 2"):
        edit("", pgen.Regex("a{3}"), max_cost=2)
    with pytest.raises(pgen.InvalidArgument, match="at least 1"):
        edit("", pgen.Regex("a"), insert=0)
    with pytest.raises(pgen.InvalidArgument, match="max_cost=-1"):
        edit("", pgen.Regex("a"), max_cost=-1)
    with pytest.raises(pgen.InvalidArgument, match="slack=-1"):
        edit("", pgen.Regex("a"), slack=-1)
    with pytest.raises(pgen.InvalidArgument, match="needs a str"):
        edit(b"a", pgen.Regex("a"))
