"""Broken JSON: valid values of many schemas, written as text and damaged, and what is still intact in it.

A *field* is a leaf of the value with its name in front; it is intact if the fault touched neither
its own characters nor the names that lead to it. Faults: the text ends early, a quote or a comma
is missing, something follows it, or a value has a wrong type.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema

FieldPath = tuple[str | int, ...]
LARGEST = 400
"""Characters of a text at most."""


class Field(NamedTuple):
    """A leaf at `path`; `spans` are its characters, value last, those of the names above it first."""

    path: FieldPath
    spans: tuple[tuple[int, int], ...]


class Case(NamedTuple):
    """`text` was written from `value`, which is valid, and damaged; the fields at `intact` are still in it."""

    schema: Any
    fault: str
    value: Any
    text: str
    intact: tuple[FieldPath, ...]


Damage = Callable[[str, list[Field], random.Random], tuple[str, list[Field]] | None]


def string(**limits: Any) -> dict[str, Any]:
    """The schema of strings."""
    return {"type": "string", **limits}


def number(kind: str = "integer", low: float = 0, high: float = 100) -> dict[str, Any]:
    """The schema of numbers in a range."""
    return {"type": kind, "minimum": low, "maximum": high}


def listed(items: Any, most: int = 4) -> dict[str, Any]:
    """The schema of arrays of up to `most` items."""
    return {"type": "array", "items": items, "maxItems": most}


def record(*, optional: Sequence[str] = (), **properties: Any) -> dict[str, Any]:
    """The schema of objects with these properties and no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


FLAG = {"type": "boolean"}
SCHEMAS: dict[str, Any] = {
    "person": record(name=string(), age=number(), tags=listed(string()), ok=FLAG),
    "address": record(street=string(), zip=string(pattern="^[0-9]{5}$"), city=string(), optional=["street"]),
    "order": record(
        id=string(pattern="^[A-Z]{2}[0-9]{4}$"),
        lines=listed(record(item=string(), count=number()), 3),
        paid=FLAG,
    ),
    "event": record(title=string(), start=string(format="date"), place=record(room=number(), floor=number())),
    "weather": record(city=string(), unit={"enum": ["celsius", "fahrenheit"]}, degrees=number("number", -50, 60)),
    "book": record(title=string(), authors=listed(string(), 3), year=number(high=2100), isbn=string()),
    "message": record(to=string(), subject=string(), body=string(), urgent=FLAG, optional=["urgent"]),
    "grades": listed(record(pupil=string(), grade={"enum": ["A", "B", "C"]}), 4),
    "point": record(x=number("number", -9, 9), y=number("number", -9, 9), label={"type": ["string", "null"]}),
    "tool call": record(name={"const": "search"}, arguments=record(query=string(), limit=number())),
    "patient": record(
        name=string(),
        medications=listed(record(drug=string(), dose=string(), daily=number(high=9)), 3),
        allergies=listed(string(), 3),
    ),
    "settings": record(theme={"enum": ["dark", "light"]}, fonts=record(size=number(), bold=FLAG), tabs=listed(FLAG)),
}
WORDS = ["Bob", "Ann Lee", "blue", "a cat, a dog", "Oslo", "on time", "Rome: 3", "x", "Zürich", "12 Main St", "tea"]
PATTERNS: dict[str, Callable[[random.Random], str]] = {
    "^[0-9]{5}$": lambda choose: f"{choose.randrange(100000):05}",
    "^[A-Z]{2}[0-9]{4}$": lambda choose: f"{choose.choice(['AB', 'QX', 'ZK'])}{choose.randrange(10000):04}",
}


def sampled(schema: Any, choose: random.Random) -> Any:
    """A random value of one of the schemas above."""
    if "enum" in schema:
        return choose.choice(schema["enum"])
    if "const" in schema:
        return schema["const"]
    kind = schema["type"] if isinstance(schema["type"], str) else choose.choice(schema["type"])
    return MAKERS[kind](schema, choose)


def _object(schema: Any, choose: random.Random) -> dict[str, Any]:
    names = [name for name in schema["properties"] if name in schema["required"] or choose.random() < 0.5]
    return {name: sampled(schema["properties"][name], choose) for name in names}


def _string(schema: Any, choose: random.Random) -> str:
    if "pattern" in schema:
        return PATTERNS[schema["pattern"]](choose)
    if "format" in schema:
        return f"20{choose.randrange(10, 30)}-{choose.randrange(1, 13):02}-{choose.randrange(1, 29):02}"
    return " ".join(choose.sample(WORDS, choose.randint(1, 2)))


MAKERS: dict[str, Callable[[Any, random.Random], Any]] = {
    "object": _object,
    "array": lambda schema, choose: [
        sampled(schema["items"], choose) for _ in range(choose.randint(0, schema["maxItems"]))
    ],
    "string": _string,
    "integer": lambda schema, choose: choose.randint(schema["minimum"], schema["maximum"]),
    "number": lambda schema, choose: round(choose.uniform(schema["minimum"], schema["maximum"]), 1),
    "boolean": lambda schema, choose: choose.random() < 0.5,
    "null": lambda schema, choose: None,
}


