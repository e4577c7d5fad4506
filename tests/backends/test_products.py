"""Products of experts against products of brute-force masses."""

import itertools
import math

import numpy as np
import pytest

import pgen
from pgen.backends.product_model import power, product
from pgen.inference.context import Context
from pgen.inference.drafting.left_to_right import LeftToRight
from pgen.sampling.truncation import TopK
from pgen.testing.laws import check_batch_independence, check_proper_weights
from pgen.testing.oracles import random_model, text_masses

LETTERS = pgen.Vocabulary([b"a", b"b", b"<eos>"], eos=2)
PIECES = pgen.Vocabulary([b"a", b"b", b"ab", b"<eos>"], eos=3)
OTHERS = pgen.Vocabulary([b"<end>", b"b", b"a", b"ba", b"bb", b"<pad>"], eos=0, special=5)
AB = pgen.Regex("[ab]{0,2}")


def multiplied(*masses_and_powers):
    texts = set.intersection(*(set(masses) for masses, _ in masses_and_powers))
    return {x: math.prod(masses[x] ** a for masses, a in masses_and_powers) for x in texts}


def posterior_masses(text):
    found = pgen.infer(text, method=pgen.Enumerate())
    return {x: p * math.exp(found.log_evidence) for x, p in found.probabilities().items()}


@pytest.mark.parametrize(("left", "right"), list(itertools.combinations_with_replacement([LETTERS, PIECES, OTHERS], 2)))
def test_products_are_those_of_the_string_distributions(left, right):
    p = random_model(left, 1).text("a", end="eos")
    q = random_model(right, 2).text("", end="eos")
    expected = multiplied((text_masses(p.given(AB), 3), 1), (text_masses(q.given(AB), 3), 1))
    for together in (p.given(AB) * q, (p * q).given(AB)):
        assert posterior_masses(together) == pytest.approx(expected, abs=1e-10)
    check_proper_weights(lambda: pgen.sample("x", (p * q).given(AB)), pgen.Importance(1, lookahead=0), expected)
    check_proper_weights(lambda: pgen.sample("x", (p * q).given(AB)), pgen.Importance(1, lookahead=2), expected)


def test_experts_agree_on_how_a_text_ends():
    models, only_a = [random_model(PIECES, 1), random_model(OTHERS, 2)], pgen.Regex("a{0,2}")
    by_eos = [text_masses(lm.text("", end="eos").given(only_a), 3) for lm in models]
    either = [text_masses(lm.text("", stop="b").given(only_a), 4) for lm in models]
    by_stop = [{x: masses[x] - ended.get(x, 0.0) for x in masses} for masses, ended in zip(either, by_eos, strict=True)]
    expected = {x: by_eos[0][x] * by_eos[1][x] + by_stop[0][x] * by_stop[1][x] for x in by_eos[0]}
    together = (models[0] * models[1]).text("", stop="b").given(only_a)
    assert posterior_masses(together) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("powers", [(0.5, 0.5), (0.3,), (2.0,), (1.0, 0.4), (0.6, 1.0, 1.0), (1.0, -0.7)])
def test_powers(powers):
    vocabularies = [PIECES, LETTERS, OTHERS]
    models = [random_model(vocabulary, 7 + i) for i, vocabulary in enumerate(vocabularies[: len(powers)])]
    texts = [lm.text("", end="eos").given(AB) for lm in models]
    together = product(*(text**a for text, a in zip(texts, powers, strict=True)))
    expected = multiplied(*((text_masses(text, 3), a) for text, a in zip(texts, powers, strict=True)))
    assert posterior_masses(together) == pytest.approx(expected, rel=1e-9)
    check_proper_weights(lambda: pgen.sample("x", together), pgen.Importance(1, lookahead=0), expected)
    check_proper_weights(lambda: pgen.sample("x", together), pgen.Importance(1, lookahead=3), expected)
    assert together.log_prob("ab") == pytest.approx(math.log(expected["ab"]), abs=1e-9)


def test_bounds_hold_while_powers_below_one_can_gain():
    text = random_model(LETTERS, 3).text("", end="eos").given(pgen.Regex("[ab]{0,4}"))
    exact = math.log(sum(posterior_masses(text**0.3).values()))
    assert exact > 1
    tree = LeftToRight(Context()).tree(text**0.3)
    for _ in range(8):
        tree.expand(1)
        assert tree.log_found <= exact <= np.logaddexp(tree.log_found, tree.log_frontier)
    with pytest.raises(pgen.LimitExceeded):
        pgen.infer(text**0.3, method=pgen.Enumerate(tol=0.5, max_evaluations=3))


