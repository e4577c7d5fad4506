r"""`\p{...}`: against `unicodedata` and the `regex` module, in patterns of Python's syntax and of ECMA-262."""

import re
import unicodedata

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

import pgen
from pgen.language.json_schema.strings import in_python
from pgen.language.regex.properties import property_ranges

PLAIN = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF and unicodedata.category(chr(c)) != "Cn"]


@pytest.mark.parametrize(
    ("name", "initials"), [("L", "L"), ("Letter", "L"), ("Lu", "Lu"), ("gc=Nd", "Nd"), ("Sm", "Sm")]
)
def test_general_categories_are_those_of_unicodedata(name, initials):
    members = {c for low, high in property_ranges(name) for c in range(low, high + 1)}
    # Newer Unicode versions change the category of no more than a handful of characters.
    wrong = [c for c in PLAIN if (c in members) != unicodedata.category(chr(c)).startswith(initials)]
    assert len(wrong) <= 5


PATTERNS = [
    r"\p{L}+",
    r"\P{L}",
    r"[\p{Lu}_]\p{Ll}*",
    r"[^\p{Script=Greek}]",
    r"[\P{Alphabetic}x]{1,2}",
    r"(?i)\p{Lu}",
    r"(?i)[\p{Lu}1]",
    r"\\p{3}\P{Nd}?",
]


@given(st.sampled_from(PATTERNS), st.text(alphabet="aAéÉßΩω1١_ \\p中x", max_size=4))
@settings(max_examples=300)
def test_patterns_are_those_of_the_regex_module(pattern, text):
    assert pgen.Regex(pattern).matches(text) == bool(regex.fullmatch(pattern, text, regex.V0))


@given(st.sampled_from(PATTERNS[:5]), st.text(alphabet="aAéÉßΩω1١_ \\p中x", max_size=4))
@settings(max_examples=100)
def test_patterns_of_schemas(pattern, text):
    assert bool(re.search(in_python(f"^{pattern}$"), text)) == bool(regex.search(f"^{pattern}$", text))
    schema = pgen.JSONSchema({"type": "string", "pattern": f"^{pattern}$"})
    if "\\" not in text:
        assert schema.matches(f'"{text}"') == bool(regex.fullmatch(pattern, text))


def test_control_escapes_and_names_of_properties():
    assert in_python(r"\cA[\cj]\\cA") == r"\x01[\x0a]\\cA"
    assert in_python(r"[\p{Nd}-]") != in_python(r"\p{Nd}")
    words = pgen.JSONSchema(
        {
            "patternProperties": {r"^\p{Lu}": {"type": "integer"}},
            "type": "object",
            "minProperties": 1,
            "uniqueItems": True,
        }
    )
    assert words.matches('{"É": 1}') and not words.matches('{"É": "x"}') and words.matches('{"é": "x"}')
    assert words.residual


@pytest.mark.parametrize("pattern", [r"\p", r"\pL", r"\p{Nothing}", r"\p{", r"[\p{Nothing}]", r"\p{}"])
def test_unknown_properties(pattern):
    with pytest.raises(pgen.InvalidLanguage) as caught:
        pgen.Regex(pattern)
    assert caught.value.position is not None
    with pytest.raises(pgen.InvalidLanguage) as caught:
        pgen.JSONSchema({"properties": {"a": {"pattern": pattern}}})
    assert caught.value.pointer == "/properties/a/pattern"


def test_properties_in_grammars():
    names = pgen.Grammar(r"""
        start: NAME ("," NAME)*
        NAME: /\p{L}[\p{L}\p{Nd}]*/
    """)
    assert names.matches("Été,x1,中") and not names.matches("1x")


def test_residuals_read_the_same_patterns():
    keyed = {"patternProperties": {r"^\p{Lu}": False}}
    one = pgen.JSONSchema({"type": "object", "oneOf": [keyed, {"properties": {"a": False}}]})
    assert any("oneOf" in fact.description for fact in one.residual)
    assert one.matches('{"É": 1}') and one.matches('{"a": 1}')
    assert not one.matches('{"é": 1}') and not one.matches('{"É": 1, "a": 1}')
