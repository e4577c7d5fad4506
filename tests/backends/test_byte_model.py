"""Models in bytes against brute force over token sequences."""

import itertools
import math

import numpy as np
import pytest

import pgen
from pgen.backends.byte_model import ByteModel
from pgen.backends.covers import EOS, OTHER
from pgen.testing.laws import check_proper_weights
from pgen.testing.oracles import random_model, text_masses

PIECES = pgen.Vocabulary([b"a", b"b", b"ab", b"ba", b"<eos>"], eos=4)
UNTIDY = pgen.Vocabulary([b"a", b"ab", b"a", b"", b"<s>", b"b", b"<eos>", b"<end>", b"abb"], eos={6, 7}, special={4})
UTF8 = pgen.Vocabulary([b"a", b"\xc3", b"\xa9", b"\xc3\xa9", b"a\xc3", b"<eos>"], eos=5)
VOCABULARIES = {"pieces": PIECES, "untidy": UNTIDY, "utf-8": UTF8}


def begins_with(lm, data, tokens=(), mass=1.0):
    """Brute force: the mass of token sequences whose bytes begin with `data`, by recursion over tokens."""
    vocabulary = lm.vocabulary
    text = vocabulary.decode(tokens)
    if text[: len(data)] == data:
        return mass
    row = np.exp(lm.next_logits([tokens])[0])
    return sum(
        begins_with(lm, data, (*tokens, token), mass * row[token])
        for token in vocabulary.text_ids.tolist()
        if agree(text + vocabulary.tokens[token], data)
    )


def agree(text, data):
    return text[: len(data)] == data[: len(text)]


def spelled_and_ended(lm, data, ending, tokens=(), mass=1.0):
    """Brute force: the mass of the sequences that spell exactly `data` and go on with one of the ids `ending`."""
    text = lm.vocabulary.decode(tokens)
    row = np.exp(lm.next_logits([tokens])[0])
    if text == data:
        return mass * sum(row[i] for i in ending)
    return sum(
        spelled_and_ended(lm, data, ending, (*tokens, token), mass * row[token])
        for token in lm.vocabulary.text_ids.tolist()
        if data.startswith(text + lm.vocabulary.tokens[token])
    )


@pytest.mark.parametrize("name", VOCABULARIES)
def test_next_byte_probabilities_equal_brute_force(name):
    lm = random_model(VOCABULARIES[name], 3)
    alphabet = sorted({b for i in lm.vocabulary.text_ids for b in lm.vocabulary.tokens[i]})
    others = set(range(len(lm.vocabulary))) - set(lm.vocabulary.text_ids.tolist()) - lm.vocabulary.eos
    byte_lm = lm.bytes()
    prefixes = [bytes(p) for n in range(4) for p in itertools.product(alphabet, repeat=n)]
    rows = byte_lm.next_logits([tuple(p) for p in prefixes])
    for prefix, row in zip(prefixes, rows, strict=True):
        total = begins_with(lm, prefix)
        low, high = byte_lm.log_mass_bounds(prefix)
        assert low == high == pytest.approx(math.log(total), abs=1e-10)
        shares = np.exp(row - np.logaddexp.reduce(row))
        for byte in alphabet:
            assert shares[byte] == pytest.approx(begins_with(lm, prefix + bytes([byte])) / total, abs=1e-10)
        assert shares[EOS] == pytest.approx(spelled_and_ended(lm, prefix, lm.vocabulary.eos) / total, abs=1e-10)
        assert shares[OTHER] == pytest.approx(spelled_and_ended(lm, prefix, others) / total, abs=1e-10)
        assert np.isneginf(np.delete(row, [*alphabet, EOS, OTHER])).all()


@pytest.mark.parametrize("settings", [{"end": "eos"}, {"stop": "b"}, {"stop": ["bb", "aa"]}, {"temperature": 0.7}])
def test_texts_keep_their_masses(settings):
    language = pgen.Regex("[ab]{0,3}")
    lm = random_model(PIECES, 5)
    plain = lm.text("", **{"end": None if "stop" in settings else "eos", **settings}).given(language)
    judged = plain.bytes()
    for text in ("", "a", "ba", "aba", "aaa"):
        assert judged.log_prob(text) == pytest.approx(plain.log_prob(text, tol=1e-11), abs=1e-9)
        assert judged.log_prob(text, tokenization="canonical") == pytest.approx(judged.log_prob(text), abs=1e-9)
    plain_posterior, byte_posterior = (pgen.infer(d, method=pgen.Enumerate()) for d in (plain, judged))
    assert byte_posterior.log_evidence == pytest.approx(plain_posterior.log_evidence, abs=1e-9)
    assert byte_posterior.probabilities() == pytest.approx(plain_posterior.probabilities(), abs=1e-9)


