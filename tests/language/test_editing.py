"""The nearest member against distances to every member of finite languages, and the repair of broken JSON."""

import itertools
import json
import pickle
import random

import jsonschema
import pytest

import pgen
from pgen.language.base import Residual
from pgen.language.editing import edit


def cost(text, member, insert=1, delete=1, replace=2):
    """Dynamic programming over both texts."""
    row = [insert * j for j in range(len(member) + 1)]
    for character in text:
        before, row = row, [row[0] + delete]
        for j, other in enumerate(member):
            kept = before[j] + (0 if character == other else replace)
            row.append(min(kept, before[j + 1] + delete, row[j] + insert))
    return row[-1]


def members_up_to(language, alphabet, length):
    texts = ("".join(t) for n in range(length + 1) for t in itertools.product(alphabet, repeat=n))
    return [text for text in texts if language.matches(text)]


LANGUAGES = [
    pgen.choice("abc", "ccb", "", "bbbb"),
    pgen.Regex("(ab){1,2}c?"),
    pgen.Regex("[aé]{2,4}"),
    pgen.choice("é", "a—b", "c"),
    pgen.Grammar('start: "a" start "b" | "c"'),
    pgen.Regex("a+") & pgen.Regex("(..)*"),
]
COSTS = [(1, 1, 2), (1, 1, 1), (3, 1, 2), (1, 4, 2)]


@pytest.mark.parametrize("language", LANGUAGES, ids=repr)
def test_no_member_is_nearer(language):
    members, choose = members_up_to(language, "abcé—", 5), random.Random(repr(language))
    for _ in range(14):
        text = "".join(choose.choice("abcé—x") for _ in range(choose.randint(0, 3)))
        insert, delete, replace = choose.choice(COSTS)
        found = edit(text, language, insert=insert, delete=delete, replace=replace)
        assert language.matches(found)
        assert found.distance == cost(text, found, insert, delete, replace)
        # Members longer than those enumerated cost more insertions than emptying and refilling.
        nearest = min(cost(text, member, insert, delete, replace) for member in members)
        assert found.distance <= nearest
        assert found.distance == nearest or len(found) > 5


def test_changes_lead_from_the_text_to_the_member():
    for text in ["2024-1-5", "on 2024-01-05!", "24-13-5x"]:
        found = edit(text, pgen.Regex(r"\d{4}-\d{2}-\d{2}"))
        made, at = "", 0
        for change in found.changes:
            assert text[change.position : change.position + len(change.old)] == change.old
            made, at = made + text[at : change.position] + change.new, change.position + len(change.old)
        assert made + text[at:] == found
    assert edit("2024-01-05", pgen.Regex(r"\d{4}-\d{2}-\d{2}")).changes == ()
    assert pickle.loads(pickle.dumps(found)).changes == found.changes


def test_a_residual_holds_of_the_result():
    even = Residual("an even number", lambda text: len(text) % 2 == 0)
    language = pgen.Language(pgen.Regex("a*").node, description="a*", residual=(even,))
    assert edit("aab", language) == "aa"
    assert edit("aaa", language) in ("aa", "aaaa")


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 10}, "maxItems": 4},
        "ok": {"type": "boolean"},
    },
    "required": ["name", "age", "tags", "ok"],
    "additionalProperties": False,
}


def broken(choose):
    """A valid value and its text with one fault: cut off, a quote or comma lost, text behind it."""
    value = {
        "name": choose.choice(["Bob", "Ann Lee", ""]),
        "age": choose.randrange(100),
        "tags": choose.sample(["x", "yy", "new"], choose.randint(0, 3)),
        "ok": choose.random() < 0.5,
    }
    text = json.dumps(value)
    fault = choose.choice(["cut", "quote", "comma", "tail"])
    if fault == "cut":
        return value, text[: -choose.randint(1, 5)]
    if fault == "tail":
        return value, text + choose.choice([" ok", "}", "."])
    places = [i for i, character in enumerate(text) if character == {"quote": '"', "comma": ","}[fault]]
    at = choose.choice(places)
    return value, text[:at] + text[at + 1 :]


def test_broken_json_becomes_valid_and_keeps_its_fields():
    language, choose, kept, total = pgen.JSONSchema(SCHEMA), random.Random(0), 0, 0
    for _ in range(16):
        value, text = broken(choose)
        repaired = json.loads(edit(text, language))
        jsonschema.validate(repaired, SCHEMA)
        kept += sum(repaired[key] == value[key] for key in value)
        total += len(value)
    assert kept / total >= 0.9


def test_bad_arguments_are_refused():
    with pytest.raises(pgen.InvalidLanguage, match="empty"):
        edit("a", pgen.Regex("a+") & pgen.Regex("b+"))
    with pytest.raises(pgen.LimitExceeded, match="at a cost of 2"):
        edit("", pgen.Regex("a{3}"), max_cost=2)
    with pytest.raises(pgen.InvalidArgument, match="at least 1"):
        edit("", pgen.Regex("a"), insert=0)
    with pytest.raises(pgen.InvalidArgument, match="max_cost=-1"):
        edit("", pgen.Regex("a"), max_cost=-1)
    with pytest.raises(pgen.InvalidArgument, match="needs a str"):
        edit(b"a", pgen.Regex("a"))
