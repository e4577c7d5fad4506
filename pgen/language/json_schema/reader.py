"""From schemas to shapes: every keyword of the draft is read.

What a shape cannot say (branches of `oneOf` that may overlap, complements of
recursive schemas ...) widens the shape and is noted as a `Fact`, to be checked on
complete values: shapes never exclude a valid value. A part that no value satisfies becomes
the empty shape with a warning; only a whole schema of that kind raises. A schema
that leads back to itself becomes a lazy option. Cost: linear in the schema, times the
branches that `allOf`, `anyOf` and conditions multiply (limited by `meet.MAX_WEIGHT`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pgen.errors import InvalidLanguage, LimitExceeded
from pgen.language.json_schema import conditions, keywords, typed
from pgen.language.json_schema.dialects import dialect_of
from pgen.language.json_schema.evaluated import unevaluated
from pgen.language.json_schema.keywords import SchemaWarning, Unknown, in_effect, warn_unknown
from pgen.language.json_schema.meet import disjoint, meet
from pgen.language.json_schema.references import Document, check_identifier
from pgen.language.json_schema.shapes import ANYTHING, NOTHING, Lazy, Shape, StillOpen, constant, join

Schema = Mapping[str, Any]
Part = tuple[str, Shape]
"""A keyword and the shape that it stands for."""

_OF_TYPES = keywords.TYPED | {"type"}
_OF_VALUES = _OF_TYPES | {"const", "enum"}
_DEFINITIONS = frozenset({"$defs", "definitions"})
MAX_DEPTH = 64
"""How deep schemas may nest, references followed up to half of it."""


class Fact(NamedTuple):
    """A keyword at `pointer` that shapes leave open."""

    keyword: str
    pointer: str


class Reader:
    """Reads one schema document; `facts` collects what its shapes leave open, `unknown` names that are no keywords."""

    def __init__(self, root: Any, assert_formats: bool = True, resources: Mapping[str, Any] | None = None) -> None:
        self.root = root
        self.assert_formats = assert_formats
        self.dialect = dialect_of(root, resources)
        self._resources = resources or {}
        self._document: Document | None = None
        self.facts: dict[Fact, None] = {}
        self.unknown: Unknown = {}
        self._conflicts: dict[str, str] = {}
        self._shapes: dict[str, Shape] = {}
        # Equal shapes become one object, which is found among others without comparing.
        self._distinct: dict[Shape, Shape] = {}
        self._loose: dict[str, bool] = {}
        self._open: dict[str, bool] = {}
        self._resolved: dict[tuple[Shape | str, ...], Shape | None] = {}
        self._branchings: list[tuple[list[Shape], str]] = []
        self._postponed: list[str] = []

    @property
    def document(self) -> Document:
        """Where references lead; made when it is first needed, and most schemas have no references."""
        if self._document is None:
            self._document = Document(self.root, self.dialect, self._resources)
        return self._document

    def whole(self) -> Shape:
        """The shape of the whole document.

        Raises `InvalidLanguage` on malformed schemas, and on those that no value satisfies.
        """
        try:
            shape = self.read(self.root, "")
            if isinstance(self.root, dict) and not _DEFINITIONS.isdisjoint(self.root):
                # Names have to be well-formed even where nothing leads to them.
                _ = self.document
            while self._postponed:
                self._read_at(self._postponed.pop())
            shape = shape.resolved()
        except StillOpen as needed:
            raise _circle(needed.pointer) from None
        warn_unknown(self.unknown, self.dialect)
        for branches, pointer in self._branchings:
            if not disjoint(branches):
                self.note("oneOf", pointer)
        if shape == NOTHING:
            self._raise_conflict()
        for pointer, message in self._conflicts.items():
            warnings.warn(f"{pointer or '/'}: this part can never hold: {message}", SchemaWarning, stacklevel=3)
        return shape

    def _raise_conflict(self) -> None:
        if not self._conflicts:
            raise InvalidLanguage("no value is valid by this schema", pointer="")
        places = list(self._conflicts)
        inner = [f"{self._conflicts[place]} (at {place})" for place in places[:-1]]
        raise InvalidLanguage(
            f"the schema contradicts itself: {self._conflicts[places[-1]]}",
            pointer=places[-1],
            hint="; ".join(inner) or None,
        )

    def read(self, schema: Any, pointer: str) -> Shape:
        """The shape of the values that `schema`, at `pointer` in the document, allows."""
        if isinstance(schema, bool):
            return ANYTHING if schema else NOTHING
        if not isinstance(schema, dict):
            raise InvalidLanguage(f"a schema is an object, true or false, not {schema!r:.80}", pointer=pointer)
        if (plain := typed.plain(schema, self.dialect)) is not None:
            self._loose[pointer] = False
            return plain
        if pointer in self._open:
            self._widen()
            return Shape((Lazy((pointer,), self.resolve),))
        if pointer not in self._shapes:
            shape = self._entered(schema, pointer)
            self._shapes[pointer] = self._distinct.setdefault(shape, shape)
        if self._loose[pointer]:
            self._widen()
        return self._shapes[pointer]

    def _entered(self, schema: Schema, pointer: str) -> Shape:
        if len(self._open) >= MAX_DEPTH:
            raise LimitExceeded(f"the schema nests deeper than {MAX_DEPTH} levels at {pointer}")
        self._open[pointer] = False
        try:
            return self._shape(schema, pointer)
        finally:
            self._loose[pointer] = self._open.pop(pointer)

    def _widen(self) -> None:
        """Remember that the shape that is being read may allow more than its schema."""
        if self._open:
            self._open[next(reversed(self._open))] = True

    def is_exact(self, schema: Any, pointer: str) -> bool:
        """Whether the shape of a schema that has been read allows nothing but its values."""
        return isinstance(schema, bool) or not self._loose.get(pointer, True)

    def note(self, keyword: str, pointer: str) -> None:
        """A keyword of the schema at `pointer` is left open."""
        self.facts[Fact(keyword, f"{pointer}/{keyword}")] = None
        self._widen()

    def conflict(self, message: str, pointer: str) -> None:
        """No value is allowed at `pointer`."""
        self._conflicts.setdefault(pointer, message)

    def resolve(self, lazy: Lazy) -> Shape:
        """The shape of the values of every part of a lazy option."""
        if lazy.parts not in self._resolved:
            self._resolved[lazy.parts] = None
            try:
                shape = ANYTHING
                for part in lazy.parts:
                    shape = meet(shape, self._part(part))
                self._resolved[lazy.parts] = shape
            finally:
                if self._resolved[lazy.parts] is None:
                    del self._resolved[lazy.parts]
        found = self._resolved[lazy.parts]
        if found is None:
            raise _circle(next((part for part in lazy.parts if isinstance(part, str)), ""))
        return found

    def _part(self, part: Shape | str) -> Shape:
        if isinstance(part, Shape):
            return part.resolved()
        if part in self._open:
            raise StillOpen(part, self.resolve)
        return self._read_at(part).resolved()

    def _read_at(self, pointer: str) -> Shape:
        """The shape of the schema at a pointer."""
        known = self._shapes.get(pointer)
        if known is not None and not self._loose[pointer]:
            return known
        return self.read(self.document.at(pointer), pointer)

    def _shape(self, schema: Schema, pointer: str) -> Shape:
        if (identifier := self.dialect.identifier) in schema:
            check_identifier(schema[identifier], f"{pointer}/{identifier}")
        known = in_effect(schema, pointer, self.dialect, self.unknown)
        if _OF_TYPES.issuperset(known):
            return typed.shape(self, known, pointer) if known else ANYTHING
        if len(known) == 1 and "$ref" in known:
            return self._referenced("$ref", known["$ref"], pointer)
        shape, empty = ANYTHING, False
        for keyword, part in self._parts(known, pointer):
            empty = empty or part == NOTHING
            try:
                shape = meet(shape, part)
            except LimitExceeded:
                self.note(keyword, pointer)
        if shape == NOTHING and not empty:
            self.conflict(f"no value satisfies {named(known)} together", pointer)
        return shape

    def _parts(self, schema: Schema, pointer: str) -> Iterator[Part]:
        yield from self._values(schema, pointer)
        if "type" in schema or not keywords.TYPED.isdisjoint(schema):
            yield "type", typed.shape(self, schema, pointer)
        if _OF_VALUES.issuperset(schema):
            return
        yield from self._references(schema, pointer)
        for branch in self._branches(schema, "allOf", pointer):
            yield "allOf", branch
        if "anyOf" in schema:
            yield "anyOf", join(self._branches(schema, "anyOf", pointer))
        if "oneOf" in schema:
            yield "oneOf", self._one_of(self._branches(schema, "oneOf", pointer), pointer)
        yield from conditions.parts(self, schema, pointer)
        yield from unevaluated(self, schema, pointer)

    def _values(self, schema: Schema, pointer: str) -> Iterator[Part]:
        if "enum" in schema and not schema["enum"]:
            self.conflict("enum is empty, so that no value is allowed", f"{pointer}/enum")
        for keyword, values in (("const", [schema.get("const")]), ("enum", schema.get("enum"))):
            if keyword in schema:
                yield keyword, Shape(tuple(dict.fromkeys(map(constant, values or ()))))

    def _branches(self, schema: Schema, keyword: str, pointer: str) -> list[Shape]:
        branches = schema.get(keyword, [])
        return [self.read(branch, f"{pointer}/{keyword}/{i}") for i, branch in enumerate(branches)]

    def _one_of(self, branches: list[Shape], pointer: str) -> Shape:
        if any(branch.is_lazy for branch in branches):
            self._branchings.append((branches, pointer))
            self._widen()
        elif not disjoint(branches):
            self.note("oneOf", pointer)
        return join(branches)

    def _references(self, schema: Schema, pointer: str) -> Iterator[Part]:
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            if keyword in schema:
                yield keyword, self._referenced(keyword, schema[keyword], pointer)

    def _referenced(self, keyword: str, reference: str, pointer: str) -> Shape:
        target = self.document.target(reference, f"{pointer}/{keyword}")
        if target is None or (keyword != "$ref" and self.document.is_dynamic(keyword, reference, target)):
            self.note(keyword, pointer)
            return ANYTHING
        if len(self._open) >= MAX_DEPTH // 2 and target not in self._shapes | self._open:
            self._postponed.append(target)
            self._widen()
            return Shape((Lazy((target,), self.resolve),))
        return self._read_at(target)


def named(schema: Schema, among: frozenset[str] | None = None) -> str:
    """The keywords of a schema with their values, for messages."""
    said = {name: value for name, value in schema.items() if among is None or name in among}
    return ", ".join(f"{name} {value!r:.40}" for name, value in said.items())


def _circle(pointer: str) -> InvalidLanguage:
    return InvalidLanguage("this schema refers to itself in a circle without content", pointer=pointer)
