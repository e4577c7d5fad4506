"""Slices decide how a mask is computed, not what it is: masks against the acceptor, token by token."""

import random
import re
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgen
from pgen.tokens import Vocabulary
from pgen.tokens.lexicon import LEVEL
from pgen.tokens.loops import NEAR, loops
from pgen.tokens.slices import FAMILIES, MAX_CHARACTERS, slices_of
from pgen.tokens.walk_kernels import fill

RNG = random.Random(0)
WORDS = [
    "".join(RNG.choices("etaoin", k=RNG.randint(1, 20))).encode()
    + RNG.choice([b"", b"", b"_", b"7", b'"', b"\n", "é".encode(), "日本".encode(), b"\xe6\x97"])
    for _ in range(400)
]
SIGNED = [
    b"://",
    b".txt",
    b"te.e:a",
    b"a:b.txt",
    b'".',
    b'.t"',
    b"}.{",
    "é:é".encode(),
    b"eta:",
    b"\x00:",
    b"~~",
    b";e",
]
TOKENS = list(
    dict.fromkeys([bytes([b]) for b in range(256)] + WORDS + [b" " + w for w in WORDS] + [b"Tea ", b"E"] + SIGNED)
)
VOCABULARY = Vocabulary([*TOKENS, b""], eos=len(TOKENS))
PATTERNS = [
    r"[a-z ]{1,9}",
    r".{0,5}",
    r".{0,30}",
    r'[^"\\]{0,7}"x?',
    r'"([^"\\\x00-\x1f]|\\["n])*"',
    r"\w+",
    r"(?:eta|tea|ate| )*",
    r"[a-z]{3}( [a-z]{2,4}){0,2}",
    r"(?:[eta]+[oin])*",
    r"[a-zé]{0,12}日?",
    r"(?:[eta][a-z]?)+|tea[^x]*",
    r"(?:[a-p]|ta{3})+",
    r"[^:]*",
    r"[^:]+://[^:/]+",
    r".*\.txt",
    r"(?!.*[{};]).*\.t",
    r'(?:[^.:"]|\.[a-z]*;|:e)*',
    r"[^:.]{2}[^:]*|~+",
]
NEAR_LOOPS = {r"[^:]*": b"", r"[^:]+://[^:/]+": b"e", r".*\.txt": b"tea", r"(?!.*[{};]).*\.t": b"E"}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_masks_equal_completability(pattern):
    language = pgen.Regex(pattern)
    automaton = language.compile(VOCABULARY)
    rng, state, prefix = random.Random(1), automaton.start, b""
    for _ in range(8):
        expected = [v for v, token in enumerate(TOKENS) if language.completable(prefix + token)]
        expected += [len(TOKENS)] * language.matches(prefix)
        allowed = automaton.allowed_tokens(state).tolist()
        assert allowed == expected, (prefix, set(allowed) ^ set(expected))
        if not automaton.has_continuation(state):
            break
        token = rng.choice([v for v in allowed if v < len(TOKENS)])
        state, prefix = automaton.advance(state, token), prefix + TOKENS[token]


@pytest.mark.parametrize("pattern", NEAR_LOOPS)
def test_near_loops_are_found(pattern):
    """States that all everyday text but for a few signs leads back to."""
    automaton = pgen.Regex(pattern).compile(VOCABULARY)
    state = automaton.start
    for byte in NEAR_LOOPS[pattern]:
        state = automaton.advance(state, byte)
    automaton.mask(state)
    scratch = np.zeros(4 * LEVEL, np.int32)
    assert loops(automaton._dfa.memory, automaton._desk.memory, state, scratch) == NEAR


def test_what_is_nearly_a_near_loop_has_it_as_model():
    automaton = pgen.Regex(r"[^:]+").compile(VOCABULARY)
    inside, memory, desk = automaton.advance(automaton.start, ord("e")), automaton._dfa.memory, automaton._desk.memory
    scratch, mask, facts = np.zeros(4 * LEVEL, np.int32), np.zeros(len(TOKENS), np.uint32), np.zeros(8, np.int64)
    automaton.mask(inside)
    assert fill(memory, desk, automaton.start, scratch, mask, facts) == inside


