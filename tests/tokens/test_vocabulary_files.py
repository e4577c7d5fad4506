"""tekken and tiktoken files and encodings: exact tables, tiktoken's own spelling, errors that name the place."""

import base64
import json

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from pgen.errors import InvalidArgument, InvalidVocabulary
from pgen.tokens import Vocabulary
from pgen.tokens.byte_pair import BytePairSpeller

PATTERN = r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
MERGES = [
    b"th",
    b"the",
    b" t",
    b" th",
    b" the",
    b"an",
    b"in",
    b"ing",
    b"aa",
    b"aaa",
    b"aaaa",
    b"\xc3\xa9",
    b"ab",
    b"ba",
]
RANKS = {bytes([b]): b for b in range(256)} | {token: 256 + i for i, token in enumerate(MERGES)}
N_RANKS = len(RANKS)
TEXTS = [
    "the thing in the bath",
    "aaaaaaaaaaa",
    "é naïve",
    "  two  spaces ",
    "x\n\ny",
    "日本語 🎉",
    "</s>",
    "",
    "abababba",
]


@pytest.fixture(scope="module")
def encoding():
    return tiktoken.Encoding(
        "toy", pat_str=PATTERN, mergeable_ranks=RANKS, special_tokens={"<|endoftext|>": 300, "<|role|>": 301}
    )


def rank_file(path, ranks=RANKS):
    path.write_text("".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items()))
    return path


def tekken_content(n_special=5, n_text=N_RANKS, special=None, ranks=RANKS):
    content = {
        "config": {
            "pattern": PATTERN,
            "num_vocab_tokens": len(ranks),
            "default_vocab_size": n_text + n_special,
            "default_num_special_tokens": n_special,
        },
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None}
            for token, rank in ranks.items()
        ],
    }
    return content | ({} if special is None else {"special_tokens": special})


def tekken_file(path, **changes):
    path.write_text(json.dumps(tekken_content(**changes)))
    return path


def test_an_encoding_with_holes_between_its_ids(encoding):
    vocabulary = Vocabulary.from_tiktoken(encoding)
    assert len(vocabulary) == 302
    assert vocabulary.tokens[: len(RANKS)] == tuple(RANKS)
    assert vocabulary.tokens[len(RANKS) : 300] == (b"",) * (300 - len(RANKS))
    assert (vocabulary.eos, vocabulary.special) == ({300}, {301})
    assert vocabulary.single_bytes == {b: b for b in range(256)}


def test_an_encoding_spells_names_of_special_tokens_as_text(encoding):
    ids = Vocabulary.from_tiktoken(encoding).encode("<|role|>")
    assert 301 not in ids
    assert ids == tuple(encoding.encode_ordinary("<|role|>"))


def test_a_rank_file_equals_the_encoding(encoding, tmp_path):
    special = {"<|endoftext|>": 300, "<|role|>": 301}
    path = rank_file(tmp_path / "toy.tiktoken")
    vocabulary = Vocabulary.from_tiktoken(path, eos=300, special=special, pattern=PATTERN)
    assert vocabulary == Vocabulary.from_tiktoken(encoding)
    for text in TEXTS:
        assert list(vocabulary.encode(text)) == encoding.encode_ordinary(text)


def test_a_rank_file_may_name_end_ids_beyond_its_ranks(tmp_path):
    vocabulary = Vocabulary.from_tiktoken(rank_file(tmp_path / "toy.tiktoken"), eos=[400])
    assert len(vocabulary) == 401
    assert vocabulary.eos == {400}


def test_a_rank_file_without_pattern_is_spelled_with_the_fewest_tokens(tmp_path):
    vocabulary = Vocabulary.from_tiktoken(rank_file(tmp_path / "toy.tiktoken"), eos=())
    assert vocabulary.encode("aaaaa") == (RANKS[b"aaaa"], ord("a"))


def test_a_rank_file_needs_end_ids(tmp_path):
    with pytest.raises(InvalidVocabulary, match="no end-of-sequence token"):
        Vocabulary.from_tiktoken(rank_file(tmp_path / "toy.tiktoken"))


