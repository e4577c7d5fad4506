"""Quoted texts: which escapes they hold and what text they denote, as Lark has it.

`\\\\ \\" \\n \\r \\t \\f \\xhh \\uhhhh \\Uhhhhhhhh` are characters; a backslash before
anything else stays, and so does what follows it.
"""

from __future__ import annotations

import re

from pgen.language.grammar.tokens import Source, Token

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_CHARACTERS = {"\\": "\\", '"': '"', "n": "\n", "r": "\r", "t": "\t", "f": "\f"}
_SURROGATE = re.compile("[\ud800-\udfff]")


def unquoted(source: Source, token: Token) -> tuple[str, bool]:
    """The text that a string token denotes, and whether it ignores case."""
    end = token.text.rindex('"')
    ignores_case = token.text.endswith("i")

    def character(found: re.Match[str]) -> str:
        digits = found[1] or found[2] or found[3]
        if digits:
            return _numbered(source, digits, token.position + 1 + found.start())
        if found[4] in "xuU":
            raise source.invalid(
                f"incomplete escape {found[0]}: hexadecimal digits must follow", token.position + 1 + found.start()
            )
        return _CHARACTERS.get(found[4], found[0])

    text = _ESCAPE.sub(character, token.text[1:end])
    if _SURROGATE.search(text):
        raise source.invalid("this string holds a lone surrogate, which no UTF-8 text can", token.position)
    return text, ignores_case


def _numbered(source: Source, digits: str, position: int) -> str:
    if int(digits, 16) > 0x10FFFF:
        raise source.invalid(f"\\U{digits} is beyond the last code point, \\U0010ffff", position)
    return chr(int(digits, 16))
