"""Filling holes in held-out molecules and addresses, by pgen and without it. Saves bench/results/infilling.json.

    OMP_WAIT_POLICY=PASSIVE python -m bench.infilling [--molecules 50] [--addresses 30]

Molecules: test molecules of MOSES, from which one, two or three spans of 1 to 4 characters
are cut; a hole takes 1 to 6 characters of SMILES. Addresses: of `usaddress`, from which
the state, then the city, then the ZIP code are taken: the state can be told from the rest, the city
hardly once the state is gone, and no ZIP code without the city. One draw for each; the text drawn
must have the fixed parts and a member in every hole (*well-formed*), may be the original
(*exact*), has some holes filled as they were (*holes right*), and has a *log-likelihood* in nats, by the left-to-right
model of its kind for all methods alike (the mean over texts that it can write). A left-to-right
model reads what stands before the first hole as its prompt, with pgen and without it, and writes from
the last word boundary on, as tokens begin with a space. `infilling_baselines` says what is done without pgen.
"""

from __future__ import annotations

import argparse
import gzip
import math
import random
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from rdkit import Chem, RDLogger
from rich.console import Console
from rich.progress import track
from rich.table import Table

import pgen
from bench.address_data import Labelled, labelled
from bench.fetch_molecules import fetch
from bench.infilling_baselines import CANVAS, denoised, inserted, prompted, sizes_of
from bench.machine import facts, save
from pgen.programs.infill import fixed_parts

PIECE = pgen.Regex(r"(?:Cl|Br|[CcNnOoSsF0-9()=#\-]){1,6}")
FIELDS = {
    "state": pgen.Regex("[A-Z]{2}"),
    "city": pgen.Regex("[A-Z][a-z]{2,11}(?: [A-Z][a-z]{2,9})?"),
    "zip": pgen.Regex("[0-9]{5}"),
}
EXAMPLES = "US addresses:\n1505 Oak St, Evanston, IL 60201\n233 Broadway, New York, NY 10279\n"


LONGEST = 32
"""Characters of a molecule."""


class Item(NamedTuple):
    """A text with parts taken out: `template` fits `original`."""

    original: str
    template: Any


class Way(NamedTuple):
    """How a text is drawn, with pgen and without it."""

    model: str
    filled: Callable[[Item, int], str]
    baseline: str
    plain: Callable[[Item, np.random.Generator], str]


def molecule_items(n: int, n_holes: int) -> list[Item]:
    choose = random.Random(n_holes)
    known = gzip.decompress(fetch()["test"].read_bytes()).decode().split()[1:]
    texts = [line.split(",")[0] for line in choose.sample(known, 20 * n)]
    return [with_holes(text, n_holes, choose) for text in texts if 20 <= len(text) <= LONGEST][:n]


def with_holes(text: str, n_holes: int, choose: random.Random) -> Item:
    while True:
        starts = sorted(choose.sample(range(1, len(text) - 5), n_holes))
        spans = [(start, start + choose.randint(1, 4)) for start in starts]
        apart = all(stop < start for (_, stop), (start, _) in pairwise(spans))
        # No atom of two letters is cut in two.
        whole = all(text[at - 1 : at + 1] not in ("Cl", "Br") for span in spans for at in span)
        if apart and whole and all(PIECE.matches(text[start:stop]) for start, stop in spans):
            return cut(text, {f"h{i}": span for i, span in enumerate(spans)}, dict.fromkeys(range(n_holes), PIECE))


def cut(text: str, spans: dict[str, tuple[int, int]], languages: dict[Any, pgen.Language]) -> Item:
    written, at = "", 0
    for name, (start, stop) in sorted(spans.items(), key=lambda item: item[1]):
        written, at = f"{written}{text[at:start]}{{{name}}}", stop
    holes = dict(zip(spans, languages.values(), strict=True))
    return Item(text, pgen.template(written + text[at:], **holes))


def address_items(n: int, n_holes: int) -> list[Item]:
    names = list(FIELDS)[:n_holes]
    records = [record for record in labelled() if all(fits(record, name) for name in FIELDS)]
    chosen = random.Random(n_holes).sample(records, n)
    items = []
    for record in chosen:
        places = {name: record.text.index(record.fields[name]) for name in names}
        spans = {name: (at, at + len(record.fields[name])) for name, at in places.items()}
        items.append(cut(record.text, spans, {name: FIELDS[name] for name in names}))
    return items


def fits(record: Labelled, name: str) -> bool:
    value = record.fields.get(name, "")
    alone = record.text.split().count(value) + record.text.split().count(f"{value},") == 1 or " " in value
    plain = len(record.text) <= 60 and "{" not in record.text and record.text.count(value) == 1
    return plain and alone and FIELDS[name].matches(value)


def written(lm: Any, item: Item, prompt: str, seed: int, particles: int, lookahead: int) -> str:
    """A draw of a left-to-right model, which reads what stands before the first hole."""
    before, template = split(item.template)
    return before + drawn(lm.fill(template, prompt=prompt + before), seed, particles, lookahead)


def split(template: Any) -> tuple[str, Any]:
    """What stands before the first hole, up to the spaces before it, and the rest."""
    before = fixed_parts(template)[0].rstrip(" ")
    # Braces in fixed text are doubled; no text of this benchmark has any.
    return before, pgen.template(template.text[len(before) :], **template.holes)


def drawn(text: Any, seed: int, particles: int = 16, lookahead: int = 32) -> str:
    posterior = pgen.infer(text, method=pgen.Importance(particles, lookahead=lookahead), seed=seed)
    return str(posterior.sample(seed, 1)[0])


