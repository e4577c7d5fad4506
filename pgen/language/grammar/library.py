r"""What pgen changes in the grammars that come with Lark.

Lark's strings and comments are written with lazy quantifiers and lookbehinds: they
mean the shortest text from where they begin. A language has no such notion, so
here they are written as the sets of texts that they find.
"""

from __future__ import annotations

_COMMON = r"""
%override _STRING_INNER: /[^\n]*/
%override _STRING_ESC_INNER: /(\\.|[^\\\n])*/
%override ESCAPED_STRING: /"(\\.|[^"\\\n])*"/
%override C_COMMENT: /\/\*([^*]|\*+[^*\/])*\*+\//
"""

_PYTHON = r"""
%override STRING: /([ubf]?r?|r[ubf])("(?!"")(\\.|[^"\\\n])*"|'(?!'')(\\.|[^'\\\n])*')/i
%override LONG_STRING: /([ubf]?r?|r[ubf])(\"{3}("{0,2}(\\.|[^"\\]))*\"{3}|'{3}('{0,2}(\\.|[^'\\]))*'{3})/is
"""

REPLACED = {"common.lark": _COMMON, "python.lark": _PYTHON}
"""What to append to a file."""
