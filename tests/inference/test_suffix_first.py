"""The fill-in-the-middle prompt as a proposal, and moves on single holes: the plain model's law, by enumeration."""

import math

import numpy as np
import pytest
from infill_cases import silent

import pgen
from pgen.backends.tabular import TabularAR
from pgen.programs.suffix_first import NAMES, markers_of
from pgen.testing import generative_laws as laws
from pgen.testing.laws import check_batch_independence, check_proper_weights
from pgen.testing.oracles import random_model, text_masses

MARKERS = [b"<|fim_prefix|>", b"<|fim_suffix|>", b"<|fim_middle|>"]
VOCABULARY = pgen.Vocabulary([b"a", b"b", b"ab", b"-", *MARKERS, b"b-", b"<eos>"], eos=8, special=(4, 5, 6))


@pytest.mark.parametrize("lookahead", [0, 2])
@pytest.mark.parametrize(
    ("template", "holes", "max_tokens"),
    [
        ("a{x}-", {"x": pgen.Regex("[ab]{1,2}")}, 3),
        ("{x}-{y}", {"x": pgen.Regex("b?"), "y": pgen.choice("a", "b")}, 3),
        ("{x}b{y}", {"x": ..., "y": ...}, 2),
    ],
)
def test_the_law_stays_that_of_the_plain_model(template, holes, max_tokens, lookahead):
    text = random_model(VOCABULARY, 1).fill(template, max_tokens=max_tokens, prompt="b", **holes)
    expected = text_masses(text.inner, max_tokens)
    assert len(expected) > 1
    drawn = text.suffix_first()

    def program():
        return str(pgen.sample("text", drawn))

    check_proper_weights(program, pgen.Importance(1, lookahead=lookahead), expected, 1e-12)


def test_weights_stay_proper_where_the_prompt_does_not_fit():
    text = random_model(VOCABULARY, 2, context_length=4).fill("{x}-", max_tokens=2, x=pgen.Regex("[ab]"))
    drawn = text.suffix_first()
    check_proper_weights(
        lambda: str(pgen.sample("t", drawn)), pgen.Importance(1, lookahead=0), text_masses(text.inner, 2), 1e-12
    )


LETTERS = [bytes([b]) for b in b"abcdefghABCDEFGH:"]
CODE = pgen.Vocabulary([*LETTERS, *MARKERS, b"<eos>"], eos=20, special=(17, 18, 19))


def keyed(asked):
    """Writes any letter, a colon, and the capital of the letter; asked for a middle, it reads the capital."""

    def next_logprobs(tokens):
        asked.append(tokens)
        row = np.full(len(CODE), 1e-4)
        if tokens and tokens[-1] == 19:
            row[tokens[-2] - 8] = 1.0
        elif tokens and tokens[-1] == 16:
            row[tokens[-2] + 8] = 1.0
        elif len(tokens) % 2 == 0:
            row[:8] = 1 / 8
        else:
            row[16] = 1.0
        return np.log(row / row.sum())

    return TabularAR(CODE, next_logprobs)


def test_what_stands_behind_a_hole_is_seen():
    asked = []
    text = keyed(asked).fill("{x}:C", x=pgen.Regex("[a-h]"))
    plain = pgen.infer(text, method=pgen.Importance(16, lookahead=0), seed=3)
    asked.clear()
    seen = pgen.infer(text.suffix_first(), method=pgen.Importance(16, lookahead=0), seed=3)
    assert plain.ess < 6
    assert seen.ess > 12
    before, behind, middle = (CODE.tokens.index(name) for name in MARKERS)
    assert (before, behind, *CODE.encode(":C"), middle) in asked
    exact = pgen.infer(text, method=pgen.Enumerate())
    assert seen.log_evidence == pytest.approx(exact.log_evidence, abs=0.4)


def test_results_do_not_depend_on_batches():
    drawn = random_model(VOCABULARY, 5).fill("{x}-{y}", max_tokens=4).suffix_first()
    check_batch_independence(lambda: str(pgen.sample("t", drawn)), pgen.SMC(6, lookahead=0), seed=3)


@pytest.mark.parametrize("names", NAMES)
def test_families_of_markers_are_known_by_name(names):
    vocabulary = pgen.Vocabulary([b"a", *(name.encode() for name in names), b"<eos>"], eos=4)
    assert markers_of(vocabulary, "lm") == (1, 2, 3, (4,))


def test_models_without_such_a_prompt_are_refused():
    with pytest.raises(pgen.UnsupportedFeature, match="tabular has no tokens to fill in the middle with"):
        silent("left to right").fill("a{x}").suffix_first()
    with pytest.raises(pgen.UnsupportedFeature, match="left-to-right"):
        silent("diffusion").fill("a{x}", length=5).suffix_first()


PLAIN = pgen.Vocabulary([b"a", b"b", b"ab", b"-", b"<eos>"], eos=4)
TWO = random_model(PLAIN, 1).fill("a{x}-{y}", x=pgen.Regex("b?"), y=pgen.choice("a", "b"))
TOUCHING = random_model(PLAIN, 1).fill("a{x}{y}-", x=pgen.Regex("b?"), y=pgen.Regex("a?"))


def generative(text):
    def program():
        value = pgen.sample("text", text)
        pgen.factor("y", 0.5 * len(value.holes["y"]))
        return str(value)

    return pgen.Generative(program)


@pytest.mark.parametrize("text", [TWO, TOUCHING], ids=["two", "touching"])
def test_moves_leave_the_posterior_of_a_template_unchanged(text):
    model = generative(text)
    for kernel in (pgen.RegenerateHole("x"), pgen.RegenerateSpan(length=1), pgen.Regenerate()):
        laws.check_invariance(model, kernel)
    runs, matrix, masses = laws.transition_matrix(model, pgen.RegenerateHole())
    assert masses @ matrix == pytest.approx(masses, abs=1e-12)
    assert (np.linalg.matrix_power(matrix, 8) > 0).all()
    assert {run.choices["text"].law.level for run in runs} == {"spelled"}


def test_a_chain_over_holes_finds_the_posterior():
    exact = pgen.infer(TWO, method=pgen.Enumerate()).probabilities()
    kernels = (pgen.RegenerateHole(), pgen.RegenerateSpan())
    chain = pgen.infer(TWO, method=pgen.MCMC(kernels, steps=150, chains=2, lookahead=0), seed=0)
    found = chain.probabilities()
    assert sum(abs(found.get(x, 0.0) - mass) for x, mass in exact.items()) / 2 < 0.1


def test_a_hole_that_is_not_there_is_named():
    with pytest.raises(pgen.InvalidArgument, match="'text' has no hole 'z'"):
        pgen.infer(TWO, method=pgen.MCMC(pgen.RegenerateHole("z"), steps=1, lookahead=0))
    plain = random_model(PLAIN, 1).text("", max_tokens=2)
    with pytest.raises(pgen.InvalidArgument, match="no text with holes"):
        pgen.infer(plain, method=pgen.MCMC(pgen.RegenerateHole(), steps=1, lookahead=0))
    assert math.isnan(pgen.infer(TWO, method=pgen.MCMC(pgen.RegenerateHole("x"), steps=1, lookahead=0)).log_evidence)
