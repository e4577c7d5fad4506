"""Parts that are written when a walk gets there: nothing but the time of it may tell."""

import json
import pickle
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import pgen
from pgen.automata import acceptor, growth
from pgen.automata.arrays import RULES, UNWRITTEN
from pgen.automata.dfa import LazyDFA
from pgen.language import ir
from pgen.language.json_schema.spelling import others, spelled
from pgen.tokens import Vocabulary
from pgen.tokens.automaton import TokenAutomaton

WORDS = ['{"', '":', '": ', '", "', "}}", "]}", '{"a', "name", "123", "true", '":{"', "é", "日", "null", '"}', ", "]
VOCABULARY = Vocabulary([*(bytes([b]) for b in range(256)), *(w.encode() for w in WORDS), b""], eos=256 + len(WORDS))

PATTERN = {"type": "string", "pattern": "^[ab]{2,3}$"}
SCHEMAS = {
    "nested": {
        "properties": {"a": {"properties": {"b": {"items": {"type": "integer"}}}}, "name": {"type": "string"}},
        "required": ["a"],
    },
    "closed": {
        "type": "object",
        "properties": {
            "a": {"type": "object", "properties": {"é": PATTERN}, "required": ["é"]},
            "日": {"enum": [1, "x"]},
        },
        "required": ["日", "a"],
        "additionalProperties": False,
    },
    "recursive": {
        "$ref": "#/$defs/tree",
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {"left": {"$ref": "#/$defs/tree"}, "leaf": {"type": "number", "minimum": 100}},
                "required": ["leaf"],
                "minProperties": 1,
            }
        },
    },
    "needs itself or not": {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["next"],
    },
    "alternatives": {
        "anyOf": [
            {"type": "array", "prefixItems": [{"const": "a"}, PATTERN], "minItems": 2, "maxItems": 4},
            {"type": "object", "patternProperties": {"^x": {"type": "boolean"}}, "additionalProperties": PATTERN},
            {"type": "string", "minLength": 2, "pattern": "a"},
        ]
    },
    "names apart": {
        "type": "object",
        "properties": {"x-a": {"const": 1}, "name": {"type": "null"}, "b": {"type": "boolean"}},
        "patternProperties": {"^x-": {"type": "boolean"}, "^(a|bé|name)$": {"type": "integer"}, "^n": {"enum": ["n"]}},
    },
    "one prefix for all": {"properties": {"ab": {"const": 1}}, "patternProperties": {".*": {"type": "boolean"}}},
    "counted": {"type": "object", "properties": {"a": {}, "b": {}}, "minProperties": 2, "maxProperties": 3},
    "in arrays": {
        "type": "array",
        "items": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "minItems": 3,
    },
    "anything": True,
    "items": {
        "type": "object",
        "properties": {
            "c": {
                "type": "array",
                "items": {
                    "type": ["boolean", "object"],
                    "properties": {"a": {"type": "boolean"}},
                    "additionalProperties": False,
                },
                "contains": {"required": ["a"], "type": "object"},
                "minContains": 2,
                "minItems": 3,
            },
            "d": {"type": "array", "items": {"enum": [1, "é", "yy", None]}, "uniqueItems": True, "minItems": 3},
        },
        "required": ["c", "d"],
        "additionalProperties": False,
    },
    "large numbers": {"type": "array", "items": {"type": "integer", "maximum": -(10**300)}, "minItems": 1},
}
OPTIONS = [{}, {"whitespace": "any", "property_order": "any"}]


@pytest.fixture(params=[0, growth.AHEAD], ids=["one by one", "together"])
def ahead(request, monkeypatch):
    monkeypatch.setattr(growth, "AHEAD", request.param)


def bounds(automaton, state):
    """The fewest bytes and single-byte tokens to acceptance."""
    return automaton._dfa.table.nearest[state], automaton._dfa.table.farthest[state]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options.values()) or "default")
@pytest.mark.parametrize("name", SCHEMAS)
def test_masks_and_distances_are_those_of_the_whole_language(name, options, ahead):
    language = pgen.JSONSchema(SCHEMAS[name], **options)
    grown = TokenAutomaton(language, VOCABULARY)
    whole = TokenAutomaton(pgen.Language(language.node, description="whole"), VOCABULARY)
    assert ir.grows(language.sketch), "nothing to be seen"
    assert grown.longest_tokens == whole.longest_tokens
    for seed in range(2):
        rng, here, there = random.Random(seed), grown.start, whole.start
        for _ in range(25):
            allowed = grown.allowed_tokens(here).tolist()
            assert allowed == whole.allowed_tokens(there).tolist()
            assert bounds(grown, here) == bounds(whole, there)
            if name != "recursive":
                budget = grown.distance_to_accept(here) + 2
                assert (grown.mask(here, budget) == whole.mask(there, budget)).all()
            texts = [token for token in allowed if token not in VOCABULARY.eos]
            if not texts:
                break
            token = max(rng.sample(texts, min(len(texts), 2)))
            here, there = grown.advance(here, token), whole.advance(there, token)


@pytest.mark.parametrize("name", SCHEMAS)
def test_parts_are_as_short_as_they_say(name, ahead):
    """Each piece is compared with the length told beforehand when it is laid: so lay them all, with all new classes."""
    language = pgen.JSONSchema(SCHEMAS[name])
    dfa = TokenAutomaton(language, VOCABULARY)._dfa
    while len(unwritten := np.flatnonzero(dfa.nfa.begin[: dfa._store.counts[RULES]] == UNWRITTEN)):
        for rule in unwritten:
            dfa._write(int(rule))
    assert dfa.nfa.nearest[0] == acceptor.shortest_bytes(language.node)


