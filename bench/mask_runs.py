"""One engine over the items of one group, in a process of its own, for `bench.masks`.

The process builds the engine, warms it up and sends a `Record` per item. When an item
crashes it or takes longer than the limit, the process is replaced and the new one goes
on with the next item. A text is walked as a sampler meets it: mask, token, mask, token …
"""

from __future__ import annotations

import gc
import multiprocessing
import re
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from bench.first_mask import tekken
from bench.mask_engines import ENGINES, Engine, Refused, Walk
from bench.mask_items import Item, Text, warm_ups

START_LIMIT_S = 120.0


@dataclass
class Record:
    """What one engine did with one item: nanoseconds per position of the valid texts, and wrong answers."""

    name: str
    status: str = "measured"
    why: str = ""
    first_ns: int = 0
    fill_ns: list[int] = field(default_factory=list)
    commit_ns: list[int] = field(default_factory=list)
    valid_rejected: int = 0
    invalid_masked: int = 0
    invalid_accepted: int = 0
    peak_mib: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether every valid text was walked to its end."""
        return self.status == "measured" and not self.valid_rejected


@dataclass
class Run:
    """The records of one engine and group, in the order of the items, and what building the engine took."""

    records: list[Record] = field(default_factory=list)
    build_s: float = 0.0


def run(engine: str, items: Sequence[Item], limit_s: float, patience_s: float) -> Run:
    """Measure every item, `limit_s` each; no further items are tried once `patience_s` were lost on some."""
    done = Run()
    while len(done.records) < len(items):
        rest = items[len(done.records) :]
        if limit_s * sum(record.status in ("gave up", "crashed") for record in done.records) >= patience_s:
            done.records += [Record(item.name, "not tried", "too many items before it were given up") for item in rest]
        else:
            run_process(engine, rest, limit_s, done)
    return done


def run_process(engine: str, items: Sequence[Item], limit_s: float, done: Run) -> None:
    """Measure items in one process, until they or the process come to their end."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(engine, items, there), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(START_LIMIT_S):
            raise RuntimeError(f"{engine} was not ready after {START_LIMIT_S:.0f} s")
        try:
            done.build_s = here.recv()
        except EOFError:
            raise SystemExit(f"bench.masks: {engine} did not start; its own message is above") from None
        for item in items:
            record = next_record(here, item.name, limit_s)
            done.records.append(record)
            if record.status in ("gave up", "crashed"):
                return
    finally:
        process.kill()
        process.join()


def next_record(here: Connection, name: str, limit_s: float) -> Record:
    if not here.poll(limit_s):
        return Record(name, "gave up", f"not done after {limit_s:.0f} s")
    try:
        record: Record = here.recv()
    except EOFError:
        return Record(name, "crashed")
    return record


def serve(name: str, items: Sequence[Item], there: Connection) -> None:
    """The process: seconds to build the engine, then a record per item."""
    warnings.simplefilter("ignore")
    vocabulary = tekken()
    (eos,) = vocabulary.eos
    ENGINES[name].load()
    began = time.perf_counter()
    engine: Engine = ENGINES[name](vocabulary)
    build_s = time.perf_counter() - began
    for item in warm_ups(items[0].group, vocabulary.encode):
        measure(engine, item, eos)
    gc.collect()
    gc.freeze()
    there.send(build_s)
    for item in items:
        there.send(measure(engine, item, eos))


def measure(engine: Engine, item: Item, eos: int) -> Record:
    """Compile, first mask, then every text; whatever an engine raises ends the item."""
    record = Record(item.name)
    engine.forget()
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter_ns()
        walk = engine.compile(item)
        walk.fill()
        record.first_ns = time.perf_counter_ns() - began
        follow_all(walk, item, eos, record)
    except Exception as error:
        record.status = "failed" if record.first_ns else "refused"
        record.why = str(error)[:300] if isinstance(error, Refused) else f"{type(error).__name__}: {error}"[:300]
    finally:
        gc.enable()
    record.peak_mib = peak_mib()
    return record


def follow_all(walk: Walk, item: Item, eos: int, record: Record) -> None:
    for text in item.valid:
        accepted = follow(walk, text, eos, record.fill_ns, record.commit_ns) and walk.holds(text.text)
        record.valid_rejected += not accepted
    for text in item.invalid:
        passed = follow(walk, text, eos, [], [])
        record.invalid_masked += not passed
        record.invalid_accepted += passed and walk.holds(text.text)


def follow(walk: Walk, text: Text, eos: int, fill_ns: list[int], commit_ns: list[int]) -> bool:
    """Whether the masks allow each token and the end after them; the mask at the end is timed too."""
    clock = time.perf_counter_ns
    walk.restart()
    for token in text.tokens:
        began = clock()
        walk.fill()
        fill_ns.append(clock() - began)
        if not walk.allows(token):
            return False
        began = clock()
        walk.commit(token)
        commit_ns.append(clock() - began)
    began = clock()
    walk.fill()
    fill_ns.append(clock() - began)
    return walk.allows(eos)


def peak_mib() -> float:
    """Most resident memory of this process so far, by Linux; 0 elsewhere."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else 0.0


def fastest(runs: Sequence[Run]) -> Run:
    """One run with the least time of each position over several, as far as an item went alike in all."""
    best = Run(list(runs[0].records), min(one.build_s for one in runs))
    for i, record in enumerate(best.records):
        others = [one.records[i] for one in runs]
        if any(len(o.fill_ns) != len(record.fill_ns) or o.status != record.status for o in others):
            continue
        record.first_ns = min(o.first_ns for o in others)
        record.fill_ns = [min(times) for times in zip(*(o.fill_ns for o in others), strict=True)]
        record.commit_ns = [min(times) for times in zip(*(o.commit_ns for o in others), strict=True)]
    return best
