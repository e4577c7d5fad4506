"""Texts of insertion models against sums over all histories of insertions, every random choice enumerated."""

import math
import random

import numpy as np
import pytest
from cases import VOCABULARIES, languages
from insertion_oracles import random_insertion, text_masses

import pgen
from pgen.backends.tabular_insertion import TabularInsertion
from pgen.testing.laws import check_batch_independence, check_proper_weights


def cases(count, seed, max_tokens):
    """(model, distribution, masses) with evidence above zero."""
    choose, made = random.Random(seed), []
    while len(made) < count:
        lm = random_insertion(VOCABULARIES[choose.choice(sorted(VOCABULARIES))], choose.randrange(10**6))
        language = choose.choice([None, *languages()])
        prompt = choose.choice(["", "", "a"])
        distribution = lm.text(prompt, max_tokens=max_tokens)
        if language is not None:
            distribution = distribution.given(language)
        masses = text_masses(lm, distribution.prompt, max_tokens, language)
        if masses:
            made.append((distribution, masses))
    return made


CASES = cases(56, seed=1, max_tokens=3)
SMALL = cases(20, seed=2, max_tokens=2)


@pytest.mark.parametrize("index", range(len(CASES)))
def test_enumeration_equals_the_sum_over_all_histories(index):
    distribution, masses = CASES[index]
    posterior = pgen.infer(distribution, method=pgen.Enumerate())
    evidence = sum(masses.values())
    assert math.exp(posterior.log_evidence) == pytest.approx(evidence, abs=1e-12)
    shares = posterior.probabilities()
    assert set(shares) == set(masses)
    for text, mass in masses.items():
        assert shares[text] == pytest.approx(mass / evidence, abs=1e-12)


@pytest.mark.parametrize("lookahead", [0, 3])
@pytest.mark.parametrize("index", range(len(SMALL)))
def test_a_draft_is_properly_weighted_over_all_orders_of_insertion(index, lookahead):
    distribution, masses = SMALL[index]
    error = check_proper_weights(
        lambda: pgen.sample("x", distribution), pgen.Importance(1, lookahead=lookahead), masses, tolerance=1e-12
    )
    assert error <= 1e-12


@pytest.mark.parametrize("index", range(0, len(SMALL), 4))
def test_smc_is_properly_weighted_and_its_evidence_unbiased(index):
    distribution, masses = SMALL[index]
    resample = ["choices", "tokens"][index % 2]
    method = pgen.SMC(2, ess_threshold=1.0, resample=resample, lookahead=0)
    try:
        check_proper_weights(lambda: pgen.sample("x", distribution), method, masses, max_paths=1_200)
    except pgen.LimitExceeded:
        pytest.skip("more than 1,200 paths")


@pytest.mark.parametrize("index", range(0, len(CASES), 6))
def test_log_prob_is_the_mass_of_the_text_and_of_its_own_spelling(index):
    distribution, masses = CASES[index]
    for text, mass in masses.items():
        if "\ufffd" in text:  # Cut within a character: no text spells it.
            continue
        assert distribution.log_prob(text) == pytest.approx(math.log(mass), abs=2e-6)
        assert distribution.log_prob(text, "canonical") <= distribution.log_prob(text) + 2e-6
    assert distribution.log_prob("abbbbbbbbb") == -math.inf
    if distribution.language is not None:
        outside = [text for text in ("b", "bb", "ba", "a") if not distribution.language.matches(text)]
        assert all(distribution.log_prob(text) == -math.inf for text in outside)


def test_the_canonical_spelling_alone_where_there_are_several():
    lm = random_insertion(VOCABULARIES["pieces"], 5)
    text = lm.text("", max_tokens=2).given(pgen.literal("ab"))
    slots, _ = lm._insert(())
    canonical = math.exp(slots[0, 2]) * math.exp(lm._insert((2,))[1])
    assert math.exp(text.log_prob("ab", "canonical")) == pytest.approx(canonical, rel=1e-6)
    assert text.log_prob("ab") > text.log_prob("ab", "canonical") + 1e-3


@pytest.mark.parametrize("index", range(0, len(CASES), 12))
def test_within_divides_by_the_mass_of_its_language(index):
    distribution, _ = CASES[index]
    if distribution.language is None:
        return
    within = pgen.infer(distribution.within(distribution.language), method=pgen.Enumerate())
    assert within.log_evidence == pytest.approx(0.0, abs=1e-9)


def test_programs_mix_texts_of_insertion_models_with_everything_else():
    lm = random_insertion(VOCABULARIES["letters"], 11, zeros=0.0)
    words = pgen.choice("a", "ab", "b")

    def program():
        first = pgen.sample("first", lm.text("", max_tokens=3).given(words))
        pgen.observe("second", lm.text(first, max_tokens=3), "a")
        pgen.factor("short", -0.5 * len(first))
        return str(first)

    target = {}
    for text, mass in text_masses(lm, (), 3, words).items():
        second = text_masses(lm, lm.encode(text), 3)
        target[text] = mass * second.get("a", 0.0) * math.exp(-0.5 * len(text))
    posterior = pgen.infer(program, method=pgen.Enumerate())
    assert math.exp(posterior.log_evidence) == pytest.approx(sum(target.values()), abs=1e-9)
    check_proper_weights(program, pgen.Importance(1, lookahead=2), target, tolerance=1e-8)
    assert pgen.infer(program, seed=3).log_evidence == pytest.approx(posterior.log_evidence, abs=0.01)


