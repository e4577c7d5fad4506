"""A language of molecules that are valid by construction: every member is one that RDKit reads.

Chains of C, N, O and S with branches, carbonyl and sulfonyl groups, double and triple
bonds, and single rings: aromatic ones of five and six atoms (which always have a Kekulé
form), and others of four to seven. Each rule spends the valence that its atoms have.
Depth bounds nesting, and a ring at depth d carries the number d, so that numbers come in
pairs; thus the language is regular, and exact for every kind of model. It has no charges, no fused rings.
"""

from __future__ import annotations

from functools import cache

import pgen

DEPTH = 2
"""Branches and rings within each other; at the bottom stand single atoms."""

BOTTOM = 'chain{d}: "C" | "N" | "O" | "F" | "Cl" | "Br" | "C" "C" | "O" "C" | "N" "C" | "C" "#" "N"'

LEVEL = """
chain{d}: link{d}* end{d}
link{d}: "C" | "N" | "O" | "S" | "C" "=" "C" | "C" "#" "C" | "S" "(" "=" "O" ")" "(" "=" "O" ")"
    | "C" "(" "=" "O" ")" | "C" branch{d} branch{d}? | "N" branch{d}
end{d}: plain{d} | azole{d}
plain{d}: "C" | "N" | "O" | "S" | "F" | "Cl" | "Br" | "C" "#" "N" | "C" "=" "O" | "C" "=" "C"
    | aromatic{d} | saturated{d}
branch{d}: "(" chain{e} ")"
aromatic{d}: "c" "{d}" six{d} six{d} six{d} six{d} ("c" | "n") "{d}"
    | "c" "{d}" five five five ("o" | "s" | "[nH]") "{d}"
    | "c" "{d}" ("o" | "s" | "[nH]") five five five "{d}"
azole{d}: "n" "{d}" five five five five "{d}"
six{d}: "c" branch{d}? | "n"
saturated{d}: ("C" | "N") "{d}" one{d} one{d} one{d}? one{d}? one{d}? ("C" | "N" | "O") "{d}"
one{d}: "C" branch{d}? | "N" branch{d}? | "O" | "S"
"""

START = """
start: link1* plain1 | link1+ azole1 | "N" "#" "C" chain1 | halogen chain1 | "O" "=" "C" branch1 chain1
    | "O" "=" "S" "(" "=" "O" ")" branch1 chain1 | "O" "=" "C" "1" one1 one1 one1 one1? ("C" | "N" | "O") "1"
five: "c" | "n"
halogen: "F" | "Cl" | "Br"
"""


@cache
def molecules() -> pgen.Language:
    """The language; cached."""
    levels = [LEVEL.format(d=depth, e=depth + 1) for depth in range(1, DEPTH + 1)]
    return pgen.Grammar("\n".join([START, *levels, BOTTOM.format(d=DEPTH + 1)]))
