r"""From sets of strings to sets of JSON spellings of them.

`spelled` maps a node over *values* to the node over the bodies of JSON strings
(what stands between the quotes) that denote them: each character raw, as
`\uXXXX` in either case, as a surrogate pair beyond the BMP, or as a short escape.
Spelling is the inverse image of decoding, so it commutes with every operation
of the IR; complement is taken within the valid bodies. Cost: linear in the node
and in its ranges; cached by node.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from functools import lru_cache

from pgen.errors import InvalidLanguage
from pgen.language import ir
from pgen.language.base import late
from pgen.language.json_schema.networks import with_spellings

_SHORT = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_RAW_EXCLUDED = ((0, 0x1F), (ord('"'), ord('"')), (ord("\\"), ord("\\")))
_PLAIN = ((ord(" "), ord("!")), (ord("#"), ord("[")), (ord("]"), ord("~")))
_PLAIN_TEXT = re.compile(r"[ !#-\[\]-~]*")
_ASTRAL = 0x10000
_LAST_BMP = _ASTRAL - 1

QUOTE = ir.literal('"')


@lru_cache(maxsize=65536)
def spelled(node: ir.Node, lean: bool = False) -> ir.Node:
    """The bodies of JSON strings whose value is in `node`.

    If `lean`, printable ASCII characters stand for themselves (but at the end of texts that may
    go on at will): all that `json.dumps` writes, in much smaller automata.
    """
    if isinstance(node, ir.Chars):
        return _character(node.ranges, lean)
    if isinstance(node, ir.Literal):
        return ir.concat(*(_character(((ord(c), ord(c)),), lean) for c in node.data.decode()))
    if isinstance(node, ir.Repeat) and node.item == ir.ANY_CHAR and node.high is None:
        return body(node.low, None)
    if isinstance(node, ir.Words):
        return ir.union(*(spelled(ir.literal(word), lean) for word in node.words))
    if isinstance(node, ir.Repeat):
        return ir.repeat(spelled(node.item, lean), node.low, node.high)
    if isinstance(node, ir.Complement) and isinstance(node.item, (ir.Literal, ir.Words)):
        return spelled(ir.other_than(_words(node.item)), lean)
    if isinstance(node, ir.Complement):
        anything = ir.repeat(spelled(ir.ANY_CHAR, lean), 0, None)
        return ir.intersect(anything, ir.complement(spelled(node.item, lean)))
    if isinstance(node, ir.Network):
        return with_spellings(node, lambda ranges: _character(ranges, lean))
    return spelled(ir.unpacked(node), lean) if isinstance(node, ir.Packed) else _spelled_parts(node, lean)


def laid_out(node: ir.Node) -> ir.Node:
    """`spelled` with as much as can be in one leaf, which is made of the automaton of the values."""
    if ir.is_empty(node) or (ir.has_boolean(node) and not late("pgen.automata.nfa:text_fragment")(node).n_states):
        return ir.EMPTY
    if isinstance(node, ir.Repeat) and node.item == ir.ANY_CHAR and node.high is None:
        return body(node.low, None)
    if isinstance(node, ir.Concat) and node.parts[-1] == ir.ANY_TEXT:
        return ir.concat(laid_out(ir.concat(*node.parts[:-1])), body(0, None))
    return ir.Spelled(node)


def _spelled_parts(node: ir.Node, lean: bool) -> ir.Node:
    parts = [spelled(part, lean) for part in ir.children(node)]
    if isinstance(node, ir.Concat):
        return ir.concat(*parts)
    if isinstance(node, ir.Union):
        return ir.union(*parts)
    if isinstance(node, ir.Intersect):
        return ir.intersect(*parts)
    raise InvalidLanguage(f"{type(node).__name__} has no JSON spelling: it is not a set of texts")


def _words(node: ir.Literal | ir.Words) -> tuple[bytes, ...]:
    """The members of a finite set of texts."""
    return node.words if isinstance(node, ir.Words) else (node.data,)


def n_bytes_of_character(code: int) -> int:
    """Bytes of the shortest spelling of a code point."""
    if 0x23 <= code <= 0x7F and code != 0x5C:
        return 1
    if chr(code) in _SHORT and chr(code) != "/":
        return 2
    return 6 if code < 0x20 else len(chr(code).encode())


@lru_cache(maxsize=1024)
def body(low: int, high: int | None) -> ir.Node:
    """The bodies of all JSON strings of `low` to `high` code points, lone surrogates excluded."""
    return ir.repeat(spelled(ir.ANY_CHAR), low, high)


def others(words: Collection[str], barred: Collection[str] = ()) -> ir.Node:
    """The bodies of JSON strings that are none of `words` and begin with none of `barred`, in one leaf.

    Lean, as `spelled` has it, where all of these are plain.
    """
    said = "".join([*words, *barred])
    if not said.isascii():
        # No string has a lone surrogate.
        words = [word for word in words if word.isascii() or not any("\ud800" <= c <= "\udfff" for c in word)]
    if not words and not barred:
        return body(0, None)
    if not said.isascii() and not all(map(str.isascii, (*words, *barred))):
        return laid_out(_other_texts(words, barred))
    sorted_words, starts = (tuple(sorted([word.encode() for word in listed])) for listed in (words, barred))
    if is_plain(said):
        return ir.Others(sorted_words, spelled(ir.ANY_CHAR, lean=True), spelled(ir.ANY_CHAR), starts)
    return ir.Spelled(ir.Others(sorted_words, ir.ANY_CHAR, ir.ANY_CHAR, starts))


def other_than(words: Collection[str], barred: Collection[str] = ()) -> ir.Node:
    """The same in plain nodes; all strings can be encoded."""
    return spelled(_other_texts(words, barred), lean=all(map(is_plain, (*words, *barred))))


def _other_texts(words: Collection[str], barred: Collection[str]) -> ir.Node:
    return ir.other_than((word.encode() for word in words), (word.encode() for word in barred))


def quoted(node: ir.Node) -> ir.Node:
    """A string body between its quotes."""
    return ir.concat(QUOTE, node, QUOTE)


def behind_quote(node: ir.Node) -> ir.Node:
    """What follows the quote that every member of a node begins with."""
    match node:
        case ir.Literal(data):
            return ir.literal(data.removeprefix(b'"'))
        case ir.Words(words):
            return ir.word_set(word.removeprefix(b'"') for word in words)
        case ir.Concat(parts):
            return ir.concat(behind_quote(parts[0]), *parts[1:])
        case ir.Union(parts):
            return ir.union(*map(behind_quote, parts))
    assert node == ir.EMPTY, "members of objects begin with a quote"
    return node


def is_plain(text: str) -> bool:
    """Whether a text stands for itself between quotes, in either way of `json.dumps`."""
    return _PLAIN_TEXT.fullmatch(text) is not None


def dumped(value: str) -> ir.Node:
    """A string as `json.dumps` writes it, with and without `ensure_ascii`."""
    if is_plain(value):
        return ir.literal(f'"{value}"')
    forms = {json.dumps(value)}
    if not any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        forms.add(json.dumps(value, ensure_ascii=False))
    return ir.word_set(form.encode() for form in forms)


@lru_cache(maxsize=16384)
def _character(ranges: ir.Ranges, lean: bool = False) -> ir.Node:
    raw = ir.chars(ir.negated_ranges((*ir.negated_ranges(ranges), *_RAW_EXCLUDED)))
    escaped = ir.negated_ranges((*ir.negated_ranges(ranges), *_PLAIN)) if lean else ranges
    return ir.union(raw, _escapes(escaped)) if escaped else raw


@lru_cache(maxsize=16384)
def _escapes(ranges: ir.Ranges) -> ir.Node:
    short = [ir.literal(s) for c, s in _SHORT.items() if any(a <= ord(c) <= b for a, b in ranges)]
    return ir.concat(ir.literal("\\"), ir.union(*short, _hexadecimal(ranges)))


def _hexadecimal(ranges: ir.Ranges) -> ir.Node:
    low_surrogate, high_surrogate = ir.SURROGATES
    forms: list[ir.Node] = []
    for low, high in ranges:
        forms.append(_units(low, min(high, low_surrogate - 1)))
        forms.append(_units(max(low, high_surrogate + 1), min(high, _LAST_BMP)))
        forms.append(_pairs(max(low, _ASTRAL) - _ASTRAL, high - _ASTRAL))
    return ir.concat(ir.literal("u"), ir.union(*forms))


def _units(low: int, high: int) -> ir.Node:
    return _hex_digits(f"{low:04x}", f"{high:04x}") if low <= high else ir.EMPTY


def _pairs(low: int, high: int) -> ir.Node:
    if low > high:
        return ir.EMPTY
    (first, start), (last, end) = divmod(low, 1024), divmod(high, 1024)
    if first == last:
        return _pair(first, first, start, end)
    return ir.union(
        _pair(first, first, start, 1023),
        _pair(first + 1, last - 1, 0, 1023),
        _pair(last, last, 0, end),
    )


def _pair(first: int, last: int, start: int, end: int) -> ir.Node:
    if first > last:
        return ir.EMPTY
    return ir.concat(_units(0xD800 + first, 0xD800 + last), ir.literal("\\u"), _units(0xDC00 + start, 0xDC00 + end))


@lru_cache(maxsize=16384)
def _hex_digits(low: str, high: str) -> ir.Node:
    if not low:
        return ir.EPSILON
    first, last = int(low[0], 16), int(high[0], 16)
    rest = len(low) - 1
    if first == last:
        return ir.concat(_hex_class(first, last), _hex_digits(low[1:], high[1:]))
    below = (_hex_class(first, first), _hex_digits(low[1:], "f" * rest))
    above = (_hex_class(last, last), _hex_digits("0" * rest, high[1:]))
    inner = (_hex_class(first + 1, last - 1), ir.repeat(_hex_class(0, 15), rest, rest))
    if low[1:] == "0" * rest:
        below, inner = (ir.EMPTY, ir.EMPTY), (_hex_class(first, last - 1), inner[1])
    if high[1:] == "f" * rest:
        start = first if low[1:] == "0" * rest else first + 1
        above, inner = (ir.EMPTY, ir.EMPTY), (_hex_class(start, last), inner[1])
    return ir.union(*(ir.concat(*part) for part in (below, inner, above)))


@lru_cache(maxsize=256)
def _hex_class(low: int, high: int) -> ir.Node:
    digits = "".join(f"{d:x}{d:X}" for d in range(low, high + 1))
    return ir.chars((ord(d), ord(d)) for d in digits)
