"""How far sampling methods are from the exact posterior on SmolLM2. Saves bench/results/posteriors.json.

    OMP_WAIT_POLICY=PASSIVE python -m bench.posteriors [--seeds 5]

Eight questions with six to twenty answers, chat and raw, where a text ends by EOS and where it
ends with a member. The reference is `Enumerate(1e-5)`, which the tests hold to an independent
brute force at 1e-4. The figures are the total variation distance of the answers' shares, mean and
worst over seeds, the worst error of the log evidence, the most evaluations, and how many runs
that are off by more than `OFF` in either carry no warning in `diagnose()` and no label
`heuristic`. "Blind" methods use no prefix tree (`lookahead=0`). The model's rows are remembered
from run to run, which changes no result and no count.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pgen
from bench.machine import facts, save
from pgen.backends.text_model import TextModel

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

OFF = 0.2
MASKED = "Masked(64)"
METHODS = {
    "auto": "auto",
    "SMC(32)": pgen.SMC(32),
    "SMC(32), every token": pgen.SMC(32, resample="tokens"),
    "SMC(8)": pgen.SMC(8),
    "Importance(64)": pgen.Importance(64),
    "blind Importance(64)": pgen.Importance(64, lookahead=0),
    "blind SMC(64), every token": pgen.SMC(64, resample="tokens", lookahead=0),
    MASKED: pgen.Masked(64),
}


def total_variation(p: dict[str, float], q: dict[str, float]) -> float:
    return sum(abs(p.get(x, 0.0) - q.get(x, 0.0)) for x in {*p, *q}) / 2


class Remembering(TextModel):
    """A model that evaluates no prefix twice."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._rows: dict[tuple[int, ...], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def next_logits(self, prefixes: Sequence[tuple[int, ...]]) -> Any:
        new = [prefix for prefix in dict.fromkeys(prefixes) if prefix not in self._rows]
        if new:
            self._rows.update(zip(new, np.array(self._model.next_logits(new)), strict=True))
        return np.stack([self._rows[prefix] for prefix in prefixes])


def distances(distribution: Any, n_seeds: int) -> dict[str, dict[str, float]]:
    """The figures of every method for one question."""
    exact = pgen.infer(distribution, method=pgen.Enumerate(1e-5))
    shares = exact.probabilities()
    found = {}
    for name, method in METHODS.items():
        runs = [pgen.infer(distribution, method=method, seed=seed) for seed in range(n_seeds)]
        apart = [total_variation(run.probabilities(), shares) for run in runs]
        # Local masking gives no evidence.
        errors = [0.0 if name == MASKED else abs(run.log_evidence - exact.log_evidence) for run in runs]
        off = [max(pair) > OFF for pair in zip(apart, errors, strict=True)]
        warned = [run.label == "heuristic" or "Warning" in run.diagnose() for run in runs]
        found[name] = {
            "mean": statistics.mean(apart),
            "worst": max(apart),
            "log_evidence_error": max(errors),
            "evaluations": max(run.n_evaluations for run in runs),
            "off": sum(off),
            "off_without_warning": sum(wrong and not told for wrong, told in zip(off, warned, strict=True)),
            "fine_with_warning": sum(told and not wrong for wrong, told in zip(off, warned, strict=True)),
        }
    return found


def main() -> None:
    from questions import QUESTIONS, posed

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, default=5)
    n_seeds = options.parse_args().seeds
    lm = Remembering(pgen.load("smollm2"))
    asked = sorted({(style, prompt, answers) for style, prompt, answers, _ in QUESTIONS})
    questions = [(*question, rule) for question in asked for rule in ("eos", "match")]
    results = [
        {
            "question": f"{style}: {prompt}",
            "end": rule,
            "methods": distances(posed(lm, style, prompt, answers, rule), n_seeds),
        }
        for style, prompt, answers, rule in track(questions, "questions", console=Console(stderr=True))
    ]
    save("posteriors", {"about": {"seeds": n_seeds, **facts("torch", "transformers")}, "questions": results})
    Console().print(shown(results))


def shown(results: list[dict[str, Any]]) -> Table:
    """A row a method."""
    head = ("method", "mean TV", "worst question's mean", "worst run", "log evidence", "most evaluations")
    table = Table(*head, "off", "unwarned", "warned, fine", title=f"{len(results)} questions")
    for name in METHODS:
        rows = [entry["methods"][name] for entry in results]
        means = [row["mean"] for row in rows]
        cells = [statistics.mean(means), max(means), max(r["worst"] for r in rows)]
        cells.append(max(row["log_evidence_error"] for row in rows))
        counts = [sum(row[key] for row in rows) for key in ("off", "off_without_warning", "fine_with_warning")]
        most = max(row["evaluations"] for row in rows)
        table.add_row(name, *(f"{cell:.3f}" for cell in cells), str(most), *map(str, counts))
    return table


if __name__ == "__main__":
    main()
