"""`Language`: an immutable, hashable value that denotes a set of texts, and its algebra.

A language is an `ir.Node` plus a *residual*: facts about the complete text that
no mask checks (`Residual`). Masks, `accepts` and `completable` see the node only;
`matches` and inference see both. Methods whose algorithms live in higher layers
are found by name when first called, so that this layer imports nothing above it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

from pgen.errors import InvalidArgument, UnsupportedFeature
from pgen.language import ir

if TYPE_CHECKING:
    from pgen.automata.explain import Explanation
    from pgen.tokens import TokenAutomaton, Vocabulary
    from pgen.tokens.canonical import CanonicalAutomaton


def late(path: str) -> Any:
    """The object named by `"module:attribute"`, imported now."""
    name, _, attribute = path.partition(":")
    # Nearly always it has been imported before, which a look-up tells sooner.
    module = sys.modules.get(name) or importlib.import_module(name)
    return getattr(module, attribute)


@dataclass(frozen=True)
class Residual:
    """A fact that is checked on the complete text instead of by the mask.

    `holds` maps the text to its truth; `description` is what users read in
    `language.residual`; `pointer` is the place in a schema, if there is one.
    """

    description: str
    holds: Callable[[str], bool]
    pointer: str | None = None


class Language:
    """A set of texts. Build one with `Regex`, `JSONSchema`, `choice`, `literal` … or by combining others."""

    __slots__ = ("_node", "_residual", "description")

    def __init__(self, node: ir.Node, *, description: str, residual: tuple[Residual, ...] = ()) -> None:
        self._node = node
        self._residual = residual
        self.description = description

    @property
    def node(self) -> ir.Node:
        """The texts that masks allow."""
        return self._node

    @property
    def residual(self) -> tuple[Residual, ...]:
        """What is checked on complete texts besides."""
        return self._residual

    @property
    def sketch(self) -> ir.Node:
        """The same texts as `node`; parts of it may be written out only when a walk gets there (`ir.Later`)."""
        return self.node

    @property
    def stock(self) -> ir.Stock:
        """Parts of `sketch` that other languages have, too."""
        return ir.NO_STOCK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Language) and (self.node, self.residual) == (other.node, other.residual)

    def __hash__(self) -> int:
        return hash((self.node, self.residual))

    def __repr__(self) -> str:
        return self.description

    def __add__(self, other: Language | str) -> Language:
        return self._join(other, ir.concat, "+")

    def __radd__(self, other: str) -> Language:
        return as_language(other)._join(self, ir.concat, "+")

    def __or__(self, other: Language | str) -> Language:
        return self._join(other, ir.union, "|")

    def __and__(self, other: Language | str) -> Language:
        right = as_language(other)
        return Language(
            ir.intersect(self.node, right.node),
            description=f"({self!r} & {right!r})",
            residual=tuple(dict.fromkeys(self.residual + right.residual)),
        )

    def __invert__(self) -> Language:
        self._require_no_residual("~")
        return Language(ir.complement(self.node), description=f"~{self!r}")

    def _join(self, other: Language | str, build: Callable[..., ir.Node], sign: str) -> Language:
        right = as_language(other)
        self._require_no_residual(sign)
        right._require_no_residual(sign)
        return Language(build(self.node, right.node), description=f"({self!r} {sign} {right!r})")

    def _require_no_residual(self, operation: str) -> None:
        if self.residual:
            named = "; ".join(r.description for r in self.residual)
            raise UnsupportedFeature(
                f"{operation} cannot be applied to a language with a residual: {named}",
                hint="keep such a language at the top, or combine it with & only",
            )

    def repeat(self, low: int, high: int | None = None) -> Language:
        """`low` to `high` members in a row (`None`: any number)."""
        if low < 0 or (high is not None and high < low):
            raise InvalidArgument(f"repeat({low}, {high}): needs 0 <= low <= high")
        self._require_no_residual("repeat")
        return Language(ir.repeat(self.node, low, high), description=f"{self!r}.repeat({low}, {high})")

    def containing(self, other: Language | str) -> Language:
        """The members that contain a member of `other` somewhere."""
        inner = as_language(other)
        inner._require_no_residual("containing")
        around = ir.concat(ir.ANY_TEXT, inner.node, ir.ANY_TEXT)
        return Language(
            ir.intersect(self.node, around),
            description=f"{self!r}.containing({inner!r})",
            residual=self.residual,
        )

    def max_bytes(self, limit: int) -> Language:
        """The members of at most `limit` bytes."""
        if limit < 0:
            raise InvalidArgument(f"max_bytes({limit}): needs a limit of 0 or more")
        return Language(
            ir.intersect(self.node, ir.Repeat(ir.ANY_BYTE, 0, limit) if limit else ir.EPSILON),
            description=f"{self!r}.max_bytes({limit})",
            residual=self.residual,
        )

    @overload
    def compile(self, vocabulary: Vocabulary, *, canonical: Literal[False] = False) -> TokenAutomaton: ...

    @overload
    def compile(self, vocabulary: Vocabulary, *, canonical: Literal[True]) -> CanonicalAutomaton: ...

    def compile(self, vocabulary: Vocabulary, *, canonical: bool = False) -> TokenAutomaton | CanonicalAutomaton:
        """Token masks and transitions of this language over `vocabulary`; cached per pair.

        All spellings of a member by tokens are allowed; with `canonical` only the tokenizer's
        own (`vocabulary.encode`), by masks that may lead into dead ends (see
        `pgen.tokens.canonical`). Raises `InvalidLanguage` if no token sequence spells a member.
        """
        where = "pgen.tokens.canonical:compile_canonical" if canonical else "pgen.tokens.automaton:compile_language"
        compiled: TokenAutomaton | CanonicalAutomaton = late(where)(self, vocabulary)
        return compiled

    def matches(self, text: str | bytes) -> bool:
        """Whether `text` is a member: the whole truth, residual included."""
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        if not late("pgen.automata.acceptor:accepts")(self.node, data):
            return False
        decoded = data.decode()
        return all(fact.holds(decoded) for fact in self.residual)

    def completable(self, prefix: str | bytes) -> bool:
        """Whether some bytes after `prefix` make a member (residual not considered)."""
        data = prefix.encode("utf-8", "surrogatepass") if isinstance(prefix, str) else prefix
        return bool(late("pgen.automata.acceptor:completable")(self.node, data))

    def explain(self, text: str | bytes) -> Explanation:
        """Why `text` is a member, or how far it can become one, what is expected there, and which part asks for it."""
        explanation: Explanation = late("pgen.automata.explain:explain")(self, text)
        return explanation

    def _structure(self) -> ir.Node | None:
        """This language as rules that are named, after an "@", as users know its parts; if it has such parts."""
        return None

    def _parts_at(self, before: str, after: str) -> tuple[str, ...]:
        """The parts, as users know them, that are being read where `before` ends and `after` follows."""
        structure = self._structure()
        if structure is None:
            return ()
        active = late("pgen.automata.derivation:active_parts")(structure, before.encode())
        return tuple(dict.fromkeys(" in ".join(path) for path, _ in active))


def parts_inside(whole: ir.Node, inner: Mapping[str, Language], before: str, after: str) -> tuple[str, ...]:
    """What `Language._parts_at` says, of a whole whose rules `@name` are other languages."""
    found: dict[str, None] = {}
    data = before.encode()
    for path, begin in late("pgen.automata.derivation:active_parts")(whole, data):
        parts = inner[path[-1]]._parts_at(data[begin:].decode(), after)
        found |= dict.fromkeys([f"{part}, in {path[-1]}" for part in parts] or [path[-1]])
    return tuple(found)


def as_language(value: Language | str) -> Language:
    """`value` itself, or the language of exactly that text."""
    if isinstance(value, Language):
        return value
    if isinstance(value, str):
        return literal(value)
    raise InvalidArgument(
        f"expected a language or a string, got {type(value).__name__}",
        hint='use pgen.Regex("..."), pgen.choice(...), pgen.JSONSchema(...) or a plain string',
    )


def literal(text: str) -> Language:
    """The language of exactly `text`."""
    return Language(ir.literal(_valid(text)), description=f"literal({text!r})")


def choice(*options: str | Language) -> Language:
    """Any one of the options (strings or languages)."""
    if not options:
        raise InvalidArgument("choice() needs at least one option")
    languages = [as_language(option) for option in options]
    for language in languages:
        language._require_no_residual("choice")
    names = ", ".join(repr(o) for o in options[:4]) + (", …" if len(options) > 4 else "")
    return Language(ir.union(*(language.node for language in languages)), description=f"choice({names})")


def substring_of(text: str) -> Language:
    """Every substring of `text`, the empty one included."""
    return Language(ir.Substrings(_valid(text)), description=f"substring_of({text[:30]!r}…)")


def _valid(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(
            f"{text[error.start : error.start + 1]!r} at position {error.start} is a lone surrogate, "
            "which no UTF-8 text can hold"
        ) from None
    return text
