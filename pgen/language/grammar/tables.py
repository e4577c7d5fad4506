"""Lark's own view of a grammar: its rules without operators, its terminals in order, its LALR(1) table.

Which terminals a contextual lexer tries depends on the states of the parser that Lark
builds, on names that it makes up, and on the lengths of the expressions that it puts
together. So these come from Lark itself, through its analysis of the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pgen.errors import UnsupportedFeature
from pgen.language.base import late
from pgen.language.grammar import syntax
from pgen.language.grammar.munch import Scanner
from pgen.language.grammar.tokens import Source

_HINT = 'write what Lark\'s LALR parser takes, or use lexer="dynamic_complete", the exact context-free language'
END = "$END"
MAX_ALTERNATIVES = 20_000
_REPEATS_BY_RULES = 50
"""How often something may come for Lark to make helping rules of it."""


@dataclass(frozen=True, slots=True)
class Tables:
    """`rules[name]` are its alternatives, `shifts[state][symbol]` where symbols lead, `expected[state]` its lookaheads.

    `expressions` are the terminals that rules use or the grammar ignores, as Python's `re` reads them.
    """

    start: int
    rules: Mapping[str, Sequence[Sequence[str]]]
    shifts: Sequence[Mapping[str, int]]
    expected: Sequence[frozenset[str]]
    ignored: frozenset[str]
    expressions: Mapping[str, str]
    _terminals: Mapping[str, Any]

    def scanner(self, state: int) -> Scanner:
        """What Lark's contextual lexer tries in a state of the parser."""
        names = (self.expected[state] | self.ignored) & self._terminals.keys()
        terminals = sorted((self._terminals[name] for name in names), key=_order)
        unless, embedded = dict[str, tuple[str, ...]](), set[str]()
        for outer in (terminal for terminal in terminals if terminal.pattern.type == "re"):
            texts = [text for text in terminals if text.pattern.type == "str" and _gives_way(outer, text)]
            if texts:
                unless[outer.name] = tuple(text.name for text in texts)
            embedded |= {text.name for text in texts if text.pattern.flags <= outer.pattern.flags}
        return Scanner(tuple(t.name for t in terminals if t.name not in embedded), tuple(unless.items()))


def _order(terminal: Any) -> tuple[int, int, int, str]:
    pattern = terminal.pattern
    return -terminal.priority, -pattern.max_width, -len(pattern.value), terminal.name


def _gives_way(outer: Any, text: Any) -> bool:
    """Whether a terminal, where it matches `text`, is taken for that one."""
    found = re.match(outer.pattern.to_regexp(), text.pattern.value)
    return outer.priority == text.priority and found is not None and found[0] == text.pattern.value


def check_distribution(source: Source, document: syntax.Document) -> None:
    """Raise `LimitExceeded` for rules with too many alternatives, once those inside brackets are multiplied out."""
    for definition in document.definitions:
        if not syntax.is_terminal(definition.name) and _n_alternatives(definition.body) > MAX_ALTERNATIVES:
            message = f'lexer="contextual": rule {definition.name} has more than {MAX_ALTERNATIVES:,} alternatives'
            hint = "Lark multiplies out what stands inside brackets: give inner parts rules of their own"
            raise source.too_much(message, definition.position, hint)


def _n_alternatives(expression: syntax.Expression) -> int:
    """How many alternatives Lark makes of an expression, up to a few more than `MAX_ALTERNATIVES`."""
    count = 1
    match expression:
        case syntax.Sequence(items):
            for item in items:
                count = min(count * _n_alternatives(item), MAX_ALTERNATIVES + 1)
        case syntax.Choice(options):
            count = sum(map(_n_alternatives, options))
        case syntax.Repeated(item, low, high):
            count = _n_alternatives(item)
            if high is not None and high < _REPEATS_BY_RULES:
                count = sum(count**times for times in range(low, high + 1))
    return min(count, MAX_ALTERNATIVES + 1)


def tables(source: Source, start: str, folder: Path | None) -> Tables:
    """The tables of a grammar. Raises `UnsupportedFeature` where Lark or its LALR(1) analysis refuses it."""
    lark = late("lark:Lark")
    folders = [str(folder)] if folder is not None else []
    options: dict[str, Any] = {
        "start": start,
        "parser": "earley",
        "lexer": "dynamic",
        "maybe_placeholders": False,
        "import_paths": [*folders, next(iter(late("pgen.grammars:__path__")))],
        "source_path": None if folder is None else str(folder / "grammar.lark"),
    }
    try:
        grammar = lark(source.text, **options)
        table = _analysed(grammar.rules, start)
    except late("lark.exceptions:LarkError") as error:
        said = str(error).strip().splitlines()[0].removesuffix("[strict-mode]").strip()
        raise UnsupportedFeature(
            f'lexer="contextual": Lark cannot build an LALR(1) parser: {said}', hint=_HINT
        ) from None
    return _read(grammar, table, start)


def _analysed(rules: Sequence[Any], start: str) -> Any:
    analysis = late("lark.parsers.lalr_analysis:LALR_Analyzer")
    parser = analysis(late("lark.common:ParserConf")(rules, {}, [start]), strict=True)
    parser.compute_lalr()
    return parser.parse_table


def _read(grammar: Any, table: Any, start: str) -> Tables:
    rules: dict[str, list[tuple[str, ...]]] = {}
    for rule in grammar.rules:
        rules.setdefault(str(rule.origin.name), []).append(tuple(str(symbol.name) for symbol in rule.expansion))
    states = [table.states[number] for number in range(len(table.states))]
    shift = late("lark.parsers.lalr_analysis:Shift")
    terminals = {str(terminal.name): terminal for terminal in grammar.terminals}
    return Tables(
        start=table.start_states[start],
        rules=rules,
        shifts=[{str(n): to for n, (action, to) in state.items() if action is shift} for state in states],
        expected=[frozenset(str(name) for name in state if name not in rules and name != END) for state in states],
        ignored=frozenset(map(str, grammar.ignore_tokens)),
        expressions={name: terminal.pattern.to_regexp() for name, terminal in terminals.items()},
        _terminals=terminals,
    )
