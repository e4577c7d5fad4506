"""Imports point downwards: errors < language < automata < tokens < sampling < chains, gaps < programs < inference."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A module may import its own unit and those of lower rank; the longest matching name counts.
RANKS = {
    "pgen.errors": 0,
    "pgen.limits": 1,
    "pgen.language": 1,
    "pgen.grammars": 2,
    "pgen.automata": 2,
    "pgen.tokens": 3,
    "pgen.backends.base": 4,
    "pgen.sampling": 4,
    "pgen.chains": 5,
    "pgen.gaps": 5,
    "pgen.programs": 6,
    "pgen.inference": 7,
    "pgen.backends": 8,
    "pgen": 9,
    "pgen.extraction": 10,
    "pgen.records": 10,
    "pgen.testing": 10,
    "pgen.cli": 11,
}


def modules():
    """Every module of the distribution as (import name, file)."""
    for folder, package in (("pgen", "pgen"), ("backends", "pgen.backends"), ("grammars", "pgen.grammars")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            yield ".".join([package, *(part for part in parts if part != "__init__")]), path


def unit_of(name):
    parts = name.split(".")
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next(prefix for prefix in prefixes if prefix in RANKS)


def imported(tree, name, is_package):
    """Names of the pgen modules that the code imports when it runs, inside functions too."""
    for node in walk_run_time(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = name.split(".")[: None if is_package else -1]
            base = home[: len(home) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def walk_run_time(node):
    """All nodes, except what stands below `if TYPE_CHECKING`."""
    yield node
    skipped = node.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) else []
    for child in ast.iter_child_nodes(node):
        if child not in skipped:
            yield from walk_run_time(child)


def upward_imports(name, source, is_package=False):
    own = unit_of(name)
    for target in imported(ast.parse(source), name, is_package):
        if target.split(".")[0] != "pgen":
            continue
        unit = unit_of(target)
        if unit != own and RANKS[unit] >= RANKS[own]:
            yield f"{name} imports {target}"


def test_no_module_imports_upwards():
    found = [
        line for name, path in modules() for line in upward_imports(name, path.read_text(), path.name == "__init__.py")
    ]
    assert found == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("pgen.language.base", "import pgen.tokens"),
        ("pgen.language.base", "from pgen import tokens"),
        ("pgen.language.base", "from ..tokens.trie import Trie"),
        ("pgen.tokens.trie", "def f():\n    from pgen.inference.methods.smc import SMC"),
        ("pgen.sampling.rng", "from pgen.backends.base import Logits"),
        ("pgen.inference.methods.smc", "import pgen.backends.tabular"),
        ("pgen.programs.text", "import pgen"),
        ("pgen.backends.tabular", "from pgen.cli import main"),
    ],
)
def test_an_upward_import_is_found(name, source):
    assert list(upward_imports(name, source))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("pgen.tokens.trie", "from pgen.errors import DeadEnd\nimport numpy"),
        ("pgen.inference.methods.smc", "from pgen.backends.base import Autoregressive"),
        ("pgen.language.base", "if TYPE_CHECKING:\n    from pgen.tokens import Vocabulary"),
        ("pgen.tokens.trie", "from .vocabulary import Vocabulary"),
    ],
)
def test_a_downward_import_is_allowed(name, source):
    assert not list(upward_imports(name, source))


def test_code_beside_type_checking_is_seen():
    source = "if TYPE_CHECKING:\n    pass\nelse:\n    import pgen.inference"
    assert list(upward_imports("pgen.tokens.trie", source))


def test_every_module_is_found():
    names = {name for name, _ in modules()}
    assert {"pgen", "pgen.errors", "pgen.language.ir", "pgen.backends.base", "pgen.grammars"} <= names
