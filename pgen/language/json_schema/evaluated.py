"""`unevaluatedProperties` and `unevaluatedItems` as rules for what no other keyword speaks of.

What keywords of a schema evaluate is collected from the schema and from all that applies
to the same value (`allOf`, `$ref`, `anyOf`, `if` ...). Branches that need not apply make the
collection an upper bound, so the rule is a superset and the keyword is left open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pgen.language.json_schema.keywords import in_effect
from pgen.language.json_schema.references import escaped
from pgen.language.json_schema.shapes import (
    ANYTHING,
    UNCONSTRAINED,
    ArrayShape,
    Extras,
    ObjectShape,
    Option,
    Restriction,
    Shape,
)
from pgen.language.json_schema.strings import in_python

if TYPE_CHECKING:
    from pgen.language.json_schema.reader import Part, Reader

Schema = Mapping[str, Any]

_ALWAYS = ("allOf",)
_SOMETIMES = ("anyOf", "oneOf")
_SOMETIMES_ONE = ("if", "then", "else")


@dataclass
class Evaluated:
    """What may be evaluated; `certain` says that all of it always is."""

    names: dict[str, None] = field(default_factory=dict)
    patterns: dict[str, None] = field(default_factory=dict)
    every_property: bool = False
    n_items: int = 0
    every_item: bool = False
    certain_properties: bool = True
    certain_items: bool = True


def unevaluated(reader: Reader, schema: Schema, pointer: str) -> Iterator[Part]:
    """The shapes of the two keywords, as far as a schema has them."""
    for keyword, kind in (("unevaluatedProperties", ObjectShape), ("unevaluatedItems", ArrayShape)):
        if keyword not in schema:
            continue
        rest = reader.read(schema[keyword], f"{pointer}/{keyword}")
        found = Evaluated()
        own = {name: value for name, value in schema.items() if name != keyword}
        _Collector(reader, found).collect(own, pointer, True)
        certain = found.certain_properties if kind is ObjectShape else found.certain_items
        if not certain and rest != ANYTHING:
            reader.note(keyword, pointer)
        option = _object(found, rest) if kind is ObjectShape else _array(found, rest)
        others: tuple[Option, ...] = tuple(o for o in UNCONSTRAINED if not isinstance(o, kind))
        yield keyword, Shape((*others, option))


def _object(found: Evaluated, rest: Shape) -> ObjectShape:
    if found.every_property or rest == ANYTHING:
        return ObjectShape()
    patterns = tuple((Restriction("pattern", in_python(source)), ANYTHING) for source in found.patterns)
    return ObjectShape(tuple((name, ANYTHING) for name in found.names), extras=(Extras(patterns, rest),))


def _array(found: Evaluated, rest: Shape) -> ArrayShape:
    return ArrayShape((ANYTHING,) * found.n_items, ANYTHING if found.every_item else rest)


class _Collector:
    """Walks the schemas that apply to one value."""

    def __init__(self, reader: Reader, found: Evaluated) -> None:
        self._reader = reader
        self._found = found
        self._seen: set[tuple[str, bool]] = set()

    def collect(self, schema: Any, pointer: str, certain: bool) -> None:
        if not isinstance(schema, Mapping) or (pointer, certain) in self._seen:
            return
        self._seen.add((pointer, certain))
        known = in_effect(schema, pointer, self._reader.dialect, self._reader.unknown)
        self._properties(known, certain)
        self._items(known, certain)
        for keyword in (*_ALWAYS, *_SOMETIMES):
            for i, branch in enumerate(known.get(keyword, ())):
                self.collect(branch, f"{pointer}/{keyword}/{i}", certain and keyword in _ALWAYS)
        for keyword in _SOMETIMES_ONE:
            self.collect(known.get(keyword), f"{pointer}/{keyword}", False)
        for name, branch in known.get("dependentSchemas", {}).items():
            self.collect(branch, f"{pointer}/dependentSchemas/{escaped(name)}", False)
        self._references(known, pointer, certain)

    def _properties(self, schema: Schema, certain: bool) -> None:
        found = self._found
        found.names.update(dict.fromkeys(schema.get("properties", ())))
        found.patterns.update(dict.fromkeys(schema.get("patternProperties", ())))
        every = "additionalProperties" in schema or "unevaluatedProperties" in schema
        found.every_property |= every
        if every or schema.get("properties") or schema.get("patternProperties"):
            found.certain_properties &= certain

    def _items(self, schema: Schema, certain: bool) -> None:
        found = self._found
        is_list = isinstance(schema.get("items"), list)
        listed = schema["items"] if is_list else schema.get("prefixItems", ())
        found.n_items = max(found.n_items, len(listed or ()))
        every = "unevaluatedItems" in schema or "contains" in schema
        # `additionalItems` goes with a list of `items` and means nothing without.
        every |= "additionalItems" in schema if is_list else "items" in schema
        found.every_item |= every
        if listed or every:
            found.certain_items &= certain and "contains" not in schema

    def _references(self, schema: Schema, pointer: str, certain: bool) -> None:
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef"):
            if keyword not in schema:
                continue
            target = self._reader.document.target(schema[keyword], f"{pointer}/{keyword}")
            if target is None or keyword != "$ref":
                found = self._found
                found.every_property = found.every_item = True
                found.certain_properties = found.certain_items = False
            else:
                self.collect(self._reader.document.at(target), target, certain)
