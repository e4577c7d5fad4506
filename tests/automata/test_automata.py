"""Automata against derivatives (any language), against Python sets (finite ones), and at their limits."""

import resource
import subprocess
import sys
import time
from itertools import pairwise, product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pgen
from pgen.automata import acceptor
from pgen.automata.pieces import utf8_sequences
from pgen.language import ir
from pgen.testing import derivatives

ALPHABET = "abéê€😀😁"
SHORT_TEXTS = ["".join(t) for n in range(3) for t in product(ALPHABET, repeat=n)]
SHORT_TEXTS += ["".join(t) for t in product("aé😀", repeat=3)] + ["z", "az", "\0", "\x7f", "\U0010ffff"]
WILD_BYTES = [
    b"\x80",
    b"\xc0\x80",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
    b"\xff",
    b"a\xa9",
    b"\xf0\x9f",
]

BORDERS = [0x80, 0x800, 0xD800, 0xE000, 0x10000]
CORNERS = sorted({c for b in BORDERS for c in (b - 2, b - 1, b, b + 1)} | {0, 1, 0x10FFFE, 0x10FFFF})
MORE_CORNERS = [0x3F, 0x40, 0xBF, 0xC0, 0xFFF, 0x1000, 0x3FFFF, 0x40000, 0xFFFFF, 0x100000]
POINTS = sorted(c for c in {*CORNERS, *MORE_CORNERS} if not 0xD800 <= c <= 0xDFFF)

texts = st.text(alphabet=ALPHABET, max_size=3)
byte_strings = st.one_of(
    st.binary(max_size=5),
    texts.map(str.encode),
    st.lists(st.sampled_from([c.encode()[:n] for c in ALPHABET for n in (1, 2, 3, 4)] + WILD_BYTES), max_size=3).map(
        b"".join
    ),
)
ranges = st.lists(
    st.tuples(st.sampled_from(ALPHABET), st.sampled_from(ALPHABET)).map(lambda p: tuple(sorted(map(ord, p)))),
    min_size=1,
    max_size=2,
)
members = st.sampled_from(ALPHABET).map(lambda c: (ord(c), ord(c)))
classes = st.one_of(ranges, st.lists(members, min_size=1, max_size=3)).map(ir.chars)
leaves = st.one_of(
    classes,
    texts.map(ir.literal),
    texts.map(ir.Substrings),
    st.lists(texts.map(str.encode), max_size=3).map(ir.word_set),
    st.just(ir.EMPTY),
)
counts = st.tuples(st.integers(0, 2), st.integers(0, 2)).map(lambda p: (p[0], sum(p)))
open_counts = st.integers(0, 2).map(lambda low: (low, None))


def joined(parts):
    several = st.lists(parts, min_size=2, max_size=3)
    repeats = st.tuples(parts, st.one_of(counts, open_counts)).map(lambda p: ir.repeat(p[0], *p[1]))
    limited = st.tuples(parts, st.integers(1, 4)).map(lambda p: ir.intersect(p[0], ir.repeat(ir.ANY_BYTE, 0, p[1])))
    return st.one_of(
        several.map(lambda p: ir.concat(*p)),
        several.map(lambda p: ir.union(*p)),
        several.map(lambda p: ir.intersect(*p)),
        parts.map(ir.complement),
        repeats,
        limited,
    )


nodes = st.recursive(leaves, joined, max_leaves=5)


@given(nodes, st.lists(byte_strings, max_size=8))
@settings(max_examples=150)
def test_membership_is_that_of_derivatives(node, data):
    for candidate in [*(text.encode() for text in SHORT_TEXTS), *WILD_BYTES, *data]:
        assert acceptor.accepts(node, candidate) == derivatives.matches(node, candidate), candidate


@given(nodes, st.lists(byte_strings, max_size=3))
@settings(max_examples=60)
def test_completability_is_that_of_derivatives(node, data):
    for prefix in [b"", b"a", b"\xc3", b"\xf0\x9f\x98", *data]:
        try:
            expected = derivatives.completable(node, prefix, limit=60)
        except pgen.LimitExceeded:
            continue
        assert acceptor.completable(node, prefix) == expected, prefix


