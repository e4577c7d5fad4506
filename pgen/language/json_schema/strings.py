r"""Restrictions on strings (`pattern`, `format`) as nodes over values, and as predicates.

`pattern` is an unanchored search. ECMA-262, which the draft names, and Python's
`re`, which `jsonschema` uses, read a few constructs differently: `\d` and `\w` are
ASCII in the former, and `$` matches before a final newline in the latter. pgen
accepts the strings that match in both readings (`node`), and treats as not
matching only those that match in neither (`outer_node`), so that results are
valid for either.
"""

from __future__ import annotations

import base64
import re
import sys
import zlib
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from pgen.errors import InvalidLanguage
from pgen.language import ir
from pgen.language.base import late
from pgen.language.derivatives import beginning_with
from pgen.language.json_schema.format_tables import TABLES
from pgen.language.json_schema.formats import PATTERNS
from pgen.language.json_schema.lengths import limited, weight
from pgen.language.json_schema.shapes import Restriction, StringShape
from pgen.language.regex import Regex
from pgen.language.regex.properties import class_text, property_escape
from pgen.language.regex.source import Source

MAX_LISTED = 200
"""How many strings of a pattern are listed."""

MAX_PRODUCT = 600
"""States of a pattern times the length it is limited to, up to which the node counts."""

MAX_STATES = 10_000
"""States of intersections and complements, in code points, up to which the node holds patterns."""

MAX_WEIGHT = 200_000
"""Parts of a pattern, repeats counted, up to which the node holds it."""

MAX_RANGES = 2_000
"""Ranges of characters in the network of a pattern that looks around, up to which the node holds it."""

MAX_GROWTH = 4
"""How many times as large a node may become by working in how its texts begin."""

MAX_FAILURES = 3
"""After how many patterns that are left out no more are tried."""

_TOKEN = re.compile(r"\\[\s\S]|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]|[\s\S]")
_PAIR = re.compile(r"\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}")
_ESCAPE = re.compile(rf"{_PAIR.pattern}" r"|\\[pP]\{[^}]*\}|\\c[A-Za-z]|\\u\{[0-9A-Fa-f]+\}|\\k<[^>]*>|\\[\s\S]")
_EMPTY_CLASS = re.compile(r"\[\^?\]")
_EMPTY_CLASSES = {"[]": "(?!)", "[^]": r"[\s\S]"}
_ECMA_TOKEN = re.compile(r"\\[\s\S]|\[\^?(?:\\[\s\S]|[^\]\\])*\]|[\s\S]")
_NAMED_GROUP = re.compile(r"\(\?<(?![=!])")
_FOREIGN = re.compile(rf"{_PAIR.pattern}|\\[pPck]|\\u\{{|{_NAMED_GROUP.pattern}|\\[dDsSwW]-|-\\[dDsSwW]")
_SPACE = r"\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_NARROWED = {r"\d": "0-9", r"\w": "0-9A-Za-z_", r"\s": _SPACE}
_NEGATIVE = re.compile(r"\\[DWSBb]|\(\?<?!|\[\^(?:\\[\s\S]|[^\]\\])*\\[dws]")
_ANYTHING = "(?s:.*)"
_ENDS = {r"\Z": "", "$": r"\n?"}
_LITERAL_HYPHEN = re.compile(r"(?<=\\[dDsSwW])-(?!\])|(?<=[^\[^\\])-(?=\\[dDsSwW])")
_FLAGS = re.compile(r"\(\?[aiLmsux]+\)")


@lru_cache(maxsize=4096)
def node(restriction: Restriction) -> ir.Node:
    """The strings that satisfy `restriction`. Raises what `Regex` raises on its pattern."""
    if restriction.kind == "format":
        return Regex(PATTERNS[restriction.source]).node
    if restriction.kind == "other than":
        return ir.complement(ir.literal(restriction.source))
    if restriction.kind == "no pattern":
        return ir.complement(outer_node(Restriction("pattern", restriction.source)))
    narrow = _search(_narrowed(restriction.source))
    return ir.intersect(narrow, _search(restriction.source)) if _NEGATIVE.search(restriction.source) else narrow


