"""`Regex` against Python's own `re`, interegular, and the derivatives of its nodes."""

import itertools
import re
import warnings

import interegular
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import pgen
from pgen.errors import InvalidArgument, InvalidLanguage, LimitExceeded, UnsupportedFeature
from pgen.language import ir
from pgen.language.regex.characters import _ASCII_CASED, category, ignoring_case
from pgen.testing import derivatives

ALL = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
TEXTS = ["".join(letters) for n in range(5) for letters in itertools.product("ab\n", repeat=n)]


def ranges_of(pattern, flags=0):
    """The code points that a pattern of one character matches, found by asking `re` about each."""
    found = re.compile(f"(?:{pattern})+", flags).finditer(ALL)
    spans = [(ord(ALL[m.start()]), ord(ALL[m.end() - 1])) for m in found]
    return ir.chars(spans)


def agrees(pattern, texts):
    language = pgen.Regex(pattern)
    compiled = re.compile(pattern)
    for text in texts:
        assert language.matches(text) == (compiled.fullmatch(text) is not None), (pattern, text)


@pytest.mark.parametrize("letter", "dwsDWS")
@pytest.mark.parametrize("flags", ["", "(?a)"])
def test_classes_hold_what_re_matches(letter, flags):
    assert pgen.Regex(f"{flags}\\{letter}").node == ranges_of(
        f"{flags}\\{letter}".removeprefix(flags), re.A if flags else 0
    )


@pytest.mark.parametrize(
    "pattern",
    ["k", "s", "i", "İ", "ß", "ẞ", "ſ", "ǅ", "µ", "σ", "[a-z]", "[^a-z]", "[^k]", r"[\w-]", r"[^\W\d]", "[à-ý]", "ﬅ", "."]
    + ["[\x00-\U0010ffff]", r"\x4b", r"\N{KELVIN SIGN}", r"\141", "é", "Ā"],
)  # fmt: skip
@pytest.mark.parametrize("flags", ["i", "ia"])
def test_case_is_ignored_as_re_ignores_it(pattern, flags):
    expected = ranges_of(pattern, re.I | (re.A if "a" in flags else 0))
    assert pgen.Regex(f"(?{flags}){pattern}").node == expected


def test_classes_that_are_written_alike_may_differ():
    agrees("[^]a][^]b]", ["cc", "ca", "ac", "cb", "bb", "]c", "c]", "ba"])
    agrees(r"(?a:[\w])[\w]", ["aa", "éa", "aé", "éé"])
    agrees(r"[\w](?a:[\w])[a-c][^a-c][a-c]", ["aaada", "éaada", "aéada", "aaaaa"])


def test_ascii_letters_have_no_other_partners():
    everything = ignoring_case(((0x41, 0x5A), (0x61, 0x7A), (0x3042, 0x3042)), "[A-Za-zあ]", ascii_only=False)
    assert {chr(c) for low, high in everything for c in range(low, high + 1)} == {*_ASCII_CASED, "あ"}


@pytest.mark.parametrize(
    "pattern",
    [
        "", "a", "a|b", "a*?b+", "(a|b){2,3}", "(?P<x>a)b?", "a{,2}", "a{1}{", "a{b", "{", "{,", "a{,}", "a{2}?", "a{}", "x{1,2", "(?:)*",
        "^a", "a$", "a$\n", "a$\n?", r"a\Z\n?", "^", "$", "^$", "(^a|b)", "a|^b", "a?^b", "(?:a|)^b", "a*$b*", "(a$|b)",
        "(?=a)[ab]+", "(?!a)[ab]+", "(?=a|b)(?!b).*", "(a(?=b))b", "(?:a(?=b)|b){2}", "(?=.*b)(?=.*a).*", "a(?!b)(?s:.)*",
        "(?=(?=a)ab)a.", "(?!(?!a))a", r"(?=.{2}\Z)[ab]*", "(?m)^a", "(?m)a$\nb", "(?m)a$.?", "(?ms)a$.*", "(?s).", ".", "(?x) a # c\n b", "(?x)a {2}",
        "(?x)[ a]", "a(?#x)*", "(?i)A", "(?i:a)B", "(?i)a(?-i:b)", "(?ai)a", "(?a)(?u:\\w)", r"[]a]", "[^]a]", "[a-]", "[-a]", r"[\]a]", r"[\n-a]",
        r"\x61\u0062", r"\141", r"\0", r"\07", "()|a", "(|a)b", "a||b", r"[\d\n]", r"[^\n]", r"\\a", r"\.", r"[\b]", "a]", "a}", "(?!)", "(?=)a",
        "(?:a{0})b", "(?:ab|a)(?:b|)", "(?:a*)*", "(?:a|a*)+b", "((a)|(b))*", "(?:(?:a?)b?){3}",
    ],
)  # fmt: skip
def test_equals_fullmatch(pattern):
    agrees(pattern, TEXTS)


atoms = st.sampled_from(["a", "b", "ab", ".", "[ab]", "[^a]", r"\n", r"\s", r"\w", "(?:)", "é", "(?i:B)"])


def combine(inner):
    quantifier = st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{,2}", "{0}", "*?", "{2,}"])
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, quantifier).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    )


regular = st.recursive(atoms, combine, max_leaves=6)
contextual = st.recursive(
    st.one_of(atoms, st.sampled_from(["^", "$", r"\Z", r"\A", "(?m:$)"])),
    lambda inner: combine(inner) | inner.map("(?={})".format) | inner.map("(?!{})".format),
    max_leaves=6,
)


