"""Exact bytes of the tokens of Hugging Face fast tokenizers.

What a token stands for follows from the tokenizer's own decoder, read as a list of
steps: `ByteLevel` writes every byte as one printable character (the map of GPT-2),
`Replace` and `Metaspace` write a space as `▁`, `ByteFallback` writes a byte as
`<0xNN>`. Steps that act on a whole text and not on a token are left out: `Fuse`, and
the stripping of the space that SentencePiece puts in front of a text (`Strip` after
`Fuse`, `Metaspace`). So a token's bytes are those it has in the middle of a text, and
`encode` spells a continuation: no dummy space is added, none is lost.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

from pgen.errors import InvalidVocabulary
from pgen.tokens.tokenizer_files import TokenTable

Json = Mapping[str, Any]
Step = Callable[[str], str | bytes]

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def read_tokenizer(tokenizer: Any) -> TokenTable:
    """The token table of a `PreTrainedTokenizerFast` or a `tokenizers.Tokenizer`.

    Special are the added tokens marked so and the model's unknown token. Other
    added tokens are text and mean their literal content.
    """
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(backend, "get_added_tokens_decoder"):
        raise InvalidVocabulary(
            f"{type(tokenizer).__name__} is not a fast tokenizer",
            hint="load it with transformers.AutoTokenizer, or use Vocabulary.from_tekken or from_tiktoken",
        )
    added = backend.get_added_tokens_decoder()
    own = backend.get_vocab(with_added_tokens=False)
    steps = list(_decoding_steps(_state(backend.decoder)))
    table = {i: token.content.encode() for i, token in added.items()}
    table |= {i: _token_bytes(text, steps) for text, i in own.items()}
    if not table:
        raise InvalidVocabulary("the tokenizer has no tokens")
    special = {i for i, token in added.items() if token.special} | _unknown_ids(backend.model, own)
    end = getattr(tokenizer, "eos_token_id", None)
    tokens = [table.get(i, b"") for i in range(max(table) + 1)]
    ends = frozenset(() if end is None else (end,))
    return TokenTable(tokens, ends, frozenset(special), ContinuationSpeller(backend))


class ContinuationSpeller:
    """The ids of a text as a continuation: nothing added in front, names of special tokens read as text."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __call__(self, text: str) -> Sequence[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    @cached_property
    def _tokenizer(self) -> Any:
        """A private copy, so that the caller's tokenizer keeps its settings."""
        own = copy.deepcopy(self._backend)
        own.no_truncation()
        own.no_padding()
        own.encode_special_tokens = True
        _without_dummy_space(own)
        return own


def _without_dummy_space(tokenizer: Any) -> None:
    """Switch off what puts a space before the first word; three kinds of step can do so."""
    tokenizer.normalizer = _changed(tokenizer.normalizer, "prepend", "")
    pre_tokenizer = _changed(tokenizer.pre_tokenizer, "prepend_scheme", "never")
    tokenizer.pre_tokenizer = _changed(pre_tokenizer, "add_prefix_space", False)


def _changed(step: Any, setting: str, value: object) -> Any:
    """`step`, with a setting changed in place in itself and in the steps it is a sequence of."""
    if step is not None:
        for part in step if type(step).__name__ == "Sequence" else ():
            _changed(part, setting, value)
        if hasattr(step, setting):
            setattr(step, setting, value)
    return step


def _state(component: Any) -> Json:
    """The JSON of a part of a tokenizer."""
    state: Json = {} if component is None else json.loads(component.__getstate__())
    return state


def _unknown_ids(model: Any, own: Mapping[str, int]) -> set[int]:
    if type(model).__name__ == "Unigram":
        unknown = _state(model)["unk_id"]
        return set() if unknown is None else {unknown}
    name: str = getattr(model, "unk_token", None) or ""
    return {own[name]} if name in own else set()


def _token_bytes(token: str, steps: Sequence[Step]) -> bytes:
    value: str | bytes = token
    for step in steps:
        value = step(value) if isinstance(value, str) else value
    return value.encode() if isinstance(value, str) else value


def _decoding_steps(decoder: Json) -> Iterator[Step]:
    """What the decoder does to a single token, step by step; raises where that loses or invents bytes."""
    fused = False
    for part in _flattened(decoder):
        kind = part.get("type")
        if kind == "Replace" and "String" in part["pattern"] and not fused:
            yield _replacing(part["pattern"]["String"], part["content"])
        elif kind == "Metaspace":
            yield _replacing(part["replacement"], " ")
        elif kind == "ByteFallback":
            yield _byte_fallback
        elif kind == "ByteLevel":
            yield _byte_level
        elif kind == "Fuse" or (kind == "Strip" and fused):
            fused = True
        else:
            raise _lossy(kind)


def _flattened(decoder: Json) -> Iterator[Json]:
    if decoder.get("type") == "Sequence":
        for part in decoder["decoders"]:
            yield from _flattened(part)
    else:
        yield decoder


def _lossy(kind: str | None) -> InvalidVocabulary:
    named = "no decoder, so that it joins tokens by spaces" if kind is None else f"a {kind} step in its decoder"
    return InvalidVocabulary(
        f"the tokenizer has {named}: its tokens are not exact pieces of a text",
        hint="list the bytes of each token yourself: Vocabulary(tokens, eos=...)",
    )


def _replacing(old: str, new: str) -> Step:
    return lambda token: token.replace(old, new)


def _byte_fallback(token: str) -> str | bytes:
    found = _BYTE_TOKEN.fullmatch(token)
    return bytes([int(found[1], 16)]) if found else token


def _byte_level(token: str) -> bytes:
    """Characters to the bytes they stand for; a token with any other character is literal."""
    byte_of = byte_of_character()
    if all(character in byte_of for character in token):
        return bytes(map(byte_of.__getitem__, token))
    return token.encode()


@cache
def byte_of_character() -> dict[str, int]:
    """The byte map of GPT-2: printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards, in order."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = sorted(set(range(256)) - set(printable))
    return {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(hidden)}
