"""Arrays kept on disk, so that a later process reads what an earlier one worked out.

An entry is a `.npz` file named by a hash of what it was made from, *the code that made
it included*, so an entry is never stale: other content or other code has another name.
It is written under a temporary name and renamed; readers see a whole entry or none. One
that cannot be read is made again, and a folder that cannot be written to costs time, not results.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.generic]]


def cache_folder() -> Path:
    """`$PGEN_CACHE`, or `pgen` in the user's cache directory."""
    if own := os.environ.get("PGEN_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "pgen"


def kept(kind: str, content: str, code: Iterable[ModuleType], make: Callable[[], Arrays]) -> Arrays:
    """The arrays that `make` returns, from disk where an earlier call left them.

    `content` identifies all that `make` reads, `code` the modules that decide what it returns.
    """
    entry = cache_folder() / kind / f"{_name(content, code)}.npz"
    found = _read(entry)
    if found is None:
        found = make()
        _write(entry, found)
    return found


def _name(content: str, code: Iterable[ModuleType]) -> str:
    digest = hashlib.blake2b(content.encode(), digest_size=16)
    for module in code:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def _read(entry: Path) -> Arrays | None:
    try:
        with entry.open("rb") as source, np.load(source, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _write(entry: Path, arrays: Arrays) -> None:
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=entry.parent, suffix=".part")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **dict(arrays))  # type: ignore[arg-type]  # numpy types the names as options too
        os.replace(name, entry)
    except OSError:
        Path(name).unlink(missing_ok=True)
