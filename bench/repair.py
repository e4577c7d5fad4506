"""Repair of broken JSON, code and molecules by `pgen.edit`. Saves bench/results/repair.json.

    python -m bench.repair [--cases 500] [--data MASKBENCH]

Cases are valid values of twelve schemas (`pgen.testing.broken_json`), written as text and
damaged in five ways; with `--data` also values of the schemas there, of up to 400 characters.
*Valid*: by `jsonschema`. *Kept*: of the fields that the fault did not touch, those with
their value and place after the repair. Beside it `json_repair`, if it is installed, which mends
JSON without looking at a schema. Then expressions, SQL and SMILES with one character lost or put in: *valid*
is membership in the grammar, *restored* that the text is the one before the damage.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import pgen
from bench.machine import facts, save
from pgen.testing.broken_json import Case, foreign_cases, is_valid, n_kept, own_cases, written

Repair = Callable[[Case], str]
CODE = {
    "arithmetic": ["(1 + 2) * (3 - 4)", "12 / (3 + 4.5)", "((1 + 2) * 3) - 4", "2 * (7 + 1) / 5"],
    "python_expr": ["max(x, y[0]) + 1", "f(a, b=3)['key'].name", "[i * 2 for i in range(10) if i > 3]"],
    "sql": [
        "SELECT name, age FROM people WHERE age > 30",
        "SELECT count(*) FROM orders WHERE total >= 10 AND paid = 1",
        "SELECT a.x FROM a ORDER BY a.x DESC LIMIT 5",
    ],
    "smiles": ["CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "CC(C)Cc1ccc(cc1)C(C)C(=O)O"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--data", type=Path, help="a folder with the schemas of MaskBench")
    parser.add_argument("--foreign", type=int, default=100, help="how many cases over those schemas")
    options = parser.parse_args()
    # Schemas of others have words that mean nothing.
    warnings.simplefilter("ignore", UserWarning)
    sets = {"own schemas": list(own_cases(options.cases))}
    if options.data:
        sets["MaskBench schemas"] = list(foreign_cases(options.data, options.foreign))
    results: dict[str, Any] = {name: compared(cases) for name, cases in sets.items()}
    results["code"] = {grammar: code(grammar, texts) for grammar, texts in CODE.items()}
    save("repair", {"about": {"seed": 0, **facts("jsonschema", "json_repair")}, **results})
    show(results)


def compared(cases: list[Case]) -> dict[str, Any]:
    methods: dict[str, Repair] = {"pgen.edit": editing()}
    if importlib.util.find_spec("json_repair"):
        methods["json_repair"] = mending()
    return {name: measured(cases, repair) for name, repair in methods.items()}


def editing() -> Repair:
    """Names in declared order where the value has them so, in any order elsewhere."""
    languages: dict[tuple[str, str], pgen.Language] = {}

    def language(schema: Any, order: Any) -> pgen.Language:
        key = json.dumps(schema), order
        if key not in languages:
            languages[key] = pgen.JSONSchema(schema, property_order=order)
        return languages[key]

    def repair(case: Case) -> str:
        declared = language(case.schema, "declared")
        in_order = declared.matches(written(case.value)[0])
        return pgen.edit(case.text, declared if in_order else language(case.schema, "any"))

    return repair


def mending() -> Repair:
    from json_repair import repair_json

    return lambda case: str(repair_json(case.text, ensure_ascii=False))


def measured(cases: Iterable[Case], repair: Repair) -> dict[str, Any]:
    """Counts by fault, and seconds a case; the first repair under a schema, which compiles it, is timed apart."""
    counts: defaultdict[str, dict[str, int]] = defaultdict(lambda: {"cases": 0, "valid": 0, "intact": 0, "kept": 0})
    seconds, first, seen, uncertain = list[float](), list[float](), set[str](), 0
    for case in cases:
        start = time.perf_counter()
        repaired = repair(case)
        (seconds if (key := json.dumps(case.schema)) in seen else first).append(time.perf_counter() - start)
        seen.add(key)
        uncertain += not getattr(repaired, "is_nearest", True)
        valid = is_valid(repaired, case.schema)
        row = counts[case.fault]
        row["cases"] += 1
        row["valid"] += valid
        row["intact"] += len(case.intact)
        row["kept"] += n_kept(case, repaired)
    total = {key: sum(row[key] for row in counts.values()) for key in ("cases", "valid", "intact", "kept")}
    return {
        **total,
        "kept_share": total["kept"] / max(1, total["intact"]),
        "not_certainly_nearest": uncertain,
        "seconds": spread(seconds),
        "seconds_first": spread(first),
        "faults": dict(counts),
    }


def spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {"median": float(np.median(seconds)), "p99": float(np.quantile(seconds, 0.99)), "max": max(seconds)}


def code(grammar: str, texts: list[str]) -> dict[str, Any]:
    """Every text with a character lost or put in, at every third place."""
    language, choose = pgen.Grammar(grammar), random.Random(0)
    broken = [text[:i] + text[i + 1 :] for text in texts for i in range(0, len(text), 3)]
    broken += [text[:i] + choose.choice(")(x=,1") + text[i:] for text in texts for i in range(1, len(text), 3)]
    broken = [text for text in broken if not language.matches(text)]
    start = time.perf_counter()
    repaired = [pgen.edit(text, language) for text in broken]
    seconds = time.perf_counter() - start
    return {
        "cases": len(broken),
        "valid": sum(map(language.matches, repaired)),
        "restored": sum(text in texts for text in repaired),
        "mean_distance": float(np.mean([text.distance for text in repaired])),
        "seconds_each": seconds / len(broken),
    }


def show(results: dict[str, Any]) -> None:
    table = Table("", "method", "cases", "valid", "intact fields kept", "median s", "max s")
    for name, methods in results.items():
        for method, r in methods.items() if name != "code" else ():
            times = [f"{(r['seconds'] or r['seconds_first'])[key]:.3f}" for key in ("median", "max")]
            table.add_row(name, method, str(r["cases"]), str(r["valid"]), f"{r['kept_share']:.1%}", *times)
    for grammar, r in results["code"].items():
        restored = f"{r['restored']} restored"
        table.add_row("code", grammar, str(r["cases"]), str(r["valid"]), restored, f"{r['seconds_each']:.3f}", "")
    Console().print(table)


if __name__ == "__main__":
    main()
