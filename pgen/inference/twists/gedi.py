"""Two class-conditional models as a classifier: how likely a text is of the wanted class (GeDi).

With p+ and p- the probabilities that two texts' models (usually one model after two prompts) give to a beginning x,

    P(wanted | x) = prior p+(x) / (prior p+(x) + (1 - prior) p-(x))

(Krause et al., "GeDi: Generative discriminator guided sequence generation", Findings of EMNLP 2021). As a
critic it weighs complete texts by P ** power; as a twist it shapes every draw, all next tokens for
two evaluations: `text.weighted(gedi, bound=0.0).guided(gedi)`. There it is a potential with
weights, so that the result is the posterior and not the greedy filter of the paper.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.programs.process import TextProcess, TextState, shaped
from pgen.programs.text import TextDistribution

Floats = NDArray[np.float64]
MAX_PREFIXES = 1 << 14
"""Prefixes whose probabilities are kept."""


class GeDi:
    """`wanted` and `unwanted` are plain texts, `lm.text("A kind letter: ")` say, of one vocabulary."""

    def __init__(
        self, wanted: TextDistribution, unwanted: TextDistribution, *, power: float = 1.0, prior: float = 0.5
    ) -> None:
        if wanted.model.vocabulary != unwanted.model.vocabulary:
            raise InvalidArgument("GeDi needs two models of one vocabulary", hint="give both texts in .bytes()")
        for text in (wanted, unwanted):
            if text.language is not None or not text.is_free or text.stop:
                raise InvalidArgument(f"GeDi takes plain texts, got {text!r}")
        if not 0 < prior < 1 or not 0 < power < np.inf:
            raise InvalidArgument(f"GeDi: prior={prior} must lie in (0, 1), power={power} must be positive and finite")
        self._classes = wanted, unwanted
        self._power = power
        self._log_odds = float(np.log(prior) - np.log1p(-prior))
        self._known: dict[tuple[int, ...], tuple[float, Floats]] = {}

    def __call__(self, text: str) -> float:
        """power * log P(wanted | text), for the tokenizer's own spelling; in nats, never above 0."""
        return float(self._log_share(self._after(self._classes[0].model.vocabulary.encode(text))[0]))

    def bind(self, process: TextProcess) -> BoundGeDi:
        """The twist for a text of the same vocabulary; raises `InvalidArgument` for another."""
        if process.vocabulary != self._classes[0].model.vocabulary:
            raise InvalidArgument("GeDi guides texts of its own vocabulary", hint="give all three texts in .bytes()")
        return BoundGeDi(self, process)

    def log_after(self, tokens: tuple[int, ...]) -> tuple[float, Floats]:
        """power * log P(wanted | ...) of some tokens, and `(V,)` of them with each next one."""
        log_ratio, steps = self._after(tokens)
        return self._log_share(log_ratio), np.asarray(self._log_share(log_ratio + steps), np.float64)

    def _log_share(self, log_ratio: Any) -> Any:
        return -self._power * np.logaddexp(0.0, -(log_ratio + self._log_odds))

    def _after(self, tokens: tuple[int, ...]) -> tuple[float, Floats]:
        """log p+ / p- of the tokens, and `(V,)` what each next token adds; tokens that neither allows add nothing."""
        if tokens not in self._known:
            if len(self._known) >= MAX_PREFIXES:
                self._known.clear()
            before, steps = self._after(tokens[:-1]) if tokens else (0.0, np.zeros(1))
            reached = before + float(steps[tokens[-1]]) if tokens else 0.0
            rows = [_log_probs(text, tokens) for text in self._classes]
            with np.errstate(invalid="ignore"):
                added = np.nan_to_num(rows[0] - rows[1], nan=0.0, posinf=LARGEST, neginf=-LARGEST)
            self._known[tokens] = reached, added
        return self._known[tokens]


LARGEST = 50.0
"""Nats that a token adds which only one of the classes allows."""


class BoundGeDi:
    """The classifier on the states of one text."""

    def __init__(self, gedi: GeDi, process: TextProcess) -> None:
        self._gedi = gedi
        self._process = process

    def log_at(self, state: TextState) -> float:
        judged = self._process.critics.of_prefix(self._process.certain_text(state))
        log_twist = self._gedi.log_after(state.tokens)[0]
        return log_twist - judged if np.isfinite(judged) else log_twist

    def log_after(self, state: TextState, tokens: NDArray[np.int64]) -> Floats:
        return self._gedi.log_after(state.tokens)[1][tokens]


def _log_probs(text: TextDistribution, tokens: tuple[int, ...]) -> Floats:
    """`(V,)` log probabilities after the text's prompt and `tokens`."""
    given = shaped(text.model.next_logits([text.prompt + tokens]), text.temperature, text.truncate)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(given.weights[0]) - np.log(given.totals[0]), np.float64)
