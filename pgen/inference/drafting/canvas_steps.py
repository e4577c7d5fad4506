"""One denoising step of one canvas, under a language: its draws with their weights, and all of its outcomes.

Let C be the committed tokens, p the model's marginals there and Z(C') the mass, under
these marginals, of the language with the tokens C' fixed. A step chooses positions S by
its policy, draws their tokens from the step posterior p(x) 1[x in L] / Z(C), and
the next step's mass is weighed against what this one expected:

    weight = Z_0(∅) Π_t Z_{t+1}(C_{t+1}) / Z_t(C_{t+1})

The product telescopes: draws times weight are the model's own process restricted to L
(`docs/diffusion.md` has the proof). Where marginals exclude tokens altogether, those of open
positions outside S get a little mass, for a later step may allow them; the proof holds for any
positive look-ahead. Where masses are those of a superset, tokens are drawn one after the other from what it gives to
those that the language itself allows (`pgen.chains.completions`), and the share of these is one more factor of
the weight, since draws are by so much more likely: no draft comes to a dead end.

A policy that looks at drawn values breaks the product. LLaDA's low confidence (draw every
position, keep the k likeliest draws S) is made exact by its own weight: its step keeps
(S, x_S) with probability p(x_S) F, F being the probability that the others are drawn behind
S; drawn from the step posterior, with probability p(x_S) F Z'(C') / Z(C), where Z' is the
mass given that they are behind. A share of the draws ignores the language, because
the posterior alone misses outcomes whose thrown-away part is outside the language.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.inference.drafting import canvas_looks
from pgen.inference.drafting.canvas_looks import Given, Look
from pgen.inference.drafting.canvas_process import CanvasProcess
from pgen.programs.orders import FIXED, LOW_CONFIDENCE, RANDOM, Canvas, looks_at_language, open_positions, ranking_of
from pgen.sampling.rng import Rng

Floats = NDArray[np.float64]
MAX_OUTCOMES = 20_000


FREE_SHARE = 0.2
"""Over all steps together: draws by low confidence that ignore the language."""
DECIMALS = 10
"""Scores of constrained marginals that agree so far are ties: forced positions all have probability 1."""


class Committed(NamedTuple):
    """The canvas after a step; the log mass of the step, and what its marginals give what may follow.

    The weight of a draft is the product of masses over what the step before expected.
    `preview` is the whole canvas that the step drew, where critics ask for it.
    """

    canvas: Canvas
    log_mass: float
    log_expected: float
    preview: Canvas | None = None


class Step:
    """`marginals (n, V)` are the model's for the first n positions (all, or up to the end of the block at work)."""

    def __init__(self, process: CanvasProcess, canvas: Canvas, marginals: Any, emitted: Given) -> None:
        self.process = process
        self.canvas = canvas
        self.marginals = marginals
        self.emitted = emitted

    @cached_property
    def seen(self) -> Look:
        """What can follow under the model's marginals as they are."""
        return canvas_looks.look(self.emitted, len(self.canvas))

    def commit(self, rng: Rng) -> Committed | None:
        """Draw one step; `None` if nothing in the language can follow."""
        order = self.process.distribution.order
        if order == LOW_CONFIDENCE:
            return self._commit_likeliest(rng)
        positions = self.positions(rng)
        if not positions:
            return None
        messages = self.looking_ahead(positions)
        if messages.log_mass == -np.inf:
            return None
        if self.process.completions is not None:
            return self._commit_allowed(positions, messages, rng)
        previewed = self.process.distribution.previewed
        places = open_positions(self.canvas).tolist() if previewed else list(positions)
        drawn = dict(zip(places, canvas_looks.drawn(messages, places, rng), strict=True))
        canvas = _filled(self.canvas, positions, [drawn[i] for i in positions])
        expected = canvas_looks.log_mass_given(messages, canvas[: self.emitted.length])
        preview = _filled(self.canvas, places, list(drawn.values())) if previewed else None
        return Committed(canvas, messages.log_mass, expected, preview)

    def positions(self, rng: Rng) -> tuple[int, ...]:
        """The positions that this step commits, ascending; none if the policy sees nothing to commit."""
        return self._random(rng) if self.process.distribution.order == RANDOM else self.chosen

    def log_shares(self, positions: tuple[int, ...], filled: Canvas) -> float:
        """log of the share of what is seen that the language allows, at `positions` in turn, committed as in `filled`.

        0 where what is seen is the language itself.
        """
        if self.process.completions is None:
            return 0.0
        canvas, seen, total = self.canvas, self.looking_ahead(positions), 0.0
        for position in positions:
            total += float(np.logaddexp.reduce(self._allowed(seen, canvas, position)))
            canvas = _filled(canvas, [position], [_token(filled, position)])
            seen = seen.given(canvas[: self.emitted.length])
        return total

    def _allowed(self, seen: Look, canvas: Canvas, position: int) -> Floats:
        """`(V,)` log-probabilities, by what is seen, of tokens that the language allows at a position, else -inf."""
        assert self.process.completions is not None
        allowed = self.process.completions.allowed(canvas, position)
        return np.where(allowed, canvas_looks.marginal(seen, position), -np.inf)

    def _commit_allowed(self, positions: tuple[int, ...], seen: Look, rng: Rng) -> Committed | None:
        """Draw position by position among the tokens that the language itself allows; their share is weight."""
        canvas, log_mass = self.canvas, seen.log_mass
        for position in positions:
            row = self._allowed(seen, canvas, position)
            log_share = float(np.logaddexp.reduce(row))
            if log_share == -np.inf:
                return None
            canvas = _filled(canvas, [position], [_drawn(row - log_share, rng)])
            seen, log_mass = seen.given(canvas[: self.emitted.length]), log_mass + log_share
        log_expected, preview = seen.log_mass, None
        if self.process.distribution.previewed and log_expected > -np.inf:
            places = open_positions(canvas).tolist()
            preview = _filled(canvas, places, canvas_looks.drawn(seen, places, rng))
        return Committed(canvas, log_mass, log_expected, preview)

    def looking_ahead(self, positions: tuple[int, ...]) -> Look:
        """What can follow if open positions outside `positions` exclude nothing."""
        floored = self.emitted.floored(positions)
        return self.seen if floored is self.emitted else canvas_looks.look(floored, len(self.canvas))

    def outcomes(self) -> Iterator[tuple[Canvas, float]]:
        """Every canvas that this step may lead to inside the language, with the log mass of going there.

        Raises `LimitExceeded` beyond `MAX_OUTCOMES`.
        """
        order = self.process.distribution.order
        if order not in (RANDOM, LOW_CONFIDENCE):
            yield from self._fillings(self.chosen)
            return
        candidates = self.process.candidates(self.canvas).tolist()
        subsets = list(combinations(candidates, self.process.n_commits(self.canvas)))
        for positions in subsets:
            for canvas, log_mass in self._fillings(positions):
                if order == RANDOM:
                    yield canvas, log_mass - float(np.log(len(subsets)))
                else:
                    log_rest = self._log_below(self._below(canvas, positions), canvas)
                    if log_rest > -np.inf:
                        yield canvas, log_mass + log_rest

    @cached_property
    def chosen(self) -> tuple[int, ...]:
        """The positions that a policy without randomness commits, ascending; none if it sees nothing to commit."""
        distribution, candidates = self.process.distribution, self.process.candidates(self.canvas)
        ranking = ranking_of(distribution.order)
        if ranking is None:
            return self._by_function(candidates)
        count = self.process.n_commits(self.canvas)
        if not looks_at_language(distribution.order):
            whole = len(candidates) == len(self.marginals) or distribution.order in FIXED
            scores = ranking.scores(candidates, self.marginals if whole else self.marginals[candidates])
        elif self._own_look.log_mass == -np.inf:
            return ()
        else:
            rows = canvas_looks.constrained_marginals(self._own_look)[candidates]
            scores = np.round(ranking.scores(candidates, rows), DECIMALS)
        order = np.argsort(-scores, kind="stable")
        return tuple(sorted(candidates[order[:count]].tolist()))

    @cached_property
    def _own_look(self) -> Look:
        """What can follow in the language itself, which a restriction of the process narrows."""
        process = self.process
        if process.restriction is process.automaton:
            return self.seen
        emitted = process.given(process.automaton, self.marginals, self.canvas)
        return canvas_looks.look(emitted, len(self.canvas))

    def _by_function(self, candidates: NDArray[np.int64]) -> tuple[int, ...]:
        distribution = self.process.distribution
        assert callable(distribution.order)
        answer = [int(i) for i in distribution.order(self.canvas, self.marginals)]
        wanted = len(answer) if distribution.follows_function else self.process.n_commits(self.canvas)
        chosen = answer[:wanted]
        if not chosen or len(chosen) < wanted or len(set(chosen)) < len(chosen) or set(chosen) - set(candidates):
            raise InvalidArgument(
                f"the order returned the positions {answer} for {self.process.partial_text(self.canvas)!r}",
                hint=f"a function returns different open positions of the block at work, {max(wanted, 1)} or more",
            )
        return tuple(sorted(chosen))

    def _random(self, rng: Rng) -> tuple[int, ...]:
        """A set of open positions, all alike: selection sampling, one uniform a position (Knuth, TAOCP 2, 3.4.2)."""
        candidates, left = self.process.candidates(self.canvas).tolist(), self.process.n_commits(self.canvas)
        chosen: list[int] = []
        for seen, position in enumerate(candidates):
            share = left / (len(candidates) - seen)
            if left and (share == 1.0 or rng.uniform(lambda share=share: np.array([share, 1.0])) < share):  # type: ignore[misc]
                chosen.append(position)
                left -= 1
        return tuple(chosen)

    def _commit_likeliest(self, rng: Rng) -> Committed | None:
        distribution = self.process.distribution
        candidates, count = self.process.candidates(self.canvas).tolist(), self.process.n_commits(self.canvas)
        is_last = count == self.canvas.count(None)
        if is_last and self.seen.log_mass == -np.inf:
            return None
        log_free = -np.inf if is_last else self._log_free_share()
        drawn = self._draw_all(candidates, log_free, rng)
        confidences = [self._log_prob(i, token) for i, token in zip(candidates, drawn, strict=True)]
        best = sorted(range(len(candidates)), key=lambda k: (-confidences[k], candidates[k]))[:count]
        positions = tuple(candidates[k] for k in sorted(best))
        canvas = _filled(self.canvas, positions, [drawn[k] for k in sorted(best)])
        if distribution.sized and self.process.vocabulary.eos & {canvas[i] for i in positions}:
            return None  # drawn without the language
        preview = _filled(self.canvas, candidates, drawn) if distribution.previewed else None
        if log_free == 0.0:
            return Committed(canvas, 0.0, 0.0, preview)
        below = self._below(canvas, positions)
        emitted = self.process.given(self.process.restriction, below, canvas)
        log_behind = canvas_looks.look(emitted, len(canvas)).log_mass
        log_mass = self.seen.log_mass
        log_kept = float(np.log1p(-np.exp(log_free)))
        log_expected = float(np.logaddexp(log_free + log_mass, log_kept + log_behind))
        return Committed(canvas, log_mass, log_expected, preview)

    def _log_free_share(self) -> float:
        """log probability of drawing this step without the language: 0 where the language has no mass."""
        if self.seen.log_mass == -np.inf:
            return 0.0
        n_steps = sum(map(len, self.process.distribution.schedule))
        return float(np.log(FREE_SHARE / n_steps))

    def _draw_all(self, candidates: list[int], log_free: float, rng: Rng) -> tuple[int, ...]:
        share = float(np.exp(log_free))
        if 0.0 < share < 1.0:
            share = float(rng.uniform(lambda: np.array([share, 1.0])) < share)
        if not share:
            return canvas_looks.drawn(self.seen, candidates, rng)
        return tuple(_drawn(self.emitted.row(i), rng) for i in candidates)

    def _below(self, canvas: Canvas, positions: Sequence[int]) -> Floats:
        """The marginals given that every candidate left open was drawn behind those at `positions`."""
        rows = np.array([self.emitted.row(i) for i in range(len(self.marginals))], np.float64)
        last = min((self._log_prob(i, _token(canvas, i)), -i) for i in positions)
        for j in self._left_open(canvas):
            behind = (rows[j] < last[0]) | ((rows[j] == last[0]) & (-j < last[1]))
            kept = np.where(behind, rows[j], -np.inf)
            total = np.logaddexp.reduce(kept)
            rows[j] = kept - total if total > -np.inf else -np.inf
        return rows

    def _log_below(self, below: Floats, canvas: Canvas) -> float:
        """log probability, under the marginals, that the open candidates are drawn from where `below` has mass."""
        total = 0.0
        for j in self._left_open(canvas):
            row = np.asarray(self.emitted.row(j), np.float64)
            total += float(np.logaddexp.reduce(np.where(below[j] > -np.inf, row, -np.inf)))
        return total

    def _left_open(self, canvas: Canvas) -> list[int]:
        """The candidates of this step that `canvas`, the one after it, leaves open."""
        return [j for j in self.process.candidates(self.canvas).tolist() if canvas[j] is None]

    def _log_prob(self, position: int, token: int) -> float:
        return float(self.emitted.row(position)[token])

    def _fillings(self, positions: Sequence[int]) -> Iterator[tuple[Canvas, float]]:
        """The ways to fill `positions` inside the language, with their log mass under the marginals."""
        begun = [(self.canvas, 0.0)] if len(positions) else []
        messages = self.looking_ahead(tuple(positions))
        for position in positions:
            grown: list[tuple[Canvas, float]] = []
            for canvas, log_mass in begun:
                grown += self._filled_at(messages.given(canvas[: self.emitted.length]), canvas, position, log_mass)
                if len(grown) > MAX_OUTCOMES:
                    raise LimitExceeded(
                        f"a step at {self.process.partial_text(self.canvas)!r} has more than {MAX_OUTCOMES:,} outcomes",
                        hint="use a sampling method (pgen.Importance, pgen.SMC)",
                    )
            begun = grown
        yield from begun

    def _filled_at(self, given: Look, canvas: Canvas, position: int, log_mass: float) -> list[tuple[Canvas, float]]:
        if given.log_mass == -np.inf:
            return []
        row = np.asarray(self.emitted.row(position), np.float64)
        possible = canvas_looks.possible(given, position) & (row > -np.inf)
        if self.process.completions is not None:
            possible &= self.process.completions.allowed(canvas, position)
        return [
            (_filled(canvas, [position], [int(token)]), log_mass + float(row[token]))
            for token in np.flatnonzero(possible)
        ]


def _filled(canvas: Canvas, positions: Sequence[int], tokens: Sequence[int]) -> Canvas:
    made = list(canvas)
    for position, token in zip(positions, tokens, strict=True):
        made[position] = token
    return tuple(made)


def _drawn(row: Any, rng: Rng) -> int:
    """A token by its probability alone."""
    running = np.cumsum(np.exp(np.asarray(row, np.float64)))
    running /= running[-1]
    return int(np.searchsorted(running, rng.uniform(lambda: running), side="right"))


def _token(canvas: Canvas, position: int) -> int:
    token = canvas[position]
    assert token is not None
    return token
