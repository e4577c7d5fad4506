"""Values that programs make by the hundred thousand: immutable to the type checker, quick to make.

A frozen dataclass sets every field through a guard, which takes several times as long as making the rest of
it. That nobody changes these values is for mypy to uphold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True)
def immutable(
    *,
    eq: bool = True,
    repr: bool = True,  # noqa: A002
    weakref_slot: bool = False,
) -> Callable[[type[Value]], type[Value]]:
    """A dataclass with slots; equal ones hash alike unless `eq` is False, which compares by identity."""

    def made(kind: type[Value]) -> type[Value]:
        return dataclass(slots=True, eq=eq, unsafe_hash=eq, repr=repr, weakref_slot=weakref_slot)(kind)

    return made
