"""pgen against genlm-control: speed and distance to the exact posterior. Saves bench/results/smc_peers.json.

    python -m venv PEER && PEER/bin/pip install genlm-control==0.4.1
    OMP_WAIT_POLICY=PASSIVE python -m bench.smc_peers --peer-python PEER/bin/python [--seeds 3] [--only "sky|Hamlet"]

The peer runs in a process of its own (`bench/genlm_worker.py`) on the same weights, SmolLM2-135M in
float32, with the same number of threads, prompts as token ids, languages, numbers of particles and
seeds; the two take turns. Its sampler is AWRS with resampling below half the effective sample
size. Both have compiled the constraint and seen the prompt before the clock starts, and nothing
else: what either remembers of the model is dropped before every run.

Two runs of pgen are measured: `SMC(N)` as it is by default, and the peer's own algorithm (resampling
after any token, no look-ahead). A particle-token is a token of a particle's text, the end of text
included. Exact posteriors come from `Enumerate(1e-5)`; texts end by EOS.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table

import pgen
from bench.machine import facts, save

PARTICLES = (8, 32)
WARM_UP = 2
"""Particles of the run before the first that counts."""
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
EMAIL = "Anna Rossi, 34, moved from Milan to Paris last spring. Reply with JSON: name, age, city."
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "city": {"enum": ["Paris", "Milan", "Parma", "Paderborn"]},
    },
    "required": ["name", "age", "city"],
    "additionalProperties": False,
}


class Task(NamedTuple):
    """A chat question and its language: a regular expression, or a schema (whose posterior is not enumerated)."""

    question: str
    language: str | dict[str, Any]
    max_tokens: int = 24
    most_seeds: int = 100

    @property
    def key(self) -> str:
        return self.question

    @property
    def kind(self) -> str:
        return "regex" if isinstance(self.language, str) else "schema"

    def posed(self, lm: Any) -> Any:
        """The measure over the answers."""
        language = pgen.Regex(self.language) if isinstance(self.language, str) else pgen.JSONSchema(self.language)
        return lm.chat(self.question, end="eos", max_tokens=self.max_tokens).given(language)


TASKS = (
    Task("What is the capital of France?", "Paris|London|Lyon|The Hague|The city of Rome|Rome"),
    Task("Who wrote Hamlet?", "Shakespeare|Shelley|Will|Homer|William Tell|William Blake"),
    Task("What colour is the sky? Answer in one or two words.", "Blue|Green|Grey|The moon|The sea|It is red"),
    Task("Is water wet? Answer yes or no.", "Yes|No|yes|no|Maybe|Yes, it is"),
    Task("When is Bastille Day? Answer with month and day.", f"({MONTHS}) ([1-9]|[12][0-9]|3[01])"),
    Task(EMAIL, PERSON, 48, most_seeds=2),  # minutes a run for the peer
)
METHODS = {
    "pgen": lambda n: pgen.SMC(n),
    "pgen, the peer's algorithm": lambda n: pgen.SMC(n, resample="tokens", lookahead=0),
}
PEER = "genlm-control"


class Outcome(NamedTuple):
    """One run; `answers` is empty and `log_evidence` is `None` if every particle died."""

    answers: dict[str, float]
    log_evidence: float | None
    tokens: int
    seconds: float
    processor_seconds: float


def with_pgen(text: Any, method: Any, seed: int) -> Outcome:
    """A run of pgen, which knows of the model what comes after the prompt."""
    text.model.forget()
    text.model.next_logits([text.prompt])
    wall, processor = time.perf_counter(), _processor_seconds()
    try:
        found = pgen.infer(text, method=method, seed=seed)
    except pgen.ZeroEvidence:
        return Outcome({}, None, 0, time.perf_counter() - wall, _processor_seconds() - processor)
    seconds, processor = time.perf_counter() - wall, _processor_seconds() - processor
    tokens = sum(len(value.tokens) + 1 for value in found.values)
    answers = {str(answer): share for answer, share in found.probabilities().items()}
    return Outcome(answers, found.log_evidence, tokens, seconds, processor)


class Peer:
    """The worker process of the peer."""

    def __init__(self, python: str, lm: Any) -> None:
        worker = Path(__file__).with_name("genlm_worker.py")
        command = [python, str(worker), lm.model.name_or_path, str(torch.get_num_threads())]
        self._lm = lm
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.versions: dict[str, str] = self._reply("start; is genlm-control installed there?")

    def run(self, task: Task, prompt: list[int], particles: int, seed: int) -> Outcome:
        """A run of the peer."""
        job = {"key": task.key, "prompt": prompt, "eos": sorted(self._lm.vocabulary.eos), "kind": task.kind}
        job |= {"source": task.language, "particles": particles, "seed": seed, "max_tokens": task.max_tokens + 1}
        assert self._process.stdin is not None
        print(json.dumps(job), file=self._process.stdin, flush=True)
        return Outcome(**self._reply(f"run {task.question!r}"))

    def _reply(self, attempt: str) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"The peer's process failed to {attempt}")
        return json.loads(line)


def compared(lm: Any, peer: Peer | None, task: Task, seeds: int) -> dict[str, Any]:
    """All runs of one task, in turn, and what they amount to."""
    text = task.posed(lm)
    exact = None
    if task.kind == "regex":
        exact = {str(x): p for x, p in pgen.infer(text, method=pgen.Enumerate(1e-5)).probabilities().items()}
    found: dict[str, Any] = {"question": task.question, "language": task.kind}
    list(_turn(text, peer, task, WARM_UP, 0))
    for particles in PARTICLES:
        runs: dict[str, list[Outcome]] = {}
        for seed in range(min(seeds, task.most_seeds)):
            for name, outcome in _turn(text, peer, task, particles, seed):
                runs.setdefault(name, []).append(outcome)
        found[str(particles)] = {name: _summary(outcomes, exact) for name, outcomes in runs.items()}
    return found


def _turn(text: Any, peer: Peer | None, task: Task, particles: int, seed: int) -> Iterator[tuple[str, Outcome]]:
    for name, method in METHODS.items():
        yield name, with_pgen(text, method(particles), seed)
    if peer is not None:
        yield PEER, peer.run(task, list(text.prompt), particles, seed)


def _summary(outcomes: list[Outcome], exact: dict[str, float] | None) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "tokens_per_s": statistics.median(o.tokens / o.seconds for o in outcomes),
        "tokens_per_processor_s": statistics.median(o.tokens / o.processor_seconds for o in outcomes),
        "died": sum(o.log_evidence is None for o in outcomes),
        "runs": len(outcomes),
        "log_evidence": [o.log_evidence for o in outcomes],
    }
    if exact is not None:
        summary["total_variation"] = [_total_variation(o.answers, exact) for o in outcomes]
    return summary


def _total_variation(found: dict[str, float], exact: dict[str, float]) -> float:
    return sum(abs(found.get(x, 0.0) - exact.get(x, 0.0)) for x in {*found, *exact}) / 2 if found else 1.0


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def shown(results: list[dict[str, Any]]) -> Table:
    """A row a task, number of particles and contender."""
    table = Table("question", "N", "", "tokens/s", "per processor s", "mean TV", "died", title="SmolLM2-135M, EOS")
    for entry in results:
        for particles in PARTICLES:
            for name, figures in entry[str(particles)].items():
                apart = figures.get("total_variation")
                row = [f"{figures['tokens_per_s']:.1f}", f"{figures['tokens_per_processor_s']:.1f}"]
                row += [
                    "" if apart is None else f"{statistics.mean(apart):.3f}",
                    f"{figures['died']}/{figures['runs']}",
                ]
                table.add_row(entry["question"][:32], str(particles), name, *row)
    return table


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--peer-python", help="interpreter of an environment with genlm-control")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--only", default="", help="ask the questions that this expression is found in; saves nothing")
    chosen = options.parse_args()
    lm, console = pgen.load("smollm2"), Console(width=140)
    peer = None if chosen.peer_python is None else Peer(chosen.peer_python, lm)
    about = {"seeds": chosen.seeds, **facts("torch", "transformers"), "threads": torch.get_num_threads()}
    results: list[dict[str, Any]] = []
    for task in (task for task in TASKS if re.search(chosen.only, task.question)):
        results.append(compared(lm, peer, task, chosen.seeds))
        console.print(shown(results[-1:]))
        if peer is not None and not chosen.only:
            save("smc_peers", {"about": {**about, "peer": peer.versions}, "tasks": results})
    if len(results) > 1:
        console.print(shown(results))
    if peer is None:
        console.print("genlm-control was NOT run: install it as --help says and pass --peer-python. Nothing saved.")


if __name__ == "__main__":
    main()
