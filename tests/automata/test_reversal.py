"""Reversal, networks and splits against derivatives and against trying every cut."""

from itertools import chain, product

from hypothesis import given, settings
from hypothesis import strategies as st

import pgen
from pgen.automata import acceptor
from pgen.automata.reversal import backwards
from pgen.automata.splits import Part, cuts, prefixes, split
from pgen.language import ir
from pgen.testing import derivatives

ALPHABET = "aé😀"
TEXTS = ["".join(t) for n in range(3) for t in product(ALPHABET, repeat=n)]

texts = st.text(alphabet=ALPHABET, max_size=3)
some_ranges = st.sets(st.sampled_from(ALPHABET), min_size=1).map(lambda s: tuple((ord(c), ord(c)) for c in sorted(s)))
wide_ranges = st.sampled_from([((0x61, 0x1F600),), ((0xE9, 0x10FFFF),), ir.ANY_CHAR.ranges])
states = st.integers(0, 2)
networks = st.builds(
    ir.network,
    st.lists(st.tuples(states, some_ranges | wide_ranges, states), min_size=2, max_size=7),
    st.lists(states, min_size=1, max_size=2),
    st.lists(states, min_size=1, max_size=2),
)
# From 0 over 2 and 3 to 1, as packed networks have to be, and whatever else there is.
packed_edges = st.tuples(st.sampled_from([0, 2, 3]), st.just(0x61), st.sampled_from([0x61, 0x7F]), st.integers(1, 3))
packed_jumps = st.sampled_from([(2, 1), (2, 3), (3, 2), (3, 1)])
packed = st.builds(
    lambda edges, jumps: ir.packed([*PACKED_WAY, *chain(*edges)], list(chain(*jumps))),
    st.lists(packed_edges, max_size=3),
    st.lists(packed_jumps, max_size=3),
)
PACKED_WAY = (0, 0x61, 0x62, 2, 2, 0x61, 0x61, 3, 3, 0x61, 0x61, 1)
leaves = st.one_of(
    networks,
    packed,
    texts.map(ir.literal),
    texts.map(ir.Substrings),
    st.lists(texts.map(str.encode), min_size=1, max_size=3).map(ir.word_set),
    (some_ranges | wide_ranges).map(ir.chars),
)


def joined(parts):
    several = st.lists(parts, min_size=2, max_size=3)
    kinds = st.lists(st.tuples(parts, st.sampled_from("1?*+")), min_size=1, max_size=3)
    return st.one_of(
        several.map(lambda p: ir.concat(*p)),
        several.map(lambda p: ir.union(*p)),
        several.map(lambda p: ir.intersect(*p)),
        parts.map(ir.complement),
        st.tuples(parts, st.integers(0, 2), st.sampled_from([0, 1, None])).map(
            lambda p: ir.repeat(p[0], p[1], None if p[2] is None else p[1] + p[2])
        ),
        st.tuples(parts, kinds).map(lambda p: ir.separated(*p)),
        st.tuples(parts, st.integers(1, 6)).map(lambda p: ir.intersect(p[0], ir.repeat(ir.ANY_BYTE, 0, p[1]))),
    )


nodes = st.recursive(leaves, joined, max_leaves=4)


@given(networks)
@settings(max_examples=40)
def test_networks_are_those_of_derivatives(network):
    for text in [*TEXTS, "b", "\U0010ffff", "\u20ac"]:
        assert acceptor.accepts(network, text.encode()) == derivatives.matches(network, text.encode()), text
    for wild in (b"\xc3", b"\xed\xa0\x80", b"\xff"):
        assert not acceptor.accepts(network, wild)
    try:
        expected = derivatives.completable(network, b"\xc3", limit=60)
    except pgen.LimitExceeded:
        return
    assert acceptor.completable(network, b"\xc3") == expected


@given(packed, st.lists(st.text("ab\x7f", max_size=5), max_size=20))
@settings(max_examples=40)
def test_packed_networks_are_networks(node, members):
    network = ir.unpacked(node)
    assert acceptor.difference(node, network) is None
    for text in ["", "a", "aa", "aaa", "baa", *members]:
        assert acceptor.accepts(node, text.encode()) == derivatives.matches(network, text.encode()), text


@given(nodes)
@settings(max_examples=50)
def test_members_of_the_reversed_language_are_the_reversed_members(node):
    turned = backwards(node)
    for text in TEXTS:
        assert acceptor.accepts(turned, text[::-1].encode()) == derivatives.matches(node, text.encode()), text
    assert acceptor.difference(backwards(turned), node) is None


def test_rules_are_reversed_too():
    body = ir.union(ir.literal("x"), ir.concat(ir.literal("(é"), ir.Ref("s"), ir.literal("]")))
    turned = backwards(ir.recursive("s", {"s": body}))
    assert acceptor.accepts(turned, "]]xé(é(".encode())
    assert not acceptor.accepts(turned, "]xé(é(".encode())


@given(nodes, texts)
@settings(max_examples=40)
def test_prefixes_and_cuts_are_members(node, text):
    halves = [(text[:at].encode(), text[at:].encode()) for at in range(len(text) + 1)]
    assert list(prefixes(node, text)) == [i for i, (left, _) in enumerate(halves) if derivatives.matches(node, left)]
    assert cuts(node, text) == {i for i, (_, right) in enumerate(halves) if derivatives.matches(node, right)}


def chosen_by_trying(parts, text):
    """The first split in the order in which the first parts choose first."""
    if not parts:
        return [] if text == "" else None
    lengths = range(len(text) + 1)
    for end in reversed(lengths) if parts[0].longest else lengths:
        if derivatives.matches(parts[0].node, text[:end].encode()):
            rest = chosen_by_trying(parts[1:], text[end:])
            if rest is not None:
                return [text[:end], *rest]
    return None


@given(st.lists(st.builds(Part, nodes, st.booleans()), min_size=1, max_size=4), st.text(alphabet=ALPHABET, max_size=5))
@settings(max_examples=50)
def test_splits_are_those_that_trying_finds(parts, text):
    found = split(tuple(parts), text)
    assert (None if found is None else list(found)) == chosen_by_trying(parts, text)
