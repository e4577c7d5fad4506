"""Covers: the token sequences behind a byte prefix, and the mass of every next byte.

A cover of a byte string is a token sequence whose bytes begin with it and whose last
token is needed to reach its end. The mass of a prefix is the sum over its covers, and
covers are disjoint events, so next-byte probabilities are ratios of such sums (Phan et
al., "Exact byte-level probabilities from tokenized language models", ICLR 2025).

Covers are kept in groups: `Cover(context, node)` stands for `context` followed by any
token strictly below `node` of the vocabulary's trie (at the root: any token, or the
end). With p the model, the mass of a group is p(context) times the mass of the tokens
below; one byte further the node becomes its child, and each token that ends there
opens a new group at the root. Groups are as many as spellings of the prefix's
prefixes: exponential without pruning. Dropped mass is added up in `log_lost`, so
that the true mass of a prefix lies between what is kept and kept plus lost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.backends.base import Tokens
from pgen.sampling.logspace import log_or_ninf, log_sum_exp
from pgen.tokens import Vocabulary
from pgen.tokens.lexicon import lexicon_of

EOS, OTHER = 256, 257
"""Ids after the 256 bytes: the end, and what is no text (special and empty tokens)."""
ROOT = 0


@lru_cache(maxsize=1)
def byte_vocabulary() -> Vocabulary:
    """256 bytes, the end, and the id that takes the mass of what is no text."""
    return Vocabulary([*(bytes([b]) for b in range(256)), b"<eos>", b"<other>"], eos=EOS, special=OTHER)


class Row(NamedTuple):
    """Next-token probabilities after a context: `masses (T,)` of text tokens in trie order, the end, the rest."""

    masses: NDArray[np.floating[Any]]
    eos: float
    other: float


class Cover(NamedTuple):
    """`context` and then a token strictly below `node`; `log_mass` is that of the context alone."""

    context: Tokens
    node: int
    log_mass: float


class Prefix(NamedTuple):
    """The covers of one byte string; `log_lost` bounds the mass of those that were dropped on the way."""

    covers: tuple[Cover, ...]
    log_lost: float = -math.inf


class _Children(NamedTuple):
    """Of a trie node: bytes and nodes `(n,)`, and where each one's tokens start, counted from the first's."""

    bytes: NDArray[np.int64]
    nodes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    tokens: slice


class CoverTable:
    """Advances prefixes over one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._trie = lexicon_of(vocabulary).trie
        self._text = self._trie.tokens.astype(np.int64)
        self._eos = np.array(sorted(vocabulary.eos), np.int64)
        is_other = np.ones(len(vocabulary), np.bool_)
        is_other[self._text] = is_other[self._eos] = False
        self._other = np.flatnonzero(is_other)
        self._children: dict[int, _Children] = {}

    def row(self, weights: NDArray[np.floating[Any]], total: float) -> Row:
        """The row of unnormalised token weights `(V,)` that sum to `total`."""
        eos = float(weights[self._eos].sum(dtype=np.float64)) / total
        other = float(weights[self._other].sum(dtype=np.float64)) / total
        return Row(weights[self._text] / weights.dtype.type(total), eos, other)

    def next_log_masses(self, prefix: Prefix, rows: Mapping[Tokens, Row]) -> NDArray[np.float64]:
        """`(258,)` log masses of prefix plus byte, of ending there, and of what is no text."""
        masses = np.zeros(258)
        top = max((cover.log_mass for cover in prefix.covers), default=0.0)
        for cover in prefix.covers:
            row, share = rows[cover.context], math.exp(cover.log_mass - top)
            children = self._below(cover.node)
            if len(children.bytes):
                sums = np.add.reduceat(row.masses[children.tokens], children.offsets, dtype=np.float64)
                masses[children.bytes] += share * sums
            if cover.node == ROOT:
                masses[[EOS, OTHER]] += share * row.eos, share * row.other
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(masses) + top, np.float64)

    def advance(self, prefix: Prefix, byte: int, rows: Mapping[Tokens, Row], prune: float) -> Prefix:
        """The covers of one byte more; the smallest are dropped while they hold at most `prune` of the mass."""
        covers: list[Cover] = []
        log_masses: list[float] = []
        for cover in prefix.covers:
            row, children = rows[cover.context], self._below(cover.node)
            (found,) = np.nonzero(children.bytes == byte)
            if not len(found):
                continue
            node = int(children.nodes[found[0]])
            for token, mass in self._ending_at(node, row):
                log_mass = cover.log_mass + log_or_ninf(mass)
                covers.append(Cover((*cover.context, token), ROOT, log_mass))
                log_masses.append(log_mass)
            below = float(row.masses[self._below(node).tokens].sum(dtype=np.float64))
            covers.append(cover._replace(node=node))
            log_masses.append(cover.log_mass + log_or_ninf(below))
        return _pruned(covers, np.array(log_masses), prune, prefix.log_lost)

    def _ending_at(self, node: int, row: Row) -> list[tuple[int, float]]:
        first, last = int(self._trie.first[node]), int(self._trie.first[node + 1])
        return [(int(self._text[place]), float(row.masses[place])) for place in range(first, last)]

    def _below(self, node: int) -> _Children:
        if node not in self._children:
            self._children[node] = self._listed(node)
        return self._children[node]

    def _listed(self, node: int) -> _Children:
        trie, nodes = self._trie, []
        child = node + 1
        while child < trie.end[node]:
            nodes.append(child)
            child = int(trie.end[child])
        start, end = int(trie.first[node + 1]), int(trie.first[trie.end[node]])
        places = np.array(nodes, np.int64)
        return _Children(
            trie.byte[places].astype(np.int64), places, trie.first[places].astype(np.int64) - start, slice(start, end)
        )


def _pruned(covers: Sequence[Cover], log_masses: NDArray[np.float64], prune: float, log_lost: float) -> Prefix:
    kept = [cover for cover, log_mass in zip(covers, log_masses, strict=True) if log_mass > -math.inf]
    if not kept or prune == 0.0:
        return Prefix(tuple(kept), log_lost)
    order = np.argsort(log_masses, kind="stable")
    masses = np.exp(log_masses[order] - log_masses.max())
    n_dropped = int(np.searchsorted(np.cumsum(masses), prune * masses.sum(), side="right"))
    dropped = order[:n_dropped]
    log_lost = float(np.logaddexp(log_lost, log_sum_exp(log_masses[dropped])))
    return Prefix(tuple(covers[i] for i in sorted(order[n_dropped:])), log_lost)
