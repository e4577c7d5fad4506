"""What `bench.masks` measures: JSON schemas, regexes and grammars, each with texts to walk along.

`json`: schemas of MaskBench with its instances, as `json.dumps` writes them. `regex`: ten
patterns that all engines read alike, matched against the whole text. `cfg`: `mask_grammars`.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pgen
from bench.mask_grammars import grammars

GROUPS = ("json", "regex", "cfg")
N_SCHEMAS = 40


class Text(NamedTuple):
    """A text as tokens: the vocabulary's own spelling, the same for every engine."""

    text: str
    tokens: tuple[int, ...]


class Item(NamedTuple):
    """A language to compile, texts of it and texts outside. `source` is a schema, a pattern or a Lark grammar.

    `order` is that of the properties of objects: the declared one, which peers take, unless a text has another.
    """

    group: str
    name: str
    source: Any
    ebnf: str
    valid: tuple[Text, ...]
    invalid: tuple[Text, ...]
    order: str = "declared"


Spell = Callable[[str], tuple[int, ...]]


def items(group: str, data: Path, spell: Spell, n_schemas: int | None = N_SCHEMAS) -> list[Item]:
    """The items of a group; `n_schemas` of the schemas, `None` for all."""

    def item(name: str, source: Any, ebnf: str, valid: Sequence[str], invalid: Sequence[str]) -> Item:
        spelled = (tuple(Text(text, spell(text)) for text in texts) for texts in (valid, invalid))
        return Item(group, name, source, ebnf, *spelled)

    if group == "json":
        made = [item(*schema_item(path)) for path in schema_files(data, n_schemas)]
        return [one._replace(order=property_order(one)) for one in made]
    if group == "regex":
        return [item(name, pattern, "", valid, invalid) for name, (pattern, valid, invalid) in regexes().items()]
    return [item(name, one.lark, one.ebnf, one.valid, one.invalid) for name, one in grammars().items()]


def warm_ups(group: str, spell: Spell) -> list[Item]:
    """Small languages that make an engine load its kernels and tables before anything is timed.

    Those of JSON have each kind of value and of keyword, and a text long enough that tables grow. The last of them has
    something to be checked on whole texts, for which an engine may load what it has not needed before: collecting that
    as garbage ahead of every later item would leave the processor's caches cold.
    """
    sources: dict[str, list[tuple[Any, str, str]]] = {
        "json": [
            (WARM_SCHEMA, "", json.dumps(WARM_VALUE)),
            (WARM_TREE, "", json.dumps(WARM_BRANCH)),
            ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, "", "[1, 2]"),
        ],
        "regex": [("([a-f]{2,9}|\\d+)[^x]{0,5}", "", "abcé")],
        "cfg": [
            (
                'start: "(" start ")" | WORD\nWORD: /[a-z]+/\n%ignore / +/',
                'root ::= "(" root ")" | [a-z]+',
                "((ab))",
            )
        ],
    }
    return [Item(group, "warm-up", found, ebnf, (Text(text, spell(text)),), ()) for found, ebnf, text in sources[group]]


WARM_SCHEMA = {
    "type": "object",
    "properties": {
        "when": {"type": "string", "format": "date"},
        "tags": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 40}},
        "ratio": {"type": "number", "minimum": -1, "maximum": 1},
        "kind": {"enum": ["a", "b"]},
        "count": {"type": "integer"},
        "both": {"type": "string", "allOf": [{"pattern": "^[ab]*c"}, {"not": {"pattern": "d"}}]},
    },
    "required": ["when", "count"],
}
WARM_VALUE = {
    "when": "2024-02-29",
    "tags": ["é"],
    "ratio": 0.5,
    "kind": "a",
    "count": 3,
    "both": "abc",
    "z": 1,
}
WARM_TREE = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 2000},
        "parts": {"type": "array", "items": {"$ref": "#/definitions/part"}, "maxItems": 3},
        "other": {"anyOf": [{"type": "null"}, {"$ref": "#/definitions/part"}]},
    },
    "required": ["text", "parts"],
    "additionalProperties": False,
    "definitions": {
        "part": {
            "type": "object",
            "properties": {"link": {"type": "string", "format": "uri"}, "code": {"pattern": "^[!%?]{2,4}$"}},
            "patternProperties": {"^x-": {"type": ["boolean", "string"]}},
            "additionalProperties": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
        },
    },
}
WARM_BRANCH = {
    "text": "The quick brown fox jumps over the lazy dog. " * 40,
    "parts": [
        {"link": "https://example.org/a?b#c", "code": "!?%", "x-a": "yes"},
        {"y": {"one": 1}, "z": {}},
    ],
    "other": None,
}


