"""`jsonschema` without what makes importing it slow.

Its format checker imports `rfc3987_syntax`, which builds dozens of Earley parsers at
import (seconds), for the two formats `iri` and `iri-reference`. While `jsonschema` is
being imported, a stand-in takes that module's place, whose one function imports the
real one when it is first called: the formats mean the same, later.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

_SLOW = "rfc3987_syntax"
_LOCK = threading.Lock()


def jsonschema() -> Any:
    """The module `jsonschema`, imported now if it is not yet."""
    with _LOCK:
        if "jsonschema" in sys.modules or _SLOW in sys.modules or importlib.util.find_spec(_SLOW) is None:
            return importlib.import_module("jsonschema")
        sys.modules[_SLOW] = _StandIn(_SLOW)
        try:
            return importlib.import_module("jsonschema")
        finally:
            del sys.modules[_SLOW]


class _StandIn(ModuleType):
    """The module with its one function that `jsonschema` uses."""

    @staticmethod
    def is_valid_syntax(term: str, value: str) -> bool:
        """Whether `value` can be derived from `term` of RFC 3987."""
        return bool(importlib.import_module(_SLOW).is_valid_syntax(term, value))