@pytest.mark.parametrize("method", [pgen.Importance(9), pgen.SMC(9, resample="tokens", ess_threshold=1.0)])
@pytest.mark.parametrize("index", range(0, 40, 20))
def test_results_do_not_depend_on_the_batch_size(index, method):
    distribution, _ = CASES[index]
    try:
        check_batch_independence(lambda: pgen.sample("x", distribution), method)
    except pgen.ZeroEvidence:
        pytest.skip("all nine particles died with this seed")


def test_context_free_languages_with_unbounded_nesting():
    brackets = pgen.Vocabulary([b"(", b")", b"()", b"<eos>"], eos=3)
    lm, grammar = random_insertion(brackets, 5), pgen.Grammar('start: "(" start* ")"')
    masses = text_masses(lm, (), 4, grammar)
    posterior = pgen.infer(lm.text("", max_tokens=4).given(grammar), method=pgen.Enumerate())
    assert math.exp(posterior.log_evidence) == pytest.approx(sum(masses.values()), abs=1e-12)
    assert set(posterior.probabilities()) == set(masses)
    for text in lm.text("", max_tokens=24).given(grammar).sample(seed=0, n=5):
        assert grammar.matches(text)


def test_longer_texts_are_drawn_by_the_automatic_method_and_are_members():
    lm = random_insertion(VOCABULARIES["pieces"], 3, stop_weight=0.2)
    language = pgen.Regex("(ab){3,7}a?")
    for text in lm.text("", max_tokens=16).given(language).sample(seed=1, n=5):
        assert language.matches(text)
        assert len(text.tokens) <= 16


def test_free_text_that_reaches_the_limit_is_marked():
    lm = random_insertion(VOCABULARIES["letters"], 3, stop_weight=1e-9)
    text = lm.text("", max_tokens=2).sample(seed=0)
    assert text.truncated
    assert len(text.tokens) == 2


def never_called(tokens):
    raise AssertionError("the model was asked")


@pytest.mark.parametrize("method", ["auto", pgen.Enumerate(), pgen.Importance(4)], ids=repr)
def test_impossible_requests_are_found_before_any_model_call(method):
    lm = TabularInsertion(VOCABULARIES["letters"], never_called, context_length=8)
    with pytest.raises(pgen.InvalidArgument, match="at least 4 tokens, but only 3"):
        pgen.infer(lm.text("", max_tokens=3).given(pgen.Regex("a{4,}")), method=method)
    with pytest.raises(pgen.InvalidArgument, match="at least 7 tokens, but only 6"):
        pgen.infer(lm.text("aa").given(pgen.Regex("a{7,9}")), method=method)
    with pytest.raises(pgen.InvalidLanguage, match="empty"):
        pgen.infer(lm.text("").given(pgen.Regex("a+") & pgen.Regex("b+")), method=method)


def test_an_insertion_model_ends_by_its_own_stop():
    lm = TabularInsertion(VOCABULARIES["letters"], never_called)
    with pytest.raises(pgen.InvalidArgument, match="stop of its own"):
        lm.text("", end="eos")
    with pytest.raises(pgen.InvalidArgument, match="stop of its own"):
        lm.text("", stop="a")
    with pytest.raises(pgen.InvalidArgument, match="must not be negative"):
        lm.text("", max_tokens=-1)
    with pytest.raises(pgen.InvalidArgument, match=r"1025.*1024"):
        lm.text("a" * 1025)


def test_a_model_that_never_stops_is_bounded_and_told():
    def insert(tokens):
        slots = np.full((len(tokens) + 1, 3), -math.inf)
        slots[:, 0] = -math.log(len(tokens) + 1)
        return slots, -math.inf

    lm = TabularInsertion(VOCABULARIES["letters"], insert, context_length=12)
    with pytest.raises(pgen.ZeroEvidence) as caught:
        pgen.infer(lm.text("").given(pgen.Regex("a*")), method=pgen.Importance(3))
    assert "aaa" in "".join(caught.value.partials)
    assert lm.text("").sample(seed=0).truncated


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda t: (np.zeros((len(t) + 1, 3)), 0.0), "sum to"),
        (lambda t: (np.full((len(t) + 1, 3), math.nan), 0.0), "sum to nan"),
        (lambda t: (np.full((len(t) + 2, 3), -math.inf), 0.0), "shape"),
    ],
)
def test_a_table_that_is_no_distribution_is_named(step, message):
    lm = TabularInsertion(VOCABULARIES["letters"], step)
    with pytest.raises(pgen.ModelError, match=message):
        pgen.infer(lm.text("", max_tokens=2), method=pgen.Importance(2))
