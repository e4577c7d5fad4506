"""Random tabular any-order models, and the masses of their texts by plain recursion over positions."""

from __future__ import annotations

import zlib
from collections import defaultdict

import numpy as np
from insertion_oracles import ANY

from pgen.backends.tabular_anyorder import TabularAnyOrder


def random_anyorder(vocabulary, seed, zeros=0.15):
    """Conditionals that are a pure function of (seed, canvas): different orders have different joint laws."""

    def conditionals(canvas):
        random = np.random.default_rng([seed, zlib.crc32(repr(canvas).encode())])
        weights = random.exponential(size=(len(canvas), len(vocabulary)))
        weights *= random.random(weights.shape) > zeros
        weights[np.arange(len(canvas)), random.integers(len(vocabulary), size=len(canvas))] += 0.3
        with np.errstate(divide="ignore"):
            return np.log(weights / weights.sum(1, keepdims=True))

    return TabularAnyOrder(vocabulary, conditionals)


def canvas_masses(lm, prompt, length, order):
    """Mass of every full canvas; `order(canvas, rows)` gives positions with probabilities."""
    found = defaultdict(float)

    def follow(canvas, mass):
        if None not in canvas:
            found[canvas] += mass
            return
        rows = np.exp(np.asarray(lm._conditionals((*prompt, *canvas))))[len(prompt) :]
        for position, share in order(canvas, rows):
            for token in np.flatnonzero(rows[position]):
                filled = (*canvas[:position], int(token), *canvas[position + 1 :])
                follow(filled, mass * share * rows[position, token])

    follow((None,) * length, 1.0)
    return dict(found)


def text_masses(lm, prompt, length, order, language=None):
    """Mass of every text: what stands before the first end in a canvas, if it is text and a member."""
    found = defaultdict(float)
    vocabulary = lm.vocabulary
    for canvas, mass in canvas_masses(lm, prompt, length, order).items():
        ends = [i for i, token in enumerate(canvas) if token in vocabulary.eos]
        tokens = canvas[: ends[0]] if ends else canvas
        if any(token in vocabulary.special or not vocabulary.tokens[token] for token in tokens):
            continue
        data = b"".join(vocabulary.tokens[token] for token in tokens)
        if (language or ANY).matches(data):
            found[data.decode()] += mass
    return {text: mass for text, mass in found.items() if mass > 0}


def open_positions(canvas):
    return [i for i, token in enumerate(canvas) if token is None]


def best(score):
    """The open position with the highest score, the first of several."""
    return lambda canvas, rows: [(max(open_positions(canvas), key=lambda i: (score(rows[i]), -i)), 1.0)]


def negative_entropy(row):
    return sum(p * np.log(p) for p in row if p > 0)


def gap(row):
    return sorted(row)[-1] - sorted(row)[-2]


ORDERS = {
    "left_to_right": lambda canvas, rows: [(open_positions(canvas)[0], 1.0)],
    "random": lambda canvas, rows: [(i, 1 / len(open_positions(canvas))) for i in open_positions(canvas)],
    "confidence": best(max),
    "entropy": best(negative_entropy),
    "margin": best(gap),
    (2, 0, 1): lambda canvas, rows: [(next(i for i in (2, 0, 1) if canvas[i] is None), 1.0)],
}
