"""Tool use: a turn is some words and one call; the calculator's result goes into the text, until an answer is called.

The calls are structural tags: which tools there are, and what each may be given, is a
language, so that every call can be carried out.
"""

from __future__ import annotations

from typing import Any

import pgen

NUMBER = pgen.Regex(r"0|[1-9][0-9]{0,4}")
SUM = NUMBER + (pgen.choice("+", "-", "*") + NUMBER).repeat(1, 3)
CALL = pgen.tagged(("<calc>", SUM, "</calc>"), ("<answer>", NUMBER, "</answer>"), low=1, high=1, text="")
TURN = pgen.template("{words}{call}", words=pgen.Regex(r"[A-Za-z0-9 ,.]{0,60}"), call=CALL)

EXAMPLE = """Problem: Ann has 3 boxes of 12 eggs. 5 eggs break. How many are left?
Solution: There are <calc>3*12</calc> = 36 eggs, and of them <calc>36-5</calc> = 31 are left. <answer>31</answer>

"""
PROBLEM = "A train has 8 cars with 24 seats each. 17 seats are taken. How many seats are free?"


@pgen.program
def work_out(lm: Any, problem: str, turns: int = 4) -> int:
    """The answer, in at most `turns` turns."""
    text = f"{EXAMPLE}Problem: {problem}\nSolution:"
    for turn in range(turns):
        written = pgen.sample(f"turn {turn}", lm.text(text, max_tokens=40).given(TURN))
        (call,) = CALL.parse(TURN.parse(written)["call"])
        if call.begin == "<answer>":
            return int(call.content)
        text += f"{written} = {calculate(call.content)}"
    pgen.condition("answered", False)
    raise AssertionError("no run goes on after a condition that fails")


def calculate(expression: str) -> int:
    """The tool. Only members of `SUM` come here, so that evaluating them is safe."""
    if not SUM.matches(expression):
        raise ValueError(f"{expression!r} is no sum")
    return int(eval(expression))


def main() -> None:
    method = pgen.SMC(particles=8, resample="tokens", lookahead=0)
    posterior = pgen.infer(work_out, pgen.load("smollm2"), PROBLEM, method=method)
    print(posterior)
    print()
    for turn, probability in posterior.marginal("turn 0").items():
        print(f"{probability:.2f} {turn}")


if __name__ == "__main__":
    main()
