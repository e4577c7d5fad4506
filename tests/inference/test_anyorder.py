"""Texts of any-order models against sums over all canvases and orders, every random choice enumerated."""

import math
import random
from collections import defaultdict

import numpy as np
import pytest
from anyorder_oracles import ORDERS, random_anyorder, text_masses
from cases import VOCABULARIES, languages

import pgen
from pgen.backends.tabular_anyorder import TabularAnyOrder
from pgen.inference.context import Context
from pgen.inference.infer import run
from pgen.testing.enumeration import enumerate_outcomes
from pgen.testing.laws import check_batch_independence, check_proper_weights

NAMED_ORDERS = list(ORDERS)


def cases(count, seed, orders, vocabularies=tuple(VOCABULARIES), length=3):
    """(distribution, masses) with evidence above zero."""
    choose, made = random.Random(seed), []
    while len(made) < count:
        lm = random_anyorder(VOCABULARIES[choose.choice(sorted(vocabularies))], choose.randrange(10**6))
        language, order = choose.choice([None, *languages()]), choose.choice(orders)
        draft = choose.choice([1, 2, 3, 8])
        distribution = lm.text(choose.choice(["", "a"]), length=length, order=order, draft=draft)
        if language is not None:
            distribution = distribution.given(language)
        masses = text_masses(lm, distribution.prompt, length, ORDERS[order], language)
        if masses:
            made.append((distribution, masses))
    return made


CASES = cases(36, 1, NAMED_ORDERS)
SPECULATIVE = cases(14, 2, ["left_to_right", "random", (2, 0, 1)], ("letters", "pieces"))
# Burst sampling without constraint: all that is open at once, in random order.
for _seed in (1, 2):
    _lm = random_anyorder(VOCABULARIES["letters"], _seed)
    SPECULATIVE.append((_lm.text("", length=2, order="random", draft=8), text_masses(_lm, (), 2, ORDERS["random"])))


@pytest.mark.parametrize("index", range(len(CASES)))
def test_enumeration_equals_the_sum_over_all_canvases(index):
    distribution, masses = CASES[index]
    posterior = pgen.infer(distribution, method=pgen.Enumerate())
    evidence = sum(masses.values())
    assert math.exp(posterior.log_evidence) == pytest.approx(evidence, abs=1e-12)
    shares = posterior.probabilities()
    assert set(shares) == set(masses)
    for text, mass in masses.items():
        assert shares[text] == pytest.approx(mass / evidence, abs=1e-11)


@pytest.mark.parametrize("lookahead", [0, 3])
@pytest.mark.parametrize("index", range(0, len(CASES), 4))
def test_drafts_are_properly_weighted(index, lookahead):
    distribution, masses = CASES[index]
    method = pgen.Importance(1, lookahead=lookahead)
    try:
        check_proper_weights(lambda: pgen.sample("x", distribution), method, masses, 1e-12, max_paths=500)
    except pgen.LimitExceeded:
        pytest.skip("more than 500 paths")


@pytest.mark.parametrize("index", range(len(SPECULATIVE)))
def test_speculation_has_the_exact_joint_and_never_more_calls_than_tokens(index):
    distribution, masses = SPECULATIVE[index]
    found, most = defaultdict(float), 0
    for probability, (posterior, calls) in enumerate_outcomes(lambda rng: one_draft(distribution, rng), 20_000):
        assert calls <= distribution.length
        most = max(most, calls)
        if posterior is not None:
            (value,) = posterior.values
            found[value] += probability * math.exp(posterior.log_evidence)
    assert most > 0
    assert set(found) <= set(masses)
    for text, mass in masses.items():
        assert found[text] == pytest.approx(mass, abs=1e-12)


def one_draft(distribution, rng):
    context = Context()
    try:
        posterior = run(lambda: pgen.sample("x", distribution), (), {}, pgen.Importance(1, lookahead=0), context, rng)
    except pgen.ZeroEvidence:
        return None, context.n_evaluations
    return posterior, context.n_evaluations


def test_speculation_needs_fewer_calls_where_drafts_are_good():
    """Independent positions: drafts are always kept, so five rounds of two calls draw forty tokens."""
    vocabulary = VOCABULARIES["letters"]
    rows = np.log(np.tile([0.5, 0.5, 1e-300], (40, 1)))
    lm = TabularAnyOrder(vocabulary, lambda canvas: rows)
    text = lm.text("", length=40, order="random", draft=8)
    posterior = pgen.infer(text, method=pgen.Importance(1, lookahead=0))
    assert len(posterior.values[0]) == 40
    assert posterior.n_evaluations == 10


