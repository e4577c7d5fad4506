"""Where JSON texts may have white space: one `Layout` for each value of `whitespace`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from pgen.errors import InvalidArgument
from pgen.language import ir

MAX_WHITESPACE = 32
"""The longest run of white space under `whitespace="any"`."""

MAX_INDENT = 16


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The separators of JSON texts; those that take a depth may differ between levels of nesting.

    There is one object for each kind of white space, so that comparing and hashing them costs nothing.
    """

    colon: ir.Node
    comma: Callable[[int], ir.Node]
    first: Callable[[int], ir.Node]
    last: Callable[[int], ir.Node]
    empty: ir.Node
    margin: ir.Node
    by_depth: bool


@lru_cache(maxsize=32)
def layout(whitespace: str | int) -> Layout:
    """The layout called `"default"`, `"any"`, `"compact"`, or with an indent, as `json.dumps(indent=)` has it."""
    if isinstance(whitespace, int) and not isinstance(whitespace, bool) and 0 <= whitespace <= MAX_INDENT:
        return _indented(whitespace)
    if whitespace == "default":
        return _flat(ir.optional(ir.literal(" ")), before=ir.EPSILON, inside=ir.EPSILON)
    if whitespace == "compact":
        return _flat(ir.EPSILON, before=ir.EPSILON, inside=ir.EPSILON)
    if whitespace == "any":
        space = ir.repeat(ir.chars([(9, 10), (13, 13), (32, 32)]), 0, MAX_WHITESPACE)
        return _flat(space, before=space, inside=space)
    raise InvalidArgument(
        f"whitespace={whitespace!r}", hint=f'one of "default", "any", "compact", or an indent of 0 to {MAX_INDENT}'
    )


def _flat(after: ir.Node, *, before: ir.Node, inside: ir.Node) -> Layout:
    comma = ir.concat(before, ir.literal(","), after)
    return Layout(
        colon=ir.concat(before, ir.literal(":"), after),
        comma=lambda depth: comma,
        first=lambda depth: inside,
        last=lambda depth: inside,
        empty=inside,
        margin=inside,
        by_depth=False,
    )


def _indented(indent: int) -> Layout:
    return Layout(
        colon=ir.literal(": "),
        comma=lambda depth: ir.literal(",\n" + " " * indent * (depth + 1)),
        first=lambda depth: ir.literal("\n" + " " * indent * (depth + 1)),
        last=lambda depth: ir.literal("\n" + " " * indent * depth),
        empty=ir.EPSILON,
        margin=ir.EPSILON,
        by_depth=True,
    )