def test_tekken_puts_special_tokens_first(encoding, tmp_path):
    vocabulary = Vocabulary.from_tekken(tekken_file(tmp_path / "tekken.json"))
    assert vocabulary.tokens[:5] == (b"<unk>", b"<s>", b"</s>", b"<SPECIAL_3>", b"<SPECIAL_4>")
    assert vocabulary.tokens[5:] == tuple(RANKS)
    assert (vocabulary.eos, vocabulary.special) == ({2}, {0, 1, 3, 4})
    for text in TEXTS:
        assert [i - 5 for i in vocabulary.encode(text)] == encoding.encode_ordinary(text)


def test_tekken_reads_the_names_of_special_tokens_and_cuts_at_the_stated_size(tmp_path):
    special = [{"rank": 1, "token_str": "</s>"}, {"rank": 0, "token_str": "<x>"}]
    vocabulary = Vocabulary.from_tekken(tekken_file(tmp_path / "t.json", n_special=2, n_text=260, special=special))
    assert vocabulary.tokens[:2] == (b"<x>", b"</s>")
    assert vocabulary.eos == {1}
    assert vocabulary.tokens[2:] == tuple(RANKS)[:260]
    assert vocabulary.decode(vocabulary.encode("the thing")) == b"the thing"


@given(st.text(alphabet="aabthe é\n", max_size=40) | st.text(max_size=12))
def test_byte_pair_merging_equals_tiktoken(text):
    encoding = tiktoken.Encoding("toy", pat_str=PATTERN, mergeable_ranks=RANKS, special_tokens={})
    assert BytePairSpeller(RANKS, PATTERN)(text) == encoding.encode_ordinary(text)


def test_merging_a_long_piece_takes_no_quadratic_time():
    assert len(BytePairSpeller(RANKS, PATTERN)("a" * 100_000)) == 25_000


def without_a_byte():
    return {token: rank for token, rank in RANKS.items() if token != b"z"}


def test_a_text_with_a_byte_that_has_no_rank_cannot_be_spelled(tmp_path):
    path = rank_file(tmp_path / "toy.tiktoken", without_a_byte())
    with pytest.raises(InvalidArgument, match=r"stuck at byte 4 \(0x7a\)"):
        Vocabulary.from_tiktoken(path, eos=(), pattern=PATTERN).encode("the z")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is no tiktoken file"),
        ("YQ==", "is no tiktoken file"),
        ("YQ== x", "is no tiktoken file"),
        ("Y! 0", "the token of rank 0 is not base64"),
        ("YQ== 0\nYQ== 1", "stands there twice"),
        ("YQ== 0\nYg== 0", "stands there twice"),
    ],
)
def test_malformed_rank_files(content, message, tmp_path):
    path = tmp_path / "bad.tiktoken"
    path.write_text(content)
    with pytest.raises(InvalidVocabulary, match=message):
        Vocabulary.from_tiktoken(path, eos=())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no tekken file: JSONDecodeError"),
        ("[]", "is no tekken file: TypeError"),
        ("{}", "is no tekken file: KeyError: 'config'"),
        (json.dumps(tekken_content(n_text=400)), "announces 400 text tokens but holds 270"),
        (json.dumps(tekken_content(special=[{"rank": 9, "token_str": "</s>"}])), "special token 9"),
    ],
)
def test_malformed_tekken_files(content, message, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(InvalidVocabulary, match=message):
        Vocabulary.from_tekken(path)


@pytest.mark.parametrize("read", [Vocabulary.from_tekken, Vocabulary.from_tiktoken])
def test_missing_files(read, tmp_path):
    with pytest.raises(InvalidVocabulary, match=r"cannot read .*missing: No such file"):
        read(tmp_path / "missing")


def test_a_malformed_pattern(tmp_path):
    with pytest.raises(InvalidVocabulary, match="splitting pattern '\\(' is malformed"):
        Vocabulary.from_tiktoken(rank_file(tmp_path / "toy.tiktoken"), eos=(), pattern="(")


def test_a_special_id_that_is_a_rank(tmp_path):
    with pytest.raises(InvalidVocabulary, match="special id 7 is the rank of an ordinary token"):
        Vocabulary.from_tiktoken(rank_file(tmp_path / "toy.tiktoken"), eos=(), special={"<x>": 7})


def test_an_encoding_takes_no_further_special_tokens(encoding):
    with pytest.raises(InvalidArgument, match="has its own special tokens"):
        Vocabulary.from_tiktoken(encoding, special={"<x>": 400})


def test_something_that_is_no_encoding():
    with pytest.raises(InvalidVocabulary, match=r"expected a tiktoken\.Encoding or the path .* got int"):
        Vocabulary.from_tiktoken(3)
