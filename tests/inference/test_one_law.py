"""One law of texts on four kinds of model, left to right, by insertion, in any order, by denoising: one posterior."""

import itertools
import math
from functools import cache

import numpy as np
import pytest

import pgen
from pgen.backends.tabular import TabularAnyOrder, TabularAR, TabularDiffusion, TabularInsertion

LENGTH = 4
VOCABULARY = pgen.Vocabulary([b"a", b"b", b"<eos>"], eos=2)
EOS = 2


def random_law(seed):
    """Masses of all token sequences of at most `LENGTH` letters, some of them 0."""
    random = np.random.default_rng(seed)
    sequences = [s for n in range(LENGTH + 1) for s in itertools.product((0, 1), repeat=n)]
    masses = random.exponential(size=len(sequences)) * (random.random(len(sequences)) > 0.2)
    return dict(zip(sequences, masses / masses.sum(), strict=True))


def logs(masses, total):
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(masses) / total)


def left_to_right(law):
    def next_logprobs(tokens):
        row = np.zeros(3)
        for sequence, mass in law.items():
            if sequence[: len(tokens)] == tokens:
                row[sequence[len(tokens)] if len(sequence) > len(tokens) else EOS] += mass
        return logs(row, row.sum()) if row.sum() else np.log(np.full(3, 1 / 3))

    return TabularAR(VOCABULARY, next_logprobs)


@cache
def places(part, whole):
    """Every way to choose positions of `whole` that spell `part`."""
    chosen = itertools.combinations(range(len(whole)), len(part))
    return [positions for positions in chosen if tuple(whole[i] for i in positions) == part]


def by_insertion(law):
    """A sequence drawn from the law, its tokens inserted in a random order: the step given what stands so far."""

    def insert(tokens):
        slots, stop = np.zeros((len(tokens) + 1, 3)), law.get(tokens, 0.0)
        for whole, mass in law.items():
            ways = math.comb(len(whole), len(tokens))
            for positions in places(tokens, whole):
                missing = [i for i in range(len(whole)) if i not in positions]
                for i in missing:
                    slot = sum(position < i for position in positions)
                    slots[slot, whole[i]] += mass / ways / len(missing)
        total = slots.sum() + stop
        if total == 0:
            return logs(slots, 1.0), 0.0
        return logs(slots, total), float(logs(stop, total))

    return TabularInsertion(VOCABULARY, insert)


def conditionals_of(law):
    """Canvases padded with ends; the conditionals of their joint law."""
    joint = {(*sequence, *[EOS] * (LENGTH - len(sequence))): mass for sequence, mass in law.items()}

    def conditionals(canvas):
        rows = np.zeros((LENGTH, 3))
        for full, mass in joint.items():
            if all(token in (None, there) for token, there in zip(canvas, full, strict=True)):
                rows[np.arange(LENGTH), full] += mass
        total = rows[0].sum()
        return logs(rows, total) if total else np.log(np.full((LENGTH, 3), 1 / 3))

    return conditionals


LANGUAGES = [
    pgen.Regex("[ab]*"),
    pgen.Regex("a[ab]*b"),
    pgen.Regex("(ab|ba){1,2}"),
    pgen.choice("", "b", "aab", "abba"),
]


def distributions(law, language):
    yield left_to_right(law).text("", max_tokens=LENGTH, end="eos").given(language)
    yield by_insertion(law).text("", max_tokens=LENGTH).given(language)
    for order in ("left_to_right", "random", "entropy"):
        yield TabularAnyOrder(VOCABULARY, conditionals_of(law)).text("", length=LENGTH, order=order).given(language)
    for order in ("left_to_right", "confidence"):
        denoiser = TabularDiffusion(VOCABULARY, LENGTH, conditionals_of(law))
        yield denoiser.text("", length=LENGTH, order=order).given(language)


def posterior_of(text, method):
    def program():
        x = pgen.sample("x", text)
        pgen.factor("long", 0.3 * len(x))
        pgen.condition("not all a", x != "aaaa")
        return str(x)

    return pgen.infer(program, method=method)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("language", LANGUAGES, ids=repr)
def test_one_posterior_on_four_kinds_of_model(language, seed):
    law = random_law(seed)
    expected = {}
    for sequence, mass in law.items():
        text = "".join("ab"[token] for token in sequence)
        if mass > 0 and language.matches(text) and text != "aaaa":
            expected[text] = mass * math.exp(0.3 * len(text))
    evidence = sum(expected.values())
    for text in distributions(law, language):
        posterior = posterior_of(text, pgen.Enumerate())
        assert posterior.log_evidence == pytest.approx(math.log(evidence), abs=1e-9)
        shares = posterior.probabilities()
        apart = sum(abs(shares.get(x, 0.0) - expected.get(x, 0.0) / evidence) for x in {*shares, *expected}) / 2
        assert apart < 1e-9


def test_sampling_agrees_too():
    law, language = random_law(7), LANGUAGES[1]
    exact = posterior_of(next(distributions(law, language)), pgen.Enumerate()).probabilities()
    for text in distributions(law, language):
        shares = posterior_of(text, pgen.Importance(200, lookahead=0)).probabilities()
        assert sum(abs(shares.get(x, 0.0) - p) for x, p in exact.items()) / 2 < 0.17
