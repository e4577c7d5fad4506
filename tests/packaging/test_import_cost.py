"""`import pgen` is light: none of the heavy libraries, and under 150 ms."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "numba", "llvmlite", "scipy", "matplotlib", "pydantic"}
LIMIT_MS = 150


def run(code, tmp_path):
    """What a fresh interpreter, started away from the repository, prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def loaded_by(statement, tmp_path):
    return set(run(f"import sys\n{statement}\nprint(*{{m.split('.')[0] for m in sys.modules}})", tmp_path).split())


@pytest.mark.parametrize("statement", ["import pgen", "import pgen.backends", "import pgen.grammars"])
def test_importing_pgen_loads_no_heavy_library(statement, tmp_path):
    assert loaded_by(statement, tmp_path) & HEAVY == set()


@pytest.mark.parametrize("library", ["numba", "torch"])
def test_a_heavy_import_would_be_seen(library, tmp_path):
    assert library in loaded_by(f"import pgen, {library}", tmp_path) & HEAVY


def test_importing_pgen_is_quick(tmp_path):
    code = "import time\nstart = time.perf_counter()\nimport pgen\nprint(time.perf_counter() - start)"
    best_ms = min(float(run(code, tmp_path)) for _ in range(5)) * 1000
    assert best_ms < LIMIT_MS
