"""Special tokens as parts of a language: bytes that no text has stand for them.

13 byte values never occur in UTF-8. Words over them, all of one length, are *markers*:
one for each special token of a vocabulary. In the *marked* vocabulary special tokens
spell their markers (and tokens with such bytes, which no text holds, spell nothing), so
a language whose `Special` nodes are replaced by markers needs nothing else from masks,
distances and budgets. There is one marked vocabulary, with one trie, for each
vocabulary. Linear in the tokens and in the node.
"""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from pgen.errors import InvalidLanguage, UnsupportedFeature
from pgen.language import ir
from pgen.language.nodes import Special
from pgen.language.sizes import special_names
from pgen.tokens.vocabulary import Vocabulary

FOREIGN = bytes([0xC0, 0xC1, *range(0xF5, 0x100)])
"""The bytes that no UTF-8 text has."""
_ID = re.compile(r"<\[(\d+)\]>", re.ASCII)


class Reading(NamedTuple):
    """A language as markers: its node, the vocabulary that spells them, and the names of the special tokens by id."""

    node: ir.Node
    vocabulary: Vocabulary
    names: dict[int, str]


def reading(node: ir.Node, vocabulary: Vocabulary) -> Reading:
    """How to compile `node`; itself where it has no special tokens.

    Raises `InvalidLanguage` for special tokens that the vocabulary does not have, and
    `UnsupportedFeature` for those that end a text, that are text, and under `&` and `~`.
    """
    if not special_names(node):
        return Reading(node, vocabulary, {})
    parts = ir.descendants(node)
    tokens = {part: _found(part.name, vocabulary) for part in parts if isinstance(part, Special)}
    markers = _markers(vocabulary)
    replaced: dict[ir.Node, ir.Node] = {
        s: ir.union(*(ir.literal(markers[i]) for i in ids)) for s, ids in tokens.items()
    }
    for part in parts:
        below = ir.children(part)
        changed = [replaced[child] for child in below]
        if part not in replaced:
            same = all(new is old for new, old in zip(changed, below, strict=True))
            replaced[part] = part if same else _rebuilt(part, changed)
    return Reading(replaced[node], marked(vocabulary), _names(tokens, vocabulary))


def check_plain(node: ir.Node, what: str) -> None:
    """Raise `UnsupportedFeature` if a language has special tokens, since `what` knows none."""
    if names := special_names(node):
        shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        raise UnsupportedFeature(
            f"{what} knows texts only, and this language has special tokens ({shown})",
            hint="draw from a left-to-right model, whose draws keep their tokens; or put the special tokens into "
            "the prompt and constrain the text after them",
        )


def _rebuilt(node: ir.Node, parts: list[ir.Node]) -> ir.Node:
    if isinstance(node, (ir.Intersect, ir.Complement)):
        sign = "~" if isinstance(node, ir.Complement) else "&"
        raise UnsupportedFeature(
            f"{sign} of a language with special tokens cannot be compiled",
            hint="max_bytes, containing, until and stop= are made with & and ~, too: "
            "restrict the parts between special tokens, or use max_tokens",
        )
    return ir.rebuilt(node, parts)


def _names(tokens: dict[Special, list[int]], vocabulary: Vocabulary) -> dict[int, str]:
    names: dict[int, str] = {}
    for special, ids in tokens.items():
        for token in ids:
            other = names.setdefault(token, special.name)
            if other != special.name:
                raise InvalidLanguage(f"special token {token} is written {other} and {special.name}", hint="use one")
    return names


def _found(name: str, vocabulary: Vocabulary) -> list[int]:
    """The special ids that a name means."""
    listed = _ID.fullmatch(name)
    data = name.encode()
    among = [int(listed[1])] if listed else [i for i, token in enumerate(vocabulary.tokens) if token == data]
    found = [i for i in among if i in vocabulary.special]
    if found:
        return found
    if any(i in vocabulary.eos for i in among):
        hint = (
            "leave it out: a text ends with it of itself; or, if it is to stand inside, name other tokens that end "
            "texts: Vocabulary.from_tokenizer(tokenizer, eos=…)"
        )
        raise UnsupportedFeature(f"{name} is an end-of-sequence token, which nothing can follow", hint=hint)
    if any(i < len(vocabulary) for i in among):
        hint = "write its text in quotes" if vocabulary.tokens[among[0]] else "an id without bytes cannot be drawn"
        raise UnsupportedFeature(f"{name} is no special token of this vocabulary", hint=hint)
    raise InvalidLanguage(f"this vocabulary has no special token {name}", hint=_hint(name, vocabulary))


def _hint(name: str, vocabulary: Vocabulary) -> str:
    known = sorted({vocabulary.tokens[i].decode(errors="replace") for i in vocabulary.special} - {""})
    close = difflib.get_close_matches(name, known, n=3)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    shown = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
    return f"it has {shown}" if known else "it has no special tokens"


def _markers(vocabulary: Vocabulary) -> dict[int, bytes]:
    """The marker of each special id."""
    n_bytes = 1
    while len(FOREIGN) ** n_bytes < len(vocabulary.special):
        n_bytes += 1
    words = map(bytes, product(FOREIGN, repeat=n_bytes))
    return dict(zip(sorted(vocabulary.special), words, strict=False))


@lru_cache(maxsize=16)
def marked(vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary in which special tokens spell their markers; cached."""
    tokens = [token if len(token.translate(None, FOREIGN)) == len(token) else b"" for token in vocabulary.tokens]
    for token, marker in _markers(vocabulary).items():
        tokens[token] = marker
    return Vocabulary(tokens, vocabulary.eos)
