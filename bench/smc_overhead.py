"""Constrained SMC against plain `transformers.generate`: speed and memory. Saves bench/results/smc_overhead.json.

    OMP_WAIT_POLICY=PASSIVE python -m bench.smc_overhead [--rounds 3]

Same model, prompt, batch size and number of tokens in one run, in turn. pgen draws under a
regular expression, weighs every token in float64 and resamples where the weights degenerate;
`generate` samples freely (temperature 1, EOS suppressed so that it goes on as long). Memory
is the peak resident size of a process that runs 32 particles for 256 tokens.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import pgen
from bench.machine import facts, save
from pgen.inference.context import Context
from pgen.inference.methods import smc
from pgen.inference.particles import Population
from pgen.programs.effects import sample
from pgen.programs.machine import Machine
from pgen.sampling.rng import CounterRng

PROMPT = (
    "The old harbour lies at the end of a narrow street, between a bakery that opens before dawn and a shop that "
    "sells ropes, lamps and maps of the coast. On market days the boats come in early, and the first thing that "
    "a visitor hears is the voice of the woman who sells smoked fish. She likes to tell"
)
LANGUAGE = pgen.Regex(r"[a-zA-Z0-9 ,.;:'\"?!()-]{1500,}")
PARTICLES = (8, 32)
N_TOKENS = 64


def with_pgen(lm: Any, particles: int, n_tokens: int, seed: int) -> float:
    """Seconds for `n_tokens` steps of SMC, the prompt included."""
    text = lm.text(PROMPT, end="match").given(LANGUAGE)
    start = time.perf_counter()
    machine = Machine(lambda: sample("text", text), (), {})
    population = Population(machine, Context(), lookahead=0)
    method, rng = pgen.SMC(particles, resample="tokens", lookahead=0), CounterRng(seed)
    state = smc.init(population, particles)
    # The first tick only opens the drafts.
    for _ in range(n_tokens + 1):
        state, _info = smc.step(rng, population, method, state)
    seconds = time.perf_counter() - start
    machine.close()
    drafts = [particle.draft for particle in state.particles]
    assert all(draft is not None and len(draft.state.tokens) == n_tokens for draft in drafts)
    return seconds


def with_generate(lm: Any, particles: int, n_tokens: int, seed: int) -> float:
    """Seconds for `n_tokens` steps of sampling, the prompt included."""
    torch.manual_seed(seed)
    prompt = torch.tensor([lm.encode(PROMPT)] * particles)
    start = time.perf_counter()
    with torch.inference_mode():
        out = lm.model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=True,
            top_k=0,
            min_new_tokens=n_tokens,
            max_new_tokens=n_tokens,
            pad_token_id=next(iter(lm.vocabulary.eos)),
        )
    assert out.shape[1] == prompt.shape[1] + n_tokens
    return time.perf_counter() - start


def peak_memory(particles: int = 32, n_tokens: int = 256) -> float:
    """Peak resident gigabytes of this process after one long run."""
    with_pgen(pgen.load("smollm2"), particles, n_tokens, seed=0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def compared(lm: Any, particles: int, rounds: int) -> dict[str, Any]:
    """Both, alternately, after one short warm-up each."""
    for run in (with_pgen, with_generate):
        run(lm, particles, 4, 0)
    pairs = [(with_pgen(lm, particles, N_TOKENS, r), with_generate(lm, particles, N_TOKENS, r)) for r in range(rounds)]
    tokens = particles * N_TOKENS
    return {
        "pgen_tokens_per_s": tokens / statistics.median(ours for ours, _ in pairs),
        "generate_tokens_per_s": tokens / statistics.median(theirs for _, theirs in pairs),
        "ratio": statistics.median(theirs / ours for ours, theirs in pairs),
        "ratios": [theirs / ours for ours, theirs in pairs],
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    rounds = options.parse_args().rounds
    lm = pgen.load("smollm2")
    found = {particles: compared(lm, particles, rounds) for particles in PARTICLES}
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        gigabytes = pool.apply(peak_memory)
    about = {**facts("torch", "transformers"), "threads": torch.get_num_threads(), "tokens": N_TOKENS}
    save("smc_overhead", {"about": about, "particles": found, "peak_gb_32_particles_256_tokens": gigabytes})
    table = Table("particles", "pgen tokens/s", "generate tokens/s", "ratio", title="SmolLM2-135M, 64 tokens each")
    for particles, figures in found.items():
        speeds = (f"{figures[key]:.0f}" for key in ("pgen_tokens_per_s", "generate_tokens_per_s"))
        table.add_row(str(particles), *speeds, f"{figures['ratio']:.2f}")
    Console().print(table)
    Console().print(f"Peak memory, 32 particles of 256 tokens: {gigabytes:.2f} GB")


if __name__ == "__main__":
    main()
