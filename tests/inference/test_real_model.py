"""Posteriors over finite languages on SmolLM2, against brute force through plain transformers."""

import math

import pytest
from brute_force import BruteForce
from questions import QUESTIONS, posed

import pgen

pytestmark = pytest.mark.model

ASKED = QUESTIONS[1::2]
"""Each way to end, chats and plain texts; `bench.posteriors` asks all of them."""


@pytest.fixture(scope="module")
def lm():
    return pgen.load("smollm2")


@pytest.fixture(scope="module")
def brute_force(lm):
    return BruteForce(lm.model, lm.tokenizer)


def total_variation(p, q):
    return sum(abs(p.get(x, 0.0) - q.get(x, 0.0)) for x in {*p, *q}) / 2


@pytest.mark.parametrize("question", ASKED, ids=lambda q: f"{q[0]}-{q[1][:20]}-{q[3]}")
def test_posteriors_equal_brute_force(lm, brute_force, question):
    distribution = posed(lm, *question)
    expected, log_evidence, neglected = brute_force.posterior(distribution.prompt, question[2], question[3])
    assert neglected < 1e-5
    exact = pgen.infer(distribution, method=pgen.Enumerate(tol=1e-5))
    assert exact.log_evidence == pytest.approx(log_evidence, abs=1e-4)
    found = exact.probabilities()
    for text, share in expected.items():
        assert found.get(text, 0.0) == pytest.approx(share, abs=1e-4)
    sampled = pgen.infer(distribution, method=pgen.Importance(64), seed=0)
    assert total_variation(sampled.probabilities(), expected) < 0.1
    assert total_variation(pgen.infer(distribution).probabilities(), expected) < 0.05


def test_log_prob_sums_over_spellings(lm, brute_force):
    text = lm.text("The day after Tuesday is", end="prefix")
    _, log_mass, _ = brute_force.posterior(text.prompt, (" Wednesday",), "prefix")
    total, canonical = text.log_prob(" Wednesday"), text.log_prob(" Wednesday", tokenization="canonical")
    assert total == pytest.approx(log_mass, abs=1e-4)
    assert canonical < total < 0


def test_particles_of_different_prompts_share_model_calls(lm):
    calls = []
    original = lm.next_logits

    class Counting:
        def __getattr__(self, name):
            return getattr(lm, name)

        def next_logits(self, prefixes):
            calls.append(len(prefixes))
            return original(prefixes)

    model = Counting()

    def two_prompts():
        subject = pgen.sample("subject", pgen.categorical({"Cats": 0.5, "My small dogs": 0.5}))
        from pgen.programs.text import text_distribution

        return pgen.sample("verb", text_distribution(model, lm.encode(f"{subject} like to"), max_tokens=6))

    posterior = pgen.infer(two_prompts, method=pgen.Importance(8, lookahead=0), seed=1)
    assert len(posterior.values) == 8
    assert len(set(posterior.marginal("subject"))) == 2
    assert len(calls) == 6, "one model call a token for all particles"


def test_results_for_a_seed_do_not_depend_on_the_batch_size(lm):
    distribution = lm.text("Once upon a time", max_tokens=12, stop=".")
    runs = [
        pgen.infer(distribution, method=pgen.Importance(6, lookahead=0), seed=3, batch_size=size) for size in (1, 4, 64)
    ]
    for other in runs[1:]:
        assert [t.tokens for t in other.values] == [t.tokens for t in runs[0].values]
        assert other.log_weights == pytest.approx(runs[0].log_weights, abs=1e-4)


def test_a_regex_is_completed_within_its_budget(lm):
    text = lm.text("Date: ", max_tokens=12).given(pgen.Regex(r"\d{4}-\d{2}-\d{2}( or .{0,200})?"))
    for drawn in text.sample(seed=0, n=5):
        assert len(drawn.tokens) <= 12
        assert pgen.Regex(r"\d{4}-\d{2}-\d{2}( or .{0,200})?").matches(drawn)


def test_free_text_is_truncated_and_says_so(lm):
    drawn = lm.text("Once upon a time", max_tokens=5).sample(seed=0)
    assert drawn.truncated
    assert len(drawn.tokens) == 5
    assert math.isfinite(lm.text("Once upon a time", max_tokens=5).log_prob(str(drawn), tokenization="canonical"))
