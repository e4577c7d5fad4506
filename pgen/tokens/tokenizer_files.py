"""Token tables from the files of tekken and tiktoken, and from `tiktoken.Encoding` objects."""

from __future__ import annotations

import binascii
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pgen.errors import InvalidVocabulary
from pgen.tokens.byte_pair import BytePairSpeller
from pgen.tokens.disk import Arrays, kept

FilePath = str | os.PathLike[str]

# The names that tekken files without a list of special tokens have by convention.
_TEKKEN_NAMES = ("<unk>", "<s>", "</s>")


MIN_KEPT = 2**16
"""Bytes of the smallest tekken file whose content is kept on disk."""


class TokenTable(NamedTuple):
    """What a tokenizer says of its tokens: bytes by id, the ids that end, those that are special, its spelling."""

    tokens: Sequence[bytes]
    eos: frozenset[int]
    special: frozenset[int]
    spell: Callable[[str], Sequence[int]] | None


def read_tekken(path: FilePath) -> TokenTable:
    """A `tekken.json`: special tokens take the first ids, ranks follow, cut at the size the file states.

    What a large file says is kept on disk under a hash of its content, since parsing it takes half a second.
    """
    data = _read(path)
    if len(data) < MIN_KEPT:
        return _table(_tekken(data, path))
    content = hashlib.blake2b(data, digest_size=16).hexdigest()
    return _table(kept("tekken", content, (sys.modules[__name__],), lambda: _tekken(data, path)))


def _table(said: Arrays) -> TokenTable:
    text = said["text"].tobytes()
    ends = np.cumsum(said["lengths"]).tolist()
    tokens = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    n_special = int(said["n_special"])
    ranks = dict(zip(tokens[n_special:], range(len(tokens)), strict=False))
    spell = BytePairSpeller(ranks, said["pattern"].tobytes().decode(), first_id=n_special)
    return TokenTable(tokens, frozenset(said["eos"].tolist()), frozenset(range(n_special)), spell)


def _tekken(data: bytes, path: FilePath) -> Arrays:
    """The tokens of a file by id, as one text and their lengths, and what else it says."""
    try:
        content = json.loads(data)
        config = content["config"]
        n_special = config["default_num_special_tokens"]
        n_text = config["default_vocab_size"] - n_special
        entries = [(entry["token_bytes"].encode(), entry["rank"]) for entry in content["vocab"]]
        named = {token["rank"]: token["token_str"] for token in content.get("special_tokens") or ()}
        pattern = config["pattern"].encode()
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidVocabulary(f"{path} is no tekken file: {type(error).__name__}: {error}") from None
    ranks = {token: rank for token, rank in _decode_ranks(entries, path).items() if rank < n_text}
    if len(ranks) != n_text:
        raise InvalidVocabulary(f"{path} announces {n_text} text tokens but holds {len(ranks)}")
    names = [f"<SPECIAL_{i}>" for i in range(n_special)]
    for i, name in (named or dict(enumerate(_TEKKEN_NAMES))).items():
        if i >= n_special:
            raise InvalidVocabulary(f"{path}: special token {i} ({name!r}) is beyond the {n_special} announced")
        names[i] = name
    tokens = [*(name.encode() for name in names), *sorted(ranks, key=ranks.__getitem__)]
    return {
        "text": np.frombuffer(b"".join(tokens), np.uint8),
        "lengths": np.array([len(token) for token in tokens], np.int64),
        "n_special": np.array(n_special),
        "eos": np.array([i for i, name in enumerate(names) if name == "</s>"], np.int64),
        "pattern": np.frombuffer(pattern, np.uint8),
    }


def read_ranks(
    path: FilePath, special: Mapping[str, int], pattern: str | None, eos: int | Iterable[int] | None
) -> TokenTable:
    """A `.tiktoken` file: one base64 token and its rank a line. Ids without a line are empty."""
    lines = [line.split() for line in _read(path).splitlines() if line.strip()]
    if not lines or any(len(line) != 2 or not line[1].isdigit() for line in lines):
        raise InvalidVocabulary(f"{path} is no tiktoken file: expected a base64 token and a rank on each line")
    ranks = _decode_ranks(((token, int(rank)) for token, rank in lines), path)
    ends = () if eos is None else eos if isinstance(eos, Iterable) else (eos,)
    clash = sorted(set(special.values()) & set(ranks.values()))
    if clash:
        raise InvalidVocabulary(f"special id {clash[0]} is the rank of an ordinary token in {path}")
    table = {rank: token for token, rank in ranks.items()} | {i: name.encode() for name, i in special.items()}
    tokens = [table.get(i, b"") for i in range(max([*table, *ends]) + 1)]
    spell = None if pattern is None else BytePairSpeller(ranks, pattern)
    return TokenTable(tokens, frozenset(), frozenset(special.values()), spell)


def read_encoding(encoding: Any) -> TokenTable:
    """A `tiktoken.Encoding`; it ends at its `eot_token` where it has one."""
    try:
        special = frozenset(encoding.encode_single_token(name) for name in encoding.special_tokens_set)
        tokens = [_single_token(encoding, i) for i in range(encoding.max_token_value + 1)]
    except AttributeError:
        raise InvalidVocabulary(
            f"expected a tiktoken.Encoding or the path of a .tiktoken file, got {type(encoding).__name__}"
        ) from None
    has_end = "<|endoftext|>" in encoding.special_tokens_set
    return TokenTable(tokens, frozenset((encoding.eot_token,) if has_end else ()), special, encoding.encode_ordinary)


def _single_token(encoding: Any, token: int) -> bytes:
    try:
        return bytes(encoding.decode_single_token_bytes(token))
    except KeyError:
        return b""


def _decode_ranks(entries: Iterable[tuple[bytes, int]], path: FilePath) -> dict[bytes, int]:
    ranks: dict[bytes, int] = {}
    seen: set[int] = set()
    for encoded, rank in entries:
        try:
            token = binascii.a2b_base64(encoded, strict_mode=True)
        except binascii.Error as error:
            raise InvalidVocabulary(f"{path}: the token of rank {rank} is not base64: {error}") from None
        if token in ranks or rank in seen:
            raise InvalidVocabulary(f"{path}: token {token!r} or rank {rank} stands there twice")
        ranks[token] = rank
        seen.add(rank)
    return ranks


def _read(path: FilePath) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidVocabulary(f"cannot read {path}: {error.strerror}") from None
