"""What a language costs beside a model of LLaDA's size on a GPU. Saves bench/results/diffusion_gpu.json.

    python -m bench.diffusion_gpu                      # 8 canvases of 256 positions, 126,464 tokens, bfloat16
    python -m bench.diffusion_gpu --tiny --device cpu  # the same code on a small shape, to see that it runs

Weights are random: only shapes count. A step is everything that pgen does between two calls of the model,
against one call (forward pass and log-softmax), alternating in one run, in seconds on the clock with the
device waited for. The language has some hundred states over a vocabulary of random words. Then patterns and schemas
are turned into token classes of that vocabulary (`bench.diffusion_cost`), which the GPU takes no part in.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import string
import time
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import pgen
from bench.diffusion_cost import print_tables, table_costs
from bench.machine import facts, save
from pgen.backends.canvas_model import CanvasModel
from pgen.inference.context import Context
from pgen.inference.drafting.canvas import CanvasDrafter
from pgen.sampling.rng import CounterRng

LIMIT = 0.02
LLADA = {"hidden": 4096, "layers": 32, "heads": 32, "inner": 12288, "tokens": 126464, "length": 256, "batch": 8}
TINY = {"hidden": 64, "layers": 2, "heads": 4, "inner": 128, "tokens": 2000, "length": 32, "batch": 2}
PATTERN = r"[a-z]{1,60}: [0-9A-Za-z ]{1,150}(=[a-z ]{1,200})?"


class Forward(CanvasModel):
    """A Llama with random weights that reads in both directions; `seconds` are those of its calls."""

    name, block_length = "llada", None

    def __init__(self, shape: dict[str, int], device: torch.device) -> None:
        from transformers import LlamaConfig, LlamaForCausalLM

        self.vocabulary, self.context_length = random_words(shape["tokens"]), shape["length"]
        self.device, self.seconds = device, []
        config = LlamaConfig(
            vocab_size=shape["tokens"],
            hidden_size=shape["hidden"],
            intermediate_size=shape["inner"],
            num_hidden_layers=shape["layers"],
            num_attention_heads=shape["heads"],
            num_key_value_heads=shape["heads"],
            max_position_embeddings=shape["length"],
            attn_implementation="sdpa",
            dtype=torch.float32 if device.type == "cpu" else torch.bfloat16,
        )
        torch.manual_seed(0)
        with device:
            torch.set_default_dtype(config.dtype)
            self._llama = LlamaForCausalLM(config).eval().requires_grad_(False)
            torch.set_default_dtype(torch.float32)

    def encode(self, prompt: str) -> tuple[int, ...]:
        return self.vocabulary.encode(prompt)

    def encode_chat(self, messages: Any) -> tuple[int, ...]:
        raise NotImplementedError

    def now(self) -> float:
        """Seconds on the clock, once the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def marginals(self, prompts: Any, canvases: Any) -> torch.Tensor:
        mask, began = len(self.vocabulary) - 2, self.now()
        ids = torch.tensor([[mask if t is None else t for t in canvas] for canvas in canvases], device=self.device)
        seen = torch.ones(len(ids), 1, ids.shape[1], ids.shape[1], dtype=torch.bool, device=self.device)
        with torch.inference_mode():
            logits = self._llama(input_ids=ids, attention_mask=seen, use_cache=False).logits
            rows = logits.float().log_softmax(dim=-1)
        self.seconds.append(self.now() - began)
        return rows


def random_words(count: int) -> pgen.Vocabulary:
    """Every printable character, words of two to eight letters, a mask and an end."""
    rng, words = random.Random(0), {c.encode() for c in string.printable}
    while len(words) < count - 2:
        words.add("".join(rng.choices(string.ascii_lowercase + " ", k=rng.randint(2, 8))).encode())
    return pgen.Vocabulary([*sorted(words), b"[mask]", b""], eos=count - 1, special=[count - 2])


def step_costs(model: Forward, shape: dict[str, int], order: str, n_steps: int) -> dict[str, Any]:
    """Seconds of a call, and of all else in a step."""
    text = model.text("", length=shape["length"], order=order).given(pgen.Regex(PATTERN))
    process, others = CanvasDrafter(Context()).process(text), list[float]()
    for run in itertools.count():
        drafter, rngs = CanvasDrafter(Context()), [CounterRng(run, (i,)) for i in range(shape["batch"])]
        drafts: list[Any] = drafter.begin([text] * shape["batch"], rngs, 0)
        for step in range(shape["length"]):
            if len(others) >= n_steps or not all(hasattr(draft, "canvas") for draft in drafts):
                break
            began, n_calls = model.now(), len(model.seconds)
            drafts = drafter.step(drafts, rngs)
            if step:  # at first all canvases are alike, and one is evaluated
                others.append(model.now() - began - sum(model.seconds[n_calls:]))
            else:
                model.seconds.pop()
        if len(others) >= n_steps:
            break
    call, other = statistics.median(model.seconds), statistics.median(others)
    states = process.automaton.n_states
    return {"order": order, "states": states, "call_ms": 1e3 * call, "step_ms": 1e3 * other, "share": other / call}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a small shape, which is not saved")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--runs", type=int, default=3, help="tables made of each language")
    options = parser.parse_args()
    shape = TINY if options.tiny else LLADA
    model = Forward(shape, torch.device(options.device))
    rows = []
    for order in ("left_to_right", "confidence", "entropy"):
        step_costs(model, shape, order, 3)
        model.seconds.clear()
        rows.append(step_costs(model, shape, order, options.steps))
    shown = Table("states", "order", "call, ms", "all else, ms", "share")
    for row in rows:
        figures = f"{row['call_ms']:.2f}", f"{row['step_ms']:.2f}", f"{row['share']:.1%}"
        shown.add_row(str(row["states"]), row["order"], *figures)
    Console().print(shown)
    tables = table_costs(model.vocabulary, options.runs)
    print_tables(tables)
    if not options.tiny:
        device = torch.cuda.get_device_name() if options.device == "cuda" else options.device
        save(
            "diffusion_gpu",
            {
                **facts("torch", "transformers"),
                "device": device,
                "limit": LIMIT,
                **shape,
                "steps": rows,
                "tables": tables,
            },
        )


if __name__ == "__main__":
    main()
