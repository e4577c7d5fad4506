"""Masked diffusion: every method against the model's own process, by brute force and with all choices enumerated."""

import itertools
import math

import numpy as np
import pytest
from canvas_cases import ABC, LANGUAGES, WITHOUT_EOS
from canvas_process import random_denoiser, target

import pgen
from pgen.backends.tabular import TabularDiffusion
from pgen.chains import sum_product
from pgen.inference.context import Context
from pgen.inference.drafting.canvas import CanvasDrafter
from pgen.inference.drafting.canvas_steps import Committed, Step
from pgen.inference.infer import run
from pgen.programs.orders import NAMES, PositionWeighted, open_positions
from pgen.programs.parallel_orders import Threshold
from pgen.testing.enumeration import enumerate_outcomes
from pgen.testing.laws import check_batch_independence, check_proper_weights

ORDERS = [order for order in NAMES if order != "dilated"]


def right_to_left(tokens, marginals):
    return open_positions(tokens)[::-1]


def program(distribution):
    return lambda: pgen.sample("text", distribution)


def assert_same(found, expected, tolerance=1e-12):
    for text in {*found, *expected}:
        assert found.get(text, 0.0) == pytest.approx(expected.get(text, 0.0), abs=tolerance), text


def exact_masses(distribution):
    posterior = pgen.infer(distribution, method=pgen.Enumerate())
    return {str(text): p * math.exp(posterior.log_evidence) for text, p in posterior.probabilities().items()}


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
@pytest.mark.parametrize("order", [*ORDERS, "dilated"])
def test_enumeration_equals_the_process(order, steps):
    for seed, name in enumerate(["ambiguous", "even", "choice"]):
        vocabulary = (ABC, WITHOUT_EOS)[seed % 2]
        model = random_denoiser(vocabulary, 4, seed)
        distribution = model.text("", length=4, steps=steps, order=order).given(LANGUAGES[name])
        expected = target(model, 4, order, steps, LANGUAGES[name])
        assert_same(exact_masses(distribution), expected)


@pytest.mark.parametrize("order", ["left_to_right", "confidence", "margin"])
def test_longer_canvases(order):
    model = random_denoiser(WITHOUT_EOS, 6, 5)
    language = LANGUAGES["no-aa"]
    distribution = model.text("", length=6, steps=4, order=order).given(language)
    assert_same(exact_masses(distribution), target(model, 6, order, 4, language))


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("order", [*ORDERS, right_to_left])
def test_draws_are_properly_weighted(order, steps):
    """Laws 2 and 3 with every random choice enumerated: proposal times weight is the process, the evidence unbiased."""
    # Three steps by drawn values have too many paths for three positions.
    longest = 2 if (order, steps) == ("low_confidence", 3) else 3
    for seed, name, length in ((0, "counted", longest), (1, "even", 2)):
        vocabulary = (WITHOUT_EOS, ABC)[seed]
        model = random_denoiser(vocabulary, length, 10 + seed)
        count = min(steps, length)
        distribution = model.text("", length=length, steps=count, order=order)
        expected = target(model, length, order, count, LANGUAGES[name])
        check_proper_weights(program(distribution.given(LANGUAGES[name])), pgen.Importance(1), expected, 1e-12)


@pytest.mark.parametrize("name", ["no-aa"])
def test_a_longer_canvas_is_properly_weighted(name):
    model = random_denoiser(WITHOUT_EOS, 5, 3)
    distribution = model.text("", length=5, steps=4, order="left_to_right").given(LANGUAGES[name])
    expected = target(model, 5, "left_to_right", 4, LANGUAGES[name])
    check_proper_weights(program(distribution), pgen.Importance(1), expected, 1e-12)


@pytest.mark.parametrize("resample", ["choices", "tokens"])
def test_smc_is_properly_weighted(resample):
    model = random_denoiser(WITHOUT_EOS, 2, 4)
    distribution = model.text("", length=2).given(LANGUAGES["even"])

    def two():
        first = pgen.sample("first", distribution)
        pgen.factor("long", 0.3 * len(first))
        return first

    expected = {
        text: mass * math.exp(0.3 * len(text))
        for text, mass in target(model, 2, "confidence", 2, LANGUAGES["even"]).items()
    }
    check_proper_weights(two, pgen.SMC(2, ess_threshold=1.0, resample=resample), expected, 1e-12)


