"""`near` against the edit distance by dynamic programming, `span_of` against its definition."""

import time
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgen


def distance(left, right):
    """Levenshtein's, by the textbook's table."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, row = row, [i]
        for j, b in enumerate(right, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]


@pytest.mark.parametrize("text", ["", "a", "aba", "é😀b"])
@pytest.mark.parametrize("edits", range(4))
def test_near_on_all_short_texts(text, edits):
    language = pgen.near(text, edits)
    for n in range(5):
        for candidate in map("".join, product("abé😀", repeat=n)):
            assert language.matches(candidate) == (distance(text, candidate) <= edits), candidate


@given(st.text(alphabet="abc", max_size=20), st.integers(0, 4), st.data())
@settings(max_examples=80)
def test_near_on_edited_texts(text, edits, data):
    candidate = text
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(candidate)))
        candidate = (
            candidate[:at]
            + data.draw(st.sampled_from(["", "a", "z", "é"]))
            + candidate[at + data.draw(st.integers(0, 1)) :]
        )
    language = pgen.near(text, edits)
    assert language.matches(candidate) == (distance(text, candidate) <= edits)
    prefix = candidate[: data.draw(st.integers(0, len(candidate)))]
    assert language.completable(prefix) == (min(distance(text[:i], prefix) for i in range(len(text) + 1)) <= edits)


def test_near_does_not_explode():
    text = "the quick brown fox jumps over the lazy dog, " * 5
    begun = time.perf_counter()
    language = pgen.near(text[:200], 4)
    assert language.matches(text[2:100] + "!" + text[100:200])
    assert not language.matches(text[5:200])
    assert time.perf_counter() - begun < 5
    with pytest.raises(pgen.LimitExceeded):
        pgen.near("x" * 10_000, 4)


def spans(text):
    """By the definition: a part that is not empty, has no white space outside, and cuts no word."""

    def cuts_word(at):
        return 0 < at < len(text) and all(c.isalnum() or c in "_\u0301" for c in text[at - 1 : at + 1])

    parts = {
        text[i:j]
        for i in range(len(text))
        for j in range(i + 1, len(text) + 1)
        if not cuts_word(i) and not cuts_word(j)
    }
    return {part for part in parts if part == part.strip()}


@given(st.text(alphabet="ab1_ .'\né\u0301", max_size=10).filter(str.strip))
@settings(max_examples=80)
def test_spans_are_whole_words(text):
    language, expected = pgen.span_of(text), spans(text)
    parts = {text[i:j] for i in range(len(text) + 1) for j in range(i, len(text) + 1)}
    assert {part for part in parts | {"", "zz", "a b"} if language.matches(part)} == expected


def test_the_spans_of_the_docstring():
    assert spans("Dr. Who") == {"Dr", "Dr.", ".", "Who", ". Who", "Dr. Who"}
    assert not pgen.span_of("Dr. Who").matches("")


@pytest.mark.parametrize(
    "call",
    [
        lambda: pgen.span_of(" \n"),
        lambda: pgen.near("a", -1),
        lambda: pgen.near("a", 1.5),
        lambda: pgen.near("\ud800", 1),
        lambda: pgen.span_of("\ud800"),
    ],
)
def test_bad_arguments(call):
    with pytest.raises(pgen.InvalidArgument):
        call()


BYTES = [*(bytes([b]) for b in b"abc. "), *(bytes([b]) for b in "é".encode())]
VOCABULARY = pgen.Vocabulary([*BYTES, b"ab", b"b. ", b"\xa9a", b"c\xc3", b". a", b"</s>"], eos=12)
LANGUAGES = [
    pgen.near("abé", 1),
    pgen.near("ab", 2),
    pgen.span_of("ab. a cb"),
    pgen.until(". ", pgen.Regex("[abc. ]*")),
    pgen.template("a{x}b{y}", x=pgen.Regex("[bc]+"), y=pgen.choice("é", "")),
    pgen.tagged(("ab", pgen.Regex("c+"), ".")),
]


@pytest.mark.parametrize("language", LANGUAGES, ids=repr)
def test_masks_are_completability(language):
    every = b"abc. \xc3\xa9"
    automaton = language.compile(VOCABULARY)
    prefixes = [b"", b"a", b"ab", b"abc", b"b", b"\xc3", b"ab\xc3", b". ", b"cab", b"ab. a", b"acb\xc3"]
    for prefix in filter(language.completable, prefixes):
        state = automaton.run([VOCABULARY.single_bytes[b] for b in prefix])
        allowed = set(automaton.allowed_tokens(state).tolist())
        expected = {
            i for i, token in enumerate(VOCABULARY.tokens[:12]) if completable_in(language, prefix + token, every)
        }
        assert allowed == expected | ({12} if language.matches(prefix) else set())


def completable_in(language, prefix, alphabet, n_more=9):
    """Whether bytes of an alphabet complete a prefix, by trying them all, one after the other."""
    front = {prefix}
    for _ in range(n_more):
        front = {text for text in front if language.completable(text)}
        if any(language.matches(text) for text in front):
            return True
        front = {text + bytes([byte]) for text in list(front)[:200] for byte in alphabet}
    return False
