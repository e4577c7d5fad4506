"""A hidden Markov model of bytes against sums over its hidden states, and its look-ahead against sums over texts."""

import itertools
import math

import numpy as np
import pytest

import pgen
from pgen.backends.tabular import TabularAR
from pgen.chains.byte_hmm import ByteHMM
from pgen.chains.byte_ngram import END
from pgen.chains.lookahead import HiddenLookahead, token_bytes
from pgen.testing.laws import check_proper_weights
from pgen.testing.oracles import random_model, text_masses

TEXTS = ["abba", "ab", "babab", "aab", ""]
HMM = ByteHMM.from_texts(TEXTS, states=3, iterations=5)
PIECES = pgen.Vocabulary([b"a", b"b", b"ab", b"<eos>"], eos=3)


def by_paths(model, data):
    """p(data, end) as a sum over all sequences of hidden states."""
    symbols, total = [*data, END], 0.0
    for path in itertools.product(range(len(model.initial)), repeat=len(symbols)):
        p = model.initial[path[0]]
        for place, (state, symbol) in enumerate(zip(path, symbols, strict=True)):
            p *= model.probabilities[state, symbol]
            if place:
                p *= model.transitions[path[place - 1], state]
        total += p
    return total


@pytest.mark.parametrize("text", ["", "a", "abb", "ca"])
def test_masses_are_sums_over_hidden_states(text):
    assert math.exp(HMM.log_prob(text)) == pytest.approx(by_paths(HMM, text.encode()), rel=1e-12)


def test_training_raises_the_likelihood_and_is_a_function_of_its_seed():
    likelihoods = []
    for iterations in (1, 2, 4, 8, 16):
        model = ByteHMM.from_texts(TEXTS, states=3, iterations=iterations)
        likelihoods.append(sum(map(model.log_prob, TEXTS)))
    assert all(after > before - 1e-3 for before, after in itertools.pairwise(likelihoods))
    assert likelihoods[-1] > likelihoods[0] + 1.0
    again, other = (ByteHMM.from_texts(TEXTS, states=3, iterations=5, seed=seed) for seed in (0, 1))
    assert np.array_equal(again.probabilities, HMM.probabilities)
    assert not np.array_equal(other.probabilities, HMM.probabilities)


def test_one_iteration_is_that_of_expectation_maximisation():
    """Expected counts by hand, over all paths of hidden states."""
    texts, start = ["ab", "b"], ByteHMM.from_texts(["ab", "b"], states=2, iterations=1)
    emitted, moves, first = np.zeros((2, END + 1)), np.zeros((2, 2)), np.zeros(2)
    for text in texts:
        symbols, total = [*text.encode(), END], by_paths(start, text.encode())
        for path in itertools.product(range(2), repeat=len(symbols)):
            p = start.initial[path[0]] * math.prod(start.transitions[i, j] for i, j in itertools.pairwise(path))
            p *= math.prod(start.probabilities[z, x] for z, x in zip(path, symbols, strict=True)) / total
            first[path[0]] += p
            for z, x in zip(path, symbols, strict=True):
                emitted[z, x] += p
            for i, j in itertools.pairwise(path):
                moves[i, j] += p
    found = ByteHMM.from_texts(texts, states=2, iterations=2)
    assert found.initial == pytest.approx(first / first.sum(), abs=1e-8)
    assert found.transitions == pytest.approx(moves / moves.sum(axis=1, keepdims=True), abs=1e-7)
    assert found.probabilities == pytest.approx(emitted / emitted.sum(axis=1, keepdims=True), abs=2e-4)


