"""What is done about holes without pgen, with each kind of model.

Left to right: the model goes on from the text before a hole, without the space at its end, since tokens
begin with one; what it writes is cut where the fixed part behind the hole comes up, or after some
tokens. Canvases: every hole gets three positions, or as many as it had; their tokens come from the model's
own rows, the likeliest or drawn, the most confident position or the leftmost first, ends and special tokens
masked out. Insertion: the model inserts into the fixed parts wherever it likes, until it stops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.molecules import pick, rows_of
from pgen.programs.infill import fixed_parts
from pgen.programs.scaffolds import scaffold

CANVAS = 36
POSITIONS = 3
Plain = Callable[[Any, np.random.Generator], str]


def prompted(model: Any, prompt: str = "", n_tokens: int = 6) -> Plain:
    vocabulary = model.vocabulary

    def draw(item: Any, rng: np.random.Generator) -> str:
        first, *others = fixed_parts(item.template)
        text = first
        for after in others:
            known = text.rstrip(" ")
            context = model.encode(prompt) + vocabulary.encode(known)
            written = continued(model, context, n_tokens, text[len(known) :], after, rng)
            text += (written.split(after)[0] if after else written) + after
        return text

    return draw


def continued(model: Any, context: Any, n_tokens: int, space: str, after: str, rng: np.random.Generator) -> str:
    """What the model writes after `space`, at most until `after` comes up."""
    tokens, written = (), ""
    for _ in range(n_tokens):
        token = int(pick(log_softmax(model.next_logits([context + tokens])), rng)[0])
        if token in model.vocabulary.eos:
            break
        tokens = (*tokens, token)
        written = model.vocabulary.decode(tokens).decode(errors="replace").removeprefix(space)
        if after and after in written:
            break
    return written


def log_softmax(logits: Any) -> Any:
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def sizes_of(item: Any, vocabulary: Any) -> dict[str, int]:
    """How many tokens were cut out for each hole."""
    return {name: len(vocabulary.encode(content)) for name, content in item.template.parse(item.original).items()}


def denoised(model: Any, *, greedy: bool, told: bool = False) -> Plain:
    """`told`: how many tokens each hole had, else `POSITIONS`."""
    vocabulary = model.vocabulary
    no_text = [*vocabulary.eos, *vocabulary.special]

    def draw(item: Any, rng: np.random.Generator) -> str:
        sizes = sizes_of(item, vocabulary) if told else dict.fromkeys(item.template.names, POSITIONS)
        canvas = list(scaffold(vocabulary, item.template, sizes, CANVAS))
        while None in canvas:
            rows = np.array(rows_of(model, [tuple(canvas)])[0], np.float64)  # (L, V)
            rows[:, no_text] = -np.inf
            places = [i for i, token in enumerate(canvas) if token is None]
            place = max(places, key=lambda i: rows[i].max()) if greedy else places[0]
            canvas[place] = int(rows[place].argmax()) if greedy else int(pick(rows[place][None], rng)[0])
        tokens = [token for token in canvas if token is not None and token not in no_text]
        return str(vocabulary.decode(tokens).decode(errors="replace"))

    return draw


def inserted(model: Any) -> Plain:
    def draw(item: Any, rng: np.random.Generator) -> str:
        tokens: tuple[int, ...] = model.vocabulary.encode("".join(fixed_parts(item.template)))
        while len(tokens) < CANVAS:
            (step,) = model.insertions([tokens])
            choice = int(pick(np.append(step.slots.ravel(), step.stop)[None], rng)[0])
            slot, token = divmod(choice, step.slots.shape[1])
            if choice == step.slots.size:
                break
            tokens = (*tokens[:slot], token, *tokens[slot:])
        return str(model.vocabulary.decode(tokens).decode(errors="replace"))

    return draw
