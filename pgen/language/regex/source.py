"""A cursor over a pattern: what is next, taking it, and errors that point at it."""

from __future__ import annotations

from pgen.errors import InvalidLanguage


class Source:
    """`pattern` and the offset `at` of the next character."""

    __slots__ = ("at", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def peek(self) -> str:
        """The next character, `""` at the end."""
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        """The next character, now behind the cursor; `""` at the end."""
        char = self.peek()
        self.at += len(char)
        return char

    def skip(self, text: str) -> bool:
        """Step over `text` if it comes next."""
        if not self.pattern.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def take_while(self, allowed: str, most: int | None = None) -> str:
        """The longest run of `allowed` characters, at most `most`."""
        start = self.at
        while self.at < len(self.pattern) and self.pattern[self.at] in allowed and self.at - start != most:
            self.at += 1
        return self.pattern[start : self.at]

    def take_until(self, end: str, what: str) -> str:
        """Everything before `end`, which is stepped over; `what` is named if there is no end or nothing before it."""
        start, found = self.at, self.pattern.find(end, self.at)
        if found < 0:
            raise self.error(f"missing {end}, unterminated {what}", start)
        if found == start:
            raise self.error(f"missing {what}", start)
        self.at = found + len(end)
        return self.pattern[start:found]

    def error(self, message: str, position: int, hint: str | None = None) -> InvalidLanguage:
        """The malformed pattern as an error at `position`."""
        return InvalidLanguage(message, source=self.pattern, position=position, hint=hint)
