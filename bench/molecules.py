"""Molecules drawn from the bundled models, free and under the SMILES grammar. Saves bench/results/molecules.json.

    OMP_WAIT_POLICY=PASSIVE python -m bench.molecules [--free 1000] [--constrained 16]

Free samples are independent draws from each model's own process: token by token; one
canvas position at a time, in random order or the most confident first; insertion by
insertion until the stop. Constrained ones come from `text().given(...).sample()`.
*Valid*: RDKit reads it. *Unique*: of the valid ones, by canonical SMILES. *Novel*: of
these, not among the training molecules of MOSES (whose spelling is canonical, too).
"""

from __future__ import annotations

import argparse
import gzip
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, RDLogger
from rich.console import Console
from rich.table import Table

import pgen
from bench.fetch_molecules import fetch
from bench.machine import facts, save

CANVAS = 48
Draw = Callable[[Any, int, np.random.Generator], list[str]]


def pick(log_probs: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
    """One index for each row, by inverse distribution function in float64."""
    cumulative = np.exp(log_probs.astype(np.float64)).cumsum(axis=1)
    found: NDArray[np.int64] = (cumulative < rng.random((len(log_probs), 1)) * cumulative[:, -1:]).sum(axis=1)
    return found


def left_to_right(model: Any, n: int, rng: np.random.Generator) -> list[str]:
    texts: list[tuple[int, ...]] = [()] * n
    growing = list(range(n))
    while growing:
        tokens = pick(model.next_logits([texts[i] for i in growing]), rng)
        for i, token in zip(growing, tokens, strict=True):
            texts[i] = (*texts[i], int(token))
        growing = [i for i in growing if texts[i][-1] not in model.vocabulary.eos and len(texts[i]) < CANVAS]
    return [written(model, text) for text in texts]


def denoised(order: str) -> Draw:
    def draw(model: Any, n: int, rng: np.random.Generator) -> list[str]:
        canvases: list[list[int | None]] = [[None] * CANVAS for _ in range(n)]
        for _ in range(CANVAS):
            rows = np.asarray(rows_of(model, [tuple(canvas) for canvas in canvases]))  # (n, L, V)
            open_ = np.array([[token is None for token in canvas] for canvas in canvases])
            sure = rows.max(axis=2) if order == "confidence" else rng.random(open_.shape)
            position = np.where(open_, sure, -np.inf).argmax(axis=1)
            for canvas, i, token in zip(canvases, position, pick(rows[np.arange(n), position], rng), strict=True):
                canvas[i] = int(token)
        return [written(model, [token for token in canvas if token is not None]) for canvas in canvases]

    return draw


def rows_of(model: Any, canvases: list[tuple[int | None, ...]]) -> Any:
    return (
        model.conditionals(canvases)
        if hasattr(model, "conditionals")
        else model.marginals([()] * len(canvases), canvases)
    )


def inserted(model: Any, n: int, rng: np.random.Generator) -> list[str]:
    texts: list[tuple[int, ...]] = [()] * n
    growing = list(range(n))
    while growing:
        steps = model.insertions([texts[i] for i in growing])
        stopped = []
        for i, step in zip(growing, steps, strict=True):
            choice = int(pick(np.append(step.slots.ravel(), step.stop)[None], rng)[0])
            slot, token = divmod(choice, step.slots.shape[1])
            if choice == step.slots.size or len(texts[i]) == CANVAS:
                stopped.append(i)
            else:
                texts[i] = (*texts[i][:slot], token, *texts[i][slot:])
        growing = [i for i in growing if i not in stopped]
    return [written(model, text) for text in texts]


def written(model: Any, tokens: Any) -> str:
    end = next((i for i, token in enumerate(tokens) if token in model.vocabulary.eos), len(tokens))
    return str(model.vocabulary.decode(tokens[:end]).decode())


FREE: dict[str, tuple[str, Draw]] = {
    "left to right": ("molecules", left_to_right),
    "diffusion, most confident first": ("molecules-diffusion", denoised("confidence")),
    "any order, random": ("molecules-anyorder", denoised("random")),
    "insertion": ("molecules-insertion", inserted),
}
CONSTRAINED: dict[str, tuple[str, dict[str, Any]]] = {
    "left to right": ("molecules", {}),
    "diffusion, most confident first": ("molecules-diffusion", {"length": CANVAS}),
    "insertion": ("molecules-insertion", {}),
}


def judged(texts: list[str], known: set[str], seconds: float) -> dict[str, float]:
    read = [Chem.MolFromSmiles(text) if text else None for text in texts]
    valid = [Chem.MolToSmiles(molecule) for molecule in read if molecule is not None]
    unique = set(valid)
    return {
        "n": len(texts),
        "valid": len(valid) / len(texts),
        "unique": len(unique) / max(1, len(valid)),
        "novel": len(unique - known) / max(1, len(unique)),
        "length": float(np.mean([len(text) for text in texts])),
        "seconds_each": seconds / len(texts),
    }


def runs(n_free: int, n_constrained: int) -> Iterator[tuple[str, str, Callable[[], list[str]]]]:
    for how, (name, draw) in FREE.items():
        model = pgen.load(name, "cpu")
        yield "free", how, lambda draw=draw, model=model: draw(model, n_free, np.random.default_rng(0))
    grammar = pgen.Grammar("smiles")
    for how, (name, options) in CONSTRAINED.items() if n_constrained else ():
        text = pgen.load(name, "cpu").text("", **options).given(grammar)
        yield "SMILES grammar", how, lambda text=text: [str(x) for x in text.sample(seed=0, n=n_constrained)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--free", type=int, default=1000, help="how many free samples of each model")
    parser.add_argument("--constrained", type=int, default=16, help="how many under the grammar")
    options = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    known = set(gzip.decompress(fetch()["train"].read_bytes()).decode().split())
    results = []
    table = Table("", "model", "valid", "unique", "novel", "length", "s each")
    for constraint, how, draw in runs(options.free, options.constrained):
        start = time.perf_counter()
        texts = draw()
        figures = judged(texts, known, time.perf_counter() - start)
        results.append({"constraint": constraint, "model": how, **figures})
        shares = [f"{figures[key]:.1%}" for key in ("valid", "unique", "novel")]
        table.add_row(constraint, how, *shares, f"{figures['length']:.1f}", f"{figures['seconds_each']:.3f}")
    save("molecules", {"about": {"seed": 0, **facts("torch", "rdkit")}, "runs": results})
    Console().print(table)


if __name__ == "__main__":
    main()
