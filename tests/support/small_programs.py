"""Small programs whose runs can all be enumerated, with structure that depends on choices."""

from __future__ import annotations

from cases import VOCABULARIES

import pgen
from pgen import handlers
from pgen.testing.oracles import random_model

MODEL = random_model(VOCABULARIES["pieces"], seed=11)
SMALL = random_model(VOCABULARIES["letters"], seed=12)
COIN = pgen.categorical({"h": 0.5, "t": 0.5})


def text(prompt, *words, **options):
    return MODEL.text(prompt, **{"max_tokens": 3, "end": "eos", **options}).given(pgen.choice(*words))


def branching():
    """One branch has a choice more, and another distribution at a shared address."""
    coin = pgen.sample("coin", COIN)
    if coin == "h":
        pgen.sample("extra", pgen.categorical({1: 0.3, 2: 0.7}))
    word = pgen.sample("word", text("a" if coin == "h" else "", "a", "ab"))
    pgen.factor("bonus", 0.4 if word == "ab" else 0.0)
    return coin, str(word)


def in_turn():
    """Texts whose prompts are earlier texts; an observation at the end."""
    first = pgen.sample("first", text("", "ab", "b"))
    second = pgen.sample("second", text(first, "a", "ab"))
    pgen.observe("seen", pgen.categorical({True: 0.8, False: 0.2}), first[0] == second[0])
    return str(first), str(second)


def support_shrinks():
    """What one choice allows the next to be: a kept value may be impossible."""
    low = pgen.sample("low", pgen.categorical({0: 0.4, 1: 0.6}))
    high = pgen.sample("high", pgen.categorical({2: 0.5, low: 0.5}))
    pgen.condition("apart", high != 1)
    return low, high


def powered():
    """Everything to the power one half."""
    with handlers.scale(scale=0.5):
        coin = pgen.sample("coin", pgen.categorical({"h": 0.9, "t": 0.1}))
        word = pgen.sample("word", text("a" if coin == "h" else "", "a", "ab"))
    return coin, str(word)


def normalised():
    """A prior that is normalised beside a text that is evidence."""
    kind = pgen.sample("kind", MODEL.text("", max_tokens=2, end="eos").within(pgen.choice("a", "b")))
    word = pgen.sample("word", text(kind, "a", "ab"))
    return str(kind), str(word)


def free():
    """Text without a language, cut at two tokens."""
    word = pgen.sample("word", SMALL.text("", max_tokens=2))
    pgen.factor("short", -0.5 * len(word))
    return str(word)


def hidden():
    """A choice without a public name."""
    with handlers.block():
        coin = pgen.sample("coin", COIN)
    return coin, str(pgen.sample("word", text("a" if coin == "h" else "", "a", "ab")))


def more_texts():
    """One text decides whether there is another."""
    first = pgen.sample("first", text("", "ab", "b"))
    if first == "ab":
        pgen.sample("second", text("b", "a", "b"))
    return str(first)


def one_listed():
    """A text that few evaluations can list under one value of the coin, and not under the other."""
    coin = pgen.sample("coin", COIN)
    language = pgen.choice("aba", "abb") if coin == "h" else pgen.Regex("[ab]{3}")
    return coin, str(pgen.sample("word", MODEL.text("a", max_tokens=3, end="eos").given(language)))


PROGRAMS = [branching, in_turn, support_shrinks, powered, normalised, free, hidden, more_texts]


def exact(program):
    """Return value -> unnormalised mass, by enumeration (itself checked against brute force elsewhere)."""
    import math

    posterior = pgen.infer(program, method=pgen.Enumerate())
    return {value: share * math.exp(posterior.log_evidence) for value, share in posterior.probabilities().items()}