class Ignorant(TabularAnyOrder):
    """Has no token `b`: its rows never say one, and it refuses a canvas with one."""

    def conditionals(self, canvases):
        if any(1 in canvas for canvas in canvases):
            raise pgen.ModelError("the network knows no b")
        return super().conditionals(canvases)

    def ordered(self, canvases, orders, drafts):
        for canvas, order, draft in zip(canvases, orders, drafts, strict=True):
            drafted = dict(zip(order, draft, strict=False))
            self.conditionals([tuple(drafted.get(i, token) for i, token in enumerate(canvas))])
        return super().ordered(canvases, orders, drafts)


@pytest.mark.parametrize("order", ["left_to_right", "random", (2, 0, 1)])
@pytest.mark.parametrize(("later", "model"), [(0.0, Ignorant), (0.4, TabularAnyOrder)])
def test_tokens_without_mass_are_never_drafted(order, later, model):
    """Only `b` may stand last, and its first row rules it out; `later` is its probability once a token stands."""

    def conditionals(canvas):
        b = 0.0 if canvas.count(None) == 3 else later
        with np.errstate(divide="ignore"):
            return np.log(np.array([[0.8, 0.0, 0.2], [0.7, 0.0, 0.3], [0.9 - b, b, 0.1]]))

    language = pgen.Regex("[ab][ab]b")
    text = model(VOCABULARIES["letters"], conditionals).text("", length=3, order=order, draft=8).given(language)
    table = TabularAnyOrder(VOCABULARIES["letters"], conditionals)
    masses = text_masses(table, (), 3, ORDERS[order], language)
    found = defaultdict(float)
    for probability, (posterior, _) in enumerate_outcomes(lambda rng: one_draft(text, rng), 20_000):
        if posterior is not None:
            found[posterior.values[0]] += probability * math.exp(posterior.log_evidence)
    assert found == pytest.approx(masses, abs=1e-12)
    assert bool(masses) == (later > 0 and order != (2, 0, 1))


def test_dropping_the_residual_would_be_wrong():
    """The control: redrawing a rejected token from its own law, as burst sampling without residual does, is biased."""
    target, draft = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    kept = np.minimum(1.0, target / draft) * draft
    without = kept + (1 - kept.sum()) * target
    missing = np.maximum(target - draft, 0.0)
    assert abs(without[0] - 0.9) > 0.03
    assert kept + (1 - kept.sum()) * missing / missing.sum() == pytest.approx(target, abs=1e-15)


@pytest.mark.parametrize("index", range(0, len(CASES), 5))
def test_log_prob_is_the_mass_of_the_text(index):
    distribution, masses = CASES[index]
    for text, mass in masses.items():
        assert distribution.log_prob(text) == pytest.approx(math.log(mass), abs=2e-6)
        assert distribution.log_prob(text, "canonical") <= distribution.log_prob(text) + 2e-6
    assert distribution.log_prob("a" * 9) == -math.inf


@pytest.mark.parametrize("method", [pgen.Importance(9), pgen.SMC(9, resample="tokens", ess_threshold=1.0)])
@pytest.mark.parametrize("index", range(0, 30, 15))
def test_results_do_not_depend_on_the_batch_size(index, method):
    distribution, _ = CASES[index]
    try:
        check_batch_independence(lambda: pgen.sample("x", distribution), method)
    except pgen.ZeroEvidence:
        pytest.skip("all nine particles died with this seed")


def test_a_function_may_choose_the_order_and_a_closed_position_is_refused():
    lm = random_anyorder(VOCABULARIES["letters"], 4)
    last_first = lm.text("", length=3, order=lambda canvas, rows: [i for i in (2, 1, 0) if canvas[i] is None])
    same = lm.text("", length=3, order=(2, 1, 0))
    first, second = (pgen.infer(text, method=pgen.Enumerate()).probabilities() for text in (last_first, same))
    assert first == pytest.approx(second, abs=1e-12)
    with pytest.raises(pgen.InvalidArgument, match="chose position 0"):
        pgen.infer(lm.text("", length=2, order=lambda canvas, rows: [0]), method=pgen.Enumerate())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 0}, "length=0"),
        ({"length": 2000}, "room for"),
        ({"length": 3, "draft": 0}, "draft=0"),
        ({"length": 3, "order": "best"}, "order='best'"),
        ({"length": 3, "order": "low_confidence"}, "masked diffusion"),
        ({"length": 3, "order": (0, 1, 1)}, "permutation"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(options, message):
    with pytest.raises(pgen.InvalidArgument, match=message):
        random_anyorder(VOCABULARIES["letters"], 4).text("", **options)


def test_a_language_that_does_not_fit_is_found_before_any_model_call():
    def never_called(canvas):
        raise AssertionError("the model was asked")

    lm = TabularAnyOrder(VOCABULARIES["letters"], never_called)
    with pytest.raises(pgen.InvalidArgument, match="fits 3 positions: the shortest takes 4"):
        pgen.infer(lm.text("", length=3).given(pgen.Regex("a{4,}")))
