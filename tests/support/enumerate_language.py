"""The members of an ir node up to a length, by the definition of each node: slow, exact, obvious."""

from __future__ import annotations

from collections.abc import Mapping

from pgen.language import ir

Members = frozenset[bytes]


def members(node: ir.Node, n_bytes: int, alphabet: str = "ab", rules: Mapping[str, Members] | None = None) -> Members:
    """The members of at most `n_bytes` bytes; code point classes are cut down to `alphabet`."""
    return _members(node, n_bytes, alphabet, rules or {}, {})


def _members(
    node: ir.Node, n_bytes: int, alphabet: str, rules: Mapping[str, Members], known: dict[int, Members]
) -> Members:
    def of(part: ir.Node) -> Members:
        if id(part) not in known:
            known[id(part)] = _members(part, n_bytes, alphabet, rules, known)
        return known[id(part)]

    match node:
        case ir.Ref(name):
            return rules[name]
        case ir.Literal(data):
            return short({data}, n_bytes)
        case ir.Words(words):
            return short(words, n_bytes)
        case ir.Chars(ranges):
            return short((c.encode() for c in alphabet if any(a <= ord(c) <= b for a, b in ranges)), n_bytes)
        case ir.Concat(parts):
            product = frozenset([b""])
            for part in parts:
                product = joined(product, of(part), n_bytes)
            return product
        case ir.Union(parts):
            return frozenset[bytes]().union(*map(of, parts))
        case ir.Intersect(parts):
            return frozenset.intersection(*map(of, parts))
        case ir.Complement(item):
            return texts(n_bytes, alphabet) - of(item)
        case ir.AnyByte():
            return short((c.encode() for c in alphabet), n_bytes)
        case ir.Repeat(item, low, high):
            return repeated(of(item), low, high, n_bytes)
        case ir.Separated(separator, items, kinds):
            return lists(of(separator), [(of(item), kind) for item, kind in zip(items, kinds, strict=True)], n_bytes)
        case ir.Recursive(start, names, bodies):
            return solution(dict(zip(names, bodies, strict=True)), n_bytes, alphabet, rules)[start]
    raise TypeError(node)


def solution(
    bodies: Mapping[str, ir.Node], n_bytes: int, alphabet: str = "ab", outer: Mapping[str, Members] | None = None
) -> dict[str, Members]:
    """The members of each rule: the least fixpoint, from nothing upwards."""
    known: dict[str, Members] = {**(outer or {}), **dict.fromkeys(bodies, frozenset())}
    while True:
        new = {name: members(body, n_bytes, alphabet, known) for name, body in bodies.items()}
        if all(known[name] == found for name, found in new.items()):
            return new
        known |= new


def short(words: object, n_bytes: int) -> Members:
    return frozenset(word for word in words if len(word) <= n_bytes)  # type: ignore[attr-defined]


def joined(left: Members, right: Members, n_bytes: int) -> Members:
    if len(left) == 1 and b"" in left:
        return right
    return frozenset(a + b for a in left for b in right if len(a) + len(b) <= n_bytes)


def texts(n_bytes: int, alphabet: str) -> Members:
    return repeated(frozenset(c.encode() for c in alphabet), 0, None, n_bytes)


def repeated(item: Members, low: int, high: int | None, n_bytes: int) -> Members:
    # More than n_bytes nonempty items are too long; the empty one changes nothing after the first time.
    power, found = frozenset([b""]), frozenset[bytes]()
    for times in range((low + n_bytes if high is None else high) + 1):
        if times >= low:
            found |= power
        longer = joined(power, item, n_bytes)
        if longer <= found and times >= low:
            break
        power = longer
    return found


def lists(separator: Members, items: list[tuple[Members, str]], n_bytes: int) -> Members:
    """What may be made of the items so far: nothing yet (an empty set of words is not that), or some words."""
    nothing, some = True, frozenset[bytes]()
    for item, kind in items:
        chain = repeated(joined(separator, item, n_bytes), 0, None if kind in "*+" else 0, n_bytes)
        block = joined(item, chain, n_bytes)
        after = joined(joined(some, separator, n_bytes), block, n_bytes) | (block if nothing else frozenset())
        optional = kind in "?*"
        nothing, some = nothing and optional, after | (some if optional else frozenset())
    return some
