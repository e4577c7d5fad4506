"""A finite token automaton written out: `delta (Q, C)` over classes of tokens with equal transitions.

Exact inference over positions (masked diffusion, insertion) asks for all transitions of all
states, again and again. A vocabulary of 10^5 tokens has a few hundred classes under
most languages, so tables and messages stay small. States are found breadth first from
the start, one walk of the vocabulary trie each (`class_kernels`): O(Q V) byte steps at worst.
End-of-sequence tokens are the caller's business: the table knows text tokens only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.automata.dfa import LazyDFA
from pgen.automata.layout import FAR
from pgen.automata.nfa import fragment
from pgen.automata.pieces import Fragment
from pgen.automata.reachability import trim
from pgen.errors import InvalidLanguage, LimitExceeded
from pgen.language.base import Language
from pgen.tokens import class_kernels
from pgen.tokens.automaton import TokenAutomaton
from pgen.tokens.lexicon import Lexicon, lexicon_of
from pgen.tokens.special_tokens import check_plain
from pgen.tokens.vocabulary import Vocabulary

Ints = NDArray[np.int32]

MAX_STATES = 4096


@dataclass(frozen=True, eq=False)
class TokenTable:
    """The automaton over text tokens; state 0 is the start.

    `class_of (V,)`: class of each token; class 0 holds what no state allows, special, end and
    empty tokens included. `delta (Q, C)`: the next state, -1 where the class is not allowed
    (class 0 never is). `accepting (Q,)`. `nearest (Q,)`: fewest tokens to acceptance, `FAR` where
    there is no way to it (only in tables of a given length: every other state has one).
    """

    class_of: Ints
    delta: Ints
    accepting: NDArray[np.bool_]
    nearest: Ints
    start: int = 0

    @property
    def n_states(self) -> int:
        """Q."""
        return len(self.delta)

    @property
    def n_classes(self) -> int:
        """C, class 0 included."""
        return int(self.delta.shape[1])


@lru_cache(maxsize=64)
def token_table(automaton: TokenAutomaton, max_states: int = MAX_STATES, length: int | None = None) -> TokenTable:
    """The table of an automaton; cached.

    With `length`, only what texts of up to so many tokens need: states that are farther
    from the start, or from acceptance, have no transitions. So context-free languages,
    which have infinitely many states, have tables too.

    Raises `LimitExceeded` if there are more than `max_states` states.
    """
    check_plain(automaton.language.node, "a table for inference over positions")
    source = _Source(automaton._dfa, automaton._lexicon, automaton.language)
    return _tabulated(source, max_states, length)


@lru_cache(maxsize=64)
def short_table(language: Language, vocabulary: Vocabulary, length: int, max_states: int = MAX_STATES) -> TokenTable:
    """`token_table` with `length` for languages that have no masks over `vocabulary`; cached.

    Masks of context-free languages need a token for every single byte; over a few
    tokens a table finds out by itself which states lead to acceptance. `nearest[0]` is
    `FAR` if none does. Raises `InvalidLanguage` if the language is empty.
    """
    return fragment_table(fragment(language.node), language, vocabulary, length, max_states)


def fragment_table(
    laid: Fragment, language: Language, vocabulary: Vocabulary, length: int, max_states: int = MAX_STATES
) -> TokenTable:
    """`short_table` of a byte automaton that stands in place of that of `language`."""
    check_plain(language.node, "a table for inference over positions")
    lexicon = lexicon_of(vocabulary)
    occurring = np.zeros(256, np.bool_)
    occurring[lexicon.trie.byte[1:]] = True
    dfa = LazyDFA(trim(laid, occurring))
    if dfa.is_empty:
        raise InvalidLanguage(f"no sequence of tokens spells a member of {language!r}")
    return _tabulated(_Source(dfa, lexicon, language), max_states, length)


class _Source(NamedTuple):
    """A byte automaton, the vocabulary to read it with, and what to call it."""

    dfa: LazyDFA
    lexicon: Lexicon
    language: Language


def _tabulated(source: _Source, max_states: int, length: int | None) -> TokenTable:
    explored = _explored(source, max_states, length)
    states, trie, dfa, memory = explored.states, source.lexicon.trie, source.dfa, source.lexicon.memory
    n_tokens = len(source.lexicon.token_start) - 1
    class_of, representatives = np.zeros(n_tokens, np.int32), np.zeros(len(trie.tokens) + 1, np.int32)
    n_classes = class_kernels.classified(explored.signs, trie.tokens, class_of, representatives)
    delta = np.full((len(states), n_classes), -1, np.int32)
    expanded, known = states[: explored.n_expanded], representatives[:n_classes]
    with dfa.lock:
        class_kernels.tabulated(dfa.memory, memory, expanded, known, explored.index_of, delta)
    accepting = dfa.table.accepting[states].astype(np.bool_)
    nearest = np.empty(len(states), np.int32)
    class_kernels.distances(delta, accepting, nearest)
    for array in (class_of, delta, accepting, nearest):
        array.flags.writeable = False
    return TokenTable(class_of, delta, accepting, nearest)


class _Explored(NamedTuple):
    """States in order of discovery, their numbers by state of the automaton, how many were expanded, tokens' signs."""

    states: Ints
    index_of: Ints
    n_expanded: int
    signs: NDArray[np.uint64]


def _explored(source: _Source, max_states: int, length: int | None) -> _Explored:
    dfa, lexicon = source.dfa, source.lexicon
    path, signs = np.zeros(lexicon.max_depth + 1, np.int32), np.zeros((len(lexicon.trie.tokens), 2), np.uint64)
    found = np.zeros(max_states + 1, np.int32)
    found[0], found[1] = 1, dfa.start
    done, level_end, left = 0, 1, FAR if length is None else length
    with dfa.lock:
        index_of = np.full(len(dfa.table.accepting), -1, np.int32)
        index_of[dfa.start] = 0
        while done < found[0] and left > 0:
            bytes_left = min((left - 1) * lexicon.max_depth, FAR)
            index_of = _expanded(source, found[done + 1], bytes_left, path, signs, index_of, found)
            done += 1
            if done == level_end:
                level_end, left = int(found[0]), left - (length is not None)
    return _Explored(found[1 : found[0] + 1].copy(), index_of, done, signs)


def _expanded(
    source: _Source,
    state: int,
    bytes_left: int,
    path: Ints,
    signs: NDArray[np.uint64],
    index_of: Ints,
    found: Ints,
) -> Ints:
    """Walk all tokens from one state; returns `index_of`, longer if the automaton had to grow."""
    dfa, lexicon = source.dfa, source.lexicon
    node, end = 1, len(lexicon.trie.byte)
    while node < end:
        node = class_kernels.relate(dfa.memory, lexicon.memory, state, node, bytes_left, path, signs, index_of, found)
        if node == class_kernels.CROWDED:
            raise _too_large(source.language, len(found) - 1)
        if node < end:
            dfa.grow()
            room = len(dfa.table.accepting) - len(index_of)
            index_of = np.concatenate([index_of, np.full(room, -1, np.int32)])
    return index_of


def _too_large(language: Language, max_states: int) -> LimitExceeded:
    return LimitExceeded(
        f"{language!r} has more than {max_states:,} states over this vocabulary",
        hint="bound its nesting and its counts (maxLength, maxItems, .max_bytes), or allow more states; "
        "left-to-right models need no such table",
    )
