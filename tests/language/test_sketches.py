"""What the parts of a schema that are written later are made of: nothing that laying them would have to look for."""

from __future__ import annotations

from typing import Any

import pytest

import pgen
from pgen.language import ir
from pgen.language.sizes import special_names

SCHEMAS: list[dict[str, Any]] = [
    {"enum": [1, "a", [True, {"b": None}]]},
    {"type": "string", "pattern": "^(?!ab)[a-z]*$", "not": {"const": "x"}, "maxLength": 9},
    {"type": "string", "format": "uri", "pattern": "^mailto:"},
    {"patternProperties": {"^a": {"type": "integer"}, "b$": {"minimum": 2}}, "propertyNames": {"maxLength": 4}},
    {"properties": {"a": {"not": {"pattern": "x"}}, "b": {"multipleOf": 0.5}}, "additionalProperties": {"$ref": "#"}},
    {"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "minProperties": 2, "properties": {"a": {"type": "null"}}},
    {"type": "array", "prefixItems": [{"pattern": "a"}], "contains": {"pattern": "b"}, "items": {"pattern": "^[^c]*$"}},
    {"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}, "unevaluatedProperties": False},
]


@pytest.mark.parametrize("order", ["declared", "any"])
@pytest.mark.parametrize("schema", SCHEMAS, ids=[next(iter(schema)) + str(i) for i, schema in enumerate(SCHEMAS)])
def test_sketches_combine_languages_in_spelled_values_only(schema: dict[str, Any], order: Any) -> None:
    language = pgen.JSONSchema(schema, whitespace="any", property_order=order)
    waiting, met = [language.sketch, *language.stock.parts, *language.stock.shared], set[int]()
    for body in waiting:
        assert not ir.has_boolean(body) and not special_names(body)
        fresh = [part for part in ir.objects(body) if isinstance(part, ir.Later) and id(part) not in met]
        met.update(map(id, fresh))
        waiting += [part.write() for part in fresh]
