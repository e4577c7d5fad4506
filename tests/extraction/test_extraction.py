"""`pgen.extract` on models whose posterior is known, and on wrong input."""

import dataclasses
import json
import math
from typing import TypedDict

import pytest
from byte_model import LOG_P, byte_model
from pydantic import BaseModel

import pgen
from pgen.extraction import record_distribution

CHOICE = {
    "type": "object",
    "properties": {"a": {"enum": [1, 22]}, "b": {"type": "boolean"}},
    "required": ["a"],
    "additionalProperties": False,
}
EXACT = pgen.Enumerate(tol=0.0, max_evaluations=10_000)


class Person(BaseModel):
    name: str
    age: int


@dataclasses.dataclass
class Point:
    x: bool
    y: bool


class Pair(TypedDict):
    left: bool


@pytest.fixture(scope="module")
def lm():
    return byte_model()


def test_probabilities_are_those_of_all_layouts_together(lm):
    found = pgen.extract(lm, CHOICE, "text", method=EXACT)
    masses = {}
    for a in ("1", "22"):
        for b in (None, "true", "false"):
            record = {"a": int(a)} | ({} if b is None else {"b": b == "true"})
            spaces = 1 if b is None else 3
            length = len(json.dumps(record, separators=(",", ":")))
            # Spaces after , and : at will, and the integer also as 1.0.
            masses[json.dumps(record)] = sum(
                math.comb(spaces, k) * math.exp(LOG_P * (length + k + point))
                for k in range(spaces + 1)
                for point in (0, 2)
            )
    total = math.fsum(masses.values())
    assert found.log_evidence == pytest.approx(math.log(total), abs=1e-9)
    for text, share in found.posterior.probabilities().items():
        assert share == pytest.approx(masses[text] / total, abs=1e-9)
    assert found.text == '{"a": 1}'
    assert found.value == {"a": 1}
    assert found.probability == pytest.approx(masses['{"a": 1}'] / total)
    fields = found.field("a")
    assert fields[1] == pytest.approx(sum(m for t, m in masses.items() if '"a": 1' in t) / total)
    assert found.field("b")[None] == pytest.approx(1), "longer records are 1e-9 times as likely"


@pytest.mark.parametrize(
    ("schema", "kind"), [(Point, Point), (Pair, dict), (list[bool], list), (pgen.JSONSchema({"const": "x"}), str)]
)
def test_values_have_the_type_that_was_asked_for(lm, schema, kind):
    found = pgen.extract(lm, schema, "text", seed=1, max_tokens=40)
    assert isinstance(found.value, kind)
    assert repr(found).startswith("Extraction(")


def test_records_are_valid_and_end_in_time(lm):
    found = pgen.extract(lm, Person, "text", max_tokens=40, seed=3)
    assert isinstance(found.value, Person)
    assert all(len(trace.values()["record"].tokens) <= 40 for trace in found.posterior.traces)


def test_fields_are_found_by_name_path_and_pointer(lm):
    nested = {"const": {"a": {"b": [1, {"c/d": [True]}]}, "e": None}}
    found = pgen.extract(lm, nested, "text", method=EXACT)
    assert found.field("a.b[0]") == pytest.approx({1: 1.0})
    assert found.field("/a/b/1/c~1d/0") == pytest.approx({True: 1.0})
    assert found.field("a.b") == pytest.approx({'[1, {"c/d": [true]}]': 1.0})
    for wrong in ("", "a..b", "a[x]", "nothing", "a.b[7]x"):
        with pytest.raises(pgen.InvalidArgument):
            found.field(wrong)


def test_instructions_examples_and_descriptions_reach_the_prompt(lm):
    schema = {"type": "object", "properties": {"age": {"type": "integer", "description": "in years"}}}
    examples = [("Ann is 3.", {"age": 3}), ("Bo is 4.", '{"age": 4}'), ("Al", Person(name="Al", age=5))]
    prompt = lm.vocabulary.decode(
        record_distribution(lm, pgen.JSONSchema(schema), "Cy is 6.", examples=examples).prompt
    )
    for said in (b"age (in years)", b'Ann is 3.\nJSON: {"age": 3}', b'{"age": 4}', b'{"name":"Al","age":5}'):
        assert said in prompt
    assert prompt.endswith(b"Text: Cy is 6.\nJSON: ")
    own = record_distribution(lm, pgen.JSONSchema(schema), "x", instructions="Do it.").prompt
    assert lm.vocabulary.decode(own).startswith(b"Do it.\n\nText: x")


def test_a_template_without_system_message_is_served():
    class Talks:
        def __init__(self, knows):
            self.inner, self.knows = byte_model(), knows

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def encode_chat(self, messages):
            roles = [message["role"] for message in messages]
            if not self.knows and "system" in roles:
                raise pgen.ModelError("no system")
            return self.inner.encode("|".join(f"{m['role']}:{m['content']}" for m in messages))

    for knows, start in ((True, b"system:Do.|user:x"), (False, b"user:Do.\n\nx")):
        lm = Talks(knows)
        distribution = record_distribution(lm, pgen.JSONSchema(CHOICE), "x", instructions="Do.")
        assert lm.inner.vocabulary.decode(distribution.prompt) == start


def test_wrong_input_is_named(lm):
    with pytest.raises(pgen.InvalidArgument, match="shortest member"):
        pgen.extract(lm, CHOICE, "text", max_tokens=4)
    with pytest.raises(pgen.InvalidArgument, match="context of tabular holds 100"):
        pgen.extract(byte_model(context_length=100), CHOICE, "text" * 50)
    with pytest.raises(pgen.InvalidLanguage, match="contradicts"):
        pgen.extract(lm, {"type": "integer", "minimum": 3, "maximum": 2}, "text")
    with pytest.raises(pgen.InvalidArgument, match="reads a str"):
        pgen.extract(lm, CHOICE, b"text")


def test_a_residual_that_nothing_meets_is_zero_evidence_with_partial_texts(lm):
    twice = [{"const": 1}, {"const": 1}]
    impossible = {"type": "array", "prefixItems": twice, "items": False, "minItems": 2, "uniqueItems": True}
    with pytest.raises(pgen.ZeroEvidence) as caught:
        pgen.extract(lm, impossible, "text")
    assert any("1" in text for text in caught.value.partials)
