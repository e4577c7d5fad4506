"""Tokens: vocabularies as exact bytes, and languages compiled to masks over them."""

from pgen.tokens.vocabulary import Vocabulary

__all__ = ["Vocabulary"]
