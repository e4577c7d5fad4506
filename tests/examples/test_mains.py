"""Every example runs from beginning to end as a script, here on a model of equal chances."""

import importlib
from pathlib import Path

import pytest
from byte_model import byte_model

import examples
import pgen

FOLDER = Path(examples.__file__).parent
FILES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
LEFT_TO_RIGHT = [name for name in FILES if 'pgen.load("smollm2")' in (FOLDER / f"{name}.py").read_text()]


@pytest.mark.parametrize("name", [name for name in LEFT_TO_RIGHT if name != "demo"])
def test_it_runs(name, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(pgen, "load", lambda model: asked.append(model) or byte_model())
    importlib.import_module(f"examples.{name}").main()
    assert asked == ["smollm2"]
    assert len(capsys.readouterr().out) > 20


def test_the_table_lists_every_example():
    table = (FOLDER / "README.md").read_text()
    assert [name for name in FILES if f"`{name}`" not in table] == []
