"""Infilling by diffusion: what is missing in the product of a reaction, with several holes at once.

`rxnmapper` is a masked model of reactions inside a package (pip install --no-deps rxnmapper==0.4.3).
"""

from __future__ import annotations

from typing import Any

import pgen

REACTANTS = "CC(=O)Cl.Nc1ccccc1>>"
PRODUCT = "CC(=O){linker}c1{ring}c1"
SIZES = {"linker": 1, "ring": 4}
HOLES = {"linker": pgen.choice("N", "O", "S"), "ring": pgen.Regex("[cnos]{4}")}


def product(model: Any) -> pgen.Posterior:
    """The holes' contents; the fixed parts stand in the canvas before the model is asked."""
    return pgen.infer(model.fill(PRODUCT, prompt=REACTANTS, sizes=SIZES, **HOLES))


def main() -> None:
    posterior = product(pgen.load("rxnmapper"))
    print(posterior)
    for text in list(posterior.probabilities())[:3]:
        print(text, dict(text.holes))


if __name__ == "__main__":
    main()