def schema_files(data: Path, n_schemas: int | None) -> list[Path]:
    """A fixed choice that takes from every source in turn; sources are what file names begin with."""
    folder = data / "maskbench"
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise SystemExit(f"bench.masks: no schemas in {folder}")
    if n_schemas is None:
        return paths
    sources: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        sources[path.name.split("---" if "---" in path.name else "_")[0]].append(path)
    rng = random.Random(0)
    for found in sources.values():
        rng.shuffle(found)
    longest = max(map(len, sources.values()))
    in_turn = [found[i] for i in range(longest) for found in sources.values() if i < len(found)]
    return sorted(in_turn[:n_schemas])


def schema_item(path: Path) -> tuple[str, Any, str, list[str], list[str]]:
    found = json.loads(path.read_text())
    texts: dict[bool, list[str]] = {True: [], False: []}
    for test in found["tests"]:
        texts[test["valid"]].append(json.dumps(test["data"], ensure_ascii=False))
    return path.stem, found["schema"], "", texts[True], texts[False]


def property_order(item: Item) -> str:
    """`"declared"` if all texts of a schema have that order (or pgen cannot read the schema), else `"any"`."""
    try:
        language = pgen.JSONSchema(item.source, whitespace="any")
    except pgen.PgenError:
        return "declared"
    return "declared" if all(language.matches(text.text) for text in item.valid) else "any"


def words() -> list[str]:
    """A thousand different made-up words."""
    rng = random.Random(7)
    syllables = ("ka", "ro", "min", "ta", "lus", "ve", "shi", "or", "ben", "qua", "del", "ix", "no", "gar", "ti", "wy")
    found = {"".join(rng.choices(syllables, k=rng.randint(2, 5))) for _ in range(1500)}
    return sorted(found)[:1000]


def regexes() -> dict[str, tuple[str, list[str], list[str]]]:
    """Name to pattern, texts that match, and texts that do not."""
    known = words()
    prose = (
        "the old harbour wall had been mended twice that year",
        "a quick look at the ledger told them nothing new",
        "rain fell on the roofs of the town and the lamps went out one after another",
    )
    return {
        "email": (
            r"[a-zA-Z0-9._%+-]{1,64}@[a-zA-Z0-9.-]{1,60}\.[a-zA-Z]{2,10}",
            ["jane.doe+news@mail.example.org", "x_1@sub-domain.co.uk", "Maria.Gonzalez1984@universidad.edu"],
            ["jane.doe@", "no at sign.org"],
        ),
        "isodate": (
            r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})",
            ["2024-02-29T23:59:01Z", "1999-12-31T00:00:00.123456+02:00", "2026-07-04T12:30:45-05:00"],
            ["2024-13-01T00:00:00Z", "2024-02-29T23:59"],
        ),
        "uuid": (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
            [
                "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
                "123e4567-e89b-12d3-a456-426614174000",
                "00000000-0000-4000-8000-00000000000f",
            ],
            ["3f2504e0-4f89-41d3-7a0c-0305e82c3301", "3f2504e0"],
        ),
        "url": (
            r"https?://([a-zA-Z0-9-]{1,63}\.){1,5}[a-z]{2,10}(:[0-9]{1,5})?(/[a-zA-Z0-9._~%+-]*)*(\?[a-z0-9=&_+-]*)?(#\w*)?",
            [
                "https://www.example.com/articles/2024/how-to-mend.html?page=2&sort=new#comments",
                "http://localhost.internal:8080/api/v1/items",
                "https://sub.domain.example.org",
            ],
            ["ftp://example.com/", "https:/example.com"],
        ),
        "phone": (
            r"\+?[0-9]{1,3}[ -]?\(?[0-9]{2,4}\)?[ -]?[0-9]{3,4}[ -]?[0-9]{3,4}",
            ["+49 (030) 1234 5678", "1-800-555-0199", "+331 4205-1234"],
            ["+49 (0x0)", "12"],
        ),
        "ipv4": (
            r"((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)",
            ["192.168.0.1", "255.255.255.255", "8.8.4.4"],
            ["256.1.1.1", "1.2.3"],
        ),
        "float": (
            r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?",
            ["-12.0625e-10", "3141592653589793", "0.000001"],
            ["012", "1e"],
        ),
        "any200": (
            r".{0,200}",
            ["Überall ist es besser, 何処でも, " + prose[2], prose[0] + ": 100% (σ=0.3)!", "{}"],
            ["x" * 201],
        ),
        "az100": (r"[a-z ]{1,100}", list(prose), ["no Capitals", "a" * 101]),
        "alt1000": ("|".join(known), [known[3], known[500], known[997]], [known[3] + "zz", "unknown"]),
    }
