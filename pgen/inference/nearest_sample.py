"""A member of a language near a text, chosen by a model: p(x) exp(-rate * cost of the edits from the text to x).

Only members within some edits of the text have mass (`pgen.near`), so that the model is
asked about these alone; any kind of text distribution will do.
"""

from __future__ import annotations

from pgen.automata.edits import Costs, distance
from pgen.inference.infer import infer
from pgen.language.base import Language
from pgen.language.nearby import near
from pgen.programs.effects import condition, factor, sample
from pgen.programs.strings import StringDistribution


def choose(
    text: str,
    nearest: str,
    language: Language,
    model: StringDistribution,
    costs: Costs,
    slack: int,
    rate: float,
    max_cost: int | None,
    seed: int | None,
) -> str:
    """The likeliest member of up to `slack` edits more than `nearest`, or with a seed a draw.

    Raises `ZeroEvidence` if the model gives no such member any mass.
    """
    edits = distance(text, nearest, Costs(1, 1, 1)) + slack
    candidates = model.given(language & near(text, edits))

    def program() -> str:
        value = sample("text", candidates)
        cost = distance(text, value, costs)
        condition("max_cost", max_cost is None or cost <= max_cost)
        factor("edits", -rate * cost)
        return str(value)

    posterior = infer(program, seed=seed or 0)
    found: str = posterior.mode() if seed is None else posterior.sample(seed, 1)[0]
    return found
