"""Grammars and schemas with mistakes in them, by the thousand: a pgen error or a right answer, nothing else.

    python tests/support/run_mutations.py [--data DIR] [--kind grammar|schema] [--first 0] [--count 2000] [--limit 20]

Items are numbered and each is made from its number alone. Grammars are those of `pgen.grammars` and of
the tests, schemas those of MaskBench and of the official suite in DIR (left out where there is none).
They are broken and judged by `mutations` in a process of its own, which is ended
if an item takes longer than the limit in seconds. Prints what became of the items, and every
item that ended in anything but pgen's errors and right answers.
"""

from __future__ import annotations

import argparse
import ast
import json
import multiprocessing
import resource
import sys
import traceback
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from mutations import check_grammar, check_schema, mutated_schema, mutated_text

import pgen.grammars

ROOT = Path(__file__).parents[2]
MEMORY = 12 << 30
"""Bytes of address space for the process that judges."""


def grammars() -> list[str]:
    """The ready-made grammars, and every one in the tests."""
    found = dict.fromkeys(pgen.grammars.load(name) for name in pgen.grammars.names())
    for path in sorted((ROOT / "tests/language").glob("test_grammar*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "start:" in node.value:
                found[node.value] = None
    return [text for text in found if _is_read(text)]


def _is_read(text: str) -> bool:
    try:
        return bool(pgen.Grammar(text).rules)
    except pgen.PgenError:
        return False


def schemas(data: Path | None) -> list[tuple[Any, list[Any]]]:
    """Schemas and their instances."""
    if data is None:
        return []
    found = []
    for path in sorted((data / "maskbench").glob("*.json")):
        item = json.loads(path.read_text())
        found.append((item["schema"], [test["data"] for test in item["tests"]]))
    for path in sorted((data / "jsts/tests/draft2020-12").glob("*.json")):
        groups = json.loads(path.read_text())
        found += [(group["schema"], [test["data"] for test in group["tests"]]) for group in groups]
    return found


class Items:
    """What is broken, by kind and number."""

    def __init__(self, data: Path | None) -> None:
        self.grammars, self.schemas = grammars(), schemas(data)

    def made(self, kind: str, number: int) -> Any:
        """An item as it is given to pgen, with the source of randomness that it goes on with."""
        random = Random(f"{kind} {number}")
        if kind == "grammar":
            return mutated_text(random, *random.choices(self.grammars, k=2)), random
        (schema, instances), (other, _) = random.choices(self.schemas, k=2)
        return (mutated_schema(random, schema, other), instances), random

    def judged(self, kind: str, number: int) -> str:
        """What became of an item; the error where that is a mistake."""
        made, random = self.made(kind, number)
        try:
            return check_grammar(made, random) if kind == "grammar" else check_schema(*made, random)
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            return f"MISTAKE {type(error).__name__}: {str(error)[:300]} ({where.filename}:{where.lineno})"


def judge(pipe: Connection, data: Path | None) -> None:
    """Answer questions until there are none."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    items = Items(data)
    # Kernels are compiled before anything is timed.
    pipe.send([items.judged("grammar", number) for number in range(3)])
    while (asked := pipe.recv()) is not None:
        pipe.send(items.judged(*asked))


class Judge:
    """A process that judges, begun anew when it had to be ended."""

    def __init__(self, data: Path | None, limit: float) -> None:
        self.data, self.limit = data, limit
        self._begin()

    def _begin(self) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(target=judge, args=(theirs, self.data), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.recv()

    def ask(self, kind: str, number: int) -> str:
        """What became of an item."""
        self.pipe.send((kind, number))
        try:
            if self.pipe.poll(self.limit):
                return str(self.pipe.recv())
            what = f"MISTAKE hang: more than {self.limit} s"
        except EOFError:
            what = "MISTAKE crash"
        self.process.kill()
        self.process.join()
        self._begin()
        return what


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path)
    options.add_argument("--kind", choices=["grammar", "schema"])
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--limit", type=float, default=20.0)
    options.add_argument("--show", action="store_true", help="print the items, judge nothing")
    chosen = options.parse_args()
    kinds = [chosen.kind] if chosen.kind else ["grammar"] + ["schema"] * (chosen.data is not None)
    numbers = range(chosen.first, chosen.first + chosen.count)
    if chosen.show:
        items = Items(chosen.data)
        for kind in kinds:
            for number in numbers:
                made = items.made(kind, number)[0]
                say(f"--- {kind} {number}\n{made if kind == 'grammar' else json.dumps(made[0])}")
        return
    asked, mistakes = Judge(chosen.data, chosen.limit), 0
    for kind in kinds:
        counts = Counter[str]()
        for number in numbers:
            found = asked.ask(kind, number)
            counts[found.split()[0]] += 1
            if found.startswith("MISTAKE"):
                mistakes += 1
                say(f"{kind} {number}: {found}")
        say(f"{kind}: {dict(counts)}")
    sys.exit(mistakes > 0)


if __name__ == "__main__":
    main()
