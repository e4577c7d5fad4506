"""Time from a pattern to its first mask, on a 131k vocabulary. Saves bench/results/first_mask.json.

    pip install --no-deps mistral-common llguidance outlines-core
    python -m bench.first_mask [--runs 20]

Each run takes a pattern that was not seen before (a different upper bound or word list),
so nothing of it is cached; kernels are warm, and Unicode class tables are loaded. Peers get
the same vocabulary and pattern in the same run. outlines-core builds its whole index
before it can answer, and is given up on after `PATIENCE` seconds.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import pgen
from bench.machine import facts, save

PATIENCE = 20.0
LIMITS_MS = {"dot": 5.0, "email": 5.0, "date": 5.0, "words": 15.0}


def patterns(run: int) -> dict[str, str]:
    """The four patterns, made different for every run."""
    rng = random.Random(run)
    words = {"".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 11))) for _ in range(1100)}
    return {
        "dot": f".{{0,{200 + run}}}",
        "email": f"[a-zA-Z0-9._%+-]{{1,{40 + run}}}@[a-zA-Z0-9.-]{{1,40}}\\.[a-zA-Z]{{2,10}}",
        "date": f"\\d{{4}}-\\d{{2}}-\\d{{2}}(T{run})?",
        "words": "(?:" + "|".join(sorted(words)[:1000]) + ")",
    }


def tekken_path() -> Path:
    spec = importlib.util.find_spec("mistral_common")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("bench.first_mask: pip install --no-deps mistral-common")
    return Path(spec.submodule_search_locations[0]) / "data" / "tekken_240911.json"


def tekken() -> pgen.Vocabulary:
    return pgen.Vocabulary.from_tekken(tekken_path())


def with_pgen(vocabulary: pgen.Vocabulary) -> Callable[[str], Any]:
    def first(pattern: str) -> Any:
        automaton = pgen.Regex(pattern).compile(vocabulary)
        return automaton.mask(automaton.start)

    return first


def with_llguidance(vocabulary: pgen.Vocabulary) -> Callable[[str], Any]:
    import llguidance
    from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask

    (eos,) = vocabulary.eos

    class Tokenizer:
        eos_token_id, bos_token_id = eos, None
        tokens = tuple(t if i in vocabulary.text_ids else f"<[{i}]>".encode() for i, t in enumerate(vocabulary.tokens))
        special_token_ids = tuple(sorted(set(range(len(vocabulary))) - set(vocabulary.text_ids)))

        def __call__(self, data: bytes) -> list[int]:
            return list(vocabulary.encode(data.decode()))

    tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(Tokenizer()))

    def first(pattern: str) -> Any:
        matcher = llguidance.LLMatcher(tokenizer, llguidance.LLMatcher.grammar_from_regex(pattern))
        mask = allocate_token_bitmask(1, len(vocabulary))
        fill_next_token_bitmask(matcher, mask)
        if matcher.get_error():
            raise RuntimeError(matcher.get_error())
        return mask

    return first


def with_outlines(vocabulary: pgen.Vocabulary) -> Callable[[str], Any]:
    import outlines_core

    (eos,) = vocabulary.eos
    table: dict[bytes, list[int]] = {}
    for i in vocabulary.text_ids:
        table.setdefault(vocabulary.tokens[i], []).append(i)
    known = outlines_core.Vocabulary(eos, table)

    def first(pattern: str) -> Any:
        return outlines_core.Guide(outlines_core.Index(pattern, known)).get_tokens()

    return first


ENGINES = {"pgen": with_pgen, "llguidance": with_llguidance, "outlines-core": with_outlines}


def measured(engine: str, n_runs: int) -> dict[str, list[float]]:
    """Milliseconds per pattern and run; an engine that is too slow for a pattern has fewer runs."""
    first = ENGINES[engine](tekken())
    for pattern in patterns(999).values():
        if engine != "outlines-core":
            first(pattern)
    times: dict[str, list[float]] = {name: [] for name in LIMITS_MS}
    for run in range(n_runs):
        for name, pattern in patterns(run).items():
            if sum(times[name]) > 1000 * PATIENCE:
                continue
            start = time.perf_counter()
            first(pattern)
            times[name].append(1000 * (time.perf_counter() - start))
    return times


def isolated(engine: str, n_runs: int) -> dict[str, list[float]] | None:
    """Measure in a process of its own; `None` if it takes too long."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        waiting = pool.apply_async(measured, (engine, n_runs))
        try:
            return waiting.get(timeout=8 * PATIENCE)
        except multiprocessing.TimeoutError:
            return None


def summary(times: Sequence[float]) -> dict[str, float]:
    return {"median_ms": statistics.median(times), "p99_ms": float(np.quantile(times, 0.99)), "runs": len(times)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=20)
    n_runs = options.parse_args().runs
    found = {engine: isolated(engine, n_runs) for engine in ENGINES}
    results = {
        engine: None if times is None else {name: summary(ms) for name, ms in times.items() if ms}
        for engine, times in found.items()
    }
    about = facts("llguidance", "outlines-core", "mistral-common")
    save("first_mask", {"about": {**about, "vocabulary": "tekken", "limits_ms": LIMITS_MS}, "engines": results})
    table = Table("pattern", *(f"{engine} median / p99 (ms)" for engine in ENGINES), title="Time to first mask")
    for name in LIMITS_MS:
        cells = ((results[engine] or {}).get(name) for engine in ENGINES)
        table.add_row(name, *(f"{c['median_ms']:.2f} / {c['p99_ms']:.2f}" if c else "too slow" for c in cells))
    Console().print(table)


if __name__ == "__main__":
    main()
