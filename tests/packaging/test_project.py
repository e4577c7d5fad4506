"""The project file, the folders and the public names agree."""

import importlib
import tomllib
from pathlib import Path

import pytest

import pgen

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = {"pgen": "pgen", "backends": "pgen.backends", "grammars": "pgen.grammars"}
MAX_LINES = 450


def package_folders():
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("__init__.py")):
            yield ".".join([package, *path.parent.relative_to(ROOT / folder).parts])


def source_files():
    for folder in (*FOLDERS, "tests", "bench", "examples"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def test_declared_packages_are_the_folders_with_init():
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(package_folders())


def test_every_folder_with_code_is_a_package():
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), f"{path.relative_to(ROOT)} is in no package"


@pytest.mark.parametrize("name", sorted(FOLDERS.values()))
def test_mapped_packages_come_from_their_folders(name):
    folder = {package: folder for folder, package in FOLDERS.items()}[name]
    assert (ROOT / folder / "__init__.py").read_text() == Path(importlib.import_module(name).__file__).read_text()


@pytest.mark.parametrize("name", pgen.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(pgen, name) is not None


def test_public_names_are_documented():
    undocumented = [n for n in pgen.__all__ if callable(getattr(pgen, n)) and not getattr(pgen, n).__doc__]
    assert undocumented == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        pgen.nonsense  # noqa: B018


def test_versions_agree():
    assert PROJECT["project"]["version"] == pgen.__version__


def test_no_file_is_too_long():
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in source_files()}
    assert {path: n for path, n in lengths.items() if n > MAX_LINES} == {}


def test_no_module_is_named_like_a_dependency_or_a_standard_module():
    taken = {"torch", "numba", "lark", "regex", "tokenizers", "transformers", "types", "typing", "random", "json"}
    # A module `pgen.language.regex` is the contract's home of `Regex`; absolute imports keep it apart.
    allowed = {"pgen/language/regex.py", "pgen/language/types.py"}
    found = {p.relative_to(ROOT).as_posix() for f in FOLDERS for p in (ROOT / f).rglob("*.py") if p.stem in taken}
    assert found <= allowed


def test_constraints_pin_every_dependency():
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().split()}
    for requirement in PROJECT["project"]["dependencies"]:
        name = requirement.split(">=")[0].split("[")[0].lower()
        assert name in pinned, f"{name} is missing in constraints.txt"
