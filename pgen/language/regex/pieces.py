"""The pieces of a pattern in a row, as they are written, for messages about texts."""

from __future__ import annotations

import re

from pgen.errors import PgenError
from pgen.language import ir
from pgen.language.regex.compiler import compile_tree
from pgen.language.regex.parser import parse

_ATOM = re.compile(r"\\(?:x..|u....|N\{[^}]*\}|.)|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_REPEAT = re.compile(r"(?:[*+?]|\{\d*,?\d*\})[?+]?")


def named_pieces(pattern: str, node: ir.Node) -> ir.Node | None:
    """The pattern as a sequence of rules, each named after its piece; `None` if it does not fall into pieces.

    Flags, lookarounds, anchors and alternatives at the top make it one piece: only where the
    pieces in a row are the same `node` is anything returned.
    """
    texts = _pieces(pattern)
    try:
        nodes = [compile_tree(parse(text), text) for text in texts]
    except PgenError:
        return None
    if len(texts) < 2 or ir.concat(*nodes) != node:
        return None
    names = [f"@the piece {text} at {i + 1} of the pattern" for i, text in _placed(texts)]
    return ir.Recursive("", ("", *names), (ir.concat(*map(ir.Ref, names)), *nodes))


def _placed(texts: list[str]) -> list[tuple[int, str]]:
    return [(sum(map(len, texts[:i])), text) for i, text in enumerate(texts)]


def _pieces(pattern: str) -> list[str]:
    """Atoms with their quantifiers; groups as a whole, runs of plain characters joined."""
    pieces: list[str] = []
    at, depth, start = 0, 0, 0
    while at < len(pattern):
        atom = _ATOM.match(pattern, at)
        assert atom is not None
        depth += (atom[0] == "(") - (atom[0] == ")")
        at = atom.end()
        if depth <= 0:
            quantifier = _REPEAT.match(pattern, at)
            at = quantifier.end() if quantifier else at
            piece, start = pattern[start:at], at
            plain = len(piece) == 1 and piece not in "|.^$"
            if plain and pieces and pieces[-1].isalnum() and piece.isalnum():
                pieces[-1] += piece
            else:
                pieces.append(piece)
    return [*pieces, pattern[start:]] if start < at else pieces
