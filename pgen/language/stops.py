"""Texts up to the first occurrence of a stop string: `until`, and its parts for `tagged`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pgen.errors import InvalidArgument
from pgen.language import ir
from pgen.language.base import Language, Residual, as_language, literal


def until(stop: str | Sequence[str], language: Language | str | None = None) -> Language:
    """The members of `language` (default: all texts), each followed by `stop`, which comes there for the first time.

    So a member ends with the first place where the text so far ends with a stop; overlaps
    count: `until("aa")` has "aa" but not "aaa". Several stops are allowed where none contains
    another. No member begins another one, which makes a model stop there. Facts of the
    residual of `language` concern what stands before the stop.

    Raises `InvalidArgument` for empty stops and for stops inside each other.
    """
    stops = checked_words("stop", (stop,) if isinstance(stop, str) else tuple(stop))
    inner = Language(ir.ANY_TEXT, description="") if language is None else as_language(language)
    node = ir.union(*(ir.concat(before(word, stops, inner.node), ir.literal(word)) for word in stops))
    said = ", ".join(map(repr, stops)) + ("" if language is None else f", {inner!r}")
    facts = tuple(replace(fact, holds=BeforeStop(stops, fact)) for fact in inner.residual)
    return Language(node, description=f"until({said})", residual=facts)


@dataclass(frozen=True, slots=True)
class BeforeStop:
    """Whether a fact holds of a text without the stop at its end."""

    stops: tuple[str, ...]
    fact: Residual

    def __call__(self, text: str) -> bool:
        return any(text.endswith(stop) and self.fact.holds(text.removesuffix(stop)) for stop in self.stops)


def without(words: Sequence[str], within: ir.Node = ir.ANY_TEXT) -> ir.Node:
    """The members of `within` in which none of `words` occurs."""
    return ir.intersect(within, ir.complement(ir.concat(ir.ANY_TEXT, _any_of(words), ir.ANY_TEXT)))


def before(word: str, words: Sequence[str], within: ir.Node = ir.ANY_TEXT) -> ir.Node:
    """The members x of `within` such that x + word has no other occurrence of `words` than the one at its end."""
    used = _characters(within)
    # Each word has a character that no member has: so nothing needs to be cut, which context-free languages cannot be.
    if all(any(_lacks(used, char) for char in other) for other in words):
        return within
    heads = [other[:cut] for other in words for cut in range(1, len(other)) if word.startswith(other[cut:])]
    free = without(words, within)
    return ir.intersect(free, ir.complement(ir.concat(ir.ANY_TEXT, _any_of(heads)))) if heads else free


def _characters(node: ir.Node) -> ir.Ranges:
    """Code points among which are all that members can hold."""
    found: list[tuple[int, int]] = []
    for part in ir.descendants(node):
        match part:
            case ir.Chars(ranges):
                found += ranges
            case ir.Literal(data):
                found += ((ord(char), ord(char)) for char in set(data.decode()))
            case ir.Words(words):
                found += ((ord(char), ord(char)) for char in set(b"".join(words).decode()))
            case ir.Substrings(text):
                found += ((ord(char), ord(char)) for char in set(text))
            case ir.Network(edges):
                found += (pair for _, ranges, _ in edges for pair in ranges)
            case ir.Packed():
                found += (pair for _, ranges, _ in ir.unpacked(part).edges for pair in ranges)
            case ir.Complement() | ir.AnyByte():
                return ((0, ir.MAX_CODE_POINT),)
    return ir.normal_ranges(found)


def _lacks(ranges: ir.Ranges, char: str) -> bool:
    return not any(low <= ord(char) <= high for low, high in ranges)


def overlaps(word: str, words: Sequence[str]) -> bool:
    """Whether an occurrence of one of `words` can begin before `word` and end inside it."""
    return any(word.startswith(other[cut:]) for other in words for cut in range(1, len(other)))


def checked_words(what: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """The words, distinct; raises `InvalidArgument` unless they are not empty and none is inside another."""
    if not words or not all(isinstance(word, str) and word for word in words):
        raise InvalidArgument(f"a {what} is a string that is not empty, got {words!r}")
    words = tuple(dict.fromkeys(words))
    for word in words:
        literal(word)
        for other in words:
            if word != other and word in other:
                raise InvalidArgument(
                    f"{what} {word!r} is inside {what} {other!r}, which therefore never comes first",
                    hint=f"leave out {other!r}",
                )
    return words


def _any_of(words: Sequence[str]) -> ir.Node:
    return ir.word_set(word.encode() for word in words)