@lru_cache(maxsize=4096)
def outer_node(restriction: Restriction) -> ir.Node:
    """The strings that satisfy a `pattern` in either reading."""
    wide = _search(restriction.source)
    return ir.union(_search(_narrowed(restriction.source)), wide) if _NEGATIVE.search(restriction.source) else wide


def all_of(restrictions: Collection[Restriction]) -> ir.Node:
    """The strings that satisfy every restriction; words that are ruled out make one node."""
    words = [r.source for r in restrictions if r.kind == "other than"]
    parts = _joined_beginnings([node(r) for r in restrictions if r.kind != "other than"])
    if words:
        parts.append(ir.complement(ir.word_set(word.encode() for word in words)))
    return parts[0] if len(parts) == 1 else ir.intersect(*parts)


def _joined_beginnings(parts: list[ir.Node]) -> list[ir.Node]:
    """Nodes of the same intersection: one that only says how texts begin is worked into the others, where it can be."""
    for i, part in enumerate(parts):
        if isinstance(part, ir.Concat) and isinstance(part.parts[0], ir.Literal) and part.parts[1:] == (ir.ANY_TEXT,):
            start, others = part.parts[0].data.decode(), [*parts[:i], *parts[i + 1 :]]
            led = [beginning_with(other, start, MAX_GROWTH * ir.size(other)) for other in others]
            if others and None not in led:
                return _joined_beginnings([other for other in led if other is not None])
    return parts


@lru_cache(maxsize=4096)
def held(restrictions: tuple[Restriction, ...]) -> tuple[Restriction, ...]:
    """Those that a mask can hold together: patterns are left out whose automata, or whose product, is too large."""
    if [r.kind for r in restrictions] == ["format"] or _is_small(all_of(restrictions)):
        return restrictions
    patterns = [r for r in restrictions if r.kind in ("pattern", "no pattern")]
    kept, failures = [r for r in restrictions if r not in patterns], 0
    for pattern in patterns:
        if failures < MAX_FAILURES and _is_small(all_of([*kept, pattern])):
            kept.append(pattern)
        else:
            failures += 1
    return tuple(kept)


class Listed(NamedTuple):
    """Strings that can be listed: a few words, and all that begins with one of a few prefixes."""

    words: frozenset[str] = frozenset()
    prefixes: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def listed(pattern: Restriction) -> tuple[Listed, frozenset[str]] | None:
    """The strings that a pattern matches, and words that it matches in one reading only; `None` where they are many."""
    inner, outer = members(node(pattern)), members(outer_node(pattern))
    if inner is None or outer is None or inner.prefixes != outer.prefixes:
        return None
    return inner, outer.words - inner.words


def members(of: ir.Node) -> Listed | None:
    """The strings of a node, at most `MAX_LISTED` words and prefixes, as far as it shows; else `None`."""
    match of:
        case ir.Literal(data):
            return Listed(frozenset([data.decode()]))
        case ir.Words(words) if len(words) <= MAX_LISTED:
            return Listed(frozenset(word.decode() for word in words))
        case ir.Chars(ranges) if sum(high - low + 1 for low, high in ranges) <= MAX_LISTED:
            return Listed(frozenset(chr(code) for low, high in ranges for code in range(low, high + 1)))
        case ir.Repeat(ir.Chars(ranges), 0, None) if ranges == ir.ANY_RANGES:
            return Listed(prefixes=frozenset([""]))
        case ir.Repeat(item, 0, 1):
            once = members(item)
            return None if once is None or once.prefixes else Listed(once.words | {""})
        case ir.Union(parts):
            return _union([members(part) for part in parts])
        case ir.Concat(parts):
            return _joined(parts)
    return None


