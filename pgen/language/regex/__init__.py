"""Regular expressions: Python's `re.fullmatch`, read by our own parser, compiled to `pgen.language.ir`."""

from __future__ import annotations

from pgen.language.regex.language import Regex

__all__ = ["Regex"]
