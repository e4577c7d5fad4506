"""`JSONSchema`: the JSON texts whose value is valid by a schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pgen.errors import InvalidArgument, InvalidLanguage, LimitExceeded
from pgen.language import ir
from pgen.language.base import Language, Residual
from pgen.language.json_schema import values
from pgen.language.json_schema.emit import Emitter, stock
from pgen.language.json_schema.layout import layout
from pgen.language.json_schema.members import exact_in_any_order
from pgen.language.json_schema.places import parts_at
from pgen.language.json_schema.reader import Reader
from pgen.language.json_schema.shapes import ObjectShape
from pgen.language.json_schema.shortest import Lengths, Shortest, shortest_bytes
from pgen.language.types import schema_of


class JSONSchema(Language):
    """The JSON texts whose value is valid by draft 2020-12, formats asserted.

    `schema` is a schema (a dict, a boolean or JSON text), or a type: a pydantic
    model, a dataclass, a `TypedDict` or a `typing` annotation. Types have no
    properties but those they declare; a schema that does not say
    `additionalProperties: false` allows others, after the declared ones, as the
    draft has it.

    *Accepted*: every valid value, with properties in declared order; declared names, `const`
    and `enum` as `json.dumps` writes them, with or without `ensure_ascii`; names that patterns tell apart by
    automata and other strings in all escapes but lone surrogates; integers as plain decimals or with
    `.0`; bounded numbers as plain decimals or as `json.dumps` writes them,
    others in any spelling. Runs of digits end at 64, and formats are those of
    `json_schema.formats`. A `pattern` holds where ECMA-262 and Python agree. `$schema`
    at the root may name draft 4, 6, 7 or 2019-09, whose keywords then hold; without it,
    their spellings are understood.

    `whitespace`: `"default"` is nothing or one space after each `,` and `:`, mixed
    at will; `"any"` runs of up to 32 white space characters wherever JSON allows them;
    `"compact"` none; an integer what `json.dumps(indent=)` writes (values that no
    schema describes then nest at most 5 deep, recursive ones 12).
    `property_order="any"` takes properties in any order.
    `format="annotate"` ignores formats. `resources` holds other schemas by their URIs, for
    references out of the document; nothing is ever fetched.

    *Residual* (checked on complete texts): distinct names where undeclared ones are
    allowed, `uniqueItems` of other than a few plain values, `contains` with bounds above 50,
    `maxContains`, `not` and `if` of what has no complement among shapes,
    branches of `oneOf` that may overlap, `unevaluated…` next to branches that need not
    apply, a `multipleOf` that is neither 1, 0.1, 0.01 … nor on at most 1,024 integers, counts of
    properties where some are optional, upper bounds on lengths and counts above 100,000, patterns that are
    not regular, and in any order the required ones of objects with more than 5 properties.

    `source` is what was passed, `schema` the JSON Schema in use. Masks write out the values of a schema as texts get
    to them; `node` and `residual` all of them.
    Raises `InvalidLanguage` on malformed schemas and where no value is valid, `UnsupportedFeature` on
    references out of the document and on `patternProperties` that are not regular, both naming the JSON pointer.
    """

    __slots__ = (
        "_reader",
        "_shape",
        "_sketch",
        "_written",
        "assert_formats",
        "property_order",
        "resources",
        "schema",
        "source",
        "whitespace",
    )

    def __init__(
        self,
        schema: Any,
        whitespace: str | int = "default",
        property_order: str = "declared",
        format: str = "assert",  # noqa: A002
        resources: Mapping[str, Any] | None = None,
    ) -> None:
        _check_options(property_order, format)
        self.source: Any = schema.source if isinstance(schema, JSONSchema) else schema
        self.schema = schema_of(schema)
        self.whitespace, self.property_order = whitespace, property_order
        self.assert_formats = format == "assert"
        own = schema.resources if isinstance(schema, JSONSchema) else {}
        self.resources: dict[str, Any] = {uri: schema_of(found) for uri, found in (resources or own).items()}
        self._reader = Reader(self.schema, self.assert_formats, self.resources)
        self._written: _Written | None = None
        with _Nesting():
            self._shape = self._reader.whole()
            self._sketch = self._sketched()
        if ir.is_empty(self._sketch):
            raise InvalidLanguage("no value is valid by this schema", pointer="")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JSONSchema) or self._parameters() != other._parameters():
            return False
        same_source = (self.schema, self.resources) == (other.schema, other.resources)
        return same_source or (self.node, self.residual) == (other.node, other.residual)

    def __hash__(self) -> int:
        return hash(self._parameters())

    def __reduce__(self) -> tuple[object, ...]:
        format_mode = "assert" if self.assert_formats else "annotate"
        return type(self), (self.source, self.whitespace, self.property_order, format_mode, self.resources)

    def _parameters(self) -> tuple[object, ...]:
        return self.whitespace, self.property_order, self.assert_formats, self._shape

    @property
    def description(self) -> str:  # type: ignore[override]
        """What `repr` says."""
        return f"JSONSchema({_title(self.source)})"

    @property
    def properties(self) -> tuple[str, ...]:
        """The names that the top level declares, in order."""
        objects = [option for option in self._shape.options or () if isinstance(option, ObjectShape)]
        return tuple(dict.fromkeys(name for option in objects for name, _ in option.properties))

    @property
    def node(self) -> ir.Node:
        """The texts that masks allow; written out when first asked for."""
        return self._whole().node

    @property
    def residual(self) -> tuple[Residual, ...]:
        """What is checked on complete texts besides."""
        return self._whole().residual

    @property
    def distinct_names_matter(self) -> bool:
        """Whether a text of `node` with two properties of one name could be invalid as a parser reads it."""
        return self._whole().distinct_names_matter

    @property
    def sketch(self) -> ir.Node:
        """The same texts as `node`, values to be written out when a walk gets to them."""
        return self._sketch

    @property
    def stock(self) -> ir.Stock:
        """Values that no schema restricts, in this layout."""
        spaces = layout(self.whitespace)
        return ir.NO_STOCK if spaces.by_depth else stock(spaces)[1]

    def _sketched(self) -> ir.Node:
        spaces, any_order = layout(self.whitespace), self.property_order == "any"
        if spaces.by_depth:
            return self.node
        exact = exact_in_any_order(self._shape) if any_order else None

        def emitter(lengths: Shortest | Lengths) -> Emitter:
            return Emitter(spaces, any_order, lengths, exact_orders=exact, common=stock(spaces)[0])

        measured = Shortest(lambda option, parts: shortest_bytes(emitter(parts).option(option)), exact)
        return emitter(measured).text(self._shape)

    def _whole(self) -> _Written:
        if self._written is None:
            emitter = Emitter(layout(self.whitespace), self.property_order == "any")
            with _Nesting():
                node = emitter.text(self._shape)
            residual = _residual(self.schema, self.resources, self._reader, emitter)
            self._written = _Written(node, residual, emitter.counts_repeats or emitter.any_order)
        return self._written

    def _parts_at(self, before: str, after: str) -> tuple[str, ...]:
        return parts_at(self.schema, self.assert_formats, self.resources, before, after)


class _Written(NamedTuple):
    """What is known once every value is written out."""

    node: ir.Node
    residual: tuple[Residual, ...]
    distinct_names_matter: bool


class _Nesting:
    """Inside of it, too many levels are an error of the schema."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, RecursionError):
            raise LimitExceeded("the schema nests too deeply", hint="use fewer levels") from None