def likeliest(text: Any, seed: int) -> str:
    return str(pgen.infer(text, method=pgen.Importance(32, lookahead=0), seed=seed).mode())


def molecule_ways() -> list[Way]:
    lm, dlm, alm, ilm = (pgen.load(f"molecules{kind}", "cpu") for kind in ("", "-diffusion", "-anyorder", "-insertion"))
    return [
        Way("left to right", lambda i, s: written(lm, i, "", s, 16, 16), "prompt, then cut", prompted(lm)),
        Way(
            "masked diffusion",
            lambda i, s: drawn(dlm.fill(i.template, length=CANVAS, order="constrained_confidence"), s, 8, 0),
            "a token for each position",
            denoised(dlm, greedy=False),
        ),
        Way(
            "masked diffusion, sizes told",
            lambda i, s: likeliest(dlm.fill(i.template, sizes=sizes_of(i, dlm.vocabulary)), s),
            "likeliest token for each position",
            denoised(dlm, greedy=True, told=True),
        ),
        Way(
            "any order",
            lambda i, s: drawn(alm.fill(i.template, length=CANVAS), s, 8, 0),
            "a token for each position",
            denoised(alm, greedy=False),
        ),
        Way("insertion", lambda i, s: drawn(ilm.fill(i.template), s), "insertion anywhere", inserted(ilm)),
    ]


def address_ways() -> list[Way]:
    lm = pgen.load("smollm2", "cpu")
    fill = lambda i, s: written(lm, i, EXAMPLES, s, 8, 8)  # noqa: E731
    return [Way("SmolLM2", fill, "prompt, then cut", prompted(lm, EXAMPLES, n_tokens=8))]


def measured(draw: Callable[[Item, int], str], items: Sequence[Item], judge: Any, what: str) -> dict[str, Any]:
    texts, start = [], time.perf_counter()
    for seed, item in enumerate(track(items, what, console=Console(stderr=True))):
        texts.append(draw(item, seed))
    seconds = time.perf_counter() - start
    pairs = list(zip(items, texts, strict=True))
    scores = [judge.log_prob(text, "canonical") for text in texts]
    finite = [score for score in scores if score > -math.inf]
    return {
        "n": len(items),
        "well_formed": sum(item.template.matches(text) for item, text in pairs) / len(items),
        "exact": sum(item.original == text for item, text in pairs) / len(items),
        "holes_right": float(np.mean([right(item, text) for item, text in pairs])),
        "log_likelihood": float(np.mean(finite)) if finite else None,
        "log_likelihood_of_originals": float(np.mean([judge.log_prob(i.original, "canonical") for i in items])),
        "unwritable": len(scores) - len(finite),
        "valid_molecules": sum(Chem.MolFromSmiles(text) is not None for text in texts) / len(items),
        "seconds_each": seconds / len(items),
    }


def right(item: Item, text: str) -> float:
    """The share of holes that are filled as they were; 0 if the text is not well-formed."""
    if not item.template.matches(text):
        return 0.0
    found, cut_out = item.template.parse(text), item.template.parse(item.original)
    return sum(found[name] == value for name, value in cut_out.items()) / len(cut_out)


def compared(ways: Sequence[Way], items: Callable[[int], list[Item]], judge: Any) -> list[dict[str, Any]]:
    rows = []
    for way in ways:
        for n_holes in (1, 2, 3):
            chosen = items(n_holes)
            row = {"model": way.model, "holes": n_holes, "baseline": way.baseline}
            row["pgen"] = measured(way.filled, chosen, judge, f"{way.model}, {n_holes}")
            plain = lambda item, seed, way=way: way.plain(item, np.random.default_rng(seed))  # noqa: E731
            row["without"] = measured(plain, chosen, judge, f"{way.model}, {n_holes}, {way.baseline}")
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--molecules", type=int, default=50, help="how many for each number of holes")
    parser.add_argument("--addresses", type=int, default=30, help="how many for each number of holes")
    options = parser.parse_args()
    RDLogger.DisableLog("rdApp.*")
    results: dict[str, Any] = {"about": {"seed": 0, **facts("torch", "transformers", "rdkit")}}
    if options.molecules:
        judge = pgen.load("molecules", "cpu").text("")
        results["molecules"] = compared(molecule_ways(), lambda k: molecule_items(options.molecules, k), judge)
        save("infilling", results)
    if options.addresses:
        judge = pgen.load("smollm2", "cpu").text(EXAMPLES, end="prefix")
        results["addresses"] = compared(address_ways(), lambda k: address_items(options.addresses, k), judge)
    save("infilling", results)
    show(results)


def show(results: dict[str, Any]) -> None:
    table = Table("texts", "model", "holes", "way", "well-formed", "exact", "right", "nats", "original", "s each")
    for texts in ("molecules", "addresses"):
        for row in results.get(texts, ()):
            for way, r in (("pgen", row["pgen"]), (row["baseline"], row["without"])):
                score = "" if r["log_likelihood"] is None else f"{r['log_likelihood']:.1f}"
                shares = [f"{r[share]:.0%}" for share in ("well_formed", "exact", "holes_right")]
                original, seconds = f"{r['log_likelihood_of_originals']:.1f}", f"{r['seconds_each']:.2f}"
                table.add_row(texts, row["model"], str(row["holes"]), way, *shares, score, original, seconds)
    Console().print(table)


if __name__ == "__main__":
    main()
