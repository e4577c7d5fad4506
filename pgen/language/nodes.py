"""The nodes of the intermediate form: immutable values that denote sets of byte strings.

Equality is of structure. Each node keeps a hash of its structure, where equal hashes meet a digest, too,
and apart from these what `sizes` notes: all made when first asked for, bottom up and
without recursion; so comparing and hashing large nodes costs nothing. `pgen.language.ir` constructs them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

Ranges = tuple[tuple[int, int], ...]
"""Sorted, disjoint, non-adjacent inclusive ranges of code points."""


class Node:
    """A set of byte strings. Two nodes are equal if their structure is: a digest of it is kept, so this is cheap."""

    __slots__ = ("_digest", "_hash", "_sum")

    _digest: bytes
    _hash: int
    _sum: int

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            return _hashed(self)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Node) and hash(self) == hash(other) and _digest(self) == _digest(other)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), tuple(getattr(self, name) for name in _fields(self))


@dataclass(frozen=True, slots=True, eq=False)
class Chars(Node):
    """One code point out of `ranges`. `Chars(())` is the empty language."""

    ranges: Ranges


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    """Exactly these bytes; `Literal(b"")` is the empty string."""

    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Words(Node):
    """A finite set of byte strings, sorted and distinct, at least two."""

    words: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Substrings(Node):
    """Every substring of `text` (cut at code points), the empty one included."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Network(Node):
    """The texts along the ways from a start to an end of a graph, one code point an edge.

    An edge is (source, ranges of code points, target); states are ints from 0 on.
    """

    edges: tuple[tuple[int, Ranges, int], ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Packed(Node):
    """The texts along the ways of a graph of ASCII characters from state 0, which none leads to, to state 1, the last.

    In 32-bit integers: source, first and last character, target; jumps: source, target. No member is empty.
    """

    edges: bytes
    jumps: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Special(Network):
    """A special token of the vocabulary, by its printed name; as text it is that name, and so a network of one way."""

    name: str

    @classmethod
    def named(cls, name: str) -> Special:
        """The special token that is printed as `name`."""
        edges = tuple((i, ((ord(char), ord(char)),), i + 1) for i, char in enumerate(name))
        return cls(edges, (0,), (len(name),), name)


@dataclass(frozen=True, slots=True, eq=False)
class Concat(Node):
    """The parts in order; at least two."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Union(Node):
    """A member of any part; at least two."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Repeat(Node):
    """`item` between `low` and `high` times (`None`: without end)."""

    item: Node
    low: int
    high: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Separated(Node):
    """Some of `items` in order, at least one, with `separator` between them.

    `kinds` says of each item how often it comes: `"1"`, `"?"`, `"*"` or `"+"` as in
    regular expressions. A node of its own, since spelled out it is quadratic.
    """

    separator: Node
    items: tuple[Node, ...]
    kinds: str


@dataclass(frozen=True, slots=True, eq=False)
class Fields(Node):
    """`Separated` with items that are a word, then `colon`, then a value; without a word they are the value alone.

    If not `in_order`, items come in any order, at least one: those of kinds `1` and `?` once at most, others at will.
    """

    separator: Node
    colon: Node
    words: tuple[bytes, ...]
    values: tuple[Node, ...]
    kinds: str
    in_order: bool


@dataclass(frozen=True, slots=True, eq=False)
class Intersect(Node):
    """A member of every part; at least two."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Complement(Node):
    """The valid UTF-8 strings that are not in `item`."""

    item: Node


@dataclass(frozen=True, slots=True, eq=False)
class Ref(Node):
    """The members of the rule `name` of the innermost `Recursive` around it that has such a rule."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Recursive(Node):
    """A context-free language: the least solution of `names[i] = bodies[i]`, read at `start`.

    Bodies mention rules through `Ref`; a reference to a rule of an outer `Recursive` is allowed.
    """

    start: str
    names: tuple[str, ...]
    bodies: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class AnyByte(Node):
    """Any one byte, valid UTF-8 or not: for byte budgets, and for what follows a stop string inside one token."""


@dataclass(frozen=True, slots=True, eq=False)
class Others(Node):
    """What is none of `words` (sorted, ASCII), which it is read along with, nor begins with one of `barred`.

    A beginning of a word that is none; or a proper beginning, then a member of `first` whose first byte
    goes on along no word, then any number of `then`; or a word that begins no other, then one or more `then`.
    """

    words: tuple[bytes, ...]
    first: Node
    then: Node
    barred: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Spelled(Node):
    """The bodies of JSON strings whose value is in `values`, in every spelling; made of the automaton of `values`."""

    values: Node


@dataclass(frozen=True, slots=True, eq=False)
class Later(Node):
    """A part that is written out when a walk gets there (`pgen.automata.growth`): what `write` gives.

    It has members, none of which is empty; the shortest takes `n_bytes`. Intersections and complements are in spelled
    values only. `name` tells the parts of one language apart.
    """

    name: str
    n_bytes: int
    write: Callable[[], Node]


@dataclass(frozen=True, slots=True, eq=False)
class Stock:
    """Parts that many languages have in common, as the very same objects: they are written once for all of these.

    `shared` are those that come inside of others, such as what is between two properties. A language with a stock
    has neither special tokens nor intersections and complements but in spelled values.
    """

    parts: tuple[Later, ...] = ()
    shared: tuple[Node, ...] = ()


NO_STOCK = Stock()


def _digest(root: Node) -> bytes:
    """128 bits that two different structures share with no noticeable probability."""
    try:
        return root._digest
    except AttributeError:
        waiting = [root]
    while waiting:
        said, parts = _contents(waiting[-1])
        missing = [part for part in parts if not hasattr(part, "_digest")]
        if missing:
            waiting += missing
            continue
        node = waiting.pop()
        text = repr((type(node).__name__, said)).encode("utf-8", "surrogatepass")
        digest = blake2b(text + b"".join([part._digest for part in parts]), digest_size=16).digest()
        object.__setattr__(node, "_digest", digest)
    return root._digest


def _hashed(root: Node) -> int:
    """A hash that equal structures share; noted for a node and all its parts, at a tenth of what digests cost."""
    waiting = [root]
    while waiting:
        node = waiting[-1]
        parts = children(node)
        try:
            below = tuple([part._hash for part in parts])
        except AttributeError:
            waiting += [part for part in parts if not hasattr(part, "_hash")]
            continue
        waiting.pop()
        own = _OWN.get(type(node))
        object.__setattr__(node, "_hash", hash((type(node), own(node) if own else None, below)))
    return root._hash


_OWN: dict[type[Node], Callable[[Any], object]] = {
    Chars: lambda node: node.ranges,
    Literal: lambda node: node.data,
    Words: lambda node: node.words,
    Substrings: lambda node: node.text,
    Network: lambda node: (node.edges, node.starts, node.ends),
    Special: lambda node: node.name,
    Repeat: lambda node: (node.low, node.high),
    Separated: lambda node: node.kinds,
    Fields: lambda node: (node.words, node.kinds, node.in_order),
    Ref: lambda node: node.name,
    Recursive: lambda node: (node.start, node.names),
    Others: lambda node: (node.words, node.barred),
    Packed: lambda node: node.edges,
    Spelled: lambda node: node.values,
    Later: lambda node: (node.name, node.n_bytes),
}
"""What tells nodes of one kind apart besides their parts."""


def _contents(node: Node) -> tuple[list[object], list[Node]]:
    """What a node holds in its fields, with the nodes among it apart (and counted in their places)."""
    said: list[object] = []
    parts: list[Node] = []
    for name in _fields(node):
        value = getattr(node, name)
        nodes = value if isinstance(value, tuple) and value and isinstance(value[0], Node) else (value,)
        if isinstance(nodes[0], Node):
            parts += nodes
            said.append(len(nodes))
        elif not callable(value):
            said.append(value)
    return said, parts


def _fields(node: Node) -> tuple[str, ...]:
    return type(node).__match_args__  # type: ignore[attr-defined, no-any-return]


def children(node: Node) -> tuple[Node, ...]:
    """The direct parts of a node."""
    return parts(node) if (parts := _PARTS.get(type(node))) else ()


_PARTS: dict[type[Node], Callable[[Any], tuple[Node, ...]]] = {
    Concat: lambda node: node.parts,
    Union: lambda node: node.parts,
    Intersect: lambda node: node.parts,
    Separated: lambda node: (node.separator, *node.items),
    Fields: lambda node: (node.separator, node.colon, *node.values),
    Recursive: lambda node: node.bodies,
    Others: lambda node: (node.first, node.then),
    Repeat: lambda node: (node.item,),
    Complement: lambda node: (node.item,),
}


def objects(root: Node) -> list[Node]:
    """`root` and every node below it, each object once, in no order; takes no hashes."""
    met, waiting = {id(root): root}, [root]
    for node in waiting:
        fresh = [part for part in children(node) if id(part) not in met]
        met.update((id(part), part) for part in fresh)
        waiting += fresh
    return list(met.values())


def descendants(root: Node) -> list[Node]:
    """Every distinct node below `root`, each after its parts."""
    done: dict[Node, None] = {}
    waiting = [root]
    while waiting:
        missing = [part for part in children(waiting[-1]) if part not in done]
        if missing:
            waiting += missing
        else:
            done[waiting.pop()] = None
    return list(done)
