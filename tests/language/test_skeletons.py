"""Skeletons: which texts they hold, and that their gaps can be filled."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgen


@given(st.lists(st.text("ab{}", min_size=1, max_size=3), min_size=1, max_size=3), st.text("ab{}", max_size=8))
def test_phrases_stand_in_order(phrases, text):
    at = 0
    for phrase in phrases:
        found = text.find(phrase, at)
        at = found + len(phrase) if found >= 0 else len(text) + 1
    assert pgen.contains(*phrases).matches(text) == (at <= len(text))


def test_gaps_have_names_and_languages():
    made = pgen.contains("cat", "dog", gaps=pgen.Regex("[a-z ]*"))
    assert made.parse("a cat and a dog") == {"gap_0": "a ", "gap_1": " and a ", "gap_2": ""}
    assert not made.matches("a cat, a dog")
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_skeleton_keeps_what_is_locked():
    text = "the cat sat on the mat"
    made = pgen.skeleton(text, "the", "sat", (19, 22))
    assert made.text == "the{gap_0}sat{gap_1}mat"
    assert made.parse(text) == {"gap_0": " cat ", "gap_1": " on the "}
    assert made.format(gap_0=" dog ", gap_1=" by a ") == "the dog sat by a mat"
    assert pgen.skeleton(text, "cat").text == "{gap_0}cat{gap_1}"
    assert pgen.skeleton("{a}b", "{a}").text == "{{a}}{gap_0}"


def test_what_cannot_be_locked_is_told():
    with pytest.raises(pgen.InvalidArgument, match="no 'cat' at or after position 7"):
        pgen.skeleton("the cat sat", "cat", "cat")
    with pytest.raises(pgen.InvalidArgument, match=r"no \(3, 3\)"):
        pgen.skeleton("the cat", (3, 3))
    with pytest.raises(pgen.InvalidArgument, match="all of the text is locked"):
        pgen.skeleton("the", (0, 3))
    with pytest.raises(pgen.InvalidArgument, match="one phrase or more"):
        pgen.contains("a", "")
