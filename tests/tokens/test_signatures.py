"""Every kernel is compiled once: callers hand over numbers of one type, whether read from an array or written down.

A second signature of a kernel costs the first ever run a second, and compiles all that it calls again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import importlib, pkgutil, sys
import pgen, pgen.automata, pgen.tokens
from numba.core.registry import CPUDispatcher

words = [b'{"', b'": ', b'eta', b'the ', b'aaaa']
vocabulary = pgen.Vocabulary([*(bytes([byte]) for byte in range(256)), *words, b""], eos=256 + len(words))
schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "long": {"type": "string", "maxLength": 300},
        "kind": {"enum": ["a", "b"]},
        "size": {"type": "integer", "minimum": 0},
        "parts": {"type": "array", "items": {"$ref": "#"}},
    },
    "required": ["name"],
}
text = b'{"name": "the text", "long": "words", "kind": "a", "parts": [{"name": "x", "parts": []}]}'
automaton = pgen.JSONSchema(schema).compile(vocabulary)
assert automaton.accepts(text)
state = automaton.start
for token in vocabulary.encode(text):
    automaton.mask(state)
    state = automaton.advance(state, token)
automaton.mask(state)
seen = []
for package in (pgen.automata, pgen.tokens):
    for found in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{found.name}")
        kernels = [k for k in vars(module).values() if isinstance(k, CPUDispatcher)]
        seen += [kernel for kernel in kernels if kernel.py_func.__module__ == module.__name__]
print(sum(bool(kernel.signatures) for kernel in seen))
for kernel in seen:
    if len(kernel.signatures) > 1:
        print(kernel.py_func.__module__, kernel.py_func.__name__, *kernel.signatures)
"""


@pytest.mark.slow
def test_kernels_are_compiled_once(tmp_path: Path) -> None:
    # Kernels that come from a cache do not say what they call: nothing may be cached.
    empty = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels"), "PGEN_CACHE": str(tmp_path / "pgen")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | empty, capture_output=True, text=True, check=True
    )
    n_compiled, *several = done.stdout.splitlines()
    assert int(n_compiled) > 30
    assert several == []
