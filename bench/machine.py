"""What a benchmark records about where it ran, and how it saves its figures."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def facts(*packages: str) -> dict[str, Any]:
    """Machine, cores, Python, and the versions of the packages that took part."""
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in ("pgen", "numpy", "numba", *packages)},
    }


def save(name: str, results: dict[str, Any]) -> Path:
    """Write `bench/results/<name>.json`."""
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    return path


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
