"""Caches of masked diffusion models: time saved, distance from the model. Saves bench/results/diffusion_caches.json.

    python -m bench.diffusion_caches [--model rxnfp] [--length 64] [--prompt 64] [--steps 32]

One text is written by the model alone, confidence order, a step after the other; every cache is asked
about the same canvases along the same way, alternating with the model in one run. *time* is
seconds of one processor core for all steps, as a share of the model's; *difference* is the mean over steps
and open positions of the total variation between marginals, and *commits* the share of steps
that would commit the same positions. The caches are models of their own
(`pgen.backends.diffusion.step_cache`); with `refresh=1` they are the model.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import pgen
from bench.machine import facts, save
from pgen.backends.diffusion.prefix_cache import PrefixCached
from pgen.backends.diffusion.step_cache import BlockCache, DelayedCache
from pgen.programs.trails import following

REFRESHES = (1, 2, 4, 8)
BLOCK = 16


def caches(model: Any) -> Iterator[tuple[str, Any]]:
    """A label and a cached model each."""
    for refresh in REFRESHES:
        yield f"delayed, refresh {refresh}", DelayedCache(model, refresh)
    for refresh in (2, 4, None):
        yield f"block of {BLOCK}, refresh {refresh or 'by block'}", BlockCache(model, BLOCK, refresh)
    if model.causal is not None:
        yield f"prefix, block of {BLOCK}", PrefixCached(model, BLOCK)


def way(model: Any, prompt: tuple[int, ...], length: int, steps: int) -> list[tuple[int | None, ...]]:
    """The canvases before each step of one text, block by block, likeliest tokens first."""
    canvas: list[int | None] = [None] * length
    canvases, size = [tuple(canvas)], max(1, length // steps)
    while None in canvas:
        rows = model.marginals([prompt], [tuple(canvas)])[0].numpy()
        begin = canvas.index(None) // BLOCK * BLOCK
        block = [i for i in range(begin, min(begin + BLOCK, length)) if canvas[i] is None]
        for i in sorted(block, key=lambda i: -rows[i].max())[:size]:
            canvas[i] = int(rows[i].argmax())
        canvases.append(tuple(canvas))
    return canvases[:-1]


def measured(model: Any, cached: Any, prompt: tuple[int, ...], canvases: list[Any]) -> dict[str, float]:
    """Both models along one way, alternating."""
    seconds: dict[str, list[float]] = {"model": [], "cached": []}
    differences, same, canvas = [], [], canvases[0]
    for n, after in enumerate(canvases):
        canvas = after if n == 0 else following(cached, canvas, after)
        rows = {}
        for name, one in (("model", model), ("cached", cached)):
            began = time.process_time()
            rows[name] = one.marginals([prompt], [canvas])[0].numpy()
            seconds[name].append(time.process_time() - began)
        begin = after.index(None) // BLOCK * BLOCK
        opened = [i for i in range(begin, min(begin + BLOCK, len(after))) if after[i] is None]
        exact, near = (np.exp(rows[name][opened]) for name in ("model", "cached"))
        differences.append(float(np.abs(exact - near).sum(axis=1).mean() / 2))
        same.append(exact.max(axis=1).argmax() == near.max(axis=1).argmax())
    return {
        "time": sum(seconds["cached"]) / sum(seconds["model"]),
        "step_ms": 1e3 * statistics.median(seconds["cached"]),
        "model_step_ms": 1e3 * statistics.median(seconds["model"]),
        "difference": statistics.mean(differences),
        "commits": float(np.mean(same)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="rxnfp")
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--prompt", type=int, default=64, help="tokens of reactants before the product")
    parser.add_argument("--steps", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = pgen.load(options.model, device="cpu")
    reactants = "CC(=O)Oc1ccccc1C(=O)O.OCCN1CCCC1.Brc1ccc(F)cc1.CCOC(=O)C(C)N.[Na+].[OH-]>>"
    prompt = model.encode(reactants)[: options.prompt]
    canvases = way(model, prompt, options.length, options.steps)
    rows = [{"cache": label, **measured(model, one, prompt, canvases)} for label, one in caches(model)]
    shown = Table("cache", "time", "ms a step", "ms, model", "difference", "same commits")
    for row in rows:
        figures = (
            f"{row['time']:.0%}",
            f"{row['step_ms']:.1f}",
            f"{row['model_step_ms']:.1f}",
            f"{row['difference']:.4f}",
        )
        shown.add_row(row["cache"], *figures, f"{row['commits']:.0%}")
    Console().print(shown)
    settings = {"prompt": len(prompt), "length": options.length, "canvases": len(canvases), "block": BLOCK}
    save("diffusion_caches", {**facts("torch", "transformers"), options.model: {**settings, "rows": rows}})


if __name__ == "__main__":
    main()
