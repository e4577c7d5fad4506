"""The schema as a grammar, SQLite as a monitor: every query prepares; answers are compared with enumeration."""

import itertools
import math
import sqlite3

import pytest
from byte_model import byte_model
from cued_model import cued_model, normalized, row_after

import pgen
from examples import text_to_sql

SHOTS = (("How many pets are there?", "SELECT COUNT(*) FROM pet"),)


@pytest.fixture(scope="module")
def connection():
    made = sqlite3.connect(":memory:")
    made.executescript("""
        CREATE TABLE owner (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE pet (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, owner_id INTEGER REFERENCES owner(id),
            mother_id INTEGER REFERENCES pet(id));
    """)
    return made


@pytest.fixture(scope="module")
def language(connection):
    return text_to_sql.queries(connection)


def test_the_schema_is_read_from_the_database(connection):
    columns = {"owner": ["id", "name"], "pet": ["id", "name", "age", "owner_id", "mother_id"]}
    assert text_to_sql.schema(connection) == columns
    sources = text_to_sql.sources(connection)
    joined = "pet JOIN owner ON pet.owner_id = owner.id"
    assert list(sources) == ["owner", "pet", joined]
    assert sources[joined] == [*(f"pet.{name}" for name in columns["pet"]), "owner.id", "owner.name"]


def test_columns_come_from_the_tables_of_the_query(connection, language):
    """Every column with every source: a member if and only if SQLite knows it there."""
    known = text_to_sql.sources(connection)
    columns = sorted({column for some in known.values() for column in some} | {"nothing", "pet.nothing"})
    n_members = 0
    for source, column in itertools.product(known, columns):
        for sql in (f"SELECT {column} FROM {source}", f"SELECT COUNT(*) FROM {source} WHERE {column} = 'x'"):
            offered = column in known[source]
            assert language.matches(sql) == offered
            if offered:
                assert text_to_sql.prepares(connection, sql)
                n_members += 1
    assert n_members == 2 * (2 + 5 + 7)
    assert not language.matches("SELECT name FROM sqlite_master")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM pet ORDER BY COUNT(*)",
        "SELECT DISTINCT name, age FROM pet ORDER BY SUM(age) DESC",
    ],
)
def test_sqlite_refuses_what_no_grammar_says(connection, language, sql):
    assert language.matches(sql)
    assert not text_to_sql.prepares(connection, sql)
    monitor = text_to_sql.monitor(connection, language)
    assert not monitor(sql)
    assert not monitor(f" {sql} \n")
    assert monitor(sql[: sql.index("ORDER")])
    assert monitor(sql[:-1])


def test_preparing_runs_nothing(connection):
    made = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    assert text_to_sql.prepares(connection, "CREATE TABLE more (x)")
    assert connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone() == made


def test_every_query_of_a_wild_model_prepares(connection, language):
    arguments = byte_model(), connection, language, "What is there?", SHOTS
    posterior = pgen.infer(text_to_sql.translate, *arguments, method=pgen.SMC(30, resample="tokens", lookahead=0))
    assert len(set(posterior.values)) > 3
    assert all(text_to_sql.prepares(connection, sql) for sql in posterior.values)


def test_the_posterior_is_what_the_model_says_within_the_schema(connection, language):
    says = {
        " SELECT name FROM pet\n": 0.2,
        " SELECT title FROM pet\n": 0.3,
        " SELECT age FROM owner\n": 0.2,
        " SELECT name FROM pet ORDER BY SUM(age)\n": 0.1,
        " SELECT id FROM owner\n": 0.1,
        " Which pets?\n": 0.1,
    }
    arguments = cued_model({"SQL:": says}), connection, language, "Which pets are there?", SHOTS
    posterior = pgen.infer(text_to_sql.translate, *arguments, method=pgen.Enumerate())
    fits = (" SELECT name FROM pet\n", " SELECT id FROM owner\n")
    masses = {text.strip(): tempered(says, text, 1 / text_to_sql.TEMPERATURE) for text in fits}
    assert posterior.probabilities() == pytest.approx(normalized(masses.items()))
    assert posterior.log_evidence == pytest.approx(math.log(sum(masses.values())))


def tempered(says, text, power):
    """The mass of `text` where each next byte has its probability to the power, normalised."""
    mass = 1.0
    for end in range(len(text)):
        row = [math.exp(power * log_p) for log_p in row_after(text[:end], says)]
        mass *= row[ord(text[end])] / sum(row)
    return mass


def test_the_examples_most_like_the_question_come_last(connection):
    shots = [("Which owners?", "A"), ("How many pets of age 3?", "B"), ("List colours.", "C"), ("How old?", "D")]
    written = text_to_sql.prompt(connection, shots, "How many pets of age 7?", shots=2)
    assert [line for line in written.split("\n") if line.startswith("SQL")] == ["SQL: D", "SQL: B", "SQL:"]
    assert "pet(id, name, age, owner_id, mother_id)" in written