def test_ties_between_drawn_values_go_to_the_lower_position():
    rows = np.log([[0.25, 0.5, 0.25]] * 3)
    model, language = TabularDiffusion(WITHOUT_EOS, 3, lambda tokens: rows), LANGUAGES["even"]
    distribution = model.text("", length=3, steps=2, order="low_confidence").given(language)
    expected = target(model, 3, "low_confidence", 2, language)
    assert_same(exact_masses(distribution), expected)
    check_proper_weights(program(distribution), pgen.Importance(1), expected, 1e-12)


class Naive(Step):
    """LLaDA's order with draws and weights of the policies that do not look at drawn values: the trap."""

    def _commit_likeliest(self, rng):
        candidates, count = self.process.candidates(self.canvas).tolist(), self.process.n_commits(self.canvas)
        if self.seen.log_mass == -math.inf:
            return None
        drawn = sum_product.sample(self.seen, candidates, rng).tokens
        ranked = sorted(zip(candidates, drawn, strict=True), key=lambda pair: (-self.marginals[pair], pair[0]))
        canvas = list(self.canvas)
        for position, token in ranked[:count]:
            canvas[position] = token
        return Committed(tuple(canvas), self.seen.log_mass, self.seen.given(canvas).log_mass)


def test_an_order_by_drawn_values_needs_its_own_weight(monkeypatch):
    model, language = random_denoiser(WITHOUT_EOS, 3, 10), LANGUAGES["counted"]
    distribution = model.text("", length=3, steps=2, order="low_confidence").given(language)
    expected = target(model, 3, "low_confidence", 2, language)
    check_proper_weights(program(distribution), pgen.Importance(1), expected, 1e-12)
    monkeypatch.setattr("pgen.inference.drafting.canvas.Step", Naive)
    with pytest.raises(AssertionError, match="expected weight"):
        check_proper_weights(program(distribution), pgen.Importance(1), expected, 1e-3)


def law_without_weights(distribution):
    """text -> probability of drawing it: every step from its exact posterior, unweighted."""
    law = {}
    for probability, posterior in enumerate_outcomes(
        lambda rng: run(program(distribution), (), {}, pgen.Importance(1), Context(), rng)
    ):
        (text,) = posterior.values
        law[str(text)] = law.get(str(text), 0.0) + probability
    return law


def test_without_weights_draws_are_not_the_posterior():
    """The control: exact steps alone (as of Dang and Ermon) are not the process given the language."""
    model, language = random_denoiser(WITHOUT_EOS, 3, 5), LANGUAGES["counted"]
    distribution = model.text("", length=3).given(language)
    masses = target(model, 3, "confidence", 3, language)
    law, total = law_without_weights(distribution), sum(masses.values())
    assert sum(abs(law.get(text, 0.0) - mass / total) for text, mass in masses.items()) / 2 > 0.8


@pytest.mark.parametrize("order", ["confidence", "random", "low_confidence", "constrained_entropy"])
def test_marginals_that_exclude_tokens_at_some_steps_only(order):
    """What one step holds impossible another may allow: the look-ahead must not rule it out."""
    language = LANGUAGES["even"]
    for seed in range(3):

        def marginals(tokens, seed=seed):
            generator = np.random.default_rng([seed, *(0 if token is None else token + 1 for token in tokens)])
            rows = np.where(generator.random((3, 3)) < 0.4, 0.0, generator.random((3, 3)))
            rows[np.arange(3), generator.integers(3, size=3)] += 0.1
            with np.errstate(divide="ignore"):
                return np.log(rows / rows.sum(axis=1, keepdims=True))

        model = TabularDiffusion(WITHOUT_EOS, 3, marginals)
        distribution = model.text("", length=3, order=order).given(language)
        expected = target(model, 3, order, 3, language)
        if not sum(expected.values()):
            continue
        assert_same(exact_masses(distribution), expected)
        check_proper_weights(program(distribution), pgen.Importance(1), expected, 1e-9)