@pytest.mark.parametrize("ending", ["eos", "prefix"])
def test_the_look_ahead_is_the_mass_of_the_members(ending):
    members = ["ab", "abba", "b"]
    ahead = HiddenLookahead(pgen.choice(*members), HMM, ending)

    def mass(member):
        if ending == "eos":
            return math.exp(HMM.log_prob(member))
        belief, p = HMM.initial, 1.0
        for byte in member.encode():
            p *= float(belief @ HMM.probabilities[:, byte])
            belief = HMM.after(belief, byte)
        return p

    for prefix in ("", "a", "ab", "abb", "b"):
        belief, p = HMM.initial, 1.0
        for byte in prefix.encode():
            p *= float(belief @ HMM.probabilities[:, byte])
            belief = HMM.after(belief, byte)
        expected = sum(mass(member) for member in members if member.startswith(prefix)) / p
        found = math.exp(ahead.log_at(ahead.advance(ahead.start, prefix.encode())))
        assert found == pytest.approx(expected, rel=1e-9)


def test_after_each_token_it_is_what_it_is_at_the_next_position():
    ahead = HiddenLookahead(pgen.Regex("(ab)*a?"), HMM, "eos")
    position = ahead.advance(ahead.start, b"ab")
    after = ahead.log_after(position, token_bytes(PIECES))
    for token in range(3):
        assert after[token] == pytest.approx(ahead.log_at(ahead.advance(position, PIECES.tokens[token])), abs=1e-9)


@pytest.mark.parametrize("options", [{"end": "eos"}, {"end": "match"}, {"end": "prefix"}, {"stop": "bb"}])
def test_as_a_twist_it_leaves_the_measure_alone(options):
    limit = 1 if "stop" in options else 2
    text = random_model(PIECES, 3).text("", max_tokens=limit, **options).given(pgen.Regex("[ab]{1,3}"))
    guided = text.guided(HMM)
    check_proper_weights(
        lambda: str(pgen.sample("x", guided)), pgen.Importance(1, lookahead=0), text_masses(text, limit)
    )


def remembering(letters, gap):
    """A hidden Markov model of a letter, `gap` times c, and the same letter again."""
    n = gap + 3
    size = n * len(letters)
    initial, transitions, emissions = np.zeros(size), np.eye(size), np.full((size, END + 1), 1e-3)
    for k, letter in enumerate(letters):
        initial[k * n] = 1 / len(letters)
        for place, symbol in enumerate([ord(letter), *[ord("c")] * gap, ord(letter), END]):
            emissions[k * n + place, symbol] = 1.0
            if place < n - 1:
                transitions[k * n + place] = np.eye(size)[k * n + place + 1]
    return ByteHMM(initial, transitions, emissions / emissions.sum(axis=1, keepdims=True))


def test_it_remembers_what_no_short_context_shows_and_lowers_the_variance():
    """The first letter is likely to come back at the end, where only an `a` is allowed."""
    letters, gap = pgen.Vocabulary([b"a", b"b", b"c", b"<eos>"], eos=3), 4

    def next_logprobs(tokens):
        if len(tokens) in (0, gap + 1):
            back = [0.5, 0.5] if not tokens else [0.98, 0.02] if tokens[0] == 0 else [0.02, 0.98]
            return [*np.log(back), -60.0, -60.0]
        return [-60.0, -60.0, 0.0, -60.0] if len(tokens) <= gap else [-60.0, -60.0, -60.0, 0.0]

    text = TabularAR(letters, next_logprobs).text("", max_tokens=6, end="eos").given(pgen.Regex("[ab]c{4}a"))
    method = pgen.Importance(200, lookahead=0)
    trigrams = pgen.ByteNgram.from_texts(["acccca", "bccccb"])
    spread = {
        guide: pgen.infer(text.guided(guide), method=method).ess / 200 for guide in (trigrams, remembering("ab", 4))
    }
    assert min(spread.values()) == spread[trigrams] < 0.7
    assert max(spread.values()) > 0.9


def test_misuse_is_told():
    uniform = np.full((2, END + 1), 1 / (END + 1))
    for make in (
        lambda: ByteHMM.from_texts([]),
        lambda: ByteHMM.from_texts(["a"], states=0),
        lambda: ByteHMM(np.ones(2) / 2, np.eye(3), uniform),
        lambda: ByteHMM(np.ones(2), np.eye(2), uniform),
        lambda: ByteHMM(np.ones(2) / 2, np.eye(2), np.eye(2, END + 1)),
    ):
        with pytest.raises(pgen.InvalidArgument):
            make()
