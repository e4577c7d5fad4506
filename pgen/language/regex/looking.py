"""Expressions that look around anywhere, in repeats and backwards too, as automata.

`^ $ \\b (?=...) (?!...) (?<=...) (?<!...)` are facts about a position. What looks back depends on the
text before: automata of `.*B` that run along, determinised, know it. What looks ahead depends on the text
behind: the automata of `A.*`, reversed and determinised, know it if they read from the end, so a text is
read from the left with a guess of their state at each position, which the next character confirms or not
(one guess of all is right). The product of the expression with both is regular; its size is bounded by
`MAX_STATES` (the expression's, times those of what looks around).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import abc
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain

from pgen.language import ir
from pgen.language.regex.sights import MAX_STATES, Condition, Graph, too_large
from pgen.language.regex.syntax import Tree

Sets = tuple[frozenset[int], ...]
"""The states of some automata, one set for each."""
Facts = tuple[bool, ...]
"""Which of several things are seen."""


def looking_around(tree: Tree, pattern: str) -> ir.Node:
    """The texts that `tree` matches completely, as a network. Raises `LimitExceeded` and `UnsupportedFeature`."""
    graph = Graph(pattern)
    start, end = graph.new(), graph.new()
    graph.lay(tree, start, end, ahead=False, behind=False)
    return _Product(graph, start, end).network()


class _Product:
    """The product of the expression, from `start` to `end`, with what is seen before and behind each position."""

    def __init__(self, graph: Graph, start: int, end: int) -> None:
        self.graph, self.start, self.end = graph, start, end
        self._reached_from: dict[tuple[int, Facts, Facts], frozenset[int]] = {}
        self.cuts = sorted({0, *(cut for low, high in self._ranges() for cut in (low, high + 1))})
        self.symbols = self._symbols()
        self.n_symbols = max(self.symbols) + 1
        self.moves = [[(self._covered(ranges), target) for ranges, target in steps] for steps in graph.steps]

    def _ranges(self) -> Iterator[tuple[int, int]]:
        return chain.from_iterable(ranges for steps in self.graph.steps for ranges, _ in steps)

    def _symbols(self) -> list[int]:
        """The symbol of the characters from each cut on: those that no step tells apart share one."""
        edges = list({ranges: None for steps in self.graph.steps for ranges, _ in steps})
        inside: list[list[int]] = [[] for _ in self.cuts]
        for number, ranges in enumerate(edges):
            for low, high in ranges:
                for cut in range(self._cut(low), self._cut(high) + 1):
                    inside[cut].append(number)
        numbers: dict[tuple[int, ...], int] = {}
        return [numbers.setdefault(tuple(found), len(numbers)) for found in inside]

    def _cut(self, code: int) -> int:
        return bisect_right(self.cuts, code) - 1

    def _covered(self, ranges: ir.Ranges) -> frozenset[int]:
        return frozenset(self.symbols[c] for low, high in ranges for c in range(self._cut(low), self._cut(high) + 1))

    def characters(self, symbols: Iterable[int]) -> ir.Ranges:
        """The characters of some symbols."""
        wanted, ends = set(symbols), [*self.cuts[1:], ir.MAX_CODE_POINT + 1]
        return tuple((a, b - 1) for a, b, s in zip(self.cuts, ends, self.symbols, strict=True) if s in wanted)

    # What is seen before a position: sets of states, forwards.

    @cached_property
    def before(self) -> dict[Sets, list[Sets]]:
        """What may be seen before a position, the start first, each with what is seen after each symbol."""
        first = self._seen_before([{begin} for begin, _ in self.graph.behinds])
        found, waiting = dict[Sets, list[Sets]](), [first]
        for here in waiting:
            if here not in found:
                found[here] = [self._seen_before(self._stepped(here, symbol)) for symbol in range(self.n_symbols)]
                waiting += found[here]
                _check(len(found))
        return found

    def _stepped(self, here: Sets, symbol: int) -> list[set[int]]:
        """The states one character on, and the begin of each, where it may begin anew."""
        return [
            {begin, *(target for state in states for covered, target in self.moves[state] if symbol in covered)}
            for states, (begin, _) in zip(here, self.graph.behinds, strict=True)
        ]

    def _seen_before(self, sets: list[set[int]]) -> Sets:
        """The sets with what jumps lead to; inner ones come first, and outer ones ask for them."""
        seen: list[bool] = []
        done = []
        for states, (_, end) in zip(sets, self.graph.behinds, strict=True):
            done.append(self._reached(states, (), seen))
            seen.append(end in done[-1])
        return tuple(done)

    def _reached(self, states: Iterable[int], ahead: abc.Sequence[bool], behind: abc.Sequence[bool]) -> frozenset[int]:
        """The states that jumps lead to, by what is seen."""
        found = set(states)
        waiting = list(found)
        while waiting:
            for condition, target in self.graph.jumps[waiting.pop()]:
                if target not in found and _holds(condition, ahead, behind):
                    found.add(target)
                    waiting.append(target)
        return frozenset(found)

    # What is seen behind a position: sets of states, backwards, given what is seen before it.

    @cached_property
    def backwards(self) -> tuple[list[list[tuple[int, int]]], list[list[tuple[int, Condition]]]]:
        """Steps and jumps by their targets: (step's source, its number there), (jump's source, its condition)."""
        steps: list[list[tuple[int, int]]] = [[] for _ in self.graph.steps]
        jumps: list[list[tuple[int, Condition]]] = [[] for _ in self.graph.steps]
        for source, moves in enumerate(self.moves):
            for number, (_, target) in enumerate(moves):
                steps[target].append((source, number))
        for source, found in enumerate(self.graph.jumps):
            for condition, target in found:
                jumps[target].append((source, condition))
        return steps, jumps

    def _seen_behind(self, after: Sets | None, symbol: int, behind: Facts) -> Sets:
        """The states from which the text behind leads to an end; `after`: those one character on."""
        steps, jumps = self.backwards
        done: list[frozenset[int]] = []
        seen: list[bool] = []
        for number, (begin, end) in enumerate(self.graph.aheads):
            found = {end}
            for target in after[number] if after is not None else ():
                found.update(s for s, which in steps[target] if symbol in self.moves[s][which][0])
            waiting = list(found)
            while waiting:
                for source, condition in jumps[waiting.pop()]:
                    if source not in found and _holds(condition, seen, behind):
                        found.add(source)
                        waiting.append(source)
            done.append(frozenset(found))
            seen.append(begin in found)
        return tuple(done)

    @cached_property
    def behind(self) -> dict[Sets, dict[tuple[int, Facts], Sets]]:
        """What may be seen behind a position, each with what is seen a symbol earlier, by what is seen before that."""
        facts = {self._facts_before(here) for here in self.before}
        found = dict[Sets, dict[tuple[int, Facts], Sets]]()
        waiting = [self._seen_behind(None, 0, known) for known in facts]
        for here in waiting:
            if here not in found:
                found[here] = {
                    (symbol, known): self._seen_behind(here, symbol, known)
                    for symbol in range(self.n_symbols)
                    for known in facts
                }
                waiting += found[here].values()
                _check(len(found))
        return found

    def _facts_before(self, here: Sets) -> Facts:
        return tuple(end in states for states, (_, end) in zip(here, self.graph.behinds, strict=True))

    def _facts_behind(self, here: Sets) -> Facts:
        return tuple(begin in states for states, (begin, _) in zip(here, self.graph.aheads, strict=True))

    def network(self) -> ir.Node:
        """All that together."""
        first = next(iter(self.before))
        starts = [(self.start, first, guess) for guess in self.behind]
        numbers = {state: number for number, state in enumerate(starts)}
        edges: dict[tuple[int, int], list[int]] = {}
        ends = []
        for state in (waiting := list(starts)):
            if self._may_end(state):
                ends.append(numbers[state])
            for symbol, following in self._following(state):
                if following not in numbers:
                    numbers[following] = len(numbers)
                    waiting.append(following)
                edges.setdefault((numbers[state], numbers[following]), []).append(symbol)
            _check(len(numbers) + len(edges) // 8)
        kept = _useful(edges, ends)
        useful = {edge: tuple(sorted(symbols)) for edge, symbols in edges.items() if kept.issuperset(edge)}
        ranges = {symbols: self.characters(symbols) for symbols in set(useful.values())}
        rows = ((a, ranges[symbols], b) for (a, b), symbols in useful.items())
        return ir.network(rows, [number for number in range(len(starts)) if number in kept], ends)

    def _may_end(self, state: tuple[int, Sets, Sets]) -> bool:
        """Whether a text may end here: its guess is what is seen behind the end."""
        place, seen, guess = state
        right = self._seen_behind(None, 0, self._facts_before(seen))
        return guess == right and self.end in self._around(place, seen, guess)

    def _following(self, state: tuple[int, Sets, Sets]) -> Iterator[tuple[int, tuple[int, Sets, Sets]]]:
        """What a symbol leads to: another place, what is seen before it, and each guess that agrees with this one."""
        place, seen, guess = state
        known = self._facts_before(seen)
        for inner in self._around(place, seen, guess):
            for covered, target in self.moves[inner]:
                for symbol in covered:
                    for later in self.earlier.get((guess, symbol, known), ()):
                        yield symbol, (target, self.before[seen][symbol], later)

    @cached_property
    def earlier(self) -> dict[tuple[Sets, int, Facts], list[Sets]]:
        """What may be seen behind a position, by what is seen a symbol earlier, the symbol, and what is before that."""
        found: dict[tuple[Sets, int, Facts], list[Sets]] = {}
        for later, sets in self.behind.items():
            for (symbol, known), here in sets.items():
                found.setdefault((here, symbol, known), []).append(later)
        return found

    def _around(self, place: int, seen: Sets, guess: Sets) -> frozenset[int]:
        """The places that jumps lead to."""
        key = place, self._facts_before(seen), self._facts_behind(guess)
        if key not in self._reached_from:
            self._reached_from[key] = self._reached([place], key[2], key[1])
        return self._reached_from[key]


def _holds(condition: Condition, ahead: abc.Sequence[bool], behind: abc.Sequence[bool]) -> bool:
    if condition is None:
        return True
    is_ahead, number, negated = condition
    return (ahead if is_ahead else behind)[number] != negated


def _useful(edges: Iterable[tuple[int, int]], ends: list[int]) -> set[int]:
    """The states from which an end can be reached."""
    sources: dict[int, list[int]] = {}
    for source, target in edges:
        sources.setdefault(target, []).append(source)
    kept = set(ends)
    waiting = list(ends)
    while waiting:
        for source in sources.get(waiting.pop(), ()):
            if source not in kept:
                kept.add(source)
                waiting.append(source)
    return kept


def _check(count: int) -> None:
    if count > MAX_STATES:
        raise too_large()
