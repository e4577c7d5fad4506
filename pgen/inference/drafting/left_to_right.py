"""Drafts of left-to-right models: the prefix tree explored so far, then the masked model, token by token.

The weight of a draft is the tree's mass where it begins times the masses allowed at
every later step, so it is proper whatever the tree has explored. Equal prefixes in
one call are evaluated once.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pgen.errors import InvalidArgument
from pgen.inference.context import Context
from pgen.inference.drafting import critical_step, scoring
from pgen.inference.drafting.critical_step import Tally
from pgen.inference.drafting.drafts import Drafter, Drawn, Enumerated
from pgen.inference.drafting.prefix_tree import PrefixTree, Stratum, Weighed
from pgen.inference.drafting.proposals import Proposals
from pgen.programs.process import TextProcess, TextState
from pgen.programs.strings import Text, Tokenization
from pgen.programs.text import TextDistribution
from pgen.sampling.rng import Rng
from pgen.sampling.token_step import DEAD, STOP, Choice, step
from pgen.sampling.token_step import Drawn as Drawing

UNLIKELY = 1.0
"""Drafts that may be expected beyond the explored part of a tree when the look-ahead ends early."""


class TokenDraft(NamedTuple):
    """The tokens so far, in `state`; `log_weight` is what they have earned, `log_norm` the normaliser."""

    process: TextProcess
    state: TextState
    log_weight: float
    log_norm: float
    log_potential: float = 0.0
    """The part of `log_weight` that critics gave to the tokens so far, to be traded for the next."""
    log_survival: float = 0.0
    """The part of `log_potential` that stands for what is expected to be left of the mass at the end."""

    def reweighted(self, log_weight: float) -> TokenDraft:
        return TokenDraft(self.process, self.state, log_weight, self.log_norm, self.log_potential, self.log_survival)

    def judged(self, log_potential: float) -> TokenDraft:
        """The same draft after the critics have changed their mind."""
        earned = self.log_weight + log_potential - self.log_potential
        return self._replace(log_weight=earned, log_potential=log_potential)

    def partial_text(self) -> str:
        data: bytes = self.process.vocabulary.decode(self.state.tokens)
        return data.decode(errors="replace")


class LeftToRight(Drafter[TextDistribution, TokenDraft]):
    """Compiled processes and prefix trees of one run, and the drafts that use them."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._processes: dict[TextDistribution, TextProcess] = {}
        self._trees: dict[TextDistribution, PrefixTree] = {}
        self._tallies: defaultdict[TextProcess, Tally] = defaultdict(Tally)
        self._least_explored = 1.0
        self._following: dict[tuple[TextProcess, int, int], int] = {}
        """The automaton state after a token that leaves a draft unfinished and unjudged, whatever came before."""
        self._proposals = Proposals(self.weigh_many)

    def begin(
        self, distributions: Sequence[TextDistribution], rngs: Sequence[Rng], lookahead: int
    ) -> list[TokenDraft | Drawn]:
        """Stratified starts: the drafts of one tree share its mass out in equal parts, rotated at random.

        The rotation makes every draft's own law the tree's, so that weights stay proper.
        """
        trees = [self.tree(distribution) for distribution in distributions]
        self._explore(trees, lookahead)
        weighed = [tree for tree in trees if not tree.process.distribution.is_free]
        self._least_explored = min([self._least_explored, *(tree.likely_explored for tree in weighed)])
        begun: dict[int, TokenDraft | Drawn] = {}
        for indices in _grouped(range(len(trees)), lambda i: id(trees[i])):
            count = len(indices)
            uniform = rngs[indices[0]].uniform(lambda n=count: np.arange(1, n + 1) / n) if count > 1 else 0.0  # type: ignore[misc]
            rotation = int(uniform * count)
            for rank, i in enumerate(indices):
                begun[i] = self._begin(distributions[i], rngs[i], Stratum((rank + rotation) % count, count))
        return [begun[i] for i in range(len(trees))]

    def least_explored(self) -> float:
        return self._least_explored

    def step(self, drafts: Sequence[TokenDraft], rngs: Sequence[Rng]) -> list[TokenDraft | Drawn]:
        groups = _sharing(drafts)
        if len(groups) == 1:
            return self._stepped(drafts, rngs)
        moved: dict[int, TokenDraft | Drawn] = {}
        for indices in groups:
            stepped = self._stepped([drafts[i] for i in indices], [rngs[i] for i in indices])
            moved.update(zip(indices, stepped, strict=True))
        return [moved[i] for i in range(len(drafts))]

    def _stepped(self, drafts: Sequence[TokenDraft], rngs: Sequence[Rng]) -> list[TokenDraft | Drawn]:
        """One step of drafts that can be weighed in one call."""
        weighed = self.weigh_many([(draft.process, draft.state) for draft in drafts])
        drawn = self._draw(drafts, weighed, rngs)
        log_weights = [
            draft.log_weight + earned for draft, earned in zip(drafts, drawn.log_weights.tolist(), strict=True)
        ]
        return list(self._extended(drafts, drawn.tokens.tolist(), log_weights))

    def _draw(self, drafts: Sequence[TokenDraft], weighed: Weighed, rngs: Sequence[Rng]) -> Drawing:
        """Tokens and log weights: under predicates one draft at a time, otherwise all in one kernel call."""
        if not any(critical_step.is_needed(process) for process in {draft.process for draft in drafts}):
            return step(weighed.given, weighed.rows, _choices(drafts), rngs)
        n_sharing = Counter((draft.process, row) for draft, row in zip(drafts, weighed.rows, strict=True))
        pairs = zip(drafts, weighed.rows, strict=True)
        listed = [critical_step.candidates(draft.process, draft.state, weighed.given, row) for draft, row in pairs]
        drawn = []
        for found, row, rng in zip(self._proposals.apply(listed), weighed.rows, rngs, strict=True):
            process = found.process
            if self._proposals.walks(process):
                drawn.append(self._proposals.walk(found, rng))
                continue
            shared, tally = n_sharing[process, row], self._tallies[process]
            drawn.append(critical_step.draw(found, rng, process.distribution.proposal, tally, shared))
        return Drawing(np.array([token for token, _ in drawn]), np.array([log_weight for _, log_weight in drawn]))

    def score(self, distribution: TextDistribution, text: str, tokenization: Tokenization, tol: float) -> float:
        process, log_norm = self.process(distribution), self.log_normalizer(distribution)
        if tokenization == "canonical":
            log_mass, n_evaluations = scoring.canonical_log_mass(process, text)
            self.context.n_evaluations += n_evaluations
            return log_mass - log_norm
        if tokenization != "all":
            raise InvalidArgument(f"tokenization={tokenization!r}: expected 'all' or 'canonical'")
        return scoring.total_log_mass(process, self.weigh, text, tol) - log_norm

    def enumerate(
        self, distribution: TextDistribution, what: str, tolerance: float | None, max_evaluations: int
    ) -> Enumerated:
        log_norm, tree = self.log_normalizer(distribution), self.tree(distribution)
        tree.certify(what, tolerance, tree.n_evaluations + max_evaluations)
        return Enumerated([(leaf.text, leaf.log_mass - log_norm) for leaf in tree.leaves], tree.log_frontier - log_norm)

    def process(self, distribution: TextDistribution) -> TextProcess:
        """The compiled process of a distribution (its normaliser plays no part)."""
        key = _unnormalized(distribution)
        if key not in self._processes:
            self._processes[key] = TextProcess(key)
            self._processes[key].on_evaluation = self._count
        return self._processes[key]

    def tree(self, distribution: TextDistribution) -> PrefixTree:
        """The prefix tree of a distribution; it grows as callers expand it."""
        key = _unnormalized(distribution)
        if key not in self._trees:
            self._trees[key] = PrefixTree(self.process(distribution), self.weigh)
        return self._trees[key]

    def log_normalizer(self, distribution: TextDistribution) -> float:
        """log mass of the language of `.within`, 0 without one; certified, else `LimitExceeded`."""
        if distribution.normalizer is None:
            return 0.0
        counted = distribution.critics[: distribution.n_normalized]
        tree = self.tree(replace(distribution, language=distribution.normalizer, critics=counted))
        tree.certify(f"the mass of .within({distribution.normalizer!r})")
        return tree.log_found

    def weigh(self, process: TextProcess, states: Sequence[TextState]) -> Weighed:
        """Probabilities after each state; all of one process shape."""
        return self.weigh_many([(process, state) for state in states])

    def weigh_many(self, requests: Sequence[tuple[TextProcess, TextState]]) -> Weighed:
        """Like `weigh`, for processes that share model, temperature and truncation."""
        process = requests[0][0]
        index: dict[tuple[int, ...], int] = {}
        rows = [index.setdefault(owner.prefix(state), len(index)) for owner, state in requests]
        blocks = [process.model.next_logits(block) for block in _blocks(index, self.context.batch_size)]
        self.context.n_evaluations += len(index)
        return Weighed(process.weigh(np.concatenate(blocks) if len(blocks) > 1 else blocks[0]), rows)

    def _count(self, n_evaluations: int) -> None:
        self.context.n_evaluations += n_evaluations

    def _explore(self, trees: Sequence[PrefixTree], lookahead: int) -> None:
        """Spend the look-ahead on the trees, shared evenly, until no draft is likely to find anything new."""
        n_drafts = Counter(map(id, trees))
        for tree in {id(tree): tree for tree in trees}.values():
            left = max(0, lookahead // len(n_drafts) - tree.n_evaluations)
            tree.explore(left, UNLIKELY / n_drafts[id(tree)])

    def _begin(self, distribution: TextDistribution, rng: Rng, stratum: Stratum) -> TokenDraft | Drawn:
        log_norm = self.log_normalizer(distribution)
        start = self.tree(distribution).draw(rng, stratum)
        draft = TokenDraft(self.process(distribution), start.state, start.log_weight, log_norm)
        if start.text is not None:
            return _finished(draft, start.text)
        draft = draft._replace(log_survival=start.log_survival)
        return draft.judged(draft.process.log_potential(draft.state) + draft.log_survival)

    def _extended(
        self, drafts: Sequence[TokenDraft], tokens: Sequence[int], log_weights: Sequence[float]
    ) -> Iterator[TokenDraft | Drawn]:
        """The drafts after one more outcome each; `log_weights` is what they have earned with it."""
        following = self._following
        for draft, token, log_weight in zip(drafts, tokens, log_weights, strict=True):
            process, state, _, log_norm, log_potential, log_survival = draft
            automaton = following.get((process, state.automaton, token))
            if automaton is None:
                yield self._decided(draft, token, log_weight)
                continue
            after = TextState((*state.tokens, token), automaton)
            yield TokenDraft(process, after, log_weight, log_norm, log_potential, log_survival)

    def _decided(self, draft: TokenDraft, token: int, log_weight: float) -> TokenDraft | Drawn:
        """One draft after one more outcome, which may be its end."""
        process = draft.process
        if token == DEAD:
            return draft.reweighted(-math.inf)
        if token == STOP or process.ends(token):
            return _finished(draft.reweighted(log_weight), process.text(draft.state))
        state = process.advance(draft.state, token)
        after = TokenDraft(process, state, log_weight, draft.log_norm, draft.log_potential, draft.log_survival)
        text = process.finished(state)
        if text is not None:
            return _finished(after, text)
        if process.has_potential:
            return after.judged(process.log_potential(state) + draft.log_survival)
        if not process.free and not process.distribution.stop:
            self._following[process, draft.state.automaton, token] = state.automaton
        return after


def _unnormalized(distribution: TextDistribution) -> TextDistribution:
    return distribution if distribution.normalizer is None else replace(distribution, normalizer=None)


def _sharing(drafts: Sequence[TokenDraft]) -> list[list[int]]:
    """Indices of the drafts that can be weighed in one call, by model and process shape."""
    different = {id(draft.process): draft.process for draft in drafts}
    if len(different) == 1:
        return [list(range(len(drafts)))]
    kinds = {key: (id(process.model), *process.shape) for key, process in different.items()}
    return _grouped(range(len(drafts)), lambda i: kinds[id(drafts[i].process)])


def _choices(drafts: Sequence[TokenDraft]) -> list[Choice]:
    """What each may do next; it depends on its automaton state and its number of tokens alone."""
    known: dict[tuple[int, int, int], Choice] = {}
    choices = []
    for process, state, *_ in drafts:
        key = id(process), state.automaton, len(state.tokens)
        if key not in known:
            known[key] = process.choice(state)
        choices.append(known[key])
    return choices


def _finished(draft: TokenDraft, text: Text) -> TokenDraft | Drawn:
    judged = draft.judged(draft.process.log_final(text))
    if judged.log_weight == -math.inf:
        return judged
    return Drawn(text, judged.log_weight - judged.log_norm)


def _blocks(prefixes: Iterable[tuple[int, ...]], size: int) -> list[list[tuple[int, ...]]]:
    ordered = list(prefixes)
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]


def _grouped(indices: Iterable[int], key: Callable[[int], object]) -> list[list[int]]:
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for index in indices:
        groups[key(index)].append(index)
    return list(groups.values())
