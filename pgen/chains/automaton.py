"""A language over the positions of a canvas: a deterministic automaton whose edges carry sets of token classes.

States are those of a `TokenTable` and one more, *ended*: an end-of-sequence token leads
there from where the text is a member, and every token leads on. So a canvas of known length
holds texts of any length up to it, and what follows the first end is summed over. Where the places of
ends are settled, ends are of class 0, which no open position draws, and count where they are committed.

Edges: M[s, s'] sums over the classes that lead from s to s'. Equal sets of classes recur
(every state of a counted repeat has the same), so an edge names its set, a *label*, whose
mass is added up once a position. Cost of one sweep: O(sum of label sizes + edges) a position.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pgen.tokens.classes import TokenTable
from pgen.tokens.vocabulary import Vocabulary

Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges by source, and labels as lists of classes, both in CSR form; label `whole` (or -1) holds every class."""

    start: Ints  # (S + 1,)
    target: Ints  # (E,)
    label: Ints  # (E,)
    label_start: Ints  # (K + 1,)
    label_class: Ints  # (sum of sizes,)
    whole: int


@dataclass(frozen=True, eq=False)
class PositionAutomaton:
    """`delta (S, C)` over token classes (-1: no way), `class_of (V,)`, `final (S,)`, `nearest (S,)` positions to final.

    Deterministic: each canvas has one run, so masses count canvases, not runs. State
    `ended` is absorbing; the states before it are those of the table it came from.
    """

    class_of: Ints
    delta: Ints
    final: NDArray[np.bool_]
    nearest: Ints
    ended: int
    start: int = 0

    @property
    def n_states(self) -> int:
        """S, the state `ended` included."""
        return len(self.delta)

    @property
    def n_classes(self) -> int:
        """C."""
        return int(self.delta.shape[1])

    @cached_property
    def edges(self) -> Edges:
        """The edges of `delta`."""
        return _edges(self.delta)

    @cached_property
    def successors(self) -> NDArray[np.uint64]:
        """`(S, ceil(S / 64))`: bit t % 64 of word t // 64 says whether a class leads to state t."""
        n_words = -(-self.n_states // 64)
        bits = np.zeros((self.n_states, 64 * n_words), np.bool_)
        source, _ = np.nonzero(self.delta >= 0)
        bits[source, self.delta[self.delta >= 0]] = True
        return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)

    @cached_property
    def tokens_by_class(self) -> tuple[Ints, Ints]:
        """`(C + 1,)` bounds and `(V,)` token ids, class by class, ascending."""
        order = np.argsort(self.class_of, kind="stable").astype(np.int32)
        bounds = np.searchsorted(self.class_of[order], np.arange(self.n_classes + 1)).astype(np.int32)
        return bounds, order

    @lru_cache(maxsize=64)  # noqa: B019 (automata are cached themselves and few)
    def support(self, length: int, start: int) -> tuple[Ints, Ints]:
        """For each of `length + 1` places, the states that a canvas can be in and still end well: bounds and states."""
        rows, here = [], np.zeros(self.n_states, np.bool_)
        here[start] = True
        for place in range(length + 1):
            here &= self.nearest <= length - place
            rows.append(np.flatnonzero(here).astype(np.int32))
            targets = self.delta[here]
            here = np.zeros(self.n_states, np.bool_)
            here[targets[targets >= 0]] = True
        return np.cumsum([0, *map(len, rows)]).astype(np.int32), np.concatenate(rows)

    @lru_cache(maxsize=64)  # noqa: B019
    def within(self, length: int) -> NDArray[np.bool_]:
        """`(S,)`: the states from which `length` more positions can be filled and end well."""
        alive = self.final.copy()
        for _ in range(length):
            drawn = self.delta[:, 1:]
            alive = np.asarray(((drawn >= 0) & alive[drawn]).any(axis=1), np.bool_)
        return alive


@lru_cache(maxsize=64)
def canvas_automaton(table: TokenTable, vocabulary: Vocabulary, *, open_ends: bool = True) -> PositionAutomaton:
    """The automaton of the canvases whose text, up to the first end-of-sequence token, is in the table's language.

    Without `open_ends`, an end-of-sequence token stands only where it is committed from the beginning.
    """
    n_states, n_classes = table.delta.shape
    class_of, end = table.class_of.copy(), n_classes if open_ends else 0
    class_of[sorted(vocabulary.eos)] = end
    delta = np.full((n_states + 1, n_classes + 1), -1, np.int32)
    delta[:-1, :-1] = table.delta
    delta[:-1, end] = np.where(table.accepting & bool(vocabulary.eos), n_states, -1)
    delta[-1] = n_states
    final = np.append(table.accepting, True)
    return PositionAutomaton(class_of, delta, final, np.append(table.nearest, 0).astype(np.int32), ended=n_states)


def _edges(delta: Ints) -> Edges:
    order = np.argsort(delta, axis=1, kind="stable").astype(np.int32)
    labels: dict[bytes, int] = {}
    counts, target, label = [0], [], []
    for state, classes in enumerate(order):
        row = delta[state, classes]
        borders = np.flatnonzero(np.diff(row, prepend=-1))
        for first, last in pairwise([*borders, len(row)]):
            target.append(row[first])
            label.append(labels.setdefault(np.sort(classes[first:last]).tobytes(), len(labels)))
        counts.append(len(target))
    members = [np.frombuffer(key, np.int32) for key in labels]
    sizes = [len(classes) for classes in members]
    return Edges(
        start=np.array(counts, np.int32),
        target=np.array(target, np.int32),
        label=np.array(label, np.int32),
        label_start=np.cumsum([0, *sizes]).astype(np.int32),
        label_class=np.concatenate([*members, np.zeros(0, np.int32)]),
        whole=sizes.index(delta.shape[1]) if delta.shape[1] in sizes else -1,
    )
