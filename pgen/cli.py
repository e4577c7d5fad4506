"""The command line: `pgen extract` reads records out of files, `pgen warmup` prepares a machine."""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pgen.errors import DeadEnd, InvalidArgument, LimitExceeded, PgenError
from pgen.records import Record, Results, read_records, seed_of

if TYPE_CHECKING:
    from pgen.extraction import Extraction
    from pgen.language.json_schema import JSONSchema

INTERRUPTED = 130

_RECORD_ERRORS = (InvalidArgument, DeadEnd, LimitExceeded)
"""What one record can do wrong; the run goes on with the next."""

main = typer.Typer(add_completion=False, no_args_is_help=True, help="Structured text from language models.")
_messages = Console(stderr=True)


@main.command()
def extract(
    files: Annotated[list[str], typer.Argument(help="Text files (one record each), .jsonl files, or - for lines.")],
    schema: Annotated[str, typer.Option(help="A JSON Schema file, or module:Type (a pydantic model, say).")],
    output: Annotated[Path, typer.Option(help="JSONL file to write; an existing one is continued.")],
    model: Annotated[str, typer.Option(help="A model's name, directory or GGUF file.")] = "smollm2",
    particles: Annotated[int, typer.Option(min=1, help="Particles of the SMC sampler.")] = 8,
    temperature: Annotated[float, typer.Option(min=0.01, help="Below 1 sharpens the model.")] = 1.0,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of a record (default 256).")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    text_field: Annotated[str, typer.Option(help="Where .jsonl records keep their text.")] = "text",
    instructions: Annotated[str | None, typer.Option(help="What to ask of the model.")] = None,
    fields: Annotated[bool, typer.Option("--fields", help="Write the distribution of every field as well.")] = False,
) -> None:
    """Read a record that fits SCHEMA out of every text; the same command continues after an interruption."""
    with _user_errors():
        language, schema_data = _schema(schema)
        settings = [schema_data, model, particles, temperature, max_tokens, seed, instructions]
        records = read_records(files, sys.stdin, text_field, settings)
        with Results(output, records) as results:
            waiting = [record for record in records if record.key not in results.done]
            if len(waiting) < len(records):
                _messages.print(f"{len(records) - len(waiting)} of {len(records)} records are done already")
            read = _reader(language, model, particles, temperature, max_tokens, seed, instructions, fields)
            n_failed = _run(waiting, len(records), results, read)
        _messages.print(f"{len(records)} records in {output}" + (f", {n_failed} failed now" if n_failed else ""))


def _reader(
    language: JSONSchema,
    model: str,
    particles: int,
    temperature: float,
    max_tokens: int | None,
    seed: int,
    instructions: str | None,
    fields: bool,
) -> Any:
    """A function from a record to its result; the model is loaded when there is something to read."""
    import pgen

    models: list[Any] = []

    def read(record: Record) -> dict[str, Any]:
        if not models:
            # Threads that spin while they wait stall torch tenfold where another process is busy.
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
            models.append(pgen.load(model))
        found = pgen.extract(
            models[0],
            language,
            record.text,
            instructions=instructions,
            method=pgen.SMC(particles, resample="tokens"),
            seed=seed_of(record, seed),
            max_tokens=max_tokens,
            temperature=temperature,
        )
        return _entry(found, fields)

    return read


def _entry(found: Extraction, fields: bool) -> dict[str, Any]:
    entry = {
        "value": json.loads(found.text),
        "probability": round(found.probability, 6),
        "log_evidence": round(found.log_evidence, 6),
        "ess": round(found.posterior.ess, 3),
    }
    if fields:
        entry["fields"] = {
            name: [[value, round(share, 6)] for value, share in found.field(name).items()]
            for name in found.schema.properties
        }
    return entry


def _run(waiting: list[Record], total: int, results: Results, read: Any) -> int:
    """Read and write one record after the other; a record that cannot be read is written with its error."""
    n_failed = 0
    columns = (TextColumn("extracting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_messages) as progress:
        task = progress.add_task("", total=total, completed=total - len(waiting))
        for record in waiting:
            entry: dict[str, Any] = {"id": record.id, "key": record.key}
            try:
                entry |= read(record)
            except _RECORD_ERRORS as error:
                entry["error"] = f"{type(error).__name__}: {error}"
                n_failed += 1
            results.write(entry)
            progress.advance(task)
    return n_failed


def _schema(source: str) -> tuple[JSONSchema, Any]:
    from pgen.language.json_schema import JSONSchema

    path = Path(source)
    if path.is_file():
        language = JSONSchema(path.read_text(encoding="utf-8"))
    elif ":" in source:
        language = JSONSchema(_imported(source))
    else:
        raise InvalidArgument(f"{source} is no file", hint="--schema takes a JSON Schema file, or module:Type")
    return language, language.schema


def _imported(source: str) -> Any:
    module, _, name = source.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidArgument(f"{source} cannot be imported: {error}") from None
    finally:
        sys.path.pop(0)


@main.command()
def warmup(
    model: Annotated[str | None, typer.Option(help="Also convert and load this model.")] = None,
) -> None:
    """Compile the mask kernels once, so that the first program starts quickly."""
    import pgen
    from pgen.backends.tabular import TabularAR

    with _user_errors():
        _messages.print("Compiling kernels (once; about a minute) ...")
        vocabulary = pgen.Vocabulary([*(bytes([b]) for b in range(256)), b"", b"12"], eos=256)
        lm = TabularAR(vocabulary, lambda tokens: [-math.log(258)] * 258)
        language = pgen.Regex("[0-9]{1,3}") & ~pgen.choice("7", "12")
        pgen.infer(lm.text("", max_tokens=2).given(language), method=pgen.SMC(4), seed=0)
        record = pgen.JSONSchema({"properties": {name: {"type": "string", "maxLength": 9} for name in ("a", "b")}})
        pgen.infer(lm.text("", max_tokens=30).given(record), method=pgen.SMC(4), seed=0)
        if model is not None:
            _messages.print(f"Loading {model} ...")
            pgen.load(model)
        _messages.print("Ready.")


@contextmanager
def _user_errors() -> Iterator[None]:
    """pgen's own errors as a message and exit code 1; an interruption as 130."""
    try:
        yield
    except PgenError as error:
        _messages.print(f"{type(error).__name__}: {error}", markup=False, highlight=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        _messages.print("Interrupted; what is written stays. The same command continues.")
        raise typer.Exit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
