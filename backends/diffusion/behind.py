"""A masked diffusion model made of another: the vocabulary, the prompts and the room are those of the model behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from pgen.backends.base import MaskedDiffusion, Message, Tokens
from pgen.backends.canvas_model import CanvasModel

Model = TypeVar("Model", bound=MaskedDiffusion)


class Behind(CanvasModel, Generic[Model]):
    """All of `pgen.backends.base.MaskedDiffusion` but `marginals` and `block_length`; `manner` is added to the name."""

    def __init__(self, model: Model, manner: str) -> None:
        self.model = model
        self.vocabulary, self.context_length = model.vocabulary, model.context_length
        self.name = f"{model.name}, {manner}"

    def encode(self, prompt: str) -> Tokens:
        return self.model.encode(prompt)

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        return self.model.encode_chat(messages)
