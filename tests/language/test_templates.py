"""Templates against `re`, by the law of formatting and parsing, and their errors."""

import json
import pickle
import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgen

PATTERNS = ["a+", "[ab]*", "b?a", "[a-c]{2}", "b|bb"]
FIXED = ["", "a", "ab", "{{", "b}}", "-"]


@st.composite
def templates(draw):
    """A template and the regular expression that splits a text in the same way."""
    text, pattern, holes = "", "", {}
    for i in range(draw(st.integers(1, 3))):
        fixed = draw(st.sampled_from(FIXED))
        text += fixed + f"{{h{i}}}"
        free = draw(st.booleans())
        inner = "(?s:.*?)" if free else draw(st.sampled_from(PATTERNS[:4]))
        pattern += re.escape(fixed.replace("{{", "{").replace("}}", "}")) + f"(?P<h{i}>{inner})"
        if free:
            holes |= draw(st.sampled_from([{}, {f"h{i}": ...}]))
        else:
            holes[f"h{i}"] = pgen.Regex(inner)
    return pgen.template(text, **holes), re.compile(pattern)


@given(templates(), st.lists(st.text(alphabet="abc-{}\n", max_size=8), max_size=15))
@settings(max_examples=120)
def test_members_and_splits_are_those_of_re(made, texts):
    template, pattern = made
    for text in [*texts, *("".join(t) for n in range(4) for t in product("ab-", repeat=n))]:
        found = pattern.fullmatch(text)
        assert template.matches(text) == (found is not None)
        if found:
            assert template.parse(text) == found.groupdict()


@given(st.text(max_size=6), st.integers(0, 999), st.text(max_size=6))
@settings(max_examples=60)
def test_what_is_formatted_is_a_member_that_formats_back(name, number, note):
    template = pgen.template("{{{name}}} has {number}: {note}", number=pgen.Regex("[0-9]+"))
    text = template.format(name=name, number=str(number), note=note)
    assert text == f"{{{name}}} has {number}: {note}"
    assert template.matches(text)
    assert template.format(**template.parse(text)) == text


def test_the_rule_of_the_split():
    digits = pgen.Regex("[0-9]+")
    assert pgen.template("{a}{b}", a=digits, b=digits).parse("1234") == {"a": "123", "b": "4"}
    assert pgen.template("{a}{b}", a=digits).parse("1234") == {"a": "1234", "b": ""}
    assert pgen.template("{a}{b}", b=digits).parse("1234") == {"a": "", "b": "1234"}
    assert pgen.template("{a}, {b}").parse("x, y, z") == {"a": "x", "b": "y, z"}
    assert pgen.template("{a}").parse("") == {"a": ""}


def test_holes_names_and_values():
    template = pgen.template("{x} and {y}", x=pgen.choice("1", "22"), y="z")
    assert template.names == ("x", "y")
    assert template.holes["x"] == pgen.choice("1", "22")
    assert template.holes["y"] == pgen.literal("z")
    assert template == pgen.template("{a} and {b}", a=pgen.choice("1", "22"), b="z")
    assert hash(template) == hash(pickle.loads(pickle.dumps(template)))
    assert pgen.template("no hole {{}}").matches("no hole {}")


def test_context_free_holes_nest():
    sums = pgen.Grammar('start: "1" | "(" start "+" start ")"')
    template = pgen.template("({sum}){rest}", sum=sums)
    assert template.parse("((1+1))()") == {"sum": "(1+1)", "rest": "()"}
    assert not template.matches("((1+1)")


def test_residuals_hold_of_what_the_hole_has():
    unique = pgen.JSONSchema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True})
    assert unique.residual
    template = pgen.template("{kind}: {items}.", items=unique)
    assert [fact.pointer for fact in template.residual] == [fact.pointer for fact in unique.residual]
    assert "hole items" in template.residual[0].description
    assert template.matches("[1, 1]: [1, 2].")
    assert template.completable("x: [1, 1].")
    assert not template.matches("x: [1, 1].")
    with pytest.raises(pgen.InvalidArgument):
        template.parse("x: [1, 1].")
    assert json.loads(template.parse("x: [3, 4].")["items"]) == [3, 4]


def test_long_texts_are_split_in_linear_time():
    template = pgen.template("{head}\n{body}\n{tail}", body=pgen.Regex("(?s:.*)"))
    text = "head\n" + "a line\n" * 2000 + "tail"
    assert template.parse(text) == {"head": "head", "body": ("a line\n" * 2000)[:-1], "tail": "tail"}


@pytest.mark.parametrize(
    ("text", "holes", "said", "position"),
    [
        ("a {", {}, "lone {", 2),
        ("}", {}, "lone }", 0),
        ("{{}", {}, "lone }", 2),
        ("x{}", {}, "needs a name", 1),
        ("x{a b}", {}, "needs a name", 1),
        ("{a:>3}", {}, "needs a name", 0),
        ("{a}-{a}", {}, "comes twice", 4),
        ("{a}", {"b": ...}, "no hole 'b'", 0),
    ],
)
def test_mistakes_are_shown_where_they_are(text, holes, said, position):
    with pytest.raises(pgen.InvalidLanguage, match=re.escape(said)) as caught:
        pgen.template(text, **holes)
    assert caught.value.position == position


def test_bad_arguments():
    template = pgen.template("{a}: {b}", b=pgen.Regex("[0-9]+"))
    for call, said in [
        (lambda: template.format(a="x"), "no value for hole 'b', which is at position 5"),
        (lambda: template.format(a="x", b="1", c="2"), "no hole 'c'"),
        (lambda: template.format(a="x", b=1), "is a str, got int"),
        (lambda: template.format(a="x", b="1a"), "does not fit hole 'b'"),
        (lambda: template.parse("x"), "not one of template"),
        (lambda: pgen.template(3), "got int"),
        (lambda: pgen.template("{a}", a=3), "expected a language or a string"),
        (lambda: pgen.template("\ud800{a}"), "lone surrogate"),
    ]:
        with pytest.raises(pgen.InvalidArgument, match=re.escape(said)):
            call()
