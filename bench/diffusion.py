"""Masked diffusion under constraints: pgen against other ways, at equal calls. Saves bench/results/diffusion.json.

    OMP_WAIT_POLICY=PASSIVE python -m bench.diffusion [--parts toys,reactions,molecules,steps,orders] [--count 16]

Methods (`bench.diffusion_methods`): unconstrained draws with rejection, local masking position by
position, DINGO's best strings, exact steps without weights, and pgen's globally weighted
SMC; all fill as many canvases by the same order and schedule. *Toys*: total variation to the exact
posterior on random tabular models. *Reactions*: masked products restored by rxnmapper and rxnfp.
*Molecules*: property targets on the bundled model, the likelihood being that of the bundled
left-to-right model, which took no part. *Steps*: the same with fewer model calls a text. *Orders*: one that is
learned against the others (`bench.diffusion_orders`).
Parts that are not run keep the figures saved before.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from rdkit import Chem, RDLogger
from rich.console import Console
from rich.table import Table

import pgen
from bench.diffusion_methods import RULES, Draws, weighted, written
from bench.diffusion_orders import orders
from bench.diffusion_toys import toys
from bench.fetch_molecules import fetch
from bench.machine import RESULTS, facts, save
from bench.reactions import reactions
from bench.smiles import at_most_rings, canonical, containing, is_valid, molecule, smiles
from pgen.programs.canvas import CanvasDistribution

CANVAS = 48
SCAFFOLD = "c1ccccc1"
N_RINGS, N_CHARACTERS = 2, 30
THRESHOLDS = (0.95, 0.8, 0.6, 0.4)
N_STEPS = (48, 24, 12, 6, 3)
Holds = Callable[[str], bool]


def targets() -> dict[str, tuple[pgen.Language, Holds]]:
    """Property targets: what language asks for each, and how RDKit checks it."""
    scaffold = Chem.MolFromSmarts(SCAFFOLD)
    return {
        "valid": (smiles(), is_valid),
        f"contains {SCAFFOLD}": (
            smiles(depth=2) & containing(SCAFFOLD),
            lambda text: is_valid(text) and bool(molecule(text).HasSubstructMatch(scaffold)),
        ),
        f"at most {N_RINGS} rings": (
            smiles() & at_most_rings(N_RINGS),
            lambda text: is_valid(text) and molecule(text).GetRingInfo().NumRings() <= N_RINGS,
        ),
        f"{N_CHARACTERS} characters": (
            smiles(depth=2, digits="12") & pgen.Regex(f".{{{N_CHARACTERS}}}"),
            lambda text: is_valid(text) and len(text) == N_CHARACTERS,
        ),
    }


def molecules(count: int, n_seeds: int) -> Iterator[dict[str, Any]]:
    """Each target by each method: `count` canvases a seed."""
    model, judge, known = pgen.load("molecules-diffusion", "cpu"), Judge(), training()
    for target, (language, holds) in targets().items():
        text = model.text("", length=CANVAS).given(language)
        for method in (*RULES, "SMC"):
            yield {"target": target, "method": method, **figures(text, method, holds, count, n_seeds, judge, known)}


def curve(count: int, n_seeds: int) -> Iterator[dict[str, Any]]:
    """Fewer calls: as many commits a step as the threshold allows, or equally many."""
    model, judge, known = pgen.load("molecules-diffusion", "cpu"), Judge(), training()
    language, holds = targets()["valid"]
    schedules: list[tuple[str, dict[str, Any]]] = [
        *((f"{steps} steps", {"steps": steps}) for steps in N_STEPS),
        *((f"threshold {level}", {"order": pgen.Threshold(level)}) for level in THRESHOLDS),
    ]
    for schedule, options in schedules:
        text = model.text("", length=CANVAS, **options).given(language)
        for method in ("unconstrained", "per-step exact", "SMC"):
            found = figures(text, method, holds, count, n_seeds, judge, known)
            yield {"schedule": schedule, "method": method, **found}


def ordered(count: int, n_seeds: int) -> Iterator[dict[str, Any]]:
    """Orders, one of them learned, for valid molecules; four times as many free draws."""
    judge, known, (language, holds) = Judge(), training(), targets()["valid"]

    def judged(text: CanvasDistribution, method: str) -> dict[str, Any]:
        # Few free draws are valid: more are needed to see a difference.
        number = count if method == "SMC" else 4 * count
        return figures(text.given(language), method, holds, number, n_seeds, judge, known)

    yield from orders(CANVAS, judged)


class Judge:
    """log-likelihood of molecules under the bundled left-to-right model, in nats."""

    def __init__(self) -> None:
        self._model = pgen.load("molecules", "cpu")
        self._text = self._model.text("", max_tokens=CANVAS)

    def __call__(self, text: str) -> float:
        return float(self._text.log_prob(text, tokenization="canonical"))


def training() -> set[str]:
    return set(gzip.decompress(fetch()["train"].read_bytes()).decode().split())


def figures(
    text: CanvasDistribution, method: str, holds: Holds, count: int, n_seeds: int, judge: Judge, known: set[str]
) -> dict[str, Any]:
    """Shares by weight over all seeds. SMC conditions on `holds`, the others are only judged by it."""
    began, runs = time.process_time(), []
    for seed in range(n_seeds):
        if method == "SMC":
            runs.append(weighted(text, count, seed, holds))
        else:
            runs.append(written(text, RULES[method], 1 if method == "DINGO" else count, seed))
    seconds = time.process_time() - began
    return {
        **judged(runs, holds, judge, known),
        "calls": sum(run.n_evaluations for run in runs) / (n_seeds * (1 if method == "DINGO" else count)),
        "seconds": seconds / (count * n_seeds),
    }


def judged(runs: list[Draws], holds: Holds, judge: Judge, known: set[str]) -> dict[str, Any]:
    pairs = [
        (text, weight / len(runs))
        for run in runs
        for text, weight in zip(run.texts, run.weights, strict=True)
        if weight > 0
    ]
    good = [(str(text), weight) for text, weight in pairs if text is not None and holds(str(text))]
    share = sum(weight for _, weight in good)
    distinct = {canonical(text) for text, _ in good}
    return {
        "satisfied": share,
        "texts": len(good),
        "unique": len(distinct) / max(1, len(good)),
        "novel": len(distinct - known) / max(1, len(distinct)),
        "log_likelihood": sum(w * judge(text) for text, w in good) / share if good else None,
    }


def shown(rows: list[dict[str, Any]]) -> Table:
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row.values()))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="toys,reactions,molecules,steps,orders")
    parser.add_argument("--count", type=int, default=16, help="canvases of each method")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--reactions", type=int, default=10, help="how many of them")
    parser.add_argument("--models", default="rxnmapper,rxnfp")
    options = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    count, seeds = options.count, options.seeds
    parts: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "toys": lambda: toys(4, 64, 5),
        "reactions": lambda: [
            row for name in options.models.split(",") for row in reactions(name, options.reactions, 8)
        ],
        "molecules": lambda: list(molecules(count, seeds)),
        "steps": lambda: list(curve(count, seeds)),
        "orders": lambda: list(ordered(count, seeds)),
    }
    path = RESULTS / "diffusion.json"
    about = {"count": count, "seeds": seeds, **facts("torch", "rdkit", "transformers")}
    for part in options.parts.split(","):
        rows = parts[part]()
        Console(width=160).print(part, shown(rows))
        saved = json.loads(path.read_text()) if path.is_file() else {}
        save("diffusion", {**saved, part: rows, "about": about})


if __name__ == "__main__":
    main()
