"""`Regex`: the texts that a Python pattern matches completely."""

from __future__ import annotations

from functools import lru_cache

from pgen.errors import InvalidArgument
from pgen.language import ir
from pgen.language.base import Language
from pgen.language.regex.compiler import compile_tree
from pgen.language.regex.parser import parse
from pgen.language.regex.pieces import named_pieces


class Regex(Language):
    r"""The texts x with `re.fullmatch(pattern, x)`, for the running Python's `re` and Unicode tables.

    Greedy and lazy quantifiers mean the same language; groups only group. What looks
    around (`^ $ \b`, lookaheads, lookbehinds) sees the text x, in repeats, too; a lookahead
    inside a lookbehind is refused. `\p{...}` and `\P{...}` are Unicode properties, which `re` has not: categories
    (`\p{L}`, `\p{Letter}`), `\p{Script=Greek}`, `\p{Alphabetic}`. Raises `InvalidLanguage`
    with the position where the pattern is malformed, and `UnsupportedFeature` for
    back-references, conditionals, atomic groups and possessive quantifiers.
    """

    __slots__ = ("pattern",)

    def __init__(self, pattern: str) -> None:
        if not isinstance(pattern, str):
            raise InvalidArgument(
                f"a pattern is a str, got {type(pattern).__name__}", hint='write pgen.Regex(r"[0-9]+"), with text'
            )
        super().__init__(_node(pattern), description=f"Regex({pattern!r})")
        self.pattern = pattern

    def _structure(self) -> ir.Node | None:
        return named_pieces(self.pattern, self.node)


@lru_cache(maxsize=1024)
def _node(pattern: str) -> ir.Node:
    return compile_tree(parse(pattern), pattern)
