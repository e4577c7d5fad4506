"""A `TransformersModel` from a directory as `save_pretrained` writes it, checked while it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pgen.backends.autoregressive.transformers_model import TransformersModel
from pgen.backends.model_files import device_named, quiet, read_model, read_tokenizer, settings_of
from pgen.errors import ModelError


def from_directory(path: Path, device: str | None, *, name: str) -> TransformersModel:
    """The causal language model in `path`, in float32. Raises `ModelError` naming what is wrong with its files."""
    _check_kind(path)
    place = device_named(device)
    with quiet():
        tokenizer, model = _read(path)
    return TransformersModel(model.to(place), tokenizer, name=name)


def _check_kind(path: Path) -> None:
    kinds = settings_of(path)["architectures"]
    if not any(kind.endswith(("ForCausalLM", "LMHeadModel")) for kind in kinds):
        raise ModelError(
            f"{path / 'config.json'}: {kinds} is no causal language model, and no masked one that is known",
            hint="pgen.load reads ...ForCausalLM, ...ForMaskedLM, LLaDAModelLM, DreamModel and DiffusionGemma models",
        )


def _read(path: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return read_tokenizer(AutoTokenizer, path), read_model(AutoModelForCausalLM, path, torch.float32)
