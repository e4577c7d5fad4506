"""Generated (tabular model, language, program) cases with their posterior by plain loops.

Each program comes with a function that restates it as sums over `text_masses`, the
brute force of `pgen.testing.oracles`; nothing of the engine is used.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pgen
from pgen.language import ir
from pgen.language.base import Language
from pgen.programs.text import TextDistribution
from pgen.testing.oracles import random_model, text_masses

EOS = b"<eos>"
VOCABULARIES = {
    "letters": pgen.Vocabulary([b"a", b"b", EOS], eos=2),
    "pieces": pgen.Vocabulary([b"a", b"b", b"ab", EOS], eos=3),
    "untidy": pgen.Vocabulary([b"a", b"ab", b"a", b"", b"<s>", b"b", EOS, b"<end>"], eos={6, 7}, special={4}),
    "no single b": pgen.Vocabulary([b"a", b"ab", b"ba", EOS], eos=3),
    "utf-8": pgen.Vocabulary([b"a", b"\xc3", b"\xa9", b"\xc3\xa9", EOS], eos=4),
}


def words(*texts: str) -> Language:
    return pgen.choice(*texts)


def languages() -> list[Language]:
    """Finite and infinite, prefix-free or not, by combinators only (the regex parser is tested elsewhere)."""
    letters = Language(ir.chars([(ord("a"), ord("b"))]), description="[ab]")
    return [
        words("a", "ab", "aba"),
        words("ab", "ba", "aab"),
        words("a", "b"),
        letters.repeat(0, None),
        letters.repeat(1, 3) & ~words("ab"),
        (words("a") | "ab").repeat(1, 2),
        letters.repeat(0, None).containing("b"),
        letters.repeat(0, None).max_bytes(2),
        pgen.substring_of("abaab"),
        words("é", "aé", "éa"),
    ]


Text = Callable[..., TextDistribution]


@dataclass(frozen=True)
class Setting:
    """A model, a text distribution as a function of (model, prompt), and its length limit."""

    lm: Any
    text: Text
    max_tokens: int

    def masses(self, distribution: TextDistribution) -> dict[str, float]:
        """Brute force."""
        return dict(text_masses(distribution, self.max_tokens))


@dataclass(frozen=True)
class Case:
    """A program without arguments, its exact unnormalised posterior, and a name."""

    name: str
    program: Callable[[], Any]
    target: dict[Any, float]


def one_text(given: Setting) -> tuple[Callable[[], Any], dict[Any, float]]:
    distribution = given.text(given.lm, "")
    return (lambda: pgen.sample("x", distribution)), given.masses(distribution)


def weighed(given: Setting) -> tuple[Callable[[], Any], dict[Any, float]]:
    distribution = given.text(given.lm, "")

    def program() -> Any:
        x = pgen.sample("x", distribution)
        pgen.factor("short", -0.7 * len(x))
        pgen.condition("not b", x != "b")
        return x

    masses = given.masses(distribution)
    return program, {x: m * math.exp(-0.7 * len(x)) for x, m in masses.items() if x != "b"}


def mixture(given: Setting) -> tuple[Callable[[], Any], dict[Any, float]]:
    """A latent coin chooses the prompt; the value is the coin and the text's length."""

    def program() -> Any:
        prompt = pgen.sample("prompt", pgen.categorical({"a": 0.3, "aa": 0.7}))
        x = pgen.sample("x", given.text(given.lm, prompt))
        return prompt, len(x)

    target: defaultdict[Any, float] = defaultdict(float)
    for prompt, prior in {"a": 0.3, "aa": 0.7}.items():
        for x, mass in given.masses(given.text(given.lm, prompt)).items():
            target[prompt, len(x)] += prior * mass
    return program, dict(target)


def chained(given: Setting) -> tuple[Callable[[], Any], dict[Any, float]]:
    """The second text follows the first one; a third distribution observes."""

    def program() -> Any:
        x = pgen.sample("x", given.text(given.lm, ""))
        kind = pgen.sample("kind", given.lm.text("a" * len(x), max_tokens=2).within(words("a", "aa")))
        pgen.observe("seen", pgen.categorical({len(kind): 0.9, 0: 0.1}), 1)
        return str(x), str(kind)

    target: dict[Any, float] = {}
    for x, mass in given.masses(given.text(given.lm, "")).items():
        second = given.lm.text("a" * len(x), max_tokens=2).given(words("a", "aa"))
        masses = given.masses(second)
        for kind, share in masses.items():
            target[x, kind] = mass * share / sum(masses.values()) * (0.9 if len(kind) == 1 else 0.0)
    return program, {key: mass for key, mass in target.items() if mass > 0}


def observed(given: Setting) -> tuple[Callable[[], Any], dict[Any, float]]:
    """A coin is the latent; the text is seen, in every spelling."""
    seen = "a"

    def program() -> Any:
        prompt = pgen.sample("prompt", pgen.categorical({"": 0.5, "a": 0.5}))
        pgen.observe("x", given.text(given.lm, prompt), seen, tokenization="all")
        return prompt

    target = {prompt: 0.5 * given.masses(given.text(given.lm, prompt)).get(seen, 0.0) for prompt in ("", "a")}
    return program, target


PROGRAMS = [one_text, weighed, mixture, chained, observed]


def texts(language: Language, rule: str, max_tokens: int) -> Text:
    """A text distribution under an end rule, as a function of model and prompt."""
    if rule == "stop":
        return lambda lm, prompt: lm.text(prompt, max_tokens=max_tokens, stop="b").given(language)
    return lambda lm, prompt: lm.text(prompt, max_tokens=max_tokens, end=rule).given(language)


def generated(count: int, seed: int, max_tokens: int) -> list[Case]:
    """`count` cases with evidence above zero, a pure function of the seed."""
    choose, cases = random.Random(seed), []
    while len(cases) < count:
        name = choose.choice(sorted(VOCABULARIES))
        language, rule = choose.choice(languages()), choose.choice(["eos", "match", "prefix", "stop"])
        template = choose.choice(PROGRAMS)
        lm = random_model(VOCABULARIES[name], choose.randrange(10**6))
        try:
            program, target = template(Setting(lm, texts(language, rule, max_tokens), max_tokens))
        except pgen.PgenError:
            continue
        target = {value: mass for value, mass in target.items() if mass > 0}
        if target:
            cases.append(Case(f"{template.__name__}-{name}-{language!r}-{rule}", program, target))
    return cases
