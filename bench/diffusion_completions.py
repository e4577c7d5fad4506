"""Grammars beyond tables and charts: what a superset's masses cost, and what exact completions add.

    pip install --no-deps mistral-common
    python -m bench.diffusion_completions    # saves bench/results/diffusion_completions.json

Canvases of 64 positions under languages that nest without bound, over a real vocabulary of 131,072 tokens and parts of
it. The model is a toy that likes to nest: its marginals say nothing of what stands elsewhere, so that looking
ahead is all that can help. *Ready*: from nothing to the first step; *step*: median seconds of one draft and
step with four commits; *dead*: drafts that come to no text, of 8, with and without completions.
`None` where completions are left alone (`pgen.chains.completions.MAX_UNIONS`).
"""

from __future__ import annotations

import itertools
import math
import re
import statistics
import time
from typing import Any
from unittest import mock

import numpy as np
from rich.console import Console
from rich.table import Table

import pgen
from bench.first_mask import tekken
from bench.machine import facts, save
from pgen.backends.tabular import TabularDiffusion
from pgen.inference.context import Context
from pgen.inference.drafting import canvas_language
from pgen.inference.drafting.canvas import CanvasDraft, CanvasDrafter
from pgen.programs.canvas import CanvasDistribution
from pgen.sampling.rng import CounterRng

LENGTH, STEPS, N_DRAFTS = 64, 16, 8
LIKED, DISLIKED = re.compile(rb"[\[{}\]]|</?[bip]>"), re.compile(rb'"')
"""What opens and closes makes tokens likelier, what begins strings, in which all goes, less likely."""
TAGS = r"""
start: element
element: "<b>" inside "</b>" | "<i>" inside "</i>" | "<p>" inside "</p>"
inside: (element | TEXT)*
TEXT: /[a-z ,.]+/
"""


def languages() -> dict[str, pgen.Language]:
    return {"tags": pgen.Grammar(TAGS), "any JSON": pgen.Grammar("json")}


def part_of(vocabulary: pgen.Vocabulary, count: int, longest: int = 6) -> pgen.Vocabulary:
    """Printable characters, tags, and the first longer tokens; no ends, so that texts fill the canvas."""
    tokens = [bytes([byte]) for byte in range(32, 127)] + [b"<b>", b"<i>", b"<p>", b"</b>", b"</i>", b"</p>"]
    longer = (vocabulary.tokens[token] for token in vocabulary.text_ids.tolist())
    tokens += [token for token in longer if 1 < len(token) <= longest][: count - len(tokens)]
    return pgen.Vocabulary(list(dict.fromkeys(tokens)), eos=())


def nesting(vocabulary: pgen.Vocabulary) -> TabularDiffusion:
    """The same marginals at every position, likelier for tokens that open something."""
    liked = [len(LIKED.findall(token)) - 5 * len(DISLIKED.findall(token)) for token in vocabulary.tokens]
    row = 8.0 * np.array(liked) + np.random.default_rng(0).normal(size=len(vocabulary))
    rows = np.tile(row - np.logaddexp.reduce(row), (LENGTH, 1))
    return TabularDiffusion(vocabulary, LENGTH, lambda tokens: rows)


def measured(text: CanvasDistribution) -> dict[str, Any]:
    """Seconds and dead drafts, by completions where there are any."""
    began = time.process_time()
    drafter = CanvasDrafter(Context())
    process, seconds = drafter.process(text), list[float]()
    ready, dead = time.process_time() - began, 0
    drafts: list[Any] = list(drafter.begin([text] * N_DRAFTS, [], 0))
    for tick in itertools.count():
        drafts = [draft for draft in drafts if isinstance(draft, CanvasDraft) and draft.log_weight > -math.inf]
        if not drafts:
            break
        began = time.process_time()
        after = drafter.step(drafts, [CounterRng(tick, (i,)) for i in range(len(drafts))])
        seconds.append((time.process_time() - began) / len(drafts))
        drafts = list(after)
        dead += sum(draft.log_weight == -math.inf for draft in drafts)
    searched = process.completions is not None
    return {"searched": searched, "ready_s": ready, "step_s": statistics.median(seconds), "dead": dead}


def rows_of(name: str, language: pgen.Language, vocabulary: pgen.Vocabulary) -> dict[str, Any]:
    text = nesting(vocabulary).text("", length=LENGTH, steps=STEPS, order="random").given(language)
    with mock.patch.object(canvas_language, "completions", return_value=None):
        alone = measured(text)
    both = measured(text)
    return {
        "language": name,
        "tokens": len(vocabulary),
        "superset": {key: alone[key] for key in ("ready_s", "step_s", "dead")},
        "completions": {key: both[key] for key in ("ready_s", "step_s", "dead")} if both["searched"] else None,
    }


def main() -> None:
    whole, rows = tekken(), list[dict[str, Any]]()
    for vocabulary in (part_of(whole, 2000), part_of(whole, 20000), part_of(whole, len(whole), longest=99)):
        for name, language in languages().items():
            rows.append(rows_of(name, language, vocabulary))
            Console().print(rows[-1])
    shown = Table("language", "tokens", "ready, s", "step, s", "dead", "ready, s", "step, s", "dead")
    for row in rows:
        figures = [row["superset"], row["completions"] or dict.fromkeys(row["superset"])]
        cells = [f"{x:.3f}" if isinstance(x, float) else str(x) for each in figures for x in each.values()]
        shown.add_row(row["language"], str(row["tokens"]), *cells)
    Console().print(shown)
    save("diffusion_completions", {**facts(), "length": LENGTH, "drafts": N_DRAFTS, "rows": rows})


if __name__ == "__main__":
    main()
