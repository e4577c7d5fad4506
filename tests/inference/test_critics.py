"""Predicates and potentials on tabular models against brute force, all random choices enumerated."""

import math

import numpy as np
import pytest

import pgen
from pgen.backends.tabular import TabularAR
from pgen.errors import CriticError
from pgen.inference.context import Context
from pgen.inference.infer import run
from pgen.programs.critics import Critic, field_end
from pgen.sampling.rng import CounterRng
from pgen.testing.laws import check_batch_independence, check_proper_weights
from pgen.testing.oracles import random_model, text_masses

LETTERS = pgen.Vocabulary([b"a", b"b", b"<eos>"], eos=2)
PIECES = pgen.Vocabulary([b"a", b"b", b"ab", b" ", b"<eos>"], eos=4)
BYTES = pgen.Vocabulary([b"a", b"\xc3", b"\xa9", b"\xc3\xa9", b"<eos>"], eos=4)
AB = pgen.Regex("[ab]{1,3}")


def no_bb(text):
    return "bb" not in text


def short_words(text):
    return all(len(word) <= 2 for word in text.split())


def likes_a(text):
    return 0.8 * text.count("a") - 0.3 * len(text)


def few_accents(text):
    text.encode()
    return text.count("é") < 2


CASES = {
    "letters eos": lambda lm: lm.text("", max_tokens=2, end="eos").given(AB),
    "letters match": lambda lm: lm.text("", max_tokens=2, end="match").given(AB),
    "letters prefix": lambda lm: lm.text("", max_tokens=2, end="prefix").given(AB),
    "letters stop": lambda lm: lm.text("", max_tokens=1, stop="ba").given(pgen.Regex("[ab]*")),
    "free": lambda lm: lm.text("", max_tokens=2),
}


def target(distribution, log_weight, max_tokens=3):
    masses = text_masses(distribution, max_tokens)
    weighted = {
        text: mass * math.exp(log_weight(text)) for text, mass in masses.items() if log_weight(text) > -math.inf
    }
    return {text: mass for text, mass in weighted.items() if mass > 0}


def log_truth(predicate):
    return lambda text: 0.0 if predicate(text) else -math.inf


def limit(distribution):
    return distribution.max_tokens


@pytest.mark.parametrize(
    ("proposal", "at"),
    [("mask", "token"), ("awrs", "token"), ("awrs-recursive", "word"), ("auto", "word"), ("awrs", "text")],
)
@pytest.mark.parametrize("name", CASES)
def test_predicates_are_properly_weighted(name, at, proposal):
    plain = CASES[name](random_model(LETTERS, 3))
    expected = target(plain, log_truth(no_bb), limit(plain))
    judged = plain.where(no_bb, at=at, proposal=proposal)
    program = lambda: pgen.sample("x", judged)  # noqa: E731
    for lookahead in (0, 2) if proposal == "mask" else (0,):
        check_proper_weights(program, pgen.Importance(1, lookahead=lookahead), expected)
    exact = pgen.infer(judged, method=pgen.Enumerate())
    assert math.exp(exact.log_evidence) == pytest.approx(sum(expected.values()), abs=1e-10)
    assert {x: p * math.exp(exact.log_evidence) for x, p in exact.probabilities().items()} == pytest.approx(expected)


def test_the_estimator_may_be_named():
    """Recursive weights have two values a token, geometric ones as many as there are numbers of rejections."""
    fair = TabularAR(LETTERS, lambda tokens: [math.log(1 / 3)] * 3)
    plain, expected = fair.text("", max_tokens=1, end="prefix").given(pgen.choice("a", "b")), 1 / 3
    found = {}
    for name in ("awrs-recursive", "awrs-geometric"):
        judged = plain.where(lambda text: text != "a", proposal=name)
        posterior = pgen.infer(judged, method=pgen.Importance(400, lookahead=0))
        assert math.exp(posterior.log_evidence) == pytest.approx(expected, rel=0.2)
        found[name] = len(set(posterior.log_weights.round(9)))
    assert found["awrs-recursive"] <= 2 < found["awrs-geometric"]


