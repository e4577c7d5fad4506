"""The members of a node that begin with some letters, as a node: derivatives of regular expressions.

The derivative of L by a letter a is {w : aw in L} (Brzozowski, "Derivatives of regular expressions", JACM 1964); that
by a word is taken letter by letter. No automaton is needed, and most parts of a node stay the objects they were. Cost:
linear in the node for each letter where its repeats do not overlap; parts that do are multiplied, so that the caller
says how large the result may become.
"""

from __future__ import annotations

from pgen.language import ir


class NotRegular(Exception):
    """A node has parts whose derivatives are no such nodes: operations, rules, networks."""


def beginning_with(node: ir.Node, start: str, most: int) -> ir.Node | None:
    """The members of `node` that begin with `start`; `None` where that takes other nodes, or more than `most` edges."""
    rest = node
    try:
        for letter in start:
            rest = _after(rest, ord(letter))
            if ir.size(rest) > most:
                return None
    except NotRegular:
        return None
    return ir.concat(ir.literal(start), rest)


def _after(node: ir.Node, letter: int) -> ir.Node:
    """What may follow a code point at the beginning of a member."""
    match node:
        case ir.Literal() | ir.Words():
            words, first = node.words if isinstance(node, ir.Words) else (node.data,), chr(letter).encode()
            return ir.word_set([word[len(first) :] for word in words if word.startswith(first)])
        case ir.Chars(ranges):
            return ir.EPSILON if any(low <= letter <= high for low, high in ranges) else ir.EMPTY
        case ir.Union(parts):
            return ir.union(*[_after(part, letter) for part in parts])
        case ir.Concat(parts):
            return _after_sequence(parts, letter)
        case ir.Repeat(item, low, high):
            return ir.concat(_after(item, letter), ir.repeat(item, max(0, low - 1), None if high is None else high - 1))
    raise NotRegular


def _after_sequence(parts: tuple[ir.Node, ...], letter: int) -> ir.Node:
    ways = []
    for i, part in enumerate(parts):
        ways.append(ir.concat(_after(part, letter), *parts[i + 1 :]))
        if not _may_be_empty(part):
            break
    return ir.union(*ways)


def _may_be_empty(node: ir.Node) -> bool:
    match node:
        case ir.Literal(data):
            return not data
        case ir.Words(words):
            return not words[0]
        case ir.Chars():
            return False
        case ir.Union(parts):
            return any(map(_may_be_empty, parts))
        case ir.Concat(parts):
            return all(map(_may_be_empty, parts))
        case ir.Repeat(item, low, _):
            return low == 0 or _may_be_empty(item)
    raise NotRegular
