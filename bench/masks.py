"""Mask engines side by side on a 131k vocabulary. Saves bench/results/masks.json.

    pip install --no-deps mistral-common llguidance xgrammar apache-tvm-ffi outlines-core
    python -m bench.masks --data DIR [--engines pgen,llguidance] [--items json,regex,cfg] [--limit N] [--all]

Engines: pgen, pgen (cold), llguidance, xgrammar, xgrammar (strict), outlines-core.
Items: JSON schemas of `DIR/maskbench` (40, or `--all`), ten regexes, five grammars. Every
engine gets the same token ids, walks the valid texts mask by mask and then the invalid
ones, in one thread of a process of its own.

*First mask* is compiling the item plus its first mask: kernels and tables are warm, caches
of earlier items are dropped. *Mask* is one call, over all positions of the valid texts,
their ends included; texts of one item follow each other, so an engine that keeps masks of
an item meets some again. `pgen (cold)` starts every text with a new automaton. A ratio
takes only items that both engines walked to the end; "worst" is against the better of
llguidance and xgrammar. `--repeats` takes the least time of each position over several runs.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.first_mask import tekken
from bench.machine import RESULTS, facts, save
from bench.mask_engines import ENGINES
from bench.mask_items import GROUPS, N_SCHEMAS, Item, items
from bench.mask_runs import Record, Run, fastest, run

LIMIT_S = {"outlines-core": 6.0}
DEFAULT_LIMIT_S = 40.0
PATIENCE_S = 45.0
RIVALS = ("llguidance", "xgrammar")
STATISTICS: dict[str, Callable[[Any], Any]] = {
    "mean": np.mean,
    "p50": lambda times: np.quantile(times, 0.5),
    "p90": lambda times: np.quantile(times, 0.9),
    "p99": lambda times: np.quantile(times, 0.99),
    "max": np.max,
}


def spread(times_ns: Sequence[int], unit_ns: float) -> dict[str, float] | None:
    """Mean and quantiles in a unit of so many nanoseconds; `None` without times."""
    if not times_ns:
        return None
    return {name: round(float(statistic(times_ns)) / unit_ns, 3) for name, statistic in STATISTICS.items()}


def pooled(records: Sequence[Record]) -> dict[str, Any]:
    """Spreads over all positions of some records."""
    return {
        "first_ms": spread([r.first_ns for r in records], 1e6),
        "mask_us": spread([t for r in records for t in r.fill_ns], 1e3),
        "advance_us": spread([t for r in records for t in r.commit_ns], 1e3),
    }


def summary(done: Run, group: Sequence[Item]) -> dict[str, Any]:
    """One row of the table: counts, wrong answers, and spreads over the measured items."""
    measured = [record for record in done.records if record.status == "measured"]
    statuses = Counter(record.status for record in done.records)
    return {
        "items": len(group),
        **{status.replace(" ", "_"): statuses[status] for status in ("measured", "refused", "failed")},
        **{status.replace(" ", "_"): statuses[status] for status in ("gave up", "crashed", "not tried")},
        "all_right": sum(r.complete and not r.invalid_accepted for r in measured),
        "valid_rejected": sum(r.valid_rejected for r in measured),
        "invalid_accepted": sum(r.invalid_accepted for r in measured),
        "invalid_masked": sum(r.invalid_masked for r in measured),
        "masks": sum(len(r.fill_ns) for r in measured),
        **pooled(measured),
        "vocabulary_build_s": round(done.build_s, 2),
        "peak_mib": round(max((r.peak_mib for r in done.records), default=0.0)),
    }


def ratios(own: Run, other: Run) -> dict[str, float] | None:
    """Own figures over another engine's, on the items that both completed."""
    pairs = [(a, b) for a, b in zip(own.records, other.records, strict=True) if a.complete and b.complete]
    if not pairs:
        return None
    left, right = (pooled(side) for side in zip(*pairs, strict=True))
    found = {"items": float(len(pairs))}
    for kind, names in (("mask_us", STATISTICS), ("first_ms", ("p50", "p90", "max")), ("advance_us", ("p50",))):
        found |= {f"{kind[:-3]} {name}": left[kind][name] / max(right[kind][name], 1e-9) for name in names}
    return {name: round(value, 3) for name, value in found.items()}


def compared(runs: dict[str, Run]) -> dict[str, dict[str, dict[str, float] | None]]:
    """Ratios of each form of pgen to each peer, and the larger of those to the two rivals."""
    found: dict[str, dict[str, dict[str, float] | None]] = {}
    for own in (name for name in runs if name.startswith("pgen")):
        found[own] = {peer: ratios(runs[own], runs[peer]) for peer in runs if not peer.startswith("pgen")}
        against = [r for peer in RIVALS if (r := found[own].get(peer))]
        if against:
            found[own]["worst"] = {name: max(r[name] for r in against) for name in against[0] if name != "items"}
    return found


