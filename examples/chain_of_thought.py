"""Chain of thought: the reasoning is a latent variable, and the probability of an answer sums over it.

The same program, conditioned on a known answer, says which thoughts lead there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pgen
from pgen import handlers

QUESTION = "A bat costs 5 dollars, and a ball costs 2 dollars less than the bat. How much does the ball cost?"
ANSWERS = (" 2 dollars", " 3 dollars", " 7 dollars")


@pgen.program
def solve(lm: Any, question: str, answers: Sequence[str]) -> str:
    """Think in one line, then answer."""
    asked = f"Question: {question}\nLet us think step by step:"
    thought = pgen.sample("thought", lm.text(asked, stop="\n", max_tokens=32))
    answer = lm.text(f"{asked}{thought}\nThe answer is")
    return str(pgen.sample("answer", answer.within(pgen.choice(*answers))))


def thoughts_behind(answer: str) -> Any:
    """The same program, with the answer as evidence about the thought."""
    return handlers.condition(solve, data={"answer": answer})


def main() -> None:
    lm = pgen.load("smollm2")
    method = pgen.Importance(particles=16, lookahead=0)
    print(pgen.infer(solve, lm, QUESTION, ANSWERS, method=method))
    for answer in ANSWERS[:2]:
        posterior = pgen.infer(thoughts_behind(answer), lm, QUESTION, ANSWERS, method=method)
        thought, share = next(iter(posterior.marginal("thought").items()))
        print(f"\n{answer}, log evidence {posterior.log_evidence:.2f}; {share:.0%} of it by:{thought}")


if __name__ == "__main__":
    main()
