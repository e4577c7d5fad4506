"""Which characters can come next, and how to say it.

A state's byte classes give intervals of lead bytes; the continuation bytes below them are
followed once per state and length, so that a class of a million code points costs a few
look-ups.
"""

from __future__ import annotations

from collections.abc import Iterator

from pgen.automata.dfa import LazyDFA
from pgen.automata.layout import DEAD
from pgen.language import ir
from pgen.language.regex.characters import category

MAX_OPTIONS = 40
"""Different single characters that are named one by one."""
MAX_FORCED = 40
"""Characters that a text which must come is shown up to."""

_NAMED = {(0x30, 0x39): "0 to 9", (0x41, 0x5A): "A to Z", (0x61, 0x7A): "a to z"}
_CLASSES = {"w": "a word character", "d": "a digit", "s": "white space"}
_LEADS = ((1, 0xC2, 0xDF, 0x1F), (2, 0xE0, 0xEF, 0x0F), (3, 0xF0, 0xF4, 0x07))
"""Continuation bytes, first and last lead byte, and the bits of the lead that count."""


def next_ranges(dfa: LazyDFA, state: int) -> ir.Ranges:
    """The code points after which the text can still become a member."""
    found: list[tuple[int, int]] = [(low, high) for low, high, _ in _steps(dfa, state, 0, 0x7F)]
    known: dict[tuple[int, int], ir.Ranges] = {}
    for n_more, first, last, mask in _LEADS:
        for low, high, target in _steps(dfa, state, first, last):
            for lead in range(low, high + 1):
                base = (lead & mask) << (6 * n_more)
                found += [(base + a, base + b) for a, b in _tails(dfa, target, n_more, known)]
    return ir.normal_ranges(found)


def _steps(dfa: LazyDFA, state: int, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Intervals of bytes from `first` to `last` with the live state that each leads to."""
    low = first
    for byte in range(first, last + 1):
        if byte == last or dfa.nfa.class_of[byte + 1] != dfa.nfa.class_of[byte]:
            target = dfa.run(state, bytes([low]))
            if target != DEAD:
                yield low, byte, target
            low = byte + 1


def _tails(dfa: LazyDFA, state: int, n_bytes: int, known: dict[tuple[int, int], ir.Ranges]) -> ir.Ranges:
    """What continuation bytes can add, as offsets."""
    if n_bytes == 0:
        return ((0, 0),)
    if (state, n_bytes) not in known:
        unit = 1 << (6 * (n_bytes - 1))
        found: list[tuple[int, int]] = []
        for low, high, target in _steps(dfa, state, 0x80, 0xBF):
            inner = _tails(dfa, target, n_bytes - 1, known)
            found += [
                (a + (byte & 0x3F) * unit, b + (byte & 0x3F) * unit) for byte in range(low, high + 1) for a, b in inner
            ]
        known[state, n_bytes] = ir.normal_ranges(found)
    return known[state, n_bytes]


def expected(dfa: LazyDFA, state: int) -> tuple[str, ...]:
    """What can come next, in words; single characters with the text that must follow them."""
    ranges = next_ranges(dfa, state)
    if not ranges and not dfa.is_accepting(state):
        return ("the rest of a character",)
    ends = ("the end",) if dfa.is_accepting(state) else ()
    if sum(high - low + 1 for low, high in ranges) <= MAX_OPTIONS and not _classes(ranges):
        few = [chr(code) for low, high in ranges if high - low < 3 for code in range(low, high + 1)]
        runs = [f"{chr(low)!r} to {chr(high)!r}" for low, high in ranges if high - low >= 3]
        return (*(repr(_forced(dfa, state, option)) for option in few), *runs, *ends)
    return (*in_words(ranges), *ends)


def _forced(dfa: LazyDFA, state: int, text: str) -> str:
    """`text` with what must follow it, up to a limit."""
    state = dfa.run(state, text.encode())
    while len(text) < MAX_FORCED and not dfa.is_accepting(state):
        ranges = next_ranges(dfa, state)
        if len(ranges) != 1 or ranges[0][0] != ranges[0][1]:
            break
        text += chr(ranges[0][0])
        state = dfa.run(state, chr(ranges[0][0]).encode())
    return text


def _classes(ranges: ir.Ranges) -> bool:
    return any(low <= start and end <= high for start, end in _NAMED for low, high in ranges)


def in_words(ranges: ir.Ranges) -> list[str]:
    """A class of characters as a person would say it."""
    outside = tuple(ir.without_surrogates(ir.negated_ranges(ranges))) if ranges else ()
    if ranges and not outside:
        return ["any character"]
    if outside and sum(high - low + 1 for low, high in outside) <= MAX_OPTIONS:
        return ["any character but " + " ".join(_pieces(outside))]
    return _pieces(ranges)


def _pieces(ranges: ir.Ranges) -> list[str]:
    """Each range in words; what lies beyond ASCII in one where it is many."""
    said: list[str] = []
    for letter, name in _CLASSES.items():
        known = category(letter, ascii_only=False)
        if any(high > 0x7F for _, high in ranges) and _minus(known, ranges) == ():
            said.append(name)
            ranges = _minus(ranges, known)
    for named, name in _NAMED.items():
        if _minus((named,), ranges) == ():
            said.append(name)
            ranges = _minus(ranges, (named,))
    far = [(low, high) for low, high in ranges if low > 0x7F]
    many = sum(high - low + 1 for low, high in far) > MAX_OPTIONS and len(far) > 1
    for low, high in ranges:
        if (low, high) == (0, 0x1F):
            said.append("control characters")
        elif high - low < 3:
            said += [repr(chr(code)) for code in range(low, high + 1) if not (many and low > 0x7F)]
        elif not (many and low > 0x7F):
            said.append(f"{chr(low)!r} to {chr(high)!r}")
    return [*said, f"{sum(b - a + 1 for a, b in far):,} other characters"] if many else said


def _minus(ranges: ir.Ranges, others: ir.Ranges) -> ir.Ranges:
    """The code points of `ranges` that are not in `others`."""
    return ir.negated_ranges((*ir.negated_ranges(ranges), *others))
