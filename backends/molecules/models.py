"""The bundled molecule models by name. `pgen.backends.training` made them; the README beside this file tells how."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from pgen.backends.anyorder.small_transformer import SmallAnyOrder
from pgen.backends.autoregressive.small_transformer import SmallAutoregressive
from pgen.backends.diffusion.small_transformer import SmallDiffusion
from pgen.backends.insertion.model import SmallInsertion
from pgen.backends.model_files import device_named
from pgen.backends.molecules.files import read_network
from pgen.backends.molecules.vocabulary import vocabulary
from pgen.errors import ModelError

MoleculeModel = SmallAutoregressive | SmallDiffusion | SmallInsertion | SmallAnyOrder

SHA256: Mapping[str, str] = MappingProxyType(
    {
        "anyorder": "cdaac825c0de16512d876455e6fb5356b9a1be1bcef54c4bb0f6fa9c7c6036c0",
        "autoregressive": "9e3cae6cc9263f8a97a0cd79b483bc55d5194a4dbcf068003778fb2c19fceafc",
        "diffusion": "90cb14dc15954cee680f183cfe2cb80eebee1f4306e2f3df028b95cd58f6a123",
        "insertion": "7da86948c3bcbf694523648b1d4c9dfe45a9309bd8a4e7beeb2d3a3aa3f51a58",
    }
)
"""The committed weights."""


KINDS: Mapping[str, tuple[str, Callable[..., MoleculeModel]]] = MappingProxyType(
    {
        "molecules": ("autoregressive", SmallAutoregressive),
        "molecules-diffusion": ("diffusion", SmallDiffusion),
        "molecules-insertion": ("insertion", SmallInsertion),
        "molecules-anyorder": ("anyorder", SmallAnyOrder),
    }
)
"""Name -> its weights, and what makes a model of them."""


def load_molecules(name: str, device: str | None = None) -> MoleculeModel:
    """The bundled model of this name. Raises `ModelError` if its file is not the one that was bundled."""
    weights, kind = KINDS[name]
    path = Path(__file__).parent / f"{weights}.safetensors"
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[weights]:
        raise ModelError(f"{path} is missing or damaged", hint="install pgen again")
    return kind(read_network(path).to(device_named(device)), vocabulary(), name=name)
