"""The reader of Lark's syntax: a recursive descent over tokens, in linear time.

    definition: ["!" "?"] name ["[" attributes "]"] ["{" parameters "}"] ["." priority] ":" choice
    choice:     option ("|" option)*
    option:     sequence ("&" sequence)* ["->" name]
    sequence:   (atom ["*" | "+" | "?" | "~" bounds | "{" bounds "}"])*
    atom:       "(" choice ")" | "[" choice "]" | "~" atom | name | name "{" arguments "}"
                | string | string ".." string | regexp | "%json" object | special

Priorities, aliases and the marks `!`, `?` and `_` shape parse trees and leave the
language alone, so they are read and dropped.
"""

from __future__ import annotations

from typing import NoReturn

from pgen.errors import PgenError
from pgen.language.grammar import syntax
from pgen.language.grammar.quoted import unquoted
from pgen.language.grammar.syntax import Expression
from pgen.language.grammar.tokens import Source, Token, tokenized

MAX_NESTING = 60
MAX_REPEAT = 2**32 - 1

_NAMES = ("rule", "terminal")
_ATOMS = (*_NAMES, "string", "regexp", "special", "json")
_COUNTS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_MODES = {"%override": "override", "%extend": "extend"}
_STATEMENTS = "%import, %ignore, %declare, %override and %extend"
_SAID = {"line": "the end of the line", "end": "the end of the grammar"}


