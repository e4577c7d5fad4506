"""What every any-order model offers to users: `text` and `fill`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pgen.backends.anyorder_canvas import AsDenoiser, one_by_one
from pgen.backends.base import AnyOrder
from pgen.programs.anyorder import AnyOrderDistribution, anyorder_distribution
from pgen.programs.canvas import canvas_distribution
from pgen.programs.infill import Infill, as_template
from pgen.programs.orders import Order
from pgen.programs.scaffolds import canvas_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import EllipsisType

    from pgen.language.base import Language
    from pgen.language.templates import Template


class AnyOrderModel:
    """Mix-in for implementations of `pgen.backends.base.AnyOrder`."""

    def text(
        self: AnyOrder,
        prompt: str,
        *,
        length: int,
        order: Order | Sequence[int] = "left_to_right",
        draft: int = 8,
    ) -> AnyOrderDistribution:
        """The distribution of what the model writes into `length` positions after `prompt`.

        A text ends at the first end-of-sequence token, or with the canvas. `order` is
        `"left_to_right"`, `"dilated"`, `"random"` (every permutation alike), a
        permutation, or depends on what the model says: `"confidence"`, `"entropy"`,
        `"margin"`, a `Ranking`, a function (canvas, log-probabilities) -> positions, of which
        the first counts. In orders of the first kind up to `draft` tokens are drawn at
        once and verified by a second call, which changes speed, never the law. Raises
        `InvalidArgument` if the canvas is longer than the model's context.
        """
        return anyorder_distribution(self, self.encode(prompt), length=length, order=order, draft=draft)

    def fill(
        self: AnyOrder,
        template: str | Template,
        /,
        *,
        length: int | None = None,
        prompt: str = "",
        order: Order | Sequence[int] = "left_to_right",
        sizes: Mapping[str, int] | None = None,
        **holes: Language | str | EllipsisType,
    ) -> Infill:
        """The distribution of `template` with its holes filled; texts know what stands in them (`.holes`).

        The whole takes at most `length` positions; where in the canvas its fixed parts
        come to stand is inferred, best with an `order` that looks at the template, such as
        `"constrained_confidence"`. With `sizes`, tokens for each hole, the fixed parts stand from the
        beginning, and every hole sees them all; `length` is then what they take unless more is given. One
        position is drawn at a time, as the template and the model together would have it. Raises
        `InvalidArgument` if there is no hole or sizes do not fit, and what `pgen.template` raises.
        """
        made = as_template(template, holes)
        canvas = canvas_for(self.vocabulary, made, sizes, length)
        inner = canvas_distribution(
            AsDenoiser(self),
            self.encode(prompt),
            length=len(canvas),
            order=one_by_one(order, len(canvas)),
            canvas=canvas,
            sized=sizes is not None,
        ).given(made)
        return Infill(inner=inner, template=made, language=made)
