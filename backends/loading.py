"""`pgen.load`: a model from a name, a directory or a GGUF file, never from the network.

Names lead to weights that ship in Python packages. A GGUF file is converted once to
safetensors in the user's cache (`pgen.backends.autoregressive.conversion`); a later
load takes about a second.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pgen.backends.packaged import PACKAGED
from pgen.errors import InvalidArgument, ModelNotFound

if TYPE_CHECKING:
    from pgen.backends.autoregressive.transformers_model import TransformersModel


def load(name_or_path: str | os.PathLike[str], device: str | None = None) -> TransformersModel:
    """A model by name (`"smollm2"`, `"qwen-coder"`), from a directory as `save_pretrained` writes it, or a GGUF file.

    `device` is a torch device, by default `"cuda"` if there is one, else `"cpu"`.
    Raises `ModelNotFound` if nothing has this name or path or a package is not
    installed, and `ModelError` if its files are damaged or of an unknown kind.
    """
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise InvalidArgument(f"load() needs a name or a path, got {type(name_or_path).__name__}")
    from pgen.backends.autoregressive.conversion import converted
    from pgen.backends.autoregressive.from_files import from_directory

    name = os.fspath(name_or_path)
    path = Path(os.path.expanduser(name))
    if name in PACKAGED:
        packaged = PACKAGED[name]
        return from_directory(converted(packaged.parts(), name, packaged.sha256), device, name=name)
    if name and path.is_dir():
        return from_directory(path, device, name=path.resolve().name)
    if path.is_file() and path.suffix == ".gguf":
        return from_directory(converted([path], path.stem), device, name=path.stem)
    raise _not_found(name, path)


def _not_found(name: str, path: Path) -> ModelNotFound:
    known = ", ".join(repr(name) for name in sorted(PACKAGED))
    if path.is_file():
        return ModelNotFound(f"{name} is a file, but no .gguf file", hint="pass the directory that holds config.json")
    return ModelNotFound(
        f"no model is called {name!r}, and there is no such directory or file",
        hint=f"names are {known}; a path leads to a directory with config.json, or to a .gguf file",
    )