@dataclass(frozen=True, slots=True)
class Valid:
    """Whether a text is valid by a schema (kept as JSON text, as are the other schemas it refers to)."""

    schema_text: str
    assert_formats: bool
    resources_text: str = "{}"

    def __call__(self, text: str) -> bool:
        return values.is_valid(self.schema_text, self.assert_formats, text, self.resources_text)


def _check_options(property_order: str, format_mode: str) -> None:
    if property_order not in ("declared", "any"):
        raise InvalidArgument(f"property_order={property_order!r}", hint='one of "declared", "any"')
    if format_mode not in ("assert", "annotate"):
        raise InvalidArgument(f"format={format_mode!r}", hint='one of "assert", "annotate"')


def _residual(schema: Any, resources: dict[str, Any], reader: Reader, emitter: Emitter) -> tuple[Residual, ...]:
    places = {f"{fact.keyword} at {fact.pointer}": fact.pointer for fact in reader.facts}
    places |= {f"{what} at {pointer or '/'}": pointer for what, pointer in sorted(emitter.open_places)}
    holds = Valid(json.dumps(schema), reader.assert_formats, json.dumps(resources)) if places else None
    facts = [Residual(said, holds, pointer) for said, pointer in places.items() if holds is not None]
    if emitter.repeats_names:
        facts.append(Residual("no object has two properties of one name", values.has_distinct_names))
    return tuple(facts)


def _title(source: Any) -> str:
    if isinstance(source, type):
        return source.__name__
    text = json.dumps(source) if isinstance(source, (dict, bool)) else str(source)
    return text if len(text) <= 60 else text[:59] + "…"
