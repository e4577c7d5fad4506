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

PI = ((3, 1, 4), (1, 5, 9), (2, 6, 5))
PROMPT = "A short poem about the sea and the night:\n\n"


def poems(lines: Sequence[Sequence[int]], letters: str = "a-z") -> pgen.Language:
    """Texts whose words have these numbers of letters, line by line."""
    return joined("\n", [joined(" ", [pgen.Regex(f"[{letters}]{{{n}}}") for n in line]) for line in lines])


def joined(separator: str, parts: Sequence[pgen.Language]) -> pgen.Language:
    """The parts in order, with the separator between them."""
    return reduce(add, [parts[0], *(separator + part for part in parts[1:])])


def write(lm: Any, prompt: str, lines: Sequence[Sequence[int]], letters: str = "a-z") -> Any:
    """The distribution of poems of this form."""
    return lm.text(prompt, end="prefix").given(poems(lines, letters))


def main() -> None:
    method = pgen.SMC(particles=32, resample="tokens", lookahead=0)
    posterior = pgen.infer(write(pgen.load("smollm2"), PROMPT, PI), method=method)
    print(posterior.mode())
    print(posterior.diagnose())


if __name__ == "__main__":
    main()
