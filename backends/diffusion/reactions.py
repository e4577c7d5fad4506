"""Masked models of reaction SMILES that ship in packages: `rxnmapper` (ALBERT, 0.7M weights), `rxnfp` (BERT, 6.7M).

A prompt is the beginning of a reaction, such as `"CC(=O)O.OCC>>"`. Both models were
trained on whole reactions, so that a canvas is the rest of one, its length known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pgen.backends.diffusion.denoiser import Denoiser
from pgen.backends.diffusion.from_files import masked_denoiser
from pgen.backends.diffusion.tokenization import from_smiles_list
from pgen.backends.model_files import device_named, quiet, read_model


def load_reactions(config: Path, device: str | None, *, name: str) -> Denoiser:
    """The model beside a `config.json`. Raises `ModelError`."""
    folder = config.parent
    tokenization = from_smiles_list(folder / "vocab.txt", name=name)
    with quiet():
        model = read_model(_class(name), folder, torch.float32)
    mask_id = tokenization.vocabulary.tokens.index(b"[MASK]")
    return masked_denoiser(model, tokenization, mask_id, device_named(device), name)


def _class(name: str) -> Any:
    from transformers import AlbertForMaskedLM, BertForMaskedLM

    return {"rxnmapper": AlbertForMaskedLM, "rxnfp": BertForMaskedLM}[name]