@pytest.mark.parametrize("whitespace", ["default", "any", "compact"])
def test_what_languages_have_in_common_is_written_once(whitespace, monkeypatch):
    monkeypatch.setattr(growth, "AHEAD", 0)
    written = []
    monkeypatch.setattr(LazyDFA, "_write", lambda self, rule: written.append(rule))
    values = {"a": ({}, '[{"x":[1,"y"]},null]'), "b": ({"type": "string"}, '"z"'), "c": ({"type": "integer"}, "-12")}
    values["d"] = {"type": "array", "items": {"type": "string"}}, '["a","b"]'
    schema = {"type": "object", "properties": {name: part for name, (part, _) in values.items()}}
    automaton = TokenAutomaton(pgen.JSONSchema(schema, whitespace=whitespace), VOCABULARY)
    for name, (_, text) in values.items():
        text = json.dumps({name: json.loads(text)}, separators=(",", ":") if whitespace == "compact" else None)
        assert automaton.accepts(text.encode())
    assert not written


def test_what_was_known_before_a_new_byte_class_still_holds(monkeypatch):
    monkeypatch.setattr(growth, "AHEAD", 0)
    schema = {"properties": {"a": {"type": "object", "properties": {"é~": {"const": "日"}}, "required": ["é~"]}}}
    automaton = TokenAutomaton(pgen.JSONSchema(schema), VOCABULARY)
    classes, before = automaton._dfa.n_classes, automaton.mask(automaton.start)
    text = '{"a":{"é~":"日"}}'
    state = automaton.run(VOCABULARY.tokens.index(bytes([byte])) for byte in text.encode())
    assert automaton.is_accepting(state)
    assert automaton._dfa.n_classes > classes
    assert (automaton.mask(automaton.start) == before).all()
    assert (automaton._walked(automaton.start) == before).all()


def test_limits_hold_for_parts_that_are_written_later(monkeypatch):
    monkeypatch.setattr(growth, "AHEAD", 0)
    language = pgen.JSONSchema({"properties": {"a": {"type": "array", "items": {"const": "x"}, "maxItems": 9999}}})
    with pgen.Limits(edges=3000):
        automaton = TokenAutomaton(language, VOCABULARY)
    state = automaton.run(b'{"a"')
    with pytest.raises(pgen.LimitExceeded, match="edges"):
        automaton.mask(state)
    with pytest.raises(pgen.LimitExceeded, match="edges"):
        automaton.mask(state)
    assert automaton.accepts(b'{"b":1}')


def test_parts_that_no_text_gets_to_may_be_too_large():
    large = {"type": "array", "items": {"const": "x"}, "maxItems": 9999}
    language = pgen.JSONSchema({"properties": {"a": {"properties": {"b": {"const": 1}}}, "c": large}})
    with pgen.Limits(edges=3000):
        automaton = TokenAutomaton(language, VOCABULARY)
    assert automaton.accepts(b'{"a":{"b":1}}')
    with pytest.raises(pgen.LimitExceeded, match="edges"):
        automaton.accepts(b'{"c":[]}')


def test_threads_write_parts_once(monkeypatch):
    monkeypatch.setattr(growth, "AHEAD", 0)
    schema = {"properties": {f"p{i}": {"properties": {"a": {"minimum": i, "type": "integer"}}} for i in range(20)}}
    automaton = TokenAutomaton(pgen.JSONSchema(schema), VOCABULARY)
    texts = [f'{{"p{i}":{{"a":{i + 7}}}}}' for i in range(20)] * 3

    def accepted(text):
        state = automaton.start
        for byte in text.encode():
            automaton.mask(state)
            state = automaton.advance(state, byte)
        return automaton.is_accepting(state)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(accepted, texts))


def test_languages_are_compared_and_sent_without_writing_them_out():
    language = pgen.JSONSchema(SCHEMAS["recursive"], resources={"x:y": {"type": "null"}})
    same = pickle.loads(pickle.dumps(language))
    assert same == language
    assert hash(same) == hash(language)
    assert language._written is None
    assert language != pgen.JSONSchema(SCHEMAS["recursive"], whitespace="any", resources={"x:y": {"type": "null"}})
    other = {
        "$ref": "#/$defs/tree",
        "$defs": {"tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}}}},
    }
    assert language != pgen.JSONSchema(other)


def test_other_names_in_one_leaf():
    rng = random.Random(1)
    for _ in range(12):
        words = {"".join(rng.choices("ab~ /", k=rng.randint(0, 4))) for _ in range(rng.randint(1, 6))}
        leaf = others(words)
        assert isinstance(leaf, ir.Others)
        assert acceptor.difference(leaf, spelled(ir.other_than(word.encode() for word in words), lean=True)) is None
    assert acceptor.difference(others({"a"}), others({"b"})) == b"a"


def test_a_length_lays_nothing_ahead(monkeypatch):
    language = pgen.JSONSchema(SCHEMAS["nested"])
    monkeypatch.setattr(growth.Growth, "write", lambda *arguments: pytest.fail("a part was laid"))
    assert growth.shortest_bytes(language.sketch) == acceptor.shortest_bytes(language.node)


def test_a_whole_with_intersections_says_how_short_it_is():
    grown = growth.Growth(ir.intersect(pgen.Regex("a{2,}b*").node, pgen.Regex("a*b{3}").node))
    assert grown.nearest_bytes == grown.store.nfa.nearest[0] == grown.store.nfa.farthest[0] == 5
