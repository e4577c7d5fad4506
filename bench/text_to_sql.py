"""Questions about Chinook to SQL: free, masked, and SMC under the schema. Saves bench/results/text_to_sql.json.

    python -m bench.fetch_chinook
    OMP_WAIT_POLICY=PASSIVE python -m bench.text_to_sql [--questions 108] [--particles 8] [--resume]

Every method gets the same prompt, temperature and number of draws. A query is right if it
returns the rows of the gold query (execution accuracy). *A draw* is the probability that a
query drawn from the method's result is right, *the vote* whether the rows with the most
probability are. *Prepares* counts every query that a method put out, right or wrong. What
is found is saved as it comes; `--resume` goes on with a run that was interrupted.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import track
from rich.table import Table

import pgen
from bench.fetch_chinook import open_database
from bench.machine import RESULTS, facts, save
from bench.sql_questions import EXAMPLES, Question, questions
from examples.text_to_sql import MAX_TOKENS, TEMPERATURE, prepares, prompt, queries, translate

ONE_LINE = r"""
%import sql (select, WS, STRING, QUOTED)
%override WS: " "
%override STRING: /'([^'\n]|'')*'/
%override QUOTED: /"([^"\n]|"")+"/
start: " " select "\n"
"""
"""Any SELECT statement of SQLite on a line of its own: the ready-made grammar without line breaks."""

MAX_STEPS = 2_000_000
"""Instructions of SQLite's machine after which a query counts as one that does not end."""
REFUSED = "refused"

Results = dict[str, list[dict[str, Any]]]
"""Method -> what was found for each question."""


class Asked(NamedTuple):
    """What a method needs to know."""

    lm: Any
    connection: sqlite3.Connection
    question: str
    language: pgen.Language | None = None


def free(asked: Asked, particles: int) -> pgen.Posterior:
    return pgen.infer(written(asked), method=pgen.Importance(particles, lookahead=0))


def masked(asked: Asked, particles: int) -> pgen.Posterior:
    return pgen.infer(written(asked), method=pgen.Masked(particles))


def monitored(asked: Asked, particles: int) -> pgen.Posterior:
    assert asked.language is not None
    arguments = asked.lm, asked.connection, asked.language, asked.question, EXAMPLES
    return pgen.infer(translate, *arguments, method=pgen.SMC(particles, resample="tokens", lookahead=0))


def written(asked: Asked) -> Any:
    """What the model writes, under the language if there is one."""
    asked_for = prompt(asked.connection, EXAMPLES, asked.question)
    settings = {"max_tokens": MAX_TOKENS, "temperature": TEMPERATURE}
    if asked.language is None:
        return asked.lm.text(asked_for, stop="\n", **settings)
    return asked.lm.text(asked_for, **settings).given(asked.language)


METHODS = {
    "free": (free, None),
    "masked, any SQL": (masked, "any"),
    "masked, schema": (masked, "line"),
    "SMC, schema and monitor": (monitored, "schema"),
}


def rows(connection: sqlite3.Connection, sql: str) -> Hashable:
    """What a query returns, as a bag of rows; `REFUSED` where it does not prepare, `None` where it does not end."""
    if not prepares(connection, sql):
        return REFUSED
    connection.set_progress_handler(lambda: 1, MAX_STEPS)
    try:
        return frozenset(Counter(connection.execute(sql).fetchall()).items())
    except sqlite3.Error:
        return None
    finally:
        connection.set_progress_handler(None, 0)


