"""Duplicate detection: the probability that two records describe the same thing.

Two hypotheses tell how the second record came to be: written by somebody who looked at
the same thing, or about another one. The language model says how likely its
exact words are under each; Bayes' rule gives the probability that they are one.
"""

from __future__ import annotations

from typing import Any

import pgen

PAIRS = (
    ("Joe's Diner, 12 Main St, Springfield", "Joes Diner, 12 Main Street, Springfield"),
    ("Joe's Diner, 12 Main St, Springfield", "Blue Lagoon Spa, 7 Harbor Rd, Portland"),
)


@pgen.program
def same(lm: Any, first: str, second: str, prior: float = 0.5) -> bool:
    """Whether both records are about one thing."""
    is_same = bool(pgen.sample("same", pgen.bernoulli(prior)))
    relation = "The same place, written differently" if is_same else "Another place, somewhere else"
    written = lm.text(f"A place: {first}\n{relation}:", stop="\n")
    pgen.observe("second", written, f" {second}")
    return is_same


def main() -> None:
    lm = pgen.load("smollm2")
    for first, second in PAIRS:
        posterior = pgen.infer(same, lm, first, second, prior=0.1)
        print(f"{posterior.probabilities().get(True, 0.0):.4f}  {first}  |  {second}")


if __name__ == "__main__":
    main()
