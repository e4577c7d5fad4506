"""Grammars and schemas with mistakes in them: what they are made of, and what must hold of each, by its number.

`mutated_text` and `mutated_schema` break something that works. `check_grammar` and
`check_schema` say in a word what pgen makes of it, and raise `AssertionError` where
that is wrong; any exception that is none of pgen's is a mistake of pgen's.
"""

from __future__ import annotations

import copy
import json
import re
import warnings
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import jsonschema
import lark

import pgen
from pgen.errors import DeadEnd, LimitExceeded, PgenError
from pgen.language.grammar.reader import read
from pgen.language.grammar.tables import check_distribution
from pgen.language.grammar.tokens import Source
from pgen.language.json_schema.dialects import dialect_of
from pgen.language.json_schema.keywords import SchemaWarning

PIECES = [
    "start", "a", "B", ":", "|", "(", ")", "[", "]", "{", "}", "*", "+", "?", "~", "~2", "~1..3", "{2,3}", "{0}", "&", "->", "!",
    "\n", "\n\n", " ", '"', '"x"', '"x"i', '""', "/", "/[a-z]+/", "/x*/", "/(?=x)/", "/(/", "/[/", "/\\d{2,99}/", "//", "#", "\\", "%",
    "%ignore", "%import common.INT", "%import common (WS, INT)", "%declare X", "%override", "%extend", "%json {}", '%json {"type": 1}',
    "%json {", "<|x|>", "<[1]>", "<[9-1]>", "@a", ".1", ".-1", "..", '"a".."z"', "_", "?start", "!a", "a{b}", "[lazy]", "::=", "\x00",
    "é", "\ud800", "\U0010ffff", "\t", "\r\n", "start: start\n", "b: \n", "X: X\n", "\nstart: \n", "~99999999999", "{4000,}", "~1000000",
]  # fmt: skip
"""What is put between the characters of a grammar."""
JUNK: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, 10**400, -(10**400), 1e308, 5e-324, float("inf"), float("nan"), "", "a", "[", "(", "^a$",
    "\\p{L}+", "(?=a)b", "(a|a)*b{3}", ".{1000000}", "\ud800", "\x00", "#", "#/$defs/leaf", "#/nowhere", "#/properties", "#//", "#/%zz",
    "http://x/", "http://[", "integer", "date-time", "email", [], {}, [1], ["a", "a"], ["a", 1], [[]], [{}], [None], {"type": "integer"},
    {"$ref": "#"}, {"$dynamicRef": "#"}, {"not": {}}, {"a": 1}, {"a": ["b"]}, {"": {}}, {"[": {}}, [True, False], [0, False, 0.0, ""],
    {"enum": []}, {"const": None}, [[1, {"a": []}], 1.0], {"type": []}, {"type": ["null", "string"]}, 2**63, 1e-7, 0.1, -0.0,
]  # fmt: skip
"""Values in wrong places."""
NAMES = [
    "type", "const", "enum", "properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties",
    "maxProperties", "dependentRequired", "dependentSchemas", "dependencies", "items", "prefixItems", "additionalItems", "contains",
    "minContains", "maxContains", "minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern", "format", "minimum",
    "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "$ref",
    "$dynamicRef", "$recursiveRef", "$id", "id", "$anchor", "$dynamicAnchor", "$schema", "$defs", "definitions", "unevaluatedItems",
    "unevaluatedProperties", "$vocabulary", "default", "title", "requird", "",
]  # fmt: skip
SCALARS: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2.5,
    1.0,
    100,
    "",
    "a",
    "2020-01-01",
    "é\n",
    [],
    [1],
    [1, 1],
    {},
    {"a": 1},
]
TOKENS = [bytes([byte]) for byte in range(256)] + [
    b"ab",
    b'": "',
    b"{}",
    b"</s>",
    b"<|x|>",
    b"xx",
    b"\n\n",
    "é".encode(),
]
VOCABULARY = pgen.Vocabulary(TOKENS, eos=259, special=(260,))
MAX_STEPS = 12


def mutated_text(random: Random, text: str, other: str) -> str:
    """A grammar with one to three edits, now and then with a part of another one."""
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        borders = [0, *(match.end() for match in re.finditer(r"\w+|\s+|\S", text))]
        at = random.choice(borders)
        end = min((border for border in borders if border > at), default=at)
        end = min(len(text), end + random.choice([0, 0, 0, 1, 30]))
        match random.randrange(7):
            case 0:
                text = text[:at] + text[end:]
            case 1 | 2:
                text = text[:at] + random.choice(PIECES) + text[at:]
            case 3:
                text = text[:at] + random.choice(PIECES) + text[end:]
            case 4:
                text = text[:at] + text[at:end] * random.choice([2, 2, 3, 50]) + text[end:]
            case 5:
                words = re.findall(r"\w+|/[^/\n]+/|\"[^\"\n]+\"", text)
                text = text[:at] + random.choice(words or ["a"]) + text[random.choice([at, end]) :]
            case _:
                lines, begin = other.splitlines(keepends=True), random.randrange(len(other.splitlines()) + 1)
                text = text[:at] + "".join(lines[begin : begin + 2]) + text[at:]
    return text


def check_grammar(text: str, random: Random) -> str:
    """Read, compile and walk a grammar; what became of it."""
    lexer = random.choice(["dynamic_complete", "dynamic_complete", "contextual"])
    try:
        language = pgen.Grammar(text, lexer=lexer)
        words = _walk(language, random)
    except LimitExceeded:
        return "limited"
    except PgenError as error:
        assert error.message and str(error)
        return "refused"
    if lexer == "dynamic_complete":
        _check_with_lark(language, text, words)
    return "read"