def written(
    value: Any, at: int = 0, path: FieldPath = (), above: tuple[tuple[int, int], ...] = ()
) -> tuple[str, list[Field]]:
    """`json.dumps(value, ensure_ascii=False)` from position `at` on, and where its fields stand."""
    if not isinstance(value, (dict, list)) or not value:
        text = json.dumps(value, ensure_ascii=False)
        return text, [Field(path, (*above, (at, at + len(text))))]
    parts, fields = list[str](), list[Field]()
    at += 1
    for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
        key = json.dumps(name, ensure_ascii=False) if isinstance(value, dict) else ""
        before = f"{key}: " if key else ""
        names = (*above, (at, at + len(key))) if key else above
        text, found = written(inner, at + len(before), (*path, name), names)
        parts.append(before + text)
        fields += found
        at += len(parts[-1]) + 2
    return ("{%s}" if isinstance(value, dict) else "[%s]") % ", ".join(parts), fields


def cut_off(text: str, fields: list[Field], choose: random.Random) -> tuple[str, list[Field]]:
    """The text ends in its last two thirds."""
    end = choose.randrange(len(text) // 3, len(text))
    return text[:end], [field for field in fields if field.spans[-1][1] <= end]


def without(character: str) -> Damage:
    """One such character is missing: a quote anywhere, a comma between fields."""

    def damage(text: str, fields: list[Field], choose: random.Random) -> tuple[str, list[Field]] | None:
        inside = [span for field in fields for span in field.spans]
        places = [i for i, c in enumerate(text) if c == character]
        if character == ",":
            places = [i for i in places if not any(start <= i < end for start, end in inside)]
        if not places:
            return None
        at = choose.choice(places)
        return text[:at] + text[at + 1 :], [f for f in fields if not any(start <= at < end for start, end in f.spans)]

    return damage


TAILS = [" ok", "}", "]", ".", ",", "\n```", " Is there anything else?", '"', ' {"more": 1}']


def with_tail(text: str, fields: list[Field], choose: random.Random) -> tuple[str, list[Field]]:
    """Something follows the text."""
    return text + choose.choice(TAILS), fields


def wrong_type(text: str, fields: list[Field], choose: random.Random) -> tuple[str, list[Field]] | None:
    """A string for a value of another type, or a number for a string."""
    leaves = [field for field in fields if text[field.spans[-1][0]] not in "{["]
    if not leaves:
        return None
    field = choose.choice(leaves)
    start, end = field.spans[-1]
    value = json.loads(text[start:end])
    wrong = value if isinstance(value, str) else json.dumps(value)
    other = json.dumps(len(wrong)) if isinstance(value, str) else json.dumps(wrong)
    return text[:start] + other + text[end:], [f for f in fields if f is not field]


FAULTS: dict[str, Damage] = {
    "truncated": cut_off,
    "missing quote": without('"'),
    "missing comma": without(","),
    "trailing text": with_tail,
    "wrong type": wrong_type,
}


def broken(schema: Any, fault: str, value: Any, choose: random.Random) -> Case | None:
    """`value` with one fault; `None` where it cannot have that one, or is still valid with it."""
    text, fields = written(value)
    damaged = FAULTS[fault](text, fields, choose)
    if damaged is None or is_valid(damaged[0], schema):
        return None
    return Case(schema, fault, value, damaged[0], tuple(field.path for field in damaged[1]))


def is_valid(text: str, schema: Any) -> bool:
    """Whether a text is JSON with a value of the schema."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return bool(validator(schema).is_valid(value))


def validator(schema: Any) -> jsonschema.Draft202012Validator:
    """Draft 2020-12, formats included."""
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    return jsonschema.Draft202012Validator(schema, format_checker=checker)


def own_cases(n: int, seed: int = 0) -> Iterator[Case]:
    """`n` cases over the schemas above, schemas and faults in turn."""
    choose, names, faults = random.Random(seed), list(SCHEMAS), list(FAULTS)
    made = 0
    while made < n:
        schema = SCHEMAS[names[made % len(names)]]
        case = broken(schema, faults[made // len(names) % len(faults)], sampled(schema, choose), choose)
        if case is not None:
            made += 1
            yield case


def foreign_cases(folder: Path, n: int, seed: int = 0) -> Iterator[Case]:
    """`n` cases over the schemas of MaskBench and their valid instances of up to `LARGEST` characters."""
    choose, faults = random.Random(seed), list(FAULTS)
    files = sorted(folder.glob("*.json"))
    choose.shuffle(files)
    made = 0
    for file in files:
        source = json.loads(file.read_text())
        values = [test["data"] for test in source["tests"] if test["valid"]]
        small = [value for value in values if isinstance(value, (dict, list)) and len(written(value)[0]) <= LARGEST]
        fault = faults[made % len(faults)]
        case = broken(source["schema"], fault, choose.choice(small), choose) if small else None
        if case is not None:
            made += 1
            yield case
        if made == n:
            return


def at_path(value: Any, path: FieldPath) -> Any:
    """What stands there; `...` where there is no such place."""
    for name in path:
        try:
            value = value[name]
        except (KeyError, IndexError, TypeError):
            return ...
    return value


def n_kept(case: Case, text: str) -> int:
    """How many intact fields the repaired text still has; none if it is no JSON."""
    try:
        value = json.loads(text)
    except ValueError:
        return 0
    return sum(_equal(at_path(value, path), at_path(case.value, path)) for path in case.intact)


def _equal(found: Any, expected: Any) -> bool:
    return found is not ... and type(found) is type(expected) and found == expected
