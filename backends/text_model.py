"""What every left-to-right model offers to users: `text` and `chat`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pgen.backends.base import Autoregressive, Message
from pgen.backends.chat import conversation
from pgen.language.base import Language
from pgen.language.templates import Template
from pgen.programs.infill import Infill, as_template
from pgen.programs.text import TextDistribution, text_distribution

if TYPE_CHECKING:
    from types import EllipsisType

    from pgen.backends.byte_model import ByteModel
    from pgen.backends.product_model import ModelProduct
    from pgen.sampling.truncation import Truncation


class TextModel:
    """Mix-in for implementations of `pgen.backends.base.Autoregressive`."""

    def text(
        self: Autoregressive,
        prompt: str,
        *,
        max_tokens: int | None = None,
        end: str | None = None,
        stop: str | Sequence[str] | None = None,
        temperature: float = 1.0,
        truncate: Truncation | None = None,
    ) -> TextDistribution:
        """The distribution of what the model writes after `prompt`.

        `max_tokens` counts tokens before EOS or stop; `end` is `"eos"`, `"match"` or
        `"prefix"`, `stop` one or more strings (see `docs/semantics.md`). Raises
        `InvalidArgument` if the prompt is longer than the context.
        """
        return text_distribution(
            self,
            self.encode(prompt),
            max_tokens=max_tokens,
            end=end,
            stop=stop,
            temperature=temperature,
            truncate=truncate,
        )

    def bytes(self: Autoregressive, *, prune: float = 0.0, heal: int | None = 1, max_covers: int = 4096) -> ByteModel:
        """This model byte by byte, every spelling summed; see `pgen.backends.byte_model.ByteModel`."""
        from pgen.backends.byte_model import ByteModel

        return ByteModel(self, prune=prune, heal=heal, max_covers=max_covers)

    def __mul__(self, other: TextModel | ModelProduct) -> ModelProduct:
        """The product of experts: `(lm1 * lm2).text(prompt)`; see `pgen.backends.product_model`."""
        return self**1.0 * other

    def __pow__(self, power: float) -> ModelProduct:
        """This model's texts to a power, not normalised: `(lm ** 0.5).text(prompt)`."""
        from pgen.backends.product_model import ModelProduct

        return ModelProduct([(self, 1.0)]) ** power

    def fill(
        self: Autoregressive,
        template: str | Template,
        /,
        *,
        prompt: str = "",
        max_tokens: int | None = None,
        temperature: float = 1.0,
        truncate: Truncation | None = None,
        **holes: Language | str | EllipsisType,
    ) -> Infill:
        """The distribution of `template` with its holes filled; texts know what stands in them (`.holes`).

        The model writes the whole from left to right after `prompt`; what is fixed behind
        a hole is evidence about the hole, which weights account for. `max_tokens` counts
        fixed parts too; `temperature` and `truncate` shape the model as in `text`. Raises
        `InvalidArgument` if there is no hole, and what `pgen.template` raises.
        """
        made = as_template(template, holes)
        inner = text_distribution(
            self, self.encode(prompt), max_tokens=max_tokens, temperature=temperature, truncate=truncate
        )
        return Infill(inner=inner.given(made), template=made, language=made)

    def chat(
        self: Autoregressive,
        messages: str | Sequence[Message],
        *,
        max_tokens: int | None = None,
        end: str | None = None,
        stop: str | Sequence[str] | None = None,
        temperature: float = 1.0,
        truncate: Truncation | None = None,
    ) -> TextDistribution:
        """The distribution of the assistant's answer to a conversation (or to one user message).

        Ends at EOS unless told otherwise. Raises `ModelError` without a chat template.
        """
        return text_distribution(
            self,
            self.encode_chat(conversation(messages)),
            max_tokens=max_tokens,
            end=end,
            stop=stop,
            temperature=temperature,
            truncate=truncate,
            chat=True,
        )