@pytest.mark.parametrize("order", ["confidence", "random", "low_confidence", "constrained_margin"])
def test_texts_are_scored(order):
    language = LANGUAGES["ambiguous"]
    model = random_denoiser(ABC, 3, 8)
    distribution = model.text("", length=3, steps=2, order=order).given(language)
    expected = target(model, 3, order, 2, language)
    for text in [*expected, "bbb", "zzz"]:
        wanted = expected.get(text, 0.0)
        assert math.exp(distribution.log_prob(text, tol=1e-13)) == pytest.approx(wanted, abs=1e-12)


def test_the_canonical_spelling_alone():
    model = random_denoiser(ABC, 3, 8)
    every = model.text("", length=3, order="left_to_right")
    both = math.exp(every.log_prob("ab", tol=1e-13))
    canonical = math.exp(every.log_prob("ab", tokenization="canonical", tol=1e-13))
    rows = lambda *canvas: np.exp(model.marginals([()], [canvas])[0])  # noqa: E731
    whole = rows(None, None, None)[0, 2] * rows(2, None, None)[1, 3]
    apart = rows(None, None, None)[0, 0] * rows(0, None, None)[1, 1] * rows(0, 1, None)[2, 3]
    assert canonical == pytest.approx(whole, rel=1e-12)
    assert both == pytest.approx(whole + apart, rel=1e-12)


def test_within_is_normalised():
    model, language = random_denoiser(ABC, 3, 2), LANGUAGES["counted"]
    posterior = pgen.infer(model.text("", length=3).within(language), method=pgen.Enumerate())
    assert posterior.log_evidence == pytest.approx(0.0, abs=1e-12)
    expected = target(model, 3, "confidence", 3, language)
    total = sum(expected.values())
    assert_same(posterior.probabilities(), {text: mass / total for text, mass in expected.items()})


def test_prompts_and_observations_in_a_program():
    model = random_denoiser(ABC, 3, 6)
    short, any_text = pgen.choice("a", "b"), LANGUAGES["any"]

    @pgen.program
    def story():
        first = pgen.sample("first", model.text("a", length=3).given(short))
        pgen.observe("second", model.text(first, length=3).given(any_text), "ab", tokenization="all")
        return first

    expected = {}
    for first, mass in target(model, 3, "confidence", 3, short, prompt=(0,)).items():
        second = target(model, 3, "confidence", 3, any_text, prompt=model.encode(first))
        expected[first] = mass * second["ab"]
    posterior = pgen.infer(story, method=pgen.Enumerate())
    assert_same({k: p * math.exp(posterior.log_evidence) for k, p in posterior.probabilities().items()}, expected)
    for method in ("auto", pgen.Importance(300), pgen.SMC(300)):
        sampled = pgen.infer(story, method=method, seed=1)
        assert sampled.probabilities()["a"] == pytest.approx(posterior.probabilities()["a"], abs=0.06)


@pytest.mark.parametrize("block", [1, 2, 3])
def test_blocks(block):
    """Blocks as an order, against a function that does the same."""
    language, model = LANGUAGES["even"], random_denoiser(WITHOUT_EOS, 4, 9)

    def by_block(tokens, marginals):
        begin = next(at for at in range(0, 4, block) if None in tokens[at : at + block])
        inside = [i for i in open_positions(tokens) if begin <= i < begin + block]
        return [max(inside, key=lambda i: (marginals[i].max(), -i))]

    found = exact_masses(model.text("", length=4, block=block).given(language))
    assert_same(found, target(model, 4, by_block, 4, language))


class InBlocks(TabularDiffusion):
    """A model that sees and predicts only up to the end of the block at work."""

    block_length = 2


@pytest.mark.parametrize("name", ["even", "counted", "choice"])
def test_a_model_that_works_in_blocks(name):
    """Marginals end with the block; what lies behind counts 1 from states that can still end well."""
    language = LANGUAGES[name]

    def marginals(tokens):
        generator = np.random.default_rng([1, *(0 if token is None else token + 1 for token in tokens)])
        rows = generator.dirichlet(np.ones(4), len(tokens))
        return np.log(rows)

    model = InBlocks(ABC, 3, marginals)

    class Whole(TabularDiffusion):
        """The same process for the brute force, which asks about whole canvases."""

        def marginals(self, prompts, canvases):
            rows = []
            for canvas in canvases:
                end = 2 if None in canvas[:2] else 3
                head = model.marginals([()], [canvas[:end]])[0]
                rows.append(np.concatenate([head, np.full((3 - end, 4), -math.inf)]))
            return np.stack(rows)

    whole = Whole(ABC, 3, marginals)

    def by_block(tokens, rows):
        inside = [i for i in open_positions(tokens) if i < 2] or [2]
        return [max(inside, key=lambda i: (rows[i].max(), -i))]

    distribution = model.text("", length=3).given(language)
    expected = target(whole, 3, by_block, 3, language)
    assert_same(exact_masses(distribution), expected)
    check_proper_weights(program(distribution), pgen.Importance(1), expected, 1e-12)


