"""Hugging Face fast tokenizers, built in memory: exact bytes, decoding as the tokenizer does, exact spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import SAMPLES, TRICKY
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from pgen.errors import InvalidVocabulary
from pgen.tokens import Vocabulary
from pgen.tokens.fast_tokenizers import byte_of_character

BYTE_TOKENS = [f"<0x{b:02X}>" for b in range(256)]
CORPUS = [*SAMPLES.values(), "the cat sat on the mat and the dog sat on the log"] * 3


def byte_level(add_prefix_space=False):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|end|>", "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken("<tool é>", special=False)])
    return tokenizer


def llama_decoder():
    return decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )


def llama_like():
    """BPE with byte fallback, `Prepend` and `Replace` as normalizers: the layout of Llama 2."""
    pieces = ["<unk>", "<s>", "</s>", *BYTE_TOKENS, "▁", "t", "h", "e", "a", "▁t", "he", "▁the", "é", "日", "▁▁"]
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he"), ("▁", "▁")]
    model = models.BPE(
        vocab={piece: i for i, piece in enumerate(pieces)},
        merges=merges,
        unk_token="<unk>",
        byte_fallback=True,
        fuse_unk=True,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = llama_decoder()
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return tokenizer


def metaspace_unigram():
    """Unigram with byte fallback and `Metaspace`: the layout of newer SentencePiece conversions."""
    words = ["▁", "▁the", "the", "▁cat", "a", "é", "日", "▁▁"]
    scored = [
        ("<unk>", 0.0),
        ("</s>", 0.0),
        *((t, -9.0) for t in BYTE_TOKENS),
        *((w, -1.0 - i) for i, w in enumerate(words)),
    ]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence([decoders.Metaspace(prepend_scheme="first"), decoders.ByteFallback()])
    tokenizer.add_special_tokens(["</s>"])
    return tokenizer


BUILDERS = {
    "byte level": byte_level,
    "byte level with a dummy space": lambda: byte_level(add_prefix_space=True),
    "llama": llama_like,
    "unigram": metaspace_unigram,
}


@pytest.fixture(scope="module", params=BUILDERS)
def tokenizer(request):
    return BUILDERS[request.param]()


@pytest.fixture(scope="module")
def vocabulary(tokenizer):
    return Vocabulary.from_tokenizer(tokenizer, eos=())


def joined(vocabulary, ids):
    return b"".join(vocabulary.tokens[i] for i in ids)


def test_the_byte_map_is_that_of_the_library():
    assert set(byte_of_character()) == set(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(byte_of_character().values()) == list(range(256))
    for character, byte in byte_of_character().items():
        if byte < 128:
            assert decoders.ByteLevel().decode([character]) == chr(byte)


def test_every_token_decodes_as_in_the_tokenizer(tokenizer, vocabulary):
    """Behind a letter, where no dummy space is stripped."""
    lead = tokenizer.token_to_id("a")
    for i in vocabulary.text_ids.tolist():
        expected = joined(vocabulary, (lead, i)).decode(errors="replace")
        read = tokenizer.decode([lead, i], skip_special_tokens=False)
        if vocabulary.tokens[i].decode(errors="replace") == vocabulary.tokens[i].decode(errors="ignore"):
            assert read == expected
        else:
            assert "�" in read


@pytest.mark.parametrize("text", [*SAMPLES.values(), *TRICKY.values()], ids=[*SAMPLES, *TRICKY])
def test_encode_reads_back_exactly(tokenizer, vocabulary, text):
    ids = vocabulary.encode(text)
    assert joined(vocabulary, ids) == text.encode()
    assert vocabulary.decode(ids) == text.encode()
    assert tokenizer.decode([tokenizer.token_to_id("a"), *ids]) == "a" + text


@given(text=st.text(max_size=20))
def test_encode_reads_back_exactly_on_any_text(vocabulary, text):
    assert joined(vocabulary, vocabulary.encode(text)) == text.encode()


@given(data=st.binary(max_size=12))
def test_encode_reads_back_exactly_on_any_bytes(vocabulary, data):
    assert joined(vocabulary, vocabulary.encode(data)) == data


def test_encode_is_the_tokenizers_own_spelling_behind_another_word(tokenizer, vocabulary):
    start = tokenizer.encode("the", add_special_tokens=False).ids
    for text in (" the", " the the", " cat é"):
        whole = tokenizer.encode("the" + text, add_special_tokens=False).ids
        assert [*start, *vocabulary.encode(text)] == whole


@pytest.mark.parametrize("name", BUILDERS)
def test_a_continuation_gets_no_dummy_space(name):
    tokenizer = BUILDERS[name]()
    own = tokenizer.encode("the", add_special_tokens=False).ids
    vocabulary = Vocabulary.from_tokenizer(tokenizer, eos=())
    assert vocabulary.decode(vocabulary.encode("the")) == b"the"
    assert vocabulary.decode(own) == (b"the" if name == "byte level" else b" the")
    assert tokenizer.encode("the", add_special_tokens=False).ids == own, "the caller's tokenizer was changed"


def test_settings_of_the_callers_tokenizer_do_not_matter():
    tokenizer = byte_level()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=30)
    vocabulary = Vocabulary.from_tokenizer(tokenizer, eos=())
    assert vocabulary.decode(vocabulary.encode("the cat sat on the mat")) == b"the cat sat on the mat"
    assert tokenizer.truncation is not None
    assert tokenizer.encode_special_tokens is False


def test_sentence_piece_bytes():
    vocabulary = Vocabulary.from_tokenizer(llama_like(), eos=2)
    table = dict(enumerate(vocabulary.tokens))
    assert table[3 + 0x41] == b"A"
    assert table[3 + 0xFF] == b"\xff"
    assert vocabulary.tokens[259:] == (
        b" ", b"t", b"h", b"e", b"a", b" t", b"he", b" the", "é".encode(), "日".encode(), b"  ",
    )  # fmt: skip
    assert (vocabulary.eos, vocabulary.special) == ({2}, {0, 1})
    assert vocabulary.encode("ü") == (3 + 0xC3, 3 + 0xBC)


def test_a_symbol_that_the_tokenizer_would_read_as_a_space_is_spelled_in_bytes():
    vocabulary = Vocabulary.from_tokenizer(llama_like(), eos=2)
    assert vocabulary.encode("▁") == tuple(3 + b for b in "▁".encode())


def test_added_tokens_are_text_unless_special():
    tokenizer = byte_level()
    vocabulary = Vocabulary.from_tokenizer(tokenizer, eos=tokenizer.token_to_id("<|end|>"))
    added = tokenizer.token_to_id("<tool é>")
    assert vocabulary.tokens[added] == "<tool é>".encode()
    assert vocabulary.encode("<tool é>") == (added,)
    assert vocabulary.special == {tokenizer.token_to_id("<|pad|>")}


def test_names_of_special_tokens_are_spelled_as_text():
    tokenizer = byte_level()
    vocabulary = Vocabulary.from_tokenizer(tokenizer, eos=tokenizer.token_to_id("<|end|>"))
    ids = vocabulary.encode("<|end|>")
    assert len(ids) > 1
    assert vocabulary.decode(ids) == b"<|end|>"


def test_end_ids_come_from_a_transformers_tokenizer():
    wrapped = PreTrainedTokenizerFast(tokenizer_object=byte_level(), eos_token="<|end|>", pad_token="<|pad|>")
    vocabulary = Vocabulary.from_tokenizer(wrapped)
    assert vocabulary.eos == {wrapped.eos_token_id}
    assert vocabulary.special == {wrapped.pad_token_id}
    overridden = Vocabulary.from_tokenizer(wrapped, eos=wrapped.pad_token_id)
    assert overridden.eos == {wrapped.pad_token_id}
    assert overridden.special == {wrapped.eos_token_id}


def test_missing_end_ids():
    with pytest.raises(InvalidVocabulary, match="no end-of-sequence token"):
        Vocabulary.from_tokenizer(byte_level())


def without_decoder():
    return Tokenizer(models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>"))


def word_piece():
    tokenizer = Tokenizer(models.WordPiece({"a": 0, "##b": 1, "[UNK]": 2}, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def stripping_each_token():
    tokenizer = llama_like()
    tokenizer.decoder = decoders.Sequence([decoders.Strip(" ", 1, 0), decoders.Fuse()])
    return tokenizer


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (without_decoder, "no decoder"),
        (word_piece, "a WordPiece step"),
        (stripping_each_token, "a Strip step"),
        (lambda: object(), "object is not a fast tokenizer"),
    ],
)
def test_tokenizers_without_exact_bytes(build, message):
    with pytest.raises(InvalidVocabulary, match=message):
        Vocabulary.from_tokenizer(build(), eos=())


def test_a_tokenizer_without_tokens():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.decoder = decoders.ByteLevel()
    with pytest.raises(InvalidVocabulary, match="has no tokens"):
        Vocabulary.from_tokenizer(tokenizer, eos=())
