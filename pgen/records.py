"""Records in and out of files: what `pgen extract` reads, and results that survive an interruption.

Every record has a key, a hash of everything that its result depends on and of how often
the same one came before. A result is one line, flushed to the disk before the next
record starts. Reading results back drops a last line that was cut off, so that the same
command again continues where it stopped: nothing lost, nothing twice.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from pgen.errors import InvalidArgument


class Record(NamedTuple):
    """A text to read; `id` is what people call it, `key` what its result is found by."""

    id: str
    text: str
    key: str


def read_records(sources: Sequence[str], stdin: TextIO, text_field: str, settings: Any) -> list[Record]:
    """The records of text files (one each), `.jsonl` files (one a line) and `-` (standard input, one a line).

    `settings` is JSON data that enters every key. Raises `InvalidArgument` with file
    and line where a line is not an object with a text.
    """
    seen: Counter[str] = Counter()
    records = []
    for record_id, text in _texts(sources, stdin, text_field):
        content = json.dumps([settings, record_id, text], sort_keys=True)
        seen[content] += 1
        digest = hashlib.sha256(f"{seen[content]} {content}".encode("utf-8", "surrogatepass"))
        records.append(Record(record_id, text, digest.hexdigest()[:20]))
    return records


def seed_of(record: Record, seed: int) -> int:
    """A seed for one record that does not depend on the others."""
    return int.from_bytes(hashlib.sha256(f"{seed} {record.key}".encode()).digest()[:7], "big")


def _texts(sources: Sequence[str], stdin: TextIO, text_field: str) -> Iterator[tuple[str, str]]:
    for source in sources:
        if source == "-":
            yield from ((f"line {n}", line.rstrip("\n")) for n, line in enumerate(stdin, 1) if line.strip())
            continue
        try:
            content = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidArgument(f"{source} cannot be read: {error}") from None
        if source.endswith(".jsonl"):
            yield from _lines(source, content.split("\n"), text_field)
        else:
            yield source, content


def _lines(source: str, lines: Iterable[str], text_field: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise InvalidArgument(f"{source}, line {number}: not JSON: {error}") from None
        if not isinstance(entry, dict) or not isinstance(entry.get(text_field), str):
            raise InvalidArgument(
                f"{source}, line {number}: no text under {text_field!r}",
                hint="name the field that holds the text with --text-field",
            )
        yield str(entry.get("id", f"{source}:{number}")), entry[text_field]


class Results:
    """A JSONL file of results that is appended to; a context manager."""

    def __init__(self, path: Path, records: Sequence[Record]) -> None:
        self.done = _finished(path)
        strangers = self.done - {record.key for record in records}
        if strangers:
            raise InvalidArgument(
                f"{path} holds {len(strangers)} results of other records or settings",
                hint="choose another --output, or delete that file",
            )
        self._file = path.open("ab")

    def write(self, entry: dict[str, Any]) -> None:
        """Append one line, on the disk when this returns."""
        self._file.write(json.dumps(entry, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _finished(path: Path) -> set[str]:
    """Keys of the whole lines of a result file; what is left of a line that was cut off is removed."""
    if not path.exists():
        return set()
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    keys = set()
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            keys.add(json.loads(line)["key"])
        except (ValueError, KeyError, TypeError):
            raise InvalidArgument(
                f"{path}, line {number}: not a result of pgen extract", hint="choose another --output"
            ) from None
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
    return keys
