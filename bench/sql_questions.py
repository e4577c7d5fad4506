"""Questions about Chinook with the SQL that answers them, by templates over its tables, columns and values.

Words for tables and columns are ours; which columns exist, and the values that are asked
for, come from the database. The few examples that every prompt shows are about other
columns than any question.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Question(NamedTuple):
    """A question, its SQL, and the template that made both."""

    text: str
    sql: str
    kind: str


NOUNS = {
    "Album": "album",
    "Artist": "artist",
    "Customer": "customer",
    "Employee": "employee",
    "Genre": "genre",
    "Invoice": "invoice",
    "InvoiceLine": "invoice line",
    "MediaType": "media type",
    "Playlist": "playlist",
    "Track": "track",
}
LABELS = {
    ("Album", "Title"): "title",
    ("Artist", "Name"): "name",
    ("Customer", "LastName"): "last name",
    ("Customer", "FirstName"): "first name",
    ("Customer", "City"): "city",
    ("Customer", "Email"): "email",
    ("Customer", "Phone"): "phone number",
    ("Employee", "LastName"): "last name",
    ("Employee", "Title"): "title",
    ("Employee", "HireDate"): "hire date",
    ("Employee", "Phone"): "phone number",
    ("Genre", "Name"): "name",
    ("Invoice", "InvoiceDate"): "date",
    ("Invoice", "BillingCity"): "billing city",
    ("Invoice", "BillingAddress"): "billing address",
    ("Playlist", "Name"): "name",
    ("Track", "Name"): "name",
    ("Track", "Composer"): "composer",
}
GROUPS = {
    ("Customer", "Country"): "country",
    ("Customer", "City"): "city",
    ("Customer", "State"): "state",
    ("Employee", "City"): "city",
    ("Employee", "Title"): "title",
    ("Invoice", "BillingCountry"): "billing country",
    ("Invoice", "BillingCity"): "billing city",
    ("Invoice", "BillingState"): "billing state",
    ("Track", "Composer"): "composer",
    ("Track", "UnitPrice"): "unit price",
    ("InvoiceLine", "Quantity"): "quantity",
}
NUMBERS = {
    ("Invoice", "Total"): "total",
    ("Track", "Milliseconds"): "length in milliseconds",
    ("Track", "Bytes"): "size in bytes",
    ("Track", "UnitPrice"): "unit price",
    ("InvoiceLine", "UnitPrice"): "unit price",
    ("InvoiceLine", "Quantity"): "quantity",
}
EXTREMES = {"highest": "MAX", "lowest": "MIN", "average": "AVG"}
EXAMPLES = (
    ("How many media types are there?", "SELECT COUNT(*) FROM MediaType"),
    ("List the company of every customer.", "SELECT Company FROM Customer"),
    ("Which different states do the employees have?", "SELECT DISTINCT State FROM Employee"),
    (
        "How many customers have the company 'Google Inc.'?",
        "SELECT COUNT(*) FROM Customer WHERE Company = 'Google Inc.'",
    ),
    (
        "What is the fax number of the customer whose last name is 'Silk'?",
        "SELECT Fax FROM Customer WHERE LastName = 'Silk'",
    ),
    ("What is the lowest track ID of the playlist tracks?", "SELECT MIN(TrackId) FROM PlaylistTrack"),
    ("How many employees are there for each country?", "SELECT Country, COUNT(*) FROM Employee GROUP BY Country"),
    ("List the title of every album with an album ID above 340.", "SELECT Title FROM Album WHERE AlbumId > 340"),
    (
        "List the title of every album by the artist 'Accept'.",
        "SELECT Album.Title FROM Album JOIN Artist ON Album.ArtistId = Artist.ArtistId WHERE Artist.Name = 'Accept'",
    ),
)


def questions(connection: sqlite3.Connection, count: int, seed: int = 0) -> list[Question]:
    """`count` different questions, the templates taking turns; each is answered by at least one row."""
    rng = random.Random(seed)
    made = []
    for template in TEMPLATES:
        listed = list(dict.fromkeys(template(connection, rng)))
        rng.shuffle(listed)
        made.append([q for q in listed if connection.execute(q.sql).fetchone() is not None])
    turns = [questions[i] for i in range(max(map(len, made))) for questions in made if i < len(questions)]
    if len(turns) < count:
        raise ValueError(f"the templates make {len(turns)} questions, not {count}")
    return turns[:count]


def _counts(connection: sqlite3.Connection, rng: random.Random) -> Iterator[Question]:
    for table, noun in NOUNS.items():
        if table != "MediaType":
            yield Question(f"How many {noun}s are there?", f"SELECT COUNT(*) FROM {table}", "count")


def _lists(connection: sqlite3.Connection, rng: random.Random) -> Iterator[Question]:
    for (table, column), label in LABELS.items():
        yield Question(f"List the {label} of every {NOUNS[table]}.", f"SELECT {column} FROM {table}", "list")


def _different(connection: sqlite3.Connection, rng: random.Random) -> Iterator[Question]:
    for (table, column), label in GROUPS.items():
        asked = f"Which different {plural(label)} do the {NOUNS[table]}s have?"
        yield Question(asked, f"SELECT DISTINCT {column} FROM {table}", "different")


def _matching(connection: sqlite3.Connection, rng: random.Random) -> Iterator[Question]:
    for (table, column), label in GROUPS.items():
        value = _value(connection, rng, table, column)
        asked = f"How many {NOUNS[table]}s have the {label} {value}?"
        yield Question(asked, f"SELECT COUNT(*) FROM {table} WHERE {column} = {value}", "matching")


def _lookups(connection: sqlite3.Connection, rng: random.Random) -> Iterator[Question]:
    for (table, column), label in LABELS.items():
        for (other, key), known in LABELS.items():
            if table == other and column != key and known in ("title", "name", "last name", "email"):
                value = _value(connection, rng, table, key)
                asked = f"What is the {label} of the {NOUNS[table]} whose {known} is {value}?"
                yield Question(asked, f"SELECT {column} FROM {table} WHERE {key} = {value}", "lookup")


def _extremes(connection: sqlite3.Connection, rng: random.Random) -> Iterator[Question]:
    for (table, column), label in NUMBERS.items():
        for word, function in EXTREMES.items():
            asked = f"What is the {word} {label} of the {NOUNS[table]}s?"
            yield Question(asked, f"SELECT {function}({column}) FROM {table}", "extreme")


def _groups(connection: sqlite3.Connection, rng: random.Random) -> Iterator[Question]:
    for (table, column), label in GROUPS.items():
        asked = f"How many {NOUNS[table]}s are there for each {label}?"
        yield Question(asked, f"SELECT {column}, COUNT(*) FROM {table} GROUP BY {column}", "group")


def _above(connection: sqlite3.Connection, rng: random.Random) -> Iterator[Question]:
    for (table, number), label in NUMBERS.items():
        for (other, column), wanted in LABELS.items():
            if table == other:
                value = _value(connection, rng, table, number)
                asked = f"List the {wanted} of every {NOUNS[table]} with a {label} above {value}."
                yield Question(asked, f"SELECT {column} FROM {table} WHERE {number} > {value}", "above")


def _joins(connection: sqlite3.Connection, rng: random.Random) -> Iterator[Question]:
    for table, other, column, key in (("Album", "Artist", "Title", "ArtistId"), ("Track", "Genre", "Name", "GenreId")):
        for _ in range(8):
            value = _value(connection, rng, other, "Name")
            asked = f"List the {LABELS[table, column]} of every {NOUNS[table]} by the {NOUNS[other]} {value}."
            joined = f"{table} JOIN {other} ON {table}.{key} = {other}.{key}"
            yield Question(asked, f"SELECT {table}.{column} FROM {joined} WHERE {other}.Name = {value}", "join")


TEMPLATES: tuple[Callable[[sqlite3.Connection, random.Random], Iterator[Question]], ...] = (
    _counts, _lists, _different, _matching, _lookups, _extremes, _groups, _above, _joins,
)  # fmt: skip


def plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def _value(connection: sqlite3.Connection, rng: random.Random, table: str, column: str) -> str:
    """A value of the column as SQL writes it; of texts a short one."""
    rows = connection.execute(f"SELECT DISTINCT {column} FROM {table} WHERE length({column}) < 24 ORDER BY 1")
    value = rng.choice([row[0] for row in rows if row[0] is not None])
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
