"""Selection and inference by turns: pick two known facts, infer a third, and answer from what is known then.

A selected fact is quoted, never invented, because the language of a selection is the
list of facts. Every step is a latent choice, so the posterior weighs whole chains
of reasoning. After Creswell, Shanahan and Higgins, "Selection-inference" (2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pgen

FACTS = ("Tim is a cat.", "Cats are mammals.", "Mammals have warm blood.", "Frogs are green.")
QUESTION = "Does Tim have warm blood?"
VERDICTS = pgen.choice(" yes", " no")


@pgen.program
def reason(lm: Any, facts: Sequence[str], question: str, steps: int = 2) -> str:
    """The answer after `steps` selections and inferences."""
    known = list(facts)
    for step in range(steps):
        pairs = pgen.choice(*(f" {first} {second}" for first, second in permutations(known, 2)))
        selection = lm.text(f"{listed(known)}\nQuestion: {question}\nThe two facts that matter most:")
        selected = pgen.sample(f"selected {step}", selection.within(pairs))
        inference = lm.text(f"If we know:{selected}\nThen we can conclude:", stop="\n", max_tokens=16)
        known.append(pgen.sample(f"inferred {step}", inference).strip())
    answer = lm.text(f"{listed(known)}\nQuestion: {question}\nAnswer (yes or no):")
    return str(pgen.sample("answer", answer.within(VERDICTS)))


def listed(facts: Sequence[str]) -> str:
    return "\n".join(["Facts:", *facts])


def main() -> None:
    posterior = pgen.infer(reason, pgen.load("smollm2"), FACTS, QUESTION, 1, method=pgen.SMC(particles=8))
    print(posterior)
    print("\ninferred:", *posterior.marginal("inferred 0").items(), sep="\n  ")


if __name__ == "__main__":
    main()
