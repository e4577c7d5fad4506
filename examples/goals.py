"""Goal inference: which goal explains what somebody was seen doing?

The language model, told a goal, says how likely each action is. Bayes' rule turns that
around: from actions to goals, one more after each action.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pgen

GOALS = {"bake a cake": 1.0, "wash the car": 1.0, "paint the fence": 1.0}
ACTIONS = (" opened the cupboard", " took a bowl", " cracked two eggs")


@pgen.program
def goal(lm: Any, goals: Mapping[str, float], actions: Sequence[str], alternatives: Sequence[str] = ()) -> str:
    """The goal, given the actions; each was one of `actions` and `alternatives`."""
    wanted = str(pgen.sample("goal", pgen.categorical(goals)))
    possible = pgen.choice(*actions, *alternatives)
    story = f"Anna wanted to {wanted}. First she"
    for number, action in enumerate(actions):
        pgen.observe(f"action {number}", lm.text(story).within(possible), action)
        story += f"{action}. Then she"
    return wanted


def main() -> None:
    lm = pgen.load("smollm2")
    others = (" filled a bucket", " took a brush", " found a sponge", " went outside")
    for seen in range(len(ACTIONS) + 1):
        posterior = pgen.infer(goal, lm, GOALS, ACTIONS[:seen], others)
        shares = ", ".join(f"{name} {share:.2f}" for name, share in posterior.probabilities().items())
        print(f"{ACTIONS[seen - 1].strip() if seen else 'before':22}{shares}")


if __name__ == "__main__":
    main()
