"""Property names that patterns tell apart, with and without automata: `jsonschema` decides."""

import itertools
import json
import random

import jsonschema
import pytest

import pgen
from pgen.language.json_schema.members import parted
from pgen.language.json_schema.shapes import Restriction
from pgen.language.json_schema.spelling import others

LISTED = [
    "^x-",
    "^/",
    "^(a|b)$",
    "^ab?$",
    ".*",
    "^a",
    "^[ab]$",
    "^ab",
    "^(x-|/)",
    "^a$|^b",
    "^$",
    "^x-a$",
    "^(foo|bar)-",
]
OTHERS = ["a", "^[^/]", "b$", "^[a-z]+$"]
NAMES = ["".join(chars) for n in range(4) for chars in itertools.product("abx-/", repeat=n)] + [
    "foo-",
    "bar-x",
    "é",
    "ab\n",
]
VALUES = [0, 1, 2, 9, "declared", "otherwise"]


def schema_of(rng):
    patterns = rng.sample([*LISTED, *OTHERS], rng.randint(1, 3))
    schema = {
        "type": "object",
        "properties": {name: {"const": "declared"} for name in rng.sample(NAMES, rng.randint(0, 3))},
        "patternProperties": {pattern: {"enum": [i, 9]} for i, pattern in enumerate(patterns)},
    }
    return schema | rng.choice([{}, {"additionalProperties": False}, {"additionalProperties": {"const": "otherwise"}}])


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.filterwarnings("ignore::pgen.language.json_schema.SchemaWarning")
def test_one_property_is_valid_as_jsonschema_has_it(seed):
    rng = random.Random(seed)
    schema = schema_of(rng)
    language, validator = pgen.JSONSchema(schema, whitespace="compact"), jsonschema.Draft202012Validator(schema)
    for name, value in itertools.product([*rng.sample(NAMES, 12), *schema["properties"]], VALUES):
        text = json.dumps({name: value}, separators=(",", ":"), ensure_ascii=False)
        # In ECMA-262 "$" matches at the very end only: there both readings have to agree.
        if not name.endswith("\n"):
            assert language.matches(text) == validator.is_valid({name: value}), text
        assert not language.matches(text) or validator.is_valid({name: value})


@pytest.mark.parametrize("pattern", LISTED)
def test_a_few_words_and_prefixes_are_told_apart_without_automata(pattern):
    assert parted([Restriction("pattern", pattern)], ["a", "x-b"], others) is not None


def test_prefixes_of_each_other_are_left_to_automata():
    assert parted([Restriction("pattern", "^a"), Restriction("pattern", "^ab")], [], others) is None
