"""Distributions over the texts of insertion models: `ilm.text(prompt).given(language)`.

The mass of a text is that of every way to make it: all spellings, all orders of
insertion, and the model's own stop at the end. `pgen.programs.insertion_process`
defines it step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pgen.errors import InvalidArgument
from pgen.language.base import Language
from pgen.programs.strings import StringDistribution, Text

if TYPE_CHECKING:
    from pgen.backends.base import Insertion


Tokens = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class InsertionDistribution(StringDistribution):
    """What an insertion model puts after `prompt`; build it with `ilm.text(...)`."""

    drafter: ClassVar[str] = "pgen.inference.drafting.insertion:InsertionDrafter"

    model: Insertion
    prompt: Tokens = ()
    max_tokens: int | None = None

    @property
    def fixed(self) -> tuple[Tokens, ...]:
        """The parts that stand from the beginning, with a hole between each and the next."""
        return self.prompt, ()

    @property
    def holes(self) -> tuple[Language | None, ...]:
        """The language of every hole; `None`: any text."""
        return (self.language,)

    @property
    def names(self) -> tuple[str | None, ...]:
        """What users call the holes."""
        return (None,)

    @property
    def wanted(self) -> str:
        """What is to be drawn, for messages."""
        return f"a member of {self.language!r}"

    def splits(self, text: str) -> list[tuple[str, ...]]:
        """Every way in which `text` can stand in the holes; none if it is no member."""
        return [(text,)] if self.language is None or self.language.matches(text) else []

    def holds(self, text: Text) -> bool:
        """Whether residuals, which no mask checks, accept a text that was drawn."""
        return self.language is None or all(fact.holds(text) for fact in self.language.residual)

    def assembled(self, contents: Sequence[str], tokens: Tokens, truncated: bool) -> Text:
        """The text from what stands in the holes; `tokens` are those of the whole sequence."""
        return Text(contents[0], tokens[len(self.prompt) :], truncated)


def insertion_distribution(
    model: Insertion,
    prompt: Tokens,
    *,
    max_tokens: int | None = None,
    end: str | None = None,
    stop: str | Sequence[str] | None = None,
) -> InsertionDistribution:
    """Check the arguments of `ilm.text` and build the distribution."""
    if end is not None or stop is not None:
        raise InvalidArgument(
            f"{'end' if end is not None else 'stop'}=: an insertion model ends its texts by a stop of its own",
            hint="leave it out; to bound the length use max_tokens or a language",
        )
    check_max_tokens(max_tokens)
    if len(prompt) > model.context_length:
        raise InvalidArgument(
            f"the prompt has {len(prompt)} tokens, but {model.name} reads at most {model.context_length}",
            hint="shorten the prompt, or load a model with a longer context",
        )
    return InsertionDistribution(model=model, prompt=prompt, max_tokens=max_tokens)


def check_max_tokens(max_tokens: int | None) -> None:
    """Raise `InvalidArgument` if it is negative."""
    if max_tokens is not None and max_tokens < 0:
        raise InvalidArgument(f"max_tokens={max_tokens}: must not be negative")
