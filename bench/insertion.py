"""Insertion beside the other ways of writing, and what its masks cost. Saves bench/results/insertion.json.

    OMP_WAIT_POLICY=PASSIVE python -m bench.insertion [--particles 32] [--steps 120]

*Cost*: everything that a constraint adds to one insertion (the sets of every gap, the mask and the masses
of all slots, the weight) against the forward pass of the bundled insertion model, alternating in
one run, in seconds of one processor core; medians over steps.
*One posterior*: the same text law on tabular models of four kinds, under random languages; total
variation between each exact posterior and the law restricted by hand.
*Speculation*: plain draws of the any-order model, some positions drafted from one call and verified by a second one
along the order: calls for each position drawn, never more than one.
*Molecules*: the bundled models under one language in which every text is a valid molecule
(`bench.molecule_language`), by SMC. *Judged*: nats of a text by the left-to-right model, which is exact;
*diversity*: one minus the mean Tanimoto similarity of pairs (Morgan fingerprints of radius 2).
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem, DataStructs, RDLogger
from rdkit.Chem import rdFingerprintGenerator
from rich.console import Console
from rich.table import Table

import pgen
from bench.machine import facts, save
from bench.molecule_language import molecules
from pgen.gaps.step import STOP, draw, masses
from pgen.programs.insertion_process import InsertionProcess
from pgen.sampling.rng import CounterRng

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

CANVAS = 48
DRAFTS = (1, 4, 8, CANVAS)
LIMIT = 0.10
"""Mask work as a share of the forward pass."""
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "left to right": ("molecules", {"max_tokens": CANVAS - 1, "end": "eos"}),
    "masked diffusion, most confident first": ("molecules-diffusion", {"length": CANVAS}),
    "any order, random": ("molecules-anyorder", {"length": CANVAS, "order": "random"}),
    "insertion": ("molecules-insertion", {"max_tokens": CANVAS - 1}),
}


def costs(language: pgen.Language, batch: int, n_steps: int) -> dict[str, float]:
    """Seconds of a forward pass, of mask work, and of drawing, for `batch` sequences at once."""
    model = pgen.load("molecules-insertion", "cpu")
    process = InsertionProcess(model.text("").given(language))
    seconds: dict[str, list[float]] = {"forward": [], "mask": [], "draw": []}
    states, warm = [process.start] * batch, 10
    for number in range(warm + n_steps):
        began = time.process_time()
        steps = model.insertions([process.sequence(state) for state in states])
        asked = time.process_time()
        allowed = [masses(step, process.choice(state)) for step, state in zip(steps, states, strict=True)]
        masked = time.process_time()
        drawn = [draw(each, CounterRng(0, (number, i))) for i, each in enumerate(allowed)]
        chosen = time.process_time()
        states = [
            process.start if one.slot <= STOP else process.after(state, (one.slot, one.token))
            for one, state in zip(drawn, states, strict=True)
        ]
        ended = time.process_time()
        if number >= warm:
            seconds["forward"].append(asked - began)
            seconds["mask"].append(masked - asked + ended - chosen)
            seconds["draw"].append(chosen - masked)
    medians = {f"{name}_ms": 1e3 * statistics.median(times) for name, times in seconds.items()}
    return {"batch": batch, **medians, "share": medians["mask_ms"] / medians["forward_ms"]}


def one_posterior(n_laws: int) -> dict[str, float]:
    """The largest total variation from the restricted law, for each kind of model."""
    from one_law import distributions, random_law

    languages = [pgen.Regex("[ab]*"), pgen.Regex("a[ab]*b"), pgen.Regex("(ab|ba){1,2}"), pgen.choice("", "b", "abba")]
    worst: dict[str, float] = {}
    for seed, language in itertools.product(range(n_laws), languages):
        law = random_law(seed)
        masses_of = {"".join("ab"[t] for t in tokens): mass for tokens, mass in law.items()}
        inside = {text: mass for text, mass in masses_of.items() if language.matches(text)}
        total = sum(inside.values())
        for name, text in distributions(law, language).items():
            shares = pgen.infer(text, method=pgen.Enumerate()).probabilities()
            apart = sum(abs(shares.get(x, 0.0) - mass / total) for x, mass in inside.items())
            apart += sum(share for x, share in shares.items() if x not in inside)
            worst[name] = max(worst.get(name, 0.0), apart / 2)
    return worst


def speculation(language: pgen.Language, n_texts: int) -> list[dict[str, Any]]:
    """Calls of the any-order model for each position that is drawn, by order, constraint and most drafted at once."""
    model = pgen.load("molecules-anyorder", "cpu")
    rows = []
    for order, constrained in itertools.product(("left_to_right", "random"), (False, True)):
        calls = {}
        for draft in DRAFTS:
            text = model.text("", length=CANVAS, order=order, draft=draft)
            began = time.process_time()
            posterior = pgen.infer(
                text.given(language) if constrained else text, method=pgen.Importance(n_texts, lookahead=0), seed=0
            )
            calls[draft] = posterior.n_evaluations / n_texts, (time.process_time() - began) / n_texts
        positions = calls[1][0]  # one by one, a call is a position
        rows += [
            {
                "order": order,
                "constrained": constrained,
                "draft": draft,
                "positions": positions,
                "calls": n_calls,
                "calls_each": n_calls / positions,
                "seconds": seconds,
            }
            for draft, (n_calls, seconds) in calls.items()
        ]
    return rows


def written(way: str, language: pgen.Language, n_particles: int) -> dict[str, float]:
    """Texts of one model under the language."""
    name, options = WAYS[way]
    text = pgen.load(name, "cpu").text("", **options).given(language)
    began = time.perf_counter()
    posterior = pgen.infer(text, method=pgen.SMC(n_particles), seed=0)
    seconds = time.perf_counter() - began
    drawn = [str(value) for value in posterior.values]
    return {
        "n": len(drawn),
        "in_language": sum(map(language.matches, drawn)) / len(drawn),
        **judged(drawn),
        "log_evidence": posterior.log_evidence,
        "ess": posterior.ess,
        "evaluations_each": posterior.n_evaluations / n_particles,
        "seconds_each": seconds / n_particles,
    }


def judged(drawn: list[str]) -> dict[str, float]:
    """Validity by RDKit, nats by the left-to-right model, and diversity."""
    judge = pgen.load("molecules", "cpu").text("", end="eos")
    nats = [-judge.log_prob(each, tokenization="canonical") for each in dict.fromkeys(drawn)]
    read = [Chem.MolFromSmiles(each) if each else None for each in drawn]
    makes = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [makes.GetFingerprint(molecule) for molecule in read if molecule is not None]
    alike = [DataStructs.TanimotoSimilarity(a, b) for a, b in itertools.combinations(prints, 2)]
    return {
        "valid": len(prints) / len(drawn),
        "distinct": len(set(drawn)) / len(drawn),
        "diversity": 1.0 - float(np.mean(alike)) if alike else math.nan,
        "judged_nats": statistics.mean(nats),
        "length": statistics.mean(map(len, drawn)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--particles", type=int, default=32)
    parser.add_argument("--steps", type=int, default=120, help="insertions timed for each figure of cost")
    parser.add_argument("--laws", type=int, default=3, help="random laws on tabular models")
    options = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    import torch

    torch.set_num_threads(1)
    languages = {"SMILES grammar": pgen.Grammar("smiles"), "valid molecules": molecules()}
    cost = [
        {"language": name, **costs(language, batch, options.steps)}
        for name, language in languages.items()
        for batch in (1, 8)
    ]
    posteriors = one_posterior(options.laws)
    models = {way: written(way, molecules(), options.particles) for way in WAYS}
    drafted = speculation(molecules(), 2 * options.particles)
    about = {"particles": options.particles, **facts("torch", "rdkit")}
    results = {"cost": cost, "one_posterior": posteriors, "speculation": drafted, "molecules": models}
    save("insertion", {"about": about, "limit": LIMIT, **results})
    show(cost, posteriors, drafted, models)


def show(
    cost: list[dict[str, Any]],
    posteriors: dict[str, float],
    drafted: list[dict[str, Any]],
    models: dict[str, dict[str, float]],
) -> None:
    console = Console()
    shares = Table("language", "batch", "forward, ms", "mask, ms", "draw, ms", "mask / forward")
    for row in cost:
        times = [f"{row[f'{part}_ms']:.2f}" for part in ("forward", "mask", "draw")]
        shares.add_row(row["language"], str(row["batch"]), *times, f"{row['share']:.1%}")
    console.print(shares)
    laws = Table("tabular model", "largest total variation")
    for name, apart in posteriors.items():
        laws.add_row(name, f"{apart:.1e}")
    console.print(laws)
    speed = Table("order", "constrained", "drafted", "positions", "calls", "calls a position", "seconds")
    for row in drafted:
        figures = [f"{row[name]:.3g}" for name in ("positions", "calls", "calls_each", "seconds")]
        speed.add_row(row["order"], str(row["constrained"]), str(row["draft"]), *figures)
    console.print(speed)
    side = Table("", *models)
    for figure in next(iter(models.values())):
        side.add_row(figure.replace("_", " "), *(f"{row[figure]:.3g}" for row in models.values()))
    console.print(side)


if __name__ == "__main__":
    main()
