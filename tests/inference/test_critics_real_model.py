"""Predicates, products and guides on SmolLM2."""

import pytest

import pgen
from pgen.backends.product_model import product
from pgen.chains.byte_ngram import ByteNgram

pytestmark = pytest.mark.model

CAPITALS = ("Paris", "London", "Lyon", "The Hague", "The city of Rome", "Rome")


@pytest.fixture(scope="module")
def lm():
    return pgen.load("smollm2")


def total_variation(p, q):
    return sum(abs(p.get(x, 0.0) - q.get(x, 0.0)) for x in {*p, *q}) / 2


def test_a_predicate_is_tested_a_few_times_per_token(lm):
    seen = []
    text = lm.text("The best season is", max_tokens=4).where(lambda text: seen.append(text) or "e" not in text)
    posterior = pgen.infer(text, method=pgen.Importance(4, lookahead=0), seed=0)
    assert all("e" not in value for value in posterior.values)
    assert len(seen) < 4 * 4 * 40


def test_products_follow_the_experts(lm):
    colours = pgen.choice(" blue", " green", " red", " grey")
    sky, grass = lm.text("The sky is", end="prefix"), lm.text("The grass is", end="prefix")
    masses = [pgen.infer(text.given(colours), method=pgen.Enumerate(tol=1e-4)) for text in (sky, grass)]
    both = pgen.infer(product(sky, grass, over="tokens").given(colours), method=pgen.Enumerate(tol=1e-4))
    shares = [posterior.probabilities() for posterior in masses]
    expected = {colour: shares[0][colour] * shares[1][colour] for colour in shares[0]}
    expected = {colour: share / sum(expected.values()) for colour, share in expected.items()}
    # Sums over spellings differ; each colour has one spelling with nearly all of the mass.
    assert total_variation(both.probabilities(), expected) < 0.01


def test_a_guide_finds_what_blind_resampling_loses(lm):
    plain = lm.chat("What is the capital of France?", end="eos").given(pgen.choice(*CAPITALS))
    exact = pgen.infer(plain, method=pgen.Enumerate(tol=1e-3))
    guide = ByteNgram.from_texts(["The capital of France is Paris.", "Paris", "Paris.", "It is Paris."], order=4)
    found = pgen.infer(plain.guided(guide), method=pgen.SMC(8, resample="tokens", lookahead=0), seed=0)
    assert total_variation(found.probabilities(), exact.probabilities()) < 0.2
    assert found.log_evidence == pytest.approx(exact.log_evidence, abs=1.0)
