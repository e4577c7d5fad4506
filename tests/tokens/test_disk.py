"""What is kept on disk: read back whole, made again when it cannot be read, never stale, never in the way."""

import json
import re
import types

import numpy as np
import pytest

import pgen
from pgen.tokens.disk import cache_folder, kept
from pgen.tokens.lexicon import MIN_KEPT, lexicon_of
from pgen.tokens.tokenizer_files import MIN_KEPT as MIN_KEPT_FILE


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "code.py"
    path.write_text("first")
    module = types.ModuleType("code")
    module.__file__ = str(path)
    return module


def counted(calls):
    def make():
        calls.append(1)
        return {"a": np.arange(3), "b.c": np.array([b"x"])}

    return make


@pytest.mark.parametrize("variable", ["PGEN_CACHE", "XDG_CACHE_HOME", "HOME"])
def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path, variable):
    for name in ("PGEN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    below = {"PGEN_CACHE": "", "XDG_CACHE_HOME": "pgen", "HOME": ".cache/pgen"}[variable]
    assert cache_folder() == tmp_path / below


def test_arrays_are_made_once_for_each_content_and_code(cache, code, tmp_path):
    calls = []
    for content in ("one", "one", "two", "one"):
        found = kept("kind", content, [code], counted(calls))
        assert found["a"].tolist() == [0, 1, 2] and found["b.c"].tolist() == [b"x"]
    assert len(calls) == 2
    (tmp_path / "code.py").write_text("second")
    kept("kind", "one", [code], counted(calls))
    assert len(calls) == 3


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", None])
def test_a_damaged_entry_is_made_again(cache, code, damage):
    calls = []
    kept("kind", "one", [code], counted(calls))
    (entry,) = (cache / "kind").iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    kept("kind", "one", [code], counted(calls))
    kept("kind", "one", [code], counted(calls))
    assert len(calls) == 2


def test_a_folder_that_cannot_be_written_costs_time_only(monkeypatch, tmp_path, code):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PGEN_CACHE", str(tmp_path / "file"))
    calls = []
    assert kept("kind", "one", [code], counted(calls))["a"].tolist() == [0, 1, 2]
    kept("kind", "one", [code], counted(calls))
    assert len(calls) == 2


def test_lexicons_of_large_vocabularies_survive_the_process(cache):
    vocabulary = pgen.Vocabulary([*(f"w{i}".encode() for i in range(MIN_KEPT)), b"<end>", b"\xff"], eos=MIN_KEPT)
    lexicon_of.cache_clear()
    made = lexicon_of(vocabulary)
    assert len(list((cache / "lexicons").iterdir())) == 1
    lexicon_of.cache_clear()
    read = lexicon_of(vocabulary)
    for one, other in zip(flat(made), flat(read), strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype and np.array_equal(one, other)
    automaton = pgen.Regex("w1[0-3]{2}").compile(vocabulary)
    allowed = {i for i in range(MIN_KEPT) if re.fullmatch("w1[0-3]{2}", f"w{i}")}
    assert set(automaton.allowed_tokens(automaton.start).tolist()) == allowed


def flat(lexicon):
    for name, part in lexicon._asdict().items():
        if name != "memory":
            yield from flat(part) if isinstance(part, tuple) else [part]


def test_tekken_files_are_read_alike_twice(cache, tmp_path):
    entries = [{"rank": i, "token_bytes": t} for i, t in enumerate(["YQ==", "Yg==", "YWI="])]
    config = {"default_num_special_tokens": 3, "default_vocab_size": 6, "pattern": "[a-z]+"}
    content = {"config": config, "vocab": entries, "comment": "x" * MIN_KEPT_FILE}
    (tmp_path / "tekken.json").write_text(json.dumps(content))
    first, second = (pgen.Vocabulary.from_tekken(tmp_path / "tekken.json") for _ in range(2))
    assert len(list((cache / "tekken").iterdir())) == 1
    assert first == second and first.tokens[3:] == (b"a", b"b", b"ab") and first.eos == {2}
    assert first.encode("abba") == second.encode("abba") == (5, 4, 3)
