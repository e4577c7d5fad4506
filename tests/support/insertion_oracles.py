"""Random tabular insertion models, and the masses of their texts by plain recursion over all histories."""

from __future__ import annotations

import math
import zlib
from collections import defaultdict

import numpy as np

from pgen.backends.tabular_insertion import TabularInsertion
from pgen.language import ir
from pgen.language.base import Language

ANY = Language(ir.ANY_TEXT, description="any text")


def random_insertion(vocabulary, seed, stop_weight=1.0, zeros=0.2):
    """A model whose step after a sequence is a pure function of (seed, sequence); some masses are 0."""
    text_tokens = [i for i, t in enumerate(vocabulary.tokens) if t and i not in vocabulary.eos | vocabulary.special]

    def insert(tokens):
        random = np.random.default_rng([seed, zlib.crc32(repr(tokens).encode())])
        weights = np.zeros((len(tokens) + 1, len(vocabulary)))
        drawn = random.exponential(size=(len(tokens) + 1, len(text_tokens)))
        weights[:, text_tokens] = drawn * (random.random(drawn.shape) > zeros)
        stop = random.exponential() * stop_weight * (len(tokens) + 1)
        total = weights.sum() + stop
        with np.errstate(divide="ignore"):
            return np.log(weights / total), math.log(stop / total)

    return TabularInsertion(vocabulary, insert)


def sequence_masses(lm, prompt, max_tokens, truncated):
    """Mass of every token sequence: all histories of insertions after the prompt, up to the stop.

    With `truncated` a sequence of `max_tokens` tokens is complete without a stop.
    """
    found = defaultdict(float)

    def follow(sequence, mass):
        if truncated and len(sequence) == max_tokens:
            found[sequence] += mass
            return
        slots, stop = lm._insert(prompt + sequence)
        open_slots = np.exp(slots[len(prompt) :])
        total = open_slots.sum() + math.exp(stop)
        found[sequence] += mass * math.exp(stop) / total
        if len(sequence) == max_tokens:
            return
        for gap, token in np.argwhere(open_slots > 0):
            following = (*sequence[:gap], int(token), *sequence[gap:])
            follow(following, mass * open_slots[gap, token] / total)

    follow((), 1.0)
    return dict(found)


def text_masses(lm, prompt, max_tokens, language=None):
    """Mass of every text: the sequences that spell it, restricted to a language."""
    found = defaultdict(float)
    for sequence, mass in sequence_masses(lm, prompt, max_tokens, language is None).items():
        data = b"".join(lm.vocabulary.tokens[t] for t in sequence)
        if (language is None and len(sequence) == max_tokens) or (language or ANY).matches(data):
            found[data.decode(errors="replace")] += mass
    return {text: mass for text, mass in found.items() if mass > 0}