def read(source: Source) -> syntax.Document:
    """The statements of a text. Raises `InvalidLanguage` where it is malformed, with what was expected."""
    return _Reader(source).document()


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.tokens = tokenized(source)
        self.at = 0
        self.nesting = 0
        self.definitions = list[syntax.Definition]()
        self.imports = list[syntax.Import]()
        self.ignored = list[tuple[Expression, int]]()
        self.declared = list[tuple[str, int]]()

    def document(self) -> syntax.Document:
        while self.peek().kind != "end":
            if self.peek().kind != "line":
                self.statement()
                if self.peek().kind not in ("line", "end"):
                    self.expected("|, an operator or the next definition on a new line", _hint_at(self.peek()))
            self.at += self.peek().kind == "line"
        return syntax.Document(tuple(self.definitions), tuple(self.imports), tuple(self.ignored), tuple(self.declared))

    def peek(self, ahead: int = 0) -> Token:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def take(self, *kinds: str) -> Token | None:
        """The next token if it is of one of the kinds."""
        token = self.peek()
        if token.kind not in kinds:
            return None
        self.at += 1
        return token

    def sign(self, text: str) -> bool:
        """Step over a sign if it comes next."""
        token = self.peek()
        if token.kind != "sign" or token.text != text:
            return False
        self.at += 1
        return True

    def must(self, text: str, hint: str | None = None) -> None:
        if not self.sign(text):
            self.expected(text, hint)

    def expected(self, what: str, hint: str | None = None) -> NoReturn:
        token = self.peek()
        said = _SAID.get(token.kind, repr(token.text))
        raise self.source.invalid(f"expected {what} instead of {said}", token.position, hint)

    def invalid(self, message: str, token: Token, hint: str | None = None) -> PgenError:
        return self.source.invalid(message, token.position, hint)

    # Statements

    def statement(self) -> None:
        token = self.peek()
        if token.kind == "statement":
            self.at += 1
            self.directive(token)
        elif token.kind == "json":
            self.at += 1
            if token.text.startswith("%llguidance") and token.value == {}:
                return
            raise self.source.unsupported(f"{token.text.split('{')[0].strip()} as a statement", token.position)
        else:
            self.definition("define")

    def directive(self, token: Token) -> None:
        match token.text:
            case "%import":
                self.import_from(token)
            case "%ignore":
                self.ignored.append((self.choice(), token.position))
            case "%declare":
                self.declare()
            case "%override" | "%extend":
                self.definition(_MODES[token.text])
            case other:
                raise self.invalid(f"unknown statement {other}", token, f"there are {_STATEMENTS}")

    def definition(self, mode: str) -> None:
        while self.sign("!") or self.sign("?"):
            pass
        name = self.take(*_NAMES)
        if name is None:
            self.expected("the name of a rule or terminal", _hint_at(self.peek()))
        lazy = self.attributes() if self.sign("[") else False
        parameters = self.parameters(name) if self.sign("{") else ()
        if self.sign(".") and not self.take("number"):
            self.expected("a priority, which is an integer")
        self.must(":", f"a definition is written {name.text}: ...")
        body = self.choice()
        if lazy:
            body = syntax.Shortest(body, name.position)
        self.definitions.append(syntax.Definition(name.text, parameters, body, mode, name.position))

    def parameters(self, name: Token) -> tuple[str, ...]:
        if name.kind == "terminal":
            raise self.invalid(
                f"terminal {name.text} cannot have parameters", name, "rules can: write it in lower case"
            )
        found = list[str]()
        while not found or self.sign(","):
            parameter = self.take("rule")
            if parameter is None:
                self.expected("the name of a parameter, in lower case")
            if parameter.text in found:
                raise self.invalid(f"parameter {parameter.text} comes twice", parameter)
            found.append(parameter.text)
        self.must("}")
        return tuple(found)

    def attributes(self) -> bool:
        """What stands between `[` and `]` after a name; whether `lazy` does. Captures change no language."""
        lazy = False
        while not self.sign("]"):
            attribute = self.take("rule")
            if attribute is None:
                self.expected("an attribute such as lazy, or ]")
            if attribute.text not in ("lazy", "capture"):
                hint = "write the ending into the rule and use [lazy]" if attribute.text in ("stop", "suffix") else None
                raise self.source.unsupported(f"the attribute {attribute.text}", attribute.position, hint)
            lazy = lazy or attribute.text == "lazy"
            if self.sign("=") and not self.take("string"):
                self.expected("a string")
            self.sign(",")
        return lazy

    def declare(self) -> None:
        while name := self.take(*_NAMES):
            self.declared.append((name.text, name.position))

    def import_from(self, statement: Token) -> None:
        relative = self.sign(".")
        path = [self.name("a file to import from")]
        while self.sign("."):
            path.append(self.name("a name after the dot"))
        if self.sign("("):
            names = [self.name("a name to import")]
            while self.sign(","):
                names.append(self.name("a name to import"))
            self.must(")")
            pairs = [(name.text, name.text, name.position) for name in names]
        else:
            if len(path) < 2:
                self.expected("a dot and a name, or names between brackets", "write %import common.INT")
            name = path.pop()
            alias = self.name("the name to import it as") if self.take("arrow") else name
            pairs = [(name.text, alias.text, name.position)]
        files = tuple(token.text for token in path)
        self.imports.append(syntax.Import(files, relative, tuple(pairs), statement.position))

    def name(self, what: str) -> Token:
        token = self.take(*_NAMES)
        if token is None:
            self.expected(what)
        return token

    # Expressions

    def choice(self) -> Expression:
        options = [self.option()]
        while self.sign("|"):
            options.append(self.option())
        return options[0] if len(options) == 1 else syntax.Choice(tuple(options))

    def option(self) -> Expression:
        position, items = self.peek().position, [self.sequence()]
        while self.sign("&"):
            items.append(self.sequence())
        if self.take("arrow"):
            self.name("the alias of an alternative")
        return items[0] if len(items) == 1 else syntax.Both(tuple(items), position)

    def sequence(self) -> Expression:
        items = list[Expression]()
        while self.peek().kind in _ATOMS or (self.peek().kind == "sign" and self.peek().text in "([~@"):
            items.append(self.repeated(self.atom()))
        return items[0] if len(items) == 1 else syntax.Sequence(tuple(items))

    def repeated(self, item: Expression) -> Expression:
        token = self.peek()
        bounds = self.bounds()
        if bounds is None:
            return item
        if self.bounds() is not None:
            raise self.invalid("two operators in a row", token, "put the inner one between brackets: (x*)?")
        return syntax.Repeated(item, *bounds)

    def bounds(self) -> tuple[int, int | None] | None:
        """The operator that comes next, if any does, as the fewest and the most times."""
        token, following = self.peek(), self.peek(1)
        if token.kind != "sign":
            return None
        if token.text in _COUNTS:
            self.at += 1
            return _COUNTS[token.text]
        if token.text == "~" and following.kind == "number":
            self.at += 1
            low = self.count()
            return self.checked(low, self.count() if self.sign("..") else low, token)
        if token.text == "{" and (following.kind == "number" or following.text == ","):
            self.at += 1
            return self.in_braces(token)
        return None

    def in_braces(self, token: Token) -> tuple[int, int | None]:
        low = self.count() if self.peek().kind == "number" else 0
        high: int | None = low
        if self.sign(","):
            high = self.count() if self.peek().kind == "number" else None
        self.must("}")
        return self.checked(low, high, token)

    def count(self) -> int:
        token = self.take("number")
        if token is None:
            self.expected("a number of times")
        if len(token.text) > 11 or not 0 <= int(token.text) <= MAX_REPEAT:
            raise self.invalid(f"something cannot come {token.text} times", token, f"0 to {MAX_REPEAT} are possible")
        return int(token.text)

    def checked(self, low: int, high: int | None, token: Token) -> tuple[int, int | None]:
        if high is not None and high < low:
            raise self.invalid(f"from {low} to {high} times is the wrong way round", token)
        return low, high

    def atom(self) -> Expression:
        token = self.peek()
        self.at += 1
        match token.kind:
            case "sign":
                return self.bracketed(token)
            case "rule" | "terminal":
                is_call = self.peek().text == "{" and self.peek(1).kind in _ATOMS
                return self.call(token) if is_call else syntax.Name(token.text, token.position)
            case "string":
                return self.string(token)
            case "regexp":
                return self.regexp(token)
            case "special":
                return syntax.Special(token.text, token.position)
        if not token.text.startswith("%json"):
            raise self.source.unsupported(f"{token.text.split('{')[0].strip()} in a grammar", token.position)
        return syntax.Schema(token.value, token.position)

    def bracketed(self, token: Token) -> Expression:
        if token.text == "@":
            raise self.source.unsupported("a grammar by reference (@name)", token.position, "use %import")
        self.enter(token)
        if token.text == "~":
            inner: Expression = syntax.Not(self.atom_after(token), token.position)
        else:
            inner = self.choice()
            self.must_close(token)
        self.nesting -= 1
        return syntax.Repeated(inner, 0, 1) if token.text == "[" else inner

    def atom_after(self, token: Token) -> Expression:
        if self.peek().kind not in _ATOMS and self.peek().text not in ("(", "[", "~"):
            self.expected(f"an expression after {token.text}")
        return self.atom()

    def enter(self, token: Token) -> None:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            hint = "give inner parts rules of their own"
            raise self.source.too_much(f"more than {MAX_NESTING} brackets inside each other", token.position, hint)

    def must_close(self, token: Token) -> None:
        close = {"(": ")", "[": "]", "{": "}"}[token.text]
        if self.peek().kind == "end" or self.peek().text == ":":
            raise self.invalid(f"this {token.text} is not closed", token, f"put a {close} where it ends")
        self.must(close, "inside brackets there are names, strings, /regular expressions/, operators and |")

    def call(self, name: Token) -> Expression:
        opening = self.peek()
        self.must("{")
        if name.kind == "terminal":
            raise self.invalid(f"terminal {name.text} is no template", name)
        self.enter(opening)
        arguments = [self.argument()]
        while self.sign(","):
            arguments.append(self.argument())
        self.must_close(opening)
        self.nesting -= 1
        return syntax.Call(name.text, tuple(arguments), name.position)

    def argument(self) -> Expression:
        if self.peek().kind not in _ATOMS:
            self.expected("a name, a string or a /regular expression/", "give a longer argument a rule of its own")
        return self.atom()

    def string(self, token: Token) -> Expression:
        text, ignores_case = unquoted(self.source, token)
        if self.sign(".."):
            return self.range(token, text, ignores_case)
        if not text:
            hint = "a part that may be left out is written [x] or x?"
            raise self.invalid("an empty string cannot be a terminal", token, hint)
        return syntax.Text(text, ignores_case, token.position)

    def range(self, token: Token, first: str, ignores_case: bool) -> Expression:
        end = self.take("string")
        if end is None:
            self.expected("the string that ends the range")
        last, also_ignores = unquoted(self.source, end)
        if len(first) != 1 or len(last) != 1:
            raise self.invalid("a range goes from one character to another", token)
        if ignores_case or also_ignores:
            raise self.invalid("a range cannot ignore case", token, "use a regular expression: /[a-z]/i")
        if first > last:
            raise self.invalid(f"the range from {first!r} to {last!r} is empty", token)
        return syntax.Range(first, last, token.position)

    def regexp(self, token: Token) -> Expression:
        regex, _, flags = token.text[1:].rpartition("/")
        if "\n" in regex and "x" not in flags:
            raise self.invalid("a regular expression goes over several lines", token, "only with the flag x: /.../x")
        return syntax.Pattern(regex, flags, token.position)


def _hint_at(token: Token) -> str | None:
    if token.kind in _ATOMS:
        return "a rule goes on in the next line after | or inside brackets"
    return None
