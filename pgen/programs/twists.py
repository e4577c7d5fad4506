"""Twists: guesses of how much mass an unfinished text is still worth.

A twist psi is a positive function of prefixes. Tokens are drawn in proportion to p(v) psi(after v)
and a draft carries psi of where it stands, which it gives back when it ends; so every positive
function leaves the weighted law unchanged (Naesseth et al., "Elements of sequential Monte Carlo",
2019, section 3.2), and the perfect one, the expected weight of the completions, makes all
weights equal. `bind` makes a twist ready for one text; what it returns sees states of that text's process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pgen.chains.byte_hmm import ByteHMM
from pgen.chains.byte_ngram import ByteNgram
from pgen.chains.lookahead import lookahead, token_bytes
from pgen.errors import InvalidArgument
from pgen.language.base import late

if TYPE_CHECKING:
    from pgen.programs.process import TextProcess, TextState


class BoundTwist(Protocol):
    """A twist for the states of one process; all log values must be finite."""

    def log_at(self, state: TextState) -> float:
        """log psi of an unfinished text, in nats."""
        ...

    def log_after(self, state: TextState, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """`(n,)`: what shapes the draw of the next token.

        log psi after each of `tokens (n,)`, or zeros where that is too much work.
        """
        ...


@runtime_checkable
class Twist(Protocol):
    """A hashable value that guides texts: `text.guided(twist)`."""

    def bind(self, process: TextProcess) -> BoundTwist:
        """The twist for one text; raises where it does not fit."""
        ...


class Foresight:
    """What a small model of bytes expects within the language (`pgen.chains.lookahead`)."""

    def __init__(self, model: ByteNgram | ByteHMM, process: TextProcess) -> None:
        language = late("pgen.programs.process:guided_language")(process.distribution)
        self._ahead: Any = lookahead(language, model, process.rule)
        self._vocabulary = process.vocabulary

    def log_at(self, state: TextState) -> float:
        """log of the mass that the small model expects to be completed."""
        return float(self._ahead.log_at(self._position(state)))

    def log_after(self, state: TextState, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """The same after each token, `(n,)`."""
        after = self._ahead.log_after(self._position(state), token_bytes(self._vocabulary))
        return np.asarray(after[tokens], np.float64)

    def _position(self, state: TextState) -> Any:
        return self._ahead.advance(self._ahead.start, self._vocabulary.decode(state.tokens))


def bound_twist(guide: ByteNgram | ByteHMM | Twist, process: TextProcess) -> BoundTwist:
    """A guide made ready for one text."""
    if isinstance(guide, (ByteNgram, ByteHMM)):
        return Foresight(guide, process)
    if not isinstance(guide, Twist):
        raise InvalidArgument(
            f"guided takes a pgen.ByteNgram, a pgen.ByteHMM or a twist, got {type(guide).__name__}",
            hint="a twist has bind(process), see pgen.programs.twists",
        )
    return guide.bind(process)
