"""Distributions over texts, as users write them: `lm.text(prompt).given(language)`.

A `TextDistribution` is an immutable description; nothing runs until it is sampled,
observed or scored. What its mass means for each end rule is defined in
`pgen.programs.process`, which turns it into a token-level process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, overload

from pgen.errors import InvalidArgument, UnsupportedFeature
from pgen.language.base import Language, as_language, late
from pgen.sampling.truncation import Truncation

if TYPE_CHECKING:
    from pgen.backends.base import Autoregressive

EndRule = Literal["eos", "match", "prefix"]
Tokenization = Literal["canonical", "all"]


class Text(str):
    """A drawn text: a `str` that remembers how it was drawn.

    `tokens`: the ids that spelled it, what completed a stop string included, EOS
    excluded. `truncated`: it was cut at `max_tokens` (only without a language).
    """

    tokens: tuple[int, ...]
    truncated: bool

    def __new__(cls, text: str, tokens: tuple[int, ...] = (), truncated: bool = False) -> Text:
        made = super().__new__(cls, text)
        made.tokens = tokens
        made.truncated = truncated
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Text, (str(self), self.tokens, self.truncated)


@dataclass(frozen=True)
class TextDistribution:
    """A measure over texts: what `model` writes after `prompt`, perhaps restricted to a language.

    Build it with `lm.text(...)` or `lm.chat(...)`. `normalizer` is the language
    whose mass divides (`within`), or `None` for an unnormalised measure.
    """

    model: Autoregressive
    prompt: tuple[int, ...]
    language: Language | None = None
    normalizer: Language | None = None
    end: EndRule | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    temperature: float = 1.0
    truncate: Truncation | None = None
    chat: bool = False

    def given(self, language: Language | str) -> TextDistribution:
        """The unnormalised measure p(x) 1[x in L]: the constraint is evidence."""
        if self.normalizer is not None and self.end_rule == "match":
            raise UnsupportedFeature(
                '.given() after .within() under end="match": the text law itself depends on the language there',
                hint='write .within(A & B), or choose end="eos" or a stop string',
            )
        return replace(self, language=self._and(language))

    def within(self, language: Language | str) -> TextDistribution:
        """The normalised p(x | L), for priors whose constraint must not weigh on the rest of the program."""
        joined = self._and(language)
        return replace(self, language=joined, normalizer=joined)

    def _and(self, language: Language | str) -> Language:
        added = as_language(language)
        return added if self.language is None else self.language & added

    @property
    def end_rule(self) -> EndRule | Literal["stop"]:
        """The rule in force: `stop` where there are stop strings, else `end`, else its default."""
        if self.stop:
            return "stop"
        if self.end is not None:
            return self.end
        return "eos" if self.language is None or self.chat else "match"

    @overload
    def sample(self, seed: int, n: None = None) -> Text: ...
    @overload
    def sample(self, seed: int, n: int) -> list[Text]: ...
    def sample(self, seed: int, n: int | None = None) -> Text | list[Text]:
        """Draw from the posterior by `infer`'s automatic method, never by local masking.

        One text, or a list of `n` where `n` is given. Raises `ZeroEvidence` if
        no text of the language has any mass.
        """
        drawn: Text | list[Text] = late("pgen.inference.shortcuts:sample_text")(self, seed, n)
        return drawn

    def log_prob(self, text: str, tokenization: Tokenization = "all", tol: float = 1e-6) -> float:
        """log mass of `text`, in nats.

        `"all"` sums over the spellings, best first, until the certified interval
        is narrower than `tol` nats (`LimitExceeded` if that takes too much work);
        `"canonical"` scores the tokenizer's own spelling only.
        """
        return float(late("pgen.inference.shortcuts:log_prob")(self, text, tokenization, tol))


def text_distribution(
    model: Autoregressive,
    prompt: tuple[int, ...],
    *,
    max_tokens: int | None = None,
    end: str | None = None,
    stop: str | Sequence[str] | None = None,
    temperature: float = 1.0,
    truncate: Truncation | None = None,
    chat: bool = False,
) -> TextDistribution:
    """Check the arguments of `lm.text` and `lm.chat` and build the distribution."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if any(not text for text in stops):
        raise InvalidArgument("a stop string must not be empty")
    if end not in (None, "eos", "match", "prefix"):
        raise InvalidArgument(f"end={end!r}: expected 'eos', 'match' or 'prefix'")
    if end is not None and stops:
        raise InvalidArgument("give either stop= or end=, not both", hint="a stop string is itself an end rule")
    if max_tokens is not None and max_tokens < 0:
        raise InvalidArgument(f"max_tokens={max_tokens}: must not be negative")
    if not temperature > 0:
        raise InvalidArgument(
            f"temperature={temperature}: must be positive",
            hint="for the likeliest text use a small temperature, or posterior.mode()",
        )
    _check_room(model, prompt)
    return TextDistribution(
        model=model,
        prompt=prompt,
        end=end,  # type: ignore[arg-type]
        stop=stops,
        max_tokens=max_tokens,
        temperature=float(temperature),
        truncate=truncate,
        chat=chat,
    )


def _check_room(model: Autoregressive, prompt: tuple[int, ...]) -> None:
    if len(prompt) > model.context_length:
        raise InvalidArgument(
            f"the prompt has {len(prompt)} tokens, but {model.name} reads at most {model.context_length}",
            hint="shorten the prompt, or load a model with a longer context",
        )
