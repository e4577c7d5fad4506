"""The rules of `Vocabulary`: kinds of ids, equality, decoding, and the fewest-tokens spelling."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgen.errors import InvalidArgument, InvalidVocabulary
from pgen.tokens import Vocabulary

TOKENS = [b"a", b"b", b"ab", b"", b"ab", b"\xc3", b"</s>", b"<pad>", b"\xa9", b"abb"]


@pytest.fixture
def vocabulary():
    return Vocabulary(TOKENS, eos=6, special={7})


def test_kinds_of_ids(vocabulary):
    assert len(vocabulary) == 10
    assert vocabulary.tokens == tuple(TOKENS)
    assert vocabulary.eos == {6}
    assert vocabulary.special == {7}
    assert vocabulary.text_ids.tolist() == [0, 1, 2, 4, 5, 8, 9]
    assert vocabulary.single_bytes == {ord("a"): 0, ord("b"): 1, 0xC3: 5, 0xA9: 8}


def test_single_bytes_name_the_lowest_text_id():
    vocabulary = Vocabulary([b"a", b"x", b"a", b"a"], eos=0)
    assert vocabulary.single_bytes == {ord("a"): 2, ord("x"): 1}


def test_text_ids_are_read_only(vocabulary):
    with pytest.raises(ValueError, match="read-only"):
        vocabulary.text_ids[0] = 3


@pytest.mark.parametrize("name", ["tokens", "eos", "special"])
def test_attributes_cannot_be_set(vocabulary, name):
    with pytest.raises(AttributeError):
        setattr(vocabulary, name, ())


def test_later_changes_of_the_arguments_do_not_matter():
    tokens, special = [b"a", b"b", b"c"], {1}
    vocabulary = Vocabulary(tokens, eos=2, special=special)
    tokens[0] = b"z"
    special.add(0)
    assert vocabulary.tokens[0] == b"a"
    assert vocabulary.special == {1}


def test_an_id_that_is_end_and_special_is_an_end():
    vocabulary = Vocabulary([b"a", b"e"], eos=1, special=(1,))
    assert (vocabulary.eos, vocabulary.special) == ({1}, frozenset())
    assert vocabulary == Vocabulary([b"a", b"e"], eos=1)


@pytest.mark.parametrize("eos", [2, {2}, [2], np.int64(2), np.array([2])])
def test_end_ids_come_in_many_forms(eos):
    assert Vocabulary([b"a", b"b", b""], eos=eos).eos == {2}


def test_equality_and_hash_go_by_content(vocabulary):
    same = Vocabulary(tuple(TOKENS), eos=[6], special=[7], spell=lambda text: ())
    assert same == vocabulary
    assert hash(same) == hash(vocabulary)
    assert same.digest == vocabulary.digest
    assert len({same, vocabulary}) == 1
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary


@pytest.mark.parametrize(
    "other",
    [
        Vocabulary(TOKENS, eos=7, special={6}),
        Vocabulary(TOKENS, eos=6),
        Vocabulary(TOKENS, eos={6, 0}, special={7}),
        Vocabulary([*TOKENS, b""], eos=6, special={7}),
        Vocabulary([b"ab", b"", *TOKENS[2:]], eos=6, special={7}),
        "a vocabulary",
    ],
)
def test_other_content_is_not_equal(vocabulary, other):
    assert vocabulary != other


def test_the_digest_is_the_same_in_every_process(vocabulary):
    assert vocabulary.digest == "92e1b3def926c1fe994024e3b0769752"


def test_repr_is_short(vocabulary):
    assert repr(vocabulary) == "Vocabulary(10 tokens, eos=[6], 1 special)"


def test_decode_leaves_out_what_is_not_text(vocabulary):
    assert vocabulary.decode([2, 7, 3, 5, 8, 6]) == "abé".encode()
    assert vocabulary.decode(np.array([0, 1])) == b"ab"
    assert vocabulary.decode(()) == b""


@pytest.mark.parametrize("bad", [-1, 10])
def test_decode_rejects_ids_out_of_range(vocabulary, bad):
    with pytest.raises(InvalidArgument, match=f"token id {bad} is not one of the 10 ids"):
        vocabulary.decode([0, bad])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], ()), "at least one token"),
        (([b"a", "b"], ()), r"token 1 is 'b', of type str"),
        (([b"a", None], ()), r"token 1 is None"),
        ((b"ab", ()), "not one bytes"),
        (("ab", ()), "not one str"),
        (([b"a"], 1), "eos holds 1, but ids run from 0 to 0"),
        (([b"a"], -1), "eos holds -1"),
        (([b"a"], (), {3}), "special holds 3"),
        (([b"a"], "a"), "expected token ids"),
        (([b"a"], None), "expected token ids"),
        (([b"a"], 0.0), "expected token ids"),
    ],
)
def test_invalid_vocabularies(arguments, message):
    with pytest.raises(InvalidVocabulary, match=message):
        Vocabulary(*arguments)


def test_encode_takes_the_fewest_tokens_the_longest_first_the_lowest_id(vocabulary):
    assert vocabulary.encode("") == ()
    assert vocabulary.encode("ab") == (2,)
    assert vocabulary.encode("abab") == (2, 2)
    assert vocabulary.encode("abb") == (9,)
    assert vocabulary.encode("aé") == (0, 5, 8)
    assert Vocabulary([b"a", b"ab", b"bc", b"c"], eos=()).encode("abc") == (1, 3)


def test_encode_takes_bytes_that_are_no_text(vocabulary):
    assert vocabulary.encode(b"\xa9a") == (8, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", r"stuck at byte 2 \(0x63\)"),
        ("c", r"stuck at byte 0 \(0x63\)"),
        ("é</s>", r"stuck at byte 2 \(0x3c\)"),
        ("a\ud800", "position 1 is a lone surrogate"),
    ],
)
def test_encode_names_the_byte_it_cannot_spell(vocabulary, text, message):
    with pytest.raises(InvalidArgument, match=message):
        vocabulary.encode(text)


def spellings(tokens, data):
    """All spellings as id tuples, by brute force."""
    if not data:
        yield ()
    for i, token in enumerate(tokens):
        if token and data.startswith(token):
            yield from ((i, *rest) for rest in spellings(tokens, data[len(token) :]))


def preference(tokens, ids):
    return len(ids), [-len(tokens[i]) for i in ids], ids


@given(
    st.lists(st.binary(max_size=3).map(lambda b: bytes(x % 3 for x in b)), min_size=1, max_size=8),
    st.binary(max_size=7).map(lambda b: bytes(x % 3 for x in b)),
)
def test_encode_equals_the_best_of_all_spellings(tokens, data):
    vocabulary = Vocabulary(tokens, eos=())
    best = min(spellings(tokens, data), key=lambda ids: preference(tokens, ids), default=None)
    if best is None:
        with pytest.raises(InvalidArgument, match="no tokens spell the text"):
            vocabulary.encode(data)
    else:
        assert vocabulary.encode(data) == best


def test_the_byte_where_spelling_is_stuck_is_the_furthest_reachable():
    tokens = [b"a", b"ab", b"abc"]
    for data in map(bytes, itertools.product(b"abc", repeat=5)):
        reachable = [n for n in range(6) if any(True for _ in spellings(tokens, data[:n]))]
        if 5 not in reachable:
            with pytest.raises(InvalidArgument, match=f"stuck at byte {max(reachable)} "):
                Vocabulary(tokens, eos=()).encode(data)


@pytest.mark.parametrize(
    ("spell", "expected"),
    [
        (lambda text: [0, 1], (0, 1)),
        (lambda text: [4], (4,)),
        (lambda text: [0], (2,)),
        (lambda text: [0, 3, 1], (2,)),
        (lambda text: [0, 1, 6], (2,)),
        (lambda text: [0, 99], (2,)),
        (lambda text: [], (2,)),
    ],
    ids=["own", "duplicate", "incomplete", "empty token", "end token", "out of range", "none"],
)
def test_the_tokenizers_spelling_counts_if_it_reads_back_as_the_text(spell, expected):
    assert Vocabulary(TOKENS, eos=6, special={7}, spell=spell).encode("ab") == expected
