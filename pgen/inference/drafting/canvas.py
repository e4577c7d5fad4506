"""Drafts of masked diffusion models: canvases, drawn step by step under the language, weighted globally.

A draft's weight after t steps is Z_0 Π_{u<t} Z_{u+1}(C_{u+1}) / Z_u(C_{u+1}) (`canvas_steps`), so drafts
that a step of the model turns out to like less than expected are weighted down, and
resampling between steps sees a look-ahead over the whole canvas. Equal canvases in one
call are evaluated once. `lookahead` is not used: masses look ahead for free.
"""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pgen.backends.base import LogMarginals, MaskedDiffusion
from pgen.chains.automaton import PositionAutomaton, canvas_automaton
from pgen.chains.emissions import emissions
from pgen.errors import InvalidArgument, InvalidLanguage, ModelError
from pgen.inference.context import Context
from pgen.inference.drafting.canvas_looks import Given
from pgen.inference.drafting.canvas_process import CanvasProcess
from pgen.inference.drafting.canvas_steps import Step
from pgen.inference.drafting.canvas_tree import CanvasTree
from pgen.inference.drafting.drafts import Drafter, Drawn, Enumerated
from pgen.language.base import literal
from pgen.programs.canvas import CanvasDistribution, CanvasText
from pgen.programs.orders import Canvas
from pgen.programs.strings import Tokenization
from pgen.programs.trails import following
from pgen.sampling.rng import Rng
from pgen.tokens.classes import TokenTable, token_table

MAX_EVALUATIONS = 4096
"""Canvases spent on one score or normaliser before `LimitExceeded`."""
KEPT_BYTES = 1 << 25
"""Marginals kept by one run."""


class CanvasDraft(NamedTuple):
    """A canvas with `log_weight` earned so far; `log_expected` is what the last step expected of the next.

    `log_preview` is the part of `log_weight` that critics gave to the last preview, to be given back.
    """

    process: CanvasProcess
    canvas: Canvas
    log_weight: float
    log_expected: float
    log_norm: float
    log_preview: float = 0.0

    def reweighted(self, log_weight: float) -> CanvasDraft:
        return self._replace(log_weight=log_weight)

    def partial_text(self) -> str:
        return self.process.partial_text(self.canvas)