def test_end_rules_of_bytes():
    """Under "prefix" and "match" the product is that of the byte models."""
    p, q = random_model(PIECES, 4), random_model(OTHERS, 5)
    for rule in ("prefix", "match"):
        texts = [lm.text("", end=rule).given(AB).bytes() for lm in (p, q)]
        expected = multiplied((posterior_masses(texts[0]), 1), (posterior_masses(texts[1]), 0.5))
        assert posterior_masses(texts[0] * texts[1] ** 0.5) == pytest.approx(expected, rel=1e-9)
        assert posterior_masses((p * q**0.5).text("", end=rule).given(AB)) == pytest.approx(expected, rel=1e-9)
        program = lambda: pgen.sample("x", texts[0] * texts[1] ** 0.5)  # noqa: B023, E731
        check_proper_weights(program, pgen.Importance(1, lookahead=0), expected)


def test_products_over_tokens_are_those_of_token_sequences():
    lm, other = random_model(PIECES, 8), random_model(PIECES, 9)
    text = product(lm.text("", max_tokens=2, end="eos"), other.text("a", max_tokens=3, end="eos"), over="tokens").given(
        AB
    )
    expected = {}
    for n in range(3):
        for tokens in itertools.product(range(3), repeat=n):
            data = PIECES.decode(tokens).decode()
            if pgen.Regex("[ab]{0,2}").matches(data):
                paths = lm.path_logits((), (*tokens, 3)), other.path_logits((0,), (*tokens, 3))
                log_mass = sum(path[i][t] for path in paths for i, t in enumerate((*tokens, 3)))
                expected[data] = expected.get(data, 0.0) + math.exp(log_mass)
    assert posterior_masses(text) == pytest.approx(expected, rel=1e-10)
    check_proper_weights(lambda: pgen.sample("x", text), pgen.Importance(1, lookahead=0), expected)


def test_models_multiply_before_their_prompt_is_known():
    lm, other = random_model(PIECES, 1), random_model(OTHERS, 2)
    together = (lm * other**2.0).text("a", end="eos").given(AB)
    by_hand = (lm.text("a", end="eos") * other.text("a", end="eos") ** 2.0).given(AB)
    assert posterior_masses(together) == pytest.approx(posterior_masses(by_hand))
    assert posterior_masses((lm**0.5).text("", end="eos").given(AB)) == pytest.approx(
        posterior_masses(power(lm.text("", end="eos"), 0.5).given(AB))
    )


def test_temperature_truncation_and_critics_are_kept():
    p = random_model(LETTERS, 1).text("", end="eos", temperature=0.5, truncate=TopK(2)).given(AB)
    q = random_model(PIECES, 2).text("", end="eos").where(lambda text: "bb" not in text)
    masses = posterior_masses(p), posterior_masses(q.given(AB))
    assert posterior_masses(p * q) == pytest.approx(multiplied((masses[0], 1), (masses[1], 1)), abs=1e-10)


def test_resampling_and_batches():
    p, q = random_model(PIECES, 3).text("", end="eos").given(AB), random_model(OTHERS, 4).text("", end="eos")
    expected = multiplied((text_masses(p, 3), 1), (text_masses(q.given(AB), 3), 1))
    small = (p * q).given(pgen.choice("a", "b"))
    method = pgen.SMC(2, ess_threshold=1.0, resample="tokens", lookahead=0)
    check_proper_weights(lambda: pgen.sample("x", small), method, {x: expected[x] for x in ("a", "b")})
    check_batch_independence(lambda: pgen.sample("x", p * q), pgen.SMC(9, lookahead=0))


def test_disjoint_experts_have_no_evidence():
    only_a = pgen.backends.tabular.TabularAR(LETTERS, lambda tokens: np.log([1.0, 1e-300, 1e-300]))
    p = random_model(LETTERS, 1).text("", end="eos", truncate=TopK(1)).given(pgen.choice("a", "b"))
    q = only_a.text("", end="eos", truncate=TopK(1)).given(pgen.choice("b"))
    with pytest.raises(pgen.ZeroEvidence):
        pgen.infer(p * q)


def test_misuse_says_so():
    lm = random_model(LETTERS, 1)
    eos, stop = lm.text("", end="eos"), lm.text("", stop="b")
    for call in (
        lambda: eos * stop,
        lambda: product(),
        lambda: product("a"),
        lambda: eos**0,
        lambda: eos**math.inf,
        lambda: product(eos, over="characters"),
        lambda: product(eos, random_model(PIECES, 1).text(""), over="tokens"),
        lambda: random_model(PIECES, 1).text("", max_tokens=2) * eos,
        lambda: (lm * lm).text("", max_tokens=2).model.encode("a") and None,
    ):
        with pytest.raises((pgen.InvalidArgument, pgen.ModelError)):
            call()
    for call in (lambda: eos.within(AB) * eos, lambda: eos.where(bool) ** 2.0):
        with pytest.raises(pgen.UnsupportedFeature):
            call()
