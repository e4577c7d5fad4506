"""Inside-outside over positions: context-free grammars of tokens with independent emissions.

Position i emits token v with probability p_i(v). The inside mass of a symbol over a span sums,
over its rules and the places where their parts meet, the products of the parts' masses (Baker
1979): O(|G| L^3) for a canvas of L positions, in logarithms, all spans of one width at once.
The outside pass is the gradient of log Z by the logs of the emissions (Eisner 2016), so marginals
cost one backward sweep. Masses count derivations: of an ambiguous grammar a canvas counts once
for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np
import torch

from pgen.chains.emissions import Canvas, Floats, Rows
from pgen.errors import InvalidLanguage, UnsupportedFeature
from pgen.sampling.rng import Rng

Symbol = str | frozenset[int]
Alternative = tuple[Symbol, ...]
NOTHING = -1e30
"""Stands for the logarithm of 0, so that gradients are numbers."""


@dataclass(frozen=True)
class TokenGrammar:
    """`rules` maps each nonterminal to its alternatives; a part is a nonterminal or a set of token ids.

    Raises `InvalidLanguage` for nonterminals without rules, `UnsupportedFeature` for empty alternatives and
    for nonterminals that derive themselves alone (both can be rewritten away).
    """

    rules: Mapping[str, Sequence[Alternative]]
    start: str = "start"

    def __post_init__(self) -> None:
        parts = {part for rows in self.rules.values() for row in rows for part in row if isinstance(part, str)}
        missing = sorted((parts | {self.start}) - set(self.rules))
        if missing:
            raise InvalidLanguage(f"nonterminals without rules: {', '.join(missing)}")
        empty = sorted(name for name, rows in self.rules.items() if not all(rows))
        if empty:
            raise UnsupportedFeature(
                f"empty alternatives of {', '.join(empty)}", hint="leave the part out where it is used instead"
            )
        self.order()

    def order(self) -> list[str]:
        """The nonterminals, those that others stand for alone first."""
        alone = {
            name: {row[0] for row in rows if len(row) == 1 and isinstance(row[0], str)}
            for name, rows in self.rules.items()
        }
        try:
            return list(TopologicalSorter(alone).static_order())
        except CycleError as error:
            raise UnsupportedFeature(f"nonterminals that derive themselves alone: {error.args[1]}") from error


class Chart:
    """Inside masses of one canvas: `rows (L, V)` log-probabilities; committed tokens of `canvas` count 1."""

    def __init__(self, grammar: TokenGrammar, rows: Rows, canvas: Canvas) -> None:
        self.grammar = grammar
        self.length = len(canvas)
        self._order = grammar.order()
        self._logs = _emitted(rows, canvas).requires_grad_()
        self._spans: dict[Symbol | Alternative, torch.Tensor] = {}
        self._fill()

    @property
    def log_mass(self) -> float:
        """log mass of the canvases that the grammar derives, each as often as it does."""
        total = float(self._spans[self.grammar.start][0, self.length].detach())
        return total if total > NOTHING / 2 else -np.inf

    def marginals(self) -> Floats:
        """`(L, V)` probabilities of each token under the posterior; its mass must not be zero."""
        (gradient,) = torch.autograd.grad(
            self._spans[self.grammar.start][0, self.length], self._logs, retain_graph=True
        )
        return np.asarray(gradient.numpy(), np.float64)

    def sample(self, rng: Rng) -> tuple[int, ...]:
        """A canvas from the posterior; its mass must not be zero."""
        canvas = [0] * self.length
        todo: list[tuple[Symbol | Alternative, int, int]] = [(self.grammar.start, 0, self.length)]
        while todo:
            part, first, width = todo.pop()
            if isinstance(part, frozenset):
                members = sorted(part)
                canvas[first] = members[_drawn([float(self._logs[first, v].detach()) for v in members], rng)]
            elif isinstance(part, str):
                rows = self.grammar.rules[part]
                todo.append((rows[_drawn([self._at(row, first, width) for row in rows], rng)], first, width))
            elif len(part) == 1:
                todo.append((part[0], first, width))
            else:
                cuts = range(1, width)
                masses = [self._at(part[0], first, cut) + self._at(part[1:], first + cut, width - cut) for cut in cuts]
                cut = cuts[_drawn(masses, rng)]
                todo += [(part[1:], first + cut, width - cut), (part[0], first, cut)]
        return tuple(canvas)

    def _at(self, part: Symbol | Alternative, first: int, width: int) -> float:
        return float(self._spans[part][first, width].detach())

    def _fill(self) -> None:
        """Tables `(L, L + 1)` by first position and width, for symbols and tails of alternatives."""
        tails = {row[k:] for rows in self.grammar.rules.values() for row in rows for k in range(len(row))}
        terminals = {part for tail in tails for part in tail if isinstance(part, frozenset)}
        parts: list[Symbol | Alternative] = [*tails, *terminals, *self._order]
        nothing = torch.full((self.length,), NOTHING, dtype=torch.float64)
        columns = {part: [nothing] for part in parts}
        for width in range(1, self.length + 1):
            for terminal in terminals:
                columns[terminal].append(self._terminal(terminal, width))
            for tail in sorted((t for t in tails if len(t) > 1), key=len):
                columns[tail].append(self._joined(columns[tail[0]], columns[tail[1:]], width))
            for tail in (t for t in tails if len(t) == 1 and isinstance(t[0], frozenset)):
                columns[tail].append(columns[tail[0]][width])
            for name in self._order:
                rows = self.grammar.rules[name]
                inside = [columns[row[0]][width] if len(row) == 1 else columns[row][width] for row in rows]
                columns[name].append(torch.stack(inside).logsumexp(dim=0))
            for tail in (t for t in tails if len(t) == 1 and isinstance(t[0], str)):
                columns[tail].append(columns[tail[0]][width])
        self._spans = {part: torch.stack(widths, dim=1) for part, widths in columns.items()}

    def _terminal(self, terminal: frozenset[int], width: int) -> torch.Tensor:
        if width > 1 or not terminal:
            return torch.full((self.length,), NOTHING, dtype=torch.float64)
        return self._logs[:, sorted(terminal)].logsumexp(dim=1)

    def _joined(self, left: list[torch.Tensor], right: list[torch.Tensor], width: int) -> torch.Tensor:
        """Mass of two parts side by side over all spans of one width; spans beyond the end have none."""
        if width == 1:
            return torch.full((self.length,), NOTHING, dtype=torch.float64)
        terms = []
        for cut in range(1, width):
            moved = torch.nn.functional.pad(right[width - cut][cut:], (0, cut), value=NOTHING)
            terms.append(left[cut] + moved)
        return torch.stack(terms).logsumexp(dim=0).clamp(min=NOTHING)


def _emitted(rows: Rows, canvas: Canvas) -> torch.Tensor:
    made = np.maximum(np.asarray(rows, np.float64), NOTHING)
    for i, token in enumerate(canvas):
        if token is not None:
            made[i] = NOTHING
            made[i, token] = 0.0
    return torch.from_numpy(made)


def _drawn(log_masses: Sequence[float], rng: Rng) -> int:
    weights = np.exp(np.array(log_masses) - max(log_masses))
    running = np.cumsum(weights) / weights.sum()
    return int(np.searchsorted(running, rng.uniform(lambda: running), side="right"))
