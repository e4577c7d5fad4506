"""What one inference run shares: drafters with their caches, known scores, and the count of model evaluations.

Everything here is a cache or a counter; a result never depends on the batch size.
"""

from __future__ import annotations

from pgen.inference.budget import Account, Budget
from pgen.inference.drafting.drafts import AnyDrafter
from pgen.language.base import late
from pgen.programs.strings import StringDistribution


class Context:
    """Caches of one run; `n_evaluations` counts distinct inputs sent to models, at most `batch_size` in a call.

    Counting raises `BudgetSpent` once the budget, if there is one, is used up.
    """

    def __init__(self, batch_size: int = 64, budget: Budget | None = None) -> None:
        self.batch_size = batch_size
        self.account = Account(budget or Budget())
        self._n_evaluations = 0
        self._drafters: dict[str, AnyDrafter] = {}
        self._scores: dict[object, float] = {}

    def drafter(self, distribution: StringDistribution) -> AnyDrafter:
        """The drafter of a distribution's kind."""
        name = distribution.drafter
        if name not in self._drafters:
            self._drafters[name] = late(name)(self)
        return self._drafters[name]

    @property
    def n_evaluations(self) -> int:
        """Distinct inputs sent to models so far."""
        return self._n_evaluations

    @n_evaluations.setter
    def n_evaluations(self, count: int) -> None:
        self._n_evaluations = count
        self.account.check(count)

    @property
    def affordable(self) -> float:
        """Evaluations that the budget still allows; inf without one."""
        return self.account.left(self._n_evaluations)

    @property
    def least_explored(self) -> float:
        """The least explored share of a text's mass when its drafts began, as far as it is known (`Drafter`)."""
        return min((drafter.least_explored() for drafter in self._drafters.values()), default=1.0)

    def remember(self, key: object, value: float) -> float:
        """Store a score and return it."""
        self._scores[key] = value
        return value

    def recall(self, key: object) -> float | None:
        """A score stored before."""
        return self._scores.get(key)
