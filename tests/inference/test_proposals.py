"""Foreign proposals leave the measure as it is: other models, other tokenizers, functions, walks; by enumeration."""

import math

import numpy as np
import pytest

import pgen
from pgen.backends.tabular import TabularAR
from pgen.testing.laws import check_batch_independence, check_proper_weights
from pgen.testing.oracles import random_model, text_masses

LETTERS = pgen.Vocabulary([b"a", b"b", b"<eos>"], eos=2)
PIECES = pgen.Vocabulary([b"a", b"b", b"ab", b"ba", b"<eos>"], eos=4)
OTHERS = pgen.Vocabulary([b"aa", b"a", b"b", b"<s>", b"<eos>"], eos=4, special={3})
AB = pgen.Regex("[ab]{1,3}")
ENDS = {"eos": {"end": "eos"}, "match": {"end": "match"}, "prefix": {"end": "prefix"}, "stop": {"stop": "bb"}}


def no_bb(text):
    return "bb" not in text


def plain(end, vocabulary=PIECES):
    options = {"max_tokens": 1, **ENDS[end]} if end == "stop" else {"max_tokens": 2, **ENDS[end]}
    return random_model(vocabulary, 3).text("", **options).given(AB)


def function(tokens):
    return np.array([0.5, -1.0, 2.0, -np.inf, 0.1 * len(tokens)])


PROPOSERS = {
    "same vocabulary": random_model(PIECES, 8).text("a"),
    "other tokenizer": random_model(OTHERS, 9).text(""),
    "function": function,
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", PROPOSERS)
def test_foreign_proposals_are_properly_weighted(name, end):
    text = plain(end)
    expected = text_masses(text, text.max_tokens)
    proposed = text.proposed_by(PROPOSERS[name])
    for lookahead in (0, 1):
        check_proper_weights(lambda: str(pgen.sample("x", proposed)), pgen.Importance(1, lookahead=lookahead), expected)


@pytest.mark.parametrize("name", [*PROPOSERS, "trie"])
def test_they_meet_predicates_and_potentials(name):
    text = plain("eos")
    masses = text_masses(text, 2)
    expected = {x: m * math.exp(0.7 * len(x)) for x, m in masses.items() if no_bb(x)}
    judged = text.where(no_bb, proposal="trie" if name == "trie" else "mask").weighted(lambda x: 0.7 * len(x))
    proposed = judged if name == "trie" else judged.proposed_by(PROPOSERS[name])
    check_proper_weights(lambda: str(pgen.sample("x", proposed)), pgen.Importance(1, lookahead=0), expected)


def test_free_texts_take_proposals_and_weigh_them():
    text = random_model(LETTERS, 1).text("", max_tokens=2)
    proposed = text.proposed_by(lambda tokens: [0.0, 1.0, -1.0])
    assert not proposed.is_free
    expected = text_masses(text, 2)
    check_proper_weights(lambda: str(pgen.sample("x", proposed)), pgen.Importance(1, lookahead=0), expected)


def test_a_guide_and_a_proposal_together():
    text = plain("eos", LETTERS)
    ngram = pgen.ByteNgram.from_texts(["ab", "aab", "b"], order=2)
    proposed = text.guided(ngram).proposed_by(random_model(LETTERS, 8).text("a"))
    method = pgen.SMC(2, ess_threshold=1.0, resample="tokens", lookahead=0)
    check_proper_weights(lambda: str(pgen.sample("x", proposed)), method, text_masses(text, 2))


def test_a_good_proposal_lowers_the_variance():
    lm = TabularAR(LETTERS, lambda tokens: [math.log(0.45), math.log(0.45), math.log(0.1)])
    text = lm.text("", max_tokens=6).given(pgen.Regex("[ab]{6}")).weighted(lambda x: 2.5 * x.count("a"))
    knows = text.proposed_by(lambda tokens: [2.5, 0.0, 0.0])
    own, good = (pgen.infer(tried, method=pgen.Importance(200, lookahead=0), seed=0) for tried in (text, knows))
    exact = 6 * math.log(0.45 * (math.exp(2.5) + 1))
    assert good.log_evidence == pytest.approx(exact, abs=0.2)
    assert good.ess > 4 * own.ess


def test_other_models_are_asked_in_one_batch_and_batches_do_not_matter():
    proposed = plain("eos").proposed_by(PROPOSERS["same vocabulary"])
    check_batch_independence(lambda: str(pgen.sample("x", proposed)), pgen.Importance(9, lookahead=0))


def test_walks_test_little_where_little_is_allowed():
    wide = pgen.Vocabulary([bytes([a, b]) for a in range(97, 117) for b in range(97, 117)] + [b"<eos>"], eos=400)
    tests = dict.fromkeys(("mask", "awrs", "trie"), 0)
    for proposal in tests:

        def starts_well(text, proposal=proposal):
            tests[proposal] += 1
            return "qrqr".startswith(text) or "rqrq".startswith(text)

        text = random_model(wide, 1).text("", max_tokens=1, end="eos").where(starts_well, proposal=proposal)
        pgen.infer(text, method=pgen.Importance(4, lookahead=0))
    assert tests["trie"] < tests["awrs"] / 2


def test_misuse_is_told():
    text = plain("eos")
    for wrong in (3, text, PROPOSERS["other tokenizer"].where(no_bb), random_model(LETTERS, 1).text("", stop="b")):
        with pytest.raises(pgen.InvalidArgument, match="proposed_by"):
            text.proposed_by(wrong)
    for values in ([0.0], [0.0, 0.0, math.nan, 0.0, 0.0], [math.inf] * 5):
        with pytest.raises(pgen.InvalidArgument, match="log weights, one a token"):
            pgen.infer(text.proposed_by(lambda tokens, values=values: values), method=pgen.Importance(1, lookahead=0))
