"""Parsers that others wrote, or specifications give, as predicates: what members of the ready-made grammars pass."""

from __future__ import annotations

import ast
import csv
import io
import ipaddress
import json
import re
import sqlite3
import urllib.parse
import uuid
import xml.etree.ElementTree as ElementTree
from datetime import date, datetime, time

import pytest


def fails(*types: type[Exception]):
    """Turn a parser that raises into a predicate."""

    def decorate(parser):
        def holds(text: str) -> bool:
            try:
                return parser(text) is not False
            except types:
                return False

        return holds

    return decorate


@fails(ValueError)
def is_json(text: str):
    json.loads(text, parse_constant=float.fromhex)


def is_jsonl(text: str) -> bool:
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    return all(is_json(line) for line in lines)


@fails(SyntaxError, ValueError, TypeError)
def is_python(text: str):
    ast.parse(text, mode="eval")


ARITHMETIC = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.Constant,
    ast.Name,
    ast.operator,
    ast.unaryop,
    ast.expr_context,
)


def is_arithmetic(text: str) -> bool:
    text = text.strip(" \t")
    return is_python(text) and all(isinstance(node, ARITHMETIC) for node in ast.walk(ast.parse(text, mode="eval")))


@fails(csv.Error)
def is_csv(text: str) -> bool:
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    quoted = re.sub(r'"(?:[^"]|"")*"', "q", text)
    lines = re.sub(r"\r?\n\Z", "", quoted).replace("\r\n", "\n").split("\n")
    return [max(len(row), 1) for row in rows or [[]]] == [line.count(",") + 1 for line in lines]


def is_xml(text: str) -> bool:
    """Well-formed, apart from the two constraints that the grammar leaves unchecked."""
    try:
        ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return str(error).startswith(("mismatched tag", "duplicate attribute"))
    return True


def is_sql(text: str) -> bool:
    """Whether SQLite's parser accepts the text: complaints about names and counts come after it."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("EXPLAIN " + text)
    except sqlite3.Warning:
        return False
    except sqlite3.Error as error:
        return re.search("syntax error|unrecognized token|incomplete input|interrupted", str(error)) is None
    finally:
        connection.close()
    return True


@fails(ValueError)
def is_iso8601(text: str):
    if text.startswith("P"):
        parts = r"P(?=\d|T)(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+([.,]\d+)?S)?)?"
        fields = re.fullmatch(parts, text)
        return bool(re.fullmatch(r"P\d+W", text) or fields)
    if ordinal := re.fullmatch(r"(\d{4})(-?)(\d{3})(?:T(.*))?", text):
        datetime.strptime(ordinal[1] + ordinal[3], "%Y%j")
        return ordinal[4] is None or time.fromisoformat(ordinal[4]) is not None
    if text.startswith("T") or re.match(r"\d\d:", text):
        return time.fromisoformat(text) is not None
    return (datetime if "T" in text else date).fromisoformat(text) is not None


EMAIL = re.compile(
    r"(?=[^@]{1,64}@)[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*@"
    r"(?=.{1,253}\Z)((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+(?!-)(?=[A-Za-z])[A-Za-z0-9-]{1,63}(?<!-)",
    re.ASCII,
)


def is_url(text: str) -> bool:
    """By the regular expression of RFC 3986, appendix B, and the parsers of its parts."""
    found = re.fullmatch(r"(([^:/?#]+):)(//([^/?#]*))([^?#]*)(\?([^#]*))?(#(.*))?", text)
    parts = urllib.parse.urlsplit(text)
    if found is None or not parts.hostname or not (parts.port is None or 0 <= parts.port < 65536):
        return False
    if "[" in text:
        ipaddress.IPv6Address(parts.hostname)
    allowed = re.compile(r"([A-Za-z0-9\-._~:/?@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*")
    rest = [found[5], found[7] or "", found[9] or "", re.sub(r"\[.*\]", "", found[4])]
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9+.\-]*", found[2]) is not None and all(
        allowed.fullmatch(part) for part in rest
    )


SEMVER = re.compile(  # the expression that semver.org suggests
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
)


@fails(ValueError)
def is_uuid(text: str) -> bool:
    return str(uuid.UUID(text)) == text.lower()


def is_markdown_table(text: str) -> bool:
    """Whether the text is one table, and every row has its own cells, none of them filled in or cut off."""
    tokens = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table").parse(text)
    whole = [token.type for token in tokens if token.level == 0] == ["table_open", "table_close"]
    n_bars = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines(keepends=False) if line}
    n_columns = sum(token.type == "th_open" for token in tokens)
    return whole and len(n_bars) == 1 and n_bars == {n_columns + 1}


INSTRUCTION = re.compile(
    r"(?:FROM (?:--platform=\S+ )?\S+(?: AS \S+)?|ARG \w+(?:=VALUE)?|(?:RUN|CMD|ENTRYPOINT|SHELL|COPY|ADD|VOLUME) (?P<run>.+)"
    r"|(?:ENV|LABEL)(?: [\w.-]+=VALUE)+|EXPOSE(?: \d+(?:-\d+)?(?:/(?:tcp|udp))?)+"
    r"|WORKDIR \S+|USER \S+|STOPSIGNAL \S+|HEALTHCHECK (?:NONE|(?:--\S+ )*CMD (?P<check>.+)))".replace(
        "VALUE", r"(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"']*)"
    ).replace(" ", r"[ \t]+"),
    re.IGNORECASE | re.ASCII,
)


@fails(ValueError)
def is_dockerfile(text: str) -> bool:
    """Each instruction on its own, after its lines are joined; JSON arrays by their parser."""
    lines = [line.strip(" \t") for line in text.replace("\\\n", " ").split("\n")]
    instructions = [line for line in lines if line and not line.startswith("#")]
    stages = [line for line in instructions if not line.upper().startswith("ARG")]
    starts_well = text.endswith("\n") and stages and stages[0].upper().startswith("FROM")
    return bool(starts_well) and all(is_instruction(line) for line in instructions)


def is_instruction(line: str) -> bool:
    found = INSTRUCTION.fullmatch(line)
    command = "" if found is None else found["run"] or found["check"] or ""
    return found is not None and (not command.startswith("[") or isinstance(json.loads(command), list))


def is_smiles(text: str) -> bool:
    """By RDKit's parser; ring bonds are taken away first, as their pairs are not a matter of the grammar."""
    chem = pytest.importorskip("rdkit.Chem")
    pytest.importorskip("rdkit.RDLogger").DisableLog("rdApp.*")
    without = re.sub(r"(\[[^\]]*\])|[-=#$:/\\]?(?:%\d\d|\d)", lambda match: match[1] or "", text)
    return chem.MolFromSmiles(without, sanitize=False) is not None


ORACLES = {
    "arithmetic": is_arithmetic,
    "csv": is_csv,
    "dockerfile": is_dockerfile,
    "email": lambda text: EMAIL.fullmatch(text) is not None,
    "iso8601": is_iso8601,
    "json": is_json,
    "jsonl": is_jsonl,
    "markdown_table": is_markdown_table,
    "python_expr": is_python,
    "semver": lambda text: SEMVER.fullmatch(text) is not None,
    "smiles": is_smiles,
    "sql": is_sql,
    "url": is_url,
    "uuid": is_uuid,
    "xml": is_xml,
}
