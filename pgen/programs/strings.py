"""What every distribution over texts is, whatever kind of model stands behind it.

`StringDistribution` is an immutable description; its subclasses say which model and
which settings (`pgen.programs.text`: left to right). How its texts are drawn, scored
and enumerated is the business of a drafter (`pgen.inference.drafting.drafts`), which each
subclass names, so that programs and inference need not know the kinds of model.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self, overload

from pgen.language.base import Language, as_language, late

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


@dataclass(frozen=True, kw_only=True)
class StringDistribution:
    """A measure over texts, perhaps restricted to a language.

    `normalizer` is the language whose mass divides (`within`), or `None` for an
    unnormalised measure. `drafter` is the `"module:Class"` of its `Drafter`.
    """

    drafter: ClassVar[str]

    language: Language | None = None
    normalizer: Language | None = None
    languages: tuple[Language, ...] = field(default=(), compare=False, repr=False)
    """The languages whose intersection `language` is, in the order in which they came."""

    @property
    def is_free(self) -> bool:
        """Whether the model's own draws are draws from this measure, so that they carry no weight."""
        return self.language is None

    def given(self, language: Language | str) -> Self:
        """The unnormalised measure p(x) 1[x in L]: the constraint is evidence."""
        return replace(self, language=self._and(language), languages=self._listed(language))

    def within(self, language: Language | str) -> Self:
        """The normalised p(x | L), for priors whose constraint must not weigh on the rest of the program."""
        joined = self._and(language)
        return replace(self, language=joined, normalizer=joined, languages=self._listed(language))

    def _and(self, language: Language | str) -> Language:
        added = as_language(language)
        return added if self.language is None else self.language & added

    def _listed(self, language: Language | str) -> tuple[Language, ...]:
        return (*self.languages, as_language(language))

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
