"""Pieces whose parts are shared by identity as they are met, against the same nodes without any rules."""

import random
from itertools import product

import pytest

from pgen.automata.dfa import LazyDFA
from pgen.automata.growth import Growth
from pgen.automata.laying import PieceBuilder, Rules
from pgen.automata.nfa import fragment
from pgen.language import ir

ALPHABET = b"abc,:"
LONG = ir.union(*(ir.concat(ir.literal(word), ir.chars([(97, 98)])) for word in ("abca", "bcab", "cabc", "aabb")))


def leaf(rng):
    return rng.choice(
        [ir.literal("a"), ir.literal("bc"), ir.chars([(97, 99)]), ir.word_set([b"ab", b"b", b"ca"]), LONG]
    )


def listed(rng, pool):
    words = rng.choices([b"a", b"b", b"ca", b""], k=3)
    separator, colon = rng.choice([ir.literal(","), LONG]), rng.choice([ir.literal(":"), LONG, rng.choice(pool)])
    items = [(word, rng.choice(pool), rng.choice("1?*+")) for word in words]
    return ir.fields(separator, colon, items, in_order=rng.random() < 0.7)


def made(rng):
    """A node in which objects come several times, below one another, too."""
    pool = [leaf(rng) for _ in range(4)]
    for _ in range(8):
        kind, (one, other) = rng.randrange(6), rng.choices(pool, k=2)
        if kind == 0:
            pool.append(ir.concat(one, other, one))
        elif kind == 1:
            pool.append(ir.union(one, ir.concat(other, ir.literal("c"))))
        elif kind == 2:
            pool.append(ir.repeat(one, *rng.choice([(0, 1), (0, None), (1, None), (2, None), (1, 3)])))
        elif kind == 3:
            pool.append(ir.separated(other, [(part, rng.choice("1?*+")) for part in rng.choices(pool, k=2)]))
        else:
            pool.append(listed(rng, pool))
    return pool[-1]


def same(left, right, most=400):
    """Whether two automata agree on all texts, as far as that many pairs of states go."""
    waiting = [(left.start, right.start)]
    met = set(waiting)
    for here, there in waiting:
        if left.is_accepting(here) != right.is_accepting(there):
            return False
        for byte in ALPHABET if len(met) < most else b"":
            pair = left.run(here, bytes([byte])), right.run(there, bytes([byte]))
            if pair not in met:
                met.add(pair)
                waiting.append(pair)
    return True


@pytest.mark.parametrize("seed", range(60))
def test_shared_parts_change_no_language(seed):
    rng = random.Random(seed)
    node = made(rng)
    while ir.size(node) > 3000:
        node = made(rng)
    assert same(LazyDFA(Growth(node)), LazyDFA(fragment(node, share=False)))


def test_what_comes_twice_becomes_a_rule():
    part = ir.repeat(ir.chars([(97, 122)]), 0, 200)
    builder = PieceBuilder(Rules({}, [], []), 0)
    builder.lay_apart(ir.concat(part, ir.literal("-"), part))
    assert builder.parts == [part]
    assert builder.n_laid < 1.5 * ir.size(part)


def test_what_an_earlier_body_has_becomes_a_rule_when_it_comes_again():
    part = ir.repeat(ir.chars([(97, 122)]), 0, 200)
    builder = PieceBuilder(Rules({}, [], []), 0)
    for word, n_rules in (("a", 0), ("b", 1), ("c", 1)):
        builder.lay_apart(ir.Concat((ir.literal(word), part)))
        assert len(builder.parts) == n_rules


PLAIN = ir.literal("v")
MANY = ir.union(*(ir.literal(word) for word in ("vvvvvvv", "wwwwwww", "xxxxxxx")))
"""Large enough to become a rule."""


@pytest.mark.parametrize(("colon", "said"), [(ir.literal(":"), ":"), (ir.chars([(58, 59)]), ";"), (ir.literal(""), "")])
@pytest.mark.parametrize(("separator", "between"), [(ir.literal(","), ","), (ir.chars([(44, 45)]), "-")])
@pytest.mark.parametrize(("value", "chosen"), [(PLAIN, "v"), (MANY, "wwwwwww")])
@pytest.mark.parametrize("kinds", ["1?*", "11?", "??", "1*", "?1?", "*", "1"])
def test_items_in_any_order(colon, said, separator, between, value, chosen, kinds):
    """Every sequence of up to four items, by how often which of them come; the last item has no word."""
    words = ["a", "ba", "c"][: len(kinds) - 1]
    items = [(word.encode(), value, kind) for word, kind in zip(words, kinds, strict=False)]
    node = ir.fields(separator, colon, [*items, (b"", ir.literal("!"), kinds[-1])], in_order=False)
    texts = [word + said + chosen for word in words] + ["!"]
    whole = [LazyDFA(Growth(node)), LazyDFA(fragment(node, share=False)), LazyDFA(fragment(node))]
    for sequence in (s for n in range(5) for s in product(range(len(kinds)), repeat=n)):
        counts = [sequence.count(i) for i in range(len(kinds))]
        right = all(
            count == 1 if kind == "1" else count < 2 if kind == "?" else True
            for count, kind in zip(counts, kinds, strict=True)
        )
        text = between.join(texts[i] for i in sequence).encode()
        for dfa in whole:
            state = dfa.run(dfa.start, text)
            assert (state > 0 and dfa.is_accepting(state)) == (right and len(sequence) > 0), text
            for wrong in {text.replace(said.encode(), 2 * said.encode()), text.replace(said.encode(), b"")} - {text}:
                state = dfa.run(dfa.start, wrong)
                assert state == 0 or not dfa.is_accepting(state), wrong
