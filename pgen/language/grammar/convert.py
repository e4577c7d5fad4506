r"""Grammars in other notations: GBNF (llama.cpp) and the EBNF of xgrammar.

Both write `name ::= alternatives` with strings, character classes, `.`, brackets and
`* + ? {m,n}`; they differ in what pgen cannot compile anyway. The text is rewritten
token by token in Lark's syntax, in linear time. A rule ends where the next `name ::=`
begins, however lines are broken, and terminals are single strings and characters,
so that nothing is ignored between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pgen.language.grammar.definitions import did_you_mean
from pgen.language.grammar.language import Grammar
from pgen.language.grammar.tokens import Source

_KINDS = {
    "skipped": r"\s+|\#[^\n]*",
    "defines": r"::=",
    "lookahead": r"\(\s*[?=][^)]*",
    "macro": r"(?:TagDispatch|TokenTagDispatch|Token|ExcludeToken)(?=\s*\()",
    "name": r"[A-Za-z0-9_][A-Za-z0-9_-]*",
    "string": r'"(?:\\[^\n]|[^"\\\n])*"',
    "class": r"\[(?:\\[^\n]|[^\]\\\n])*\]",
    "bounds": r"\{\s*(?:[0-9]+\s*(?:,\s*[0-9]*\s*)?|,\s*[0-9]+\s*)\}",
    "negated": r"!<[^<>\n]*>",
    "special": r"<[^<>\s][^<>\n]*>",
    "sign": r"[()|*+?.]",
}
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()))
_CHARACTER = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))|([^\\])", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "b": "\b", "a": "\a", "0": "\0"}
_IRREGULAR = {
    "negated": "every token but one",
    "lookahead": "a lookahead",
    "macro": "the macro",
}


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def from_gbnf(text: str, start: str = "root") -> Grammar:
    """The language of a grammar in llama.cpp's notation.

    Raises `InvalidLanguage` with line and column where the text is malformed or a
    rule is not defined, `UnsupportedFeature` for negated tokens, lookaheads and macros.
    """
    return _converted(Source(text), start)


def from_ebnf(text: str, start: str = "root") -> Grammar:
    """The language of a grammar in xgrammar's notation; errors as in `from_gbnf`."""
    return _converted(Source(text), start)


def _converted(source: Source, start: str) -> Grammar:
    rules = _rules(source, list(_tokens(source)))
    names = _lark_names(list(rules))
    if start not in names:
        hint = did_you_mean(start, names) or "pass start=, the rule to begin with"
        raise source.invalid(f"the grammar has no rule {start}", 0, hint)
    lines = [f"{names[name]}: {_body(source, body, names)}\n" for name, body in rules.items()]
    return Grammar("".join(lines), names[start])


def _tokens(source: Source) -> Iterator[_Token]:
    at = 0
    while at < len(source.text):
        found = _TOKEN.match(source.text, at)
        if found is None:
            raise source.invalid(f"{source.text[at]!r} begins nothing that a grammar can hold", at)
        if found.lastgroup in _IRREGULAR:
            raise source.unsupported(f"{_IRREGULAR[found.lastgroup]}: {found[0]}", at)
        if found.lastgroup != "skipped":
            yield _Token(str(found.lastgroup), found[0], at)
        at = found.end()


def _rules(source: Source, tokens: Sequence[_Token]) -> dict[str, list[_Token]]:
    """The tokens of each rule's body."""
    rules: dict[str, list[_Token]] = {}
    body: list[_Token] | None = None
    for at, token in enumerate(tokens):
        following = tokens[at + 1].kind if at + 1 < len(tokens) else ""
        if token.kind == "name" and following == "defines":
            if token.text in rules:
                raise source.invalid(f"rule {token.text} is defined twice", token.position)
            body = rules[token.text] = []
        elif token.kind == "defines" and (at == 0 or tokens[at - 1].kind != "name"):
            raise source.invalid("expected the name of a rule before ::=", token.position)
        elif body is None:
            raise source.invalid(f"expected name ::= instead of {token.text!r}", token.position)
        elif token.kind != "defines":
            body.append(token)
    return rules


def _lark_names(names: Sequence[str]) -> dict[str, str]:
    """For each name one that Lark takes for a rule, all different."""
    given, taken = dict[str, str](), set[str]()
    for name in names:
        plain = re.sub(r"[^a-z0-9_]", "_", name.lower())
        plain = plain if plain[0].isalpha() else f"rule_{plain}"
        number, found = 2, plain
        while found in taken:
            number, found = number + 1, f"{plain}_{number}"
        given[name] = found
        taken.add(found)
    return given


def _body(source: Source, tokens: Sequence[_Token], names: dict[str, str]) -> str:
    _check_brackets(source, tokens)
    return " ".join(_rewritten(source, token, names) for token in tokens)


def _check_brackets(source: Source, tokens: Sequence[_Token]) -> None:
    opened, repeatable = list[_Token](), False
    for token in tokens:
        if token.text == "(":
            opened.append(token)
        elif token.text == ")":
            if not opened:
                raise source.invalid("this ) closes nothing", token.position)
            opened.pop()
        elif (token.text in ("*", "+", "?") or token.kind == "bounds") and not repeatable:
            raise source.invalid(f"nothing to repeat before {token.text}", token.position)
        repeatable = token.text not in ("(", "|", "*", "+", "?") and token.kind != "bounds"
    if opened:
        raise source.invalid("this ( is not closed", opened[-1].position)


def _rewritten(source: Source, token: _Token, names: dict[str, str]) -> str:
    """One token in Lark's syntax."""
    match token.kind:
        case "name":
            if token.text not in names:
                hint = did_you_mean(token.text, names)
                raise source.invalid(f"rule {token.text} is not defined", token.position, hint)
            return names[token.text]
        case "string":
            return _string([char for char, _ in _characters(source, token)])
        case "class":
            return _class(source, token)
    return "/./s" if token.text == "." else token.text


def _string(characters: Sequence[str]) -> str:
    """A text as Lark quotes it; the empty one is an empty group."""
    plain = (char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}" for char in characters)
    return f'"{"".join(plain)}"' if characters else "( )"


def _characters(source: Source, token: _Token) -> list[tuple[str, bool]]:
    """The characters between a token's delimiters, and whether each was escaped."""
    found = list[tuple[str, bool]]()
    for match in _CHARACTER.finditer(token.text, 1, len(token.text) - 1):
        digits = match[1] or match[2] or match[3]
        if digits and (int(digits, 16) > 0x10FFFF or 0xD800 <= int(digits, 16) <= 0xDFFF):
            raise source.invalid(f"{match[0]} is no character", token.position + match.start())
        char = chr(int(digits, 16)) if digits else match[5] or _ESCAPES.get(match[4], match[4])
        found.append((char, match[5] is None))
    return found


def _class(source: Source, token: _Token) -> str:
    """A character class as a regular expression."""
    characters = _characters(source, token)
    negated = bool(characters) and characters[0] == ("^", False)
    characters, ranges = characters[negated:], list[str]()
    while characters:
        low = high = characters.pop(0)[0]
        if len(characters) > 1 and characters[0] == ("-", False):
            high = characters.pop(1)[0]
            characters.pop(0)
        if low > high:
            raise source.invalid(f"the range from {low!r} to {high!r} is empty", token.position)
        ranges.append(f"\\U{ord(low):08x}-\\U{ord(high):08x}")
    if not ranges:
        raise source.invalid("a character class is empty", token.position)
    return f"/[{'^' * negated}{''.join(ranges)}]/"
