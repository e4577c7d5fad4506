"""Insertion and infilling by brute force: random byte automata, and completions searched one by one.

Nothing of the engine is used; a byte automaton is `(delta (Q, 256) with -1 for dead, accepting)`.
"""

from __future__ import annotations

import itertools
import random
from collections import deque
from typing import NamedTuple

import numpy as np

LETTERS = b"abc"


class ByteAutomaton(NamedTuple):
    """State 0 is the start."""

    delta: dict[tuple[int, int], int]
    accepting: frozenset[int]
    n_states: int

    def run(self, state: int, data: bytes) -> int:
        """The state after some bytes, -1 if it dies."""
        for byte in data:
            state = self.delta.get((state, byte), -1)
        return state

    def accepts(self, data: bytes) -> bool:
        """Whether these bytes are a member."""
        return self.run(0, data) in self.accepting


class Table(NamedTuple):
    """What `pgen.tokens.classes.TokenTable` holds, made without it."""

    class_of: np.ndarray
    delta: np.ndarray
    accepting: np.ndarray


def random_automaton(choose: random.Random, acyclic: bool = False) -> ByteAutomaton:
    """Two to six states; an acyclic one only leads upwards."""
    size = choose.randint(2, 6)
    delta = {}
    for state in range(size):
        for byte in LETTERS:
            low = state + 1 if acyclic else 0
            if low < size and choose.random() < 0.6:
                delta[state, byte] = choose.randrange(low, size)
    accepting = frozenset(s for s in range(size) if choose.random() < 0.35)
    return ByteAutomaton(delta, accepting or frozenset({size - 1}), size)


def random_tokens(choose: random.Random) -> list[bytes]:
    """One to four tokens of one to three letters, often without all the single letters, perhaps one twice."""
    pieces = [bytes(p) for n in (1, 2, 3) for p in itertools.product(LETTERS, repeat=n)]
    return [choose.choice(pieces[:3] if choose.random() < 0.5 else pieces) for _ in range(choose.randint(1, 4))]


def token_table(automaton: ByteAutomaton, tokens: list[bytes]) -> Table:
    """Classes and transitions over tokens; states from which no tokens lead to acceptance are dead."""
    live = {s for s in range(automaton.n_states) if _reaches(automaton, tokens, s)}
    columns, class_of = [], []
    for token in tokens:
        targets = [automaton.run(s, token) for s in range(automaton.n_states)]
        column = tuple(t if t in live else -1 for t in targets)
        if column not in columns:
            columns.append(column)
        class_of.append(columns.index(column))
    delta = np.array(columns, np.int32).T
    accepting = np.array([s in automaton.accepting for s in range(automaton.n_states)])
    return Table(np.array(class_of), np.ascontiguousarray(delta), accepting)


def _reaches(automaton: ByteAutomaton, tokens: list[bytes], state: int) -> bool:
    queue, seen = deque([state]), {state}
    while queue:
        at = queue.popleft()
        if at in automaton.accepting:
            return True
        for after in (automaton.run(at, token) for token in tokens):
            if after >= 0 and after not in seen:
                seen.add(after)
                queue.append(after)
    return False


def fewest_insertions(automaton: ByteAutomaton, tokens: list[bytes], sequence: tuple[int, ...]) -> int | None:
    """The fewest tokens to insert anywhere into a sequence to make it a member, by search over all insertions."""
    queue, seen = deque([(0, 0, 0)]), {(0, 0)}
    while queue:
        state, at, inserted = queue.popleft()
        if at == len(sequence) and state in automaton.accepting:
            return inserted
        steps = [(automaton.run(state, token), at, inserted + 1) for token in tokens]
        if at < len(sequence):
            steps.append((automaton.run(state, tokens[sequence[at]]), at + 1, inserted))
        for after, position, cost in sorted(steps, key=lambda step: step[2]):
            if after >= 0 and (after, position) not in seen:
                if cost == inserted:
                    queue.appendleft((after, position, cost))
                else:
                    queue.append((after, position, cost))
        seen.add((state, at))
    return None


def fewest_by_enumeration(
    automaton: ByteAutomaton, tokens: list[bytes], sequence: tuple[int, ...], longest: int
) -> int | None:
    """The same, from all token sequences of at most `longest` tokens that are members."""
    for size in range(len(sequence), longest + 1):
        for member in itertools.product(range(len(tokens)), repeat=size):
            if is_subsequence(sequence, member) and automaton.accepts(b"".join(tokens[t] for t in member)):
                return size - len(sequence)
    return None


def is_subsequence(part: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether `part` is left when some items of `whole` are dropped."""
    rest = iter(whole)
    return all(item in rest for item in part)
