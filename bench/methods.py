"""Every method against the exact posterior on tabular models: total variation and evidence error for its cost.

    OMP_WAIT_POLICY=PASSIVE python -m bench.methods [--seeds 5]

Two programs over random tabular models of five tokens: one text of up to five tokens that must
contain a rare word, and two texts in turn with a latent kind and evidence at the end. The
cost is the number of distinct prefixes that a model has evaluated in each call. Saves bench/results/methods.json
and the picture docs/methods.png. "Blind" methods use no prefix tree (`lookahead=0`).
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

import pgen
from bench.machine import facts, save
from bench.posteriors import total_variation
from pgen.testing.oracles import random_model

PICTURE = Path(__file__).parents[1] / "docs" / "methods.png"
VOCABULARY = pgen.Vocabulary([b"a", b"b", b"ab", b"ba", b"<eos>"], eos=4)
MODEL = random_model(VOCABULARY, seed=3)
SIZES = (4, 16, 64)
SPAN = [pgen.Regenerate(), pgen.EditText()]

METHODS: dict[str, Callable[[int], Any]] = {
    "blind Importance": lambda n: pgen.Importance(n, lookahead=0),
    "Importance": lambda n: pgen.Importance(n),
    "blind SMC, every token": lambda n: pgen.SMC(n, resample="tokens", lookahead=0),
    "blind SMC": lambda n: pgen.SMC(n, lookahead=0),
    "SMC": lambda n: pgen.SMC(n),
    "SMC, steered": lambda n: pgen.SMC(n, resample="tokens", lookahead=0, steer=towards_bb),
    "ResampleMove": lambda n: pgen.ResampleMove(n, lookahead=0),
    "ResampleMove, waste-free": lambda n: pgen.ResampleMove(n, moves=3, waste_free=True, lookahead=0),
    "Tempering": lambda n: pgen.Tempering(n, lookahead=0),
    "Tempering, waste-free": lambda n: pgen.Tempering(n, moves=3, waste_free=True, lookahead=0),
    "StochasticBeam": lambda n: pgen.StochasticBeam(n),
    "ASAp": lambda n: pgen.ASAp(n),
    "MCMC, Regenerate": lambda n: pgen.MCMC(pgen.Regenerate(), steps=n, chains=1, lookahead=0),
    "MCMC, EditText": lambda n: pgen.MCMC(SPAN, steps=n, chains=1, lookahead=0),
    "MCMC, ParticleGibbs": lambda n: pgen.MCMC(pgen.ParticleGibbs(4), steps=n, chains=1, lookahead=0),
    "Rejection": lambda n: pgen.Rejection(n, log_bound=0.0),
    "AdaptiveRejection": lambda n: pgen.AdaptiveRejection(n),
    "Beam": lambda n: pgen.Beam(n),
    "DiverseBeam": lambda n: pgen.DiverseBeam(n),
    "BankedBeam": lambda n: pgen.BankedBeam(n),
    "Masked": lambda n: pgen.Masked(n),
    "Enumerate": lambda n: pgen.Enumerate(),
    "auto": lambda n: "auto",
}


def towards_bb(values: Any, text: str) -> float:
    """More hope where the rare word has begun."""
    return 1.0 if text.endswith("b") or "bb" in text else 0.0


def rare_word() -> str:
    language = pgen.Regex("[ab]{0,8}").containing("bbb")
    return str(pgen.sample("text", MODEL.text("", max_tokens=5, end="eos").given(language)))


def in_turn() -> tuple[str, str, str]:
    kind = pgen.sample("kind", pgen.categorical({"a": 0.7, "b": 0.2, "ba": 0.1}))
    first = pgen.sample("first", MODEL.text(kind, max_tokens=3, end="eos").given(pgen.Regex("[ab]{2,3}")))
    second = pgen.sample("second", MODEL.text(first, max_tokens=3, end="eos").given(pgen.Regex("[ab]{2,3}")))
    pgen.factor("alike", -1.5 * sum(x != y for x, y in zip(first[::-1], second, strict=False)))
    pgen.condition("b", second[-1] == "b")
    return kind, str(first), str(second)


PROGRAMS = {"a rare word": rare_word, "two texts in turn": in_turn}


def measured(program: Callable[[], Any], method: Any, n_seeds: int, exact: pgen.Posterior) -> dict[str, Any]:
    """Means over seeds; a run that dies has total variation 1 and no evidence."""
    apart, off, cost, label, deaths = [], [], [], "", 0
    for seed in range(n_seeds):
        try:
            found = pgen.infer(program, method=method, seed=seed)
        except (pgen.ZeroEvidence, pgen.LimitExceeded):
            apart.append(1.0)
            deaths += 1
            continue
        apart.append(total_variation(found.probabilities(), exact.probabilities()))
        cost.append(found.n_evaluations)
        label = found.label
        if not math.isnan(found.log_evidence):
            off.append(abs(found.log_evidence - exact.log_evidence))
    return {
        "label": label,
        "total_variation": round(statistics.mean(apart), 5),
        "evidence_error": round(statistics.mean(off), 5) if off else None,
        "evaluations": round(statistics.mean(cost), 1) if cost else None,
        "died": deaths,
    }


def drawn(results: list[dict[str, Any]]) -> None:
    """One panel a program: total variation against evaluations, a line for each method."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(PROGRAMS), figsize=(11, 4.6), sharey=True, layout="constrained")
    for panel, program in zip(panels, PROGRAMS, strict=True):
        for k, name in enumerate(METHODS):
            rows = [r for r in results if r["method"] == name and r["program"] == program and r["evaluations"]]
            style = {"heuristic": ":", "exact": "-", "map": "--"}.get(rows[0]["label"] if rows else "", "-")
            panel.plot(
                [r["evaluations"] for r in rows],
                [max(r["total_variation"], 1e-4) for r in rows],
                style,
                marker="osv^D*"[k % 6],
                markersize=4,
                linewidth=1,
                color=plt.get_cmap("tab20")(k % 20),
                label=name,
            )
        panel.set(xscale="log", yscale="log", title=program, xlabel="model evaluations")
    panels[0].set_ylabel("total variation (1e-4: exact)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=7)
    figure.savefig(PICTURE, dpi=80)


def table(results: list[dict[str, Any]]) -> Table:
    """The largest size of every method."""
    shown = Table("method", "label", *(f"{p}: {c}" for p in PROGRAMS for c in ("TV", "evidence", "evaluations")))
    for name in METHODS:
        rows = [[r for r in results if r["method"] == name and r["program"] == p][-1] for p in PROGRAMS]
        cells = [str(row[c]) for row in rows for c in ("total_variation", "evidence_error", "evaluations")]
        shown.add_row(name, rows[0]["label"] or rows[1]["label"], *cells)
    return shown


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, default=5)
    n_seeds = options.parse_args().seeds
    exact = {name: pgen.infer(program, method=pgen.Enumerate()) for name, program in PROGRAMS.items()}
    jobs = [(program, name, n) for program in PROGRAMS for name in METHODS for n in SIZES]
    results = [
        {"program": p, "method": name, "size": n, **measured(PROGRAMS[p], METHODS[name](n), n_seeds, exact[p])}
        for p, name, n in track(jobs, "methods", console=Console(file=sys.stderr))
    ]
    save("methods", {"about": {"seeds": n_seeds, **facts()}, "results": results})
    drawn(results)
    Console(width=160).print(table(results))


if __name__ == "__main__":
    main()
