"""XLNet from a directory, as an any-order model: the class of `transformers`, and nothing of its own.

XLNet (Yang et al. 2019) was trained to predict any position from any set of others. Its
second stream asks for a position without seeing what stands there; `perm_mask` says
who reads whom. Here every position reads the committed ones, and nobody reads the
open ones, so that a row depends on the *set* of committed positions alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pgen.backends.anyorder.model import AnyOrderDenoiser
from pgen.backends.diffusion.denoiser import Denoiser, Network, mask_id_of
from pgen.backends.diffusion.tokenization import from_tokenizer
from pgen.backends.model_files import device_named, quiet, read_model, read_tokenizer
from pgen.errors import ModelError

ARCHITECTURE = "XLNetLMHeadModel"
CONTEXT = 512
"""XLNet's positions are relative and have no bound; it was trained on texts of up to so many tokens."""


def from_directory(path: Path, device: str | None, *, name: str) -> AnyOrderDenoiser:
    """The XLNet in `path`, in float32. Raises `ModelError` naming what is wrong with its files."""
    from transformers import AutoTokenizer, XLNetLMHeadModel

    place = device_named(device)
    with quiet():
        tokenizer = read_tokenizer(AutoTokenizer, path)
        model = read_model(XLNetLMHeadModel, path, torch.float32).eval().requires_grad_(False).to(place)
    _check(model.config, path)
    mask_id = mask_id_of(tokenizer.mask_token_id, str(path))
    ends = {tokenizer.eos_token_id} - {None}
    tokenization = from_tokenizer(tokenizer, eos=ends, name=name)
    if len(tokenization.vocabulary) > model.config.vocab_size:
        n_rows, n_tokens = model.config.vocab_size, len(tokenization.vocabulary)
        raise ModelError(f"{name}: the tokenizer has {n_tokens} tokens, the model knows {n_rows}")
    if not tokenization.behind and not tokenization.encode(""):
        raise ModelError(
            f"the tokenizer in {path} puts nothing around a text",
            hint="XLNet needs a token to read, as <sep> <cls> behind a text: there is no row for an empty canvas",
        )
    context = min(CONTEXT, tokenizer.model_max_length)
    denoiser = Denoiser(
        two_streams(model, mask_id), tokenization, mask_id=mask_id, context_length=context, device=place, name=name
    )
    return AnyOrderDenoiser(denoiser)


def two_streams(model: Any, mask_id: int) -> Network:
    """The second stream of an XLNet at all positions; those that hold the mask token are open."""

    def network(tokens: Tensor, valid: Tensor) -> Tensor:
        size = tokens.shape[1]
        unread = (tokens == mask_id) | ~valid  # (B, T)
        unread_by_all = unread[:, None].expand(-1, size, -1).float()  # (B, T, T)
        asked = torch.eye(size, device=tokens.device).expand(len(tokens), -1, -1)  # (B, T, T)
        made = model(input_ids=tokens, perm_mask=unread_by_all, target_mapping=asked, use_mems=False)
        logits: Tensor = made.logits
        return logits

    return network


def _check(config: Any, path: Path) -> None:
    if config.attn_type != "bi" or config.bi_data:
        raise ModelError(
            f"{path / 'config.json'}: an XLNet with attn_type={config.attn_type!r}, bi_data={config.bi_data} "
            "is no any-order model",
            hint="attn_type='bi' without bi_data is what reads in every order",
        )