def _union(parts: list[Listed | None]) -> Listed | None:
    found = [part for part in parts if part is not None]
    union = Listed(*(frozenset[str]().union(*sets) for sets in zip(*found, strict=True))) if found else Listed()
    return union if len(found) == len(parts) and len(union.words | union.prefixes) <= MAX_LISTED else None


def _joined(parts: tuple[ir.Node, ...]) -> Listed | None:
    """One string of each part after the other; before anything at all, what may be nothing adds nothing."""
    last, before = members(parts[-1]), list(parts[:-1])
    if last == Listed(prefixes=frozenset([""])):
        while before and isinstance(before[-1], ir.Repeat) and before[-1].low == 0:
            before.pop()
    for part in reversed(before):
        found = members(part)
        if last is None or found is None or found.prefixes:
            return None
        if len(found.words) * len(last.words | last.prefixes) > MAX_LISTED:
            return None
        last = Listed(*(frozenset(w + rest for w in found.words for rest in rests) for rests in last))
    return last


@lru_cache(maxsize=4096)
def can_part(patterns: tuple[Restriction, ...]) -> bool:
    """Whether automata can tell which of the patterns a string matches."""
    return _is_small(ir.intersect(*(ir.complement(outer_node(pattern)) for pattern in patterns)))


def left_open(shape: StringShape) -> tuple[str, ...]:
    """The keywords of a shape that `values` does not hold."""
    holds_patterns = len(held(shape.restrictions)) == len(shape.restrictions)
    return ("pattern",) * (not holds_patterns) + ("length",) * (_with_length(shape) is None)


@lru_cache(maxsize=4096)
def values(shape: StringShape) -> ir.Node:
    """The strings of a shape but for what is `left_open`."""
    exact = _with_length(shape)
    return all_of(held(shape.restrictions)) if exact is None else exact


@lru_cache(maxsize=4096)
def _with_length(shape: StringShape) -> ir.Node | None:
    """The strings within the bounds on the length; `None` where that is too much to count."""
    within = all_of(held(shape.restrictions))
    bounded = limited(within, shape.low, shape.high)
    if bounded is not None:
        return bounded
    if weight(within) * (shape.low if shape.high is None else shape.high) > MAX_PRODUCT:
        return None
    counted = ir.intersect(within, ir.repeat(ir.ANY_CHAR, shape.low, shape.high))
    return counted if _is_small(counted) else None


def ready(shape: StringShape) -> ir.Node | None:
    """The strings of a shape that has nothing but a format, if their network comes with the package."""
    if len(shape.restrictions) != 1 or shape.low or shape.high is not None:
        return None
    (only,) = shape.restrictions
    tables = TABLES.get(only.source) if only.kind == "format" else None
    return ir.Packed(*(zlib.decompress(base64.b64decode(said)) for said in tables)) if tables else None


def _is_small(node: ir.Node) -> bool:
    """Whether the automaton of a node is small enough to be part of a mask."""
    if any(isinstance(part, ir.Network) and weight(part) > MAX_RANGES for part in ir.objects(node)):
        return False
    if not ir.has_boolean(node):
        return weight(node) <= MAX_WEIGHT
    return bool(late("pgen.automata.algebra:is_small")(node, MAX_STATES))


def satisfies(restriction: Restriction, value: str) -> bool:
    """Whether a string satisfies `restriction`."""
    if restriction.kind == "format":
        return re.fullmatch(PATTERNS[restriction.source], value) is not None
    source = restriction.source
    if restriction.kind == "other than":
        return value != source
    if restriction.kind == "no pattern":
        return re.search(source, value) is None and re.search(_narrowed(source), value) is None
    return re.search(source, value) is not None and re.search(_narrowed(source), value) is not None


def check_pattern(source: str) -> None:
    """Raise `InvalidLanguage` if Python cannot compile `source`, `UnsupportedFeature` if it is not regular."""
    try:
        re.compile(source)
    except re.error as error:
        raise InvalidLanguage(f"{error.msg} in the pattern {source!r}", position=error.pos) from None
    except (OverflowError, RecursionError) as error:
        raise InvalidLanguage(f"{error} in the pattern {source!r:.80}") from None
    node(Restriction("pattern", source))


