"""The tokens of Lark's syntax, with their positions, and errors that point at them.

One regular expression for all kinds, in linear time. Comments, blanks and escaped
line ends leave no token; a run of line ends is one token, and none at all before a
`|` or inside brackets.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from pgen.errors import InvalidLanguage, LimitExceeded, PgenError, UnsupportedFeature

_KINDS = {
    "skipped": r"[ \t\f]+|\\[ ]*\r?\n|//[^\n]*|\#[^\n]*",
    "line": r"\r?\n",
    "arrow": r"->",
    "statement": r"%[a-z]+",
    "rule": r"_*[a-z][_a-z0-9]*(?:-[_a-z0-9]+)*",
    "terminal": r"_*[A-Z][_A-Z0-9]*(?:-[_A-Z0-9]+)*",
    "string": r'"(?:\\[^\n]|[^"\\\n])*"i?',
    "regexp": r"/(?![/*])(?:\\.|[^/\\])+/[imslux]*",
    "special": r"<[^<>\s][^<>\n]*>",
    "number": r"[+-]?[0-9]+",
    "sign": r"\.\.|[:,|.~&*+?!(){}\[\]=@]",
}
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()), re.DOTALL)

_OPENED = {")": "(", "]": "[", "}": "{"}

_UNFINISHED = {
    '"': ("this string has no end", r'close it with " on the same line; write \" for the character'),
    "/": ("this regular expression has no end", r"close it with /; write \/ for the character"),
    "'": ("strings stand between double quotes", None),
}


class Token(NamedTuple):
    """`kind` is a key of the table above or `"end"`, `"json"`; `text` as written."""

    kind: str
    text: str
    position: int
    value: Any = None


class Source:
    """A grammar text and where it comes from (`""`: from the caller)."""

    __slots__ = ("origin", "text")

    def __init__(self, text: str, origin: str = "") -> None:
        self.text = text
        self.origin = origin

    def invalid(self, message: str, position: int, hint: str | None = None) -> InvalidLanguage:
        """The malformed grammar as an error at `position`."""
        return InvalidLanguage(self._said(message), source=self.text, position=position, hint=hint)

    def unsupported(self, message: str, position: int, hint: str | None = None) -> UnsupportedFeature:
        """What cannot be compiled as an error at `position`."""
        return UnsupportedFeature(self._said(message), source=self.text, position=position, hint=hint)

    def too_much(self, message: str, position: int, hint: str | None = None) -> LimitExceeded:
        """What passes a limit, as an error at `position`."""
        line = self.text.count("\n", 0, position) + 1
        return LimitExceeded(f"{self._said(message)} (line {line})", hint=hint)

    def inside(self, error: PgenError, what: str, position: int) -> PgenError:
        """An error in an embedded language, told in terms of the grammar."""
        if isinstance(error, LimitExceeded):
            return self.too_much(f"{what}: {error.message}", position, error.hint)
        make = self.unsupported if isinstance(error, UnsupportedFeature) else self.invalid
        return make(f"{what}: {error.message.splitlines()[0]}", position, error.hint)

    def _said(self, message: str) -> str:
        return f"{message}, in {self.origin}" if self.origin else message


def tokenized(source: Source) -> list[Token]:
    """All tokens of a text, the last of kind `"end"`."""
    text, at, tokens, opened = source.text, 0, list[Token](), list[str]()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _unreadable(source, at)
        token = Token(str(found.lastgroup), found[0], at)
        at = found.end()
        if token.text in ("%json", "%regex", "%llguidance", "%lark"):
            token = _with_json(source, token, at)
            at = token.position + len(token.text)
        _follow(opened, token)
        _append(tokens, token, inside=bool(opened))
    return [*tokens, Token("end", "", len(text))]


def _append(tokens: list[Token], token: Token, *, inside: bool) -> None:
    if token.kind == "skipped" or (token.kind == "line" and inside):
        return
    previous = tokens[-1].kind if tokens else "line"
    if token.kind == "line" and previous == "line":
        return
    if token.text == "|" and token.kind == "sign" and tokens and previous == "line":
        tokens.pop()
    tokens.append(token)


def _follow(opened: list[str], token: Token) -> None:
    """Keep track of open brackets."""
    if token.kind == "sign" and token.text in "([{":
        opened.append(token.text)
    elif token.kind == "sign" and opened and opened[-1] == _OPENED.get(token.text):
        opened.pop()


def _with_json(source: Source, token: Token, at: int) -> Token:
    """A statement that embeds a JSON value, which becomes part of the token."""
    while source.text[at : at + 1].isspace():
        at += 1
    if source.text[at : at + 1] != "{":
        raise source.invalid(f"a JSON object must follow {token.text}", at)
    try:
        value, end = json.JSONDecoder().raw_decode(source.text, at)
    except json.JSONDecodeError as error:
        raise source.invalid(f"malformed JSON after {token.text}: {error.msg}", error.pos) from None
    except RecursionError:
        raise source.too_much(f"the JSON after {token.text} is nested too deep", at) from None
    except ValueError as error:
        raise source.invalid(f"malformed JSON after {token.text}: {error}", at) from None
    return Token("json", source.text[token.position : end], token.position, value)


def _unreadable(source: Source, at: int) -> PgenError:
    char = source.text[at]
    message, hint = _UNFINISHED.get(char, (f"{char!r} begins nothing that a grammar can hold", None))
    if source.text.startswith("/*", at):
        message, hint = "a regular expression cannot begin with *", "comments begin with // or #"
    return source.invalid(message, at, hint)
