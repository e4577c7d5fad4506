"""A fixed ending, word lengths, types, a classifier: posteriors over texts against brute force."""

import math

import pytest
from byte_model import byte_model
from cued_model import cued_model, normalized

import pgen
from examples import identifiers, poem, review, story
from pgen.testing.oracles import random_model, text_masses

EXACT = pgen.Enumerate()
LETTERS = pgen.Vocabulary([b"a", b"b", b" ", b"\n", b"ab", b"<eos>"], eos=5)


def test_the_middle_of_a_story_is_weighed_by_its_ending():
    distribution = story.story(random_model(LETTERS, 1), "a b", " b", pgen.Regex("[ab]{1,3}"))
    expected = text_masses(distribution.inner, 9)
    posterior = pgen.infer(distribution, method=EXACT)
    assert posterior.probabilities() == pytest.approx(normalized(expected.items()))
    assert posterior.log_evidence == pytest.approx(math.log(sum(expected.values())))
    assert all(text == f"{text.holes['middle']} b" for text in posterior.values)
    sampled = pgen.infer(distribution, method=pgen.SMC(2000, resample="tokens", lookahead=0)).probabilities()
    exact = posterior.probabilities()
    assert sum(abs(sampled.get(text, 0.0) - share) for text, share in exact.items()) / 2 < 0.05


def test_a_poem_keeps_to_its_word_lengths():
    form = poem.poems(((1, 2), (2,)), "ab")
    distribution = poem.write(random_model(LETTERS, 2), "", ((1, 2), (2,)), "ab")
    expected = text_masses(distribution, 8)
    assert len(expected) == 2 * 4 * 4
    assert all(
        [[len(word) for word in line.split()] for line in text.split("\n")] == [[1, 2], [2]] for text in expected
    )
    posterior = pgen.infer(distribution, method=EXACT)
    assert posterior.probabilities() == pytest.approx(normalized(expected.items()))
    assert not form.matches("a ab")
    assert not form.matches("a ab\na")
    known = poem.poems(((1, 2), (2,)), words=("a", "ab", "ba", "abb"))
    assert known.matches("a ab\nba")
    assert not known.matches("b ab\nba")


SCOPE = {"n": "int", "word": "str", "other": "str"}
VALUES = {"n": 3, "word": "to and fro", "other": ""}


@pytest.mark.parametrize(("wanted", "kind"), [("int", int), ("str", str), ("bool", bool)])
def test_expressions_have_the_type_that_was_asked_for(wanted, kind):
    language = identifiers.expressions(SCOPE, wanted)
    drawn = pgen.infer(byte_model().text("", max_tokens=16).given(language), method=pgen.Masked(40)).values
    assert len(set(drawn)) > 10
    assert all(type(eval(text, {}, VALUES)) is kind for text in drawn)
    assert not any(
        identifiers.expressions(SCOPE, other).matches(drawn[0]) for other in {"int", "str", "bool"} - {wanted}
    )


def test_only_what_fits_the_type_is_written():
    lm = cued_model({"return ": {"word + other\n": 0.2, "word.upper()\n": 0.5, "n\n": 0.2, "wordy\n": 0.1}})
    posterior = pgen.infer(identifiers.completion(lm, "return ", SCOPE, "str"), method=EXACT)
    assert posterior.probabilities() == pytest.approx({"word.upper()\n": 5 / 7, "word + other\n": 2 / 7})
    assert posterior.log_evidence == pytest.approx(math.log(0.7))


def test_a_classifier_is_a_potential():
    says = {" a warm and lovely place.": 0.3, " a cold and dirty place.": 0.5, " somewhere or other.": 0.2}
    classifier = review.NaiveBayes(review.LABELLED)
    for label in review.LABELLED:
        distribution = review.review(cued_model({"is": says}), "It is", classifier, label, 2.0, max_tokens=32)
        posterior = pgen.infer(distribution, method=EXACT)
        masses = [(text, p * math.exp(2 * classifier.log_probability(label, text))) for text, p in says.items()]
        assert posterior.probabilities() == pytest.approx(normalized(masses))
        assert math.exp(posterior.log_evidence) == pytest.approx(sum(mass for _, mass in masses))


def test_the_classifier_is_bayes_rule():
    classifier = review.NaiveBayes({"good": ("fine fine",), "bad": ("bad",)})
    # Two words are known; "fine" was counted twice of two words, and no time of one.
    good, bad = (2 + 1) / (2 + 2), 1 / (1 + 2)
    assert classifier.log_probability("good", "Fine!") == pytest.approx(math.log(good / (good + bad)))
    assert sum(
        math.exp(classifier.log_probability(label, "fine bad unseen")) for label in ("good", "bad")
    ) == pytest.approx(1)
