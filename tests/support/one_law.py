"""One law of texts on four kinds of model, left to right, by insertion, in any order, by denoising."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np

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


def distributions(law, language):
    """The same texts on each kind of model, in several orders where there are any."""
    made = {
        "left to right": left_to_right(law).text("", max_tokens=LENGTH, end="eos"),
        "insertion": by_insertion(law).text("", max_tokens=LENGTH),
    }
    for order in ("left_to_right", "random", "entropy"):
        anyorder = TabularAnyOrder(VOCABULARY, conditionals_of(law))
        made[f"any order, {order}"] = anyorder.text("", length=LENGTH, order=order)
    for order in ("left_to_right", "confidence"):
        denoiser = TabularDiffusion(VOCABULARY, LENGTH, conditionals_of(law))
        made[f"diffusion, {order}"] = denoiser.text("", length=LENGTH, order=order)
    return {name: text.given(language) for name, text in made.items()}
