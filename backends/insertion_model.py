"""What every insertion model offers to users: `text` and `fill`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgen.backends.base import Insertion
from pgen.language.base import Language
from pgen.language.templates import Template
from pgen.programs.infill import InsertionInfill, as_template
from pgen.programs.insertion import InsertionDistribution, insertion_distribution

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import EllipsisType


class InsertionModel:
    """Mix-in for implementations of `pgen.backends.base.Insertion`, which may override `written`."""

    @property
    def written(self: Insertion) -> frozenset[int]:
        """All text tokens."""
        return frozenset(self.vocabulary.text_ids.tolist())

    def text(
        self: Insertion,
        prompt: str,
        *,
        max_tokens: int | None = None,
        end: str | None = None,
        stop: str | Sequence[str] | None = None,
    ) -> InsertionDistribution:
        """The distribution of what the model puts after `prompt`, one token at a time, anywhere, until it stops.

        `max_tokens` counts insertions (see `docs/insertion.md`). Raises
        `InvalidArgument` if the prompt is longer than the context, and for any `end`
        or `stop`: an insertion model ends by a stop of its own.
        """
        return insertion_distribution(self, self.encode(prompt), max_tokens=max_tokens, end=end, stop=stop)

    def fill(
        self: Insertion,
        template: str | Template,
        /,
        *,
        prompt: str = "",
        max_tokens: int | None = None,
        **holes: Language | str | EllipsisType,
    ) -> InsertionInfill:
        """The distribution of `template` with its holes filled; texts know what stands in them (`.holes`).

        The fixed parts stand from the beginning, in the tokenizer's spelling, and the model
        inserts into holes only: every hole sees what stands on both of its sides.
        `max_tokens` counts insertions over all holes. Raises `InvalidArgument` if there is
        no hole, and what `pgen.template` raises.
        """
        text = insertion_distribution(self, self.encode(prompt), max_tokens=max_tokens)
        made = as_template(template, holes)
        return InsertionInfill(model=self, prompt=text.prompt, max_tokens=max_tokens, template=made, language=made)
