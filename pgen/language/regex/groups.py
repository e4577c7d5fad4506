"""What `(?...` opens: the kinds of groups, their flags, and the names and numbers that references may use."""

from __future__ import annotations

from typing import NamedTuple

from pgen.language.regex.source import Source

_FLAGS = "aimsux"
_TYPE_FLAGS = "au"


class Head(NamedTuple):
    """The opening of a group: its `kind`, the flags inside, and its number if it captures."""

    kind: str
    flags: str
    number: int | None = None


class Groups:
    """Capturing groups seen so far."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._count = 0
        self._open: set[int] = set()
        self._awaited: dict[int, int] = {}

    def head(self, source: Source, flags: str, start: int) -> Head:
        """Read what follows an opening parenthesis; back-references and conditionals have kinds of their own."""
        if not source.skip("?"):
            return self._capturing(flags)
        at, char = source.at, source.take()
        match char:
            case ":":
                return Head("plain", flags)
            case "=":
                return Head("ahead", flags)
            case "!":
                return Head("not ahead", flags)
            case ">":
                return Head("the atomic group (?>...)", flags)
            case "<" if source.peek() in ("=", "!"):
                return Head("behind" if source.take() == "=" else "not behind", flags)
            case "P":
                return self._named(source, flags, start)
            case "(":
                self._condition(source, at)
                return Head("conditional", flags)
            case "" | "<" if not source.peek():
                raise source.error("unexpected end of pattern", at)
            case _ if char in _FLAGS or char in "L-":
                return Head("plain", scoped_flags(source, flags, at))
        raise source.error(f"unknown extension ?{char}", at)

    def _capturing(self, flags: str) -> Head:
        self._count += 1
        self._open.add(self._count)
        return Head("plain", flags, self._count)

    def _named(self, source: Source, flags: str, start: int) -> Head:
        at = source.at
        if source.skip("<"):
            name = self._name(source, ">", at)
            if name in self._names:
                raise source.error(f"redefinition of group name {name!r}", at)
            head = self._capturing(flags)
            self._names[name] = self._count
            return head
        if source.skip("="):
            name = self._name(source, ")", at)
            self.check_number(source, self._number(source, name, at), start)
            source.at -= 1
            return Head(f"the back-reference (?P={name})", flags)
        raise source.error(f"unknown extension ?P{source.peek()}", at)

    def _name(self, source: Source, end: str, at: int) -> str:
        name = source.take_until(end, "group name")
        if not name.isidentifier():
            raise source.error(f"bad character in group name {name!r}", at)
        return name

    def _number(self, source: Source, name: str, at: int) -> int:
        if name not in self._names:
            raise source.error(f"unknown group name {name!r}", at)
        return self._names[name]

    def _condition(self, source: Source, at: int) -> None:
        name = source.take_until(")", "group name")
        if name.isidentifier():
            self._number(source, name, at)
        elif not (name.isascii() and name.isdecimal()):
            raise source.error(f"bad character in group name {name!r}", at)
        elif int(name) == 0:
            raise source.error("bad group number 0", at)
        else:
            self._awaited.setdefault(int(name), at)

    def check_number(self, source: Source, number: int, start: int) -> None:
        """Raise `InvalidLanguage` unless group `number` exists and is closed."""
        if number > self._count:
            raise source.error(f"invalid group reference {number}", start)
        if number in self._open:
            raise source.error("cannot refer to an open group", start)

    def close(self, head: Head) -> None:
        """The group of `head` has ended."""
        if head.number is not None:
            self._open.discard(head.number)

    def check_awaited(self, source: Source) -> None:
        """At the end of the pattern: every group that a conditional asks about must exist."""
        for number, at in self._awaited.items():
            if number > self._count:
                raise source.error(f"invalid group reference {number}", at)


def global_flags(source: Source, *, at_start: bool) -> str | None:
    """The flags of `(?aimsx)` at the cursor, `None` (and no move) if something else is there."""
    start, end = source.at, source.pattern.find(")", source.at)
    letters = source.pattern[start + 2 : end]
    if end < 0 or not source.pattern.startswith("(?", start) or not letters or letters.strip(_FLAGS + "L"):
        return None
    source.at = start + 2
    _check_added(source, letters, source.at)
    if not at_start:
        hint = f"write (?{letters}:...) around the part that they are meant for"
        raise source.error("global flags not at the start of the expression", start, hint=hint)
    source.at = end + 1
    return letters


def scoped_flags(source: Source, flags: str, at: int) -> str:
    """The flags inside `(?ims-x:...)`; the cursor comes to stand after the colon."""
    source.at = at
    added = source.take_while(_FLAGS + "L")
    _check_added(source, added, at)
    removed = ""
    if source.skip("-"):
        removed = source.take_while(_FLAGS + "L")
        if not removed:
            raise source.error("missing flag after -", source.at)
        if set(removed) & set(_TYPE_FLAGS + "L"):
            raise source.error("bad inline flags: cannot turn off flags 'a', 'u' and 'L'", at)
    if not source.skip(":"):
        following = source.peek()
        raise source.error("unknown flag " + following if following.isalpha() else "missing : or )", source.at)
    if set(added) & set(removed):
        raise source.error("bad inline flags: flag turned on and off", at)
    return combined(flags, added, removed)


def combined(flags: str, added: str, removed: str = "") -> str:
    """Flags with some switched on and off; `u` and `a` exclude each other, and `u` is the default."""
    kept = set(flags) - set(_TYPE_FLAGS) if set(added) & set(_TYPE_FLAGS) else set(flags)
    return "".join(sorted((kept | set(added)) - set(removed) - {"u"}))


def _check_added(source: Source, added: str, at: int) -> None:
    if "L" in added:
        raise source.error("bad inline flags: cannot use 'L' flag with a str pattern", at)
    if "a" in added and "u" in added:
        raise source.error("bad inline flags: flags 'a', 'u' and 'L' are incompatible", at)
