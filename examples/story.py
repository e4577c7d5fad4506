"""A story with a fixed ending: the middle is drawn so that the end follows from it.

A left-to-right model does not know the ending while it writes. Sequential Monte Carlo
writes many middles and keeps those after which the model would have gone on to the
ending by itself. Weights wait for the ending: what a sentence is worth before it is
complete says nothing about what comes after it.
"""

from __future__ import annotations

from typing import Any

import pgen

BEGINNING = "Once upon a time, a little robot lived alone on the moon."
ENDING = " From that day on, the robot was never lonely again."
SENTENCE = pgen.Regex(r" [A-Z][a-z ,'-]{10,90}\.")


def story(lm: Any, beginning: str, ending: str, middle: pgen.Language = SENTENCE, temperature: float = 1.0) -> Any:
    """The distribution of what follows the beginning; `.holes["middle"]` of a draw is what was found."""
    template = pgen.template("{middle}{ending}", middle=middle, ending=ending)
    return lm.fill(template, prompt=beginning, temperature=temperature)


def main() -> None:
    lm = pgen.load("smollm2")
    method = pgen.SMC(particles=48, lookahead=0)
    posterior = pgen.infer(story(lm, BEGINNING, ENDING, temperature=0.7), method=method)
    print(BEGINNING + posterior.mode())
    for text, share in list(posterior.probabilities().items())[:3]:
        print(f"{share:7.2%} {text.holes['middle']}")
    print(posterior.diagnose())


if __name__ == "__main__":
    main()
