"""How a masked model's tokenizer reads prompts, and what its tokens mean as bytes.

Three kinds of tokenizer: byte-level ones, as `Vocabulary.from_tokenizer` reads them;
word pieces (BERT), whose texts are words and signs with a space before each; and plain
lists of tokens that are joined without spaces, such as those of reaction SMILES.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pgen.backends.base import Message, Tokens
from pgen.backends.chat import chat_tokens, no_chat
from pgen.tokens import Vocabulary

SMILES = re.compile(r"\[[^\]]+\]|Br|Cl|>>|%\d\d|[A-Za-z0-9.()=#+\-\\/:~@?>*$]")
"""Tokens of a reaction SMILES (Schwaller et al. 2018)."""


class Tokenization(NamedTuple):
    """`encode` makes a prompt's tokens with what stands in front; `behind` is what stands behind a canvas."""

    vocabulary: Vocabulary
    encode: Callable[[str], Tokens]
    encode_chat: Callable[[Sequence[Message]], Tokens]
    behind: Tokens = ()


def from_tokenizer(tokenizer: Any, *, eos: Collection[int], name: str) -> Tokenization:
    """The tokenization of a `transformers` tokenizer; `eos` are the ids that end a text."""
    vocabulary = _vocabulary(tokenizer, eos)
    behind = _behind(tokenizer)

    def encode(prompt: str) -> Tokens:
        ids = tuple(tokenizer(prompt)["input_ids"])
        return ids[: len(ids) - len(behind)]

    def encode_chat(messages: Sequence[Message]) -> Tokens:
        return chat_tokens(tokenizer, messages, name)

    return Tokenization(vocabulary, encode, encode_chat, behind)


def from_smiles_list(path: Path, *, name: str) -> Tokenization:
    """The tokenization of a `vocab.txt` with a token a line; names in square brackets of capitals are special."""
    tokens = path.read_text().split()
    ids = {token: i for i, token in enumerate(tokens)}
    special = [i for token, i in ids.items() if re.fullmatch(r"\[([A-Z]{3,}|unused\d+)\]", token)]

    def spell(text: str) -> list[int]:
        return [ids.get(token, -1) for token in SMILES.findall(text)]

    vocabulary = Vocabulary([token.encode() for token in tokens], eos=(), special=special, spell=spell)

    def encode_chat(messages: Sequence[Message]) -> Tokens:
        raise no_chat(name)

    return Tokenization(
        vocabulary, lambda prompt: (ids["[CLS]"], *vocabulary.encode(prompt)), encode_chat, (ids["[SEP]"],)
    )


def _vocabulary(tokenizer: Any, eos: Collection[int]) -> Vocabulary:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or type(backend.model).__name__ != "WordPiece":
        return Vocabulary.from_tokenizer(tokenizer, eos=eos)
    table = tokenizer.get_vocab()
    tokens = [b""] * (max(table.values()) + 1)
    for token, i in table.items():
        tokens[i] = (token.removeprefix("##") if token.startswith("##") else " " + token).encode()
    return Vocabulary(tokens, eos=eos, special=set(tokenizer.all_special_ids) - set(eos))


def _behind(tokenizer: Any) -> Tokens:
    """The special tokens that the tokenizer itself puts after a text."""
    text = "a"
    whole, plain = (list(tokenizer(text, add_special_tokens=special)["input_ids"]) for special in (True, False))
    start = next(i for i in range(len(whole)) if whole[i : i + len(plain)] == plain)
    return tuple(whole[start + len(plain) :])
