"""Canonical spellings by enumeration of all token sequences, for real tokenizers trained on a few lines."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import pgen
from pgen.tokens import Vocabulary

CORPUS = ["hello 1234 hello 99 it's the other, the  three   othello", "let's 12 34 567 hello"] * 4


def trained(pre_tokenizer):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return Vocabulary.from_tokenizer(tokenizer, eos=0)


VOCABULARIES = {
    "pattern": trained(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "digits": trained(
        pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    ),
    "no pattern": trained(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)),
    "no tokenizer": Vocabulary([b"h", b"e", b"l", b"o", b"he", b"ll", b"llo", b" ", b"1", b"12", b"</s>"], eos=10),
}
LANGUAGES = [
    pgen.choice("hello", "hell", "it's the", "other  12", "hello 1234", "   hello", "12"),
    pgen.Regex("(hel|lo|12| ){1,3}"),
]


def sequences(automaton):
    """Every token sequence that ends by EOS, following the masks."""
    waiting = [(automaton.start, ())]
    for state, tokens in waiting:
        for token in map(int, automaton.allowed_tokens(state)):
            if token in automaton.vocabulary.eos:
                yield tokens
            else:
                waiting.append((automaton.advance(state, token), (*tokens, token)))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", list(VOCABULARIES))
def test_the_sequences_are_the_tokenizers_own_spellings(name, language):
    vocabulary = VOCABULARIES[name]
    every = set(sequences(language.compile(vocabulary)))
    own = {tokens for tokens in every if vocabulary.encode(vocabulary.decode(tokens)) == tokens}
    automaton = language.compile(vocabulary, canonical=True)
    found = list(sequences(automaton))
    assert len(found) == len(set(found)) and set(found) == own
    assert {vocabulary.decode(tokens) for tokens in own} == {vocabulary.decode(tokens) for tokens in every}
    assert len(own) < len(every) or name == "no tokenizer"


def test_what_a_person_drives():
    vocabulary = VOCABULARIES["no tokenizer"]
    automaton = pgen.literal("hello").compile(vocabulary, canonical=True)
    assert automaton.vocabulary is vocabulary and automaton.language == pgen.literal("hello")
    own = automaton.run(vocabulary.encode("hello"))
    other = automaton.run([0, 1, 6])
    assert automaton.is_accepting(own) and not automaton.is_accepting(other)
    assert automaton.run([4, 6]) == own != other
    assert automaton.advance(own, 10) == 1 and automaton.is_accepting(1)
    assert automaton.allowed_tokens(other).tolist() == [] and automaton.forced(own) == (10,)
    with pytest.raises(pgen.DeadEnd, match="not spelled"):
        automaton.advance(other, 10)
    assert automaton.accepts(b"hello") and not automaton.accepts(b"hell")
    assert automaton.masks([own, other]).shape == (2, 1)
    assert automaton.longest_tokens == 5 and automaton.distance_to_accept(automaton.start) == 2
