"""JSON from a masked diffusion model under a schema: exact steps, global weights, any checkpoint.

    python -m examples.diffusion_json [DIRECTORY]

DIRECTORY holds a `...ForMaskedLM`, LLaDA, Dream or DiffusionGemma checkpoint. Without one a
toy over bytes plays the model: it knows letters from digits and nothing of JSON.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import pgen
from pgen.backends.tabular import TabularDiffusion

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "pattern": "^[A-Z][a-z]{2,7}$"},
        "rank": {"type": "integer", "minimum": 1, "maximum": 99},
    },
    "required": ["city", "rank"],
    "additionalProperties": False,
}
LENGTH = 32


def toy() -> TabularDiffusion:
    """Every position likes vowels behind consonants, and small digits."""
    vocabulary = pgen.Vocabulary([bytes([byte]) for byte in range(128)] + [b""], eos=128)

    def marginals(tokens: tuple[int | None, ...]) -> Any:
        rows = np.ones((LENGTH, 129))
        rows[:, 128] = 5.0
        for vowel in b"aeiou":
            rows[:, vowel] = 4.0
        for i, before in enumerate(tokens[:-1]):
            if before is not None and chr(before) in "aeiou":
                rows[i + 1, [ord(vowel) for vowel in "aeiou"]] = 0.1
        return np.log(rows / rows.sum(axis=1, keepdims=True))

    return TabularDiffusion(vocabulary, LENGTH, marginals)


def records(model: Any, prompt: str, particles: int, seed: int) -> pgen.Posterior:
    """Objects that obey the schema, with weights: four positions a step."""
    text = model.text(prompt, length=LENGTH, steps=LENGTH // 4).given(pgen.JSONSchema(SCHEMA))
    return pgen.infer(text, method=pgen.SMC(particles, resample="tokens"), seed=seed)


def main() -> None:
    directory = sys.argv[1] if len(sys.argv) > 1 else None
    model = toy() if directory is None else pgen.load(directory)
    prompt = "" if directory is None else "A city and its rank, as JSON: "
    posterior = records(model, prompt, particles=16, seed=0)
    print(posterior)


if __name__ == "__main__":
    main()