def test_the_model_of_one_state_is_not_that_of_the_next():
    """Each part begins with a state that is like the loop behind it, which is another in each part."""
    language, prefixes = pgen.Regex(r"[^:]+:[^;]+;[^~]+~[^:]+"), (b"", b"e:", b"e:e;", b"e:", b"e:e;e~")
    automaton = language.compile(VOCABULARY)
    for prefix in prefixes:
        state = automaton._dfa.run(automaton.start, prefix)
        # Known masks would not be drawn a second time.
        automaton._masks.clear()
        expected = [v for v, token in enumerate(TOKENS) if language.completable(prefix + token)]
        assert automaton.allowed_tokens(state).tolist() == expected, prefix


@given(st.sampled_from(PATTERNS), st.sets(st.sampled_from(range(256)), max_size=6))
def test_missing_bytes(pattern, missing):
    """Live states need tokens: a vocabulary without some bytes, against sequences of its tokens."""
    tokens = [t for t in TOKENS if len(t) > 1 or t[0] not in missing]
    whole = Vocabulary([*TOKENS, b""], eos=len(TOKENS))
    part = Vocabulary([*tokens, b""], eos=len(tokens))
    language = pgen.Regex(pattern)
    try:
        automaton = language.compile(part)
    except pgen.InvalidLanguage:
        return
    reference = language.compile(whole)
    allowed = {tokens[v] for v in automaton.allowed_tokens(automaton.start) if v < len(tokens)}
    assert allowed <= {TOKENS[v] for v in reference.allowed_tokens(reference.start) if v < len(TOKENS)}
    for token in sorted(allowed)[:40]:
        state = automaton.advance(automaton.start, tokens.index(token))
        assert automaton.is_accepting(state) or automaton.has_continuation(state)


def test_every_text_token_is_in_one_section():
    slices = slices_of(VOCABULARY)
    tries = slices.tries
    assert len(slices.section) == len(FAMILIES) + 3
    before_tails = tries.first[slices.section[-2]]
    assert sorted(tries.tokens[:before_tails].tolist()) == VOCABULARY.text_ids.tolist()


def test_tokens_are_everyday_or_have_a_tail():
    """By Python's own decoding, character by character: nothing is lost, and tails begin where such text ends."""
    slices, ordinary = slices_of(VOCABULARY), re.compile(r'[^\x00-\x1f\x7f"\\\ud800-\udfff]*')
    tries, everyday = slices.tries, np.unpackbits(slices.everyday.view(np.uint8), bitorder="little")
    tails, path = {}, [b""]
    for node in range(slices.section[-2] + 1, slices.section[-1]):
        path = [*path[: tries.depth[node]], path[tries.depth[node] - 1] + tries.byte[node : node + 1].tobytes()]
        tails |= dict.fromkeys(tries.tokens[tries.first[node] : tries.first[node + 1]].tolist(), path[-1])
    for v in VOCABULARY.text_ids.tolist():
        beginning = TOKENS[v].removesuffix(tails.get(v, b""))
        assert ordinary.fullmatch(beginning.decode())
        assert everyday[v] == (v not in tails)
        assert not ordinary.match(tails.get(v, b"").decode(errors="surrogateescape"))[0]


def test_signs_list_the_tokens_that_hold_them():
    slices, held = slices_of(VOCABULARY), {}
    for sign in range(128):
        for k in range(slices.sign_start[sign], slices.sign_start[sign + 1]):
            tail = slices.sign_bytes[slices.sign_tails[k] : slices.sign_tails[k + 1]].tobytes()
            held[sign, int(slices.sign_tokens[k])] = tail
    expected = {}
    for v in VOCABULARY.text_ids.tolist():
        begun = re.match(rb'[A-Za-z \x80-\xff]*(?=[^\x00-\x20"\\\x7fA-Za-z\x80-\xff])', TOKENS[v])
        if begun and TOKENS[v][: begun.end()].decode(errors="replace").isprintable():
            signs = set(TOKENS[v]) & set(range(0x21, 0x7F)) - set(b'"\\') - set(string.ascii_letters.encode())
            expected |= {(sign, v): TOKENS[v][begun.end() :] for sign in signs}
    assert held == expected
    assert {token for _, token in held} > {TOKENS.index(b"te.e:a"), TOKENS.index("é:é".encode())}


def test_levels_accumulate():
    slices = slices_of(VOCABULARY)
    bits = np.unpackbits(slices.up_to.view(np.uint8), axis=1, bitorder="little")
    for k in range(1, MAX_CHARACTERS + 1):
        for v in np.flatnonzero(bits[k] & ~bits[k - 1]):
            assert len(TOKENS[v].decode()) == k
