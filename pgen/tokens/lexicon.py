"""What every mask over a vocabulary needs, made once: its trie, its slices, and both as kernels take them.

Lexicons of large vocabularies are kept on disk, since reading one is ten times faster than making it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.automata import pieces
from pgen.automata.memory import Memory, Plan, joined, memory_of, plan
from pgen.automata.progress import announce_compilations
from pgen.tokens import slices as slices_module
from pgen.tokens import trie as trie_module
from pgen.tokens.disk import Arrays, kept
from pgen.tokens.slices import Slices, slices_of
from pgen.tokens.trie import Levels, Trie, build, levels

if TYPE_CHECKING:
    from pgen.tokens.vocabulary import Vocabulary


WHOLE, SLICED, SECTION, EDGES, CLASS_START, UP_TO, EVERYDAY = 0, 6, 12, 13, 14, 15, 16
SIGN_START, SIGN_TOKENS, SIGN_TAILS, SIGN_BYTES = 17, 18, 19, 20
"""Places in the lexicon: the whole trie, the tries of slices, and what slices have besides."""
TOKEN_START, TOKEN_BYTES, WHOLE_LEVELS, SLICED_LEVELS, EOS = 21, 22, 23, 26, 29
SCRATCH, DRAFT, FACTS, LISTED, MODEL = 30, 31, 32, 33, 34
"""Behind these: the bytes of tokens, both tries in level order, the EOS ids; and on a `Desk` its own."""
BYTE, DEPTH, END, FIRST, TOKENS, ONLY = range(6)
"""Places of a trie's arrays after its first."""
LEVEL = 256
"""Automaton states that one level of a slice may hold; with more its tokens are walked."""
MOST_LISTED = 256
"""Tokens of a mask up to which they are listed on a desk, so that it is told from others without its words."""
MIN_KEPT = 8192
"""Tokens of the smallest vocabulary whose lexicon is kept on disk: below, making it takes no tenth of a second."""


class Lexicon(NamedTuple):
    """`memory` is that of all before it and `eos_ids`, `eos` their mask, `max_depth` the bytes of the longest token."""

    trie: Trie
    slices: Slices
    token_start: NDArray[np.int64]  # (V + 1,) into token_bytes; tokens that are no text have no bytes
    token_bytes: NDArray[np.uint8]
    levels: Levels  # of the trie
    slice_levels: Levels
    memory: Memory
    eos: NDArray[np.uint32]
    eos_ids: NDArray[np.int32]
    max_depth: int
    single: NDArray[np.bool_]  # (256,) which bytes are tokens
    every_byte: bool  # whether all are


@lru_cache(maxsize=16)
def lexicon_of(vocabulary: Vocabulary) -> Lexicon:
    """The lexicon of a vocabulary; cached, since every language needs it."""
    announce_compilations()
    if len(vocabulary) < MIN_KEPT:
        return _lexicon(_arrays(vocabulary))
    code = sys.modules[__name__], trie_module, slices_module, pieces
    return _lexicon(kept("lexicons", vocabulary.digest, code, lambda: _arrays(vocabulary)))


def _arrays(vocabulary: Vocabulary) -> Arrays:
    """All that a lexicon is made of, by name."""
    trie, slices = build(vocabulary.tokens, vocabulary.text_ids.tolist()), slices_of(vocabulary)
    sections = slices.section[:-1]
    eos = np.zeros(-(-len(vocabulary) // 32), np.uint32)
    for token in vocabulary.eos:
        eos[token >> 5] |= np.uint32(1 << (token & 31))
    is_text = np.zeros(len(vocabulary), np.bool_)
    is_text[vocabulary.text_ids] = True
    data = [token if text else b"" for token, text in zip(vocabulary.tokens, is_text, strict=True)]
    return {
        **{f"trie.{name}": array for name, array in trie._asdict().items()},
        **{f"slices.tries.{name}": array for name, array in slices.tries._asdict().items()},
        **{f"slices.{name}": array for name, array in slices._asdict().items() if name != "tries"},
        **{f"levels.{name}": array for name, array in levels(trie, _ROOT)._asdict().items()},
        **{f"slices.levels.{name}": array for name, array in levels(slices.tries, sections)._asdict().items()},
        "token.start": np.cumsum([0, *map(len, data)]),
        "token.bytes": np.frombuffer(b"".join(data) + b"\0", np.uint8),
        "masks.eos": eos,
        "masks.eos_ids": np.array(sorted(vocabulary.eos), np.int32),
    }


def _lexicon(arrays: Arrays) -> Lexicon:
    def below(prefix: str, names: Iterable[str]) -> dict[str, Any]:
        return {name: arrays[f"{prefix}.{name}"] for name in names}

    trie = Trie(**below("trie", Trie._fields))
    slices = Slices(Trie(**below("slices.tries", Trie._fields)), **below("slices", Slices._fields[1:]))
    text = below("token", ("start", "bytes"))
    order, slice_order = (Levels(**below(prefix, Levels._fields)) for prefix in ("levels", "slices.levels"))
    memory = memory_of((trie, slices, *text.values(), order, slice_order, arrays["masks.eos_ids"]))
    lengths = np.diff(text["start"])
    single = np.zeros(256, np.bool_)
    single[text["bytes"][text["start"][:-1][lengths == 1]]] = True
    known = below("masks", ("eos", "eos_ids")) | {
        "max_depth": int(trie.depth.max()),
        "single": single,
        "every_byte": bool(single.all()),
    }
    return Lexicon(trie, slices, text["start"], text["bytes"], order, slice_order, memory, **known)


class Desk:
    """What masks of one automaton are drawn up on: `memory` is that of a lexicon, and of this.

    `octets` are the bytes of the draft that becomes the mask; `facts` are (whether a token is allowed, the largest
    `farthest` of the states that allowed ones lead to or a bound on it, a code that equal masks share, a second one
    or 0); while there is no mask yet, the third may be a state whose members have to be marked. Kernels know besides
    how many tokens are listed or that there are more, and which state's mask is the model, with its first two facts.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        n_words = len(lexicon.eos)
        by = _plan_of(n_words, lexicon.max_depth)
        block, at, end = np.empty(by.n_bytes, np.uint8), by.rows.item(1, 0), by.rows.item(2, 0)
        self.memory: Memory = joined(lexicon.memory, by.rows, block)
        self.octets = block.data[at : at + 4 * n_words]
        facts: NDArray[np.int64] = np.ndarray((8,), np.int64, block, end)
        facts[4], facts[5] = MOST_LISTED + 1, 0
        self.facts = facts[:4]


@lru_cache(maxsize=16)
def _plan_of(n_words: int, max_depth: int) -> Plan:
    """Where the arrays of a desk lie: scratch, the draft, facts, the tokens listed, and the model."""
    words, n_scratch = (n_words,), max(4 * LEVEL, 5 * max_depth + 5)
    return plan(
        ((n_scratch,), words, (8,), (MOST_LISTED,), words), (np.int32, np.uint32, np.int64, np.int32, np.uint32)
    )


_ROOT = np.zeros(1, np.int32)
