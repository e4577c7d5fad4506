"""Expected masses of byte n-gram models against sums over texts, and guided draws against brute force."""

import itertools
import math

import numpy as np
import pytest

import pgen
from pgen.chains.byte_ngram import END, ByteNgram
from pgen.chains.lookahead import NgramLookahead, token_bytes
from pgen.testing.enumeration import enumerate_outcomes
from pgen.testing.laws import check_proper_weights
from pgen.testing.oracles import random_model, text_masses

NGRAM = ByteNgram.from_texts(["abba", "ab", "babab", "aab", ""], order=3)
PIECES = pgen.Vocabulary([b"a", b"b", b"ab", b"<eos>"], eos=3)
TEXTS = [bytes(t) for n in range(5) for t in itertools.product(b"ab", repeat=n)]


def probability(data, context=0):
    """Of drawing `data` from the n-gram model, without its end; and the context after it."""
    total = 1.0
    for byte in data:
        total *= NGRAM.probabilities[context, byte]
        context = NGRAM.following[context, byte]
    return total, context


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_ngrams_are_distributions_over_known_contexts(order):
    ngram = ByteNgram.from_texts(["abba", "ab", b"\xc3\xa9"], order=order)
    assert ngram.probabilities.sum(axis=1) == pytest.approx(np.ones(len(ngram.contexts)))
    assert (ngram.probabilities > 0).all()
    for data in TEXTS:
        context = ngram.contexts[ngram.context_after(data)]
        assert data.endswith(context)
        assert len(context) < order
        longer = [c for c in ngram.contexts if data.endswith(c)]
        assert len(context) == max(map(len, longer))


def test_ngrams_interpolate_as_witten_and_bell_do():
    ngram = ByteNgram.from_texts(["ab", "aa"], order=2)
    after_a = ngram.contexts.index(b"a")
    unigram = {s: (n + 3 / 257) / (6 + 3) for s, n in {ord("a"): 3, ord("b"): 1, END: 2}.items()}
    assert ngram.probabilities[0, ord("a")] == pytest.approx((3 + 3 / 257) / 9)
    assert ngram.probabilities[after_a, END] == pytest.approx((1 + 3 * unigram[END]) / 6)


@pytest.mark.parametrize("ending", ["eos", "match", "prefix", "stop"])
def test_expected_masses_equal_sums_over_texts(ending):
    members = ["a", "ab", "abab", "bb"]
    endings = {"eos": members, "match": members, "prefix": members, "stop": [m + "!" for m in members] + members}[
        ending
    ]
    ahead = NgramLookahead(pgen.choice(*endings), NGRAM, ending)
    for prefix in (b"", b"a", b"ab", b"b", b"aba"):
        state, context = ahead.advance(ahead.start, prefix)
        expected = sum(ended(member.encode(), prefix, context, ending, endings) for member in endings)
        assert math.exp(ahead.log_expected[state, context]) == pytest.approx(expected, rel=1e-6)


def ended(member, prefix, context, ending, members):
    if not member.startswith(prefix):
        return 0.0
    share, after = probability(member[len(prefix) :], context)
    longer = {m.encode()[len(member)] for m in members if m.encode().startswith(member) and len(m) > len(member)}
    if ending == "prefix" or (ending == "stop" and member.endswith(b"!")):
        return share
    if ending == "match":
        return share * (1 - sum(NGRAM.probabilities[after, b] for b in longer))
    return share * NGRAM.probabilities[after, END]


def test_languages_with_loops_converge():
    ahead = NgramLookahead(pgen.Regex("[ab]*"), NGRAM, "eos")
    total, level = 0.0, [(1.0, 0)]
    for _ in range(12):
        total += sum(mass * NGRAM.probabilities[context, END] for mass, context in level)
        level = [
            (mass * NGRAM.probabilities[context, byte], NGRAM.following[context, byte])
            for mass, context in level
            for byte in b"ab"
        ]
    rest = sum(mass for mass, _ in level)
    assert total <= math.exp(ahead.log_expected[ahead.start]) * (1 + 1e-5)
    assert math.exp(ahead.log_expected[ahead.start]) <= total + rest