@given(regular)
@settings(max_examples=150)
def test_generated_patterns_equal_fullmatch(pattern):
    agrees(pattern, TEXTS[:130] + ["é", "aé", "B", "aB"])


@given(contextual)
@settings(max_examples=300)
@example("(?=(?:a|b$))a?")
@example("(?:(?=a)|b){2}.")
def test_generated_patterns_that_look_around_equal_fullmatch(pattern):
    try:
        agrees(pattern, TEXTS[:130] + ["é"])
    except (UnsupportedFeature, LimitExceeded):
        pass


@given(regular.filter(str.isascii))
@settings(max_examples=60)
def test_interegular_agrees_on_ascii(pattern):
    try:
        oracle = interegular.parse_pattern(pattern.replace("(?i:B)", "[bB]")).to_fsm()
    except Exception:  # it supports less
        return
    node = pgen.Regex(pattern.replace(r"\w", "[ab]")).node
    if r"\w" in pattern or r"\s" in pattern:
        return
    for text in TEXTS[:100]:
        assert derivatives.matches(node, text.encode()) == oracle.accepts(text), (pattern, text)


pieces = [
    "a",
    "-",
    "b",
    "(",
    ")",
    "[",
    "]",
    "^",
    "$",
    "|",
    "*",
    "+",
    "?",
    "{",
    "}",
    "1",
    ",",
    "2",
    "\\",
    "d",
    "(?",
    ":",
    "=",
    "!",
]
pieces += [
    "<",
    "P",
    "P<n>",
    "i",
    "x",
    ")",
    "#",
    "N{DIGIT ONE}",
    "x4",
    "u00",
    "0",
    "9",
    " ",
    "Z",
    "q",
    ">",
    "(?P=n)",
    "(?i)",
    "(?a:",
    "-i:",
]


@given(st.lists(st.sampled_from(pieces), max_size=9).map("".join))
@settings(max_examples=3000)
@example("(?(1)a|b|c)")
@example("(?(1)a)")
@example("(a)(?(1)a)")
@example("(?au)a")
@example("(?i-i:a)")
@example("a(?i)")
@example("(?i)|(?i)")
@example(r"\400")
@example(r"\08")
@example(r"[\8]")
@example("(?L)a")
@example("(?-u:a)")
@example("(?P<1>a)")
@example("(?P<n>(?P=n))")
def test_malformed_exactly_where_re_is(pattern):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(pattern)
            wrong = None
        except (re.error, OverflowError) as error:
            wrong = error
    try:
        pgen.Regex(pattern)
    except UnsupportedFeature:
        return
    except InvalidLanguage as error:
        assert wrong is not None, f"{pattern!r} is fine for re, but: {error}"
        assert error.position is not None and 0 <= error.position <= len(pattern)
    else:
        assert wrong is None, f"{pattern!r} is malformed for re: {wrong}"


@pytest.mark.parametrize(
    ("pattern", "position", "words"),
    [
        ("ab(c", 2, "missing \\)"),
        ("ab)", 2, "unbalanced"),
        ("a**", 2, "multiple repeat"),
        ("x[z-a]", 2, "bad character range z-a"),
        ("x[ab", 1, "missing \\]"),
        (r"ab\q", 2, "bad escape"),
        ("a\n*b\n(*)", 6, "line 3, column 2"),
        (r"\N{NO SUCH THING}", 0, "NO SUCH THING"),
        ("a{3,2}", 1, "greater than max"),
    ],
)
def test_a_malformed_pattern_shows_where(pattern, position, words):
    with pytest.raises(InvalidLanguage, match=words) as caught:
        pgen.Regex(pattern)
    assert caught.value.position == position
    assert not isinstance(caught.value, UnsupportedFeature)


@pytest.mark.parametrize(
    ("pattern", "position"),
    [(r"(a)\1", 3), ("(?P<n>a)(?P=n)", 8), ("(?>a)", 0), ("a*+", 1), ("(a)(?(1)b|c)", 3), (r"x\b(?>a)b*+", 3)],
)
def test_what_is_not_regular_is_named(pattern, position):
    with pytest.raises(UnsupportedFeature) as caught:
        pgen.Regex(pattern)
    assert caught.value.position == position
    assert caught.value.hint


def test_deep_nesting_and_huge_repeats_are_bounded():
    with pytest.raises(LimitExceeded, match="nested"):
        pgen.Regex("(" * 5000 + ")" * 5000)
    with pytest.raises(LimitExceeded, match="repeat"):
        pgen.Regex("a{1000000000}").matches("a")
    with pytest.raises(LimitExceeded, match="looks around"):
        pgen.Regex("(?:(?=a)a){100000}")
    assert pgen.Regex("(" * 90 + "a" + ")" * 90).matches("a")


def test_a_pattern_is_a_string():
    with pytest.raises(InvalidArgument, match="bytes"):
        pgen.Regex(b"a")


def test_equal_patterns_are_equal_values():
    assert len({pgen.Regex("ab"), pgen.Regex("(?:a)b"), pgen.literal("ab")}) == 1
    assert repr(pgen.Regex(r"\d")) == r"Regex('\\d')"
    assert pgen.Regex("a+").pattern == "a+"


def test_a_lone_surrogate_matches_no_text():
    assert pgen.Regex("\ud800|a").matches("a")
    assert category("w", ascii_only=False)
    assert not pgen.Regex("[\ud800-\udfff]").completable("")