def _walk(language: pgen.Language, random: Random) -> list[str]:
    """Members and other texts, by random steps under the masks; each step must be possible."""
    automaton, words = language.compile(VOCABULARY), list[str]()
    for _ in range(2):
        state, tokens = automaton.start, list[int]()
        for _ in range(MAX_STEPS):
            allowed = automaton.allowed_tokens(state).tolist()
            assert allowed, ("a dead end", tokens)
            token = random.choice(allowed)
            if token in VOCABULARY.eos:
                break
            assert automaton.distance_to_accept(state) < 10**9
            tokens.append(token)
            state = automaton.advance(state, token)
        data = automaton.decode(tokens)
        assert language.completable(data), data
        assert automaton.accepts(data) == automaton.is_accepting(state), data
        text = data.decode(errors="ignore")
        broken = mutated_text(random, text, "x\ny").encode(errors="ignore").decode()
        for word in (text, broken):
            explained = language.explain(word)
            assert str(explained) and bool(explained) == language.matches(word)
        words += [text, broken]
    return words


def _check_with_lark(language: pgen.Grammar, text: str, words: list[str]) -> None:
    """What Lark's Earley parser reads must be read: it tries fewer ways to part a text, never more."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        known = _read_by_lark(text, [word for word in [*words, "", "a", "x", "1", "ab"] if len(word) <= 10])
    for word in known:
        assert language.matches(word), ("Lark reads", word)


def _read_by_lark(text: str, words: list[str]) -> list[str]:
    source, found = Source(text), list[str]()
    try:
        # Lark multiplies alternatives out, for hours if there are too many.
        check_distribution(source, read(source))
        peer = lark.Lark(text, parser="earley", lexer="dynamic_complete")
    except Exception:
        return []
    for word in words:
        try:
            peer.parse(word)
            found.append(word)
        except Exception:
            continue
    return found


def places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything inside."""
    found, waiting = list[tuple[Any, Any]](), [value] if isinstance(value, (dict, list)) else []
    for part in waiting:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        found += [(part, key) for key in keys]
        waiting += [part[key] for key in keys if isinstance(part[key], (dict, list))]
    return found


def mutated_schema(random: Random, schema: Any, other: Any) -> Any:
    """A schema with one to three changes, now and then with a part of another one."""
    schema = copy.deepcopy(schema) if isinstance(schema, dict) else {"allOf": [schema]}
    for _ in range(random.choice([1, 1, 2, 3])):
        container, key = random.choice(places(schema) or [({}, "type")])
        value = random.choice([random.choice(JUNK), *(inner[at] for inner, at in places(other)[:40])])
        match random.randrange(9):
            case 0 if isinstance(container, dict):
                container[random.choice(NAMES)] = container.pop(key, {})
            case 1 | 2 if isinstance(container, dict):
                container[random.choice(NAMES)] = copy.deepcopy(value)
            case 3 if key in container or isinstance(container, list):
                del container[key]
            case 4 | 5 | 6 | 7 if isinstance(container, dict):
                keywords = [(inner, at) for inner, at in places(other) if at in NAMES]
                inner, at = random.choice(keywords or [({"type": "null"}, "type")])
                container[at] = copy.deepcopy(inner[at])
            case _:
                container[key] = copy.deepcopy(value)
    return schema


def mutated_value(random: Random, value: Any) -> Any:
    """An instance with one change."""
    value = copy.deepcopy(value)
    container, key = random.choice(places(value) or [(None, None)])
    if container is None:
        return random.choice(SCALARS)
    if random.random() < 0.3:
        del container[key]
    else:
        container[key] = copy.deepcopy(random.choice(SCALARS))
    return value


def check_schema(schema: Any, instances: list[Any], random: Random) -> str:
    """Read and compile a schema, judge instances and draw one; `jsonschema` must agree with what is accepted."""
    order, spaces = random.choice(["declared", "any"]), random.choice(["default", "any", "compact"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SchemaWarning)
        try:
            language = pgen.JSONSchema(schema, property_order=order, whitespace=spaces)
            words = _walk(language, random)
        except LimitExceeded:
            return "limited"
        except DeadEnd as error:
            raise AssertionError(error) from error
        except PgenError as error:
            assert error.message and str(error)
            return "refused"
    return _judged(language, schema, instances, words, random)


def _judged(language: pgen.JSONSchema, schema: Any, instances: list[Any], words: list[str], random: Random) -> str:
    values = [*instances[:6], *(mutated_value(random, value) for value in instances[:4]), *random.sample(SCALARS, 4)]
    for text in [*map(json.dumps, values), *words]:
        if language.matches(text):
            found = valid(schema, json.loads(text))
            assert found is not False, ("invalid accepted", text)
    return "read"


def valid(schema: Any, value: Any) -> bool | None:
    """Whether the validator of the schema's draft accepts a value; `None` if it does not read the schema."""
    dialect = dialect_of(schema)
    validator: Any = getattr(jsonschema, dialect.validator)
    try:
        validator.check_schema(schema)
        exact = jsonschema.validators.extend(validator, {"multipleOf": _multiple_of})
        return bool(exact(schema, format_checker=validator.FORMAT_CHECKER).is_valid(value))
    except Exception:
        return None


def _multiple_of(validator: Any, step: float, value: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """`multipleOf` by decimals, as the text has them."""
    if validator.is_type(value, "number") and (Decimal(repr(value)) / Decimal(repr(step))) % 1:
        yield jsonschema.ValidationError(f"{value} is not a multiple of {step}")
