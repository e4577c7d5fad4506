"""Templates around what must stay: phrases in a given order (`contains`), the locked parts of a text (`skeleton`).

Filling a skeleton again and again is "sketch and refine": draw a text, lock what is
good in it, and have a model write the rest anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import EllipsisType

from pgen.errors import InvalidArgument
from pgen.language.base import Language
from pgen.language.templates import Template, template

Gap = Language | str | EllipsisType


def contains(*phrases: str, gaps: Gap = ...) -> Template:
    """The texts in which these phrases stand, in this order and not overlapping.

    Around and between them are holes `gap_0`, `gap_1` ..., each of `gaps` (default: free text).
    Raises `InvalidArgument` without phrases, or for an empty one.
    """
    if not phrases or not all(phrases):
        raise InvalidArgument(f"contains{phrases!r}: needs one phrase or more, none of them empty")
    parts: list[str | None] = [None]
    for phrase in phrases:
        parts += [phrase, None]
    return _around(parts, gaps)


def skeleton(text: str, *locked: str | tuple[int, int], gaps: Gap = ...) -> Template:
    """The texts in which the locked parts of `text` stand in their order, and something else may stand elsewhere.

    A part is a phrase (its first occurrence after the part before it) or a pair of positions
    (start, stop). Wherever `text` has something else there is a hole, called `gap_0`, `gap_1` ...,
    of `gaps` (default: free text). Raises `InvalidArgument`, with the position, for parts that are not
    in `text`, empty, or out of order, and if nothing is left open.
    """
    parts: list[str | None] = []
    at = 0
    for start, stop in _spans(text, locked):
        if start > at:
            parts.append(None)
        parts.append(text[start:stop])
        at = stop
    if at < len(text):
        parts.append(None)
    if None not in parts:
        raise InvalidArgument("skeleton(): all of the text is locked", hint="lock less of it")
    return _around(parts, gaps)


def _spans(text: str, locked: tuple[str | tuple[int, int], ...]) -> Iterator[tuple[int, int]]:
    at = 0
    for part in locked:
        if isinstance(part, str):
            start = text.find(part, at)
            stop = start + len(part)
        else:
            start, stop = part
        if not at <= start < stop <= len(text):
            raise InvalidArgument(
                f"skeleton(): there is no {part!r} at or after position {at} of the text",
                hint="name the locked parts from left to right, none of them empty",
            )
        yield start, stop
        at = stop


def _around(parts: list[str | None], gaps: Gap) -> Template:
    """Fixed parts, with a hole for every `None`."""
    written, holes = "", dict[str, Gap]()
    for part in parts:
        if part is None:
            name = f"gap_{len(holes)}"
            holes[name] = gaps
            written += f"{{{name}}}"
        else:
            written += part.replace("{", "{{").replace("}", "}}")
    return template(written, **holes)
