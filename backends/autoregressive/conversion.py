"""GGUF files converted once to a directory of safetensors in the user's cache, atomically.

An entry is written under a temporary name and renamed, so that a reader sees a whole
entry or none, and two processes that convert at once both end up with the winner's.
Its manifest lists the source and the size and SHA-256 of every file. Loading checks all
sizes and the hashes of small files; what does not agree is converted again.
Weights are stored as float32: what the quantised file means, to the bit.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pgen.errors import ModelError
from pgen.tokens.disk import cache_folder

MANIFEST = "pgen-manifest.json"
_SMALL = 16 * 2**20


def converted(parts: Sequence[Path], name: str, sha256: str | None = None) -> Path:
    """The directory converted from a GGUF file, given whole or in parts; made now if it is not there.

    Raises `ModelError` if the file cannot be read as a model, or is not the one that
    `sha256` belongs to.
    """
    entry = cache_folder() / "models" / f"{name}-{_identity(parts)}"
    if is_whole(entry):
        return entry
    entry.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=entry.parent, prefix=f".{name}-"))
    try:
        target = making / "model"
        target.mkdir()
        _convert(_joined(parts, making, sha256), target, name)
        _write_manifest(target, parts[0])
        _publish(target, entry)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return entry


def _joined(parts: Sequence[Path], folder: Path, sha256: str | None) -> Path:
    """The one file, or the parts as one file in `folder`."""
    whole = parts[0]
    if len(parts) > 1:
        whole = folder / "joined.gguf"
        with whole.open("wb") as out:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, out, 2**20)
    if sha256 is not None and _sha256(whole) != sha256:
        raise ModelError(f"{parts[0]} and what follows it are not the expected file", hint="reinstall the packages")
    return whole


def is_whole(entry: Path) -> bool:
    """Whether a cache entry is what its manifest says."""
    try:
        files = json.loads((entry / MANIFEST).read_text())["files"]
        return bool(files) and all(_agrees(entry / name, said) for name, said in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _agrees(path: Path, said: dict[str, Any]) -> bool:
    if path.stat().st_size != said["bytes"]:
        return False
    return bool(said["bytes"] > _SMALL or _sha256(path) == said["sha256"])


def _identity(parts: Sequence[Path]) -> str:
    """Changes when the file does; cheap, so that loading need not read hundreds of megabytes."""
    with parts[0].open("rb") as file:
        digest = hashlib.sha256(file.read(2**20))
    digest.update("\n".join(f"{part.name} {part.stat().st_size}" for part in parts).encode())
    return digest.hexdigest()[:16]


def _convert(source: Path, target: Path, name: str) -> None:
    import torch
    from rich.console import Console
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from pgen.backends.model_files import quiet

    Console(stderr=True).print(f"Converting {name} for its first use (once; about half a minute for 100 MB) ...")
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            where = {"gguf_file": source.name, "local_files_only": True}
            tokenizer = AutoTokenizer.from_pretrained(source.parent, **where)
            model = AutoModelForCausalLM.from_pretrained(
                source.parent, **where, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
            )
        except Exception as error:
            raise ModelError(f"{source} cannot be read as a GGUF model: {error}") from error
        tokenizer.save_pretrained(target)
        model.save_pretrained(target)


def _write_manifest(folder: Path, source: Path) -> None:
    files = {path.name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for path in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps({"source": source.name, "files": files}, indent=1))


def _publish(making: Path, entry: Path) -> None:
    """Rename into place; an entry that is there already is kept if it is whole."""
    try:
        making.rename(entry)
    except OSError:
        if is_whole(entry):
            return
        shutil.rmtree(entry)
        making.rename(entry)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
