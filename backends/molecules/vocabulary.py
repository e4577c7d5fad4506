"""The tokens of the bundled molecule models: the atoms and signs of SMILES strings, and single bytes.

A molecule has one spelling, by the tokens that the models were trained on. All other
bytes are tokens, too, which no model reads or says: so every language has a spelling,
and every language can be compiled.
"""

from __future__ import annotations

from functools import cache

from pgen.tokens import Vocabulary

TEXT = (
    *("Br", "C", "Cl", "F", "N", "O", "S", "c", "n", "o", "s", "[nH]", "[H]"),
    *("(", ")", "1", "2", "3", "4", "5", "6", "-", "=", "#"),
)
"""Text tokens have the first ids."""
EOS_ID, BOS_ID, MASK_ID = (len(TEXT) + n for n in range(3))
"""The end of a molecule (and all that follows it on a canvas), the beginning, and what is not known yet."""
N_TOKENS = len(TEXT) + 3
"""How many tokens the networks know."""
CANVAS = 48
"""The most tokens of a molecule, its end included."""


@cache
def vocabulary() -> Vocabulary:
    """The text tokens, end, beginning and mask, and then each byte that is no token yet."""
    names = [token.encode() for token in (*TEXT, "[END]", "[BEGIN]", "[MASK]")]
    others = [bytes([byte]) for byte in range(256) if bytes([byte]) not in names]
    return Vocabulary([*names, *others], eos=EOS_ID, special=(BOS_ID, MASK_ID))
