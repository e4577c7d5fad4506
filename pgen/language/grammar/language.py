"""`Grammar`: the texts that a context-free grammar in Lark's syntax derives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pgen.errors import InvalidArgument, InvalidLanguage
from pgen.language import ir
from pgen.language.base import Language, late
from pgen.language.grammar import syntax
from pgen.language.grammar.contextual import contextual
from pgen.language.grammar.definitions import Entry, Scope, did_you_mean
from pgen.language.grammar.facts import productive_rules
from pgen.language.grammar.modules import load, text_of
from pgen.language.grammar.rules import NamedRules, Rules
from pgen.language.grammar.specials import bind_declared, without_specials
from pgen.language.grammar.tables import check_distribution
from pgen.language.grammar.terminals import Terminals, check_pattern, place
from pgen.language.grammar.tokens import Source

_TEXT_HINT = "a grammar's text has a line such as start: ..."
_LEXERS = ("dynamic_complete", "contextual")


class Grammar(Language):
    r"""The context-free language of a grammar in Lark's syntax, exactly.

    `grammar` is the grammar's text, or the name of one of `pgen.grammars`. A terminal
    is the language of its regular expression, so greedy and lazy quantifiers mean the
    same, and nothing keeps a keyword from being a name as well; ignored terminals may
    stand, any number of them, before the first terminal, between any two and after the
    last. Priorities, aliases and the marks `?`, `!` and `_` leave the language alone.

    With `lexer="contextual"` it is the language that Lark's LALR parser with its contextual
    lexer reads: each terminal is as long as it can be, out of those that the parser expects
    there, by their priorities and by what `re` finds. That is for Lark's own syntax and for
    LALR(1) grammars without conflicts.

    Besides Lark's own syntax: `A & B` and `~A` in terminals, `%json {...}` (a JSON text
    that is valid by a schema; no residual, so undeclared names may repeat, as they may
    in JSON), `x{2,3}` for `x~2..3`, `name[lazy]: ...` (the members of a terminal that do not
    begin with a shorter one). Strings and comments of Lark's `common` and `python` end where
    they first can, as their lazy quantifiers are meant.

    `<|name|>`, `<name>` and `<[ids]>` in rules are special tokens of the vocabulary that the
    language is compiled with; `declared` says which ones the `%declare`d terminals are. As
    texts they are their names as written.

    `folder` is where imports are looked for, before Lark's and pgen's grammars.
    `start` is the rule to begin with, `rules` the names of the rules it leads to,
    `unused` the names that this text defines in vain, `text` the grammar.

    Raises `InvalidLanguage` with line and column for malformed text, undefined names,
    terminals that match the empty string, and a start that derives nothing;
    `UnsupportedFeature` for special tokens in terminals, declared terminals that stand for none,
    and irregular expressions, and for what has no LALR(1) parser where one is asked for;
    `LimitExceeded` for nesting, templates and terminals without reasonable bounds.
    """

    __slots__ = ("declared", "folder", "lexer", "rules", "start", "text", "unused")

    def __init__(
        self,
        grammar: str,
        start: str = "start",
        lexer: str = "dynamic_complete",
        *,
        folder: str | Path | None = None,
        declared: Mapping[str, str] | None = None,
    ) -> None:
        _check_arguments(grammar, start, lexer)
        self.text = _text(grammar)
        self.start = start
        self.lexer = lexer
        self.folder = None if folder is None else Path(folder)
        self.declared = dict(declared or {})
        source = Source(self.text, "" if self.text is grammar else f"the grammar {grammar}")
        scope, document = load(source, self.folder)
        bind_declared(scope, self.declared)
        _check(document, scope)
        entry = _start(scope, start)
        terminals = Terminals()
        between = _between(document, scope, terminals)
        compiler = Rules(terminals, between)
        rules = compiler.compile(entry)
        if entry.name not in productive_rules(rules):
            hint = "each of its alternatives leads back to itself: one of them must end"
            raise source.invalid(f"rule {start} derives no text", entry.position, hint)
        self.rules = tuple(rules)
        self.unused = _unused(document, scope, compiler.used, terminals)
        node = ir.concat(between, ir.recursive(entry.name, rules))
        if lexer == "contextual":
            without_specials(node, scope)
            check_distribution(source, document)
            node = contextual(source, start, self.folder, lambda name: terminals.tree(scope.entries.get(name)))
        super().__init__(node, description=_described(grammar, start))

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        start: str = "start",
        lexer: str = "dynamic_complete",
        *,
        declared: Mapping[str, str] | None = None,
    ) -> Grammar:
        """The grammar in a file; its relative imports are looked for next to it."""
        return cls(text_of(Path(path)) + "\n", start, lexer, folder=Path(path).parent, declared=declared)

    def _structure(self) -> ir.Node:
        """The rules and terminals by their names; read again, since nothing else needs them."""
        scope, document = load(Source(self.text), self.folder)
        bind_declared(scope, self.declared)
        terminals = Terminals()
        between = _between(document, scope, terminals)
        rules = NamedRules(terminals, between)
        bodies = rules.compile(_start(scope, self.start))
        named = {f"@rule {name}": body for name, body in bodies.items()} | rules.named
        whole = ir.concat(between, ir.Ref(f"@rule {self.start}"))
        return ir.Recursive("", ("", *named), (whole, *named.values()))


def _check_arguments(grammar: object, start: object, lexer: object) -> None:
    if not isinstance(grammar, str) or not isinstance(start, str):
        wrong = type(start if isinstance(grammar, str) else grammar).__name__
        raise InvalidArgument(
            f"a grammar and its start are str, got {wrong}", hint="pgen.Grammar.from_file reads a file"
        )
    if lexer not in _LEXERS:
        raise InvalidArgument(f"lexer={lexer!r}", hint='"dynamic_complete": the exact context-free language')


def _text(grammar: str) -> str:
    """The text of a grammar given by itself or by name."""
    if "\n" in grammar or ":" in grammar:
        return grammar
    if not re.fullmatch(r"\w[\w. -]{0,80}", grammar):
        raise InvalidLanguage(f"neither a grammar nor its name: {grammar[:40]!r}", hint=_TEXT_HINT)
    known = late("pgen.grammars:names")()
    if grammar not in known:
        hint = did_you_mean(grammar, known) or _TEXT_HINT
        raise InvalidLanguage(f"no grammar is named {grammar!r}", hint=hint)
    text: str = late("pgen.grammars:load")(grammar)
    return text


def _check(document: syntax.Document, scope: Scope) -> None:
    """Look at all definitions, used or not: names must be defined and patterns well formed."""
    bodies = [(definition.body, definition.parameters) for definition in document.definitions]
    for body, parameters in [*bodies, *((body, ()) for body, _ in document.ignored)]:
        for expression in syntax.descendants(body):
            match expression:
                case syntax.Name(name, position) | syntax.Call(name, _, position) if name not in parameters:
                    scope.entry(name, position)
                case syntax.Pattern():
                    check_pattern(expression, scope)


def _start(scope: Scope, start: str) -> Entry:
    rules = [name for name, entry in scope.entries.items() if not entry.is_terminal]
    if start not in rules:
        hint = did_you_mean(start, rules) or f"pass start=, one of {', '.join(rules[:5])}" if rules else None
        raise InvalidLanguage(f"the grammar has no rule {start}", source=scope.source.text, position=0, hint=hint)
    entry = scope.entries[start]
    if entry.parameters:
        raise scope.source.invalid(f"rule {start} has parameters and cannot be the start", entry.position)
    return entry


def _between(document: syntax.Document, scope: Scope, terminals: Terminals) -> ir.Node:
    """What is ignored, any number of times."""
    ignored = [
        terminals.named(scope.entry(body.name, body.position), scope, body.position)
        if isinstance(body, syntax.Name) and syntax.is_terminal(body.name)
        else terminals.anonymous(body, scope, place(body, position))
        for body, position in document.ignored
    ]
    return ir.repeat(ir.union(*ignored), 0, None)


def _unused(document: syntax.Document, scope: Scope, used: set[str], terminals: Terminals) -> tuple[str, ...]:
    names = dict.fromkeys(definition.name for definition in document.definitions)
    return tuple(n for n in names if scope.entries[n].name not in used and not terminals.knows(scope.entries[n]))


def _described(grammar: str, start: str) -> str:
    shown = grammar.strip()
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    return f"Grammar({shown!r})" if start == "start" else f"Grammar({shown!r}, start={start!r})"
