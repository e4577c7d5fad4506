"""The one intermediate form that every front end (regex, schema, combinators) compiles to.

A node denotes a set of byte strings. Except below `AnyByte`, members are valid
UTF-8. Nodes are immutable values with a cached hash, built only through the
smart constructors below, which apply the cheap identities (flattening, units,
zeros, merging of literals and of classes) and never anything whose cost is more
than linear. Nothing here knows bytes-level automata or vocabularies.

Complement is relative to the valid UTF-8 strings, following the design.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from pgen.language.nodes import NO_STOCK as NO_STOCK
from pgen.language.nodes import AnyByte as AnyByte
from pgen.language.nodes import Chars as Chars
from pgen.language.nodes import Complement as Complement
from pgen.language.nodes import Concat as Concat
from pgen.language.nodes import Fields as Fields
from pgen.language.nodes import Intersect as Intersect
from pgen.language.nodes import Later as Later
from pgen.language.nodes import Literal as Literal
from pgen.language.nodes import Network as Network
from pgen.language.nodes import Node as Node
from pgen.language.nodes import Others as Others
from pgen.language.nodes import Packed as Packed
from pgen.language.nodes import Ranges as Ranges
from pgen.language.nodes import Recursive as Recursive
from pgen.language.nodes import Ref as Ref
from pgen.language.nodes import Repeat as Repeat
from pgen.language.nodes import Separated as Separated
from pgen.language.nodes import Spelled as Spelled
from pgen.language.nodes import Stock as Stock
from pgen.language.nodes import Substrings as Substrings
from pgen.language.nodes import Union as Union
from pgen.language.nodes import Words as Words
from pgen.language.nodes import children as children
from pgen.language.nodes import descendants as descendants
from pgen.language.nodes import objects as objects
from pgen.language.sizes import grows as grows
from pgen.language.sizes import has_boolean as has_boolean
from pgen.language.sizes import refers as refers
from pgen.language.sizes import size as size

MAX_CODE_POINT = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)

EMPTY: Node = Chars(())
EPSILON: Node = Literal(b"")
ANY_RANGES: Ranges = ((0, SURROGATES[0] - 1), (SURROGATES[1] + 1, MAX_CODE_POINT))
ANY_CHAR: Node = Chars(ANY_RANGES)
ANY_TEXT: Node = Repeat(ANY_CHAR, 0, None)
ANY_BYTE: Node = AnyByte()


def is_empty(node: Node) -> bool:
    """Whether a node is `EMPTY`; costs no digest."""
    return isinstance(node, Chars) and not node.ranges


def is_epsilon(node: Node) -> bool:
    """Whether a node is `EPSILON`; costs no digest."""
    return isinstance(node, Literal) and not node.data


def chars(ranges: Iterable[tuple[int, int]]) -> Node:
    """A class of code points from ranges in any order; surrogates are dropped (no UTF-8 text holds one)."""
    merged = tuple(without_surrogates(normal_ranges(ranges)))
    if len(merged) == 1 and merged[0][0] == merged[0][1]:
        return literal(chr(merged[0][0]))
    return Chars(merged)


def normal_ranges(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Sorted, disjoint, non-adjacent form of `ranges`; empty ones vanish."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(r for r in ranges if r[0] <= r[1]):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def negated_ranges(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """The code points outside `ranges`."""
    gaps, start = [], 0
    for low, high in normal_ranges(ranges):
        gaps.append((start, low - 1))
        start = high + 1
    gaps.append((start, MAX_CODE_POINT))
    return normal_ranges(gaps)


def without_surrogates(ranges: Ranges) -> Iterator[tuple[int, int]]:
    """The ranges without the code points that no UTF-8 text can hold."""
    first, last = SURROGATES
    for low, high in ranges:
        if low < first:
            yield low, min(high, first - 1)
        if high > last:
            yield max(low, last + 1), high


def literal(text: str | bytes) -> Node:
    """Exactly `text`."""
    return Literal(text.encode() if isinstance(text, str) else text)


def network(edges: Iterable[tuple[int, Ranges, int]], starts: Iterable[int], ends: Iterable[int]) -> Node:
    """The texts along the ways from a start to an end; ranges in any order, surrogates are dropped."""
    kept: dict[tuple[int, Ranges, int], None] = {}
    for source, ranges, target in edges:
        if valid := tuple(without_surrogates(normal_ranges(ranges))):
            kept[source, valid, target] = None
    return Network(tuple(kept), tuple(starts), tuple(ends))


def packed(edges: Sequence[int], jumps: Sequence[int]) -> Node:
    """A `Packed` network of edges, four integers each, and jumps, two each."""
    return Packed(array("i", edges).tobytes(), array("i", jumps).tobytes())


def unpacked(node: Packed) -> Network:
    """The same texts as a network without jumps."""
    edges, jumps = array("i", node.edges), array("i", node.jumps)
    reached: dict[int, set[int]] = {}
    for source, target in zip(jumps[::2], jumps[1::2], strict=True):
        reached.setdefault(source, set()).add(target)
    closures = {0: {0}, **{target: {target} for target in edges[3::4]}}
    for closure in closures.values():
        waiting = list(closure)
        while waiting:
            fresh = reached.get(waiting.pop(), set()) - closure
            closure |= fresh
            waiting += fresh
    ways: dict[int, list[tuple[Ranges, int]]] = {}
    for source, low, high, target in zip(*(edges[i::4] for i in range(4)), strict=True):
        ways.setdefault(source, []).append((((low, high),), target))
    found = [(state, *way) for state, closure in closures.items() for here in closure for way in ways.get(here, ())]
    return Network(tuple(found), (0,), tuple(state for state, closure in closures.items() if 1 in closure))


def concat(*parts: Node) -> Node:
    """The parts in order, flattened; adjacent literals join."""
    flat: list[Node] = []
    for part in parts:
        for item in part.parts if type(part) is Concat else (part,):
            if type(item) is Literal:
                _add_literal(flat, item)
            elif type(item) is Chars and not item.ranges:
                return EMPTY
            else:
                flat.append(item)
    return flat[0] if len(flat) == 1 else Concat(tuple(flat)) if flat else EPSILON


def _add_literal(flat: list[Node], item: Literal) -> None:
    if flat and type(last := flat[-1]) is Literal:
        flat[-1] = Literal(last.data + item.data)
    elif item.data:
        flat.append(item)


def union(*parts: Node) -> Node:
    """A member of any part, flattened; literals and words join into `Words`, classes into one class."""
    if len(parts) == 1:
        return parts[0]
    words: set[bytes] = set()
    ranges: list[tuple[int, int]] = []
    rest: list[Node] = []
    for item in _flatten(parts, Union):
        if isinstance(item, Literal):
            words.add(item.data)
        elif isinstance(item, Words):
            words.update(item.words)
        elif isinstance(item, Chars):
            ranges.extend(item.ranges)
        else:
            rest.append(item)
    members = _distinct(rest)
    if ranges:
        ranges.extend((ord(w), ord(w)) for w in _single_characters(words))
        words -= {w.encode() for w in _single_characters(words)}
        members.insert(0, chars(ranges))
    if words:
        members.insert(0, word_set(words))
    return members[0] if len(members) == 1 else Union(tuple(members)) if members else EMPTY


def _distinct(nodes: list[Node]) -> list[Node]:
    """Each node once; those that begin alike are hashed."""
    if len(nodes) < 2 or len({_look(node) for node in nodes}) == len(nodes):
        return nodes
    return list(dict.fromkeys(nodes))


def _look(node: Node) -> tuple[object, ...]:
    """What equal nodes have in common, as far as it takes no walk through them."""
    first = node.parts[0] if isinstance(node, Concat) else node
    length = len(node.parts) if isinstance(node, Concat) else 1
    match first:
        case Literal(data):
            return length, data
        case Chars(ranges):
            return length, ranges
        case Repeat(_, low, high):
            return length, low, high
        case Later(name):
            return length, name
    return length, type(first)


def word_set(words: Iterable[bytes]) -> Node:
    """A finite set of byte strings."""
    distinct = tuple(sorted(set(words)))
    if not distinct:
        return EMPTY
    return Literal(distinct[0]) if len(distinct) == 1 else Words(distinct)


def _single_characters(words: set[bytes]) -> list[str]:
    decoded = (w.decode() for w in words if 0 < len(w) <= 4)
    return [text for text in decoded if len(text) == 1]


def _flatten(parts: Iterable[Node], kind: type[Union] | type[Intersect]) -> Iterator[Node]:
    for part in parts:
        if isinstance(part, kind):
            yield from part.parts
        else:
            yield part


def repeat(item: Node, low: int, high: int | None) -> Node:
    """`item` between `low` and `high` times."""
    if high == 0 or is_epsilon(item):
        return EPSILON
    if is_empty(item):
        return EPSILON if low == 0 else EMPTY
    if (low, high) == (1, 1):
        return item
    if isinstance(item, Repeat) and item.low in (0, 1) and item.high is None and low in (0, 1):
        return Repeat(item.item, item.low * low, None)
    if isinstance(item, Repeat) and high is not None and _fills(item, low):
        return Repeat(item.item, item.low * low, (item.high or 0) * high)
    return Repeat(item, low, high)


def _fills(inner: Repeat, low: int) -> bool:
    """Whether `low` or more times a counted repeat come to each number of times between the least and the most."""
    return inner.high is not None and low * inner.high + 1 >= (low + 1) * inner.low


def separated(separator: Node, items: Iterable[tuple[Node, str]]) -> Node:
    """Some of the items in order, at least one, with a separator between them; kinds are `1 ? * +`."""
    kept = [(item, kind) for item, kind in items if not is_empty(item) or kind in "1+"]
    if not kept or any(is_empty(item) for item, _ in kept):
        return EMPTY
    if len(kept) == 1 and kept[0][1] in "1?":
        return kept[0][0]
    return Separated(separator, tuple(item for item, _ in kept), "".join(kind for _, kind in kept))


def fields(separator: Node, colon: Node, items: Sequence[tuple[bytes, Node, str]], in_order: bool = True) -> Node:
    """`separated` items of words, a colon and values that have members; those with the empty word are values alone."""
    words, values, kinds = zip(*items, strict=True)
    return Fields(separator, colon, words, values, "".join(kinds), in_order)


def spelled_out(node: Separated) -> Node:
    """The same language without `Separated` nodes, quadratic in the number of items."""
    tail, forms = EPSILON, list[Node]()
    for item, kind in reversed(list(zip(node.items, node.kinds, strict=True))):
        step = concat(node.separator, item)
        again = repeat(step, 0, None) if kind in "*+" else EPSILON
        if kind in "1+":
            forms.clear()
        forms.append(concat(item, again, tail))
        tail = concat(optional(concat(step, again)) if kind in "?*" else concat(step, again), tail)
    return union(*forms)


def optional(item: Node) -> Node:
    """`item` or nothing."""
    return repeat(item, 0, 1)


def intersect(*parts: Node) -> Node:
    """A member of every part, flattened; all valid text is the identity among texts."""
    members = dict.fromkeys(_flatten(parts, Intersect))
    if EMPTY in members:
        return EMPTY
    if ANY_TEXT in members and not any(ANY_BYTE in descendants(part) for part in members):
        del members[ANY_TEXT]
    flat = tuple(members)
    return flat[0] if len(flat) == 1 else Intersect(flat) if flat else ANY_TEXT


def complement(item: Node) -> Node:
    """The valid texts outside `item`."""
    if isinstance(item, Complement):
        return item.item
    if item == EMPTY:
        return ANY_TEXT
    return EMPTY if item == ANY_TEXT else Complement(item)


def recursive(start: str, rules: Mapping[str, Node]) -> Node:
    """The context-free language of `start` under `rules`; a plain node where nothing is left to refer to."""
    body = rules[start]
    if not any(isinstance(node, Ref) for node in descendants(body)):
        return body
    return Recursive(start, tuple(rules), tuple(rules.values()))


def other_than(words: Iterable[bytes], barred: Iterable[bytes] = ()) -> Node:
    """The texts that are none of `words` and begin with none of `barred`: a trie that is left where a text differs."""
    starts = {word.decode() for word in barred}
    return _beyond(sorted(starts.union(word.decode() for word in words)), starts, 0)


def _beyond(words: list[str], barred: Collection[str], depth: int) -> Node:
    """What may follow the first `depth` characters, which all of the sorted `words` share."""
    ends = words[0] if words and len(words[0]) == depth else None
    if ends in barred:
        return EMPTY
    if not words:
        return ANY_TEXT
    groups = {c: list(group) for c, group in groupby(words[ends is not None :], key=lambda word: word[depth])}
    outside = chars(negated_ranges((ord(c), ord(c)) for c in groups))
    more = concat(outside, ANY_TEXT) if groups else repeat(ANY_CHAR, 1, None)
    ways = [concat(literal(c), _beyond(group, barred, depth + 1)) for c, group in groups.items()]
    return union(*([EPSILON] if ends is None else []), more, *ways)


def rebuilt(node: Node, parts: Sequence[Node]) -> Node:
    """A node like `node` with other parts, one for each of `children(node)`."""
    match node:
        case Concat():
            return concat(*parts)
        case Union():
            return union(*parts)
        case Intersect():
            return intersect(*parts)
        case Repeat(_, low, high):
            return repeat(parts[0], low, high)
        case Complement():
            return complement(parts[0])
        case Separated(_, _, kinds):
            return separated(parts[0], zip(parts[1:], kinds, strict=True))
        case Fields(_, _, words, _, kinds, in_order):
            return fields(parts[0], parts[1], list(zip(words, parts[2:], kinds, strict=True)), in_order)
        case Recursive(start, names, _):
            return Recursive(start, names, tuple(parts))
    return node
