"""A poem whose words have given numbers of letters: here the digits of pi (a "piem").

The form is a regular language and evidence: the posterior is over the poems that the
model would write if it happened to keep to the form.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import pgen

WORDS = """
a i o of in on is it at we my me so to the and sea sky you all her his our for not now how old new
sun low dim far can may day air moon dark deep blue cold tide wind wave star salt soft wild lost
home dawn foam calm gold glow fall rise keep hold song ship with from into over that this they when
then will been have ocean night light stars water waves shore storm dream sleep quiet still black
white above below under where there dance sings calls shine silver shadow dreams gentle silent
golden shines lonely deeper depths ripple moonlight starlight nightfall whispered wandering
beautiful shoreline breathing sparkling
"""
PI = ((3, 1, 4), (1, 5, 9), (2, 6, 5))
PROMPT = "A short poem about the sea and the night:\n\n"


def poems(lines: Sequence[Sequence[int]], letters: str = "a-z", words: Sequence[str] = ()) -> pgen.Language:
    """Texts whose words have these numbers of letters, line by line; out of `words`, if there are any."""

    def word(length: int) -> pgen.Language:
        fitting = sorted({known for known in words if len(known) == length})
        return pgen.choice(*fitting) if words else pgen.Regex(f"[{letters}]{{{length}}}")

    return joined("\n", [joined(" ", [word(length) for length in line]) for line in lines])


def joined(separator: str, parts: Sequence[pgen.Language]) -> pgen.Language:
    """The parts in order, with the separator between them."""
    return reduce(add, [parts[0], *(separator + part for part in parts[1:])])


def write(lm: Any, prompt: str, lines: Sequence[Sequence[int]], letters: str = "a-z", words: Sequence[str] = ()) -> Any:
    """The distribution of poems of this form."""
    return lm.text(prompt, end="prefix").given(poems(lines, letters, words))


def main() -> None:
    method = pgen.SMC(particles=64, resample="tokens", lookahead=0)
    posterior = pgen.infer(write(pgen.load("smollm2"), PROMPT, PI, words=WORDS.split()), method=method)
    print(posterior.mode())
    print(posterior.diagnose())


if __name__ == "__main__":
    main()
