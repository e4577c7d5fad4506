"""What every mask over a vocabulary needs, made once: its trie, its slices, and both as kernels take them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.automata.memory import Memory, memory_of
from pgen.tokens.slices import Slices, slices_of
from pgen.tokens.trie import Trie, build

if TYPE_CHECKING:
    from pgen.tokens.vocabulary import Vocabulary


class Lexicon(NamedTuple):
    """`memory` is that of what stands before it; `eos` the mask of the EOS ids."""

    trie: Trie
    slices: Slices
    token_start: NDArray[np.int64]  # (V + 1,) into token_bytes; tokens that are no text have no bytes
    token_bytes: NDArray[np.uint8]
    memory: Memory
    eos: NDArray[np.uint32]

    @property
    def max_depth(self) -> int:
        """Bytes of the longest token."""
        return int(self.trie.depth.max())


@lru_cache(maxsize=16)
def lexicon_of(vocabulary: Vocabulary) -> Lexicon:
    """The lexicon of a vocabulary; cached, since every language needs it."""
    trie, slices = build(vocabulary, vocabulary.text_ids.tolist()), slices_of(vocabulary)
    eos = np.zeros(-(-len(vocabulary) // 32), np.uint32)
    for token in vocabulary.eos:
        eos[token >> 5] |= np.uint32(1 << (token & 31))
    is_text = np.zeros(len(vocabulary), np.bool_)
    is_text[vocabulary.text_ids] = True
    data = [token if text else b"" for token, text in zip(vocabulary.tokens, is_text, strict=True)]
    token_start = np.cumsum([0, *map(len, data)])
    parts = trie, slices, token_start, np.frombuffer(b"".join(data) + b"\0", np.uint8)
    return Lexicon(*parts, memory_of(parts), eos)
