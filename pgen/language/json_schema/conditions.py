"""`not`, `if` and what depends on properties, as unions of shapes.

`if c then t else e` is `(c and t) or (not c and e)`. Where the complement of the
condition is no shape, or the condition's own shape is too wide, every value may take the
other way, and the keyword is left open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pgen.errors import LimitExceeded
from pgen.language.json_schema.meet import meet
from pgen.language.json_schema.negate import negated
from pgen.language.json_schema.references import escaped
from pgen.language.json_schema.shapes import ANYTHING, NOTHING, UNCONSTRAINED, ObjectShape, Shape, join

if TYPE_CHECKING:
    from pgen.language.json_schema.reader import Part, Reader

Schema = Mapping[str, Any]


def parts(reader: Reader, schema: Schema, pointer: str) -> Iterator[Part]:
    """The shapes of the conditions of a schema, each with its keyword."""
    if "not" in schema:
        yield "not", complement(reader, schema["not"], "not", pointer)
    if "if" in schema and ("then" in schema or "else" in schema):
        yield "if", _conditional(reader, schema, pointer)
    elif "if" in schema:
        # It constrains nothing, but validators evaluate it: it must be a schema.
        reader.read(schema["if"], f"{pointer}/if")
    for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
        for name, needed in schema.get(keyword, {}).items():
            yield keyword, _dependent(reader, keyword, name, needed, pointer)


def complement(reader: Reader, schema: Any, keyword: str, pointer: str) -> Shape:
    """The values that are not valid by the schema of `keyword`."""
    inside = reader.read(schema, f"{pointer}/{keyword}")
    outside = negated(inside) if reader.is_exact(schema, f"{pointer}/{keyword}") else None
    if outside is None:
        reader.note(keyword, pointer)
        return ANYTHING
    return outside


def _conditional(reader: Reader, schema: Schema, pointer: str) -> Shape:
    outside = complement(reader, schema["if"], "if", pointer)
    inside = reader.read(schema["if"], f"{pointer}/if")
    then = reader.read(schema.get("then", True), f"{pointer}/then")
    otherwise = reader.read(schema.get("else", True), f"{pointer}/else")
    if then == otherwise == ANYTHING:
        return ANYTHING
    try:
        return join([meet(inside, then), meet(outside, otherwise)])
    except LimitExceeded:
        reader.note("if", pointer)
        return ANYTHING


def _dependent(reader: Reader, keyword: str, name: str, needed: Any, pointer: str) -> Shape:
    """Values without a property, and those that are what its presence asks for."""
    without = Shape((*_OTHERS, ObjectShape(((name, NOTHING),))))
    if isinstance(needed, list):
        names = tuple(dict.fromkeys([name, *needed]))
        return join([without, Shape((ObjectShape(tuple((n, ANYTHING) for n in names), names),))])
    found = reader.read(needed, f"{pointer}/{keyword}/{escaped(name)}")
    return join([without, meet(Shape((ObjectShape(((name, ANYTHING),), (name,)),)), found)])


_OTHERS = tuple(option for option in UNCONSTRAINED if not isinstance(option, ObjectShape))
