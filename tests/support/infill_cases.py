"""Templates with one to three holes, a tabular model of every kind, and the masses of their texts by brute force."""

from __future__ import annotations

import math

from anyorder_oracles import ORDERS, random_anyorder
from anyorder_oracles import text_masses as canvas_masses
from insertion_oracles import random_insertion

import pgen
from pgen.backends.tabular import TabularAnyOrder, TabularAR, TabularDiffusion, TabularInsertion
from pgen.testing.oracles import random_model, text_masses

VOCABULARY = pgen.Vocabulary([b"a", b"b", b"ab", b"-", b"<eos>"], eos=4)
KINDS = ("left to right", "diffusion", "any order", "insertion")
TEMPLATES = {
    "a{x}-": {"x": pgen.Regex("b?a?")},
    "{x}-{y}": {"x": pgen.Regex("b?"), "y": pgen.choice("a", "b", "ab")},
    "{x}-{y}b{z}": {"x": pgen.Regex("a?"), "y": pgen.Regex("a?"), "z": pgen.Regex("[ab]?")},
}
LENGTH = 5
"""Positions of a canvas, tokens of a text: enough for every text of the templates."""


def model(kind, seed):
    if kind == "left to right":
        return random_model(VOCABULARY, seed)
    if kind == "insertion":
        return random_insertion(VOCABULARY, seed)
    lm = random_anyorder(VOCABULARY, seed, zeros=0)
    return lm if kind == "any order" else TabularDiffusion(VOCABULARY, LENGTH, lm._conditionals)


def never(tokens):
    raise AssertionError("the model was asked")


def silent(kind):
    """A model that must not be asked."""
    if kind == "left to right":
        return TabularAR(VOCABULARY, never, context_length=12)
    if kind == "insertion":
        return TabularInsertion(VOCABULARY, never, context_length=12)
    return TabularAnyOrder(VOCABULARY, never) if kind == "any order" else TabularDiffusion(VOCABULARY, LENGTH, never)


def room(kind, size=LENGTH):
    """The argument of `fill` that bounds the size of a text, or of what is inserted."""
    return {"max_tokens": size} if kind in ("left to right", "insertion") else {"length": size}


def filling(kind, lm, template, **holes):
    order = {"order": "left_to_right"} if kind == "diffusion" else {}
    return lm.fill(template, **room(kind), **order, **holes)


def masses(kind, lm, text):
    """Mass of every text of a template."""
    if kind == "left to right":
        return text_masses(text.inner, LENGTH)
    if kind == "insertion":
        fixed = [list(VOCABULARY.encode(part)) for part in text.parts]
        contents = holes_masses(lm, fixed, list(text.template.holes.values()), LENGTH, short)
        summed = {}
        for content, mass in contents.items():
            whole = "".join(p + c for p, c in zip(text.parts, [*content, ""], strict=True))
            summed[whole] = summed.get(whole, 0.0) + mass
        return summed
    diffuses = kind == "diffusion"
    rows = TabularAnyOrder(VOCABULARY, lambda canvas: lm.marginals([()], [canvas])[0]) if diffuses else lm
    return canvas_masses(rows, (), LENGTH, ORDERS["left_to_right"], text.template)


def holes_masses(lm, fixed, languages, max_tokens, hopeful=bool):
    """Mass of every content of the holes: all histories of hopeful insertions into them, up to the stop."""
    found = {}

    def follow(holes, mass):
        tokens, slots = [], []
        for hole, part in zip([*holes, None], fixed, strict=True):
            tokens += part
            if hole is not None:
                slots.append((len(tokens), len(hole) + 1))
                tokens += hole
        logs, stop = lm._insert(tuple(tokens))
        open_mass = sum(math.exp(v) for first, n in slots for row in logs[first : first + n] for v in row)
        total = open_mass + math.exp(stop)
        contents = tuple("".join(VOCABULARY.tokens[t].decode() for t in hole) for hole in holes)
        if all(language.matches(text) for language, text in zip(languages, contents, strict=True)):
            found[contents] = found.get(contents, 0.0) + mass * math.exp(stop) / total
        if sum(map(len, holes)) == max_tokens:
            return
        for k, (first, n) in enumerate(slots):
            for gap in range(n):
                for token, log_mass in enumerate(logs[first + gap]):
                    grown = (*holes[k][:gap], token, *holes[k][gap:])
                    if log_mass > -math.inf and hopeful(grown):
                        follow((*holes[:k], grown, *holes[k + 1 :]), mass * math.exp(log_mass) / total)

    follow(tuple(() for _ in languages), 1.0)
    return {contents: mass for contents, mass in found.items() if mass > 0}


def short(tokens):
    """Whether a hole of `TEMPLATES` may still become a member: histories beyond are hopeless."""
    text = b"".join(VOCABULARY.tokens[t] for t in tokens)
    return len(text) <= 2 and b"-" not in text
