"""Endless states decide how masks are computed, not what they are: against the acceptor, character by character."""

import random
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgen
from pgen.automata.dfa import LazyDFA
from pgen.automata.layout import DEAD, FAR, UNMARKED
from pgen.automata.nfa import fragment
from pgen.language import ir
from pgen.language.base import Language
from pgen.tokens import Vocabulary
from pgen.tokens.endless import mark_endless
from pgen.tokens.lexicon import lexicon_of

RNG = random.Random(0)
WORDS = ["".join(RNG.choices("etaoin stame", k=RNG.randint(1, 20))).encode() for _ in range(300)]
WORDS += [word + ending for word in WORDS[:120] for ending in (b'"', b'":', "é".encode(), "日本".encode(), b"\xe6\x97")]
TOKENS = list(dict.fromkeys([bytes([b]) for b in range(256)] + WORDS))
VOCABULARY = Vocabulary([*TOKENS, b""], eos=len(TOKENS))

ANY = ((0x20, 0x21), (0x23, 0x5B), (0x5D, 0xD7FF), (0xE000, 0x10FFFF))
"""The everyday characters."""
WAYS = {
    "any": ANY,
    "some": ((ord("a"), ord("s")),),
    "others": ((0x20, 0x60), (ord("t"), 0x10FFFF)),
    "quote": ((34, 34),),
}

NAMES = {name: {"type": "integer"} for name in ("name", "names", "team", "tea", "state", "é", "日本")}
OPEN = {"type": "object", "properties": NAMES, "additionalProperties": {"type": "string"}}
LANGUAGES = {
    "names": pgen.JSONSchema(OPEN),
    "names in any order": pgen.JSONSchema(OPEN, property_order="any"),
    "required behind": pgen.JSONSchema({**OPEN, "required": ["state"]}),
    "closed names": pgen.JSONSchema({**OPEN, "additionalProperties": False}),
    "any value": pgen.JSONSchema(True),
    "bounded strings": pgen.JSONSchema({"anyOf": [{"type": "string", "maxLength": 30}, OPEN]}),
    "text": pgen.Regex(r'"([^"\\\x00-\x1f]|\\["n])*"x{9}'),
    "long, then not": pgen.Regex(r".{0,40}|[ts]+"),
    "not empty": pgen.Regex(r'"[^"\\\x00-\x1f]+"y'),
    "not empty, open at the end": pgen.Regex(r'"[^"\\\x00-\x1f]+'),
    "but one character": pgen.Regex(r"[^本]*"),
    "but one after a while": pgen.Regex(r"[eta]{2,6}[^本]*|[^e]*"),
    "at once, or at length": Language(
        ir.network(
            [(0, WAYS["quote"], 10), (0, ANY, 1), (1, ANY, 1), *((i, ((120, 120),), i + 1) for i in range(1, 10))],
            [0],
            [10],
        ),
        description="graph",
    ),
    "at once, or by a rule": pgen.Grammar(
        'start: "(" (inner "xxxxxxxxx" | "z")\ninner: "\\"" inner "\\"" | /[^"\\x00-\\x1f]+/'
    ),
    "grammar": pgen.Grammar('start: "(" start ")" | QUOTED\nQUOTED: /"[^"]*"/'),
    "grammar of all texts": pgen.Grammar("start: | /(?s:.)/ start"),
}
ENDLESS = {
    name
    for name in LANGUAGES
    if name not in ("closed names", "long, then not", "but one character", "but one after a while")
}


@pytest.mark.parametrize("name", LANGUAGES)
def test_masks_equal_completability(name):
    language = LANGUAGES[name]
    automaton = language.compile(VOCABULARY)
    rng, state, prefix = random.Random(2), automaton.start, b""
    for _ in range(9):
        expected = [v for v, token in enumerate(TOKENS) if language.completable(prefix + token)]
        expected += [len(TOKENS)] * language.matches(prefix)
        allowed = automaton.allowed_tokens(state).tolist()
        assert allowed == expected, (prefix, [TOKENS[v] for v in set(allowed) ^ set(expected) if v < len(TOKENS)])
        if not automaton.has_continuation(state):
            break
        # A quote where there may be one leads to names and strings, long words into the middle of them.
        token = max(
            rng.sample([v for v in allowed if v < len(TOKENS)], min(len(allowed), 3)), key=lambda v: len(TOKENS[v])
        )
        token = TOKENS.index(b'"') if TOKENS.index(b'"') in allowed and len(prefix) < 4 else token
        state, prefix = automaton.advance(state, token), prefix + TOKENS[token]


