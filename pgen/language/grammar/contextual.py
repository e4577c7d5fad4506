"""`lexer="contextual"`: the texts that Lark's LALR parser reads, as context-free rules.

Lark parts a text into terminals before it parses, each as long as it can be (`munch.py`), out
of those that the parser's state expects. That makes a smaller language, still context-free:
a *place* is the parser's state after the last terminal, which says what the lexer tries,
and the debt of that terminal. A rule of the grammar, begun in a state of the parser and at
a place, ends at one of several places, and becomes one rule for each: the product of
Bar-Hillel, Perles and Shamir (1961), with the LR(0) states as in DeRemer and Pennello
(1982), found top down as in Earley's parser. Alternatives are sequences of symbols.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pgen.errors import LimitExceeded, PgenError, UnsupportedFeature
from pgen.language import ir
from pgen.language.grammar.munch import Debt, Lexers, Scanner
from pgen.language.grammar.tables import Tables, tables
from pgen.language.grammar.threads import Threads
from pgen.language.grammar.tokens import Source
from pgen.language.regex import syntax as regexes
from pgen.language.regex.parser import parse

MAX_ITEMS = 300_000

TreeOf = Callable[[str], "regexes.Tree | None"]
"""The syntax tree that pgen has for a terminal of the grammar, by its name."""


class Place(NamedTuple):
    """Between terminals: the parser's state after the last one, and the debt that is left."""

    state: int
    debt: Debt


class Part(NamedTuple):
    """A rule as it is begun: in a state of the parser, and at a place."""

    name: str
    state: int
    place: Place


class Item(NamedTuple):
    """In alternative `option` of a part, `at` symbols have been read, which led to a state and a place."""

    part: Part
    option: int
    at: int
    state: int
    place: Place


def contextual(source: Source, start: str, folder: Path | None, tree_of: TreeOf) -> ir.Node:
    """The node of a grammar under maximal munch.

    Raises `UnsupportedFeature` where Lark has no LALR(1) parser for it, or a terminal looks
    around; `LimitExceeded` where there are too many places.
    """
    with warnings.catch_warnings():
        # `re`, which Lark uses, warns of expressions that it may read in another way some day.
        warnings.simplefilter("ignore", FutureWarning)
        found = tables(source, start, folder)
        return _Product(found, _lexers(found, tree_of)).whole(start)


def _lexers(found: Tables, tree_of: TreeOf) -> Lexers:
    threads, begins = Threads(), dict[str, int]()
    for name, expression in found.expressions.items():
        try:
            begins[name] = _laid(threads, name, parse(expression), tree_of)
        except PgenError as error:
            said = f'lexer="contextual": {error.message} (terminal {name})'
            raise type(error)(said, hint=error.hint or "write the terminal without it") from None
    return Lexers(threads, begins, found.ignored)


def _laid(threads: Threads, name: str, tree: regexes.Tree, tree_of: TreeOf) -> int:
    try:
        return threads.lay(tree, name)
    except UnsupportedFeature:
        own = tree_of(name)
        if own is None:
            raise
        return threads.lay(own, name)


