"""How right `pgen.JSONSchema` is. Saves bench/results/conformance.json.

    python -m bench.conformance --data DIR [--only maskbench|jsts] [--limit 20] [--show]

Two suites with known answers: the schemas of MaskBench (`DIR/maskbench`, formats asserted)
and the required tests of the official JSON Schema test suite (`DIR/jsts` with its remote schemas,
formats as annotations). Properties come in any order, white space anywhere. A schema is *right* if
every valid instance matches and no invalid one does, mask and residual together; one that
raises `InvalidLanguage` is right if all its instances are invalid. *Masked* counts the
invalid instances that the mask alone keeps out. Each text is judged by the whole language and by an automaton
over single bytes that writes its parts as they are needed; that the two differ counts as a crash.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

import pgen
from bench.machine import facts, save
from pgen.automata.acceptor import accepts

BYTES = pgen.Vocabulary([*(bytes([byte]) for byte in range(256)), b"<end>"], eos=256)


class Item(NamedTuple):
    """One schema with instances and whether each is valid; `resources` are the schemas that it may refer to."""

    name: str
    schema: Any
    instances: list[tuple[Any, bool]]
    resources: dict[str, Any] | None = None


@dataclass
class Tally:
    """Counts of one suite; `wrong` says of each schema that is not right why."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)
    compile_ms: list[float] = field(default_factory=list)


class TooSlow(Exception):
    """A schema took longer than the limit."""


def maskbench(data: Path) -> Iterator[Item]:
    for path in sorted((data / "maskbench").glob("*.json")):
        found = json.loads(path.read_text())
        yield Item(path.stem, found["schema"], [(test["data"], test["valid"]) for test in found["tests"]])


def official(data: Path) -> Iterator[Item]:
    remotes = data / "jsts/remotes"
    resources = {
        f"http://localhost:1234/{path.relative_to(remotes)}": json.loads(path.read_text())
        for path in sorted((remotes / "draft2020-12").rglob("*.json"))
    }
    for path in sorted((data / "jsts/tests/draft2020-12").glob("*.json")):
        for group in json.loads(path.read_text()):
            instances = [(test["data"], test["valid"]) for test in group["tests"]]
            yield Item(f"{path.stem}: {group['description']}", group["schema"], instances, resources)


SUITES = {"maskbench": (maskbench, "assert"), "jsts": (official, "annotate")}


def judge(item: Item, mode: str, tally: Tally) -> str | None:
    """Count one schema; what is not right about it, if anything."""
    start = time.perf_counter()
    try:
        language = pgen.JSONSchema(
            item.schema, whitespace="any", property_order="any", format=mode, resources=item.resources
        )
        accepts(language.node, b"")
        language.compile(BYTES)
    except TooSlow:
        return "too slow to compile"
    except pgen.UnsupportedFeature as error:
        return f"refused: {error.message}"
    except pgen.InvalidLanguage as error:
        valid = any(is_valid for _, is_valid in item.instances)
        return f"refused: {error.message}" if valid else None
    except pgen.PgenError as error:
        return f"{type(error).__name__}: {error}"
    tally.compile_ms.append(1000 * (time.perf_counter() - start))
    return matched(language, item, tally)


def matched(language: pgen.JSONSchema, item: Item, tally: Tally) -> str | None:
    wrong, automaton = None, language.compile(BYTES)
    for value, is_valid in item.instances:
        text = json.dumps(value, ensure_ascii=False)
        found, masked = language.matches(text), not accepts(language.node, text.encode())
        if automaton.accepts(text.encode()) == masked:
            raise RuntimeError(f"two automata of one language differ on {text!r:.60}")
        tally.counts["instances"] += 1
        tally.counts["instances right"] += found == is_valid
        if not is_valid:
            tally.counts["invalid instances"] += 1
            tally.counts["invalid instances masked"] += masked
        if found != is_valid:
            wrong = "invalid accepted" if found else wrong or "valid rejected"
    return wrong


def alarmed(*_: object) -> None:
    raise TooSlow


def run(items: Iterator[Item], mode: str, limit: int) -> Tally:
    tally = Tally()
    for item in items:
        signal.alarm(limit)
        try:
            wrong = judge(item, mode, tally)
        except TooSlow:
            wrong = "too slow to match"
        except Exception as error:
            wrong = f"crash: {error!r:.100}"
        signal.alarm(0)
        tally.counts["schemas"] += 1
        if wrong is None:
            tally.counts["right"] += 1
        else:
            tally.counts[wrong.partition(":")[0]] += 1
            tally.wrong[item.name] = wrong
    return tally


def summary(tally: Tally) -> dict[str, Any]:
    reasons = Counter(wrong.partition(": ")[2][:60] for wrong in tally.wrong.values() if wrong.startswith("refused"))
    return {
        "counts": dict(tally.counts),
        "refused_by_reason": dict(reasons.most_common()),
        "not_right": tally.wrong,
        "compile_ms": {
            "median": statistics.median(tally.compile_ms),
            "p90": float(np.quantile(tally.compile_ms, 0.9)),
            "max": max(tally.compile_ms),
        },
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--only", choices=list(SUITES))
    options.add_argument("--limit", type=int, default=20, help="seconds for one schema")
    options.add_argument("--show", action="store_true", help="list every schema that is not right")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, alarmed)
    pgen.JSONSchema({"type": "null"}).matches("null")
    results = {}
    for name, (read, mode) in SUITES.items():
        if chosen.only in (None, name):
            results[name] = summary(run(read(chosen.data), mode, chosen.limit))
            report(name, results[name], chosen.show)
    if chosen.only is None:
        save("conformance", {"about": facts("jsonschema"), **results})


def report(name: str, found: dict[str, Any], show: bool) -> None:
    table = Table("what", "how many", title=name)
    for what, count in found["counts"].items():
        table.add_row(what, str(count))
    for reason, count in found["refused_by_reason"].items():
        table.add_row(f"  refused: {reason}", str(count))
    table.add_row("compile ms, median / p90 / max", " / ".join(f"{ms:.1f}" for ms in found["compile_ms"].values()))
    Console().print(table)
    for item, wrong in found["not_right"].items() if show else ():
        Console().print(f"{item}: {wrong}", markup=False, highlight=False)


if __name__ == "__main__":
    main()
