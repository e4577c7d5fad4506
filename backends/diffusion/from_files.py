"""Masked-diffusion models from directories: `...ForMaskedLM`, LLaDA, Dream and DiffusionGemma.

LLaDA (Nie et al. 2025) is a Llama and Dream (Ye et al. 2025) a Qwen2 without causal
mask: their weights are read into the classes of `transformers`, and no code from the
directory is run. Weights are float32, except for LLaDA, Dream and DiffusionGemma on a
GPU, which keep the type of their files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from pgen.backends.diffusion.denoiser import Denoiser, Network, mask_id_of
from pgen.backends.diffusion.llada import llama_settings, llama_tensors
from pgen.backends.diffusion.tokenization import Tokenization, from_tokenizer
from pgen.backends.diffusion.uniform import UniformDenoiser
from pgen.backends.model_files import (
    device_named,
    explained,
    quiet,
    read_model,
    read_tokenizer,
    settings_of,
    tensors_of,
)
from pgen.errors import ModelError

DiffusionModel = Denoiser | UniformDenoiser
Reader = Callable[[Path, Mapping[str, Any], torch.device, str], DiffusionModel]


def is_diffusion(kinds: Sequence[str]) -> bool:
    """Whether a directory with these architectures is read as a masked-diffusion model."""
    return any(kind in READERS or kind.endswith("ForMaskedLM") for kind in kinds)


def from_directory(path: Path, device: str | None, *, name: str) -> DiffusionModel:
    """The model in `path`, by the first architecture that its `config.json` names and that is known.

    Raises `ModelError` naming what is wrong with its files, and `InvalidArgument` for a
    model without mask token.
    """
    settings = settings_of(path)
    kind = next(kind for kind in settings["architectures"] if is_diffusion([kind]))
    with quiet():
        return READERS.get(kind, _masked_lm)(path, settings, device_named(device), name)


def masked_denoiser(model: Any, tokenization: Tokenization, mask_id: int, device: torch.device, name: str) -> Denoiser:
    """A `...ForMaskedLM` of `transformers` with its tokenization."""
    model = model.eval().requires_grad_(False).to(device)
    n_rows = model.get_output_embeddings().weight.shape[0]
    _check_rows(tokenization, n_rows, name)

    def network(tokens: Tensor, valid: Tensor) -> Tensor:
        logits: Tensor = model(input_ids=tokens, attention_mask=valid.long()).logits
        return logits

    return Denoiser(
        network,
        tokenization,
        mask_id=mask_id,
        context_length=_positions(model),
        device=device,
        name=name,
        module=_keeping(model),
        padding_position=_padding_position(model),
    )


def _masked_lm(path: Path, settings: Mapping[str, Any], device: torch.device, name: str) -> Denoiser:
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    tokenizer = read_tokenizer(AutoTokenizer, path)
    mask_id = mask_id_of(tokenizer.mask_token_id, str(path))
    model = read_model(AutoModelForMaskedLM, path, torch.float32)
    return masked_denoiser(model, from_tokenizer(tokenizer, eos=(), name=name), mask_id, device, name)


def _llada(path: Path, settings: Mapping[str, Any], device: torch.device, name: str) -> Denoiser:
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    mask_id = mask_id_of(settings.get("mask_token_id"), str(path / "config.json"))
    tokenizer = read_tokenizer(AutoTokenizer, path)
    own = llama_settings(settings, path)
    model = _built(LlamaForCausalLM, LlamaConfig, own, llama_tensors(tensors_of(path)), path, device)
    return _text_denoiser(model, tokenizer, settings, mask_id, device, name, shifted=False)


def _dream(path: Path, settings: Mapping[str, Any], device: torch.device, name: str) -> Denoiser:
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

    mask_id = mask_id_of(settings.get("mask_token_id"), str(path / "config.json"))
    kind = PreTrainedTokenizerFast if (path / "tokenizer.json").is_file() else Qwen2Tokenizer
    tokenizer = read_tokenizer(kind, path)
    own = {key: value for key, value in settings.items() if key not in {"model_type", "architectures", "auto_map"}}
    model = _built(Qwen2ForCausalLM, Qwen2Config, own, tensors_of(path), path, device)
    return _text_denoiser(model, tokenizer, settings, mask_id, device, name, shifted=True)


def _uniform(path: Path, settings: Mapping[str, Any], device: torch.device, name: str) -> UniformDenoiser:
    from transformers import AutoTokenizer, DiffusionGemmaForBlockDiffusion

    tokenizer = read_tokenizer(AutoTokenizer, path)
    dtype = torch.float32 if device.type == "cpu" else "auto"
    model = read_model(DiffusionGemmaForBlockDiffusion, path, dtype)
    eos = ends(model.config.get_text_config().to_dict(), model.generation_config.eos_token_id, tokenizer)
    return UniformDenoiser(model.to(device), from_tokenizer(tokenizer, eos=eos, name=name), name=name)


READERS: Mapping[str, Reader] = MappingProxyType(
    {"LLaDAModelLM": _llada, "DreamModel": _dream, "DiffusionGemmaForBlockDiffusion": _uniform}
)
"""Architecture -> how it is read, besides `...ForMaskedLM`."""


def ends(settings: Mapping[str, Any], also: object, tokenizer: Any) -> set[int]:
    """Every id that the settings, the tokenizer or `also` call an end of text."""
    named = [settings.get("eos_token_id"), tokenizer.eos_token_id, also]
    flat = [i for each in named for i in (each if isinstance(each, list) else [each])]
    return {i for i in flat if i is not None}


def _text_denoiser(
    model: Any,
    tokenizer: Any,
    settings: Mapping[str, Any],
    mask_id: int,
    device: torch.device,
    name: str,
    *,
    shifted: bool,
) -> Denoiser:
    tokenization = from_tokenizer(tokenizer, eos=ends(settings, None, tokenizer), name=name)
    _check_rows(tokenization, model.get_output_embeddings().weight.shape[0], name)
    return Denoiser(
        _in_both_directions(model),
        tokenization,
        mask_id=mask_id,
        context_length=model.config.max_position_embeddings,
        device=device,
        name=name,
        shifted=shifted,
        block_length=settings.get("block_length") or settings.get("block_size"),
        causal=model,
        module=_keeping(model),
    )


def _in_both_directions(model: Any) -> Network:
    """A causal class of `transformers` that reads everything which is no filling."""

    def network(tokens: Tensor, valid: Tensor) -> Tensor:
        mask = valid[:, None, None, :].expand(-1, 1, valid.shape[1], -1)  # (B, 1, T, T)
        logits: Tensor = model(input_ids=tokens, attention_mask=mask, use_cache=False).logits
        return logits

    return network


def _built(
    kind: Any,
    config: Any,
    settings: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    path: Path,
    device: torch.device,
) -> Any:
    """A model of `kind` with these settings and tensors. Raises `ModelError` if they do not fit each other."""
    with explained(path):
        model, report = kind.from_pretrained(
            None,
            config=config(**settings),
            state_dict=dict(tensors),
            dtype=torch.float32 if device.type == "cpu" else next(iter(tensors.values())).dtype,
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    lacking = [*report["missing_keys"], *report["mismatched_keys"], *report["unexpected_keys"]]
    if lacking:
        raise ModelError(f"the weights in {path} do not fit its config: {lacking[0]}")
    return model.eval().requires_grad_(False).to(device)


def _positions(model: Any) -> int:
    """How many tokens the model reads."""
    padding = _padding_position(model)
    return int(model.config.max_position_embeddings) - (0 if padding is None else padding + 1)


def _padding_position(model: Any) -> int | None:
    """RoBERTa's positions begin behind its padding id."""
    embeddings = getattr(model.base_model, "embeddings", None)
    padding = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    return None if padding is None else int(padding)


def _keeping(model: Any) -> Any:
    """The model, if its attention is looked up by name and sees everything at every layer."""
    windows = {*(getattr(model.config, "layer_types", None) or ())} - {"full_attention"}
    return model if model._supports_attention_backend and not windows else None


def _check_rows(tokenization: Tokenization, n_rows: int, name: str) -> None:
    n_tokens = len(tokenization.vocabulary)
    if n_tokens > n_rows:
        raise ModelError(f"{name}: the tokenizer has {n_tokens} tokens, the model knows {n_rows}")