def test_draws_are_properly_weighted():
    plain = random_model(PIECES, 6).text("", end="eos").given(pgen.Regex("[ab]{0,2}"))
    target = text_masses(plain, 3)
    byte_text = plain.bytes()
    check_proper_weights(lambda: pgen.sample("x", byte_text), pgen.Importance(1, lookahead=0), target)
    check_proper_weights(lambda: pgen.sample("x", byte_text), pgen.Importance(1, lookahead=2), target)


@pytest.mark.parametrize("heal", [0, 1, 2, None])
def test_prompts_are_healed(heal):
    """After a prompt with its last tokens open: p(prompt + x) / p(prompt), given the closed tokens."""
    lm, prompt = random_model(PIECES, 7), "abab"
    tokens = lm.encode(prompt)
    n_open = len(tokens) if heal is None else heal
    closed, tail = tokens[: len(tokens) - n_open], PIECES.decode(tokens[len(tokens) - n_open :])
    text = lm.bytes(heal=heal).text(prompt, end="prefix").given(pgen.choice("a", "b", "bb"))
    before = begins_with(lm, PIECES.decode(closed) + tail, closed)
    for x in ("a", "bb"):
        expected = begins_with(lm, PIECES.decode(closed) + tail + x.encode(), closed) / before
        assert math.exp(text.log_prob(x)) == pytest.approx(expected, abs=1e-10)


def test_conditioned_models_are_shared():
    byte_lm = random_model(PIECES, 7).bytes()
    assert byte_lm.text("abab") == byte_lm.text("abab")
    assert byte_lm.text("abab") != byte_lm.text("bbab")


def test_pruning_keeps_certain_bounds():
    lm = random_model(PIECES, 8)
    pruned, widths = ByteModel(lm, prune=0.05), []
    for text in ("abab", "bababb", "aabbabab"):
        low, high = pruned.log_mass_bounds(text)
        exact = math.log(begins_with(lm, text.encode()))
        assert low <= exact <= high
        widths.append(high - low)
    assert 0 < max(widths) < 1.0
    with pytest.raises(pgen.LimitExceeded, match="covers"):
        ByteModel(lm, max_covers=3).log_mass_bounds("abababab")


def test_batches_and_evicted_caches_change_nothing(monkeypatch):
    lm = random_model(PIECES, 9)
    prefixes = [tuple(p.encode()) for p in ("", "abab", "ab", "ba", "abba", "abab")]
    together = lm.bytes().next_logits(prefixes)
    apart = np.concatenate([lm.bytes().next_logits([prefix]) for prefix in prefixes])
    assert np.array_equal(together, apart)
    monkeypatch.setattr("pgen.backends.byte_model.MAX_ROWS", 1)
    monkeypatch.setattr("pgen.backends.byte_model.MAX_PREFIXES", 1)
    small = lm.bytes()
    for _ in range(2):
        assert np.array_equal(small.next_logits(prefixes), together)


def test_impossible_bytes_have_no_texts():
    byte_lm = random_model(PIECES, 1).bytes()
    row = byte_lm.next_logits([tuple(b"ax")])[0]
    assert row[OTHER] == 0.0
    assert np.isneginf(np.delete(row, OTHER)).all()
    assert byte_lm.text("").log_prob("ax") == -math.inf


def test_misuse_says_so():
    lm = random_model(PIECES, 1, context_length=4)
    for options in ({"prune": 1.0}, {"heal": -1}):
        with pytest.raises(pgen.InvalidArgument):
            lm.bytes(**options)
    with pytest.raises(pgen.InvalidArgument, match="max_tokens"):
        lm.text("", max_tokens=3).bytes()
    with pytest.raises(pgen.ModelError, match="context"):
        lm.bytes().next_logits([tuple(b"ababa")])


@pytest.mark.model
def test_smollm2_in_bytes_equals_the_sum_over_spellings():
    lm = pgen.load("smollm2")
    plain = lm.text("The day after Tuesday is", end="eos")
    found = plain.bytes().log_prob(" Wed")
    assert found == pytest.approx(plain.log_prob(" Wed", tol=1e-5), abs=1e-4)
    healed = lm.bytes(prune=1e-3).text("The capital of France is Par").given(pgen.choice("is", "ma"))
    assert pgen.infer(healed, method=pgen.Enumerate(tol=1e-2)).probabilities()["is"] > 0.9
