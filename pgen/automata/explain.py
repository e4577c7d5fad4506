"""`Explanation`: how far a text can become a member, what is expected there, and which part asks for it."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Literal

from pgen.automata.acceptor import automaton
from pgen.automata.dfa import LazyDFA
from pgen.automata.following import expected
from pgen.automata.layout import DEAD
from pgen.language.base import Language, Residual

Status = Literal["member", "incomplete", "rejected", "residual", "empty"]
MAX_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `language.explain(text)` found; true if the text is a member. `str()` says it in a few lines.

    `status`: `"member"`; `"incomplete"`: more text can make it one; `"rejected"`: nothing can,
    from `offset` on; `"residual"`: all but the facts in `failed` hold; `"empty"`: the
    language has no member. `offset` counts bytes, `line` and `column` (characters) from 1; for
    an incomplete text they are at its end. `expected` is what can stand there, `parts` the
    rules, terminals, holes, pattern pieces or schema keywords that are being read.
    """

    status: Status
    offset: int
    line: int
    column: int
    expected: tuple[str, ...]
    parts: tuple[str, ...]
    failed: tuple[Residual, ...]
    text: str

    def __bool__(self) -> bool:
        return self.status == "member"

    def __str__(self) -> str:
        if self.status == "member":
            return "the text is a member"
        if self.status == "empty":
            return "the language has no members"
        if self.status == "residual":
            return "the text has the right form, but does not hold: " + "; ".join(f.description for f in self.failed)
        return "\n".join(
            [f"line {self.line}, column {self.column}: {self._finding()}", *self._excerpt(), *self._parts()]
        )

    def _finding(self) -> str:
        here = (self._line() + "\n")[self.column - 1]
        found = "the text is not complete" if self.status == "incomplete" else f"{here!r} cannot stand here"
        return f"{found}; expected {_listed(self.expected)}"

    def _line(self) -> str:
        return self.text.split("\n")[self.line - 1]

    def _excerpt(self) -> list[str]:
        line = self._line()
        first = max(0, self.column - 60)
        return ["    " + line[first : self.column + 19], "    " + " " * (self.column - 1 - first) + "^"]

    def _parts(self) -> list[str]:
        return [f"in {_listed(self.parts)}"] if self.parts else []


def explain(language: Language, text: str | bytes) -> Explanation:
    """See `Language.explain`."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
    shown = data.decode("utf-8", "replace" if isinstance(text, bytes) else "surrogatepass")
    dfa = automaton(language.node)
    if dfa.is_empty:
        return Explanation("empty", 0, 1, 1, (), (), (), shown)
    offset = _live_bytes(dfa, data)
    state = dfa.run(dfa.start, data[:offset])
    before = data[:offset].decode("utf-8", "replace")
    status, failed = _status(language, dfa, state, data, offset)
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    if status in ("member", "residual"):
        return Explanation(status, offset, *place, (), (), failed, shown)
    parts = language._parts_at(before, shown[len(before) :])
    return Explanation(status, offset, *place, expected(dfa, state), parts, (), shown)


def _status(
    language: Language, dfa: LazyDFA, state: int, data: bytes, offset: int
) -> tuple[Status, tuple[Residual, ...]]:
    if offset < len(data):
        return "rejected", ()
    if not dfa.is_accepting(state):
        return "incomplete", ()
    decoded = data.decode()
    failed = tuple(fact for fact in language.residual if not fact.holds(decoded))
    return ("residual" if failed else "member"), failed


def _live_bytes(dfa: LazyDFA, data: bytes) -> int:
    """The length of the longest prefix, of whole characters, that can become a member."""
    low, high = 0, len(data)
    while low < high:
        middle = (low + high + 1) // 2
        if dfa.run(dfa.start, data[:middle]) == DEAD:
            high = middle - 1
        else:
            low = middle
    if low == len(data):
        return low
    decoder = codecs.getincrementaldecoder("utf-8")()
    decoder.decode(data[:low])
    return low - len(decoder.getstate()[0])


def _listed(items: tuple[str, ...]) -> str:
    shown = list(items[:MAX_SHOWN])
    if len(items) > MAX_SHOWN:
        return ", ".join(shown) + f" or {len(items) - MAX_SHOWN} others"
    return " or ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
