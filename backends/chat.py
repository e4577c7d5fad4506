"""Conversations: what users may give, and the tokens that a tokenizer's chat template makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pgen.backends.base import Message, Tokens
from pgen.errors import InvalidArgument, ModelError


def conversation(messages: str | Sequence[Message]) -> list[Message]:
    """A list of messages; a string is one of the user's. Raises `InvalidArgument` for anything else."""
    made: list[Message] = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
    if not made or any({"role", "content"} - set(message) for message in made):
        raise InvalidArgument(
            "chat needs a string, or a non-empty list of messages",
            hint='a message is {"role": "user", "content": "..."}',
        )
    return made


def chat_tokens(tokenizer: Any, messages: Sequence[Message], name: str) -> Tokens:
    """The tokens before the assistant's answer, by the template of a `transformers` tokenizer.

    Raises `ModelError` if it has none, or if the template fails on these messages.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise no_chat(name)
    try:
        encoded = tokenizer.apply_chat_template(
            [dict(message) for message in messages], add_generation_prompt=True, return_dict=True
        )
    except Exception as error:
        raise ModelError(f"{name}: its chat template fails on these messages: {error}") from error
    return tuple(encoded["input_ids"])


def no_chat(name: str) -> ModelError:
    """The error of a model without a chat template."""
    return ModelError(f"{name} has no chat template", hint="use .text(prompt)")