def per_item(runs: dict[str, Run], group: Sequence[Item]) -> dict[str, Any]:
    """What became of every item in every engine."""
    table: dict[str, Any] = {}
    for i, item in enumerate(group):
        for engine, done in runs.items():
            record = done.records[i]
            row: dict[str, Any] = {"status": record.status} | ({"why": record.why} if record.why else {})
            if record.status == "measured":
                row |= {"valid_rejected": record.valid_rejected, "invalid_accepted": record.invalid_accepted}
                row |= {"first_ms": round(record.first_ns / 1e6, 3), "mask_us": spread(record.fill_ns, 1e3)}
            table.setdefault(item.name, {})[engine] = row
    return table


def print_group(group: str, rows: dict[str, Any], ratio: dict[str, Any]) -> None:
    heads = ("engine", "measured", "right", "✗V", "✗I", "first ms p50/p90/max", "mask µs mean/p50/p90/p99/max")
    table = Table(*heads, "advance µs", "build s", "MiB", title=group)
    for engine, row in rows.items():
        counts = [f"{row['measured']}/{row['items']}", *map(str, (row["all_right"], row["valid_rejected"]))]
        times = [joined(row["first_ms"], ("p50", "p90", "max")), joined(row["mask_us"], STATISTICS)]
        times.append(joined(row["advance_us"], ("p50",)))
        table.add_row(
            engine, *counts, str(row["invalid_accepted"]), *times, str(row["vocabulary_build_s"]), str(row["peak_mib"])
        )
    console = Console(width=170)
    console.print(table)
    lines = [(f"{own} / {peer}", found) for own, peers in ratio.items() for peer, found in peers.items() if found]
    if lines:
        names = max((found for _, found in lines), key=len)
        table = Table("ratio", *names, title=f"{group}: ratios")
        for title, found in lines:
            table.add_row(title, *(f"{found[name]:.3g}" if name in found else "" for name in names))
        console.print(table)


def joined(found: dict[str, float] | None, names: Sequence[str] | dict[str, Any]) -> str:
    return (
        " / ".join(f"{found[name]:.3g}" if found[name] < 1000 else f"{found[name]:.0f}" for name in names)
        if found
        else ""
    )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds maskbench/")
    parser.add_argument("--engines", default="pgen,pgen (cold),llguidance,xgrammar,outlines-core")
    parser.add_argument("--items", default=",".join(GROUPS))
    parser.add_argument("--limit", type=int, help="only the first so many items of each group")
    parser.add_argument("--all", action="store_true", help="all schemas of maskbench")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--out", default="masks", help="name of the file in bench/results, without .json")
    given = parser.parse_args()
    for name, known in (("engines", tuple(ENGINES)), ("items", GROUPS)):
        setattr(given, name, getattr(given, name).split(","))
        if wrong := set(getattr(given, name)) - set(known):
            parser.error(f"--{name}: {', '.join(sorted(wrong))}; known are {', '.join(known)}")
    return given


def measured_group(group: Sequence[Item], given: argparse.Namespace) -> dict[str, Run]:
    """The engines in turn, as often as asked for: a machine that is slow for minutes is so for all of them."""
    runs: dict[str, list[Run]] = {engine: [] for engine in given.engines}
    for _ in range(given.repeats):
        for engine, done in runs.items():
            done.append(run(engine, group, LIMIT_S.get(engine, DEFAULT_LIMIT_S), PATIENCE_S))
    return {engine: fastest(done) for engine, done in runs.items()}


def main() -> None:
    # Threads that spin while they wait would disturb each other's times.
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}
    given = options()
    vocabulary = tekken()
    packages = sorted({package for engine in given.engines for package in ENGINES[engine].packages})
    about = facts("mistral-common", *packages)
    results: dict[str, Any] = {"about": {**about, "vocabulary": "tekken", "repeats": given.repeats}}
    for name in given.items:
        group = items(name, given.data, vocabulary.encode, None if given.all else N_SCHEMAS)[: given.limit]
        runs = measured_group(group, given)
        rows = {engine: summary(done, group) for engine, done in runs.items()}
        ratio = compared(runs)
        results[name] = {"engines": rows, "ratios": ratio, "items": per_item(runs, group)}
        print_group(name, rows, ratio)
    print(f"saved {save(given.out, results).relative_to(RESULTS.parents[1])}")


if __name__ == "__main__":
    main()
