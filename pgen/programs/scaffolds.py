"""The fixed parts of a template placed in a canvas before any model call.

Schema scaffolding (S³: Xiong et al. 2025) gives every value its room and lets the model see the
whole form at once. The canvas so begun is another process than the one that has to find the
places itself: its evidence is that of this layout, in which a hole takes as many tokens as was said.
So an end-of-sequence token stands in no hole: what the model gives to it there is no part of the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping

from pgen.errors import InvalidArgument
from pgen.language.templates import Template
from pgen.programs.infill import fixed_parts
from pgen.programs.orders import Canvas
from pgen.tokens.vocabulary import Vocabulary


def canvas_for(
    vocabulary: Vocabulary, template: Template, sizes: Mapping[str, int] | None, length: int | None
) -> Canvas:
    """The canvas that a template is filled in: open, or with sizes a scaffold. Raises as `scaffold` does."""
    if sizes is not None:
        return scaffold(vocabulary, template, sizes, length)
    if length is None:
        raise InvalidArgument("fill needs a length, or the sizes of all holes", hint="length=64, for instance")
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise InvalidArgument(f"length={length!r}: a canvas has at least one position")
    return (None,) * length


def scaffold(vocabulary: Vocabulary, template: Template, sizes: Mapping[str, int], length: int | None = None) -> Canvas:
    """The tokens of the fixed parts, `sizes[name]` open positions for each hole, and ends up to `length`.

    Raises `InvalidArgument` unless there is a size for every hole and nothing else, and all fit into `length`.
    """
    if set(sizes) != set(template.names):
        raise InvalidArgument(
            f"sizes for {', '.join(sizes) or 'no hole'}, but the holes are {', '.join(template.names)}",
            hint="say how many tokens each hole takes, or leave sizes out",
        )
    wrong = [name for name, size in sizes.items() if isinstance(size, bool) or not isinstance(size, int) or size < 0]
    if wrong:
        raise InvalidArgument(f"the size of {wrong[0]!r} is {sizes[wrong[0]]!r}: expected a number of tokens")
    first, *others = fixed_parts(template)
    canvas: list[int | None] = [*vocabulary.encode(first)]
    for name, part in zip(template.names, others, strict=True):
        canvas += [None] * sizes[name]
        canvas += vocabulary.encode(part)
    if length is None or length == len(canvas):
        return tuple(canvas)
    if length < len(canvas):
        raise InvalidArgument(f"the fixed parts and holes take {len(canvas)} positions, but length={length}")
    if not vocabulary.eos:
        raise InvalidArgument(
            f"the fixed parts and holes take {len(canvas)} positions, and nothing ends a text before length={length}",
            hint="leave length out",
        )
    return (*canvas, *[min(vocabulary.eos)] * (length - len(canvas)))