@pytest.mark.parametrize("vocabulary", [LETTERS, PIECES])
@pytest.mark.parametrize("at", ["token", "word"])
def test_potentials_count_on_the_complete_text_only(vocabulary, at):
    plain = random_model(vocabulary, 5).text("", max_tokens=2, end="eos").given(pgen.Regex("[ab ]{0,3}"))
    judged = plain.weighted(likes_a, at=at)
    expected = target(plain, likes_a, 2)
    check_proper_weights(lambda: pgen.sample("x", judged), pgen.Importance(1, lookahead=0), expected)
    check_proper_weights(lambda: pgen.sample("x", judged), pgen.Importance(1, lookahead=3), expected)
    exact = pgen.infer(judged, method=pgen.Enumerate())
    assert math.exp(exact.log_evidence) == pytest.approx(sum(expected.values()), rel=1e-10)


def test_potentials_and_predicates_under_resampling():
    plain = random_model(LETTERS, 7).text("", max_tokens=2, end="eos").given(pgen.choice("a", "ab", "bb"))
    judged = plain.weighted(likes_a).where(no_bb, proposal="awrs")
    expected = target(plain, lambda text: likes_a(text) + log_truth(no_bb)(text), 2)
    method = pgen.SMC(2, ess_threshold=1.0, resample="tokens", lookahead=0)
    check_proper_weights(lambda: pgen.sample("x", judged), method, expected)


def test_a_predicate_with_pieces_and_words():
    plain = random_model(PIECES, 11).text("", max_tokens=2, end="eos").given(pgen.Regex("[ab ]{0,3}"))
    expected = target(plain, log_truth(short_words), 2)
    for at in ("token", "word", lambda text: text.rfind(" ") + 1):
        judged = plain.where(short_words, at=at)
        exact = pgen.infer(judged, method=pgen.Enumerate())
        assert math.exp(exact.log_evidence) == pytest.approx(sum(expected.values()), rel=1e-10)
        check_proper_weights(lambda d=judged: pgen.sample("x", d), pgen.Importance(1, lookahead=6), expected)


def test_critics_never_see_half_a_character():
    plain = random_model(BYTES, 2).text("", max_tokens=3, end="eos").given(pgen.Regex("[aé]{1,2}"))
    check_proper_weights(
        lambda: pgen.sample("x", plain.where(few_accents)),
        pgen.Importance(1, lookahead=0),
        target(plain, log_truth(few_accents)),
    )


def test_critics_never_see_what_may_become_a_stop_string():
    seen = []
    plain = random_model(LETTERS, 4).text("", max_tokens=3, stop="bb")
    judged = plain.where(lambda text: seen.append(text) or True, proposal="mask")
    judged.sample(seed=0, n=10)
    assert seen
    assert not any("bb" in text for text in seen)
    plain = random_model(LETTERS, 4).text("", max_tokens=2, stop="bb")
    expected = target(plain, log_truth(lambda text: "b" not in text), 2)
    judged = plain.where(lambda text: "b" not in text)
    check_proper_weights(lambda: pgen.sample("x", judged), pgen.Importance(1, lookahead=0), expected)


def test_within_normalises_by_the_critics_before_it():
    plain = random_model(LETTERS, 6).text("", max_tokens=3, end="eos")
    share = sum(target(plain.given(AB), log_truth(no_bb)).values())
    inside = pgen.infer(plain.where(no_bb).within(AB), method=pgen.Enumerate())
    assert inside.log_evidence == pytest.approx(0.0, abs=1e-10)
    whole = sum(target(plain.given(AB), lambda _: 0.0).values())
    outside = pgen.infer(plain.within(AB).where(no_bb), method=pgen.Enumerate())
    assert outside.log_evidence == pytest.approx(math.log(share / whole), abs=1e-10)


def test_scores_count_critics():
    plain = random_model(LETTERS, 8).text("", max_tokens=3, end="eos").given(AB)
    judged = plain.weighted(likes_a)
    for tokenization in ("all", "canonical"):
        difference = judged.log_prob("ab", tokenization) - plain.log_prob("ab", tokenization)
        assert difference == pytest.approx(likes_a("ab"), abs=1e-9)
        assert plain.where(no_bb).log_prob("bb", tokenization) == -math.inf


def test_bounds_make_unfinished_enumeration_certain():
    plain = random_model(LETTERS, 9).text("", max_tokens=8, end="eos")
    bounded = plain.weighted(lambda text: -0.5 * len(text), bound=0.0)
    exact = sum(target(plain, lambda text: -0.5 * len(text), 8).values())
    found = pgen.infer(bounded, method=pgen.Enumerate(tol=0.1))
    assert math.exp(found.log_evidence) < exact
    assert exact <= math.exp(np.logaddexp(found.log_evidence, found.log_unexplored)) + 1e-12
    unbounded = plain.weighted(lambda text: -0.5 * len(text))
    with pytest.raises(pgen.LimitExceeded):
        pgen.infer(unbounded, method=pgen.Enumerate(tol=0.1, max_evaluations=50))