@pytest.mark.parametrize(
    "name", ["names", "required behind", "text", "grammar", "at once, or at length", "at once, or by a rule"]
)
@pytest.mark.parametrize("budget", range(1, 24, 2))
def test_budgets(name, budget):
    """What a mask takes for granted about distances is a bound: no token is allowed that does not fit."""
    automaton = LANGUAGES[name].compile(VOCABULARY)
    for beginning in ("", '"te', '{"nam', '{"nox', '("te', "(", '("y'):
        try:
            state = automaton.run([TOKENS.index(bytes([byte])) for byte in beginning.encode()])
        except pgen.PgenError:
            continue
        mask = np.unpackbits(automaton.mask(state, budget).view(np.uint8), bitorder="little")
        for token in automaton.allowed_tokens(state).tolist():
            if token < len(TOKENS):
                fits = automaton.distance_to_accept(automaton.advance(state, token)) <= budget - 1
                assert mask[token] == fits, (beginning, TOKENS[token])


def mark(dfa, members):
    assert set(dfa.nfa.endless.tolist()) == {UNMARKED}
    for state in [dfa.entered(member) for member in members]:
        mark_endless(dfa.memory, lexicon_of(VOCABULARY).memory, state)
        assert UNMARKED not in dfa.nfa.endless[dfa.members(state)]


@pytest.mark.parametrize("name", LANGUAGES)
def test_marks_do_not_depend_on_where_they_begin(name):
    """State by state, each with what lies around it, in ascending order or any other."""
    rising, mixed = (LazyDFA(fragment(LANGUAGES[name].node)) for _ in range(2))
    n_states = len(rising.nfa.endless)
    mark(rising, range(n_states))
    mark(mixed, np.random.default_rng(4).permutation(n_states).tolist())
    assert (mixed.nfa.endless == rising.nfa.endless).all()


@pytest.mark.parametrize("name", LANGUAGES)
def test_everyday_text_never_leaves_endless_states(name):
    """Each endless NFA state on its own, along random characters of the class."""
    dfa = LazyDFA(fragment(LANGUAGES[name].node))
    mark(dfa, range(len(dfa.nfa.endless)))
    endless = np.flatnonzero(dfa.nfa.endless >= 0)
    assert bool(len(endless)) == (name in ENDLESS)
    rng = random.Random(3)
    for member in endless.tolist():
        for _ in range(10):
            text = "".join(
                rng.choices(
                    ["name", "t", "e", " ", "~", "é", "日", "本", "s", "{", "\U0001f600", "\x80", "\uffff"], k=12
                )
            )
            state = dfa.run(dfa.entered(member), text.encode())
            assert state != DEAD, (member, text)
            # On their own, states of rules that end in a call of another have nowhere to return to.
            alone = dfa.table.farthest[dfa.entered(member)] == FAR
            assert alone or dfa.table.farthest[state] <= dfa.nfa.endless[member], (member, text)


WITHOUT_EURO = [token for token in TOKENS if token != b"\xe2"] + ["€b".encode()]
"""The first byte of "€" comes in no token but one that goes on: texts may lead to where it is needed, but to no end."""


@pytest.mark.parametrize(
    ("pattern", "possible"),
    [
        (r'[^"\\\x00-\x1f]*€|state', "state"),
        # A quote leads on from the first state, too, where the mask of those after it is begun with.
        (r'[^"\\\x00-\x1f]+"z|"€z', r'[^"\\\x00-\x1f]+"z'),
    ],
)
def test_what_no_tokens_complete_is_not_allowed(pattern, possible):
    automaton = pgen.Regex(pattern).compile(Vocabulary([*WITHOUT_EURO, b""], eos=len(WITHOUT_EURO)))
    allowed = {WITHOUT_EURO[v] for v in automaton.allowed_tokens(automaton.start).tolist()}
    assert allowed == {token for token in WITHOUT_EURO if pgen.Regex(possible).completable(token)}


def masks_of_graph_are_right(edges, start, end, prefix):
    network = ir.network([(source, WAYS[way], target) for source, way, target in edges], [start], [end])
    language = Language(network, description="graph")
    assert language.completable(b""), "there is something to be compared"
    before = prefix.encode() if language.completable(prefix.encode()) else b""
    automaton = language.compile(VOCABULARY)
    state = automaton.run(VOCABULARY.encode(before.decode()))
    expected = {v for v, token in enumerate(TOKENS) if language.completable(before + token)}
    assert set(automaton.allowed_tokens(state).tolist()) - {len(TOKENS)} == expected


WAY = st.sampled_from(["any", "any", "any", *WAYS])
STATE = st.integers(0, 6)


@given(
    st.lists(st.tuples(STATE, WAY, STATE), min_size=3, max_size=14), WAY, STATE, WAY, st.sampled_from(["", "t", "日"])
)
def test_masks_of_random_graphs(edges, first, middle, second, prefix):
    masks_of_graph_are_right([*edges, (0, first, middle), (middle, second, 6)], 0, 6, prefix)


@pytest.mark.parametrize("order", list(permutations(range(5)))[::7])
def test_masks_of_a_chain_numbered_in_any_order(order):
    """What one state loses reaches the others only later where they are numbered the other way around."""
    first, second, third, fourth, last = order
    edges = [(first, "any", second), (second, "any", third), (third, "any", fourth), (fourth, "some", last)]
    masks_of_graph_are_right(edges, first, last, "")
