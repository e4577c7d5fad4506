"""The automata of string formats, written into a module that comes with the package.

    python -m pgen.testing.format_tables > pgen/language/json_schema/format_tables.py

Reading the pattern of a format takes milliseconds, most of what the first mask inside of such a string would take. So
`pgen.language.json_schema.format_tables` has their networks, as compressed arrays. It has to be written
again when `formats.PATTERNS` change; a test compares the two. Formats beyond ASCII and those of the empty string are
left out, which `ir.Packed` cannot hold, and those of more than `MAX_EDGES` edges.
"""

from __future__ import annotations

import base64
import re
import sys
import textwrap
import zlib

import numpy as np

from pgen.automata.nfa import text_fragment
from pgen.language import ir
from pgen.language.json_schema.formats import PATTERNS
from pgen.language.regex import Regex

MAX_EDGES = 2_000
_HEAD = '''"""Networks of string formats: edges and jumps of `ir.Packed`. Written by `pgen.testing.format_tables`."""

from __future__ import annotations

TABLES: dict[str, tuple[str, str]] = {
'''


def packed(pattern: str) -> ir.Packed | None:
    """The network of the texts of a pattern; `None` where it is too large or no such network."""
    found = text_fragment(Regex(pattern).node)
    if len(found.edges) > MAX_EDGES or found.edges[:, 2].max() > 0x7F or re.fullmatch(pattern, ""):
        return None
    edges, jumps = (np.ascontiguousarray(rows, np.int32).tobytes() for rows in (found.edges, found.jumps))
    return ir.Packed(edges, jumps)


def module() -> str:
    """The source of the module with the tables."""
    ready = {name: found for name, pattern in PATTERNS.items() if (found := packed(pattern)) is not None}
    rows = [f'    "{name}": (\n{_text(found.edges)}{_text(found.jumps)}    ),\n' for name, found in ready.items()]
    return _HEAD + "".join(rows) + "}\n"


def _text(data: bytes) -> str:
    said = base64.b64encode(zlib.compress(data, 9)).decode()
    lines = [f'"{line}"' for line in textwrap.wrap(said, 100)]
    if len(lines) == 1:
        return f"        {lines[0]},\n"
    return "".join(f"        {line}\n" for line in lines[:-1]) + f"        {lines[-1]},\n"


if __name__ == "__main__":
    sys.stdout.write(module())
