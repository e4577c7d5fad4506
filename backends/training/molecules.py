"""Molecules as token arrays, and batches of similar length.

The data are the training and test splits of the MOSES benchmark (Polykovskiy et al.
2018, MIT), one SMILES string a line under a heading, gzipped.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgen.backends.molecules.vocabulary import CANVAS, EOS_ID, TEXT
from pgen.errors import InvalidArgument

_TOKEN = re.compile("|".join(map(re.escape, sorted(TEXT, key=len, reverse=True))))
_POOL = 64


class Molecules(NamedTuple):
    """`tokens` `(N, CANVAS)` uint8, filled up with the end token, and `lengths` `(N,)` without it."""

    tokens: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    n_left_out: int
    sha256: str


def read(path: Path, limit: int | None = None) -> Molecules:
    """The first `limit` molecules of a gzipped file; those longer than the canvas are left out and counted.

    Raises `InvalidArgument` on a string that the vocabulary cannot spell.
    """
    data = path.read_bytes()
    lines = gzip.decompress(data).decode().split()[1:][:limit]
    spelled = [_ids(line.split(",")[0]) for line in lines]
    kept = [ids for ids in spelled if len(ids) < CANVAS]
    tokens = np.full((len(kept), CANVAS), EOS_ID, np.uint8)
    for row, ids in zip(tokens, kept, strict=True):
        row[: len(ids)] = ids
    lengths = np.array([len(ids) for ids in kept])
    return Molecules(tokens, lengths, len(spelled) - len(kept), hashlib.sha256(data).hexdigest())


_IDS = {token: i for i, token in enumerate(TEXT)}


def _ids(smiles: str) -> list[int]:
    found = _TOKEN.findall(smiles)
    if "".join(found) != smiles:
        raise InvalidArgument(f"the molecule {smiles!r} holds more than the tokens {' '.join(TEXT)}")
    return [_IDS[token] for token in found]


def batches(molecules: Molecules, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Indices of molecules, without end: random pools of 64 batches, in each of which equal lengths come together."""
    while True:
        order = rng.permutation(len(molecules.lengths))
        for start in range(0, len(order) - size * _POOL + 1, size * _POOL):
            pool = order[start : start + size * _POOL]
            pool = pool[np.argsort(molecules.lengths[pool], kind="stable")].reshape(_POOL, size)
            yield from rng.permutation(pool)
