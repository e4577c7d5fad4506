"""From `import pgen` to the first mask of a JSON schema over a 131k vocabulary, in fresh processes.

    pip install --no-deps mistral-common
    python -m bench.cold_start [--runs 7]

*Filled caches*: kernels compiled, lexicon, token table and the byte code of Python modules on disk, as on every run
but the first. *First ever*: all of them empty, so that every kernel and every module is compiled; here the masks along
a whole text are counted, too, since inside a string come kernels that the first mask does without. The caches are the
script's own, whatever the environment says. Saves bench/results/cold_start.json. Starting Python itself is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench.first_mask import tekken_path
from bench.machine import facts, save

ROOT = Path(__file__).parent.parent
LIMITS_S = {"filled caches": 1.5, "first ever": 60.0}

PROGRAM = """
import json, sys, time
times = [time.perf_counter()]
import pgen
times.append(time.perf_counter())
vocabulary = pgen.Vocabulary.from_tekken(sys.argv[1])
times.append(time.perf_counter())
schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}}}
automaton = pgen.JSONSchema(schema).compile(vocabulary)
times.append(time.perf_counter())
automaton.mask(automaton.start)
times.append(time.perf_counter())
state = automaton.start
for token in vocabulary.encode('{"name": "Ann of Ely: x", "age": 31}'):
    automaton.mask(state)
    state = automaton.advance(state, token)
times.append(time.perf_counter())
print(json.dumps([b - a for a, b in zip(times, times[1:])]))
"""
STEPS = ("import", "vocabulary", "compile", "mask", "text")


def run(environment: dict[str, str]) -> dict[str, float]:
    """Seconds by step in a fresh process, which is free to keep byte code."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tekken_path())],
        cwd=ROOT,
        env=inherited | {"OMP_WAIT_POLICY": "PASSIVE"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(STEPS, json.loads(done.stdout), strict=True))


def main() -> None:
    """Measures, prints and saves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        places = {"NUMBA_CACHE_DIR": "kernels", "PGEN_CACHE": "pgen", "PYTHONPYCACHEPREFIX": "modules"}
        empty = {name: f"{folder}/{part}" for name, part in places.items()}
        first = run(empty)
        warm = [run(empty) for _ in range(runs)]
    to_mask = STEPS[:-1]
    medians = {step: statistics.median(one[step] for one in warm) for step in to_mask}
    totals = sorted(sum(one[step] for step in to_mask) for one in warm)
    results = {
        "filled caches": {
            "median": statistics.median(totals),
            "least": totals[0],
            "most": totals[-1],
            "steps": medians,
        },
        "first ever": {"median": sum(first.values()), "steps": first},
    }
    for name, result in results.items():
        Console().print(f"{name}: {result['median']:.2f} s (goal {LIMITS_S[name]}): {result['steps']}")
    save("cold_start", {**facts("mistral-common"), "runs": runs, "seconds": results, "goals": LIMITS_S})


if __name__ == "__main__":
    main()
