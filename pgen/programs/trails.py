"""Canvases of models that remember: what such a model says depends on the canvases of the steps before, too.

A model with caches that are not renewed at every step answers by the way that led to a
canvas. Then a particle's state is canvas and way: `Trail` compares by both, so that
answers are never shared between particles that came by different ways, and nothing
depends on what other particles did. With p_t(· | C_0 … C_t) in place of p_t(· | C_t), the proof
of the weights (`docs/diffusion.md`) holds word by word.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from pgen.programs.orders import Canvas


@runtime_checkable
class Remembers(Protocol):
    """A masked diffusion model whose marginals depend on the way to a canvas."""

    def following(self, before: Canvas, after: Canvas) -> Canvas:
        """`after`, one step behind `before`, with as much of the way as the model's answer depends on."""
        ...


class Trail(tuple[int | None, ...]):
    """A canvas and the `earlier` canvases that led to it, oldest first, at least one; equal if both are equal."""

    earlier: tuple[Canvas, ...]

    @classmethod
    def of(cls, canvas: Canvas, earlier: tuple[Canvas, ...]) -> Trail:
        made = cls(canvas)
        made.earlier = earlier
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trail) and tuple.__eq__(self, other) and self.earlier == other.earlier

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((tuple.__hash__(self), self.earlier))

    def __reduce__(self) -> tuple[Any, ...]:
        return Trail.of, (tuple(self), self.earlier)


def way_to(canvas: Canvas) -> tuple[Canvas, ...]:
    """The canvases that led to this one, itself the last."""
    return (*canvas.earlier, tuple(canvas)) if isinstance(canvas, Trail) else (canvas,)


def following(model: object, before: Canvas, after: Canvas) -> Canvas:
    """`after`, one step behind `before`, as `model` is to be asked about it."""
    remembers = getattr(model, "following", None)
    return after if remembers is None else remembers(before, after)
