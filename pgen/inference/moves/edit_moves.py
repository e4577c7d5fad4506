"""Replace, insert and delete single tokens of a text, as Metropolis and Hastings moves on runs.

After CGMH (Miao et al., "CGMH: constrained sentence generation by Metropolis-Hastings
sampling", AAAI 2019), with any model in the place of its proposals: one that sees what
stands left of a place, or a masked or insertion model that sees both sides. With m(v | l, r)
its masses over the tokens v that fit between l and r inside the language (the `top`
heaviest at most), and g the exact mass of a run, the log ratios are

    replace u by v     log g(t') / g(t) + log m(u | l, r) / m(v | l, r)
    insert v           log g(t') / g(t) - log m(v | l, r)
    delete u           log g(t') / g(t) + log m(u | l, r),

since places are uniform and a deletion undoes an insertion. The ratio is exact whatever m is. Cost: one
evaluation of the proposing model and one pass over the new text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgen.backends.base import Insertion, MaskedDiffusion
from pgen.errors import DeadEnd, InvalidArgument
from pgen.inference.drafting.choice_laws import Spelled
from pgen.inference.generative import log_redraw_ratio
from pgen.inference.moves.span_moves import pick_spelled, spelled, state_after, with_text
from pgen.inference.moves.trace_moves import Metropolis, Proposal, draw, log_share, pick
from pgen.inference.runs import Run, Runner
from pgen.programs.process import TextProcess, TextState
from pgen.programs.strings import Text
from pgen.sampling.logspace import log_or_ninf
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import StopMass, unpack

Edit = Literal["replace", "insert", "delete"]
Tokens = tuple[int, ...]
Between = Callable[[Tokens, Tokens], ArrayLike]
"""`(V,)` masses of a token between the tokens to its left and those to its right, zero for impossible ones."""


@dataclass(frozen=True)
class EditText(Metropolis):
    """Change one token of the text at `address` (default: of one text at random).

    `proposal` says which tokens to try: a masked diffusion or insertion model over the same tokens, a
    function of the tokens left and right that returns masses `(V,)`, or `None` for the
    text's own model, which sees the left side only. Insertions and deletions undo each
    other, so `moves` has both or neither. Only for texts whose states are token sequences (`lookahead=0`).
    """

    address: str | None = None
    moves: tuple[Edit, ...] = ("replace", "insert", "delete")
    proposal: MaskedDiffusion | Insertion | Between | None = None
    top: int = 64

    def __post_init__(self) -> None:
        unknown = sorted(set(self.moves) - {"replace", "insert", "delete"})
        if unknown or not self.moves:
            raise InvalidArgument(f"moves={self.moves}: expected some of 'replace', 'insert', 'delete'")
        if ("insert" in self.moves) != ("delete" in self.moves) or len(set(self.moves)) != len(self.moves):
            raise InvalidArgument(f"moves={self.moves}: each once, and 'insert' and 'delete' together, to go both ways")
        if self.top < 1:
            raise InvalidArgument(f"top={self.top}: at least one token must be tried")

    def applies(self, run: Run) -> bool:
        """Whether a run has a text that can be edited."""
        return bool(spelled(run, self.address))

    def propose(self, runner: Runner, runs: Sequence[Run], rngs: Sequence[Rng]) -> list[Proposal]:
        """Each run with one token of a text replaced, inserted or deleted, and the log acceptance ratio."""
        edits = [self._edited(run, rng) for run, rng in zip(runs, rngs, strict=True)]
        plans = [with_text(run, edit.address, edit.text) for run, edit in zip(runs, edits, strict=True)]
        proposed = runner.run(plans, rngs)
        return [
            Proposal(new, -math.inf if edit.text is None or new.dead else self._log_ratio(old, new, edit))
            for old, new, edit in zip(runs, proposed, edits, strict=True)
        ]

    def _log_ratio(self, old: Run, new: Run, edit: _Edited) -> float:
        texts = log_share(len(spelled(old, self.address)), len(spelled(new, self.address)))
        return log_redraw_ratio(old, new) + texts + edit.log_back

    def _edited(self, run: Run, rng: Rng) -> _Edited:
        address = pick_spelled(self, run, self.address, rng)
        choice = run.choices[address]
        assert isinstance(choice.law, Spelled)
        tokens: Tokens = choice.value.tokens
        move = pick(rng, self.moves)
        n_places = len(tokens) + (move == "insert")
        if n_places == 0:
            return _Edited(address, None, -math.inf)
        at = pick(rng, range(n_places))
        left, right = tokens[:at], tokens[at + (move != "insert") :]
        options = self._options(choice.law, left, right)
        log_back = 0.0 if move == "insert" else options.log_mass(tokens[at])
        if log_back == -math.inf or (move != "delete" and not len(options.tokens)):
            return _Edited(address, None, -math.inf)
        middle: Tokens = ()
        if move != "delete":
            middle = (options.draw(rng),)
            log_back -= options.log_mass(middle[0])
        return _Edited(address, _spelled_text(choice.law.process, left + middle + right), log_back)

    def _options(self, law: Spelled, left: Tokens, right: Tokens) -> _Options:
        """The tokens that may be tried between `left` and `right`: a function of these two alone."""
        process = law.process
        state = law.state(left)
        if process.finished(state) is not None:
            return _Options(np.zeros(0, np.int64), np.zeros(0))
        allowed = unpack(process.choice(state).mask, len(process.vocabulary))
        allowed = allowed[~np.isin(allowed, list(process.vocabulary.eos))]
        masses = self._masses(law, state, left, right)[allowed]
        heaviest = np.argsort(-masses, kind="stable")[: self.top]
        fitting = [i for i in heaviest if masses[i] > 0 and _fits(process, state, (int(allowed[i]), *right))]
        return _Options(allowed[fitting], masses[fitting])

    def _masses(self, law: Spelled, state: TextState, left: Tokens, right: Tokens) -> NDArray[np.float64]:
        """What the proposing model says, `(V,)`."""
        if self.proposal is None:
            weighed = law.left_to_right.weigh(law.process, [state])
            return np.asarray(weighed.given.weights[weighed.rows[0]], np.float64)
        n_tokens = len(law.process.vocabulary)
        if isinstance(self.proposal, (MaskedDiffusion, Insertion)):
            _check_vocabulary(self.proposal, law.process)
            law.left_to_right.context.n_evaluations += 1
            return np.exp(_log_masses(self.proposal, left, right)[:n_tokens])
        masses = np.asarray(self.proposal(left, right), np.float64)
        if masses.shape != (n_tokens,) or not (np.isfinite(masses) & (masses >= 0)).all():
            raise InvalidArgument(
                f"EditText: the proposal returned an array of shape {masses.shape}, expected {n_tokens} finite masses"
            )
        return masses


class _Edited(NamedTuple):
    """The text that is proposed (`None`: nothing fits), and log of the chance to undo the edit over that to make it."""

    address: str
    text: Text | None
    log_back: float


class _Options(NamedTuple):
    """Tokens `(n,)` and their masses `(n,)`, not normalised."""

    tokens: NDArray[np.int64]
    masses: NDArray[np.float64]

    def draw(self, rng: Rng) -> int:
        return int(self.tokens[draw(rng, self.masses)])

    def log_mass(self, token: int) -> float:
        """log of the share of `token`; -inf if it is not among them."""
        share = float(self.masses[self.tokens == token].sum()) / float(self.masses.sum()) if len(self.tokens) else 0.0
        return log_or_ninf(share)


def _log_masses(model: MaskedDiffusion | Insertion, left: Tokens, right: Tokens) -> NDArray[np.float64]:
    """log-probabilities `(V,)` of one token between two parts of a text without a prompt."""
    prompt = model.encode("")
    if isinstance(model, MaskedDiffusion):
        marginals: Any = model.marginals([prompt], [(*left, None, *right)])[0]
        return np.asarray(marginals[len(left)], np.float64)
    (step,) = model.insertions([prompt + left + right])
    return np.asarray(step.slots[len(prompt) + len(left)], np.float64)


def _check_vocabulary(model: MaskedDiffusion | Insertion, process: TextProcess) -> None:
    if model.vocabulary.tokens != process.vocabulary.tokens:
        raise InvalidArgument(
            f"EditText: {model.name} and {process.model.name} have different tokens",
            hint="propose by a model with the same tokenizer, or by a function of the tokens left and right",
        )


def _fits(process: TextProcess, state: TextState, tokens: Tokens) -> bool:
    """Whether a text may go on with `tokens` and end there."""
    try:
        for token in tokens:
            if process.finished(state) is not None:
                return False
            state = process.advance(state, token)
    except DeadEnd:
        return False
    if process.finished(state) is not None:
        return True
    choice = process.choice(state)
    ends = choice.stop is not StopMass.NONE
    return ends or bool(np.isin(unpack(choice.mask, len(process.vocabulary)), list(process.vocabulary.eos)).any())


def _spelled_text(process: TextProcess, tokens: Tokens) -> Text | None:
    """The text of some tokens; `None` if the language does not allow them."""
    try:
        return process.text(state_after(process, process.start, tokens))
    except (DeadEnd, UnicodeDecodeError):
        return None
