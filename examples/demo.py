"""A dozen real addresses read under a schema, and a small program: `make demo`.

Prints, for every address, the likeliest record, its posterior probability and the log
evidence (how readily the model writes a valid record at all), and for the program the
posterior of its latent choice before and after it sees evidence.
"""

from __future__ import annotations

import json
import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

import pgen
from bench.address_data import Address, agrees, split

N_ADDRESSES = 12
METHOD = pgen.SMC(particles=6, resample="tokens", lookahead=0)

EMAIL = "Hello, since the last update the app closes itself whenever I open my photos. Can you look into it? Bob"


@pgen.program
def kind_of(lm: Any, email: str) -> str:
    """What an e-mail is, by the model alone."""
    kind = lm.text(f"E-mail: {email}\nThis e-mail is a").within(pgen.choice(" bug report", " question", " praise"))
    return pgen.sample("kind", kind)


@pgen.program
def triage(lm: Any, email: str) -> str:
    """A latent kind, evidence from the model that it is urgent, and a preference of ours."""
    kind = kind_of(lm, email)
    urgent = lm.text(f"E-mail: {email}\nThis e-mail is a{kind}.\nMust it be answered today (yes/no):")
    pgen.observe("urgent", urgent.within(pgen.choice(" yes", " no")), " yes")
    pgen.factor("we expect few praises", -1.0 if kind == " praise" else 0.0)
    return kind


def main() -> None:
    console = Console()
    start = time.perf_counter()
    with console.status("Loading SmolLM2 (the first time it is converted, about a minute) ..."):
        lm = pgen.load("smollm2")
    addresses(console, lm)
    program(console, lm)
    console.print(f"Done in {time.perf_counter() - start:.0f} s.")


def addresses(console: Console, lm: Any) -> None:
    """Read the addresses and print them beside what annotators saw in them."""
    schema = pgen.JSONSchema(Address)
    examples, records = split(N_ADDRESSES)
    table = Table(title="US addresses read by SmolLM2-135M under a JSON schema", show_lines=True)
    for heading in ("text", "record (green: as annotated)", "probability", "log evidence"):
        table.add_column(heading)
    for record in track(records, "Reading addresses", console=console):
        found = pgen.extract(lm, schema, record.text, examples=examples, method=METHOD, temperature=0.5, max_tokens=96)
        read = coloured(found.text, record.fields)
        table.add_row(escape(record.text), read, f"{found.probability:.2f}", f"{found.log_evidence:.2f}")
    console.print(table)


def coloured(text: str, expected: dict[str, str]) -> str:
    """The fields of a record, one a line; green where they agree with the annotators."""
    lines = []
    for name, value in json.loads(text).items():
        if value is not None:
            colour = "green" if name in expected and agrees(value, expected[name]) else "red"
            lines.append(f"{name}: [{colour}]{escape(str(value))}[/{colour}]")
    return "\n".join(lines)


def program(console: Console, lm: Any) -> None:
    """The latent kind of an e-mail, before and after evidence."""
    console.print(f"\n[bold]A program[/bold] over the e-mail: {EMAIL!r}")
    with console.status("Inferring ..."):
        prior = pgen.infer(kind_of, lm, EMAIL)
        posterior = pgen.infer(triage, lm, EMAIL)
    table = Table("kind", "before", "given that it is urgent")
    before, after = prior.probabilities(), posterior.probabilities()
    for kind in before:
        table.add_row(kind.strip(), f"{before[kind]:.3f}", f"{after.get(kind, 0.0):.3f}")
    console.print(table)
    console.print(f"log evidence {posterior.log_evidence:.3f}; {posterior.diagnose()}")


if __name__ == "__main__":
    main()
