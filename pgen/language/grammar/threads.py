"""Regular expressions as machines of ordered threads: which match a backtracking matcher finds, not only which texts.

The states of Thompson's construction, their ways in order of preference, so that the first
thread to match is the match that Python's `re` finds (Pike's virtual machine; Cox, "Regular
expression matching: the virtual machine approach", 2009). Characters are parted into
*atoms*, the classes that no expression tells apart; a state steps on a set of them, kept
as the bits of an int.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise

from pgen.errors import LimitExceeded, UnsupportedFeature
from pgen.language import ir
from pgen.language.regex import syntax as regexes

MAX_STATES = 50_000

_SAID = {
    regexes.Ahead: "a lookahead",
    regexes.Behind: "a lookbehind",
    regexes.Boundary: "a word boundary",
    regexes.Start: "an anchor",
    regexes.End: "an anchor",
}


class Threads:
    """Machines side by side, one for each expression that is laid down; states are ints.

    `matched[state]` is the name of the expression that ends there, `next_of[state]` where a
    character leads from a state that waits for one. All others lead on by themselves.
    """

    def __init__(self) -> None:
        self.matched: dict[int, str] = {}
        self.next_of: dict[int, int] = {}
        self._ranges: dict[int, ir.Ranges] = {}
        self._ways: dict[int, Sequence[int]] = {}
        self._n_states = 0

    def lay(self, tree: regexes.Tree, name: str) -> int:
        """The state at which an expression begins. Raises `UnsupportedFeature` for what looks around."""
        end = self._new()
        self.matched[end] = name
        return self._laid(tree, end)

    def _new(self) -> int:
        self._n_states += 1
        if self._n_states > MAX_STATES:
            hint = "use smaller repeat counts in the terminals"
            raise LimitExceeded(f"the terminals need more than {MAX_STATES:,} states of a lexer", hint=hint)
        return self._n_states

    def _laid(self, tree: regexes.Tree, then: int) -> int:
        """The state from which `tree` leads to `then`."""
        match tree:
            case regexes.Text(text):
                for char in reversed(text):
                    then = self._character(((ord(char), ord(char)),), then)
                return then
            case regexes.Charset(ranges):
                return self._character(ranges, then)
            case regexes.Words(texts):
                return self._choice([self._laid(regexes.Text(text), then) for text in texts])
            case regexes.Sequence(items):
                for item in reversed(items):
                    then = self._laid(item, then)
                return then
            case regexes.Alternation(branches):
                return self._choice([self._laid(branch, then) for branch in branches])
            case regexes.Repeated():
                return self._repeated(tree, then)
        what = tree.what if isinstance(tree, regexes.NotRegular) else _SAID[type(tree)]
        raise UnsupportedFeature(f"{what} in a terminal")

    def _character(self, ranges: ir.Ranges, then: int) -> int:
        state = self._new()
        self._ranges[state], self.next_of[state] = ranges, then
        return state

    def _choice(self, ways: Sequence[int]) -> int:
        state = self._new()
        self._ways[state] = ways
        return state

    def _repeated(self, tree: regexes.Repeated, then: int) -> int:
        def again_or(again: int, on: int) -> list[int]:
            return [on, again] if tree.lazy else [again, on]

        if tree.high is None:
            loop = self._new()
            self._ways[loop] = again_or(self._laid(tree.item, loop), then)
            state = loop
        else:
            state = then
            for _ in range(tree.high - tree.low):
                state = self._choice(again_or(self._laid(tree.item, state), then))
        for _ in range(tree.low):
            state = self._laid(tree.item, state)
        return state

    def settled(self, states: Iterable[int]) -> tuple[int, ...]:
        """What the states lead to by themselves, in order: those that wait for a character or match, each once."""
        found, met, waiting = list[int](), set[int](), [*states][::-1]
        while waiting:
            state = waiting.pop()
            if state in met:
                continue
            met.add(state)
            if state in self._ways:
                waiting += reversed(self._ways[state])
            else:
                found.append(state)
        return tuple(found)

    def stepped(self, states: Iterable[int], atom: int) -> tuple[int, ...]:
        """The settled states after one character out of an atom, in order."""
        return self.settled(self.next_of[s] for s in states if s in self.next_of and self._masks[s] >> atom & 1)

    @cached_property
    def atoms(self) -> list[ir.Ranges]:
        """The characters of each atom; to be asked for when all expressions are laid."""
        borders: dict[int, dict[ir.Ranges, None]] = {}
        for ranges in dict.fromkeys(self._ranges.values()):
            for low, high in ranges:
                borders.setdefault(low, {})[ranges] = None
                borders.setdefault(high + 1, {})[ranges] = None
        members = dict[frozenset[ir.Ranges], list[tuple[int, int]]]()
        inside, points = frozenset[ir.Ranges](), sorted(borders)
        for low, after in pairwise(points):
            inside ^= frozenset(borders[low])
            if inside:
                members.setdefault(inside, []).append((low, after - 1))
        self._inside = {group: number for number, group in enumerate(members)}
        return [tuple(ranges) for ranges in members.values()]

    @cached_property
    def _masks(self) -> dict[int, int]:
        """The atoms on which each state steps."""
        self.atoms  # noqa: B018
        bits: dict[ir.Ranges, int] = {}
        for group, number in self._inside.items():
            for ranges in group:
                bits[ranges] = bits.get(ranges, 0) | 1 << number
        return {state: bits.get(ranges, 0) for state, ranges in self._ranges.items()}
