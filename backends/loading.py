"""`pgen.load`: a model from a name, a directory or a GGUF file, never from the network.

Names lead to weights that are part of pgen, or ship in Python packages. A GGUF file is
converted once to safetensors in the user's cache
(`pgen.backends.autoregressive.conversion`); a later load takes about a second.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, overload

from pgen.backends.packaged import PACKAGED, REACTIONS
from pgen.errors import InvalidArgument, ModelNotFound

if TYPE_CHECKING:
    from pgen.backends.anyorder.small_transformer import SmallAnyOrder
    from pgen.backends.autoregressive.small_transformer import SmallAutoregressive
    from pgen.backends.autoregressive.transformers_model import TransformersModel
    from pgen.backends.diffusion.denoiser import Denoiser
    from pgen.backends.diffusion.small_transformer import SmallDiffusion
    from pgen.backends.insertion.model import SmallInsertion

Name = str | os.PathLike[str]

BUNDLED: Mapping[str, str] = MappingProxyType(
    {
        "molecules": "left to right",
        "molecules-anyorder": "in any order",
        "molecules-diffusion": "masked diffusion",
        "molecules-insertion": "by insertion",
    }
)
"""The models that are part of pgen, and how they write."""


@overload
def load(name_or_path: Literal["smollm2", "qwen-coder"], device: str | None = None) -> TransformersModel: ...
@overload
def load(name_or_path: Literal["rxnmapper", "rxnfp"], device: str | None = None) -> Denoiser: ...
@overload
def load(name_or_path: Literal["molecules"], device: str | None = None) -> SmallAutoregressive: ...
@overload
def load(name_or_path: Literal["molecules-diffusion"], device: str | None = None) -> SmallDiffusion: ...
@overload
def load(name_or_path: Literal["molecules-insertion"], device: str | None = None) -> SmallInsertion: ...
@overload
def load(name_or_path: Literal["molecules-anyorder"], device: str | None = None) -> SmallAnyOrder: ...
@overload
def load(name_or_path: Name, device: str | None = None) -> Any: ...
def load(name_or_path: Name, device: str | None = None) -> Any:
    """A model by name, from a directory as `save_pretrained` writes it, or a GGUF file. Files tell their kind.

    Names: `"smollm2"` and `"qwen-coder"` (left to right), `"rxnmapper"` and `"rxnfp"`
    (masked models of reactions), and the bundled `"molecules"`, `"molecules-diffusion"`,
    `"molecules-insertion"`, `"molecules-anyorder"`. Directories hold a `...ForCausalLM`,
    for masked diffusion, a `...ForMaskedLM`, `LLaDAModelLM`, `DreamModel` or
    `DiffusionGemmaForBlockDiffusion`, or, for any order, an `XLNetLMHeadModel`.

    `device` is a torch device, by default `"cuda"` if there is one, else `"cpu"`.
    Raises `ModelNotFound` if nothing has this name or path or a package is not
    installed, and `ModelError` if its files are damaged or of an unknown kind.
    """
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise InvalidArgument(f"load() needs a name or a path, got {type(name_or_path).__name__}")
    name = os.fspath(name_or_path)
    if name in BUNDLED or name in PACKAGED or name in REACTIONS:
        return _named(name, device)
    path = Path(os.path.expanduser(name))
    if name and path.is_dir():
        return _from_directory(path, device)
    if path.is_file() and path.suffix == ".gguf":
        return _from_gguf([path], device, path.stem)
    raise _not_found(name, path)


def _named(name: str, device: str | None) -> Any:
    if name in BUNDLED:
        from pgen.backends.molecules.models import load_molecules

        return load_molecules(name, device)
    if name in REACTIONS:
        from pgen.backends.diffusion.reactions import load_reactions

        return load_reactions(REACTIONS[name].parts()[0], device, name=name)
    packaged = PACKAGED[name]
    return _from_gguf(packaged.parts(), device, name, packaged.sha256)


def _from_gguf(parts: list[Path], device: str | None, name: str, sha256: str | None = None) -> TransformersModel:
    from pgen.backends.autoregressive.conversion import converted
    from pgen.backends.autoregressive.from_files import from_directory

    return from_directory(converted(parts, name, sha256), device, name=name)


def _from_directory(path: Path, device: str | None) -> Any:
    from pgen.backends.anyorder import from_files as anyorder
    from pgen.backends.autoregressive import from_files as autoregressive
    from pgen.backends.diffusion import from_files as diffusion
    from pgen.backends.model_files import settings_of

    architectures, name = settings_of(path)["architectures"], path.resolve().name
    if anyorder.ARCHITECTURE in architectures:
        return anyorder.from_directory(path, device, name=name)
    kind = diffusion if diffusion.is_diffusion(architectures) else autoregressive
    return kind.from_directory(path, device, name=name)


def _not_found(name: str, path: Path) -> ModelNotFound:
    known = ", ".join(repr(name) for name in sorted({*BUNDLED, *PACKAGED, *REACTIONS}))
    if path.is_file():
        return ModelNotFound(f"{name} is a file, but no .gguf file", hint="pass the directory that holds config.json")
    return ModelNotFound(
        f"no model is called {name!r}, and there is no such directory or file",
        hint=f"names are {known}; a path leads to a directory with config.json, or to a .gguf file",
    )