class CanvasDrafter(Drafter[CanvasDistribution, CanvasDraft]):
    """Compiled processes and explored trees of one run, and the drafts that use them."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._processes: dict[CanvasDistribution, CanvasProcess] = {}
        self._trees: dict[CanvasDistribution, CanvasTree] = {}
        self._rows = _Rows()
        self.walks: dict[tuple[CanvasProcess, Canvas], Any] = {}
        """What remasking found out about whole canvases (`pgen.inference.moves.canvas_moves`)."""

    def begin(
        self, distributions: Sequence[CanvasDistribution], rngs: Sequence[Rng], lookahead: int
    ) -> list[CanvasDraft | Drawn]:
        return [
            _settled(
                CanvasDraft(self.process(each), each.canvas, 0.0, 0.0, self.log_normalizer(each)),
            )
            for each in distributions
        ]

    def step(self, drafts: Sequence[CanvasDraft], rngs: Sequence[Rng]) -> list[CanvasDraft | Drawn]:
        steps = self.look([(draft.process, draft.canvas) for draft in drafts])
        moved: list[CanvasDraft | Drawn] = []
        for draft, step, rng in zip(drafts, steps, rngs, strict=True):
            committed = step.commit(rng)
            if committed is None:
                moved.append(draft.reweighted(-math.inf))
                continue
            log_preview = draft.process.log_preview(committed.preview)
            earned = committed.log_mass - draft.log_expected + log_preview - draft.log_preview
            after = draft._replace(
                canvas=following(draft.process.model, draft.canvas, committed.canvas),
                log_weight=draft.log_weight + earned,
                log_expected=committed.log_expected,
                log_preview=log_preview,
            )
            moved.append(_settled(after))
        return moved

    def score(self, distribution: CanvasDistribution, text: str, tokenization: Tokenization, tol: float) -> float:
        if tokenization not in ("all", "canonical"):
            raise InvalidArgument(f"tokenization={tokenization!r}: expected 'all' or 'canonical'")
        log_norm, process = self.log_normalizer(distribution), self.process(distribution)
        if not process.language.matches(text):
            return -math.inf
        restriction = _spellings(process, text, tokenization)
        if restriction is None:
            return -math.inf
        tree = CanvasTree(CanvasProcess(process.distribution, restriction), self.look)
        tree.certify(f"log_prob({text!r})", -math.expm1(-tol), MAX_EVALUATIONS)
        return tree.log_found - log_norm

    def enumerate(
        self, distribution: CanvasDistribution, what: str, tolerance: float | None, max_evaluations: int
    ) -> Enumerated:
        log_norm, tree = self.log_normalizer(distribution), self.tree(distribution)
        tree.certify(what, tolerance, tree.n_evaluations + max_evaluations)
        return Enumerated([(text, mass - log_norm) for text, mass in tree.texts.items()], tree.log_frontier - log_norm)

    def process(self, distribution: CanvasDistribution) -> CanvasProcess:
        """The compiled process of a distribution (its normaliser plays no part)."""
        key = replace(distribution, normalizer=None)
        if key not in self._processes:
            self._processes[key] = CanvasProcess(key)
        return self._processes[key]

    def tree(self, distribution: CanvasDistribution) -> CanvasTree:
        """The explored canvases of a distribution; it grows as callers expand it."""
        key = replace(distribution, normalizer=None)
        if key not in self._trees:
            self._trees[key] = CanvasTree(self.process(distribution), self.look)
        return self._trees[key]

    def log_normalizer(self, distribution: CanvasDistribution) -> float:
        """log mass of the language of `.within`, 0 without one; certified, else `LimitExceeded`."""
        if distribution.normalizer is None:
            return 0.0
        counted = distribution.critics[: distribution.n_normalized]
        tree = self.tree(replace(distribution, language=distribution.normalizer, critics=counted))
        tree.certify(f"the mass of .within({distribution.normalizer!r})", None, MAX_EVALUATIONS)
        return tree.log_found

    def look(self, requests: Sequence[tuple[CanvasProcess, Canvas]]) -> list[Step]:
        """The step of each canvas: one model call a batch of distinct canvases."""
        groups: defaultdict[Any, dict[tuple[CanvasProcess, Canvas], None]] = defaultdict(dict)
        for process, canvas in requests:
            key = id(process.model), process.horizon(canvas), process.distribution.temperature
            groups[key][process, canvas] = None
        steps: dict[tuple[CanvasProcess, Canvas], Step] = {}
        for (_, horizon, temperature), group in groups.items():
            for wanted in _blocks(list(group), self.context.batch_size):
                rows = self._marginals(wanted, horizon, temperature)
                emitted = _emitted(wanted, rows, horizon)
                for (process, canvas), row, each in zip(wanted, rows, emitted, strict=True):
                    steps[process, canvas] = Step(process, canvas, row, each)
        return [steps[request] for request in requests]

    def _marginals(self, wanted: Sequence[tuple[CanvasProcess, Canvas]], horizon: int, temperature: float) -> list[Any]:
        """One `(horizon, V)` for each request; equal prompts and canvases are evaluated once."""
        model = wanted[0][0].model
        asked = [canvas if len(canvas) == horizon else canvas[:horizon] for _, canvas in wanted]
        prompts = [process.distribution.prompt for process, _ in wanted]
        keys = [(id(model), temperature, *each) for each in zip(prompts, asked, strict=True)]
        known = {key: row for key in dict.fromkeys(keys) if (row := self._rows.get(key)) is not None}
        index = [key for key in dict.fromkeys(keys) if key not in known]
        if index:
            returned = model.marginals([key[2] for key in index], [key[3] for key in index])
            self.context.n_evaluations += len(index)
            _check_shape(model, returned, (len(index), horizon))
            shaped = _tempered(_on_cpu(returned), temperature)
            for number, key in enumerate(index):
                known[key] = self._rows.put(key, shaped[number, :, : len(model.vocabulary)])
        return [known[key] for key in keys]


def _emitted(wanted: Sequence[tuple[CanvasProcess, Canvas]], rows: list[Any], horizon: int) -> Sequence[Given]:
    """What the rows `(horizon, V)` say to each process's language; arrays for one automaton are summed together."""
    first = wanted[0][0].restriction
    shared = isinstance(rows[0], np.ndarray) and all(process.restriction is first for process, _ in wanted)
    if shared and isinstance(first, PositionAutomaton):
        return emissions(first, rows, [canvas[:horizon] for _, canvas in wanted])
    each = zip(wanted, rows, strict=True)
    return [process.given(process.restriction, row, canvas) for (process, canvas), row in each]


