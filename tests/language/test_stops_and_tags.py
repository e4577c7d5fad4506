"""`until` and `tagged` against their definitions on all short texts."""

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgen
from pgen.language.tags import Call

TEXTS = ["".join(t) for n in range(7) for t in product("ab", repeat=n)]
words = st.text(alphabet="ab", min_size=1, max_size=3)
word_lists = st.lists(words, min_size=1, max_size=3, unique=True).filter(
    lambda ws: not any(w != v and w in v for w in ws for v in ws)
)


def first_end(text, stops):
    """Where the first occurrence of a stop ends."""
    return min((at for at in range(len(text) + 1) if text[:at].endswith(tuple(stops))), default=None)


@given(word_lists)
@settings(max_examples=25)
def test_until_ends_with_the_first_stop(stops):
    language = pgen.until(stops)
    for text in TEXTS:
        assert language.matches(text) == (first_end(text, stops) == len(text)), text
        assert language.completable(text) == (first_end(text, stops) in (None, len(text)))


def test_until_within_a_language():
    language = pgen.until("bb", pgen.Regex("(ab?)*"))
    assert [t for t in TEXTS if language.matches(t)] == [
        t for t in TEXTS if re.fullmatch("(ab?)*bb", t) and t.find("bb") == len(t) - 2
    ]
    items = {"type": "array", "uniqueItems": True, "items": {"type": "integer"}}
    lines = pgen.until("\n", pgen.JSONSchema(items))
    assert lines.matches("[1, 2]\n") and not lines.matches("[1, 1]\n") and lines.completable("[1, 1]\n")


def test_until_after_a_nested_language():
    nested = pgen.JSONSchema({"$defs": {"t": {"type": "array", "items": {"$ref": "#/$defs/t"}}}, "$ref": "#/$defs/t"})
    lines = pgen.until("\n", nested).repeat(1)
    assert lines.matches("[[], [[]]]\n[]\n") and not lines.matches("[[]\n")


@given(word_lists)
@settings(max_examples=60)
def test_characters_that_a_language_lacks_end_it(stops):
    language = pgen.Regex(r"a*|c+")
    marked = [stop.replace("b", "|") + "b" for stop in stops]
    found = pgen.until(marked, language)
    for x in ("", "a", "aa", "c", "cc", "b"):
        for stop in marked:
            assert found.matches(x + stop) == any(
                language.matches((x + stop).removesuffix(end)) and first_end(x + stop, marked) == len(x + stop)
                for end in marked
                if (x + stop).endswith(end)
            )


@pytest.mark.parametrize("stops", ["", [], ["a", ""], ["a", "ba"], ["aba", "b"], [3]])
def test_bad_stops(stops):
    with pytest.raises(pgen.InvalidArgument):
        pgen.until(stops)


def tagged_members(tags, triggers, low, high):
    """Membership by the definition: at the first trigger one of its tags, then the rest; no trigger, free text."""

    def member(text, done):
        end = first_end(text, triggers)
        if end is None:
            return done >= low
        if high is not None and done >= high:
            return False
        start = next(end - len(t) for t in triggers if text[:end].endswith(t))
        return any(
            text.startswith(begin, start)
            and re.fullmatch(pattern, text[start + len(begin) : stop])
            and text.startswith(close, stop)
            and member(text[stop + len(close) :], done + 1)
            for begin, pattern, close in tags
            for stop in range(start + len(begin), len(text) + 1)
        )

    return lambda text: member(text, 0)


@st.composite
def plans(draw):
    triggers = draw(word_lists)
    tags = [
        (
            t + draw(st.sampled_from(["", "a", "b"])),
            draw(st.sampled_from(["a?", "b*", "ab|ba"])),
            draw(st.sampled_from(["", "b", "ba"])),
        )
        for t in triggers
        for _ in range(draw(st.integers(1, 2)))
    ]
    low = draw(st.integers(0, 2))
    return tags, triggers, low, draw(st.sampled_from([None, max(low, 1), low + 2]))


@given(plans())
@settings(max_examples=25)
def test_tagged_texts_are_those_of_the_definition(plan):
    tags, triggers, low, high = plan
    language = pgen.tagged(
        *((begin, pgen.Regex(pattern), close) for begin, pattern, close in tags), triggers=triggers, low=low, high=high
    )
    is_member = tagged_members(*plan)
    for text in TEXTS:
        assert language.matches(text) == is_member(text), text
        if is_member(text):
            pieces = language.parse(text)
            assert "".join(p if isinstance(p, str) else "".join(p) for p in pieces) == text
            assert all(first_end(p, triggers) is None for p in pieces if isinstance(p, str))
            calls = [piece for piece in pieces if isinstance(piece, Call)]
            known = {(begin, close): pattern for begin, pattern, close in tags}
            assert all((call.begin, call.end) in known for call in calls)
            assert len(calls) >= low and (high is None or len(calls) <= high)


def test_tool_calls():
    search = pgen.JSONSchema({"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]})
    tools = pgen.tagged(
        ("<function=search>", search, "</function>"),
        pgen.Tag("<function=now>", "{}", "</function>"),
        triggers=["<function="],
    )
    text = 'I look. <functional> <function=search>{"q": "</function>"}</function><function=now>{}</function>!'
    assert tools.parse(text) == [
        "I look. <functional> ",
        Call("<function=search>", '{"q": "</function>"}', "</function>"),
        Call("<function=now>", "{}", "</function>"),
        "!",
    ]
    assert tools.matches("no call") and not tools.matches("a <function= call")
    assert not tools.completable("<function=other") and not tools.completable('<function=search>{"q": 1')


def test_free_text_of_a_kind_and_residuals_of_contents():
    unique = pgen.JSONSchema({"type": "array", "uniqueItems": True, "items": {"type": "integer"}})
    calls = pgen.tagged(("<a>", unique, "</a>"), ("<b>", pgen.Regex("[0-9]*")), low=1, text=pgen.Regex(r"\s*"))
    assert calls.matches(" <a>[1, 2]</a>\n<b>12 ") and not calls.matches("x<b>1") and not calls.matches(" ")
    assert calls.completable("<a>[1, 1]</a>") and not calls.matches("<a>[1, 1]</a>")
    assert [fact.description for fact in calls.residual] == [
        f"{fact.description}, after '<a>'" for fact in unique.residual
    ]


def test_default_triggers_are_begins_that_no_other_starts():
    tags = pgen.tagged(("<a", "1", ">"), ("<ab", "2", ">"))
    assert tags.matches("x<a1><ab2>") and not tags.matches("<ab1>")


@pytest.mark.parametrize(
    ("tags", "options", "said"),
    [
        ([], {}, "at least one tag"),
        ([("", "x")], {}, "begin that is not empty"),
        ([("<a>",)], {}, "a tag is"),
        ([("<a>", "x", 3)], {}, "a tag is"),
        ([("<a>", "x")], {"triggers": ["<b"]}, "starts with no trigger"),
        ([("<a>", "x")], {"triggers": ["<a", "<b"]}, "no tag starts with the trigger '<b'"),
        ([("<a>", "x")], {"triggers": ["<a", "<"]}, "is inside"),
        ([("<a>", "x")], {"low": 2, "high": 1}, "low <= high"),
        ([("<a>", "x")], {"high": 0}, "1 <= high"),
        ([("a", "x"), ("ba", "y")], {}, "is inside"),
    ],
)
def test_mistakes(tags, options, said):
    with pytest.raises(pgen.InvalidArgument, match=re.escape(said)):
        pgen.tagged(*tags, **options)
