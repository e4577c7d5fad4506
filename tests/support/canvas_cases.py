"""Small canvases with random marginals, and everything about them by brute force over all V^L fillings."""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np

import pgen
from pgen.chains.automaton import canvas_automaton
from pgen.chains.emissions import emissions
from pgen.testing import derivatives
from pgen.tokens.classes import token_table

ABC = pgen.Vocabulary([b"a", b"b", b"ab", b""], eos=3)
WITHOUT_EOS = pgen.Vocabulary([b"a", b"b", b"ba"], eos=())
WITH_SPECIAL = pgen.Vocabulary([b"a", b"b", b"<s>", b"</s>"], eos=3, special=[2])

LANGUAGES = {
    "any": pgen.Regex("[ab]*"),
    "even": pgen.Regex("(aa|b)*"),
    "ambiguous": pgen.Regex("(a|ab)(b|bb)?(a|b|ab)*"),
    "no-aa": ~pgen.Regex("[ab]*aa[ab]*") & pgen.Regex("[ab]*"),
    "counted": pgen.Regex("(ab?){1,3}"),
    "choice": pgen.choice("ab", "ba", "aab", "abab"),
    "nested": pgen.Regex("(ab|aabb|aaabbb)?"),
}


@dataclass
class Case:
    """One canvas: `log_probs (L, V)`, `canvas` with committed tokens, and the language over the vocabulary."""

    vocabulary: pgen.Vocabulary
    language: pgen.Language
    canvas: tuple
    log_probs: np.ndarray

    @property
    def automaton(self):
        return canvas_automaton(token_table(self.language.compile(self.vocabulary)), self.vocabulary)

    @property
    def emissions(self):
        return emissions(self.automaton, self.log_probs[None], [self.canvas])[0]

    def member(self, tokens):
        text = text_of(self.vocabulary, tokens)
        return text is not None and derivatives.matches(self.language.node, text)

    @functools.cached_property
    def _masses(self):
        return self._summed()

    def masses(self):
        """filling -> probability under the marginals, for those in the language that agree with the canvas."""
        return self._masses

    def _summed(self):
        found = {}
        for tokens in itertools.product(range(len(self.vocabulary)), repeat=len(self.canvas)):
            if all(c in (None, t) for c, t in zip(self.canvas, tokens, strict=True)) and self.member(tokens):
                logs = [self.log_probs[i, t] for i, t in enumerate(tokens) if self.canvas[i] is None]
                found[tokens] = math.exp(math.fsum(logs))
        return found


def text_of(vocabulary, tokens):
    """The bytes before the first end; `None` if a special token stands there."""
    data = b""
    for token in tokens:
        if token in vocabulary.eos:
            return data
        if token in vocabulary.special or not vocabulary.tokens[token]:
            return None
        data += vocabulary.tokens[token]
    return data


def random_log_probs(generator, length, size, holes=True):
    rows = generator.dirichlet(np.full(size, 0.7), length) + 1e-9
    if holes:
        rows[generator.random(rows.shape) < 0.1] = 0.0
        rows[rows.sum(axis=1) == 0] = 1.0
    with np.errstate(divide="ignore"):
        return np.log(rows / rows.sum(axis=1, keepdims=True))


def cases(count, seed, longest=5):
    """`count` cases; about half have committed positions."""
    generator = np.random.default_rng(seed)
    names = sorted(LANGUAGES)
    for number in range(count):
        vocabulary = (ABC, WITHOUT_EOS, WITH_SPECIAL)[number % 3]
        length = int(generator.integers(1, longest + 1))
        canvas = tuple(
            int(generator.integers(len(vocabulary))) if number % 2 and generator.random() < 0.4 else None
            for _ in range(length)
        )
        log_probs = random_log_probs(generator, length, len(vocabulary))
        yield Case(vocabulary, LANGUAGES[names[number % len(names)]], canvas, log_probs)
