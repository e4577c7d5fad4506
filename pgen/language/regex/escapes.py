r"""What a backslash means: characters, classes, anchors and references; and `[...]`.

Python's `re` decides which escapes exist; unknown ASCII letters are errors, other
characters stand for themselves.
"""

from __future__ import annotations

import sys
import unicodedata

from pgen.language.ir import Ranges, negated_ranges, normal_ranges
from pgen.language.regex.characters import category
from pgen.language.regex.properties import property_escape
from pgen.language.regex.source import Source

_SIMPLE = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_OCTAL, _DIGITS, _HEX = "01234567", "0123456789", "0123456789abcdefABCDEF"

CLASSES = "dDsSwW"
ANCHORS = "AbBZz" if sys.version_info >= (3, 14) else "AbBZ"


def character(source: Source, start: int) -> str:
    r"""The character that an escape denotes; the cursor is after the backslash, which is at `start`."""
    char = source.take()
    if not char:
        raise source.error("bad escape: the pattern ends with a backslash", start, hint=r"write \\ for a backslash")
    if char in _HEX_DIGITS:
        return _by_number(source, start, _HEX_DIGITS[char])
    if char == "N":
        return _by_name(source, start)
    if char in _SIMPLE:
        return _SIMPLE[char]
    if char.isascii() and char.isalnum():
        raise source.error(f"bad escape \\{char}", start, hint="Python's re reserves unknown letters")
    return char


def _by_number(source: Source, start: int, n_digits: int) -> str:
    digits = source.take_while(_HEX, n_digits)
    if len(digits) != n_digits:
        raise source.error(f"incomplete escape: {n_digits} hexadecimal digits must follow", start)
    if int(digits, 16) > 0x10FFFF:
        raise source.error(f"\\U{digits} is beyond the last code point, \\U0010ffff", start)
    return chr(int(digits, 16))


def _by_name(source: Source, start: int) -> str:
    if not source.skip("{"):
        raise source.error("missing {: a character's name must follow \\N", start)
    name = source.take_until("}", "character name")
    try:
        char = unicodedata.lookup(name)
    except KeyError:
        char = ""
    # Named sequences are several characters.
    if len(char) != 1:
        raise source.error(f"undefined character name {name!r}", start)
    return char


def octal(source: Source, start: int, digits: str) -> str:
    """The character of an octal escape; `digits` were read already."""
    digits += source.take_while(_OCTAL, 3 - len(digits))
    if int(digits, 8) > 0o377:
        raise source.error(f"octal escape \\{digits} is above 0o377", start)
    return chr(int(digits, 8))


def numbered(source: Source, start: int) -> str | int:
    """After a backslash and before a digit other than 0: an octal escape's character, or a group's number."""
    digits = source.take_while(_DIGITS, 2)
    if len(digits) == 2 and digits[0] in _OCTAL and digits[1] in _OCTAL and source.peek() in tuple(_OCTAL):
        return octal(source, start, digits)
    return int(digits)


def bracketed(source: Source, start: int, *, ascii_only: bool) -> Ranges:
    """The code points of `[...]`; the cursor is after the opening bracket, which is at `start`."""
    negated = source.skip("^")
    ranges: list[tuple[int, int]] = []
    first = source.at
    while not (source.peek() == "]" and source.at > first):
        ranges += _class_item(source, start, ascii_only)
    source.take()
    return negated_ranges(ranges) if negated else normal_ranges(ranges)


def _class_item(source: Source, start: int, ascii_only: bool) -> Ranges:
    here = source.at
    low = _class_atom(source, start, ascii_only)
    if not (source.peek() == "-" and source.pattern[source.at + 1 : source.at + 2] not in ("]", "")):
        return low if isinstance(low, tuple) else ((low, low),)
    source.take()
    high = _class_atom(source, start, ascii_only)
    if isinstance(low, tuple) or isinstance(high, tuple) or high < low:
        text = source.pattern[here : source.at]
        raise source.error(f"bad character range {text}", here, hint="put a literal - first or last in the class")
    return ((low, high),)


def _class_atom(source: Source, start: int, ascii_only: bool) -> int | Ranges:
    here = source.at
    char = source.take()
    if not char:
        raise source.error("unterminated character class: missing ]", start)
    if char != "\\":
        return ord(char)
    following = source.peek()
    if following and following in CLASSES:
        return category(source.take(), ascii_only=ascii_only)
    if following in ("p", "P"):
        return property_escape(source, here)
    if following == "b":
        source.take()
        return ord("\b")
    if following and following in _OCTAL:
        return ord(octal(source, here, source.take()))
    return ord(character(source, here))