class _Product:
    def __init__(self, found: Tables, lexers: Lexers) -> None:
        self._tables, self._lexers = found, lexers
        self._scanners = [found.scanner(state) for state in range(len(found.shifts))]
        self._exits: dict[Part, dict[Place, None]] = {}
        self._callers: dict[Part, list[Item]] = defaultdict(list)
        self._before: dict[Item, dict[tuple[Item, ir.Node], None]] = {}
        self._waiting: list[Item] = []
        self._rules: dict[str, ir.Node] = {}
        self._names: dict[object, ir.Ref] = {}
        self._known: dict[Place, dict[tuple[str, Debt], ir.Node]] = {}

    def whole(self, start: str) -> ir.Node:
        """The texts of the start, with what is ignored around them."""
        first = Place(self._tables.start, frozenset())
        top = Part(start, self._tables.start, first)
        self._explore(top)
        for part, exits in self._exits.items():
            for exit_ in exits:
                self._rules[self._ref(part, exit_).name] = self._body(part, exit_)
        node = ir.union(*(ir.concat(self._ref(top, exit_), self._trailing(exit_)) for exit_ in self._exits[top]))
        return ir.recursive("", {"": node, **self._rules})

    def _ref(self, *key: object) -> ir.Ref:
        said = key[0].name if isinstance(key[0], Part) else "ignored"
        return self._names.setdefault(key, ir.Ref(f"{said} #{len(self._names)}"))

    # Which items there are

    def _explore(self, top: Part) -> None:
        self._enter(top)
        while self._waiting:
            item = self._waiting.pop()
            symbols = self._tables.rules[item.part.name][item.option]
            if item.at == len(symbols):
                self._leave(item.part, item.place)
            elif symbols[item.at] in self._tables.rules:
                self._call(item, Part(symbols[item.at], item.state, item.place))
            else:
                self._read(item, symbols[item.at])

    def _enter(self, part: Part) -> None:
        if part not in self._exits:
            self._exits[part] = {}
            for option in range(len(self._tables.rules[part.name])):
                self._meet(Item(part, option, 0, part.state, part.place))

    def _meet(self, item: Item, before: Item | None = None, node: ir.Node = ir.EPSILON) -> None:
        if item not in self._before:
            self._before[item] = {}
            self._waiting.append(item)
            if len(self._before) > MAX_ITEMS:
                hint = 'use lexer="dynamic_complete", the exact context-free language'
                raise LimitExceeded(f'lexer="contextual" needs more than {MAX_ITEMS:,} places in rules', hint=hint)
        if before is not None:
            self._before[item][before, node] = None

    def _leave(self, part: Part, place: Place) -> None:
        if place not in self._exits[part]:
            self._exits[part][place] = None
            for caller in self._callers[part]:
                self._return(caller, part, place)

    def _call(self, item: Item, part: Part) -> None:
        self._callers[part].append(item)
        self._enter(part)
        for place in list(self._exits[part]):
            self._return(item, part, place)

    def _return(self, item: Item, part: Part, place: Place) -> None:
        state = self._tables.shifts[item.state][part.name]
        self._meet(item._replace(at=item.at + 1, state=state, place=place), item, self._ref(part, place))

    def _read(self, item: Item, terminal: str) -> None:
        state = self._tables.shifts[item.state][terminal]
        for (name, debt), node in self._terminals(item.place).items():
            if name == terminal:
                after = Place(self._same(state), debt)
                self._meet(item._replace(at=item.at + 1, state=state, place=after), item, node)

    def _same(self, state: int) -> int:
        """The first state in which the lexer tries the same."""
        return self._first_like[self._scanners[state]]

    @cached_property
    def _first_like(self) -> Mapping[Scanner, int]:
        return {scanner: state for state, scanner in reversed(list(enumerate(self._scanners)))}

    # What they are as nodes

    def _body(self, part: Part, exit_: Place) -> ir.Node:
        """The union of the ways to an exit, from the end to the beginning."""
        known: dict[Item, ir.Node] = {}
        return ir.union(*(self._ways(item, known) for item in self._finished[part, exit_]))

    @cached_property
    def _finished(self) -> Mapping[tuple[Part, Place], list[Item]]:
        found: dict[tuple[Part, Place], list[Item]] = defaultdict(list)
        for item in self._before:
            if item.at == len(self._tables.rules[item.part.name][item.option]):
                found[item.part, item.place].append(item)
        return found

    def _ways(self, item: Item, known: dict[Item, ir.Node]) -> ir.Node:
        if item.at == 0:
            return ir.EPSILON
        if item not in known:
            ways = (ir.concat(self._ways(before, known), node) for before, node in self._before[item])
            known[item] = ir.union(*ways)
        return known[item]

    def _terminals(self, place: Place) -> Mapping[tuple[str, Debt], ir.Node]:
        """What can be read at a place, after what is ignored there."""
        if place not in self._known:
            ways: dict[tuple[str, Debt], list[ir.Node]] = defaultdict(list)
            for debt in self._reach(place):
                gap = self._gap(place, debt)
                for (name, after), node in self._taken(Place(place.state, debt)).items():
                    if name not in self._tables.ignored:
                        ways[name, after].append(ir.concat(gap, node))
            self._known[place] = {end: ir.union(*nodes) for end, nodes in ways.items()}
        return self._known[place]

    def _taken(self, place: Place) -> Mapping[tuple[str, Debt], ir.Node]:
        return self._lexers.taken(self._scanners[place.state], place.debt)

    def _skipped(self, place: Place) -> Mapping[Debt, ir.Node]:
        """One ignored terminal, by the debt that it leaves."""
        ways: dict[Debt, list[ir.Node]] = defaultdict(list)
        for (name, debt), node in self._taken(place).items():
            if name in self._tables.ignored:
                ways[debt].append(node)
        return {debt: ir.union(*nodes) for debt, nodes in ways.items()}

    def _reach(self, place: Place) -> list[Debt]:
        """The debts that ignored terminals can lead to, itself first."""
        found = {place.debt: None}
        for debt in (waiting := [place.debt]):
            new = [after for after in self._skipped(Place(place.state, debt)) if after not in found]
            found |= dict.fromkeys(new)
            waiting += new
        return list(found)

    def _gap(self, place: Place, debt: Debt) -> ir.Node:
        """The ignored terminals between two debts, a rule that ends with itself."""
        name = self._ref("gap", place, debt).name
        if name not in self._rules:
            self._rules[name] = ir.EMPTY
            ways = [
                ir.concat(node, self._gap(Place(place.state, after), debt))
                for after, node in self._skipped(place).items()
                if debt in self._reach(Place(place.state, after))
            ]
            self._rules[name] = ir.union(*([ir.EPSILON] if place.debt == debt else []), *ways)
        return ir.Ref(name)

    def _trailing(self, place: Place) -> ir.Node:
        return ir.union(*(self._gap(place, debt) for debt in self._reach(place)))
