"""Slices of a vocabulary: tokens made of everyday characters, judged together instead of one by one.

Most tokens are words. Where an automaton takes any word, walking a hundred thousand of
them finds out what a handful of transitions would tell. A *family* is a set of tokens
`first rest*` over two character classes (say a space, then letters). Its *levels* are
the sets of automaton states after exactly k characters. As long as a level holds live
states only, all tokens of up to k characters are allowed; when a level is dead, longer
ones are not; when it is mixed, the family's own trie is walked (`walk_kernels.fill`).
So counted repeats, which take all short words and no long ones, need no walk either.

The first family, what a JSON string holds, covers all others, which are tried only if it is mixed.
Tokens outside every family (quotes, control characters, parts of characters, long
ones) are always walked. The idea of slicing a vocabulary is llguidance's slicer's; the
levels are ours. Masks are exact: slices decide how a mask is computed, not what it is.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.automata.pieces import characters
from pgen.language import ir
from pgen.tokens.trie import Trie, build, joined

if TYPE_CHECKING:
    from pgen.tokens.vocabulary import Vocabulary

MAX_CHARACTERS = 16
"""Characters of the longest token in a family; a vocabulary of 131,000 has a hundred longer ones."""

_LOWER = ((ord("a"), ord("z")),)
_WORD = ((ord("0"), ord("9")), (ord("A"), ord("Z")), (ord("_"), ord("_")), (ord("a"), ord("z")))
_SPACE = ((ord(" "), ord(" ")),)
_CONTROLS = ((0, 0x1F), (0x7F, 0x7F), ir.SURROGATES)
_PLAIN = ir.negated_ranges([*_CONTROLS, *((ord(c), ord(c)) for c in '"\\')])
_PROSE = ir.negated_ranges([*_CONTROLS, *((ord(c), ord(c)) for c in "\"\\'<>&{}[]$`#%^|~=+*/@")])

FAMILIES: tuple[tuple[ir.Ranges, ir.Ranges], ...] = (
    (_PLAIN, _PLAIN),
    (_LOWER, _LOWER),
    (_SPACE, _LOWER),
    (_WORD, _WORD),
    (_SPACE, _WORD),
    (_PROSE, _PROSE),
)
"""(first, rest) classes; the first family covers the others, of which a token belongs to the first that fits."""


class Slices(NamedTuple):
    """`tries` is one trie a section: family 0's own tokens, those of family 1 …, and last what is in no family."""

    tries: Trie
    section: NDArray[np.int32]  # (F + 2,) first node of each section
    edges: NDArray[np.int32]  # (E, 4) of the classes: state, first byte, last, state; from 0 to 1
    class_start: NDArray[np.int32]  # (2 F + 1,) first and rest class of each family, into edges
    up_to: NDArray[np.uint32]  # (F (MAX_CHARACTERS + 1), words) family by family, its tokens of up to k characters


def slices_of(vocabulary: Vocabulary) -> Slices:
    """The slices of a vocabulary."""
    ids = vocabulary.text_ids.tolist()
    texts = {i: _plain_text(vocabulary.tokens[i]) for i in ids}
    members = [[i for i in ids if (text := texts[i]) and _fits(text, family)] for family in FAMILIES]
    home = dict.fromkeys(ids, len(FAMILIES))
    for family in (0, *reversed(range(1, len(FAMILIES)))):
        home.update(dict.fromkeys(members[family], family))
    sections = [[i for i in ids if home[i] == section] for section in range(len(FAMILIES) + 1)]
    covered = [members[0], *sections[1:-1]]
    tries, bounds = joined([build(vocabulary, section) for section in sections])
    classes = [characters(ranges).edges for ranges in chain.from_iterable(FAMILIES)]
    return Slices(
        tries,
        bounds,
        np.concatenate(classes),
        np.cumsum([0, *map(len, classes)]).astype(np.int32),
        np.concatenate([_up_to(covered_ids, texts, len(vocabulary)) for covered_ids in covered]),
    )


def _plain_text(token: bytes) -> str | None:
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return None
    return text if len(text) <= MAX_CHARACTERS else None


def _fits(text: str, family: tuple[ir.Ranges, ir.Ranges]) -> bool:
    first, rest = family
    return _holds(first, text[0]) and all(_holds(rest, character) for character in text[1:])


def _holds(ranges: ir.Ranges, character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in ranges)


def _up_to(ids: list[int], texts: dict[int, str | None], size: int) -> NDArray[np.uint32]:
    flags = np.zeros((MAX_CHARACTERS + 1, -(-size // 32) * 32), np.uint8)
    for i in ids:
        flags[len(texts[i] or ""), i] = 1
    upto = np.maximum.accumulate(flags, axis=0)
    return np.packbits(upto, axis=1, bitorder="little").view("<u4").astype(np.uint32, copy=False)