@lru_cache(maxsize=1024)
def in_python(source: str) -> str:
    r"""A pattern of ECMA-262 with what Python's `re` lacks or spells otherwise written out.

    That is `\p{...}`, `\cX`, `\u{...}`, surrogate pairs, `(?<name>...)`, `\k<name>`, hyphens next to `\w` in classes,
    and, where `re` cannot read it otherwise, `[^]` and `[]`. Raises `InvalidLanguage` for properties and code points
    that Unicode does not have.
    """
    if _EMPTY_CLASS.search(source) and not _is_readable(source):
        source = "".join(_EMPTY_CLASSES.get(token, token) for token in _ECMA_TOKEN.findall(source))
    tokens = re.findall(rf"{_ESCAPE.pattern}|{_NAMED_GROUP.pattern}|{_TOKEN.pattern}", source)
    return "".join(map(_written_out, tokens)) if _FOREIGN.search(source) else source


def _is_readable(source: str) -> bool:
    try:
        re.compile(source)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _written_out(token: str, in_class: bool = False) -> str:
    if token.startswith((r"\p", r"\P")):
        source = Source(token)
        source.skip("\\")
        text = class_text(property_escape(source, 0))
        return text if in_class else f"[{text}]" if text else "(?!)"
    if token.startswith(r"\c") and len(token) == 3:
        return rf"\x{ord(token[2]) % 32:02x}"
    if token.startswith(r"\u{"):
        code = int(token[3:-1], 16)
        if code > sys.maxunicode:
            raise InvalidLanguage(f"there is no code point {token} in Unicode")
        return re.escape(chr(code))
    if _PAIR.fullmatch(token):
        return chr(0x10000 + (int(token[2:6], 16) % 1024 << 10) + int(token[8:], 16) % 1024)
    if token.startswith(r"\k<") and not in_class:
        return f"(?P={token[3:-1]})"
    if token == "(?<":
        return "(?P<"
    if token.startswith("[") and len(token) > 1:
        token = _LITERAL_HYPHEN.sub(r"\\-", token)
        return _ESCAPE.sub(lambda escape: _written_out(escape[0], in_class=True), token)
    return token


def _narrowed(source: str) -> str:
    return "".join(_narrowed_token(token) for token in _TOKEN.findall(source))


def _narrowed_token(token: str) -> str:
    if token == "$":
        return r"\Z"
    if token in (r"\b", r"\B"):
        return f"(?a:{token})"
    if token.startswith("[") and len(token) > 1:
        return re.sub(r"\\[\s\S]", lambda m: _NARROWED.get(m[0], m[0]), token)
    return f"[{_NARROWED[token]}]" if token in _NARROWED else token


def _search(source: str) -> ir.Node:
    flags = match[0] if (match := _FLAGS.match(source)) else ""
    return ir.union(*(_branch(flags, branch) for branch in _branches(flags, source[len(flags) :])))


def _branches(flags: str, source: str) -> list[str]:
    """The alternatives of a pattern at its top level."""
    if "x" in flags:
        return [source]
    branches, depth = [""], 0
    for token in _TOKEN.findall(source):
        depth += (token == "(") - (token == ")")
        if token == "|" and depth == 0:
            branches.append("")
        else:
            branches[-1] += token
    return branches


def _branch(flags: str, source: str) -> ir.Node:
    """A search for one alternative; anchors at its ends spare the wildcard there."""
    tokens = _TOKEN.findall(source)
    start = tokens[:1] == ["^"] and "m" not in flags
    end = tokens[-1] if tokens[start:] and "m" not in flags and tokens[-1] in _ENDS else ""
    inner = "".join(tokens[start : len(tokens) - bool(end)])
    before = "" if start else _ANYTHING
    return Regex(f"{flags}{before}(?:{inner}){_ENDS.get(end, _ANYTHING)}").node
