"""Filling templates on every kind of model: the exact law with one to three holes, and what is refused."""

import math

import pytest
from infill_cases import KINDS, TEMPLATES, VOCABULARY, filling, masses, model, room, silent

import pgen


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("kind", KINDS)
def test_one_to_three_holes_have_the_models_own_law(kind, template):
    lm, holes = model(kind, 3), TEMPLATES[template]
    text = filling(kind, lm, template, **holes)
    expected = masses(kind, lm, text)
    posterior = pgen.infer(text, method=pgen.Enumerate())
    assert len(expected) > 2
    assert math.exp(posterior.log_evidence) == pytest.approx(sum(expected.values()), rel=1e-9)
    found = {str(value): mass for value, mass in posterior.probabilities().items()}
    assert found == pytest.approx({x: m / sum(expected.values()) for x, m in expected.items()}, abs=1e-9)
    for value in posterior.values:
        assert value == template.format(**value.holes)
        assert all(holes[name].matches(content) for name, content in value.holes.items())


@pytest.mark.parametrize("kind", KINDS)
def test_holes_may_refer_to_each_other(kind):
    lm = model(kind, 4)
    text = filling(kind, lm, "{x}-{y}", x=pgen.Regex("[ab]"), y=pgen.Regex("[ab]"))

    def program():
        value = pgen.sample("text", text)
        pgen.condition("the second is the first", value.holes["x"] == value.holes["y"])
        return str(value)

    expected = {x: m for x, m in masses(kind, lm, text).items() if x[0] == x[2]}
    posterior = pgen.infer(program, method=pgen.Enumerate())
    assert math.exp(posterior.log_evidence) == pytest.approx(sum(expected.values()), rel=1e-9)
    assert set(posterior.values) == {"a-a", "b-b"}


@pytest.mark.parametrize("kind", KINDS)
def test_holes_without_a_separator_are_read_by_one_rule(kind):
    """A hole with a language takes as much as it can, from left to right; a free one as little."""
    text = filling(kind, model(kind, 5), "{x}{y}-", x=pgen.Regex("a*"), y=pgen.Regex("[ab]*"))
    for value in text.sample(seed=2, n=5):
        x = value.holes["x"]
        assert x == "a" * len(x)
        assert not value.holes["y"].startswith("a")
    free = filling(kind, model(kind, 5), "{x}{y}", x=..., y=pgen.Regex("[ab]"))
    for value in free.sample(seed=2, n=3):
        assert len(value.holes["y"]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_bad_templates_are_refused_before_any_model_call(kind):
    lm = silent(kind)
    for source in ("", "ab"):
        with pytest.raises(pgen.InvalidArgument, match="no holes to fill"):
            lm.fill(source, **room(kind))
    with pytest.raises(pgen.InvalidLanguage, match="nothing can fill the hole 'x'") as caught:
        lm.fill("ab{x}b", **room(kind), x=pgen.Regex("a+") & pgen.Regex("b+"))
    assert caught.value.position == 2
    too_long = lm.fill("a{x}-{y}", **room(kind, 3), x=pgen.Regex("a{3,}"), y=pgen.Regex("b{3,}"))
    with pytest.raises(pgen.InvalidArgument, match=r"\b[68]\b"):
        too_long.sample(seed=0)
    with pytest.raises(pgen.InvalidLanguage, match="a hole needs a name"):
        lm.fill("a{}", **room(kind))
    with pytest.raises(pgen.UnsupportedFeature, match="hole 'x' comes twice"):
        lm.fill("{x}-{x}", **room(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_holes_that_no_tokens_can_fill_are_named_before_any_model_call(kind):
    text = silent(kind).fill("a{x}-{y}b", **room(kind), x=pgen.Regex("[ab]"), y=pgen.Regex("[^ab-]|no"))
    for ask in (lambda: text.sample(seed=0), lambda: text.log_prob("aa-nob"), lambda: pgen.infer(text)):
        with pytest.raises(pgen.InvalidLanguage, match="nothing can fill the hole 'y'"):
            ask()


@pytest.mark.parametrize("kind", KINDS[:3])
def test_fixed_text_that_no_tokens_spell_is_shown(kind):
    text = silent(kind).fill("a{x}no", **room(kind), x=pgen.Regex("[ab]"))
    with pytest.raises(pgen.InvalidLanguage, match="'no' cannot be written") as caught:
        text.sample(seed=0)
    assert caught.value.position == len("a{x}")


@pytest.mark.parametrize("kind", KINDS[:3])
def test_what_contradicts_a_language_is_shown_before_any_model_call(kind):
    text = silent(kind).fill("a{x}-ab{y}", **room(kind), x=pgen.Regex("[ab]"), y=pgen.Regex("[ab]"))
    with pytest.raises(pgen.InvalidLanguage, match="no member has 'b' here") as caught:
        text.given(pgen.Regex("..-aa.*"))
    assert caught.value.position == len("a{x}-a")
    with pytest.raises(pgen.InvalidLanguage, match="nothing can fill the hole 'x' such that") as caught:
        text.within(pgen.Regex("a-.*"))
    assert caught.value.position == 1
    with pytest.raises(pgen.InvalidLanguage, match="ends where the template does"):
        text.given(pgen.Regex(".*--"))


def test_braces_in_fixed_text_count_as_they_are_written():
    text = silent("left to right").fill("{{-}}b{x}", max_tokens=5)
    with pytest.raises(pgen.InvalidLanguage, match="no member has 'b' here") as caught:
        text.given(pgen.Regex(r"\{-\}a.*"))
    assert caught.value.position == len("{{-}}")


def test_the_templates_are_those_of_the_vocabulary():
    assert all(
        VOCABULARY.encode(template.replace("{x}", "").replace("{y}", "").replace("{z}", "")) for template in TEMPLATES
    )
