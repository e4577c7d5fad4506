"""JSON Schema (draft 2020-12, and drafts 4, 6, 7 and 2019-09) as a language.

The way of a schema: `reader` turns keywords into shapes (`shapes`, `meet`, `negate`), `emit`
and `members` turn shapes into nodes, `values` checks what nodes leave open.
"""

from pgen.language.json_schema.keywords import SchemaWarning
from pgen.language.json_schema.language import JSONSchema

__all__ = ["JSONSchema", "SchemaWarning"]
