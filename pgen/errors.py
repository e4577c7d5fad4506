"""Every exception that pgen raises on purpose.

All derive from `PgenError` and, second, from the built-in class that a caller
would expect. Each says what was wrong, where, and, in `hint`, what to do.
"""

from __future__ import annotations

from collections.abc import Sequence


class PgenError(Exception):
    """Base of pgen's own errors; `hint` says what the user can do about it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}\nHint: {hint}")
        self.message = message
        self.hint = hint


class InvalidArgument(PgenError, ValueError):
    """An argument has a value that the call cannot work with."""


class InvalidLanguage(PgenError, ValueError):
    """The source of a language is malformed, contradictory or empty.

    `source` is the text (pattern, grammar), `position` a code point offset in
    it, `pointer` a JSON pointer where the source is a schema.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        position: int | None = None,
        pointer: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message + _where(source, position, pointer), hint=hint)
        self.source = source
        self.position = position
        self.pointer = pointer


class UnsupportedFeature(InvalidLanguage):
    """The source is well formed but asks for what pgen cannot compile exactly."""


class InvalidVocabulary(PgenError, ValueError):
    """Token tables or tokenizer files that cannot be a vocabulary."""


class LimitExceeded(PgenError, RuntimeError):
    """Work, memory or precision would pass a documented limit."""


class MissingPackage(PgenError, ImportError):
    """An optional package that the call needs is not installed; the hint has the command."""


class ModelError(PgenError, RuntimeError):
    """A model cannot be loaded or returned logits that are not numbers."""


class ModelNotFound(ModelError, FileNotFoundError):
    """No model with this name or at this path."""


class InvalidProgram(PgenError, ValueError):
    """A program breaks the rules: duplicate addresses, effects outside a run, a replay that diverges."""


class CriticError(PgenError, RuntimeError):
    """A predicate or potential raised, or returned what is no truth value or log weight.

    `text` is what it was given, `address` the site that was being drawn, if known.
    """

    def __init__(self, message: str, *, text: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.text = text
        self.address: str | None = None


class DeadEnd(PgenError, RuntimeError):
    """No token can continue the text towards a member of the language.

    `text` holds the bytes so far; `partials` the best partial texts when a whole
    inference run died.
    """

    def __init__(
        self,
        message: str,
        *,
        text: bytes = b"",
        partials: Sequence[str] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.text = text
        self.partials = tuple(partials)


class ZeroEvidence(DeadEnd):
    """Every particle of an inference run has weight zero."""


class HeuristicWarning(UserWarning):
    """A result does not follow the posterior; it was asked for by name."""


def _where(source: str | None, position: int | None, pointer: str | None) -> str:
    if pointer is not None:
        return f" (at {pointer or '/'} of the schema)"
    if source is None or position is None:
        return ""
    line = source.count("\n", 0, position) + 1
    column = position - (source.rfind("\n", 0, position) + 1) + 1
    text = source.split("\n")[line - 1]
    excerpt = text[max(0, column - 40) : column + 39]
    caret = " " * (min(column, 41 if column > 40 else column) - 1) + "^"
    return f" (line {line}, column {column})\n    {excerpt}\n    {caret}"
