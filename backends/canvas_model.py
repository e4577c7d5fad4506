"""What every masked diffusion model offers to users: `text`, `chat` and `fill`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgen.backends.base import MaskedDiffusion
from pgen.backends.chat import conversation
from pgen.language.base import late
from pgen.programs.canvas import CanvasDistribution, canvas_distribution
from pgen.programs.infill import Infill, as_template
from pgen.programs.orders import Order
from pgen.programs.scaffolds import canvas_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import EllipsisType

    from pgen.backends.base import Message
    from pgen.language.base import Language
    from pgen.language.templates import Template


class CanvasModel:
    """Mix-in for implementations of `pgen.backends.base.MaskedDiffusion`."""

    def text(
        self: MaskedDiffusion,
        prompt: str,
        *,
        length: int,
        steps: int | None = None,
        order: Order = "confidence",
        block: int | None = None,
        temperature: float = 1.0,
    ) -> CanvasDistribution:
        """The distribution of what the model writes into `length` positions after `prompt`.

        A text ends at the first end-of-sequence token, or with the canvas. `steps`
        denoising steps (default: one a position) commit equally many positions each, a
        remainder spread over the first steps; `order` says which (`pgen.programs.orders`;
        a function decides how many, too, unless `steps` are given: then the first of its
        positions count). With `block`, positions are committed block by block.
        `temperature` shapes every marginal. Raises `InvalidArgument` if the canvas is
        longer than the model's context.
        """
        return canvas_distribution(
            self,
            self.encode(prompt),
            length=length,
            steps=steps,
            order=order,
            block=block,
            temperature=temperature,
        )

    def chat(
        self: MaskedDiffusion,
        messages: str | Sequence[Message],
        *,
        length: int,
        steps: int | None = None,
        order: Order = "confidence",
        block: int | None = None,
        temperature: float = 1.0,
    ) -> CanvasDistribution:
        """The distribution of the assistant's answer to a conversation (or to one user message); see `text`.

        Raises `ModelError` if the model has no chat template.
        """
        return canvas_distribution(
            self,
            self.encode_chat(conversation(messages)),
            length=length,
            steps=steps,
            order=order,
            block=block,
            temperature=temperature,
        )

    def fill(
        self: MaskedDiffusion,
        template: str | Template,
        /,
        *,
        length: int | None = None,
        prompt: str = "",
        steps: int | None = None,
        order: Order = "confidence",
        sizes: Mapping[str, int] | None = None,
        **holes: Language | str | EllipsisType,
    ) -> Infill:
        """The distribution of `template` with its holes filled; texts know what stands in them (`.holes`).

        The whole takes at most `length` positions; where in the canvas its fixed parts
        come to stand is inferred. With `sizes`, tokens for each hole, the fixed parts stand in the canvas
        before the model is asked, so that it sees them from the beginning (schema scaffolding, Xiong
        et al., "S³", 2025), and `length` is what they take in all unless more is given. Raises
        `InvalidArgument` if there is no hole or sizes do not fit, and what `pgen.template` raises.
        """
        made = as_template(template, holes)
        canvas = canvas_for(self.vocabulary, made, sizes, length)
        inner = canvas_distribution(
            self,
            self.encode(prompt),
            length=len(canvas),
            steps=steps,
            order=order,
            canvas=canvas,
            sized=sizes is not None,
        ).given(made)
        return Infill(inner=inner, template=made, language=made)

    def guided(self: MaskedDiffusion, strength: float, without: str | None = None) -> CanvasModel:
        """The model with classifier-free guidance away from no prompt, or from `without`.

        See `pgen.backends.diffusion.guided.Guided`.
        """
        made: CanvasModel = late("pgen.backends.diffusion.guided:Guided")(self, strength, without)
        return made
