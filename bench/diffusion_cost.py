"""What a language costs in masked diffusion. Saves bench/results/diffusion_cost.json.

    pip install --no-deps mistral-common
    python -m bench.diffusion_cost [--steps 60]

Two figures. *A step*: everything that pgen does between two calls of the model (class masses,
messages, the order, the draw, the weight), against one forward pass of a BERT of rxnfp's size
(12 layers of 256, 591 tokens, random weights) on a canvas of 64 positions, alternating
in one run, in seconds of one processor core. *A table*: from a pattern or schema that was not seen before to
token classes over a vocabulary of 131,072 tokens.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import string
import time
from typing import Any

from rich.console import Console
from rich.table import Table

import pgen
from bench.first_mask import tekken
from bench.machine import facts, save
from pgen.backends.canvas_model import CanvasModel
from pgen.inference.context import Context
from pgen.inference.drafting.canvas import CanvasDrafter
from pgen.sampling.rng import CounterRng
from pgen.tokens.classes import token_table

LENGTH, SIZE = 64, 591
LIMITS = {"share": 0.05, "table_s": 1.0}
PATTERNS = {
    "about 50 states": r"[A-Za-z]{1,12}(\([A-Z=#]{1,9}\)[0-9]{0,3}){0,2}[a-z]*",
    "about 200 states": r"[a-z]{10,60}(\([a-z0-9]{1,40}\))?[A-Z=#]{0,90}",
}


class Forward(CanvasModel):
    """A BERT with random weights as a denoiser; `seconds` are those of its forward passes, log-softmax included."""

    name, context_length, block_length = "bert", 512, None

    def __init__(self, vocabulary: pgen.Vocabulary) -> None:
        import torch
        from transformers import BertConfig, BertForMaskedLM

        torch.manual_seed(0)
        torch.set_num_threads(1)
        config = BertConfig(
            vocab_size=SIZE, hidden_size=256, num_hidden_layers=12, num_attention_heads=4, intermediate_size=512
        )
        self.vocabulary, self.seconds = vocabulary, []
        self._torch, self._bert = torch, BertForMaskedLM(config).eval()

    def encode(self, prompt: str) -> tuple[int, ...]:
        return self.vocabulary.encode(prompt)

    def encode_chat(self, messages: Any) -> tuple[int, ...]:
        raise NotImplementedError

    def marginals(self, prompts: Any, canvases: Any) -> Any:
        began = time.process_time()
        ids = self._torch.tensor([[SIZE - 2 if token is None else token for token in canvas] for canvas in canvases])
        with self._torch.inference_mode():
            rows = self._bert(input_ids=ids).logits.log_softmax(dim=-1).numpy()
        self.seconds.append(time.process_time() - began)
        return rows


def small_vocabulary() -> pgen.Vocabulary:
    """Every printable character, and tokens of two and three of them, as a SMILES tokenizer has."""
    rng = random.Random(0)
    tokens = [c.encode() for c in string.ascii_letters + string.digits + "()=#+-[]@/\\.%"]
    while len(set(tokens)) < SIZE - 2:
        tokens.append("".join(rng.choices(string.ascii_letters + string.digits, k=rng.randint(2, 3))).encode())
    distinct = sorted(set(tokens))
    return pgen.Vocabulary([*distinct, b"[mask]", b""], eos=SIZE - 1, special=[SIZE - 2])


def step_costs(model: Forward, pattern: str, order: str, batch: int, n_steps: int) -> dict[str, Any]:
    """Seconds of a forward pass, and of all else in a step, for `batch` canvases at once."""
    distribution = model.text("", length=LENGTH, order=order).given(pgen.Regex(pattern))
    model.seconds.clear()
    others: list[float] = []
    process = CanvasDrafter(Context()).process(distribution)
    for run in itertools.count():
        if len(others) >= n_steps:
            break
        # A drafter of its own for each run: one that has seen a canvas does not ask the model again.
        drafter, rngs = CanvasDrafter(Context()), [CounterRng(run, (i,)) for i in range(batch)]
        drafts: list[Any] = drafter.begin([distribution] * batch, rngs, 0)
        while all(hasattr(draft, "canvas") for draft in drafts):
            began, n_calls = time.process_time(), len(model.seconds)
            drafts = drafter.step(drafts, rngs)
            others.append(time.process_time() - began - sum(model.seconds[n_calls:]))
    forward, other = statistics.median(model.seconds), statistics.median(others)
    return {
        "order": order,
        "batch": batch,
        "states": process.automaton.n_states,
        "forward_ms": 1e3 * forward,
        "constraint_ms": 1e3 * other,
        "share": other / forward,
    }


def table_inputs(run: int) -> dict[str, pgen.Language]:
    """Patterns and schemas, made different for every run."""
    text = {"type": "string", "maxLength": 20 + run}
    person = {
        "type": "object",
        "properties": {"name": text, "age": {"type": "integer", "minimum": 0, "maximum": 120 + run}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    order = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "pattern": f"^[A-Z]{{2}}\\d{{{6 + run}}}$"},
            "items": {"type": "array", "items": {"enum": ["ham", "eggs", "tea"]}, "maxItems": 5},
            "paid": {"type": "boolean"},
            "note": {"type": "string", "maxLength": 30 + run},
        },
        "required": ["id", "items", "paid"],
        "additionalProperties": False,
    }
    return {
        "expression of GSM-Symbolic": pgen.Regex(rf"<<([a-z]|\d|[-+*/()%. ]){{1,{40 + run}}}>>"),
        "words and expressions": pgen.Regex(rf"([^<]{{0,{60 + run}}}<<[a-z0-9+\-*/() ]{{1,20}}>>){{1,2}}"),
        "person schema": pgen.JSONSchema(person),
        "order schema": pgen.JSONSchema(order),
    }


def table_costs(vocabulary: pgen.Vocabulary, runs: int) -> dict[str, Any]:
    """Seconds from language to token classes."""
    seconds: dict[str, list[float]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for run in range(runs + 1):
        for name, language in table_inputs(run).items():
            began = time.process_time()
            table = token_table(language.compile(vocabulary))
            if run:
                seconds.setdefault(name, []).append(time.process_time() - began)
            sizes[name] = table.n_states, table.n_classes
    return {
        name: {"states": sizes[name][0], "classes": sizes[name][1], "table_s": statistics.median(times)}
        for name, times in seconds.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    model = Forward(small_vocabulary())
    steps = [
        {"language": name, **step_costs(model, pattern, order, batch, arguments.steps)}
        for name, pattern in PATTERNS.items()
        for order in ("left_to_right", "confidence", "entropy")
        for batch in (1, 8)
    ]
    tables = table_costs(tekken(), arguments.runs)
    print_results(steps, tables)
    save("diffusion_cost", {**facts("torch", "transformers"), "limits": LIMITS, "steps": steps, "tables": tables})


def print_results(steps: list[dict[str, Any]], tables: dict[str, Any]) -> None:
    shown = Table("states", "order", "batch", "forward, ms", "constraint, ms", "share")
    for row in steps:
        figures = f"{row['forward_ms']:.2f}", f"{row['constraint_ms']:.2f}", f"{row['share']:.1%}"
        shown.add_row(str(row["states"]), row["order"], str(row["batch"]), *figures)
    Console().print(shown)
    print_tables(tables)


def print_tables(tables: dict[str, Any]) -> None:
    compiled = Table("language", "states", "classes", "to a table, s")
    for name, row in tables.items():
        compiled.add_row(name, str(row["states"]), str(row["classes"]), f"{row['table_s']:.3f}")
    Console().print(compiled)


if __name__ == "__main__":
    main()
