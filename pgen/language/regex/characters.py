r"""The character classes of Python's `re`: `\d \w \s`, Unicode or ASCII, and case-insensitive closures.

Tables are made from the running Python's own Unicode data when first needed (some
milliseconds each, then cached). Case: a class read without regard to case differs
from itself only on characters that have case, a few thousand; on those the class is
put to `re` itself, so that its special cases (KELVIN SIGN, LONG S, dotless i) hold.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from pgen.language.ir import Ranges, negated_ranges, normal_ranges

ASCII_CLASSES: dict[str, Ranges] = {
    "d": ((0x30, 0x39),),
    "w": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
    "s": ((0x09, 0x0D), (0x20, 0x20)),
}

_LAST_UNICODE_KNOWN = 17
_ASSIGNED = ((0, 0x3FFFF), (0xE0000, 0xEFFFF))
"""Up to Unicode 17, planes 4 to 13 are empty, 15 and 16 private: none of their characters is in a class."""

_ASCII_PARTNERS = "\u0130\u0131\u017f\u212a"
"""The characters beyond ASCII that `re` takes for an ASCII letter when it ignores case: İ ı ſ K."""


def category(letter: str, *, ascii_only: bool) -> Ranges:
    r"""The code points of `\d`, `\w`, `\s`; a capital letter negates."""
    name = letter.lower()
    ranges = ASCII_CLASSES[name] if ascii_only else _unicode_class(name)
    return ranges if letter == name else negated_ranges(ranges)


@lru_cache(maxsize=3)
def _unicode_class(name: str) -> Ranges:
    import numpy as np

    test = {"d": np.strings.isdecimal, "w": np.strings.isalnum, "s": np.strings.isspace}[name]
    known = int(unicodedata.unidata_version.split(".")[0]) <= _LAST_UNICODE_KNOWN
    ranges: list[tuple[int, int]] = [(0x5F, 0x5F)] if name == "w" else []
    for low, high in _ASSIGNED if known else ((0, 0x10FFFF),):
        code_points = np.arange(low, high + 1, dtype=np.uint32)
        code_points[(code_points >= 0xD800) & (code_points <= 0xDFFF)] = 0
        member = np.concatenate([[False], test(code_points.view("U1")), [False]])
        starts, ends = np.flatnonzero(np.diff(member)).reshape(-1, 2).T + low
        ranges += zip(starts.tolist(), (ends - 1).tolist(), strict=True)
    return normal_ranges(ranges)


def ignoring_case(ranges: Ranges, source: str, *, ascii_only: bool) -> Ranges:
    """`ranges`, which the pattern `source` of one character denotes, read without regard to case."""
    simple = all(high < 0x80 for _, high in ranges)
    cased = _ASCII_CASED if simple else _cased()
    pattern = re.compile(source, re.IGNORECASE | (re.ASCII if ascii_only else 0))
    inside = [(ord(c), ord(c)) for c in cased if pattern.fullmatch(c)]
    outside = negated_ranges((*negated_ranges(ranges), *((ord(c), ord(c)) for c in cased)))
    return normal_ranges([*outside, *inside])


_ASCII_CASED = "".join(map(chr, (*range(0x41, 0x5B), *range(0x61, 0x7B)))) + _ASCII_PARTNERS


@lru_cache(maxsize=1)
def _cased() -> str:
    """Every character that some case mapping changes, or that one leads to."""
    found: set[str] = set()
    for start in (*range(0, 0xD800, 256), *range(0xE000, 0x110000, 256)):
        block = "".join(map(chr, range(start, start + 256)))
        if not block == block.lower() == block.upper() == block.casefold():
            found.update(c for c in block if not c == c.lower() == c.upper() == c.casefold())
    mapped = "".join(c.lower() + c.upper() + c.casefold() for c in found)
    return "".join(sorted(found.union(mapped)))
