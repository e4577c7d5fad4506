"""Expressions that look around in any place, held to `re.fullmatch` on every short text."""

from __future__ import annotations

import re
import warnings
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgen
from pgen.language.json_schema import JSONSchema


def _differences(pattern: str, alphabet: str, longest: int) -> list[str]:
    language, compiled = pgen.Regex(pattern), re.compile(pattern)
    texts = ("".join(text) for n in range(longest + 1) for text in product(alphabet, repeat=n))
    return [text for text in texts if language.matches(text) != (compiled.fullmatch(text) is not None)]


@pytest.mark.parametrize(
    ("pattern", "alphabet"),
    [
        (r"((?!foo).)*", "fo-"),
        (r"(a(?=b)|b(?=a|$))*", "ab"),
        (r"(a|b|(?<!ab)c)*", "abc"),
        (r"((?<=(?<!a)b)a|b)*", "ab"),
        (r"\ba+\b b", "ab "),
        (r"(\b\w|\B\w| )*", "aé "),
        (r"(?a:(\b.)*)", "aé "),
        (r"\B", "a"),
        (r"(?m)(^a$\n?)*", "a\n"),
        (r"(^a|b)*", "ab"),
        (r"(?=.*\bb\b).*", "ab "),
        (r'"(?!"").*?(?<!\\)(\\\\)*?"', 'a"\\'),
        (r"/\*(\*(?!/)|[^*])*\*/", "a/*"),
        (r"(?s)((?<!\n).)*$", "a\n"),
        (r"(?:(?=a)a|(?=b))*b", "ab"),
        (r"(?i:(?<=A)b|a)*", "aAb"),
        (r"((?!ab).){0,150}", "ab"),
    ],
)
def test_fixed_patterns(pattern: str, alphabet: str) -> None:
    assert _differences(pattern, alphabet, 6 if len(alphabet) < 3 else 5) == []


_WORDS = st.sampled_from(["a", "b", "ab", "[ab]", ".", "", "^", "$", r"\b", r"\B", r"\Z", "c"])
_FIXED = st.sampled_from(["a", "b", "ab", "[bc]", "^a", "(?<=a)b", "(?<!a)", "^", ""])


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{1,2}", "*?"])),
        st.builds("(?{}{})".format, st.sampled_from("=!"), inner),
        st.builds("(?<{}{})".format, st.sampled_from("=!"), _FIXED),
    )


@given(st.recursive(_WORDS, _larger, max_leaves=8))
def test_any_pattern(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(pattern)
        except re.error:
            with pytest.raises(pgen.InvalidLanguage):
                pgen.Regex(pattern)
            return
        assert _differences(pattern, "abc", 3) == []


@pytest.mark.parametrize(
    ("pattern", "error", "message"),
    [
        ("(?<=a*)b", pgen.InvalidLanguage, "fixed-width"),
        ("(?<=a|bc)b", pgen.InvalidLanguage, "fixed-width"),
        ("a(?<=$)", pgen.UnsupportedFeature, "inside a lookbehind"),
        (r"(a)(?<=\1)", pgen.UnsupportedFeature, "lookbehind with what is not regular"),
        ("((?!a{500}b).){500}c", pgen.LimitExceeded, "looks around"),
    ],
)
def test_what_cannot_be_compiled(pattern: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        pgen.Regex(pattern)


def test_patterns_of_schemas() -> None:
    language = JSONSchema({"type": "string", "pattern": "^((?!foo).)*$"})
    assert language.matches('"fo of"') and not language.matches('"a foo"')
