"""One process of genlm-control: reads a run per line from stdin as JSON, writes what came of it per line to stdout.

    PEER_PYTHON bench/genlm_worker.py MODEL_DIRECTORY THREADS

Imports nothing of pgen, so that it works in an environment of its own. Each line holds
`key`, `prompt` (token ids), `eos` (the bytes of the tokens that end a text), `kind` ("regex" or
"schema"), `source`, `particles`, `seed`, `max_tokens`. The sampler is AWRS, resampling where the
effective sample size falls below half. Building the constraint and running the prompt are done
before the clock starts; other results of the model are forgotten between runs.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from genlm.control import AWRS, BoolFSA, JsonSchema, PromptedLLM

warnings.simplefilter("ignore")


class Peer:
    """The model, and a sampler per task."""

    def __init__(self, folder: str) -> None:
        options = {"dtype": torch.float32, "torch_dtype": None, "device_map": None}
        self._llm: Any = PromptedLLM.from_name(folder, backend="hf", hf_opts=options)
        self._byte_vocab = self._llm.model.byte_vocab
        self._samplers: dict[str, tuple[Any, Any]] = {}

    def sampler(self, job: dict[str, Any]) -> tuple[Any, Any]:
        """The model with the job's prompt, and its sampler."""
        if job["key"] not in self._samplers:
            eos = [self._byte_vocab[token].byte_string for token in job["eos"]]
            llm = PromptedLLM(self._llm.model, prompt_ids=job["prompt"], eos_byte_strings=eos)
            bytewise = BoolFSA.from_regex(job["source"]) if job["kind"] == "regex" else JsonSchema(job["source"])
            self._samplers[job["key"]] = llm, AWRS(llm, bytewise.coerce(llm, f=b"".join))
        return self._samplers[job["key"]]

    async def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Answers with their shares, log evidence (`None`: every particle died), particle-tokens and times."""
        llm, sampler = self.sampler(job)
        llm.model.clear_cache()
        llm.model.cache_kv(job["prompt"])
        for seeded in (random.seed, np.random.seed, torch.manual_seed):
            seeded(job["seed"])
        wall, processor = time.perf_counter(), _processor_seconds()
        found = await sampler.smc(job["particles"], ess_threshold=0.5, max_tokens=job["max_tokens"])
        wall, processor = time.perf_counter() - wall, _processor_seconds() - processor
        died = bool(np.isneginf(found.log_weights).all())
        shares = {} if died else {str(text): float(share) for text, share in found.decoded_posterior.items()}
        return {
            "answers": shares,
            "log_evidence": None if died else float(found.log_ml),
            "tokens": sum(len(context) for context in found.contexts),
            "seconds": wall,
            "processor_seconds": processor,
        }


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main() -> None:
    torch.set_num_threads(int(sys.argv[2]))
    peer = Peer(sys.argv[1])
    packages = ("genlm-control", "genlm-backend", "torch", "transformers")
    print(json.dumps({name: version(name) for name in packages}), flush=True)
    for line in sys.stdin:
        print(json.dumps(await peer.run(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
