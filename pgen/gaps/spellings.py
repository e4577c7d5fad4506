"""Token tables of one text: all its spellings, or one of them."""

from __future__ import annotations

import numpy as np

from pgen.language import ir
from pgen.language.base import Language
from pgen.tokens import Vocabulary
from pgen.tokens.classes import TokenTable, token_table


def of_text(vocabulary: Vocabulary, text: str) -> TokenTable:
    """Every token sequence that spells `text`. Raises `InvalidLanguage` if there is none."""
    language = Language(ir.literal(text), description=f"the spellings of {text!r}")
    return token_table(language.compile(vocabulary))


def of_tokens(vocabulary: Vocabulary, text: str) -> TokenTable:
    """The tokenizer's own spelling of `text` only. Raises `InvalidArgument` if it has none."""
    path = vocabulary.encode(text)
    classes = {token: number for number, token in enumerate(dict.fromkeys(path), 1)}
    class_of = np.zeros(len(vocabulary), np.int32)
    class_of[list(classes)] = list(classes.values())
    delta = np.full((len(path) + 1, len(classes) + 1), -1, np.int32)
    delta[np.arange(len(path)), [classes[token] for token in path]] = np.arange(1, len(path) + 1)
    nearest = np.arange(len(path), -1, -1, dtype=np.int32)
    return TokenTable(class_of, delta, nearest == 0, nearest)
