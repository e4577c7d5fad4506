"""`Vocabulary`: token ids and the exact bytes that each stands for in the middle of a text.

Every id is of one kind:

- *end-of-sequence* ids end a text and add nothing to it;
- *special* ids steer a model (roles, padding, unknown) and are never text;
- *empty* ids have no bytes: holes in the numbering, and rows a tokenizer never uses;
- all others are *text* ids. Their bytes may repeat (two ids with equal bytes are two
  spellings) and need not be valid UTF-8 (a token may hold a part of a character).
"""

from __future__ import annotations

import hashlib
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument, InvalidVocabulary
from pgen.tokens.spelling import SpellingIndex

Ids = int | Iterable[int]
Speller = Callable[[str], Sequence[int]]


class Vocabulary:
    """An immutable table from token id to bytes. Equality and hash go by content: tokens, end and special ids.

    `tokens[i]` is what token `i` adds to a text. `eos` is one id or several; a
    model without any says so with `eos=()`. `special` ids may have bytes (their
    printed names), but these are never text. An id in both is an end id.

    `spell` is the tokenizer's own way from text to ids, used by `encode`; it plays
    no part in equality. Raises `InvalidVocabulary`.
    """

    def __init__(self, tokens: Sequence[bytes], eos: Ids, special: Ids = (), *, spell: Speller | None = None) -> None:
        self._tokens = _checked_tokens(tokens)
        self._eos = _checked_ids("eos", eos, len(self._tokens))
        self._special = _checked_ids("special", special, len(self._tokens)) - self._eos
        self._spell = spell

    @classmethod
    def from_tokenizer(cls, tokenizer: Any, *, eos: Ids | None = None) -> Vocabulary:
        """The vocabulary of a Hugging Face fast tokenizer, or of a `tokenizers.Tokenizer` (which needs `eos`).

        Tokenizers whose decoding loses or invents bytes (WordPiece, word-level)
        raise `InvalidVocabulary`. `eos` defaults to the tokenizer's own.
        """
        from pgen.tokens.fast_tokenizers import read_tokenizer

        return cls._from_table(*read_tokenizer(tokenizer), eos=eos)

    @classmethod
    def from_tekken(cls, path: str | os.PathLike[str], *, eos: Ids | None = None) -> Vocabulary:
        """The vocabulary of a `tekken.json` file; `eos` defaults to its `</s>`."""
        from pgen.tokens.tokenizer_files import read_tekken

        return cls._from_table(*read_tekken(path), eos=eos)

    @classmethod
    def from_tiktoken(
        cls,
        source: Any,
        *,
        eos: Ids | None = None,
        special: Mapping[str, int] | None = None,
        pattern: str | None = None,
    ) -> Vocabulary:
        """The vocabulary of a `tiktoken.Encoding`, or of a `.tiktoken` file of ranks.

        A file holds neither special tokens nor the pattern that splits a text
        before merging: give them as `special` (name to id) and `pattern`, and name
        the `eos` ids. Without `pattern`, `encode` uses the fewest tokens.
        """
        from pgen.tokens.tokenizer_files import read_encoding, read_ranks

        if isinstance(source, (str, os.PathLike)):
            return cls._from_table(*read_ranks(source, special or {}, pattern, eos), eos=eos)
        if special is not None or pattern is not None:
            raise InvalidArgument("an Encoding has its own special tokens and pattern; give them with a file only")
        return cls._from_table(*read_encoding(source), eos=eos)

    @classmethod
    def _from_table(
        cls,
        tokens: Sequence[bytes],
        own_eos: frozenset[int],
        special: frozenset[int],
        spell: Speller | None,
        *,
        eos: Ids | None,
    ) -> Vocabulary:
        if eos is None and not own_eos:
            raise InvalidVocabulary(
                "the tokenizer names no end-of-sequence token", hint="give eos=id, or eos=() if there is none"
            )
        return cls(tokens, own_eos if eos is None else eos, special | own_eos, spell=spell)

    @property
    def tokens(self) -> tuple[bytes, ...]:
        """The bytes of every id, in order; those of special and end ids are not text."""
        return self._tokens

    @property
    def eos(self) -> frozenset[int]:
        """The ids that end a text."""
        return self._eos

    @property
    def special(self) -> frozenset[int]:
        """The ids, other than `eos`, that are never text."""
        return self._special

    @cached_property
    def text_ids(self) -> NDArray[np.int64]:
        """The ids that are text, ascending; read-only."""
        is_text = np.fromiter(map(bool, self._text), dtype=bool, count=len(self))
        ids = np.flatnonzero(is_text)
        ids.flags.writeable = False
        return ids

    @cached_property
    def single_bytes(self) -> dict[int, int]:
        """Byte value to the lowest text id that is exactly this byte; bytes without one are missing."""
        lengths = np.fromiter(map(len, self._text), dtype=np.int64, count=len(self))
        table = {self._tokens[i][0]: i for i in np.flatnonzero(lengths == 1)[::-1].tolist()}
        return dict(sorted(table.items()))

    @cached_property
    def digest(self) -> str:
        """A hexadecimal hash of the content, equal on every machine: a key for caches on disk."""
        content = hashlib.blake2b(digest_size=16)
        content.update(np.fromiter(map(len, self._tokens), dtype="<u4", count=len(self)).tobytes())
        content.update(b"".join(self._tokens))
        content.update(repr((len(self), sorted(self._eos), sorted(self._special))).encode())
        return content.hexdigest()

    def __len__(self) -> int:
        return len(self._tokens)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Vocabulary) and self.digest == other.digest

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens, eos={sorted(self._eos)}, {len(self._special)} special)"

    def decode(self, ids: Iterable[int]) -> bytes:
        """The text of some tokens. End and special ids add nothing. Raises `InvalidArgument` for ids out of range."""
        ids = tuple(ids)
        if ids and (min(ids) < 0 or max(ids) >= len(self)):
            bad = next(i for i in ids if not 0 <= i < len(self))
            raise InvalidArgument(f"token id {bad} is not one of the {len(self)} ids of this vocabulary")
        return b"".join(map(self._text.__getitem__, ids))

    def encode(self, text: str | bytes) -> tuple[int, ...]:
        """Text ids whose bytes are exactly `text`: the canonical spelling, nothing put in front or behind.

        It is the tokenizer's own spelling of `text` as a continuation (no dummy
        space, names of special tokens spelled out), if that decodes to `text`. A
        tokenizer that alters its input (normalises, knows no such character), bytes
        that are no UTF-8, and a vocabulary without tokenizer get the fewest tokens;
        ties go to the longest first token, then to the lowest id.

        Raises `InvalidArgument` where no tokens spell `text`, naming the byte.
        """
        data = _bytes_of(text)
        return self._own_spelling(data) or self._index.fewest_tokens(data)

    def _own_spelling(self, data: bytes) -> tuple[int, ...]:
        """What the tokenizer makes of `data`; nothing where that would not read back as `data`."""
        if self._spell is None:
            return ()
        try:
            ids = tuple(self._spell(data.decode()))
        except UnicodeDecodeError:
            return ()
        if not all(0 <= i < len(self) and self._text[i] for i in ids):
            return ()
        return ids if self.decode(ids) == data else ()

    @cached_property
    def _text(self) -> tuple[bytes, ...]:
        """The bytes that each id adds to a text: none for end and special ids."""
        table = list(self._tokens)
        for i in self._eos | self._special:
            table[i] = b""
        return tuple(table)

    @cached_property
    def _index(self) -> SpellingIndex:
        return SpellingIndex((self._tokens[i], i) for i in self.text_ids.tolist())

    @cached_property
    def _hash(self) -> int:
        return hash(self.digest)


