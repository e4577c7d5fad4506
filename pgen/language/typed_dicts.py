"""`typing.TypedDict`s in the form that pydantic reads.

Before Python 3.12 pydantic reads only those of `typing_extensions`, which keep what
it needs to know; the others are rebuilt here, wherever they stand in an annotation.
"""

from __future__ import annotations

import typing
from functools import reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin, get_type_hints

from pgen.errors import UnsupportedFeature


def readable(annotation: Any, above: tuple[Any, ...] = ()) -> Any:
    """`annotation` with every `typing.TypedDict` in it rebuilt; anything else comes back as it is.

    Raises `UnsupportedFeature` on a `TypedDict` that contains itself.
    """
    if typing.is_typeddict(annotation):
        return _rebuilt(annotation, above)
    arguments = get_args(annotation)
    changed = tuple(readable(argument, above) for argument in arguments)
    if all(new is old for new, old in zip(changed, arguments, strict=True)):
        return annotation
    if isinstance(annotation, UnionType):
        return reduce(or_, changed)
    if get_origin(annotation) is Annotated:
        return Annotated[(changed[0], *annotation.__metadata__)]
    return annotation.copy_with(changed) if hasattr(annotation, "copy_with") else get_origin(annotation)[changed]


def _rebuilt(kind: Any, above: tuple[Any, ...]) -> Any:
    from typing_extensions import TypedDict

    if type(kind).__module__ == "typing_extensions":
        return kind
    if kind in above:
        raise UnsupportedFeature(f"{kind.__name__} contains itself: recursive values are not supported")
    hints = get_type_hints(kind, include_extras=True)
    fields = {name: _field(kind, name, hint, (*above, kind)) for name, hint in hints.items()}
    return TypedDict(kind.__name__, fields)  # type: ignore[operator]


def _field(kind: Any, name: str, hint: Any, above: tuple[Any, ...]) -> Any:
    said = get_origin(hint)
    if said in (Required, NotRequired):
        return said[readable(get_args(hint)[0], above)]
    return (Required if name in kind.__required_keys__ else NotRequired)[readable(hint, above)]
