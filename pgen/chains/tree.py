"""Sum-product by a balanced tree: O(log L) steps in a row instead of L, for parallel devices.

The transition matrices of neighbouring positions are multiplied pairwise, level by level; a draw
goes down again and fixes the state in the middle of each span given those at its ends
(parallel scan: Blelloch 1990; Särkkä and García-Fernández 2021 for smoothing; Dang and
Ermon 2026 for denoising). O(L S^3) work and O(L S^2) memory: for small automata. Same
mass as the chain.
"""

from __future__ import annotations

import numpy as np
import torch

from pgen.chains.automaton import PositionAutomaton
from pgen.chains.tensors import with_committed
from pgen.sampling.rng import Rng

Levels = list[torch.Tensor]


def log_transitions(automaton: PositionAutomaton, log_classes: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
    """`(L, S, S)`: log mass of moving from one state to another at each position of one canvas.

    `log_classes (L, C)` are log masses, `fixed (L,)` the classes of committed positions, -1 where open.
    """
    logs = with_committed(log_classes[None], fixed[None].to(log_classes.device))[0]  # (L, C)
    n_states, edges = automaton.n_states, automaton.edges
    made = torch.full((len(logs), n_states, n_states), -torch.inf, dtype=logs.dtype, device=logs.device)
    for source in range(n_states):
        for e in range(edges.start[source], edges.start[source + 1]):
            classes = edges.label_class[edges.label_start[edges.label[e]] : edges.label_start[edges.label[e] + 1]]
            made[:, source, int(edges.target[e])] = logs[:, torch.from_numpy(classes).long()].logsumexp(dim=1)
    made[:, automaton.ended, automaton.ended] = 0.0
    return made


def levels(transitions: torch.Tensor) -> Levels:
    """Products over spans of 1, 2, 4 … positions, the last of all: `(n, S, S)` each; odd spans are carried up."""
    built = [transitions]
    while len(built[-1]) > 1:
        spans = built[-1]
        pairs = len(spans) // 2
        joined = log_product(spans[0 : 2 * pairs : 2], spans[1 : 2 * pairs : 2])
        built.append(torch.cat([joined, spans[2 * pairs :]]))
    return built


def log_product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Matrix products `(n, S, S)` in logarithms, exact in range: one row of the sum at a time."""
    return torch.stack([(left[:, i, :, None] + right).logsumexp(dim=1) for i in range(left.shape[1])], dim=1)


def log_mass(automaton: PositionAutomaton, built: Levels) -> float:
    """log Z."""
    final = torch.from_numpy(automaton.final).to(built[-1].device)
    return float(built[-1][0, automaton.start, final].logsumexp(dim=0))


def sample_states(automaton: PositionAutomaton, built: Levels, rng: Rng) -> list[int]:
    """The states at all L + 1 places, drawn from the step posterior: the ends first, then middles top-down."""
    whole = built[-1][0, automaton.start].double().cpu().numpy()
    states = [automaton.start, _drawn(np.where(automaton.final, whole, -np.inf), rng)]
    for above, spans in zip(built[:0:-1], built[-2::-1], strict=True):
        refined = [states[0]]
        for span in range(len(above)):
            if 2 * span + 1 < len(spans):
                left = spans[2 * span, states[span]].double().cpu().numpy()
                right = spans[2 * span + 1, :, states[span + 1]].double().cpu().numpy()
                refined.append(_drawn(left + right, rng))
            refined.append(states[span + 1])
        states = refined
    return states


def _drawn(log_masses: np.ndarray[tuple[int], np.dtype[np.float64]], rng: Rng) -> int:
    weights = np.exp(log_masses - log_masses.max())
    running = np.cumsum(weights) / weights.sum()
    return int(np.searchsorted(running, rng.uniform(lambda: running), side="right"))
