"""A `Transformer` as one safetensors file: float16 weights, the sizes as metadata."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pgen.backends.transformer import Transformer, TransformerShape
from pgen.errors import ModelError


def write_network(network: Transformer, path: Path) -> None:
    """Writes the weights, replacing the file in one step."""
    weights = {name: value.to(torch.float16).contiguous() for name, value in network.state_dict().items()}
    unfinished = path.with_suffix(".unfinished")
    save_file(weights, unfinished, metadata={"shape": json.dumps(network.shape._asdict())})
    unfinished.replace(path)


def read_network(path: Path) -> Transformer:
    """The network in `path`, in float32, for evaluation. Raises `ModelError` if the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            network = Transformer(TransformerShape(**json.loads(file.metadata()["shape"])))
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network.load_state_dict(weights)
    except Exception as error:
        raise ModelError(f"{path} holds no weights of a small transformer: {error}") from error
    return network.eval().requires_grad_(False)