def test_thresholds_and_weights_of_positions():
    language, model = LANGUAGES["any"], random_denoiser(ABC, 3, 12)
    order = Threshold(0.6)
    distribution = model.text("", length=3, order=order).given(language)
    posterior = pgen.infer(distribution, method=pgen.Enumerate())
    masses = {}

    def visit(canvas, mass):
        if None not in canvas:
            text = "".join(itertools.takewhile(bool, (ABC.tokens[t].decode() for t in canvas)))
            masses[text] = masses.get(text, 0.0) + mass
            return
        rows = np.exp(model.marginals([()], [canvas])[0])
        free = open_positions(canvas)
        chosen = [i for i in free if rows[i].max() >= 0.6] or [max(free, key=lambda i: rows[i].max())]
        for tokens in itertools.product(range(4), repeat=len(chosen)):
            filled = list(canvas)
            p = mass
            for i, t in zip(chosen, tokens, strict=True):
                filled[i], p = t, p * rows[i, t]
            visit(tuple(filled), p)

    visit((None,) * 3, 1.0)
    assert_same({k: p * math.exp(posterior.log_evidence) for k, p in posterior.probabilities().items()}, masses)
    weighted = PositionWeighted(np.array([0.9, 0.01, 0.01, 0.08]), decay=0.0)
    rows = np.log([[0.8, 0.1, 0.05, 0.05], [0.3, 0.6, 0.05, 0.05]])
    assert np.argmax(weighted.scores(np.array([0, 1]), rows)) == 1, "the trivial token waits"
    far = PositionWeighted(np.full(4, 0.25), decay=5.0)
    assert np.argmax(far.scores(np.array([0, 9]), rows[[1, 0]])) == 0, "far positions wait"


def test_scaffolds_stay_where_they_are():
    from pgen.programs.canvas import canvas_distribution

    model, language = random_denoiser(WITHOUT_EOS, 4, 1), LANGUAGES["any"]
    canvas = (None, 1, None, 0)
    distribution = canvas_distribution(model, (), length=4, steps=2, order="confidence", canvas=canvas).given(language)
    expected = target(model, 4, "confidence", 2, language, canvas=canvas)
    assert_same(exact_masses(distribution), expected)
    check_proper_weights(program(distribution), pgen.Importance(1), expected, 1e-12)
    with pytest.raises(pgen.InvalidArgument, match="agrees with what is fixed"):
        pgen.infer(distribution.given(pgen.Regex("b*")))


def test_temperature_shapes_the_marginals():
    model, language = random_denoiser(ABC, 2, 1), LANGUAGES["any"]

    class Cold(TabularDiffusion):
        def marginals(self, prompts, canvases):
            rows = model.marginals(prompts, canvases) / 0.5
            return rows - np.logaddexp.reduce(rows, axis=-1, keepdims=True)

    found = exact_masses(model.text("", length=2, temperature=0.5).given(language))
    assert_same(found, target(Cold(ABC, 2, lambda tokens: None), 2, "confidence", 2, language))


def test_context_free_languages():
    language = pgen.Grammar('start: "a" start "b" | "ab"')
    model = random_denoiser(WITHOUT_EOS, 4, 2)
    found = exact_masses(model.text("", length=4).given(language))
    assert_same(found, target(model, 4, "confidence", 4, pgen.choice("ab", "aabb", "aaabbb", "aaaabbbb")))
    assert set(found) == {"aabb"}


