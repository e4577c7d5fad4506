"""Templates with holes, filled by every kind of model."""

import math
import pickle

import pytest
from anyorder_oracles import random_anyorder
from infill_cases import VOCABULARY, holes_masses
from insertion_oracles import random_insertion

import pgen
from pgen.backends.tabular import TabularInsertion
from pgen.testing.laws import check_proper_weights
from pgen.testing.oracles import random_model

HOLES = {"x": pgen.Regex("b?a?"), "y": pgen.Regex("(ab)*")}


def encoded(*parts):
    return [list(VOCABULARY.encode(part)) for part in parts]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("template", "fixed"), [("a{x}-{y}b", ["a", "-", "b"]), ("{y}a{x}", ["", "a", ""])])
def test_an_insertion_model_fills_holes_around_what_is_fixed(template, fixed, seed):
    lm = random_insertion(VOCABULARY, seed)
    text = lm.fill(template, max_tokens=3, **HOLES)
    masses = holes_masses(lm, encoded(*fixed), [HOLES[name] for name in text.names], 3)
    posterior = pgen.infer(text, method=pgen.Enumerate())
    assert math.exp(posterior.log_evidence) == pytest.approx(sum(masses.values()), abs=1e-12)
    found = {}
    for value, weight in zip(posterior.values, posterior.weights, strict=True):
        contents = tuple(value.holes.values())
        assert "".join(p + c for p, c in zip(fixed, [*contents, ""], strict=True)) == value
        found[contents] = found.get(contents, 0.0) + float(weight)
    assert found == pytest.approx({c: m / sum(masses.values()) for c, m in masses.items()}, abs=1e-12)


def test_drafts_of_holes_are_properly_weighted():
    lm = random_insertion(VOCABULARY, 2)
    text = lm.fill("a{x}-{y}b", max_tokens=2, **HOLES)
    masses = holes_masses(lm, encoded("a", "-", "b"), [HOLES["x"], HOLES["y"]], 2)

    def program():
        return tuple(pgen.sample("text", text).holes.values())

    check_proper_weights(program, pgen.Importance(1, lookahead=0), masses, 1e-12)
    check_proper_weights(program, pgen.Importance(1, lookahead=3), masses, 1e-12)


def test_log_prob_sums_over_the_ways_to_read_a_text():
    lm, some = random_insertion(VOCABULARY, 3), pgen.Regex("[a-]*")
    text = lm.fill("{x}-{y}", max_tokens=3, x=some, y=some)
    masses = holes_masses(lm, encoded("", "-", ""), [some] * 2, 3)
    both = sum(mass for contents, mass in masses.items() if "-".join(contents) == "a--")
    assert len([c for c in masses if "-".join(c) == "a--"]) == 2
    assert math.exp(text.log_prob("a--")) == pytest.approx(both, rel=1e-5)
    assert text.log_prob("ab") == -math.inf


def test_holes_next_to_each_other_are_filled_as_one_and_split_by_the_template():
    lm, joined = random_insertion(VOCABULARY, 4), HOLES["x"] + HOLES["y"]
    text = lm.fill("-{x}{y}-", max_tokens=3, **HOLES)
    masses = holes_masses(lm, encoded("-", "-"), [joined], 3)
    posterior = pgen.infer(text, method=pgen.Enumerate())
    assert math.exp(posterior.log_evidence) == pytest.approx(sum(masses.values()), abs=1e-12)
    assert {value: dict(value.holes) for value in posterior.values} == {
        f"-{content}-": text.template.parse(f"-{content}-") for (content,) in masses
    }


@pytest.mark.parametrize("kind", ["left to right", "any order", "insertion"])
def test_every_kind_of_model_fills_and_knows_what_stands_where(kind):
    holes = {"n": pgen.Regex("[ab]{1,2}"), "m": pgen.choice("a", "bb")}
    if kind == "left to right":
        text = random_model(VOCABULARY, 1).fill("a{n}-{m}b", max_tokens=9, **holes)
    elif kind == "any order":
        text = random_anyorder(VOCABULARY, 1, zeros=0).fill("a{n}-{m}b", length=7, **holes)
    else:
        text = random_insertion(VOCABULARY, 1).fill("a{n}-{m}b", max_tokens=4, **holes)
    for value in text.sample(seed=1, n=6):
        assert value == "a{n}-{m}b".format(**value.holes)
        assert all(holes[name].matches(part) for name, part in value.holes.items())
        again = pickle.loads(pickle.dumps(value))
        assert (again, again.holes) == (value, dict(value.holes))


@pytest.mark.parametrize("kind", ["left to right", "insertion"])
def test_holes_may_refer_to_each_other_by_conditions(kind):
    lm = random_model(VOCABULARY, 1) if kind == "left to right" else random_insertion(VOCABULARY, 1)
    text = lm.fill("{n}-{m}", max_tokens=5, n=pgen.Regex("[ab]{1,2}"), m=pgen.Regex("[ab]{1,2}"))

    def program():
        value = pgen.sample("text", text)
        pgen.condition("equal", value.holes["n"] == value.holes["m"])
        return str(value)

    posterior = pgen.infer(program, method=pgen.Enumerate())
    assert {value.split("-")[0] == value.split("-")[1] for value in posterior.values} == {True}
    plain = pgen.infer(text, method=pgen.Enumerate())
    equal = [w for v, w in zip(plain.values, plain.weights, strict=True) if v.holes["n"] == v.holes["m"]]
    expected = plain.log_evidence + math.log(sum(equal))
    assert posterior.log_evidence == pytest.approx(expected, abs=1e-9)


def never_called(tokens):
    raise AssertionError("the model was asked")


def test_bad_templates_are_refused_before_any_model_call():
    lm = TabularInsertion(VOCABULARY, never_called, context_length=12)
    with pytest.raises(pgen.InvalidArgument, match="no holes"):
        lm.fill("ab")
    with pytest.raises(pgen.InvalidArgument, match="no holes"):
        lm.fill("")
    with pytest.raises(pgen.InvalidLanguage, match="no hole 'z'"):
        lm.fill("a{x}", z=pgen.Regex("a"))
    with pytest.raises(pgen.InvalidLanguage, match="nothing can fill the hole 'x'"):
        pgen.infer(lm.fill("a{x}b", x=pgen.Regex("a+") & pgen.Regex("b+")))
    with pytest.raises(pgen.InvalidArgument, match="at least 4 tokens, but only 3"):
        pgen.infer(lm.fill("a{x}b{y}", x=pgen.Regex("a{2,}"), y=pgen.Regex("b{2,}"), max_tokens=3))
    with pytest.raises(pgen.InvalidArgument, match=r"\{x\}.*what its holes are"):
        lm.fill(pgen.template("a{x}"), x=pgen.Regex("a"))
    with pytest.raises(pgen.InvalidArgument, match="the hole 'length' has the name of an argument"):
        lm.fill("a{length}")
    with pytest.raises(pgen.InvalidArgument, match="the hole 'sizes' has the name of an argument"):
        lm.fill("a{sizes}", sizes=pgen.Regex("a"))
    with pytest.raises(pgen.UnsupportedFeature, match="every hole"):
        lm.fill("a{x}").given(pgen.Regex("a+"))
