"""Structured extraction: the posterior over valid records, given a text.

The model is asked for JSON; the schema is evidence, so a draw carries the weight that
local masking throws away. Records that differ only in layout are one value. The
answer ends where the record does (`end="match"`), so a model that would rather talk
on is not punished.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pgen.errors import InvalidArgument, ModelError
from pgen.inference.infer import infer
from pgen.inference.methods.smc import SMC
from pgen.language.json_schema import JSONSchema
from pgen.language.types import parse_value
from pgen.programs.effects import sample
from pgen.programs.text import TextDistribution, text_distribution

if TYPE_CHECKING:
    from pgen.backends.base import Autoregressive, Message
    from pgen.inference.infer import Method
    from pgen.inference.posterior import Posterior

MAX_TOKENS = 256
"""Default length of a record; the room in the context, if that is less."""

PARTICLES = 8

Example = tuple[str, Any]
"""A text and its record (JSON data, or an instance that pydantic can write)."""

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True)
class Extraction:
    """What a text says, as a distribution over records.

    `posterior` is over JSON texts in one layout (the `json.dumps` one); `value` is its mode.
    """

    schema: JSONSchema
    posterior: Posterior

    @cached_property
    def text(self) -> str:
        """The likeliest record as JSON."""
        return str(self.posterior.mode())

    @cached_property
    def value(self) -> Any:
        """The likeliest record: an instance of the type that was asked for, or plain JSON data."""
        return parse_value(self.schema, self.text)

    @property
    def probability(self) -> float:
        """Posterior probability of `value`."""
        return self.posterior.probabilities()[self.text]

    @property
    def log_evidence(self) -> float:
        """log mass of all valid records: how readily the model writes one here."""
        return self.posterior.log_evidence

    def field(self, path: str) -> dict[Any, float]:
        """Value -> probability of one field, likeliest first; `None` stands for absent.

        `path` is a name, `"a.b[0]"`, or a JSON pointer `"/a/b/0"`. Arrays and objects
        are given as JSON text. Raises `InvalidArgument` for a name that the schema
        does not declare and no record has.
        """
        steps = _steps(path)
        shares: dict[Any, float] = {}
        seen = False
        for text, share in self.posterior.probabilities().items():
            found, value = _follow(json.loads(text), steps)
            seen |= found
            key = json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value
            shares[key] = shares.get(key, 0.0) + share
        if not seen and steps[0] not in self.schema.properties:
            names = ", ".join(self.schema.properties) or "none"
            raise InvalidArgument(f"no record has {path!r}; the schema declares {names}")
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    def __repr__(self) -> str:
        return f"Extraction({self.value!r}, probability={self.probability:.2f}, log evidence {self.log_evidence:.2f})"

    def _repr_html_(self) -> str:
        return self.posterior._repr_html_()


def extract(
    lm: Autoregressive,
    schema: Any,
    text: str,
    *,
    instructions: str | None = None,
    examples: Sequence[Example] = (),
    method: Method | Literal["auto"] | None = None,
    seed: int = 0,
    max_tokens: int | None = None,
    temperature: float = 1.0,
) -> Extraction:
    """Read a record out of `text`.

    `schema` is a pydantic model, dataclass, `TypedDict`, annotation, JSON Schema (dict
    or text) or a `JSONSchema`. `examples` are shown to the model before the text. The
    default method is `SMC` with 8 particles that are compared token by token. `max_tokens` bounds the record (default
    256); every record is complete, for the mask leads to an end in time. `temperature`
    below 1 sharpens the model itself.

    Raises `InvalidLanguage` and `UnsupportedFeature` on schemas, `InvalidArgument` if
    the prompt and the shortest record do not fit, `ZeroEvidence` if no record has mass.
    """
    language = schema if isinstance(schema, JSONSchema) else JSONSchema(schema)
    distribution = record_distribution(
        lm,
        language,
        text,
        instructions=instructions,
        examples=examples,
        max_tokens=max_tokens,
        temperature=temperature,
    )

    def record() -> str:
        return _canonical(sample("record", distribution))

    return Extraction(language, infer(record, method=method or SMC(PARTICLES, resample="tokens"), seed=seed))


def record_distribution(
    lm: Autoregressive,
    schema: JSONSchema,
    text: str,
    *,
    instructions: str | None = None,
    examples: Sequence[Example] = (),
    max_tokens: int | None = None,
    temperature: float = 1.0,
) -> TextDistribution:
    """The measure over JSON texts of `schema` that `extract` infers from."""
    if not isinstance(text, str):
        raise InvalidArgument(f"extract reads a str, got {type(text).__name__}")
    task = instructions or _task(schema)
    prompt = _prompt(lm, task, [(said, _as_json(value)) for said, value in examples], text)
    room = lm.context_length - len(prompt)
    if room < 1:
        raise InvalidArgument(
            f"the prompt takes {len(prompt)} tokens, but the context of {lm.name} holds {lm.context_length}",
            hint="shorten the text, or split it into records",
        )
    length = min(MAX_TOKENS, room) if max_tokens is None else max_tokens
    answer = text_distribution(lm, prompt, end="match", max_tokens=length, temperature=temperature, chat=True)
    return answer.given(schema)


def _canonical(text: str) -> str:
    """One text for all spellings of a JSON value; 1.0 and 1 are one number."""
    value = json.loads(text, parse_float=lambda digits: int(n) if (n := float(digits)).is_integer() else n)
    return json.dumps(value, ensure_ascii=False)


def _task(schema: JSONSchema) -> str:
    fields = ", ".join(_described(name, schema.schema) for name in schema.properties)
    named = f" with the fields {fields}" if fields else ""
    return f"Extract the information from the text as one JSON object{named}. Answer with the JSON only."


def _described(name: str, schema: Any) -> str:
    about = schema.get("properties", {}).get(name, {}) if isinstance(schema, dict) else {}
    said = about.get("description") if isinstance(about, dict) else None
    return f"{name} ({said})" if said else name


def _prompt(lm: Autoregressive, task: str, examples: Sequence[tuple[str, str]], text: str) -> tuple[int, ...]:
    """As a conversation; without a system message where the template knows none; as plain text without a template."""
    turns: list[Message] = []
    for said, answer in [*examples, (text, "")]:
        turns += [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]
    turns.pop()
    first: Message = {"role": "user", "content": f"{task}\n\n{turns[0]['content']}"}
    for conversation in ([{"role": "system", "content": task}, *turns], [first, *turns[1:]]):
        try:
            return lm.encode_chat(conversation)
        except ModelError:
            continue
    shown = "".join(f"Text: {said}\nJSON: {answer}\n\n" for said, answer in examples)
    return lm.encode(f"{task}\n\n{shown}Text: {text}\nJSON: ")


def _as_json(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (Mapping, list, int, float, bool)) or value is None:
        return json.dumps(value, ensure_ascii=False)
    from pydantic import TypeAdapter

    return TypeAdapter(type(value)).dump_json(value).decode()


def _steps(path: str) -> list[str]:
    if path.startswith("/"):
        return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]
    steps, end = [], 0
    for match in _STEP.finditer(path):
        if match.start() != end:
            break
        steps.append(match[1] or match[2])
        end = match.end()
    if not steps or end != len(path):
        raise InvalidArgument(f"{path!r} is no path to a field", hint='write "name", "a.b[0]" or "/a/b/0"')
    return steps


def _follow(value: Any, steps: Sequence[str]) -> tuple[bool, Any]:
    """Whether the path exists in a record, and what is there (`None` if it does not)."""
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return False, None
    return True, value
