"""A thousand particles for a hundred steps on a tabular model. Saves bench/results/particles.json.

    OMP_WAIT_POLICY=PASSIVE python -m bench.particles [--rounds 5]

Processor seconds, kernels warm, of SMC that resamples whenever any weights differ. A step of a text
is a token under a regular expression; a step of a program is a draw, a factor and the text's
share of the machinery that suspends and copies runs. The model's own time is within.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import pgen
from bench.machine import facts, save
from pgen.backends.tabular import TabularAR

PARTICLES = 1_000
STEPS = 100


def model(n_tokens: int) -> TabularAR:
    """Next-token probabilities that depend on the last two tokens."""
    tokens = [bytes([97 + i]) for i in range(n_tokens)]
    draws = np.random.default_rng(0)
    logits = draws.normal(size=(n_tokens + 1, n_tokens + 1, n_tokens + 1))
    rows = logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    def next_logprobs(prefix: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
        last = (n_tokens, n_tokens, *prefix)[-2:]
        return np.asarray(rows[last[0], last[1]])

    return TabularAR(pgen.Vocabulary([*tokens, b""], eos=n_tokens), next_logprobs)


def text_of(n_tokens: int) -> Callable[[], Any]:
    """A text of `STEPS` tokens, under a language whose masks change from token to token."""
    text = model(n_tokens).text("", end="prefix").given(pgen.Regex(f"([a-c][b-f]){{{STEPS // 2}}}"))
    return lambda: pgen.sample("text", text)


def program() -> list[int]:
    """`STEPS` choices, each weighed."""
    drawn = []
    for step in range(STEPS):
        drawn.append(pgen.sample(f"x{step}", pgen.bernoulli(0.4)))
        pgen.factor(f"w{step}", -0.5 * drawn[-1])
    return drawn


CASES = {
    "text, 8 tokens": (text_of(8), pgen.SMC(PARTICLES, ess_threshold=1.0, resample="tokens", lookahead=0)),
    "text, 20 tokens": (text_of(20), pgen.SMC(PARTICLES, ess_threshold=0.5, resample="tokens", lookahead=0)),
    "program of choices": (program, pgen.SMC(PARTICLES)),
}


def seconds(case: Callable[[], Any], method: Any, seed: int) -> float:
    """Processor seconds of one run."""
    start = time.process_time()
    pgen.infer(case, method=method, seed=seed)
    return time.process_time() - start


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    found = {}
    table = Table("case", "median s", "fastest s", title=f"{PARTICLES:,} particles, {STEPS} steps")
    for name, (case, method) in CASES.items():
        seconds(case, method, 0)
        times = [seconds(case, method, seed) for seed in range(rounds)]
        found[name] = {"median_s": statistics.median(times), "fastest_s": min(times), "method": repr(method)}
        table.add_row(name, f"{statistics.median(times):.2f}", f"{min(times):.2f}")
    save("particles", {"about": {"particles": PARTICLES, "steps": STEPS, **facts()}, "cases": found})
    Console().print(table)


if __name__ == "__main__":
    main()
