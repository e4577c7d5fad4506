"""A story with a fixed ending: the middle is drawn so that the end follows from it.

A left-to-right model does not know the ending while it writes. Sequential Monte Carlo
writes many middles and keeps those after which the model would have gone on to the
ending by itself.
"""

from __future__ import annotations

from typing import Any

import pgen

BEGINNING = "Once upon a time, a little robot lived alone on the moon."
ENDING = " From that day on, the robot was never lonely again."
SENTENCE = pgen.Regex(r" [A-Z][a-z ,'-]{10,90}\.")


def story(lm: Any, beginning: str, ending: str, middle: pgen.Language = SENTENCE) -> Any:
    """The distribution of whole stories; `.holes["middle"]` of a draw is what was found."""
    template = pgen.template("{beginning}{middle}{ending}", beginning=beginning, middle=middle, ending=ending)
    return lm.fill(template)


def main() -> None:
    lm = pgen.load("smollm2")
    method = pgen.SMC(particles=16, resample="tokens", lookahead=0)
    posterior = pgen.infer(story(lm, BEGINNING, ENDING), method=method)
    print(posterior.mode().holes["middle"])
    print(posterior.diagnose())


if __name__ == "__main__":
    main()
