"""What every left-to-right model offers to users: `text` and `chat`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pgen.backends.base import Autoregressive, Message
from pgen.errors import InvalidArgument
from pgen.programs.text import TextDistribution, text_distribution

if TYPE_CHECKING:
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
        conversation = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
        if not conversation or any({"role", "content"} - set(message) for message in conversation):
            raise InvalidArgument(
                "chat needs a string, or a non-empty list of messages",
                hint='a message is {"role": "user", "content": "..."}',
            )
        return text_distribution(
            self,
            self.encode_chat(conversation),
            max_tokens=max_tokens,
            end=end,
            stop=stop,
            temperature=temperature,
            truncate=truncate,
            chat=True,
        )