@given(nodes)
@settings(max_examples=100)
def test_emptiness_and_the_shortest_member(node):
    shortest = acceptor.shortest_bytes(node)
    assert acceptor.is_empty(node) == (shortest is None)
    candidates = [t.encode() for t in SHORT_TEXTS if derivatives.matches(node, t.encode())]
    assert not candidates or shortest is not None
    for text in candidates:
        assert shortest <= len(text)
    found = acceptor.difference(node, ir.EMPTY)
    assert (found is None) == (shortest is None)
    if found is not None:
        assert len(found) == shortest
        assert derivatives.matches(node, found)


@given(nodes, nodes)
@settings(max_examples=100)
def test_a_difference_is_a_text_in_exactly_one(left, right):
    found = acceptor.difference(left, right)
    tried = [t.encode() for t in SHORT_TEXTS]
    if found is None:
        assert all(derivatives.matches(left, t) == derivatives.matches(right, t) for t in tried)
        return
    assert derivatives.matches(left, found) != derivatives.matches(right, found)
    for text in tried:
        if len(text) < len(found):
            assert derivatives.matches(left, text) == derivatives.matches(right, text)


@given(nodes, nodes, nodes)
@settings(max_examples=60)
def test_equal_languages_have_no_difference(a, b, c):
    assert acceptor.difference(a, a) is None
    assert acceptor.difference(ir.complement(ir.union(a, b)), ir.intersect(ir.complement(a), ir.complement(b))) is None
    assert acceptor.difference(ir.concat(a, ir.union(b, c)), ir.union(ir.concat(a, b), ir.concat(a, c))) is None
    assert acceptor.difference(ir.Complement(ir.Complement(a)), a) is None
    assert acceptor.difference(ir.repeat(a, 0, None), ir.union(ir.EPSILON, ir.repeat(a, 1, None))) is None


# Finite languages as Python sets of byte strings: a strategy of (node, its members).

MOST_MEMBERS = 400
finite_leaves = st.one_of(
    st.lists(members, min_size=1, max_size=3).map(lambda r: (ir.chars(r), {chr(c).encode() for c, _ in r})),
    texts.map(lambda t: (ir.literal(t), {t.encode()})),
    texts.map(lambda t: (ir.Substrings(t), {t[i:j].encode() for i in range(4) for j in range(i, 4)})),
    st.lists(texts.map(str.encode), max_size=3).map(lambda w: (ir.word_set(w), set(w))),
)


def powers(item, low, high):
    found, power = set(), {b""}
    for n in range(high + 1):
        assume(len(power) <= MOST_MEMBERS)
        if n >= low:
            found |= power
        power = {x + y for x in power for y in item}
    return found


def finite_joined(parts):
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda p: (ir.concat(p[0][0], p[1][0]), {x + y for x in p[0][1] for y in p[1][1]})),
        pairs.map(lambda p: (ir.union(p[0][0], p[1][0]), p[0][1] | p[1][1])),
        pairs.map(lambda p: (ir.intersect(p[0][0], p[1][0]), p[0][1] & p[1][1])),
        pairs.map(lambda p: (ir.intersect(p[0][0], ir.complement(p[1][0])), p[0][1] - p[1][1])),
        st.tuples(parts, counts).map(lambda p: (ir.repeat(p[0][0], *p[1]), powers(p[0][1], *p[1]))),
    )


finite = st.recursive(finite_leaves, finite_joined, max_leaves=6)


@given(finite)
@settings(max_examples=150)
def test_finite_languages_are_the_sets_they_denote(case):
    node, expected = case
    assume(len(expected) <= MOST_MEMBERS)
    assert acceptor.is_empty(node) == (not expected)
    assert acceptor.shortest_bytes(node) == min(map(len, expected), default=None)
    assert acceptor.longest_bytes(node) == max(map(len, expected), default=0)
    assert acceptor.difference(node, ir.word_set(expected)) is None
    for data in {*list(expected)[:50], *(t.encode() for t in SHORT_TEXTS)}:
        assert acceptor.accepts(node, data) == (data in expected)