def test_results_do_not_depend_on_the_batch_size():
    plain = random_model(PIECES, 10).text("", max_tokens=4, end="eos")
    judged = plain.where(no_bb).weighted(likes_a, at="word")
    check_batch_independence(lambda: pgen.sample("x", judged), pgen.SMC(9, resample="tokens", lookahead=0))


def test_auto_takes_the_cheaper_proposal():
    """A wide vocabulary where most is accepted needs few tests; many particles at one prefix share a mask."""
    wide = pgen.Vocabulary([bytes([b]) for b in range(33, 123)] + [b"<eos>"], eos=90)
    tests = {"mask": 0, "awrs": 0, "auto": 0}
    for proposal in tests:

        def predicate(text, proposal=proposal):
            tests[proposal] += 1
            return "z" not in text

        judged = random_model(wide, 1).text("", max_tokens=4).where(predicate, proposal=proposal)
        run(lambda d=judged: pgen.sample("x", d), (), {}, pgen.Importance(8, lookahead=0), Context(), CounterRng(0))
    assert tests["awrs"] < tests["mask"] / 4
    assert tests["auto"] <= 1.5 * tests["awrs"]


def test_a_lambda_made_anew_by_every_run_is_one_critic():
    def critic(word, extra):
        return Critic.predicate(lambda text: word not in text and extra is not None, "token")

    assert critic("a", 1) == critic("a", 1)
    assert hash(critic("a", 1)) == hash(critic("a", 1))
    assert critic("a", 1) != critic("b", 1)
    assert critic("a", 1) != critic("a", True)
    assert Critic.potential(likes_a, "word", None) != Critic.potential(likes_a, "token", None)


def test_a_critic_that_raises_names_text_and_address():
    def broken(text):
        if len(text) == 2:
            raise ValueError("no such word")
        return True

    judged = random_model(LETTERS, 1).text("", max_tokens=3).where(broken)

    def program():
        pgen.sample("first", pgen.categorical({1: 1.0}))
        return pgen.sample("second", judged)

    for method in (pgen.Importance(4, lookahead=0), pgen.SMC(4), pgen.Enumerate()):
        with pytest.raises(CriticError, match="no such word") as caught:
            pgen.infer(program, method=method)
        assert len(caught.value.text) == 2
        assert caught.value.address == "second"
        assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("value", [math.nan, math.inf, np.zeros(2), "many", None])
def test_potentials_must_be_numbers(value):
    judged = random_model(LETTERS, 1).text("", max_tokens=2).weighted(lambda text: value)
    with pytest.raises(CriticError, match="expected a number"):
        judged.sample(seed=0)


def test_other_misuse_says_so():
    text = random_model(LETTERS, 1).text("", max_tokens=2)
    with pytest.raises(CriticError, match="expected True or False"):
        text.where(lambda text: 0.5).sample(seed=0)
    with pytest.raises(CriticError, match="above its bound"):
        text.weighted(lambda text: 1.0, bound=0.5).sample(seed=0)
    with pytest.raises(CriticError, match="boundary"):
        text.where(no_bb, at=lambda text: len(text) + 1).sample(seed=0)
    for call in (
        lambda: text.where("bb"),
        lambda: text.where(no_bb, at="paragraph"),
        lambda: text.where(no_bb, proposal="magic"),
        lambda: text.weighted(likes_a, bound=math.nan),
    ):
        with pytest.raises(pgen.InvalidArgument):
            call()


def test_boundaries():
    def ready(at, text):
        return text[: Critic.predicate(no_bb, at).ready(text)]

    assert ready("word", "the cat sa") == "the cat "
    assert ready("word", "the") == ""
    assert ready("sentence", 'He said "no." Then. He') == 'He said "no." Then.'
    assert ready("sentence", "3.14 is") == ""
    assert ready("line", "a\nb\nc") == "a\nb\n"
    assert ready("field", '{"a": "x,}\\"", "b": [1, 2') == '{"a": "x,}\\"", "b": [1,'
    assert field_end('{"a": 1}') == 8
    assert ready("text", "anything") == ""
