"""Drafts of `Infill`: those of the distribution inside, whose finished texts get their holes attached."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from pgen.errors import InvalidLanguage
from pgen.inference.drafting.drafts import Draft, Drafter, Drawn, Enumerated
from pgen.programs.infill import Filled, Infill
from pgen.programs.strings import Text, Tokenization
from pgen.programs.template_checks import unspelled
from pgen.sampling.rng import Rng


class InfillDraft(NamedTuple):
    """A draft of `distribution.inner`."""

    distribution: Infill
    inner: Draft

    @property
    def log_weight(self) -> float:
        return self.inner.log_weight

    def reweighted(self, log_weight: float) -> InfillDraft:
        return self._replace(inner=self.inner.reweighted(log_weight))

    def partial_text(self) -> str:
        return self.inner.partial_text()


class InfillDrafter(Drafter[Infill, InfillDraft]):
    """Asks the drafters of the distributions inside; those of one kind are asked together."""

    def begin(self, distributions: Sequence[Infill], rngs: Sequence[Rng], lookahead: int) -> list[InfillDraft | Drawn]:
        begun: dict[int, InfillDraft | Drawn] = {}
        for drafter, indices in self._by_kind(distributions):
            inside = [distributions[i].inner for i in indices]
            share = lookahead * len(indices) // len(distributions)
            with naming_the_hole([distributions[i] for i in indices]):
                found = drafter.begin(inside, [rngs[i] for i in indices], share)
            for i, one in zip(indices, found, strict=True):
                begun[i] = with_holes(distributions[i], one)
        return [begun[i] for i in range(len(distributions))]

    def step(self, drafts: Sequence[InfillDraft], rngs: Sequence[Rng]) -> list[InfillDraft | Drawn]:
        moved: dict[int, InfillDraft | Drawn] = {}
        for drafter, indices in self._by_kind([draft.distribution for draft in drafts]):
            inside = [drafts[i].inner for i in indices]
            for i, one in zip(indices, drafter.step(inside, [rngs[i] for i in indices]), strict=True):
                moved[i] = with_holes(drafts[i].distribution, one)
        return [moved[i] for i in range(len(drafts))]

    def score(self, distribution: Infill, text: str, tokenization: Tokenization, tol: float) -> float:
        with naming_the_hole([distribution]):
            return self.context.drafter(distribution.inner).score(distribution.inner, text, tokenization, tol)

    def enumerate(self, distribution: Infill, what: str, tolerance: float | None, max_evaluations: int) -> Enumerated:
        drafter = self.context.drafter(distribution.inner)
        with naming_the_hole([distribution]):
            found = drafter.enumerate(distribution.inner, what, tolerance, max_evaluations)
        texts = [(filled(distribution, text), log_mass) for text, log_mass in found.texts]
        return Enumerated(list(texts), found.log_rest)

    def _by_kind(self, distributions: Sequence[Infill]) -> list[tuple[Any, list[int]]]:
        kinds: dict[int, tuple[Any, list[int]]] = {}
        for i, distribution in enumerate(distributions):
            drafter = self.context.drafter(distribution.inner)
            kinds.setdefault(id(drafter), (drafter, []))[1].append(i)
        return list(kinds.values())


@contextmanager
def naming_the_hole(distributions: Sequence[Infill]) -> Iterator[None]:
    """Where a language cannot be spelled, raise what names the hole that is to blame, if one is."""
    try:
        yield
    except InvalidLanguage as error:
        for each in distributions:
            inner: Any = each.inner  # of any kind, all of which have a model
            blamed = unspelled(each.template, inner.model.vocabulary)
            if blamed is not None:
                raise blamed from error
        raise


def with_holes(distribution: Infill, one: Draft | Drawn) -> InfillDraft | Drawn:
    """A draft of the distribution inside as one of `distribution`, or its finished text with the holes."""
    if not isinstance(one, Drawn):
        return InfillDraft(distribution, one)
    return one if one.log_weight == -math.inf else one._replace(text=filled(distribution, one.text))


def filled(distribution: Infill, text: Text) -> Filled:
    """A text of the template with what stands in its holes."""
    return text if isinstance(text, Filled) else Filled.of(text, distribution.template.parse(text))