def judged(posterior: pgen.Posterior, question: Question, connection: sqlite3.Connection) -> dict[str, Any]:
    """The outputs of one method for one question, against the gold rows."""
    gold = rows(connection, question.sql)
    shares: dict[str, float] = {}
    for text, share in posterior.probabilities().items():
        shares[text.strip()] = shares.get(text.strip(), 0.0) + share
    found = {sql: rows(connection, sql) for sql in shares}
    votes: Counter[Hashable] = Counter()
    for sql, share in shares.items():
        votes[found[sql]] += share  # type: ignore[assignment]
    return {
        "question": question.text,
        "kind": question.kind,
        "gold": question.sql,
        "best": max(shares, key=lambda sql: shares[sql]),
        "draw": sum(share for sql, share in shares.items() if found[sql] == gold),
        "vote": max(votes, key=lambda result: votes[result]) == gold,
        "outputs": len(posterior.values),
        "prepare": sum(found[str(text).strip()] != REFUSED for text in posterior.values),
        "evaluations": posterior.n_evaluations,
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--questions", type=int, default=108)
    options.add_argument("--particles", type=int, default=8)
    options.add_argument("--model", default="smollm2")
    options.add_argument("--resume", action="store_true")
    chosen = options.parse_args()
    about = {"model": chosen.model, "questions": chosen.questions, "particles": chosen.particles}
    about |= {"temperature": TEMPERATURE, "sqlite": sqlite3.sqlite_version, **facts("torch", "transformers")}
    results = earlier(about) if chosen.resume else {name: [] for name in METHODS}
    ask(pgen.load(chosen.model), open_database(), about, results)
    show(results)


def ask(lm: Any, connection: sqlite3.Connection, about: dict[str, Any], results: Results) -> None:
    """Put every question that has no answers yet to every method; `results` grows and is saved on the way."""
    schema = queries(connection)
    languages = {None: None, "any": pgen.Grammar(ONE_LINE), "line": pgen.until("\n", " " + schema), "schema": schema}
    posed = questions(connection, about["questions"])[min(map(len, results.values())) :]
    for number, question in enumerate(track(posed, "Asking", console=Console(stderr=True)), 1):
        for name, (method, language) in METHODS.items():
            start = time.perf_counter()
            posterior = method(Asked(lm, connection, question.text, languages[language]), about["particles"])
            seconds = time.perf_counter() - start
            results[name].append({**judged(posterior, question, connection), "seconds": seconds})
        if number % 3 == 0 or number == len(posed):
            saved(about, results)


def earlier(about: dict[str, Any]) -> Results:
    """The answers of a saved run with the same settings."""
    found = json.loads((RESULTS / "text_to_sql.json").read_text(encoding="utf-8"))
    if found["about"] != json.loads(json.dumps(about)):
        sys.exit("the saved run had other settings")
    answers: Results = found["answers"]
    return answers


def saved(about: dict[str, Any], results: Results) -> Path:
    """Everything found so far, so that an interruption loses little."""
    summaries = {name: summary(found) for name, found in results.items()}
    return save("text_to_sql", {"about": about, "methods": summaries, "answers": results})


def summary(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    kinds = {kind: mean(f["draw"] for f in found if f["kind"] == kind) for kind in {f["kind"]: 0 for f in found}}
    return {
        "questions": len(found),
        "accuracy_of_a_draw": mean(f["draw"] for f in found),
        "accuracy_of_the_vote": mean(f["vote"] for f in found),
        "outputs": sum(f["outputs"] for f in found),
        "prepare": sum(f["prepare"] for f in found),
        "evaluations_per_question": mean(f["evaluations"] for f in found),
        "seconds_per_question": mean(f["seconds"] for f in found),
        "accuracy_by_kind": kinds,
    }


def mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def show(results: Results) -> None:
    table = Table("method", "prepare", "a draw is right", "the vote is right", "evaluations", "s", title="Chinook")
    for name, found in results.items():
        r = summary(found)
        shares = (f"{r[key]:.3f}" for key in ("accuracy_of_a_draw", "accuracy_of_the_vote"))
        cost = f"{r['evaluations_per_question']:.0f}", f"{r['seconds_per_question']:.1f}"
        table.add_row(name, f"{r['prepare']} of {r['outputs']}", *shares, *cost)
    Console().print(table)


if __name__ == "__main__":
    main()
