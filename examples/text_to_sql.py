"""Questions to SQL: only tables and columns that exist, and only queries that SQLite prepares.

The schema of a live database becomes a grammar: one kind of query for every table and for every
foreign key, each with the columns that its FROM clause offers. What the grammar does not say (where
an aggregate may stand) SQLite itself says, asked at every word.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import pgen

Example = tuple[str, str]
"""A question and its SQL."""

MAX_TOKENS = 48
TEMPERATURE = 0.5
SELECT = r"""
select{column, source}: "SELECT " ["DISTINCT "] _list{result{column}} " FROM " source rest{column}
rest{column}: [where{column}] [group{column}] [order{column}] [" LIMIT " /[1-9][0-9]?/]
where{column}: " WHERE " comparison{column} ((" AND " | " OR ") comparison{column})*
group{column}: " GROUP BY " _list{column} [" HAVING " expression{column} COMPARISON value]
order{column}: " ORDER BY " expression{column} [" DESC" | " ASC"]
result{column}: "*" | expression{column}
expression{column}: column | FUNCTION "(" ["DISTINCT "] column ")" | "COUNT(*)"
comparison{column}: column (COMPARISON value | " LIKE " STRING | " IS" [" NOT"] " NULL")
_list{item}: item (", " item)*
value: NUMBER | STRING
COMPARISON: " = " | " <> " | " < " | " > " | " <= " | " >= "
FUNCTION: "COUNT" | "SUM" | "AVG" | "MIN" | "MAX"
NUMBER: /[0-9]{1,9}(\.[0-9]{1,4})?/
STRING: /'([^'\n]|''){1,60}'/
"""
COLUMNS = """SELECT tables.name, columns.name
FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'"""
KEYS = """SELECT tables.name, keys."from", keys."table", keys."to"
FROM sqlite_master AS tables JOIN pragma_foreign_key_list(tables.name) AS keys"""
LIBRARY = """
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT, born INTEGER);
CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, pages INTEGER, author_id INTEGER REFERENCES author(id));
INSERT INTO author VALUES (1, 'Mary Shelley', 1797), (2, 'Jules Verne', 1828);
INSERT INTO book VALUES (1, 'Frankenstein', 280, 1), (2, 'Around the World in Eighty Days', 240, 2);
"""
EXAMPLES = (
    ("How many authors are there?", "SELECT COUNT(*) FROM author"),
    ("List the pages of every book.", "SELECT pages FROM book"),
    ("How many pages does the book 'Frankenstein' have?", "SELECT pages FROM book WHERE title = 'Frankenstein'"),
)
"""SmolLM2-135M copies the example that is most like the question, so that each kind of question needs one."""


def schema(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Table -> its columns."""
    tables: dict[str, list[str]] = {}
    for table, column in connection.execute(COLUMNS):
        tables.setdefault(table, []).append(column)
    return tables


def sources(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """What may stand after FROM (a table, or two along a foreign key) -> the columns that it offers."""
    found = tables = schema(connection)
    for table, column, other, key in connection.execute(KEYS):
        if table != other:
            columns = [f"{name}.{own}" for name in (table, other) for own in tables[name]]
            found = found | {f"{table} JOIN {other} ON {table}.{column} = {other}.{key}": columns}
    return found


def queries(connection: sqlite3.Connection) -> pgen.Grammar:
    """SELECT statements over what the database has. Names must be plain words."""
    rules = [f"start: {' | '.join(f'query{i}' for i in range(len(sources(connection))))}"]
    for i, (source, columns) in enumerate(sources(connection).items()):
        rules.append(f"query{i}: select{{column{i}, source{i}}}\nsource{i}: {json.dumps(source)}")
        rules.append(f"column{i}: {' | '.join(map(json.dumps, columns))}")
    return pgen.Grammar("\n".join([*rules, SELECT]))


def prepares(connection: sqlite3.Connection, sql: str) -> bool:
    """Whether SQLite can compile the query; nothing is run."""
    try:
        connection.execute(f"EXPLAIN {sql}")
    except sqlite3.Error:
        return False
    return True


def monitor(connection: sqlite3.Connection, language: pgen.Language) -> Callable[[str], bool]:
    """False where the text so far is a query that SQLite refuses: what follows cannot mend it."""
    return lambda text: not language.matches(text.strip()) or prepares(connection, text)


def prompt(connection: sqlite3.Connection, examples: Sequence[Example], question: str, shots: int = 3) -> str:
    """The schema, the examples most like the question (the most similar one last), and the question."""
    tables = [f"{table}({', '.join(columns)})" for table, columns in schema(connection).items()]
    chosen = sorted(examples, key=lambda example: likeness(example[0], question))[-shots:]
    shown = [f"Question: {asked}\nSQL: {sql}" for asked, sql in chosen]
    return "\n".join(["Tables:", *tables, "", *shown, f"Question: {question}\nSQL:"])


def likeness(first: str, second: str) -> float:
    """Shared words over all words."""
    one, other = (set(re.findall(r"\w+", text.lower())) for text in (first, second))
    return len(one & other) / len(one | other)


@pgen.program
def translate(
    lm: Any, connection: sqlite3.Connection, language: pgen.Language, question: str, examples: Sequence[Example]
) -> str:
    """The posterior over queries; `language` is that of `queries(connection)`, compiled once for many questions."""
    written = lm.text(prompt(connection, examples, question), max_tokens=MAX_TOKENS, temperature=TEMPERATURE)
    line = written.given(pgen.until("\n", " " + language)).where(monitor(connection, language), at="word")
    return str(pgen.sample("sql", line).strip())


def main() -> None:
    lm, connection = pgen.load("smollm2"), sqlite3.connect(":memory:")
    connection.executescript(LIBRARY)
    language = queries(connection)
    for question in ("List the titles of every book.", "What is the title of the book whose pages is 240?"):
        method = pgen.SMC(particles=8, resample="tokens", lookahead=0)
        posterior = pgen.infer(translate, lm, connection, language, question, EXAMPLES, method=method)
        print(question, posterior, connection.execute(posterior.mode()).fetchall(), sep="\n")


if __name__ == "__main__":
    main()