def test_tokens_are_followed_byte_by_byte():
    ahead = NgramLookahead(pgen.Regex("(ab)*a?"), NGRAM, "eos")
    position = ahead.advance(ahead.start, b"a")
    after = ahead.log_after(position, token_bytes(PIECES))
    for token in PIECES.text_ids:
        assert after[token] == ahead.log_expected[ahead.advance(position, PIECES.tokens[token])]


def test_long_texts_do_not_underflow():
    ahead = NgramLookahead(pgen.literal("xyz" * 300), NGRAM, "eos")
    assert np.isfinite(ahead.log_expected).all()


@pytest.mark.parametrize("lookahead", [0, 2])
@pytest.mark.parametrize("settings", [{"end": "eos"}, {"end": "match"}, {"end": "prefix"}, {"stop": "bb"}])
def test_guided_draws_are_properly_weighted(settings, lookahead):
    language = pgen.Regex("[ab]{0,2}|abab")
    for seed in range(2):
        plain = random_model(PIECES, seed).text("", max_tokens=3, **settings).given(language)
        guided = plain.guided(NGRAM)
        target = text_masses(plain, 3)
        check_proper_weights(lambda d=guided: pgen.sample("x", d), pgen.Importance(1, lookahead=lookahead), target)
        found = pgen.infer(guided, method=pgen.Enumerate())
        assert math.exp(found.log_evidence) == pytest.approx(sum(target.values()), rel=1e-9)


def test_guided_draws_under_critics_and_resampling():
    plain = random_model(PIECES, 5).text("", max_tokens=3, end="eos").given(pgen.choice("a", "ab", "aab"))
    target = {x: m for x, m in text_masses(plain, 3).items() if x != "ab"}
    for proposal in ("mask", "awrs"):
        guided = plain.guided(NGRAM).where(lambda text: text != "ab", at="text", proposal=proposal)
        check_proper_weights(lambda d=guided: pgen.sample("x", d), pgen.Importance(1, lookahead=0), target)
    method = pgen.SMC(2, ess_threshold=1.0, resample="tokens", lookahead=0)
    guided = plain.given(pgen.choice("a", "aab")).guided(NGRAM)
    check_proper_weights(lambda: pgen.sample("x", guided), method, {x: target[x] for x in ("a", "aab")})


def test_a_good_guide_lowers_the_variance_of_the_weights():
    """The model is the n-gram model itself: with its foresight every weight is the evidence."""
    rows = np.log(NGRAM.probabilities[:, [ord("a"), ord("b"), END]])
    letters = pgen.Vocabulary([b"a", b"b", b"<eos>"], eos=2)

    def next_logprobs(tokens):
        row = rows[NGRAM.context_after(letters.decode(tokens))]
        return row - np.logaddexp.reduce(row)

    lm = pgen.backends.tabular.TabularAR(letters, next_logprobs)
    plain = lm.text("", end="eos").given(pgen.choice("a", "abab", "bbbb", "babb"))

    def spread(text):
        law = enumerate_outcomes(lambda rng: weight(text, rng))
        mean = sum(p * w for p, w in law)
        return math.sqrt(sum(p * (w - mean) ** 2 for p, w in law)) / mean

    assert spread(plain) > 0.5
    assert spread(plain.guided(NGRAM)) < 0.2 * spread(plain)


def weight(text, rng):
    from pgen.inference.context import Context
    from pgen.inference.infer import run

    posterior = run(lambda: pgen.sample("x", text), (), {}, pgen.Importance(1, lookahead=0), Context(), rng)
    return math.exp(posterior.log_evidence)


def test_misuse_says_so():
    with pytest.raises(pgen.InvalidArgument, match="order"):
        ByteNgram.from_texts(["a"], order=0)
    with pytest.raises(pgen.InvalidArgument, match="text"):
        ByteNgram.from_texts([])
    nested = pgen.Grammar('start: "(" start ")" | "x"')
    with pytest.raises(pgen.LimitExceeded):
        random_model(PIECES, 1).text("").given(nested | "a").guided(NGRAM).sample(seed=0)
