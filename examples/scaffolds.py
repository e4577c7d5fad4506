"""Around a core that stays: the same holes filled by insertion and in any order, and a broken text mended.

An insertion model sees the whole core from the first token on and needs no lengths. An any-order model
is told how many tokens each hole takes. Uses bundled models; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping

import pgen
from pgen.backends.anyorder.small_transformer import SmallAnyOrder
from pgen.backends.insertion.model import SmallInsertion
from pgen.programs.infill import Filled
from pgen.programs.strings import StringDistribution

CORE = "{left}c1ccc({right})cc1"
ATOMS = pgen.Regex(r"[CNOSF]([CNOSF]|Cl|\(=?[CNO]\)){0,6}")
SIZES = {"left": 3, "right": 4}


def grown(model: SmallInsertion, max_tokens: int = 12) -> StringDistribution:
    """Texts around the core; holes may take any number of tokens, `max_tokens` together."""
    return model.fill(CORE, left=ATOMS, right=ATOMS, max_tokens=max_tokens)


def sized(model: SmallAnyOrder, sizes: Mapping[str, int]) -> StringDistribution:
    """Texts around the core with so many tokens in each hole."""
    return model.fill(CORE, left=ATOMS, right=ATOMS, sizes=sizes)


@pgen.program
def with_oxygen_once(text: StringDistribution) -> Filled:
    """Holes may refer to each other: oxygen stands on one side of the core only."""
    molecule: Filled = pgen.sample("molecule", text)
    left, right = molecule.holes.values()
    pgen.condition("oxygen on one side", ("O" in left) != ("O" in right))
    return molecule


def mended(smiles: str) -> str:
    """The nearest text of the grammar of SMILES, in which brackets match."""
    return str(pgen.edit(smiles, pgen.Grammar("smiles")))


def main() -> None:
    insertion, any_order = pgen.load("molecules-insertion"), pgen.load("molecules-anyorder")
    for title, text in {"insertion": grown(insertion), "any order": sized(any_order, SIZES)}.items():
        posterior = pgen.infer(with_oxygen_once, text, method=pgen.Importance(64), seed=0)
        print(f"{title}: log evidence {posterior.log_evidence:.1f}")
        for molecule, share in list(posterior.probabilities().items())[:3]:
            print(f"  {share:.0%}  {molecule}")
    for broken in ("CC(=O)Nc1ccc(O", "COc1ccc)C(C=O)cc1"):
        print(f"{broken} is mended to {mended(broken)}")


if __name__ == "__main__":
    main()
