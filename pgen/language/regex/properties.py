r"""Unicode properties: the code points of `\p{...}`, by the tables of the `regex` module.

General categories (`Letter`, `Lu`, `gc=Lu`), scripts (`Script=Greek`, `sc=Grek`) and
binary properties (`Alphabetic`, `Emoji`), spelled as in ECMA-262, Rust or Perl. A property
is read off once, from all code points in a row, in some 20 ms.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pgen.language.ir import Ranges, negated_ranges, normal_ranges
from pgen.language.regex.source import Source

_NAME = re.compile(r"[A-Za-z][\w -]*(=[\w -]+)?")


@lru_cache(maxsize=256)
def property_ranges(name: str) -> Ranges | None:
    """The code points with a property, `None` if there is no such property."""
    import regex

    try:
        runs = regex.compile(rf"\p{{{name}}}+") if _NAME.fullmatch(name) else None
    except regex.error:
        return None
    return runs and normal_ranges((ord(run[0][0]), ord(run[0][-1])) for run in runs.finditer(_everything()))


@lru_cache(maxsize=1)
def _everything() -> str:
    """All code points but surrogates; the last before them is apart from the first after, lest a run span both."""
    return "".join(map(chr, range(0xD800))) + "\n" + "".join(map(chr, range(0xE000, 0x110000)))


def property_escape(source: Source, start: int) -> Ranges:
    r"""The code points of `\p{...}` or `\P{...}`; the cursor is before the letter, the backslash at `start`."""
    negated = source.take() == "P"
    if not source.skip("{"):
        raise source.error("missing {: the name of a Unicode property must follow \\p", start)
    name = source.take_until("}", "property name")
    ranges = property_ranges(name)
    if ranges is None:
        hint = r"such as \p{L}, \p{Letter}, \p{Lu}, \p{Script=Greek}, \p{Alphabetic}"
        raise source.error(f"no Unicode property is named {name!r}", start, hint)
    return negated_ranges(ranges) if negated else ranges


def class_text(ranges: Ranges) -> str:
    """The inside of `[...]` for some code points, in Python's spelling."""
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)
