"""SMILES as a regular language for benchmarks: branches to a bounded depth, ring bonds in pairs.

What no grammar says (valences, aromaticity) RDKit judges on the complete text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache, reduce
from operator import and_

from rdkit import Chem

import pgen

MOLECULES = r"Br|Cl|[CFNOScnos]|\[nH\]|\[H\]"
"""Atoms that the bundled models were trained on."""
REACTIONS = r"Br|Cl|[BCFINOPSbcnops]|\[[^\]]+\]"
"""Atoms of reaction SMILES; what stands in brackets is one token there."""


@lru_cache(maxsize=32)
def smiles(
    depth: int = 3, digits: str = "123", atoms: str = MOLECULES, bond: str = "[-=#]", parts: int = 1
) -> pgen.Language:
    """SMILES of up to `parts` molecules: branches up to `depth` deep, each ring digit an even number of times.

    An intersection of small automata: what may stand beside what, how deep, and a parity for each digit.
    """
    atom = f"({atoms})({bond}?[{digits}])*"
    chain = rf"{atom}(\(?{bond}?{atom}|\))*"
    nested = r"[^()]*"
    for _ in range(depth):
        nested = rf"([^()]|\({nested}\))*"
    form = pgen.Regex(chain if parts == 1 else rf"{chain}(\.{chain}){{0,{parts - 1}}}")
    return joined([form, pgen.Regex(nested), *(paired(digit) for digit in digits)])


def paired(digit: str) -> pgen.Language:
    """Texts with an even number of `digit` outside square brackets."""
    other = rf"([^{digit}\[]|\[[^\]]*\])"
    return pgen.Regex(f"({other}|{digit}{other}*{digit})*")


def at_most_rings(count: int) -> pgen.Language:
    """Texts with at most `count` pairs of ring digits."""
    return pgen.Regex(rf"[^0-9]*([0-9][^0-9]*){{0,{2 * count}}}")


def containing(part: str) -> pgen.Language:
    """Texts with `part` in them."""
    return pgen.Regex(f".*{re.escape(part)}.*")


def joined(languages: Iterable[pgen.Language]) -> pgen.Language:
    """What is in all of them."""
    return reduce(and_, languages)


@lru_cache(maxsize=1 << 16)
def molecule(text: str) -> Chem.Mol | None:
    """The molecule that RDKit reads in a text."""
    return Chem.MolFromSmiles(text) if text else None


def is_valid(text: str) -> bool:
    """Whether RDKit reads it."""
    return molecule(str(text)) is not None


def canonical(text: str) -> str | None:
    """One spelling for each molecule, `None` for what is none."""
    found = molecule(str(text))
    return None if found is None else str(Chem.MolToSmiles(found))
