"""Max-product over positions: the likeliest canvases of one denoising step under an automaton, label `map`.

For the best one this is DINGO (Suresh et al., "Constrained Inference for Diffusion LLMs", NeurIPS 2025):
the sum over edges becomes a maximum. The k best come from the same sweep with k best
ways to go on from each state (k-best Viterbi), as a canvas has one run and so no two ways are the
same canvas. What follows the end of a text is summed over, so it counts 1: these are
the best texts, as token sequences. Ends count in accepting states only.
O(L (V + E k log k)), in logarithms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pgen.chains.automaton import Ints
from pgen.chains.emissions import Emissions, Floats
from pgen.errors import InvalidArgument


class Best(NamedTuple):
    """A token at each position, `None` behind the end of the text, and the log probability under the marginals."""

    canvas: tuple[int | None, ...]
    log_prob: float


def best(emissions: Emissions, tokens: tuple[int | None, ...], count: int = 1, start: int | None = None) -> list[Best]:
    """The `count` likeliest canvases, best first; fewer if there are fewer, none if nothing has mass.

    `tokens` is the canvas with its committed tokens, which count 1; `start` the automaton's state before it.
    """
    if count < 1:
        raise InvalidArgument(f"count={count}: at least one is wanted")
    automaton, edges, length = emissions.automaton, emissions.automaton.edges, emissions.length
    begin = automaton.start if start is None else start
    n_labels = len(edges.label_start) - 1
    likeliest = np.full((length, n_labels, count), -1, np.int32)
    scores = np.full((length, n_labels, count), -np.inf)
    bounds, by_class = automaton.tokens_by_class
    for i in np.flatnonzero(emissions.fixed < 0).tolist():
        row = np.ascontiguousarray(emissions.row(i), np.float64)
        _likeliest(row, bounds, by_class, edges.label_start, edges.label_class, edges.whole, likeliest[i], scores[i])
    ways = np.full((length + 1, automaton.n_states, count), -np.inf)
    choice = np.zeros((length, automaton.n_states, count, 3), np.int32)
    ways[length, automaton.final, 0] = 0.0
    support = automaton.support(length, begin)
    _sweep(edges.start, edges.target, edges.label, automaton.delta, *support, emissions.fixed, scores, ways, choice)
    found = [rank for rank in range(count) if ways[0, begin, rank] > -np.inf]
    return [Best(_followed(begin, rank, choice, likeliest, tokens), float(ways[0, begin, rank])) for rank in found]


def _followed(
    state: int, rank: int, choice: NDArray[np.int32], likeliest: Ints, tokens: tuple[int | None, ...]
) -> tuple[int | None, ...]:
    """Read off the canvas that the way of this rank from `state` stands for."""
    canvas: list[int | None] = []
    for i, committed in enumerate(tokens):
        after, which, rank_after = choice[i, state, rank].tolist()
        if committed is not None:
            canvas.append(committed)
        else:
            token_rank, label = divmod(which, likeliest.shape[1])
            token = int(likeliest[i, label, token_rank])
            canvas.append(None if token < 0 else token)
        state, rank = after, rank_after
    return tuple(canvas)


@njit(cache=True)
def _likeliest(
    row: Floats,
    bounds: Ints,
    tokens: Ints,
    label_start: Ints,
    label_class: Ints,
    whole: int,
    likeliest: Ints,
    scores: Floats,
) -> None:
    """The best tokens of each label, `(K, k)`, best first; label `whole` counts 1 and names no token."""
    for label in range(label_start.shape[0] - 1):
        if label == whole:
            scores[label, 0] = 0.0
            continue
        for at in range(label_start[label], label_start[label + 1]):
            c = label_class[at]
            for k in range(bounds[c] if c else bounds[1], bounds[c + 1]):
                value, place = row[tokens[k]], likeliest.shape[1]
                while place > 0 and value > scores[label, place - 1]:
                    place -= 1
                if place < likeliest.shape[1]:
                    for later in range(likeliest.shape[1] - 1, place, -1):
                        scores[label, later] = scores[label, later - 1]
                        likeliest[label, later] = likeliest[label, later - 1]
                    scores[label, place], likeliest[label, place] = value, tokens[k]


@njit(cache=True)
def _sweep(
    start: Ints,
    target: Ints,
    label: Ints,
    delta: Ints,
    bounds: Ints,
    states: Ints,
    fixed: Ints,
    scores: Floats,
    ways: Floats,
    choice: Ints,
) -> None:
    """Fill `ways (L + 1, S, k)` backwards, and `choice (L, S, k)`: target, token rank with label, target's rank."""
    count, n_labels = ways.shape[2], scores.shape[1]
    for i in range(fixed.shape[0] - 1, -1, -1):
        for at in range(bounds[i], bounds[i + 1]):
            s = states[at]
            if fixed[i] >= 0:
                t = delta[s, fixed[i]]
                for rank in range(count if t >= 0 else 0):
                    ways[i, s, rank] = ways[i + 1, t, rank]
                    choice[i, s, rank, 0], choice[i, s, rank, 2] = t, rank
                continue
            for e in range(start[s], start[s + 1]):
                for token_rank in range(count):
                    for rank in range(count // (token_rank + 1)):
                        value = scores[i, label[e], token_rank] + ways[i + 1, target[e], rank]
                        if value <= ways[i, s, count - 1]:
                            break
                        place = count - 1
                        while place > 0 and value > ways[i, s, place - 1]:
                            ways[i, s, place] = ways[i, s, place - 1]
                            choice[i, s, place] = choice[i, s, place - 1]
                            place -= 1
                        ways[i, s, place] = value
                        choice[i, s, place, 0] = target[e]
                        choice[i, s, place, 1] = token_rank * n_labels + label[e]
                        choice[i, s, place, 2] = rank
