"""Reading a receipt: a record whose fields must agree, for its items have to add up to its total.

The schema is a mask. That the sum is right no mask knows; it is a condition on the
whole record, and rules out readings that are valid one field at a time.
"""

from __future__ import annotations

import json
from typing import Any

import pgen

PRICE = {"type": "integer", "minimum": 1, "maximum": 99}
ITEM = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[a-z]{3,10}$"}, "price": PRICE},
    "required": ["name", "price"],
    "additionalProperties": False,
}
RECEIPT = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": ITEM, "minItems": 1, "maxItems": 3}, "total": PRICE},
    "required": ["items", "total"],
    "additionalProperties": False,
}
EXAMPLE = """Receipt: soap 3, brush 4. Total 7.
JSON: {"items": [{"name": "soap", "price": 3}, {"name": "brush", "price": 4}], "total": 7}
"""
TEXT = "tea 4, bread 5, jam 1l. Total 20."


@pgen.program
def read(lm: Any, text: str, schema: pgen.Language, max_tokens: int = 64) -> str:
    """The record, given that it adds up."""
    written = lm.text(f"{EXAMPLE}Receipt: {text}\nJSON:", max_tokens=max_tokens)
    return str(pgen.sample("record", written.given(" " + schema).where(adds_up, at="text")).strip())


def adds_up(record: str) -> bool:
    """Whether the items of a complete record sum to its total."""
    read = json.loads(record)
    return bool(sum(item["price"] for item in read["items"]) == read["total"])


def main() -> None:
    schema = pgen.JSONSchema(RECEIPT, whitespace="default")
    method = pgen.Importance(particles=32, lookahead=64)
    print(pgen.infer(read, pgen.load("smollm2"), TEXT, schema, method=method))


if __name__ == "__main__":
    main()
