"""The part of a token automaton that texts of a bounded number of tokens can visit.

A context-free language with unbounded nesting has infinitely many states, but with at
most n tokens only those count with (fewest tokens from the start) + (fewest to
acceptance) <= n. Runs of members of at most n tokens stay among them, so that gaps and
budgets worked out on this part are exact. Breadth first, one mask a state.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgen.errors import LimitExceeded
from pgen.sampling.token_step import unpack
from pgen.tokens import TokenAutomaton
from pgen.tokens.classes import MAX_STATES, TokenTable

DEAD = -1


def bounded_table(automaton: TokenAutomaton, n_tokens: int, max_states: int = MAX_STATES) -> TokenTable:
    """The table of the states that members of at most `n_tokens` tokens visit.

    Raises `LimitExceeded` if they are more than `max_states`.
    """
    states, rows = _explored(automaton, n_tokens, max_states)
    columns = np.full((len(automaton.vocabulary), len(states)), DEAD, np.int32)  # (V, Q)
    for number, targets in enumerate(rows):
        for token, target in targets:
            columns[token, number] = target
    classes, class_of = np.unique(
        np.vstack([np.full((1, len(states)), DEAD, np.int32), columns]), axis=0, return_inverse=True
    )
    # Class 0 is that of the tokens that no state allows; no other column sorts before it.
    accepting = np.array([automaton.is_accepting(state) for state in states])
    nearest = np.array([automaton.distance_to_accept(state) for state in states], np.int32)
    return TokenTable(class_of.ravel()[1:].astype(np.int32), np.ascontiguousarray(classes.T), accepting, nearest)


def _explored(
    automaton: TokenAutomaton, n_tokens: int, max_states: int
) -> tuple[list[int], list[list[tuple[int, int]]]]:
    """States by depth, and of each its (token, number of the next state) pairs."""
    states, numbers = [automaton.start], {automaton.start: 0}
    depths, rows = [0], list[list[tuple[int, int]]]()
    eos = automaton.vocabulary.eos
    for state in states:
        depth = depths[len(rows)]
        row = []
        for token in _tokens(automaton, state, n_tokens - depth):
            if token in eos:
                continue
            after = automaton.advance(state, token)
            if after not in numbers:
                if len(states) >= max_states:
                    raise _too_many(automaton, n_tokens, max_states)
                numbers[after] = len(states)
                states.append(after)
                depths.append(depth + 1)
            row.append((token, numbers[after]))
        rows.append(row)
    return states, rows


def _tokens(automaton: TokenAutomaton, state: int, left: int) -> list[int]:
    if left <= 0:
        return []
    mask: NDArray[np.uint32] = automaton.mask(state, budget=left)
    tokens: list[int] = unpack(mask, len(automaton.vocabulary)).tolist()
    return tokens


def _too_many(automaton: TokenAutomaton, n_tokens: int, max_states: int) -> LimitExceeded:
    return LimitExceeded(
        f"the members of {automaton.language!r} of at most {n_tokens} tokens visit more than {max_states:,} states",
        hint="lower max_tokens, or bound the nesting of the language",
    )
