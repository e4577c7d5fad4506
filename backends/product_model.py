"""Products of experts: several distributions over texts multiplied, each raised to a power.

The product is that of the string distributions: a text x gets the mass of
p_1(x)^a_1 ... p_k(x)^a_k, not normalised. Over bytes every text has one spelling, so the
product of next-byte probabilities along it is exactly that, and models of different
vocabularies can meet (`pgen.backends.byte_model`). `over="tokens"` multiplies
next-token probabilities of models with one vocabulary instead: cheaper, and another
measure, that of token sequences, since a sum over spellings of products is no product
of sums.

Under the rule "stop" the way a text ends (which stop string, or the end of the model's
text) belongs to what is multiplied: experts have to agree on it.

Next-token masses need not sum to 1; what is missing or too much goes into the
weights. If all powers are positive and sum to 1 or more no step can gain (Hölder),
so the bounds of enumeration hold as for any model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.backends.base import Autoregressive, Message, Tokens
from pgen.backends.byte_model import ByteModel, in_bytes
from pgen.backends.covers import byte_vocabulary
from pgen.errors import InvalidArgument, ModelError, UnsupportedFeature
from pgen.language.base import Language
from pgen.programs.process import shaped
from pgen.programs.text import TextDistribution
from pgen.sampling.token_step import Distribution, Factor, multiplied
from pgen.sampling.truncation import Truncation
from pgen.tokens import Vocabulary

Over = Literal["auto", "bytes", "tokens"]


class Expert(NamedTuple):
    """One factor: what `model` says after `prompt`, under a temperature and truncation, to the `power`."""

    model: Autoregressive
    prompt: Tokens
    temperature: float
    truncate: Truncation | None
    power: float

    def next_logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.float64]:
        """`(B, V)` logits of the model itself."""
        return np.asarray(self.model.next_logits([self.prompt + prefix for prefix in prefixes]), np.float64)

    def factor(self, logits: NDArray[np.floating[Any]]) -> Factor:
        """Probabilities and power, from logits `(R, V)`."""
        given = shaped(logits, self.temperature, self.truncate)
        return Factor(given.weights / given.totals[:, None], self.power)

    def in_bytes(self, prune: float) -> Expert:
        """The same expert over bytes."""
        settings = {"temperature": self.temperature, "truncate": self.truncate}
        model = ByteModel(self.model, self.prompt, prune=prune, heal=0, **settings)  # type: ignore[arg-type]
        return Expert(model, (), 1.0, None, self.power)


@dataclass(frozen=True)
class ProductModel:
    """The experts as one token measure (`pgen.backends.base.TokenMeasure`); their vocabularies are equal."""

    experts: tuple[Expert, ...]

    @property
    def name(self) -> str:
        """The experts with their powers."""
        return " * ".join(f"{e.model.name}" + ("" if e.power == 1 else f" ** {e.power:g}") for e in self.experts)

    @property
    def vocabulary(self) -> Vocabulary:
        """The one that all experts share."""
        return self.experts[0].model.vocabulary

    @property
    def context_length(self) -> int:
        """Tokens beside the prompts, which belong to the experts."""
        return min(expert.model.context_length - len(expert.prompt) for expert in self.experts)

    def log_growth(self, n_tokens: int) -> float:
        """Most that `n_tokens` tokens and the end can weigh together, in nats; inf where no bound is known."""
        powers = [expert.power for expert in self.experts]
        if min(powers) < 0:
            return math.inf
        return max(0.0, 1.0 - math.fsum(powers)) * math.log(len(self.vocabulary)) * (n_tokens + 1)

    def encode(self, prompt: str) -> Tokens:
        """Raises `ModelError`: each expert has a prompt of its own."""
        raise ModelError("the experts of a product have prompts of their own", hint="use (lm1 * lm2).text(prompt)")

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        """Raises `ModelError`: each expert has a prompt of its own."""
        raise ModelError("the experts of a product have prompts of their own", hint="use (lm1 * lm2).chat(messages)")

    def next_logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.float64]:
        """`(B, k, V)` logits of the k experts after their prompts and each prefix, for `weigh`."""
        return np.stack([expert.next_logits(prefixes) for expert in self.experts], axis=1)  # (B, k, V)

    def weigh(self, logits: NDArray[np.floating[Any]]) -> Distribution:
        """Products of the experts' probabilities to their powers, not normalised, from logits `(R, k, V)`."""
        return multiplied([expert.factor(logits[:, k]) for k, expert in enumerate(self.experts)])

    def path_logits(self, prefix: Tokens, continuation: Tokens) -> NDArray[np.float64]:
        """`(n + 1, k, V)` logits after `prefix` and after each token of `continuation`."""
        return self.next_logits([prefix + continuation[:n] for n in range(len(continuation) + 1)])


class ModelProduct:
    """Models multiplied before their prompt is known: `(lm1 * lm2 ** 0.5).text(prompt)`."""

    def __init__(self, factors: Sequence[tuple[Any, float]]) -> None:
        self.factors = tuple(factors)

    def text(self, prompt: str, **settings: Any) -> TextDistribution:
        """The product of the models' `.text(prompt, **settings)`, each with its own tokenizer."""
        return product(*(model.text(prompt, **settings) ** power for model, power in self.factors))

    def chat(self, messages: str | Sequence[Message], **settings: Any) -> TextDistribution:
        """The product of the models' `.chat(messages, **settings)`, each with its own template."""
        return product(*(model.chat(messages, **settings) ** power for model, power in self.factors))

    def __mul__(self, other: Any) -> ModelProduct:
        return ModelProduct((*self.factors, *_factors(other)))

    def __pow__(self, power: float) -> ModelProduct:
        return ModelProduct([(model, inner * _checked_power(power)) for model, inner in self.factors])


