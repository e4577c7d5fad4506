"""Strings: every spelling of every value, patterns in both readings, formats within the checker's."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pgen.automata.acceptor import accepts as matches
from pgen.errors import InvalidLanguage, LimitExceeded, UnsupportedFeature
from pgen.language import ir
from pgen.language.json_schema import JSONSchema, SchemaWarning
from pgen.language.json_schema.formats import PATTERNS
from pgen.language.json_schema.spelling import body, quoted, spelled
from pgen.tokens import Vocabulary

CHARACTERS = st.one_of(
    st.sampled_from('a"\\/\b\f\n\r\t\x00\x1f\x7f é\u2028\ud7ff\ue000\uffff\U00010000\U0010ffff😀'),
    st.characters(exclude_categories=["Cs"]),
)


def accepts(schema: dict[str, Any], value: str) -> bool:
    return matches(JSONSchema(schema).node, json.dumps(value).encode())


@st.composite
def spellings(draw: st.DrawFn, value: str) -> str:
    parts = []
    for character in value:
        units = character.encode("utf-16-be")
        codes = [f"\\u{units[i] << 8 | units[i + 1]:04x}" for i in range(0, len(units), 2)]
        forms = ["".join(codes), "".join(c[:2] + c[2:].upper() for c in codes), json.dumps(character)[1:-1]]
        forms += [character] * (character not in '"\\' and character >= " ") + ["\\/"] * (character == "/")
        parts.append(draw(st.sampled_from(forms)))
    return "".join(parts)


@settings(max_examples=300)
@given(st.lists(st.tuples(CHARACTERS, CHARACTERS), max_size=4), CHARACTERS, st.data())
def test_a_class_is_spelled_by_exactly_the_spellings_of_its_members(
    pairs: list[tuple[str, str]], character: str, data: st.DataObject
) -> None:
    node = ir.chars((min(map(ord, pair)), max(map(ord, pair))) for pair in pairs)
    text = data.draw(spellings(character))
    assert json.loads(f'"{text}"') == character
    assert matches(spelled(node), text.encode()) == matches(node, character.encode())


@settings(max_examples=150)
@given(st.text(CHARACTERS, max_size=4), st.integers(0, 3), st.integers(0, 3), st.data())
def test_lengths_count_code_points(value: str, low: int, more: int, data: st.DataObject) -> None:
    text = data.draw(spellings(value))
    schema = {"type": "string", "minLength": low, "maxLength": low + more}
    assert matches(JSONSchema(schema).node, f'"{text}"'.encode()) == (low <= len(value) <= low + more)


@settings(max_examples=300)
@given(st.text(st.sampled_from('\\"u0aAdDcC8/nbx\n'), max_size=9))
def test_bodies_are_what_json_reads(text: str) -> None:
    try:
        value = json.loads(f'"{text}"')
        readable = not any(0xD800 <= ord(c) <= 0xDFFF for c in value)
    except ValueError:
        readable = False
    assert matches(quoted(body(0, None)), f'"{text}"'.encode()) == readable


@pytest.mark.parametrize("text", [r'"\ud800"', r'"\udc00\ud800"', r'"\ud83dx"', r'"\ud83d\u0041"', '"\n"', r'"\x41"'])
def test_lone_surrogates_and_broken_escapes_are_rejected(text: str) -> None:
    assert not matches(JSONSchema({"type": "string"}).node, text.encode())


PATTERN_CASES = [
    (r"^[a-c]+$", ["abc", "", "abcd", "abc\n", "A"]),
    (r"b", ["abc", "b", "", "ac", "x\nby"]),
    (r"^a|b$", ["ax", "xb", "xa", "bx", "", "b\n"]),
    (r"^(a|b)$", ["a", "b", "ab"]),
    (r"a\|b|c", ["a|b", "c", "a", "b"]),
    (r"^\d{3}$", ["123", "12", "1234", "xxx"]),
    (r"^[^\d]$", ["a", "1", "ab"]),
    (r"^\S+$", ["a-b", "a b", "\xa0", ""]),
    (r"[|]$", ["a|", "|a"]),
    (r"^\\$", ["\\", "\\\\", "a"]),
    (r"^.$", ["a", "\n", "ab"]),
    (r"", ["", "anything\n"]),
    (r"(?i)^ab$", ["ab", "AB", "aB", "abc"]),
]


@pytest.mark.parametrize(("pattern", "values"), PATTERN_CASES)
def test_patterns_are_searched_as_in_jsonschema(pattern: str, values: list[str]) -> None:
    for value in values:
        expected = re.search(pattern.replace("$", r"\Z"), value) is not None
        assert accepts({"type": "string", "pattern": pattern}, value) == expected, value


def test_only_what_both_readings_match_is_accepted() -> None:
    assert not accepts({"pattern": r"^\d$", "type": "string"}, "٣"), "ECMA-262 has ASCII digits"
    assert not accepts({"pattern": r"^\D$", "type": "string"}, "٣"), "Python has Unicode digits"
    assert not accepts({"pattern": r"^a$", "type": "string"}, "a\n"), "only Python lets $ match here"


def test_pattern_and_length_combine_on_values() -> None:
    schema = {"type": "string", "pattern": "^é*$", "minLength": 2, "maxLength": 3}
    assert matches(JSONSchema(schema).node, rb'"\u00E9' + "é".encode() + rb'\u00e9"')
    assert not matches(JSONSchema(schema).node, rb'"\u00E9"')


@pytest.mark.parametrize("pattern", ["(", "[b-a]", "a{2,1}", "^*"])
def test_malformed_patterns_name_their_place(pattern: str) -> None:
    with pytest.raises(InvalidLanguage, match="pattern") as caught:
        JSONSchema({"properties": {"a/b": {"type": "string", "pattern": pattern}}})
    assert caught.value.pointer == "/properties/a~1b/pattern"


IRREGULAR = {r"^(a|b)\1$": ("aa", "ab"), r"(?<!^(?=c))b": ("cb", "c"), r"^a++b$": ("aab", "a")}


@pytest.mark.parametrize(("pattern", "texts"), IRREGULAR.items(), ids=list(IRREGULAR))
def test_irregular_patterns_are_left_to_complete_values(pattern: str, texts: tuple[str, str]) -> None:
    schema = {"type": "object", "properties": {"s": {"type": "string", "pattern": pattern}}}
    language = JSONSchema(schema)
    assert any(fact.description.startswith("pattern at /properties/s") for fact in language.residual)
    assert [language.matches(json.dumps({"s": text})) for text in texts] == [True, False]


def test_irregular_patterns_are_negated_on_complete_values() -> None:
    language = JSONSchema({"type": "string", "not": {"pattern": r"^(a|b)\1$"}})
    assert language.matches('"ab"') and not language.matches('"aa"')


def test_irregular_patterns_of_names_are_unsupported() -> None:
    with pytest.raises(UnsupportedFeature) as caught:
        JSONSchema({"patternProperties": {r"(a)\1": {}}})
    assert caught.value.pointer == r"/patternProperties/(a)\1"


ECMA_SPELLINGS: list[tuple[str, str, str]] = [
    (r"^(?<year>[0-9]{4})-(?<month>[0-9]{2})$", "2031-07", "2031"),
    (r"^\u{1F600}[\u{41}-\u{43}]$", "\U0001f600B", "\U0001f600D"),
    (r"^[\u{2D}a]+$", "-a", "b"),
    (r"^[\w-.]+$", "a-.b", "a b"),
    (r"^[a-\d]+$", "a-1", "b"),
    (r"^[^\s-x]$", "a", "-"),
    (r"^\\u{3}\d-\(?<$", "\\uuu1-(<", "uuu1-<"),
]


@pytest.mark.parametrize(("pattern", "inside", "outside"), ECMA_SPELLINGS)
def test_spellings_of_ecma_that_python_lacks(pattern: str, inside: str, outside: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    assert accepts(schema, inside) and not accepts(schema, outside)


def test_code_points_beyond_unicode_are_mistakes() -> None:
    with pytest.raises(InvalidLanguage, match="code point"):
        JSONSchema({"pattern": r"\u{110000}"})


HUGE: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "string", "minLength": 1, "maxLength": 2**31 - 1}, '"a"', '""'),
    ({"type": "array", "items": {"type": "integer"}, "maxItems": 10**9}, "[1, 2]", '["a"]'),
    ({"type": "object", "maxProperties": 10**12, "properties": {"a": {"type": "null"}}}, '{"a": null}', '{"a": 1}'),
]


@pytest.mark.parametrize(("schema", "inside", "outside"), HUGE)
def test_huge_upper_bounds_are_left_to_complete_values(schema: dict[str, Any], inside: str, outside: str) -> None:
    language = JSONSchema(schema)
    keyword = next(name for name in schema if name.startswith("max"))
    assert f"{keyword} at /{keyword}" in [fact.description for fact in language.residual]
    assert language.matches(inside) and not language.matches(outside)


CHECKER = Draft202012Validator.FORMAT_CHECKER


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_formats_lie_within_the_checkers(name: str) -> None:
    @settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
    @given(st.from_regex(re.compile(PATTERNS[name], re.ASCII), fullmatch=True))
    def check(value: str) -> None:
        assert CHECKER.conforms(value, name)

    check()


VALID = {
    "date": ["2024-02-29", "2000-02-29", "0001-01-01", "1999-12-31"],
    "time": ["12:00:00Z", "23:59:59.123+02:30", "00:00:00z"],
    "date-time": ["2024-02-29T12:00:00Z", "1985-04-12t23:20:50.52-08:00"],
    "duration": ["P3W", "P1Y2M3DT4H5M6S", "PT0S", "P1Y2D", "PT1.5S"],
    "email": ["a@b.co", "joe.bloggs+tag@example.com", '"joe bloggs"@example.com', "x@[127.0.0.1]", "x@[IPv6:::1]"],
    "hostname": ["localhost", "a-b.example.com", "1.example", "x" * 63],
    "ipv4": ["0.0.0.0", "255.255.255.255"],
    "ipv6": ["::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2::7:8", "::ffff:1.2.3.4", "1:2:3:4:5:6::8"],
    "uri": ["http://a.b/c?d=e#f", "mailto:a@b.c", "urn:x:y", "http://[::1]:80/", "a:"],
    "uri-reference": ["", "/a/b", "../x", "#y", "http://a"],
    "uuid": ["2EB8AA08-aa98-11ea-b4aa-73b441d16380"],
    "json-pointer": ["", "/a~0b/~1", "/"],
    "relative-json-pointer": ["0", "12/a", "1#", "10#"],
}
INVALID = {
    "date": ["2023-02-29", "1900-02-29", "2024-13-01", "2024-04-31", "0000-01-01", "24-01-01"],
    "time": ["24:00:00Z", "12:00:00", "12:60:00Z"],
    "date-time": ["2023-02-29T12:00:00Z", "2024-01-01 12:00:00Z"],
    "duration": ["P", "PT", "1Y", "P1S", "P1W2D", "PT1M1H"],
    "email": ["a", "@b", "a@", ".a@b.co", "a..b@c.de", "a b@c.de"],
    "hostname": ["", "-a", "a-", "a..b", "x" * 64, "a_b", ".".join(["x" * 63] * 4)],
    "ipv4": ["256.0.0.0", "1.2.3", "01.2.3.4"],
    "ipv6": ["1", "1:2:3:4:5:6:7", "1::2::3", "12345::", "::1.2.3.4.5", "1:2:3:4:5:6:7::8"],
    "uri": ["/a", "http://a b", "1:x", "http://[::1"],
    "uri-reference": ["a b", "\\x", "1:x%"],
    "uuid": ["2eb8aa08aa9811eab4aa73b441d16380", "x"],
    "json-pointer": ["a", "/~2", "/~"],
    "relative-json-pointer": ["", "01", "-1", "/a"],
}


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_formats_by_example(name: str) -> None:
    schema = {"type": "string", "format": name}
    assert [v for v in VALID[name] if not accepts(schema, v)] == []
    assert [v for v in INVALID[name] if accepts(schema, v)] == []


def test_formats_as_annotations() -> None:
    assert matches(JSONSchema({"type": "string", "format": "date"}, format="annotate").node, b'"x"')
    assert matches(JSONSchema({"type": "string", "format": "regex"}, format="annotate").node, b'"x"')


def test_formats_that_are_not_compiled_or_not_known() -> None:
    language = JSONSchema({"type": "string", "format": "idn-email"})
    assert [fact.pointer for fact in language.residual] == ["/format"]
    assert (language.matches('"x"'), language.matches('"é@x"')) == (False, True)
    with pytest.warns(SchemaWarning, match="draft 4 does not know"):
        JSONSchema({"$schema": "http://json-schema.org/draft-04/schema#", "format": "uuid"})
    with pytest.warns(SchemaWarning, match="datetime"):
        JSONSchema({"type": "string", "format": "datetime"})
    JSONSchema({"type": "string", "format": "int32"})


@pytest.mark.parametrize("pattern", ["^[a-z]+$", "^x?[0-9]{2}$", "^(a|bc)*$", "b", "^(aa|b{0,9})$", "^$", "c{4,}"])
@pytest.mark.parametrize(("low", "high"), [(0, 3), (2, 2), (1, None), (0, 9000), (9000, None)])
def test_patterns_within_lengths(pattern: str, low: int, high: int | None) -> None:
    schema = {"type": "string", "pattern": pattern, "minLength": low} | ({} if high is None else {"maxLength": high})
    texts = ("", "a", "b", "bc", "aab", "x12", "12", "ab1", "bbbb", "z" * 9000, "b" * 10000, "c" * 9001)
    counted = [text for text in texts if low <= len(text) and (high is None or len(text) <= high)]
    valid = [text for text in counted if re.search(pattern, text)]
    try:
        language = JSONSchema(schema)
    except InvalidLanguage:
        assert valid == []
        return
    assert [text for text in texts if language.matches(json.dumps(text))] == valid


@pytest.mark.parametrize("more", [{"properties": {"\ud800": {"type": "integer"}}}, {"required": ["\ud800"]}])
@pytest.mark.parametrize("order", ["declared", "any"])
def test_names_with_lone_surrogates(more: dict[str, Any], order: str) -> None:
    language = JSONSchema({"type": "object", "additionalProperties": {"type": "integer"}, **more}, property_order=order)
    vocabulary = Vocabulary([bytes([i]) for i in range(256)] + [b"</s>"], eos=256)
    automaton = language.compile(vocabulary)
    assert automaton.accepts(b'{"\\ud800": 1, "a": 2}')
    assert language.matches(r'{"\ud800": 1, "a": 2}') and not language.matches(r'{"\ud800": "x"}')


ECMA = {
    "^[^]$": (["a", "\n", "é"], ["", "ab"]),
    "^a[^]b$": (["a]b", "a\nb"], ["ab", "acdb"]),
    "^([]|b)$": (["b"], ["", "a", "]"]),
    r"^\uD83D\uDE00$": (["😀"], ["😁", ""]),
    r"^[\uD83D\uDE00-\uD83D\uDE02]$": (["😀", "😁", "😂"], ["😃", "a"]),
    r"^((?!foo).)*$": (["fo", "oof"], ["afoo", "foo"]),
    r"(?<!a)b$": (["b", "cb"], ["ab", "a"]),
}
"""Patterns that ECMA-262 reads, with matches and others, by its grammar with the flag u."""


@pytest.mark.parametrize("pattern", ECMA)
def test_patterns_as_ecma_reads_them(pattern: str) -> None:
    language = JSONSchema({"type": "string", "pattern": pattern})
    matched, others = ECMA[pattern]
    assert language.residual == ()
    assert all(language.matches(json.dumps(text)) for text in matched)
    assert not any(language.matches(json.dumps(text)) for text in others)


@pytest.mark.parametrize("pattern", [r"\z", r"\pL", r"a(?i)b", "a{99999999999}", "[]", "(?<!a+)b"])
def test_patterns_are_never_dropped(pattern: str) -> None:
    """What cannot be read raises with the place; the empty class is read, and leaves no value."""
    with pytest.raises((InvalidLanguage, LimitExceeded)) as caught:
        JSONSchema({"type": "string", "pattern": pattern})
    assert "schema" in str(caught.value) or "nested" in str(caught.value)
