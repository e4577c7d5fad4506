"""Ready-made grammars in Lark's syntax, one file each.

`pgen.Grammar(name)` is the language of one; `%import name.rule` takes its parts into
another grammar. Each file begins with what it covers and what it leaves out.
"""

from __future__ import annotations

from importlib.resources import files

from pgen.errors import InvalidArgument
from pgen.language.base import late

_SUFFIX = ".lark"


def names() -> tuple[str, ...]:
    """The names of the grammars, in alphabetical order."""
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in found if name.endswith(_SUFFIX)))


def load(name: str) -> str:
    """The text of the grammar called `name`. Raises `InvalidArgument` if there is none."""
    known = names()
    if name not in known:
        hint = late("pgen.language.grammar.definitions:did_you_mean")(str(name), known)
        raise InvalidArgument(f"no grammar is named {name!r}", hint=hint or f"one of {', '.join(known)}")
    return files(__name__).joinpath(name + _SUFFIX).read_text(encoding="utf-8")