@given(finite, byte_strings)
@settings(max_examples=150)
def test_prefixes_of_a_finite_language_are_completable(case, data):
    node, expected = case
    assume(len(expected) <= MOST_MEMBERS)
    prefixes = {x[:n] for x in expected for n in range(len(x) + 1)}
    for prefix in {b"", b"a", data, *list(prefixes)[:40]}:
        assert acceptor.completable(node, prefix) == (prefix in prefixes)


@given(finite)
@settings(max_examples=60)
def test_there_is_no_longest_member_of_an_endless_repeat(case):
    node, expected = case
    assume(expected - {b""})
    assert acceptor.longest_bytes(ir.repeat(node, 0, None)) is None


def test_an_endless_repeat_of_the_empty_text_has_a_longest_member():
    only_empty = ir.intersect(ir.optional(ir.literal("a")), ir.EPSILON)
    assert acceptor.longest_bytes(only_empty) == 0
    assert acceptor.longest_bytes(ir.repeat(only_empty, 0, None)) == 0


def test_complements_under_a_byte_limit_hold_valid_text_only():
    limited = ir.intersect(ir.complement(ir.literal("a")), ir.repeat(ir.ANY_BYTE, 0, 2))
    for data in (b"", b"b", b"aa", "é".encode()):
        assert acceptor.accepts(limited, data)
    for data in (b"a", "€".encode(), *WILD_BYTES):
        assert not acceptor.accepts(limited, data)
    assert not acceptor.completable(limited, b"\x80")
    assert not acceptor.completable(limited, b"\xe2")


EMPTY_PRODUCT = """
import pgen
empty = "x" + (pgen.literal("a") & pgen.literal("b"))
for n in range(200):
    language = empty & pgen.Regex("[a-z]*") & pgen.Regex("(ab|x%d|[c-z]){0,4}" % n)
    assert not language.matches("x") and not language.completable("")
"""


def test_three_parts_of_which_two_have_nothing_in_common():
    """In a process of its own: a walk outside the arrays may end it."""
    done = subprocess.run([sys.executable, "-c", EMPTY_PRODUCT], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]


# UTF-8


def expanded(low, high):
    return [bytes(p) for s in utf8_sequences(low, high) for p in product(*(range(a, b + 1) for a, b in s))]


def code_points(low, high):
    return [c for c in range(low, high + 1) if not 0xD800 <= c <= 0xDFFF]


@pytest.mark.parametrize("border", [*BORDERS, *MORE_CORNERS, 0x10FF80], ids=hex)
def test_utf8_of_every_range_around_a_border(border):
    """All ranges whose ends are within a few code points of the border, and wider ones on both sides."""
    for low, high in product(
        range(border - 4, border + 4), [*range(border - 4, border + 4), border + 70, border + 127]
    ):
        whole = code_points(low, high)
        if not whole or high > 0x10FFFF or low < 0:
            continue
        parts = [(whole[0], whole[-1])]
        if whole[0] < 0xD800 <= whole[-1]:
            parts = [(whole[0], 0xD7FF), (0xE000, whole[-1])]
        assert [x for part in parts for x in expanded(*part)] == [chr(c).encode() for c in whole]


def test_utf8_ranges_between_all_corners():
    for low, high in product(POINTS, POINTS):
        if low > high:
            continue
        node = ir.chars([(low, high)])
        for point in POINTS:
            assert acceptor.accepts(node, chr(point).encode()) == (low <= point <= high), (low, high, point)


def test_utf8_ranges_hold_as_many_sequences_as_code_points():
    for low, high in product(POINTS, POINTS):
        if low > high or low < 0xD800 <= high:
            continue
        count = 0
        for sequence in utf8_sequences(low, high):
            size = 1
            for first, last in sequence:
                size *= last - first + 1
            count += size
        assert count == high - low + 1


