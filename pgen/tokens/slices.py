"""Slices of a vocabulary: tokens made of everyday characters, judged together instead of one by one.

Most tokens are words. Where an automaton takes any word, walking a hundred thousand of
them finds out what a handful of transitions would tell. A *family* is a set of tokens
`first rest*` over two character classes (say a space, then letters). Its *levels* are
the sets of automaton states after exactly k characters. As long as a level holds live
states only, all tokens of up to k characters are allowed; when a level is dead, longer
ones are not; when it is mixed, the family's own trie is walked (`walk_kernels.fill`).
So counted repeats, which take all short words and no long ones, need no walk either.

The first family, what a JSON string holds, covers all others, which are tried only if it is mixed.
Tokens outside every family (quotes, control characters, parts of characters, long ones) are always walked.

A state that everyday text (the first family's) leads back to, as inside of most strings, is a *loop*: it allows
every everyday token, and of the others only *tails* are walked, from the first byte on that is not everyday. Where a
few signs lead elsewhere, as in `[^:]*`, the tokens that hold these are looked at one by one (`pgen.tokens.loops`).
States from which no everyday text ever leaves are known beforehand (`pgen.tokens.endless`). Where such text mostly
falls into a loop, as in names among a hundred others, the mask is that of the loop but for tokens
on whose way the two states differ (`pgen.tokens.differing`).

The idea of slicing a vocabulary is llguidance's slicer's; levels, tails and differences are ours. Masks are
exact: slices decide how a mask is computed, not what it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

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
_BEYOND_ASCII = ((0x80, ir.SURROGATES[0] - 1), (ir.SURROGATES[1] + 1, ir.MAX_CODE_POINT))
_CONTROLS = ((0, 0x1F), (0x7F, 0x7F), ir.SURROGATES)
_PLAIN = ir.negated_ranges([*_CONTROLS, *((ord(c), ord(c)) for c in '"\\')])
_PROSE = ir.negated_ranges([*_CONTROLS, *((ord(c), ord(c)) for c in "\"\\'<>&{}[]$`#%^|~=+*/@")])

FAMILIES: tuple[tuple[ir.Ranges, ir.Ranges], ...] = (
    (_PLAIN, _PLAIN),
    (_LOWER, _LOWER),
    (_SPACE, _LOWER),
    (_WORD, _WORD),
    (_SPACE, _WORD),
    (_BEYOND_ASCII, _BEYOND_ASCII),
    (_SPACE, _BEYOND_ASCII),
    (_PROSE, _PROSE),
)
"""(first, rest) classes; the first family covers the others, of which a token belongs to the first that fits."""

_EVERYDAY = re.compile("[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in _PLAIN) + "]+")


class Slices(NamedTuple):
    """`tries` is one trie a section: of family 0 alone, of family 1 …, of tokens in none, of the tails of these."""

    tries: Trie
    section: NDArray[np.int32]  # (F + 3,) first node of each section
    edges: NDArray[np.int32]  # (E, 4) of the classes: state, first byte, last, state; from 0 to 1
    class_start: NDArray[np.int32]  # (2 F + 1,) first and rest class of each family, into edges
    up_to: NDArray[np.uint32]  # (F (MAX_CHARACTERS + 1), words) family by family, its tokens of up to k characters
    everyday: NDArray[np.uint32]  # (words,) the tokens, of any length, that the first family's characters make up
    sign_start: NDArray[np.int32]  # (129,) into sign_tokens, by the ASCII character
    sign_tokens: NDArray[np.int32]  # (n,) tokens with signs (not letters, spaces) that are everyday up to the first one
    sign_tails: NDArray[np.int32]  # (n + 1,) into sign_bytes
    sign_bytes: NDArray[np.uint8]  # what these tokens are from their first sign on


def slices_of(vocabulary: Vocabulary) -> Slices:
    """The slices of a vocabulary."""
    tokens = vocabulary.tokens
    texts = {i: text for i in vocabulary.text_ids.tolist() if (text := _short_text(tokens[i]))}
    ids, lengths = np.fromiter(texts, np.int64), np.array([len(text) for text in texts.values()], np.int64)
    members = _members("".join(texts.values()), lengths)
    # Later families first, so that the first that fits has the last word.
    home = np.full(len(vocabulary), len(FAMILIES))
    for family in (0, *reversed(range(1, len(FAMILIES)))):
        home[ids[members[family]]] = family
    sections = [vocabulary.text_ids[home[vocabulary.text_ids] == section] for section in range(len(FAMILIES) + 1)]
    tails = {i: tokens[i][_n_everyday(tokens[i]) :] for i in sections[-1].tolist()}
    tries, bounds = joined(
        [*(build(tokens, part.tolist()) for part in sections), build(tails, list(filter(tails.get, tails)))]
    )
    classes = [characters(ranges).edges for ranges in chain.from_iterable(FAMILIES)]
    covered = [members[0], *(home[ids] == family for family in range(1, len(FAMILIES)))]
    return Slices(
        tries,
        bounds,
        np.concatenate(classes),
        np.cumsum([0, *map(len, classes)]).astype(np.int32),
        np.concatenate([_up_to(ids[held], lengths[held], len(vocabulary)) for held in covered]),
        _bits([*ids[members[0]].tolist(), *(i for i in tails if not tails[i])], len(vocabulary)),
        *_by_sign(tokens, vocabulary.text_ids.tolist()),
    )


def is_sign(byte: int) -> bool:
    """Whether an ASCII character is everyday and no letter or space."""
    return 0x21 <= byte < 0x7F and chr(byte) not in '"\\' and not chr(byte).isalpha()


def _by_sign(tokens: Sequence[bytes], ids: Sequence[int]) -> tuple[NDArray[Any], ...]:
    """The last four arrays of `Slices`."""
    held: list[list[int]] = [[] for _ in range(128)]
    tails: list[list[bytes]] = [[] for _ in range(128)]
    signs = frozenset(filter(is_sign, range(128)))
    for token in ids:
        found, data = signs.intersection(tokens[token]), tokens[token]
        at = next((at for at, byte in enumerate(data) if byte in found), len(data))
        # What is not everyday before that is in another section.
        if at < _n_everyday(data):
            tail = data[at:]
            for byte in found:
                held[byte].append(token)
                tails[byte].append(tail)
    every_tail = list(chain.from_iterable(tails))
    return (
        np.cumsum([0, *map(len, held)]).astype(np.int32),
        np.fromiter(chain.from_iterable(held), np.int32),
        np.cumsum([0, *map(len, every_tail)]).astype(np.int32),
        np.frombuffer(b"".join(every_tail) + b"\0", np.uint8),
    )


def _n_everyday(token: bytes) -> int:
    """Bytes of the longest beginning that everyday characters make up."""
    matched = _EVERYDAY.match(token.decode(errors="surrogateescape"))
    return len(matched[0].encode()) if matched else 0


def _bits(ids: Sequence[int], size: int) -> NDArray[np.uint32]:
    flags = np.zeros(-(-size // 32) * 32, np.uint8)
    flags[ids] = 1
    return np.packbits(flags, bitorder="little").view("<u4").astype(np.uint32, copy=False)


def _short_text(token: bytes) -> str | None:
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return None
    return text if len(text) <= MAX_CHARACTERS else None


def _members(text: str, lengths: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """For each family, which of the words that `text` joins belong to it."""
    if not len(lengths):
        return [np.zeros(0, np.bool_) for _ in FAMILIES]
    points = np.frombuffer(text.encode("utf-32-le"), "<u4")
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    found = []
    for first, rest in FAMILIES:
        holds = _held(points, rest)
        holds[starts] = _held(points[starts], first)
        found.append(np.logical_and.reduceat(holds, starts))
    return found


def _held(points: NDArray[np.uint32], ranges: ir.Ranges) -> NDArray[np.bool_]:
    held = np.zeros(len(points), np.bool_)
    for low, high in ranges:
        held |= (points >= low) & (points <= high)
    return held


def _up_to(ids: NDArray[np.int64], lengths: NDArray[np.int64], size: int) -> NDArray[np.uint32]:
    flags = np.zeros((MAX_CHARACTERS + 1, -(-size // 32) * 32), np.uint8)
    flags[lengths, ids] = 1
    upto = np.maximum.accumulate(flags, axis=0)
    return np.packbits(upto, axis=1, bitorder="little").view("<u4").astype(np.uint32, copy=False)
