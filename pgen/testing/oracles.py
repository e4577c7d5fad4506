"""Slow, independent definitions of what pgen computes: brute force over token sequences.

`text_masses` restates the semantics of a text distribution (see
`pgen.programs.process`) with nothing but `pgen.testing.derivatives` and loops: no
automaton, no mask, no kernel is shared with the code under test.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from pgen.backends.tabular import TabularAR
from pgen.language import ir
from pgen.programs.text import TextDistribution
from pgen.testing import derivatives
from pgen.tokens import Vocabulary


def random_model(vocabulary: Vocabulary, seed: int, concentration: float = 0.5, context_length: int = 64) -> TabularAR:
    """A tabular model whose rows are Dirichlet draws, a pure function of `(seed, tokens)`."""

    def next_logprobs(tokens: tuple[int, ...]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        generator = np.random.default_rng([seed, len(tokens), *tokens])
        row = generator.dirichlet(np.full(len(vocabulary), concentration)) + 1e-6
        log_probs: np.ndarray[tuple[int], np.dtype[np.float64]] = np.log(row / row.sum())
        return log_probs

    return TabularAR(vocabulary, next_logprobs, context_length=context_length)


class Viability:
    """Whether some token sequence leads from a language (a derivative) to acceptance; memoised."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._text_ids = list(vocabulary.text_ids)
        self._known: dict[ir.Node, bool] = {}

    def after(self, node: ir.Node, token: int) -> ir.Node:
        """The derivative of `node` by a token's bytes."""
        for byte in self._vocabulary.tokens[token]:
            node = derivatives.derivative(node, byte)
        return node

    def __call__(self, node: ir.Node) -> bool:
        """Search the token graph from `node`, breadth first."""
        if node not in self._known:
            self._known[node] = self._search(node)
        return self._known[node]

    def _search(self, node: ir.Node) -> bool:
        seen, queue = {node}, [node]
        while queue:
            here = queue.pop()
            if derivatives.nullable(here):
                return True
            for token in self._text_ids:
                following = self.after(here, token)
                if following not in seen and following != ir.EMPTY:
                    seen.add(following)
                    queue.append(following)
        return False

    def continuations(self, node: ir.Node) -> dict[int, ir.Node]:
        """Allowed text tokens and where they lead: the mask without EOS, by definition."""
        reached = {token: self.after(node, token) for token in self._text_ids}
        return {token: following for token, following in reached.items() if self(following)}


def text_masses(distribution: TextDistribution, max_tokens: int) -> Mapping[str, float]:
    """text -> mass under `distribution` (unnormalised), by summing over all token sequences of at most `max_tokens`.

    Temperature, truncation and normalisers are not covered. Where texts are longer
    than `max_tokens`, give the distribution the same limit.
    """
    search = _Search(distribution, max_tokens)
    node = ir.ANY_TEXT if distribution.language is None else distribution.language.node
    search.visit((), node, 1.0)
    facts = () if distribution.language is None else distribution.language.residual
    return {text: mass for text, mass in search.masses.items() if all(fact.holds(text) for fact in facts)}


class _Search:
    def __init__(self, distribution: TextDistribution, max_tokens: int) -> None:
        self.distribution = distribution
        self.max_tokens = max_tokens
        self.vocabulary: Vocabulary = distribution.model.vocabulary
        self.viable = Viability(self.vocabulary)
        self.masses: defaultdict[str, float] = defaultdict(float)

    def visit(self, tokens: tuple[int, ...], node: ir.Node, mass: float) -> None:
        """Pay what ends after `tokens` and go on; `mass` is the model's mass of `tokens`."""
        data = b"".join(self.vocabulary.tokens[t] for t in tokens)
        rule, free = self.distribution.end_rule, self.distribution.language is None
        if rule == "stop":
            found = [data.find(stop.encode()) for stop in self.distribution.stop]
            cuts = [at for at in found if at >= 0]
            if cuts:
                self._pay(data[: min(cuts)], mass)
                return
        if free and len(tokens) == self.max_tokens:
            self.masses[data.decode(errors="replace")] += mass
            return
        row = np.exp(self.distribution.model.next_logits([self.distribution.prompt + tokens])[0])
        allowed = self.viable.continuations(node)
        if derivatives.nullable(node):
            self._pay_ending(data, mass, row, allowed)
        self._go_on(tokens, node, mass, row, allowed)

    def _pay_ending(self, data: bytes, mass: float, row: np.ndarray, allowed: Mapping[int, ir.Node]) -> None:
        rule = self.distribution.end_rule
        ending = {
            "eos": sum(row[t] for t in self.vocabulary.eos),
            "stop": sum(row[t] for t in self.vocabulary.eos),
            "match": 1.0 - math.fsum(row[t] for t in allowed),
            "prefix": 1.0,
        }[rule]
        self._pay(data, mass * float(ending))

    def _go_on(
        self,
        tokens: tuple[int, ...],
        node: ir.Node,
        mass: float,
        row: np.ndarray,
        allowed: Mapping[int, ir.Node],
    ) -> None:
        stop_rule = self.distribution.end_rule == "stop"
        if len(tokens) >= self.max_tokens + stop_rule:
            return
        # Under a stop string tokens may leave the language (the stop is not part of it).
        following = {t: self.viable.after(node, t) for t in self.vocabulary.text_ids} if stop_rule else allowed
        for token, after in following.items():
            self.visit((*tokens, token), after, mass * float(row[token]))

    def _pay(self, data: bytes, mass: float) -> None:
        language = self.distribution.language
        whole = ir.ANY_TEXT if language is None else language.node
        if derivatives.matches(whole, data):
            self.masses[data.decode()] += mass
