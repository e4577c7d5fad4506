"""What is common to reading models from directories: their kind, their tensors, devices, and quiet."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pgen.errors import InvalidArgument, ModelError, ModelNotFound


def settings_of(path: Path) -> dict[str, Any]:
    """What `config.json` in a directory says; it names at least one architecture. Raises `ModelError`."""
    file = path / "config.json"
    if not file.is_file():
        raise ModelNotFound(f"{path} holds no config.json", hint="pass a directory that save_pretrained has written")
    try:
        settings = dict(json.loads(file.read_text()))
        kinds = list(settings["architectures"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{file} is damaged or names no architecture: {error!r}") from None
    return {**settings, "architectures": [str(kind) for kind in kinds]}


def device_named(name: str | None) -> torch.device:
    """The device, by default the GPU if there is one. Raises `InvalidArgument` if it cannot be used."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise InvalidArgument(f"device={name!r} cannot be used: {error}") from None
    return device


def tensors_of(path: Path) -> dict[str, Tensor]:
    """All tensors of a directory's safetensors files."""
    from safetensors.torch import load_file

    return {name: tensor for file in sorted(path.glob("*.safetensors")) for name, tensor in load_file(file).items()}


def read_tokenizer(kind: Any, path: Path) -> Any:
    """The tokenizer of a directory by a class of `transformers`. Raises `ModelError`."""
    with explained(path):
        return kind.from_pretrained(path, local_files_only=True)


def read_model(kind: Any, path: Path, dtype: torch.dtype | str) -> Any:
    """The model of a directory by a class of `transformers`, with all its weights. Raises `ModelError`."""
    with explained(path):
        model, report = kind.from_pretrained(path, local_files_only=True, dtype=dtype, output_loading_info=True)
    lacking = [*report["missing_keys"], *report["mismatched_keys"]]
    if lacking:
        raise ModelError(f"the weights in {path} lack {len(lacking)} tensors, among them {lacking[0]}")
    return model


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Whatever goes wrong is a `ModelError` about the model in `path`."""
    try:
        yield
    except Exception as error:
        raise ModelError(
            f"the model in {path} cannot be loaded: {error}",
            hint="its files may be damaged, or a package that they need is missing",
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and remarks."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
