"""Distributions over the texts of masked diffusion models: `dlm.text(prompt, length=64).given(language)`.

A canvas of `length` positions is committed in steps, some positions at a time, each drawn
independently from the marginals that the model gives at that step; which positions,
the `order` says (`pgen.programs.orders`). The text is what stands before the first
end-of-sequence token, or in the whole canvas; its mass is that of all canvases, orders
and steps that lead to it. A language restricts this process (`pgen.inference.drafting.canvas_steps`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pgen.errors import InvalidArgument, UnsupportedFeature
from pgen.language.base import Language
from pgen.programs.critics import Critic
from pgen.programs.orders import Canvas, Order, Ranking, check_order
from pgen.programs.strings import StringDistribution, Text

if TYPE_CHECKING:
    from pgen.backends.base import MaskedDiffusion

Tokens = tuple[int, ...]


class CanvasText(Text):
    """A text from a canvas; `canvas` is what was committed when it was finished, `None` where nothing was."""

    canvas: Canvas

    @classmethod
    def of(cls, text: Text, canvas: Canvas) -> CanvasText:
        """`text` with the canvas that it was read from."""
        made = cls(text, text.tokens, text.truncated)
        made.canvas = canvas
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return CanvasText.of, (Text(str(self), self.tokens, self.truncated), self.canvas)


@dataclass(frozen=True, kw_only=True)
class CanvasDistribution(StringDistribution):
    """What a masked diffusion `model` writes after `prompt`, into `canvas`; build it with `dlm.text(...)`.

    `canvas` holds a token where one is fixed from the beginning, else `None`. `block`:
    positions are committed block by block of this length; `None`: all are one block. `sized`:
    open positions hold no end-of-sequence token, so that the text has as many tokens as the canvas leaves room for.
    """

    drafter: ClassVar[str] = "pgen.inference.drafting.canvas:CanvasDrafter"

    model: MaskedDiffusion
    prompt: Tokens = ()
    canvas: Canvas = ()
    sized: bool = False
    steps: int | None = None
    order: Order = "confidence"
    block: int | None = None
    temperature: float = 1.0
    critics: tuple[Critic, ...] = ()
    previewed: bool = False
    """Whether soft critics judge what each step expects the text to become."""
    n_normalized: int = 0
    """How many of the critics come before `.within`, and count in its normaliser."""

    def where(self, predicate: Callable[[str], bool]) -> Self:
        """The unnormalised measure p(x) 1[predicate(x)], tested on complete texts. Raises `CriticError` if it fails."""
        return replace(self, critics=(*self.critics, Critic.predicate(predicate, "text")))

    def weighted(
        self, log_weight: Callable[[str], float], *, bound: float | None = None, previews: bool = False
    ) -> Self:
        """The measure p(x) exp(log_weight(x)): a reward, an energy, another model.

        Only the value on the complete text counts. With `previews`, particles carry on their way
        the value of the whole text that their last step drew, of which it kept a part: resampling
        then steers towards it (Feynman-Kac steering, Singhal et al. 2025), and what is carried is
        given back at the end. `bound`, if known, is the most a text can get: it lets
        texts be enumerated with a certificate.
        """
        if previews and self.model.block_length is not None:
            raise UnsupportedFeature(
                f"previews=True, but {self.model.name} sees no farther than the block at work",
                hint="leave previews out: complete texts are weighted all the same",
            )
        critic = Critic.potential(log_weight, "text", bound)
        return replace(self, critics=(*self.critics, critic), previewed=self.previewed or previews)

    def within(self, language: Language | str) -> Self:
        return replace(super().within(language), n_normalized=len(self.critics))

    @property
    def is_free(self) -> bool:
        return super().is_free and not self.critics

    @property
    def length(self) -> int:
        """Positions of the canvas."""
        return len(self.canvas)

    @cached_property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """`(begin, end)` of each block."""
        size = self.block or max(self.length, 1)
        return tuple((at, min(at + size, self.length)) for at in range(0, self.length, size))

    @cached_property
    def schedule(self) -> tuple[dict[int, int], ...]:
        """For each block: how many positions to commit when so many of it are open."""
        counts = [sum(self.canvas[i] is None for i in range(*block)) for block in self.blocks]
        steps = sum(counts) if self.steps is None else self.steps
        return tuple(_sizes(count, share) for count, share in zip(counts, _shares(steps, counts), strict=True))

    @property
    def follows_function(self) -> bool:
        """Whether the order alone decides how many positions a step commits."""
        return self.steps is None and not isinstance(self.order, (str, Ranking))


def _shares(steps: int, counts: list[int]) -> list[int]:
    """Steps of each block, as even as they can be: those that are left over go to the first blocks."""
    busy = [block for block, count in enumerate(counts) if count]
    shares = [0] * len(counts)
    if steps >= sum(counts):
        return counts
    for rank, block in enumerate(busy):
        shares[block] = min(counts[block], steps // len(busy) + (rank < steps % len(busy)))
    left = steps - sum(shares)
    for block in busy:
        more = min(left, counts[block] - shares[block])
        shares[block] += more
        left -= more
    return shares


def _sizes(count: int, steps: int) -> dict[int, int]:
    """Open positions -> positions to commit: `count` over `steps`, a remainder over the first ones."""
    sizes: dict[int, int] = {}
    left = count
    for step in range(steps):
        sizes[left] = count // steps + (step < count % steps)
        left -= sizes[left]
    return sizes


def canvas_distribution(
    model: MaskedDiffusion,
    prompt: Tokens,
    *,
    length: int,
    steps: int | None = None,
    order: Order = "confidence",
    block: int | None = None,
    temperature: float = 1.0,
    canvas: Canvas | None = None,
    sized: bool = False,
) -> CanvasDistribution:
    """Check the arguments of `dlm.text` and build the distribution."""
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise InvalidArgument(f"length={length!r}: a canvas has at least one position")
    _check_room(model, len(prompt), length)
    check_order(order)
    if not temperature > 0:
        raise InvalidArgument(
            f"temperature={temperature}: must be positive", hint="for the likeliest text use a small temperature"
        )
    if canvas is not None and len(canvas) != length:
        raise InvalidArgument(f"a canvas of {len(canvas)} positions, but length={length}")
    made = CanvasDistribution(
        model=model,
        prompt=prompt,
        canvas=(None,) * length if canvas is None else canvas,
        sized=sized,
        steps=steps,
        order=order,
        block=_block(model, block),
        temperature=float(temperature),
    )
    _check_steps(made)
    return made


def _check_room(model: MaskedDiffusion, n_prompt: int, length: int) -> None:
    if n_prompt + length > model.context_length:
        taken = f", {n_prompt} of which the prompt takes" if n_prompt else ""
        raise InvalidArgument(
            f"length={length}, but {model.name} has room for {model.context_length} positions{taken}",
            hint="ask for a shorter text, shorten the prompt, or load a model with a longer context",
        )


def _block(model: MaskedDiffusion, block: int | None) -> int | None:
    if block is not None and block < 1:
        raise InvalidArgument(f"block={block}: must be at least 1")
    if model.block_length is not None and block not in (None, model.block_length):
        raise InvalidArgument(f"block={block}, but {model.name} works in blocks of {model.block_length}")
    return model.block_length or block


def _check_steps(made: CanvasDistribution) -> None:
    n_open, n_busy = made.canvas.count(None), sum(None in made.canvas[slice(*block)] for block in made.blocks)
    if made.steps is not None and not n_busy <= made.steps <= max(n_open, n_busy):
        raise InvalidArgument(
            f"steps={made.steps}: expected {n_busy} to {n_open}, at least one a block and at most one a position"
        )
