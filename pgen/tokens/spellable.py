"""From which NFA states can *tokens* reach acceptance? (Bytes can, from every state of a trimmed automaton.)

Where every byte is a token of its own the answer is all. Otherwise: first the states
with a path of single-byte tokens (linear); for the others, walk the whole vocabulary
from each and propagate backwards over the token edges found. A DFA state is live iff
one of its members is, because running a token distributes over the set. Context-free
languages need single-byte tokens for every byte that tokens hold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgen.automata.dfa import LazyDFA
from pgen.automata.layout import FULL
from pgen.automata.reachability import UNREACHABLE, Trimmed
from pgen.errors import UnsupportedFeature
from pgen.tokens import budget_kernels
from pgen.tokens.lexicon import Lexicon


def live_states(trimmed: Trimmed, farthest: NDArray[np.int32], lexicon: Lexicon) -> NDArray[np.uint8]:
    """`(n,)` flags over the states of a trimmed fragment; `farthest` are its distances in single-byte tokens."""
    live = farthest < UNREACHABLE
    if live.all():
        return live.astype(np.uint8)
    if len(trimmed.fragment.begins):
        raise UnsupportedFeature(
            "this vocabulary spells parts of this context-free language by tokens of several bytes only",
            hint="use a vocabulary that has every byte of the language as a token of its own",
        )
    dfa = LazyDFA(trimmed)
    sources: list[int] = []
    reached: list[int] = []
    for state in np.flatnonzero(~live):
        members = {
            int(m) for target in token_targets(dfa, lexicon, dfa.entered(int(state))) for m in dfa.members(target)
        }
        sources += [int(state)] * len(members)
        reached += members
    return _propagated(live, np.array(sources, np.int64), np.array(reached, np.int64)).astype(np.uint8)


def _propagated(live: NDArray[np.bool_], sources: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    while True:
        grown = live.copy()
        grown[sources[live[targets]]] = True
        if (grown == live).all():
            return live
        live = grown


def token_targets(dfa: LazyDFA, lexicon: Lexicon, state: int) -> list[int]:
    """The distinct states that single tokens lead to from `state`, live or not."""
    path = np.zeros(lexicon.max_depth + 1, np.int32)
    reached = np.zeros(len(lexicon.trie.byte) + 1, np.int32)
    with dfa.lock:
        while budget_kernels.targets(dfa.memory, lexicon.memory, state, path, reached) == FULL:
            dfa.grow()
    return list(dict.fromkeys(reached[1 : reached[0] + 1].tolist()))
