"""The living definition of `pgen.language.ir`: membership by Brzozowski derivatives, slow and plain.

derivative(L, b) is the set of x with b + x in L (Brzozowski, "Derivatives of regular
expressions", JACM 1964). Complement and intersection need no automaton, and nothing
here is shared with `pgen.automata`, which makes it an oracle for it. Three nodes of
its own stand for what is in the middle of something: a code point (`Partial`), a raw
complement over all byte strings (`RawNot`), and positions inside a text (`Inside`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pgen.errors import LimitExceeded
from pgen.language import ir


@dataclass(frozen=True, slots=True)
class Partial(ir.Node):
    """The rest of the UTF-8 form of a code point in `ranges` after the bytes `prefix`."""

    __hash__ = ir.Node.__hash__
    ranges: ir.Ranges
    prefix: bytes


@dataclass(frozen=True, slots=True)
class RawNot(ir.Node):
    """Every byte string outside `item`, valid UTF-8 or not."""

    __hash__ = ir.Node.__hash__
    item: ir.Node


@dataclass(frozen=True, slots=True)
class Inside(ir.Node):
    """The rest of a substring of `data` when the bytes so far end before one of `positions`."""

    __hash__ = ir.Node.__hash__
    data: bytes
    positions: frozenset[int]


def matches(node: ir.Node, data: bytes) -> bool:
    """Whether `data` is a member."""
    return nullable(after(node, data))


def after(node: ir.Node, data: bytes) -> ir.Node:
    """The derivative by all bytes of `data`."""
    for byte in data:
        if node == ir.EMPTY:
            break
        node = derivative(node, byte)
    return node


def completable(node: ir.Node, prefix: bytes, limit: int = 20_000) -> bool:
    """Whether some bytes after `prefix` make a member; raises `LimitExceeded` past `limit` derivatives."""
    start = after(node, prefix)
    seen, queue = {start}, [start]
    while queue:
        here = queue.pop()
        if nullable(here):
            return True
        for byte in range(256):
            following = derivative(here, byte)
            if following != ir.EMPTY and following not in seen:
                seen.add(following)
                queue.append(following)
        if len(seen) > limit:
            raise LimitExceeded(f"more than {limit} derivatives: too large for the reference")
    return False


@lru_cache(maxsize=100_000)
def nullable(node: ir.Node) -> bool:
    """Whether the empty string is a member."""
    match node:
        case ir.Literal(data):
            return data == b""
        case ir.Words(words):
            return b"" in words
        case ir.Substrings():
            return True
        case Inside(data, positions):
            return any(_boundary(data, at) for at in positions)
        case ir.Concat(parts) | ir.Intersect(parts):
            return all(nullable(part) for part in parts)
        case ir.Union(parts):
            return any(nullable(part) for part in parts)
        case ir.Repeat(item, low, _):
            return low == 0 or nullable(item)
        case ir.Complement(item) | RawNot(item):
            return not nullable(item)
        case ir.Separated():
            return nullable(ir.spelled_out(node))
        case ir.Network(_, starts, ends):
            return any(start in ends for start in starts)
    return False


@lru_cache(maxsize=100_000)
def derivative(node: ir.Node, byte: int) -> ir.Node:
    """The members that begin with `byte`, without it."""
    match node:
        case ir.Chars(ranges):
            return _partial(ranges, bytes([byte]))
        case Partial(ranges, prefix):
            return _partial(ranges, prefix + bytes([byte]))
        case ir.AnyByte():
            return ir.EPSILON
        case ir.Literal(data):
            return ir.Literal(data[1:]) if data[:1] == bytes([byte]) else ir.EMPTY
        case ir.Words(words):
            return ir.word_set(word[1:] for word in words if word[:1] == bytes([byte]))
        case ir.Substrings(text):
            data = text.encode()
            return _inside(data, (at for at in range(len(data)) if _boundary(data, at)), byte)
        case Inside(data, positions):
            return _inside(data, positions, byte)
        case ir.Union(parts):
            return ir.union(*(derivative(part, byte) for part in parts))
        case ir.Intersect(parts):
            return _intersect([derivative(part, byte) for part in parts])
        case ir.Complement(item):
            return _intersect([derivative(ir.ANY_TEXT, byte), RawNot(derivative(item, byte))])
        case RawNot(item):
            return RawNot(derivative(item, byte))
        case ir.Separated():
            return derivative(ir.spelled_out(node), byte)
        case ir.Packed():
            return derivative(ir.unpacked(node), byte)
        case ir.Network(edges, starts, ends):
            steps = [(r, ir.Network(edges, (target,), ends)) for source, r, target in edges if source in starts]
            return ir.union(*(ir.concat(derivative(ir.chars(r), byte), rest) for r, rest in steps))
    return _sequence_derivative(node, byte)


def _sequence_derivative(node: ir.Node, byte: int) -> ir.Node:
    if isinstance(node, ir.Repeat):
        high = None if node.high is None else node.high - 1
        return ir.concat(derivative(node.item, byte), ir.repeat(node.item, max(node.low - 1, 0), high))
    assert isinstance(node, ir.Concat)
    first, rest = node.parts[0], ir.concat(*node.parts[1:])
    through = ir.concat(derivative(first, byte), rest)
    return ir.union(through, derivative(rest, byte)) if nullable(first) else through


def _intersect(parts: list[ir.Node]) -> ir.Node:
    """Like `ir.intersect`, but valid text is no identity here: `RawNot` also holds invalid bytes."""
    if ir.EMPTY in parts:
        return ir.EMPTY
    distinct = tuple(dict.fromkeys(parts))
    return distinct[0] if len(distinct) == 1 else ir.Intersect(distinct)


def _partial(ranges: ir.Ranges, prefix: bytes) -> ir.Node:
    low, high = _code_points(prefix)
    if low > high or not any(first <= high and low <= last for first, last in ranges):
        return ir.EMPTY
    return ir.EPSILON if low == high and len(chr(low).encode()) == len(prefix) else Partial(ranges, prefix)


@lru_cache(maxsize=10_000)
def _code_points(prefix: bytes) -> tuple[int, int]:
    """First and last code point whose UTF-8 form begins with `prefix`; an empty interval if there is none."""
    lead = prefix[0]
    length = 1 if lead < 0x80 else 2 if 0xC2 <= lead < 0xE0 else 3 if 0xE0 <= lead < 0xF0 else 4
    if lead >= 0xF5 or 0x80 <= lead < 0xC2 or any(not 0x80 <= byte < 0xC0 for byte in prefix[1:]):
        return 1, 0
    value = lead if length == 1 else lead & (0x7F >> length)
    for byte in prefix[1:]:
        value = value << 6 | byte & 0x3F
    left = 6 * (length - len(prefix))
    smallest = {1: 0, 2: 0x80, 3: 0x800, 4: 0x10000}[length]
    return max(value << left, smallest), min((value + 1 << left) - 1, ir.MAX_CODE_POINT)


def _inside(data: bytes, positions: object, byte: int) -> ir.Node:
    moved = frozenset(at + 1 for at in positions if at < len(data) and data[at] == byte)  # type: ignore[attr-defined]
    return Inside(data, moved) if moved else ir.EMPTY


def _boundary(data: bytes, at: int) -> bool:
    return at == len(data) or data[at] & 0xC0 != 0x80
