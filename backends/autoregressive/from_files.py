"""A `TransformersModel` from a directory as `save_pretrained` writes it, checked while it is read."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from pgen.backends.autoregressive.transformers_model import TransformersModel
from pgen.errors import InvalidArgument, ModelError, ModelNotFound


def from_directory(path: Path, device: str | None, *, name: str) -> TransformersModel:
    """The causal language model in `path`, in float32. Raises `ModelError` naming what is wrong with its files."""
    _check_kind(path)
    place = _device(device)
    with quiet():
        tokenizer, model = _read(path)
    return TransformersModel(model.to(place), tokenizer, name=name)


def _check_kind(path: Path) -> None:
    settings = path / "config.json"
    if not settings.is_file():
        raise ModelNotFound(f"{path} holds no config.json", hint="pass a directory that save_pretrained has written")
    try:
        kinds = list(json.loads(settings.read_text())["architectures"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{settings} is damaged or names no architecture: {error!r}") from None
    if not any(str(kind).endswith(("ForCausalLM", "LMHeadModel")) for kind in kinds):
        raise ModelError(
            f"{settings}: {kinds} is no causal language model", hint="pgen.load reads ...ForCausalLM models"
        )


def _read(path: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        model, report = AutoModelForCausalLM.from_pretrained(
            path, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:
        raise ModelError(
            f"the model in {path} cannot be loaded: {error}",
            hint="its files may be damaged, or a package that they need is missing",
        ) from error
    lacking = [*report["missing_keys"], *report["mismatched_keys"]]
    if lacking:
        raise ModelError(f"the weights in {path} lack {len(lacking)} tensors, among them {lacking[0]}")
    return tokenizer, model


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise InvalidArgument(f"device={name!r} cannot be used: {error}") from None
    return device


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
