"""A language model over bytes that is told what it says after which cue, so that every answer is known exactly."""

from __future__ import annotations

import math

import pgen
from pgen.backends.tabular import TabularAR

EOS = 256
VOCABULARY = pgen.Vocabulary([*(bytes([b]) for b in range(256)), b""], eos=EOS)


def cued_model(cues):
    """`cues`: text -> {continuation: probability}, or a function that gives it from the text before the cue.

    The cue that occurs last decides. After a continuation comes the end of the text, as it does after any other.
    """

    def next_logprobs(tokens):
        text = bytes(token for token in tokens if token != EOS).decode("latin1")
        end, cue = max((text.rfind(cue) + len(cue) if cue in text else -1, cue) for cue in cues)
        said = cues[cue] if end >= 0 else {}
        continuations = said(text[: end - len(cue)]) if callable(said) else said
        return row_after(text[end:], continuations)

    return TabularAR(VOCABULARY, next_logprobs, context_length=8192)


def row_after(written, continuations):
    """Log probabilities of the next byte, given the beginning of one of the continuations."""
    row = [0.0] * (EOS + 1)
    for text, probability in continuations.items():
        if text.startswith(written):
            row[EOS if text == written else ord(text[len(written)])] += probability
    total = sum(row)
    if total == 0:
        row[EOS] = total = 1.0
    return [math.log(mass / total) if mass else -math.inf for mass in row]


def normalized(masses):
    """Probabilities from masses that add up for equal keys: pairs (value, mass)."""
    found = {}
    for value, mass in masses:
        found[value] = found.get(value, 0.0) + mass
    total = sum(found.values())
    return {value: mass / total for value, mass in found.items() if mass > 0}
