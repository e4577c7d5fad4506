"""Maximal munch as regular languages: what a lexer takes next, given what must not come to pass.

Lark's lexer takes, of the terminals that the parser can use, the first one that matches, in an
order that puts long ones first, and of that the match that `re` finds. So a terminal may end
where it does only if, of the threads that would have been preferred (`threads.py`), none
matches in what follows, however far: those are a *debt*, a set of threads that the rest of
the text must starve. Reading a terminal is a walk from debt to debt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pgen.errors import LimitExceeded
from pgen.language import ir
from pgen.language.grammar.threads import Threads

MAX_READINGS = 200_000
"""States of all lexers together."""

Debt = frozenset[int]
"""Settled threads of which none may ever match."""


@dataclass(frozen=True, slots=True)
class Scanner:
    """What is tried at one place: terminals in order, and for some those with a single text that they give way to."""

    names: tuple[str, ...]
    unless: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Reading:
    """Inside a terminal: the debt, the threads that are preferred to what `matched` here, those of single texts."""

    debt: Debt
    threads: tuple[int, ...]
    texts: tuple[int, ...]
    matched: str | None = None


class Lexers:
    """What scanners take after a debt. `begins` are the states at which each terminal begins."""

    def __init__(self, threads: Threads, begins: Mapping[str, int], ignored: frozenset[str]) -> None:
        self._threads = threads
        self._begins = begins
        self._ignored = ignored
        self._n_readings = 0
        self._known: dict[tuple[Scanner, Debt], dict[tuple[str, Debt], ir.Node]] = {}

    def taken(self, scanner: Scanner, debt: Debt) -> Mapping[tuple[str, Debt], ir.Node]:
        """For each terminal that may come next, and the debt that it leaves: its texts."""
        key = scanner, debt
        if key not in self._known:
            self._known[key] = self._explored(scanner, debt)
        return self._known[key]

    def _explored(self, scanner: Scanner, debt: Debt) -> dict[tuple[str, Debt], ir.Node]:
        texts = dict.fromkeys(name for _, names in scanner.unless for name in names)
        start = _Reading(debt, self._begun(scanner.names), self._begun(texts))
        number, waiting = {start: 0}, [start]
        edges, ends = list[tuple[int, int, int]](), dict[tuple[str, Debt], list[int]]()
        while waiting:
            here = waiting.pop()
            for atom in range(len(self._threads.atoms)):
                reading = self._after(here, atom)
                if reading is None:
                    continue
                if reading not in number:
                    number[reading] = len(number)
                    waiting.append(reading)
                edges.append((number[here], atom, number[reading]))
            self._count(1)
        for reading, state in number.items():
            name = self._name(scanner, reading)
            if name is not None:
                ends.setdefault((name, reading.debt | frozenset(reading.threads)), []).append(state)
        return {end: self._node(edges, states) for end, states in ends.items()}

    def _begun(self, names: Sequence[str] | Mapping[str, None]) -> tuple[int, ...]:
        return self._threads.settled(self._begins[name] for name in names)

    def _count(self, n_readings: int) -> None:
        self._n_readings += n_readings
        if self._n_readings > MAX_READINGS:
            hint = 'use smaller repeat counts in terminals, or lexer="dynamic_complete"'
            raise LimitExceeded(f'lexer="contextual" needs more than {MAX_READINGS:,} states here', hint=hint)

    def _after(self, here: _Reading, atom: int) -> _Reading | None:
        """The reading after one more character; `None` if there is none, or the debt is broken."""
        threads, matched = self._threads, self._threads.matched
        debt = threads.stepped(here.debt, atom)
        if any(state in matched for state in debt):
            return None
        stepped = threads.stepped(here.threads, atom)
        at = next((i for i, state in enumerate(stepped) if state in matched), len(stepped))
        if not stepped:
            return None
        found = matched[stepped[at]] if at < len(stepped) else None
        return _Reading(frozenset(debt), stepped[:at], threads.stepped(here.texts, atom), found)

    def _name(self, scanner: Scanner, reading: _Reading) -> str | None:
        """The terminal that is reported: one with just this text, if the matched one gives way to it.

        What has matched decides whether it is ignored; an ignored one to give way to is an error to the parser.
        """
        found, matched = reading.matched, self._threads.matched
        if found is None or found in self._ignored:
            return found
        whole = {matched[state] for state in reading.texts if state in matched}
        name = next((name for name in dict(scanner.unless).get(found, ()) if name in whole), found)
        return None if name in self._ignored else name

    def _node(self, edges: Sequence[tuple[int, int, int]], ends: Sequence[int]) -> ir.Node:
        sources: dict[int, list[int]] = {}
        for source, _, target in edges:
            sources.setdefault(target, []).append(source)
        useful, waiting = set(ends), list(ends)
        while waiting:
            new = [source for source in sources.get(waiting.pop(), ()) if source not in useful]
            useful.update(new)
            waiting += new
        atoms: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for source, atom, target in edges:
            if target in useful:
                atoms.setdefault((source, target), []).extend(self._threads.atoms[atom])
        return ir.network(((a, ir.normal_ranges(ranges), b) for (a, b), ranges in atoms.items()), [0], ends)
