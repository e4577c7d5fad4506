"""Orders of the bundled molecule denoiser, one of them learned, at equal numbers of calls: a part of `bench.diffusion`.

The learned order is fitted on molecules that the model was trained on (`pgen.learned_order`: a regression, and
where positions are committed together a search besides; a minute). *Held out* is the mean log-probability, in
nats, that the process gives to unseen molecules along the order's own way; a random order's is that of
one drawn way each, so a bound. Draws are those of `bench.diffusion`: the language of valid SMILES, judged by RDKit
and the left-to-right model.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import pgen
from bench.fetch_molecules import fetch
from pgen.programs.canvas import CanvasDistribution
from pgen.programs.orders import Canvas, open_positions, ranking_of

TRIALS = {1: 0, 2: 30, 4: 60}
"""Positions at once, and trials of weights."""
N_HELD_OUT, N_CANVASES, BATCH = 64, 500, 32
Choose = Callable[[Canvas, Any], Sequence[int]]
Judged = Callable[[CanvasDistribution, str], dict[str, Any]]


def orders(length: int, judged: Judged) -> Iterator[dict[str, Any]]:
    """Each order with 1, 2 and 4 commits a step; `judged(text, method)` says what its draws are worth."""
    model = pgen.load("molecules-diffusion", "cpu")
    texts = filled(model, "train", 1000, length)
    unseen = filled(model, "test", N_HELD_OUT, length)
    for at_once, trials in TRIALS.items():
        mine = pgen.learned_order(model, texts, n_canvases=N_CANVASES, at_once=at_once, trials=trials)
        for name in ("random", "left_to_right", "confidence", "learned"):
            options = {"order": mine} if name == "learned" else {"order": name, "steps": -(-length // at_once)}
            text = model.text("", length=length, **options)
            row: dict[str, Any] = {"order": name, "at once": at_once, "held out": log_held_out(text, mine, unseen)}
            for method in ("unconstrained", "SMC"):
                yield {**row, "method": method, **judged(text, method)}


def filled(model: Any, split: str, count: int, length: int) -> list[tuple[int, ...]]:
    """Molecules of a split as tokens, filled up with ends; those that are too long are left out."""
    smiles = gzip.decompress(fetch()[split].read_bytes()).decode().split()[1:]
    encoded = (model.vocabulary.encode(text) for text in random.Random(0).sample(smiles, count))
    (end,) = model.vocabulary.eos
    return [(*tokens, *[end] * (length - len(tokens))) for tokens in encoded if len(tokens) < length]


def log_held_out(text: CanvasDistribution, learned: pgen.LearnedOrder, unseen: Sequence[tuple[int, ...]]) -> float:
    """Mean log-probability of texts along the way in which the order commits them."""
    generator, total = np.random.default_rng(0), 0.0
    for at in range(0, len(unseen), BATCH):
        whole = unseen[at : at + BATCH]
        canvases: list[Canvas] = [(None,) * text.length] * len(whole)
        while None in canvases[0]:
            rows = np.asarray(text.model.marginals([text.prompt] * len(whole), canvases))
            for b, tokens in enumerate(whole):
                chosen = positions(text, canvases[b], rows[b], learned.at_once, generator)
                total += float(sum(rows[b, i, tokens[i]] for i in chosen))
                canvases[b] = tuple(tokens[i] if i in chosen else token for i, token in enumerate(canvases[b]))
    return total / len(unseen)


def positions(
    text: CanvasDistribution, canvas: Canvas, rows: Any, at_once: int, generator: np.random.Generator
) -> list[int]:
    """What a step commits."""
    if callable(text.order):
        return list(text.order(canvas, rows))
    free, ranking = open_positions(canvas), ranking_of(text.order)
    if ranking is None:
        return [int(i) for i in generator.permutation(free)[:at_once]]
    scores = ranking.scores(free, rows[free])
    return [int(i) for i in free[np.argsort(-scores, kind="stable")[:at_once]]]
