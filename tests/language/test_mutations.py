"""Grammars and schemas with mistakes in them: pgen's errors or right answers, for some; thousands by `run_mutations`."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from mutations import check_grammar, check_schema, mutated_schema, mutated_text

import pgen
from pgen.errors import InvalidLanguage, LimitExceeded

GRAMMARS = [
    'start: (word | NUMBER)+ [end]\nword: /[a-z]+/ "!"~1..2 -> loud\n  | "(" start ")"\nend: "." | end "."\n'
    'NUMBER: /[0-9]{1,3}/ & ~"13"\n%ignore " "\n',
    'start: list{item, ","} <|x|>?\nlist{x, sep}: x (sep x)*\nitem: %json {"type": "integer"} | B\nB.2: "b"i | "c".."e"\n%import common.WS\n%ignore WS\n',
    "?start: sum\nsum: sum \"+\" atom | atom\n!atom: INT | \"-\" atom\n%import common.INT\n",
]  # fmt: skip
SCHEMAS: list[Any] = [
    {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}, "b": {"$ref": "#/$defs/s"}}, "required": ["a"],
     "additionalProperties": False, "$defs": {"s": {"type": "string", "pattern": "^[ab]+$", "maxLength": 3}}},
    {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"const": 1}, {"enum": ["a", None]}], "additionalItems": False,
     "if": {"type": "array"}, "then": {"minItems": 1}, "else": {"not": {"type": "object"}}, "dependencies": {"a": ["b"]}},
    {"anyOf": [{"type": "array", "items": {"$ref": "#"}, "uniqueItems": True}, {"multipleOf": 0.5}], "unevaluatedProperties": False},
]  # fmt: skip
INSTANCES: list[Any] = [{"a": 1}, {"a": 1, "b": "ab"}, {"a": 0}, [1, "a"], [], [[], [1]], 1.5, "x", None, {"b": "a"}]


@pytest.mark.parametrize("first", [0, 40])
def test_mutated_grammars(first: int) -> None:
    found = set[str]()
    for number in range(first, first + 40):
        random = Random(number)
        text = mutated_text(random, *random.choices(GRAMMARS, k=2))
        found.add(check_grammar(text, random))
    assert {"read", "refused"} <= found


@pytest.mark.parametrize("first", [0, 40])
def test_mutated_schemas(first: int) -> None:
    found = set[str]()
    for number in range(first, first + 40):
        random = Random(number)
        schema = mutated_schema(random, *random.choices(SCHEMAS, k=2))
        found.add(check_schema(schema, INSTANCES, random))
    assert {"read", "refused"} <= found


def test_the_originals_are_read() -> None:
    assert [check_grammar(text, Random(0)) for text in GRAMMARS] == ["read"] * len(GRAMMARS)
    assert [check_schema(schema, INSTANCES, Random(0)) for schema in SCHEMAS] == ["read"] * len(SCHEMAS)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$id": 1}, r"\$id must be a string, not 1 \(at /\$id"),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "id": 5e-324}, "id must be a string"),
        ({"$defs": {"x": {"$id": "http://["}}, "$id": "http://x/"}, r"'http://\[' is no URI reference: .* \(at /\$defs/x/\$id"),
        ({"$id": "http://x/", "$ref": "http://["}, r"is no URI reference: .* \(at /\$ref"),
        ({"if": {"type": {"a": 1}}, "uniqueItems": True}, r"type must be a type name .* \(at /if/type"),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "exclusiveMinimum": 5}, "exclusiveMinimum must be true or false"),
        ({"minLength": -(10**400)}, "minLength must be a whole number"),
        ({"const": 10**5000}, "not JSON data"),
    ],
)  # fmt: skip
def test_mistakes_in_schemas_that_mutations_found(schema: Any, message: str) -> None:
    with pytest.raises(InvalidLanguage, match=f"(?s){message}"):
        pgen.JSONSchema(schema)


def test_mistakes_in_grammars_that_mutations_found() -> None:
    assert pgen.Grammar("start:\n", lexer="contextual").matches("")
    with pytest.raises(InvalidLanguage, match=r"lone surrogate \(line 1, column 8\)"):
        pgen.Grammar("start: <\ud800>\n")
    with pytest.raises(LimitExceeded, match=r"rule start has more than 20,000 alternatives \(line 1\)"):
        pgen.Grammar('start: ("a" | "b" "a")~0..22 "b"\n', lexer="contextual")
    # A warning of `re`, which Lark calls, would be an error here.
    assert pgen.Grammar("start: A\nA: /[[a]/\n", lexer="contextual").matches("[")


def test_texts_deeper_than_python_recursion() -> None:
    """What the mask knows is answered; what asks for the value is refused."""
    deep = '{"a":' * 5000
    anything = pgen.JSONSchema({})
    assert anything.matches(deep + '{"b": 1, "c": "}"}' + "}" * 5000)
    assert not anything.matches(deep + '{"b": 1, "b": 1}' + "}" * 5000)
    assert not anything.matches(deep + "{}" + "}" * 4999)
    with pytest.raises(LimitExceeded, match="nests too deep"):
        pgen.JSONSchema({"uniqueItems": True}).matches("[" * 5000 + "]" * 5000)
    with pytest.raises(LimitExceeded, match="nests too deep"):
        pgen.JSONSchema('{"not":' * 50_000)