def _checked_tokens(tokens: Iterable[object]) -> tuple[bytes, ...]:
    if isinstance(tokens, (bytes, str)):
        raise InvalidVocabulary(f"tokens must be a list of bytes, not one {type(tokens).__name__}")
    table: list[bytes] = []
    for token in tokens:
        if not isinstance(token, bytes):
            raise InvalidVocabulary(
                f"token {len(table)} is {token!r}, of type {type(token).__name__}, not bytes",
                hint="give the exact bytes of each token, for text its UTF-8: text.encode()",
            )
        table.append(token)
    if not table:
        raise InvalidVocabulary("a vocabulary needs at least one token")
    return tuple(table)


def _checked_ids(name: str, ids: Ids, n_tokens: int) -> frozenset[int]:
    try:
        members = frozenset(map(operator.index, ids if isinstance(ids, Iterable) else (ids,)))
    except TypeError:
        raise InvalidVocabulary(
            f"{name}={ids!r}: expected token ids", hint=f"give an id, several, or {name}=()"
        ) from None
    for i in sorted(members):
        if not 0 <= i < n_tokens:
            raise InvalidVocabulary(f"{name} holds {i}, but ids run from 0 to {n_tokens - 1}")
    return members


def _bytes_of(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        character = text[error.start]
        raise InvalidArgument(
            f"{character!r} at position {error.start} is a lone surrogate, which no UTF-8 text can hold"
        ) from None