class _Rows:
    """Marginals of canvases seen lately, so that an unchanged canvas costs no model call; up to `KEPT_BYTES`.

    Arrays only: what lies on a device stays there no longer than it is needed. Rows are views into
    the batches they came in, which are forgotten together.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._n_bytes = 0

    def get(self, key: Any) -> Any:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Any, row: Any) -> Any:
        """Keep a row if it is small enough, and return it."""
        if not isinstance(row, np.ndarray) or row.nbytes > KEPT_BYTES // 16:
            return row
        self._kept[key] = row
        self._n_bytes += row.nbytes
        while self._n_bytes > KEPT_BYTES:
            self._n_bytes -= self._kept.popitem(last=False)[1].nbytes
        return row


def _settled(draft: CanvasDraft) -> CanvasDraft | Drawn:
    """The draft, or its text if that is finished."""
    text = draft.process.finished(draft.canvas)
    if text is None:
        return draft
    log_judged = draft.process.log_judged(text)
    if log_judged == -math.inf:
        return draft.reweighted(-math.inf)
    log_weight = draft.log_weight - draft.log_expected - draft.log_preview + log_judged - draft.log_norm
    return Drawn(CanvasText.of(text, draft.canvas), log_weight)


def _on_cpu(marginals: LogMarginals) -> LogMarginals:
    """Tensors that lie in main memory as arrays, for which there are faster kernels."""
    if isinstance(marginals, np.ndarray) or marginals.device.type != "cpu":
        return marginals
    return np.asarray(marginals.numpy())


def _tempered(marginals: LogMarginals, temperature: float) -> Any:
    if temperature == 1.0:
        return marginals
    if not isinstance(marginals, np.ndarray):
        return (marginals / temperature).log_softmax(dim=-1)
    scaled = marginals / temperature
    with np.errstate(invalid="ignore"):
        return scaled - np.logaddexp.reduce(scaled, axis=-1, keepdims=True)


def _check_shape(model: MaskedDiffusion, returned: LogMarginals, expected: tuple[int, int]) -> None:
    shape = tuple(returned.shape)
    if shape[:-1] != expected or shape[-1] < len(model.vocabulary):
        raise ModelError(
            f"{model.name} returned marginals of shape {shape}, not {(*expected, len(model.vocabulary))}",
            hint="the rows are those of the canvas, without the prompt's",
        )


def _spellings(process: CanvasProcess, text: str, tokenization: Tokenization) -> PositionAutomaton | None:
    """The canvases that spell `text`; `None` if none does."""
    vocabulary, length = process.vocabulary, process.distribution.length
    open_ends = not process.distribution.sized
    try:
        if tokenization == "all":
            return canvas_automaton(token_table(literal(text).compile(vocabulary)), vocabulary, open_ends=open_ends)
        tokens = vocabulary.encode(text)
    except (InvalidLanguage, InvalidArgument):
        return None
    if len(tokens) > length:
        return None
    return canvas_automaton(_line(tokens, len(vocabulary)), vocabulary, open_ends=open_ends)


def _line(tokens: Sequence[int], n_tokens: int) -> TokenTable:
    """The table that accepts one sequence of tokens."""
    distinct = sorted(set(tokens))
    class_of = np.zeros(n_tokens, np.int32)
    class_of[distinct] = np.arange(1, len(distinct) + 1)
    delta = np.full((len(tokens) + 1, len(distinct) + 1), -1, np.int32)
    for place, token in enumerate(tokens):
        delta[place, class_of[token]] = place + 1
    accepting = np.arange(len(tokens) + 1) == len(tokens)
    return TokenTable(class_of, delta, accepting, np.arange(len(tokens), -1, -1, dtype=np.int32))


def _blocks(requests: list[Any], size: int) -> list[list[Any]]:
    return [requests[i : i + size] for i in range(0, len(requests), size)]
