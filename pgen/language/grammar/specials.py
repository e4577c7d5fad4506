"""Special tokens in grammars: `<|name|>` and `<name>` by printed name, `<[7]>`, `<[3-5,9]>` by ids.

They stand in rules as terminals do. Declared terminals stand for one where `declared`
says so. Which tokens they are is looked up in a vocabulary when a language is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pgen.errors import InvalidArgument, PgenError
from pgen.language import ir
from pgen.language.grammar.definitions import Scope, did_you_mean
from pgen.language.nodes import Special

MAX_IDS = 1000
_IDS = re.compile(r"<\[(\d{1,9}(?:-\d{1,9})?(?:,\d{1,9}(?:-\d{1,9})?)*)\]>", re.ASCII)


def special_node(name: str, scope: Scope, position: int) -> ir.Node:
    """Any one of the special tokens that `name` means."""
    if not _is_text(name):
        raise scope.source.invalid(f"no token is called {name!r}, which has a lone surrogate", position)
    if not name.startswith("<["):
        return Special.named(name)
    listed = _IDS.fullmatch(name.replace(" ", ""))
    if listed is None:
        raise scope.source.unsupported(f"the token class {name}", position, "ids are listed as in <[3-5,9]>")
    ranges = [(int(first), int(last or first)) for first, _, last in (r.partition("-") for r in listed[1].split(","))]
    if sum(abs(last - first) + 1 for first, last in ranges) > MAX_IDS:
        raise scope.source.too_much(f"{name} has more than {MAX_IDS} tokens", position)
    if any(last < first for first, last in ranges):
        raise scope.source.invalid(f"a range in {name} is the wrong way round", position)
    return ir.union(*(Special.named(f"<[{i}]>") for first, last in ranges for i in range(first, last + 1)))


def _is_text(name: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in name)


def special_error(name: str, scope: Scope, position: int) -> PgenError:
    """The error about a special token where there can only be text."""
    hint = "special tokens stand in rules, whose names are in lower case; not under &, ~, %ignore or [lazy]"
    return scope.source.unsupported(f"the special token {name} inside a terminal", position, hint)


def bind_declared(scope: Scope, declared: Mapping[str, str]) -> None:
    """Give declared terminals their special tokens. Raises `InvalidArgument` for names that are not declared."""
    for name, special in declared.items():
        entry = scope.entries.get(name)
        if not isinstance(special, str) or not special or not _is_text(special):
            raise InvalidArgument(
                f"declared={{{name!r}: {special!r}}}", hint='a special token is given by its name, "<|…|>"'
            )
        if entry is None or not entry.declared or not entry.is_terminal:
            known = [other for other, found in scope.entries.items() if found.declared and found.is_terminal]
            hint = did_you_mean(name, known) or f"write %declare {name} into the grammar"
            raise InvalidArgument(f"the grammar declares no terminal {name}", hint=hint)
        entry.special = special


def without_specials(node: ir.Node, scope: Scope) -> None:
    """Raise `UnsupportedFeature` if there are special tokens, which maximal munch does not know."""
    for part in ir.descendants(node):
        if isinstance(part, Special):
            hint = 'use lexer="dynamic_complete"'
            raise scope.source.unsupported(f'the special token {part.name} with lexer="contextual"', 0, hint)
