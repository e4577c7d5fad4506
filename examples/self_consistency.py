"""Self-consistency: draw many solutions, and let their final answers vote, with weights.

The solutions must end in an answer that can be read. Forcing that changes what is
said; each draw carries the weight that makes up for it, and the vote counts weights.
"""

from __future__ import annotations

from typing import Any

import pgen

SOLUTION = pgen.template(
    "{reasoning}The answer is {number}.",
    reasoning=pgen.Regex(r" ([A-Z][A-Za-z0-9 ,=+*/-]{1,80}\. ){1,3}"),
    number=pgen.Regex("[0-9]{1,4}"),
)
EXAMPLE = """Q: There are 3 cars, and each has 4 wheels. How many wheels are there?
A: Each car has 4 wheels. 3 * 4 = 12. The answer is 12.
"""
QUESTION = "A box holds 6 eggs. How many eggs are there in 5 boxes?"


def solutions(lm: Any, question: str, max_tokens: int = 32, temperature: float = 1.0) -> Any:
    """The distribution of worked solutions to a question."""
    return lm.text(f"{EXAMPLE}Q: {question}\nA:", max_tokens=max_tokens, temperature=temperature).given(SOLUTION)


def final_number(solution: str) -> int:
    """What a solution comes to, however it got there."""
    return int(SOLUTION.parse(solution)["number"])


def main() -> None:
    text = solutions(pgen.load("smollm2"), QUESTION, temperature=0.6)
    posterior = pgen.infer(text, method=pgen.Importance(16, lookahead=0))
    print(posterior)
    number, share = pgen.majority(posterior, key=final_number)
    print(f"\nThe likeliest answer is {number}, with probability {share:.2f}.")


if __name__ == "__main__":
    main()
