"""A batch of masks against as many single ones: 32 states, written into one array either way.

    pip install --no-deps mistral-common
    python -m bench.mask_batch --data DIR [--repeats 9]

For each of the schemas of `bench.masks` whose texts pass through 32 states: `masks(states)`, and a loop that copies
each `mask(state)` into a new array, in turn on automata of their own, so that no mask is known (*new*), then again
(*known*). The least time of each counts. Saves bench/results/mask_batch.json.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

import pgen
from bench.first_mask import tekken
from bench.machine import facts, save
from bench.mask_items import Item, items

SIZE = 32
GOAL = 1.0
Rows = NDArray[np.uint32]
Way = Callable[[pgen.TokenAutomaton, Sequence[int]], Rows]


def together(automaton: pgen.TokenAutomaton, states: Sequence[int]) -> Rows:
    return automaton.masks(states)


def one_by_one(automaton: pgen.TokenAutomaton, states: Sequence[int]) -> Rows:
    rows = np.empty((len(states), -(-len(automaton.vocabulary) // 32)), np.uint32)
    for at, state in enumerate(states):
        rows[at] = automaton.mask(state)
    return rows


WAYS: dict[str, Way] = {"together": together, "one by one": one_by_one}


def states_of(automaton: pgen.TokenAutomaton, item: Item) -> list[int]:
    """The first states that the item's texts pass through."""
    found: dict[int, None] = {}
    for text in item.valid:
        state = automaton.start
        for token in (*text.tokens, None):
            found[state] = None
            if token is not None:
                state = automaton.advance(state, token)
    return list(found)[:SIZE]


def seconds(automaton: pgen.TokenAutomaton, states: Sequence[int], way: Way) -> dict[str, float]:
    """How long the same batch takes the first time and again."""
    taken = {}
    for kind in ("new", "known"):
        begin = time.perf_counter()
        way(automaton, states)
        taken[kind] = time.perf_counter() - begin
    return taken


def least_seconds(item: Item, vocabulary: pgen.Vocabulary, repeats: int) -> dict[tuple[str, str], float] | None:
    """By kind and way; `None` if the texts pass through too few states."""
    language = pgen.JSONSchema(item.source, whitespace="any", property_order=item.order)
    least = {(kind, way): np.inf for kind in ("new", "known") for way in WAYS}
    for repeat in range(repeats):
        for name in list(WAYS)[:: 1 if repeat % 2 else -1]:
            automaton = pgen.TokenAutomaton(language, vocabulary)
            states = states_of(automaton, item)
            if len(states) < SIZE:
                return None
            gc.collect()
            for kind, taken in seconds(automaton, states, WAYS[name]).items():
                least[kind, name] = min(least[kind, name], taken)
    return least


def main() -> None:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    vocabulary = tekken()
    chosen = items("json", arguments.data, lambda text: tuple(vocabulary.encode(text)))
    found = [one for item in chosen if (one := least_seconds(item, vocabulary, arguments.repeats)) is not None]
    results: dict[str, Any] = {}
    for kind in ("new", "known"):
        pairs = [(one[kind, "together"], one[kind, "one by one"]) for one in found]
        of_sums = sum(a for a, _ in pairs) / sum(b for _, b in pairs)
        some = [a / b for a, b in pairs]
        results[kind] = {"of sums": of_sums, "median": statistics.median(some), "least": min(some), "most": max(some)}
        Console().print(f"{kind}: {results[kind]} over {len(some)} schemas (goal {GOAL})")
    measured = {"schemas": len(found), "size": SIZE, "repeats": arguments.repeats, "goal": GOAL, "ratios": results}
    save("mask_batch", {**facts("mistral-common"), **measured})


if __name__ == "__main__":
    main()