def test_free_text_and_samples():
    model = random_denoiser(ABC, 3, 4)
    distribution = model.text("", length=3)
    expected = target(model, 3, "confidence", 3, LANGUAGES["any"])
    assert_same(exact_masses(distribution), expected)
    drawn = distribution.sample(seed=0, n=400)
    for text, mass in expected.items():
        assert drawn.count(text) / 400 == pytest.approx(mass, abs=0.1)
    assert distribution.sample(seed=3) == distribution.sample(seed=3)
    assert all(ABC.decode(text.tokens).decode() == text for text in drawn)


def test_results_do_not_depend_on_the_batch_size():
    model = random_denoiser(ABC, 4, 4)
    for order in ("confidence", "random", "low_confidence"):
        distribution = model.text("", length=4, order=order).given(LANGUAGES["even"])
        check_batch_independence(program(distribution), pgen.SMC(9, resample="tokens", ess_threshold=1.0))


def test_equal_canvases_are_evaluated_once():
    calls = []
    model = random_denoiser(ABC, 3, 4)
    inner = model._marginals
    model._marginals = lambda tokens: calls.append(tokens) or inner(tokens)
    pgen.infer(model.text("", length=3, order="left_to_right").given("ab"), method=pgen.Importance(50))
    assert len(calls) == len(set(calls)) <= 1 + 3 + 3


@pytest.mark.parametrize(("n_bytes", "n_calls"), [(1 << 25, 1), (0, 2)])
def test_an_unchanged_canvas_is_not_evaluated_again(monkeypatch, n_bytes, n_calls):
    monkeypatch.setattr("pgen.inference.drafting.canvas.KEPT_BYTES", n_bytes)
    model = random_denoiser(ABC, 3, 4)
    drafter = CanvasDrafter(Context())
    process = drafter.process(model.text("", length=3).given(LANGUAGES["any"]))
    first, again = (drafter.look([(process, (None, 0, None))])[0] for _ in range(2))
    assert drafter.context.n_evaluations == n_calls
    np.testing.assert_array_equal(first.marginals, again.marginals)
    assert first.seen.log_mass == again.seen.log_mass


def test_infilling_templates():
    model = random_denoiser(ABC, 4, 3)
    filled = model.fill("a{x}b", length=4, x=pgen.Regex("b?a?"))
    posterior = pgen.infer(filled, method=pgen.Enumerate())
    expected = target(model, 4, "confidence", 4, pgen.Regex("ab?a?b"))
    assert_same({str(k): p * math.exp(posterior.log_evidence) for k, p in posterior.probabilities().items()}, expected)
    assert filled.sample(seed=1).holes["x"] in ("", "b", "a", "ba")


def test_a_drafter_scores_equal_whatever_was_asked_before():
    model = random_denoiser(ABC, 3, 3)
    distribution = model.text("", length=3).given(LANGUAGES["any"])
    drafter = CanvasDrafter(Context())
    first = drafter.score(distribution, "ab", "all", 1e-12)
    drafter.score(distribution, "b", "all", 1e-12)
    assert drafter.score(distribution, "ab", "all", 1e-12) == first


@pytest.mark.parametrize(
    "order", ["confidence", "entropy", "margin", "low_confidence", "constrained_margin", Threshold(0.5)]
)
def test_marginals_may_be_tensors(order):
    """What a model on a device returns: the same draws as from arrays."""
    import torch

    model, language = random_denoiser(ABC, 3, 5), LANGUAGES["counted"]

    class Tensors(TabularDiffusion):
        def marginals(self, prompts, canvases):
            return torch.from_numpy(model.marginals(prompts, canvases))

    tensors = Tensors(ABC, 3, lambda tokens: None)
    expected = pgen.infer(model.text("", length=3, order=order).given(language), method=pgen.SMC(20), seed=3)
    found = pgen.infer(tensors.text("", length=3, order=order).given(language), method=pgen.SMC(20), seed=3)
    assert found.values == expected.values
    np.testing.assert_allclose(found.log_weights, expected.log_weights, atol=1e-10)
    warm = [m.text("", length=3, order=order, temperature=2.0).given(language) for m in (model, tensors)]
    first, second = (pgen.infer(one, method=pgen.Importance(10), seed=1) for one in warm)
    np.testing.assert_allclose(first.log_weights, second.log_weights, atol=1e-10)
