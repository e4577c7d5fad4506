"""How far sampling methods are from the exact posterior on SmolLM2. Saves bench/results/posteriors.json.

    OMP_WAIT_POLICY=PASSIVE python -m bench.posteriors [--seeds 5]

Twelve questions with six to twenty answers, chat and raw, under every end rule. The reference
is `Enumerate(1e-5)`, which the tests hold to an independent brute force at 1e-4. The figure
is the total variation distance of the answers' shares, mean and worst over seeds. "Blind"
methods use no prefix tree (`lookahead=0`).
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

import pgen
from bench.machine import facts, save

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

METHODS = {
    "Importance(64)": pgen.Importance(64),
    "SMC(64)": pgen.SMC(64),
    "auto": "auto",
    "blind Importance(64)": pgen.Importance(64, lookahead=0),
    "blind SMC(64), every token": pgen.SMC(64, resample="tokens", lookahead=0),
    "Masked(64)": pgen.Masked(64),
}


def total_variation(p: dict[str, float], q: dict[str, float]) -> float:
    return sum(abs(p.get(x, 0.0) - q.get(x, 0.0)) for x in {*p, *q}) / 2


def distances(distribution: Any, n_seeds: int) -> dict[str, dict[str, float]]:
    exact = pgen.infer(distribution, method=pgen.Enumerate(1e-5)).probabilities()
    found = {}
    for name, method in METHODS.items():
        runs = [pgen.infer(distribution, method=method, seed=seed) for seed in range(n_seeds)]
        apart = [total_variation(run.probabilities(), exact) for run in runs]
        evaluations = statistics.mean(run.n_evaluations for run in runs)
        found[name] = {"mean": statistics.mean(apart), "worst": max(apart), "evaluations": evaluations}
    return found


def main() -> None:
    from questions import QUESTIONS, posed

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, default=5)
    n_seeds = options.parse_args().seeds
    lm = pgen.load("smollm2")
    results = [
        {
            "question": f"{style}: {prompt}",
            "end": rule,
            "methods": distances(posed(lm, style, prompt, answers, rule), n_seeds),
        }
        for style, prompt, answers, rule in track(QUESTIONS, "questions", console=Console(stderr=True))
    ]
    save("posteriors", {"about": {"seeds": n_seeds, **facts("torch", "transformers")}, "questions": results})
    table = Table("method", "mean", "worst", "evaluations", title=f"Total variation, {len(results)} questions")
    for name in METHODS:
        rows = [entry["methods"][name] for entry in results]
        mean, worst = statistics.mean(r["mean"] for r in rows), max(r["worst"] for r in rows)
        table.add_row(name, f"{mean:.3f}", f"{worst:.3f}", f"{statistics.mean(r['evaluations'] for r in rows):.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