def test_all_one_and_two_byte_strings_against_python():
    for data in [bytes(p) for n in (1, 2) for p in product(range(256), repeat=n)]:
        valid = data.decode(errors="ignore").encode() == data
        assert acceptor.accepts(ir.ANY_TEXT, data) == valid


@pytest.mark.parametrize("lead", [0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5])
def test_all_seconds_of_longer_sequences_against_python(lead):
    for second, rest in product(range(256), (b"\x80", b"\xbf", b"\x7f", b"\xc0")):
        data = bytes([lead, second]) + rest * (1 if lead < 0xF0 else 2)
        valid = data.decode(errors="ignore").encode() == data
        assert acceptor.accepts(ir.ANY_CHAR, data) == (valid and len(data.decode()) == 1), data


def test_surrogates_are_in_no_class():
    whole = ir.chars([(0, 0x10FFFF)])
    assert acceptor.difference(whole, ir.ANY_CHAR) is None
    for point in (0xD800, 0xDBFF, 0xDC00, 0xDFFF):
        data = chr(point).encode(errors="surrogatepass")
        assert not acceptor.accepts(whole, data)
        assert not acceptor.accepts(ir.complement(ir.literal("a")), data)
    assert acceptor.is_empty(ir.chars([(0xD800, 0xDFFF)]))


def test_the_complement_of_a_class_holds_the_other_code_points():
    for low, high in pairwise(POINTS):
        outside = ir.intersect(ir.ANY_CHAR, ir.complement(ir.chars([(low, high)])))
        assert acceptor.difference(outside, ir.chars(ir.negated_ranges([(low, high)]))) is None


# Limits


def test_a_huge_counted_repeat_is_refused_quickly():
    began = time.perf_counter()
    with pytest.raises(pgen.LimitExceeded, match="smaller repeat counts"):
        pgen.Regex("(a{1000}){10000000}").compile(pgen.Vocabulary([b"a", b"</s>"], eos=1))
    assert time.perf_counter() - began < 2


def test_a_blow_up_of_states_is_refused_in_bounded_time_and_memory():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with pytest.raises(pgen.LimitExceeded, match="states"):
        (~pgen.Regex("(a|b)*a(a|b){40}")).compile(pgen.Vocabulary([b"a", b"b", b"</s>"], eos=2))
    assert time.perf_counter() - began < 30
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert kilobytes < 2_000_000


def test_a_blow_up_of_a_product_is_refused_in_bounded_time():
    counted = [pgen.Regex(f"(a{{{n}}})*") for n in (97, 101, 103)]
    began = time.perf_counter()
    with pytest.raises(pgen.LimitExceeded, match="intersection"):
        (counted[0] & counted[1] & counted[2]).matches("a")
    assert time.perf_counter() - began < 30


def test_a_lazy_language_that_would_blow_up_still_answers():
    language = pgen.Regex("(a|b)*a(a|b){40}")
    assert language.matches("b" * 9 + "a" + "b" * 40)
    assert not language.matches("a" + "b" * 41)
    assert language.completable("ab" * 200)


def test_deep_chains_of_concatenation_and_union():
    language = pgen.literal("x")
    for _ in range(3_000):
        language = (language + "a") | "b"
    assert language.matches("x" + "a" * 3_000)
    assert not language.matches("x" + "a" * 2_999)
    assert language.matches("b" + "a" * 2_999)
    assert not language.matches("b" + "a" * 3_000)
    assert language.completable("b" + "a" * 2_000)


def test_deep_chains_of_complement_and_intersection():
    language = pgen.literal("x")
    for n in range(90):
        language = ~(language + "a") & ~pgen.literal("b" * (n % 3))
    assert language.matches("zzz")
    assert not language.matches("b" * (89 % 3))


@given(st.sets(st.text(st.sampled_from("abé日"), max_size=3), min_size=1, max_size=5))
def test_other_than_is_the_complement_of_words(words):
    data = [word.encode() for word in words]
    assert acceptor.difference(ir.other_than(data), ir.complement(ir.word_set(data))) is None