def _factors(model: Any) -> tuple[tuple[Any, float], ...]:
    return model.factors if isinstance(model, ModelProduct) else ((model, 1.0),)


def product(
    *texts: TextDistribution, over: Over = "auto", prune: float = 0.0, max_bytes: int | None = None
) -> TextDistribution:
    """The unnormalised product of text distributions, within all of their languages and with all their critics.

    They must agree on how a text ends. `over="auto"` is exact for strings: tokens where
    the vocabularies are equal and spell each text once, else bytes, where `prune`
    bounds the work per byte (`ByteModel`) and `max_bytes` the length. `"tokens"` is the
    product over token sequences. Raises `InvalidArgument` for what cannot be multiplied.
    """
    if not texts:
        raise InvalidArgument("product() needs at least one text distribution")
    for text in texts:
        _check_factor(text)
    if over not in ("auto", "bytes", "tokens"):
        raise InvalidArgument(f"over={over!r}: expected 'auto', 'bytes' or 'tokens'")
    one_vocabulary = all(text.model.vocabulary == texts[0].model.vocabulary for text in texts)
    if over == "tokens" and not one_vocabulary:
        raise InvalidArgument("over='tokens' needs models of one vocabulary", hint="different ones meet in bytes")
    in_tokens = over == "tokens" or (over == "auto" and one_vocabulary and _spells_once(texts[0].model.vocabulary))
    experts = tuple(expert for text in texts for expert in _experts(text, None if in_tokens else prune))
    limits = [limit for limit in (*(text.max_tokens for text in texts), max_bytes) if limit is not None]
    return replace(
        texts[0],
        model=ProductModel(experts),
        prompt=(),
        temperature=1.0,
        truncate=None,
        language=_joined([text.language for text in texts]),
        max_tokens=min(limits, default=None),
        critics=tuple(critic for text in texts for critic in text.critics),
        guide=next((text.guide for text in texts if text.guide is not None), None),
        **_common_ending(texts),
    )


def power(text: TextDistribution, exponent: float, over: Over = "auto") -> TextDistribution:
    """The unnormalised p(x) ** exponent, within the same language."""
    exponent = _checked_power(exponent)
    if exponent == 1.0:
        return text
    if text.critics:
        raise UnsupportedFeature("a power of a text with critics", hint="take the power first, then .where(...)")
    multiplied = product(text, over=over)
    assert isinstance(multiplied.model, ProductModel)
    experts = tuple(expert._replace(power=expert.power * exponent) for expert in multiplied.model.experts)
    return replace(multiplied, model=ProductModel(experts))


def _check_factor(text: TextDistribution) -> None:
    if not isinstance(text, TextDistribution):
        raise InvalidArgument(
            f"only distributions over the texts of left-to-right models can be multiplied, got {type(text).__name__}"
        )
    if text.normalizer is not None:
        raise UnsupportedFeature("a factor with .within(...)", hint="multiply first: (p * q).within(language)")


def _checked_power(exponent: float) -> float:
    if not math.isfinite(exponent) or exponent == 0:
        raise InvalidArgument(f"a power must be a number other than 0, got {exponent}")
    return float(exponent)


def _experts(text: TextDistribution, prune: float | None) -> tuple[Expert, ...]:
    """The factors of one text, over its own tokens, or over bytes where `prune` is given."""
    if not isinstance(text.model, ProductModel):
        plain = text if prune is None else in_bytes(text, prune)
        return (Expert(plain.model, plain.prompt, plain.temperature, plain.truncate, 1.0),)
    experts = text.model.experts
    if prune is None or text.model.vocabulary == byte_vocabulary():
        return experts
    if not _spells_once(text.model.vocabulary) or text.max_tokens is not None:
        raise InvalidArgument("a product over tokens cannot be multiplied by one over bytes")
    return tuple(expert.in_bytes(prune) for expert in experts)


def _common_ending(texts: Sequence[TextDistribution]) -> dict[str, Any]:
    """What says how a text ends, if the factors agree; a rule that came with a language is made explicit."""
    settings = [{"end": text.end, "stop": text.stop, "chat": text.chat} for text in texts]
    if all(ending == settings[0] for ending in settings):
        return settings[0]
    rules = {text.end_rule for text in texts}
    if len(rules) > 1 or "stop" in rules:
        raise InvalidArgument(
            f"the factors end their texts in different ways: {', '.join(sorted(rules))}",
            hint="give all of them the same end= or stop=",
        )
    return {"end": rules.pop(), "stop": (), "chat": False}


def _joined(languages: Sequence[Language | None]) -> Language | None:
    joined: Language | None = None
    for language in languages:
        joined = language if joined is None else joined if language is None else joined & language
    return joined


def _spells_once(vocabulary: Vocabulary) -> bool:
    """Whether every text token is one byte, none of them twice: then every text has one spelling."""
    return len(vocabulary.single_bytes) == len(vocabulary.text_ids)
