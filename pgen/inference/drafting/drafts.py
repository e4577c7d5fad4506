"""What inference asks of each kind of text distribution: to draw, score and enumerate its texts.

A draft is a text in the making. A drafter begins drafts and moves them by one step,
many at a time so that model calls are batched; each result says what the step has
earned as a log weight (nats), such that over all random choices
E[weight * 1{text = x}] is the mass of x. There is one drafter a kind and run; it
lives in the run's `Context` and may cache whatever depends on distributions alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, Self, TypeVar

from pgen.errors import CriticError
from pgen.programs.strings import StringDistribution, Text, Tokenization
from pgen.sampling.rng import Rng

if TYPE_CHECKING:
    from pgen.inference.context import Context


class Draft(Protocol):
    """A text in the making. Immutable."""

    @property
    def log_weight(self) -> float:
        """What it has earned since it began, or since it was resampled; -inf for the dead."""
        ...

    def reweighted(self, log_weight: float) -> Self:
        """The same draft with another log weight."""
        ...

    def partial_text(self) -> str:
        """What there is of the text, for messages."""
        ...


class Drawn(NamedTuple):
    """A finished text, and the log weight that its draft had earned, the normaliser of `within` included."""

    text: Text
    log_weight: float


class Enumerated(NamedTuple):
    """Texts with their log masses, and the log of what the rest can weigh at most (-inf: nothing is missing)."""

    texts: list[tuple[Text, float]]
    log_rest: float


DistributionT = TypeVar("DistributionT", bound=StringDistribution)
DraftT = TypeVar("DraftT", bound=Draft)


class Drafter(ABC, Generic[DistributionT, DraftT]):
    """How the texts of one kind of distribution come about; `context` counts the model's evaluations."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @abstractmethod
    def begin(
        self, distributions: Sequence[DistributionT], rngs: Sequence[Rng], lookahead: int
    ) -> list[DraftT | Drawn]:
        """A draft each; `lookahead` bounds the evaluations spent beforehand on all of them together."""

    def least_explored(self) -> float:
        """The least share of a weighed text's mass that is likely to have been explored before its drafts began."""
        return 1.0

    @abstractmethod
    def step(self, drafts: Sequence[DraftT], rngs: Sequence[Rng]) -> list[DraftT | Drawn]:
        """Each draft one step further."""

    @abstractmethod
    def score(self, distribution: DistributionT, text: str, tokenization: Tokenization, tol: float) -> float:
        """log mass of `text` to within `tol` nats; raises `LimitExceeded` where that cannot be had."""

    @abstractmethod
    def enumerate(
        self, distribution: DistributionT, what: str, tolerance: float | None, max_evaluations: int
    ) -> Enumerated:
        """All texts but for a share `tolerance` of the mass (`None`: to rounding).

        Raises `LimitExceeded`, naming `what`, if `max_evaluations` do not suffice.
        """


@contextmanager
def at_sites(addresses: Iterable[str]) -> Iterator[None]:
    """Tell a failing critic which sites were being drawn or scored."""
    try:
        yield
    except CriticError as error:
        error.address = " or ".join(dict.fromkeys(addresses))
        error.add_note(f"at the site {error.address!r}")
        raise


AnyDrafter = Drafter[Any, Any]
