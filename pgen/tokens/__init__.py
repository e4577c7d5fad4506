"""Tokens: vocabularies as exact bytes, and languages compiled to masks over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pgen.tokens.vocabulary import Vocabulary

if TYPE_CHECKING:
    from pgen.tokens.automaton import TokenAutomaton

__all__ = ["TokenAutomaton", "Vocabulary"]


def __getattr__(name: str) -> Any:
    """`TokenAutomaton`, whose engine is loaded when it is first asked for."""
    if name != "TokenAutomaton":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pgen.tokens.automaton import TokenAutomaton

    return TokenAutomaton
