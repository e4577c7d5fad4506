"""`template`: fixed text with named holes, each with a language of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from types import EllipsisType

from pgen.errors import InvalidArgument, InvalidLanguage, UnsupportedFeature
from pgen.language import ir
from pgen.language.base import Language, Residual, as_language, late, parts_inside

FREE_TEXT = Language(ir.ANY_TEXT, description="free text")

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_ESCAPES = {"{{": "{", "}}": "}"}
_BRACE_HINT = "write {{ and }} for braces that are text"


class Template(Language):
    """Fixed text with named holes; build one with `template`.

    `text` is what was passed, `names` the holes in order, `holes` their languages by name.

    *How a text is split*: from left to right, a hole with a language takes as much as it
    can, a hole of free text as little as it can, such that what follows still fits. (So
    `re` reads greedy and lazy groups, but for alternatives: their order does not count.)
    A residual of a hole holds of what this split puts there, and is part of `residual`.
    """

    __slots__ = ("_parts", "text")

    def __init__(self, text: str, holes: Mapping[str, Language | str | EllipsisType]) -> None:
        if not isinstance(text, str):
            raise InvalidArgument(f"a template is a str, got {type(text).__name__}")
        self.text = text
        self._parts = tuple(_parts(text, holes))
        node = ir.concat(*(part.language.node for part in self._parts))
        super().__init__(node, description=f"template({text!r})", residual=tuple(_facts(self._parts)))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the holes, from left to right."""
        return tuple(part.name for part in self._parts if part.name)

    @property
    def holes(self) -> dict[str, Language]:
        """The language of each hole; that of a hole without one is all texts."""
        return {part.name: part.language for part in self._parts if part.name}

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Holes and fixed parts, from left to right."""
        return self._parts

    def parse(self, text: str) -> dict[str, str]:
        """What stands in each hole, split as the class says. Raises `InvalidArgument` where `text` does not fit."""
        return {part.name: piece for part, _, piece in self._pieces(text) if part.name}

    def begins(self, text: str) -> dict[str, int]:
        """The character at which each hole begins in `text`; like `parse`."""
        return {part.name: begin for part, begin, _ in self._pieces(text) if part.name}

    def fixing(self, /, **values: str) -> Language:
        """The texts of the template in which some holes hold these values, residuals aside."""
        nodes = [ir.literal(values[part.name]) if part.name in values else part.language.node for part in self._parts]
        return Language(ir.concat(*nodes), description=f"{self!r} with {values}")

    def _pieces(self, text: str) -> list[tuple[Segment, int, str]]:
        """Each part, where it begins, and what it holds."""
        found = _split(self._parts, text) if self.matches(text) else None
        if found is None:
            raise InvalidArgument(f"the text is not one of {self!r}: {self.explain(text)}")
        begins = [0, *accumulate(map(len, found))]
        return list(zip(self._parts, begins[:-1], found, strict=True))

    def format(self, /, **values: str) -> str:
        """The text with `values` in its holes.

        Raises `InvalidArgument` for holes without a value, values without a hole, and values that
        are not members of their hole's language.
        """
        unknown = [name for name in values if name not in self.names]
        if unknown:
            raise InvalidArgument(f"the template has no hole {unknown[0]!r}", hint=f"holes: {', '.join(self.names)}")
        return "".join(part.filled(values, self.text) if part.name else part.fixed for part in self._parts)

    def _parts_at(self, before: str, after: str) -> tuple[str, ...]:
        holes = {f"hole {name}": language for name, language in self.holes.items()}
        whole = ir.concat(*(ir.Ref(f"@hole {part.name}") if part.name else part.language.node for part in self._parts))
        bodies = (whole, *(language.node for language in holes.values()))
        return parts_inside(ir.Recursive("", ("", *(f"@{name}" for name in holes)), bodies), holes, before, after)


@dataclass(frozen=True, slots=True)
class Segment:
    """A hole (with a `name`) or text that is `fixed`, at `position` of the template as it was written."""

    language: Language
    name: str = ""
    free: bool = False
    position: int = 0
    fixed: str = ""

    def filled(self, values: Mapping[str, str], template: str) -> str:
        """The value of this hole, checked."""
        if self.name not in values:
            place = f"at position {self.position} of {template!r}"
            raise InvalidArgument(f"no value for hole {self.name!r}, which is {place}")
        value = values[self.name]
        if not isinstance(value, str):
            raise InvalidArgument(f"the value of hole {self.name!r} is a str, got {type(value).__name__}")
        if not self.language.matches(value):
            reason = self.language.explain(value)
            raise InvalidArgument(f"{value!r} does not fit hole {self.name!r}, which is {self.language!r}: {reason}")
        return value


@dataclass(frozen=True, slots=True)
class HoleFact:
    """Whether a residual of hole number `index` among `parts` holds of what a text has there."""

    parts: tuple[Segment, ...]
    index: int
    fact: Residual

    def __call__(self, text: str) -> bool:
        found = _split(self.parts, text)
        return found is not None and self.fact.holds(found[self.index])


def template(text: str, /, **holes: Language | str | EllipsisType) -> Template:
    """The texts that `text` becomes when each `{name}` in it is filled by a member of `holes[name]`.

    A hole that is not named in `holes`, or named as `...`, is free text; a plain string is
    that string. `{{` and `}}` stand for braces. Raises `InvalidLanguage`, with the position,
    for malformed braces and names, for a hole that comes twice, and for names that are not
    those of a hole.
    """
    return Template(text, holes)


def _parts(text: str, holes: Mapping[str, Language | str | EllipsisType]) -> Iterator[Segment]:
    seen: set[str] = set()
    fixed, begin, at = "", 0, 0
    for token in _TOKEN.finditer(text):
        fixed, at = fixed + text[at : token.start()], token.end()
        if token[0] in _ESCAPES:
            fixed += _ESCAPES[token[0]]
            continue
        name = _hole_name(token, seen)
        if fixed:
            yield _fixed(fixed, begin)
        fixed, begin = "", at
        language = holes.get(name, ...)
        free = isinstance(language, EllipsisType)
        yield Segment(
            FREE_TEXT if isinstance(language, EllipsisType) else as_language(language), name, free, token.start()
        )
    if fixed + text[at:]:
        yield _fixed(fixed + text[at:], begin)
    _check_known(text, holes, seen)


def _fixed(text: str, position: int) -> Segment:
    return Segment(as_language(text), fixed=text, position=position)


def _hole_name(token: re.Match[str], seen: set[str]) -> str:
    name, text, at = token[1], token.string, token.start()
    if name is None:
        raise InvalidLanguage(f"a lone {token[0]} in a template", source=text, position=at, hint=_BRACE_HINT)
    if not name.isidentifier():
        raise InvalidLanguage(f"a hole needs a name, not {name!r}", source=text, position=at, hint=_BRACE_HINT)
    if name in seen:
        hint = "give the second hole a name of its own; the same text twice is no regular language"
        raise UnsupportedFeature(f"hole {name!r} comes twice", source=text, position=at, hint=hint)
    seen.add(name)
    return str(name)


def _check_known(text: str, holes: Mapping[str, object], seen: set[str]) -> None:
    unknown = [name for name in holes if name not in seen]
    if unknown:
        hint = f"its holes: {', '.join(sorted(seen))}" if seen else "write {name} in the text for a hole"
        raise InvalidLanguage(f"the template has no hole {unknown[0]!r}", source=text, position=0, hint=hint)


def _facts(parts: tuple[Segment, ...]) -> Iterator[Residual]:
    for i, part in enumerate(parts):
        for fact in part.language.residual:
            said = f"{fact.description}, in hole {part.name}"
            yield Residual(said, HoleFact(parts, i, fact), fact.pointer)


def _split(parts: tuple[Segment, ...], text: str) -> tuple[str, ...] | None:
    make = late("pgen.automata.splits:Part")
    given = tuple(make(part.language.node, not part.free) for part in parts)
    found: tuple[str, ...] | None = late("pgen.automata.splits:split")(given, text)
    return found
