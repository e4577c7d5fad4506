"""Reading real addresses under a schema: unconstrained, locally masked, and SMC. Saves bench/results/addresses.json.

    OMP_WAIT_POLICY=PASSIVE python -m bench.addresses [--records 200] [--particles 8]

The same prompts and temperature for all three. Validity is `jsonschema`'s verdict on the
text (unconstrained: on the first JSON object in it). Accuracy is correct fields over
correct, wrong and missed ones; what annotators left out and the record does as well
does not count. Unconstrained and masked texts are drawn for eight records at a time, so
that times per record compare batches of the same size.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jsonschema
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pgen
from bench.address_data import FIELDS, Address, Labelled, agrees, split
from bench.machine import facts, save
from pgen.extraction import record_distribution
from pgen.tokens import TokenAutomaton

TEMPERATURE = 0.5
MAX_TOKENS = 128
BATCH = 8


class Read(NamedTuple):
    """One record as a method read it."""

    text: str
    log_evidence: float = 0.0
    evaluations: int = 0


class Counts(NamedTuple):
    """Fields read right, fields written that are wrong, fields missed."""

    right: int
    wrong: int
    missed: int


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=200)
    options.add_argument("--particles", type=int, default=8)
    chosen = options.parse_args()
    lm, schema = pgen.load("smollm2"), pgen.JSONSchema(Address)
    examples, records = split(chosen.records)
    runs = {
        "unconstrained": lambda batch: drawn(lm, schema, batch, examples, None),
        "masked": lambda batch: drawn(lm, schema, batch, examples, schema.compile(lm.vocabulary)),
        f"SMC({chosen.particles})": lambda batch: inferred(lm, schema, batch, examples, chosen.particles),
    }
    results = {name: measured(name, run, records, schema) for name, run in runs.items()}
    about = {"records": len(records), "temperature": TEMPERATURE, **facts("torch", "transformers", "jsonschema")}
    save("addresses", {"about": about, "methods": results})
    show(results)


def measured(
    name: str, run: Callable[[Sequence[Labelled]], Iterator[Read]], records: Sequence[Labelled], schema: pgen.JSONSchema
) -> dict[str, Any]:
    """Run one method over all records and judge what it read."""
    batches = [records[i : i + BATCH] for i in range(0, len(records), BATCH)]
    start = time.perf_counter()
    reads = [read for batch in track(batches, name, console=Console(stderr=True)) for read in run(batch)]
    seconds = time.perf_counter() - start
    values = [parsed(read.text) for read in reads]
    counts = [judged(value, record.fields) for value, record in zip(values, records, strict=True)]
    right, wrong, missed = (sum(column) for column in zip(*counts, strict=True))
    return {
        "schema_valid": sum(is_valid(value, schema) for value in values),
        "field_accuracy": right / (right + wrong + missed),
        "precision": right / max(right + wrong, 1),
        "recall": right / (right + missed),
        "whole_records_right": sum(c.wrong == c.missed == 0 for c in counts),
        "mean_log_evidence": float(np.mean([read.log_evidence for read in reads])) if "SMC" in name else None,
        "mean_evaluations": float(np.mean([read.evaluations for read in reads])),
        "seconds_per_record": seconds / len(records),
    }


def inferred(
    lm: Any, schema: pgen.JSONSchema, batch: Sequence[Labelled], examples: Sequence[Any], particles: int
) -> Iterator[Read]:
    method = pgen.SMC(particles, resample="tokens", lookahead=0)
    for record in batch:
        found = pgen.extract(
            lm, schema, record.text, examples=examples, method=method, temperature=TEMPERATURE, max_tokens=MAX_TOKENS
        )
        yield Read(found.text, found.log_evidence, found.posterior.n_evaluations)


def drawn(
    lm: Any,
    schema: pgen.JSONSchema,
    batch: Sequence[Labelled],
    examples: Sequence[Any],
    automaton: TokenAutomaton | None,
) -> Iterator[Read]:
    """One draw a record, token by token, masked by `automaton` if there is one; weights are thrown away."""
    rng = np.random.default_rng(0)
    prompts = [record_distribution(lm, schema, r.text, examples=examples, max_tokens=MAX_TOKENS).prompt for r in batch]
    texts: list[tuple[int, ...]] = [() for _ in batch]
    states = [automaton.start if automaton else 0 for _ in batch]
    running = list(range(len(batch)))
    while running:
        logits = lm.next_logits([prompts[i] + texts[i] for i in running]).astype(np.float64) / TEMPERATURE
        for row, i in zip(logits, list(running), strict=True):
            if automaton:
                row[~allowed(automaton, states[i], MAX_TOKENS - len(texts[i]), len(row))] = -np.inf
            token = int(np.argmax(row + rng.gumbel(size=len(row))))
            if token in lm.vocabulary.eos:
                running.remove(i)
                continue
            texts[i] = (*texts[i], token)
            states[i] = automaton.advance(states[i], token) if automaton else 0
            over = len(texts[i]) == MAX_TOKENS if automaton is None else not automaton.has_continuation(states[i])
            if over:
                running.remove(i)
    for text in texts:
        yield Read(lm.vocabulary.decode(text).decode(errors="replace"), evaluations=len(text))


def allowed(automaton: TokenAutomaton, state: int, budget: int, size: int) -> np.ndarray[Any, Any]:
    words = automaton.mask(state, budget=budget)
    bits: np.ndarray[Any, Any] = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")[:size]
    return bits.astype(bool)


def parsed(text: str) -> Any:
    """The first JSON object in a text, `None` if there is none."""
    match = re.search(r"\{", text)
    try:
        return json.JSONDecoder().raw_decode(text, match.start())[0] if match else None
    except ValueError:
        return None


def is_valid(value: Any, schema: pgen.JSONSchema) -> bool:
    return bool(jsonschema.Draft202012Validator(schema.schema).is_valid(value)) if value is not None else False


def judged(value: Any, expected: dict[str, str]) -> Counts:
    found = {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else {}
    right = sum(name in expected and agrees(found.get(name), expected[name]) for name in FIELDS)
    return Counts(right, len(found) - right, len(expected) - right)


def show(results: dict[str, dict[str, Any]]) -> None:
    table = Table(title="US addresses, SmolLM2-135M")
    for heading in ("method", "valid", "accuracy", "precision", "recall", "whole", "log evidence", "s/record"):
        table.add_column(heading)
    for name, r in results.items():
        evidence = "" if r["mean_log_evidence"] is None else f"{r['mean_log_evidence']:.2f}"
        shares = [f"{r[key]:.3f}" for key in ("field_accuracy", "precision", "recall")]
        whole, seconds = str(r["whole_records_right"]), f"{r['seconds_per_record']:.2f}"
        table.add_row(name, str(r["schema_valid"]), *shares, whole, evidence, seconds)
    Console().print(table)


if __name__ == "__main__":
    main()
