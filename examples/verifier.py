"""Generate and check: a proposed answer is drawn, and the model's own verdict on it is evidence.

Writing an answer and judging one are different questions to a model. The posterior
takes both into account, as Bayes' rule says, without a rule of thumb.
"""

from __future__ import annotations

from typing import Any

import pgen

QUESTION = "Which planet is the largest one in the solar system?"
ANSWERS = pgen.choice(" Mars", " Earth", " Jupiter", " Saturn", " Venus")


@pgen.program
def proposed(lm: Any, question: str, answers: pgen.Language) -> str:
    """What the model answers."""
    return str(pgen.sample("answer", lm.text(f"Question: {question}\nAnswer:").within(answers)))


@pgen.program
def verified(lm: Any, question: str, answers: pgen.Language) -> str:
    """What it answers, given that it finds the answer right when asked."""
    answer = proposed(lm, question, answers)
    verdict = lm.text(f"Question: {question}\nProposed answer:{answer}\nIs the proposed answer right?")
    pgen.observe("verdict", verdict.within(pgen.choice(" Yes", " No")), " Yes")
    return answer


def main() -> None:
    lm = pgen.load("smollm2")
    print("before the check:", pgen.infer(proposed, lm, QUESTION, ANSWERS), sep="\n")
    print("\nafter the check:", pgen.infer(verified, lm, QUESTION, ANSWERS), sep="\n")


if __name__ == "__main__":
    main()
