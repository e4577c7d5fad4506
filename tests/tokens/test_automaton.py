"""Token automata against brute force over token sequences, on generated vocabularies and languages."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import pgen
from pgen.language import ir
from pgen.language.base import Language
from pgen.sampling.token_step import unpack
from pgen.testing import derivatives
from pgen.testing.laws import check_masks
from pgen.testing.oracles import Viability
from pgen.tokens import Vocabulary
from pgen.tokens.automaton import TokenAutomaton

ENDED = 1
PIECES = [b"a", b"b", b"ab", b"ba", b"aab", b"bb", b"\xc3", b"\xa9", "é".encode(), "aé".encode(), b"\xa9a", b"\xe2\x82"]
PIECES += [b"\xac", "€".encode(), b"", b"a\xc3", b"z", b"\xff"]
ALPHABET = "abé€"


@st.composite
def vocabularies(draw):
    """Text pieces (repeated, empty, missing bytes), filler beyond one mask word, and EOS and special ids among them."""
    pieces = draw(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9))
    tokens = pieces + [b"unused"] * draw(st.sampled_from([0, 0, 24, 31, 60]))
    control = ["eos"] * draw(st.integers(1, 3)) + ["special"] * draw(st.integers(0, 2))
    order = draw(st.permutations([*tokens, *control])) if len(tokens) < 12 else [*control, *tokens]
    ids = {kind: {i for i, t in enumerate(order) if t == kind} for kind in ("eos", "special")}
    spelled = [draw(st.sampled_from([b"a", b"", b"<s>"])) if isinstance(t, str) else t for t in order]
    return Vocabulary(spelled, eos=ids["eos"], special=ids["special"])


texts = st.text(alphabet=ALPHABET, max_size=3)
leaves = st.one_of(
    texts.map(ir.literal),
    texts.map(ir.Substrings),
    st.lists(texts.map(str.encode), min_size=1, max_size=3).map(ir.word_set),
    st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=3).map(lambda cs: ir.chars((ord(c), ord(c)) for c in cs)),
    st.just(ir.chars([(ord("a"), ord("b")), (0xE0, 0xEF)])),
)


def joined(parts):
    pairs = st.tuples(parts, parts)
    bounds = st.sampled_from([(0, None), (1, None), (0, 1), (1, 3), (2, 2), (0, 5)])
    return st.one_of(
        pairs.map(lambda p: ir.concat(*p)),
        pairs.map(lambda p: ir.union(*p)),
        pairs.map(lambda p: ir.intersect(p[0], ir.complement(p[1]))),
        st.tuples(parts, bounds).map(lambda p: ir.repeat(p[0], *p[1])),
    )


languages = st.recursive(leaves, joined, max_leaves=4).map(lambda node: Language(node, description="generated"))


def compiled(language, vocabulary):
    """The automaton, or no example at all."""
    try:
        return language.compile(vocabulary)
    except pgen.InvalidLanguage:
        assume(False)


class Sequences:
    """Fewest text tokens from a derivative to acceptance, by trying all sequences up to a length."""

    def __init__(self, vocabulary):
        self.vocabulary = vocabulary
        self.viable = Viability(vocabulary)
        self.known = {}

    def within(self, node, budget):
        if derivatives.nullable(node):
            return budget >= 0
        if budget <= 0 or node == ir.EMPTY:
            return False
        key = node, budget
        if key not in self.known:
            followers = {self.viable.after(node, int(t)) for t in self.vocabulary.text_ids}
            self.known[key] = any(self.within(after, budget - 1) for after in followers)
        return self.known[key]

    def mask(self, node, budget):
        ending = set(self.vocabulary.eos) if derivatives.nullable(node) else set()
        ids = self.vocabulary.text_ids.tolist()
        return ending | {t for t in ids if self.within(self.viable.after(node, t), budget - 1)}

    def distance(self, node):
        layer, seen, steps = {node}, {node}, 0
        while not any(derivatives.nullable(n) for n in layer):
            layer = {self.viable.after(n, int(t)) for n in layer for t in self.vocabulary.text_ids} - seen
            seen |= layer
            steps += 1
        return steps


def explored(automaton, node, most=12):
    """(state, derivative) of the first few reachable states, breadth first."""
    viable = Viability(automaton.vocabulary)
    found = {automaton.start: node}
    for state in iter(lambda queue=list(found): queue.pop(0) if queue else None, None):
        for token, after in viable.continuations(found[state]).items():
            reached = automaton.advance(state, token)
            if reached not in found and len(found) < most:
                found[reached] = after
    return list(found.items())


def ids(mask, vocabulary):
    return set(unpack(mask, len(vocabulary)).tolist())


@given(languages, vocabularies())
@settings(max_examples=250)
def test_masks_are_what_brute_force_allows(language, vocabulary):
    try:
        check_masks(language, vocabulary, max_states=40)
    except pgen.InvalidLanguage:
        assert not Viability(vocabulary)(language.node)


@given(languages, vocabularies())
@settings(max_examples=80)
def test_masks_have_their_documented_form(language, vocabulary):
    automaton = compiled(language, vocabulary)
    states = [state for state, _ in explored(automaton, language.node)] + [ENDED]
    for state in states:
        for budget in (None, 0, 1, 2):
            mask = automaton.mask(state, budget)
            assert mask.dtype == np.uint32
            assert mask.shape == (-(-len(vocabulary) // 32),)
            assert not mask.flags.writeable
            bits = np.unpackbits(mask.astype("<u4").view(np.uint8), bitorder="little")
            assert not bits[len(vocabulary) :].any()
            assert not ids(mask, vocabulary) - set(vocabulary.text_ids.tolist()) - vocabulary.eos
    stacked = automaton.masks(states)
    assert stacked.shape == (len(states), -(-len(vocabulary) // 32))
    assert stacked.dtype == np.uint32
    for row, state in zip(stacked, states, strict=True):
        assert (row == automaton.mask(state)).all()
        assert set(automaton.allowed_tokens(state).tolist()) == ids(row, vocabulary)


@given(languages, vocabularies())
@settings(max_examples=80)
def test_advancing_by_what_is_not_allowed_raises(language, vocabulary):
    automaton = compiled(language, vocabulary)
    for state, _ in explored(automaton, language.node, most=5):
        allowed = ids(automaton.mask(state), vocabulary)
        for token in range(-2, len(vocabulary) + 34):
            if token in allowed:
                reached = automaton.advance(state, token)
                assert (reached == ENDED) == (token in vocabulary.eos)
            else:
                with pytest.raises(pgen.DeadEnd):
                    automaton.advance(state, token)


@given(languages, vocabularies())
@settings(max_examples=60)
def test_nothing_follows_the_end(language, vocabulary):
    automaton = compiled(language, vocabulary)
    for state, node in explored(automaton, language.node):
        if derivatives.nullable(node):
            ended = automaton.advance(state, min(vocabulary.eos))
            assert not automaton.mask(ended).any()
            assert automaton.forced(ended) == ()
            assert not automaton.has_continuation(ended)
            assert automaton.is_accepting(ended)
            assert automaton.distance_to_accept(ended) == 0
            for token in range(len(vocabulary)):
                with pytest.raises(pgen.DeadEnd):
                    automaton.advance(ended, token)


@given(languages, vocabularies(), st.booleans())
@settings(max_examples=150)
def test_masks_under_a_budget_are_what_sequences_of_that_length_allow(language, vocabulary, plain_first):
    compiled(language, vocabulary)
    automaton, sequences = TokenAutomaton(language, vocabulary), Sequences(vocabulary)
    for state, node in explored(automaton, language.node, most=6):
        if plain_first:
            automaton.mask(state)
        for budget in (3, 0, 1, 4, 2, 7):
            found = ids(automaton.mask(state, budget), vocabulary)
            assert found == sequences.mask(node, budget), (state, budget)


@given(languages, vocabularies())
@settings(max_examples=150)
def test_distances_are_those_of_breadth_first_search(language, vocabulary):
    compiled(language, vocabulary)
    automaton, sequences = TokenAutomaton(language, vocabulary), Sequences(vocabulary)
    for state, node in reversed(explored(automaton, language.node)):
        assert automaton.distance_to_accept(state) == sequences.distance(node)


def test_distances_and_budgets_of_a_long_repeat():
    vocabulary = Vocabulary([b"a", b"aa", b"aaaaa", b"</s>"], eos=3)
    automaton = Language(ir.repeat(ir.literal("a"), 24, 24), description="a{24}").compile(vocabulary)
    assert automaton.distance_to_accept(automaton.start) == 6
    assert not automaton.mask(automaton.start, 5).any()
    assert ids(automaton.mask(automaton.start, 6), vocabulary) == {1, 2}
    assert ids(automaton.mask(automaton.start, 7), vocabulary) == {0, 1, 2}


def test_distances_without_single_bytes():
    vocabulary = Vocabulary([b"aa", b"aaa", b"</s>"], eos=2)
    automaton = Language(ir.repeat(ir.literal("a"), 7, 7), description="a{7}").compile(vocabulary)
    assert automaton.distance_to_accept(automaton.start) == 3
    assert ids(automaton.mask(automaton.run([1])), vocabulary) == {0}
    assert ids(automaton.mask(automaton.run([0])), vocabulary) == {0, 1}


@given(languages, vocabularies())
@settings(max_examples=80)
def test_forced_tokens_are_the_only_ones(language, vocabulary):
    automaton = compiled(language, vocabulary)
    for state, _ in explored(automaton, language.node):
        here = state
        for token in automaton.forced(state):
            assert ids(automaton.mask(here), vocabulary) == {token}
            here = automaton.advance(here, token)
        assert len(ids(automaton.mask(here), vocabulary)) != 1


def test_forced_goes_on_to_the_end():
    vocabulary = Vocabulary([b"ab", b"a", b"ba", b"</s>"], eos=3)
    automaton = pgen.choice("abba", "ba").compile(vocabulary)
    assert automaton.forced(automaton.start) == ()
    assert automaton.forced(automaton.run([0])) == (2, 3)


def test_a_text_that_may_end_here_is_not_forced_to_go_on_without_an_end_token():
    vocabulary = Vocabulary([b"a"], eos=())
    automaton = pgen.choice("a", "aa").compile(vocabulary)
    assert automaton.forced(automaton.start) == (0,)


@given(languages, vocabularies(), st.data())
@settings(max_examples=80)
def test_states_do_not_depend_on_the_spelling(language, vocabulary, data):
    automaton = compiled(language, vocabulary)
    by_text = {b"": automaton.start}
    queue = [b""]
    for text in queue:
        for token in set(automaton.allowed_tokens(by_text[text]).tolist()) - vocabulary.eos:
            following = text + vocabulary.tokens[token]
            reached = automaton.advance(by_text[text], token)
            assert by_text.setdefault(following, reached) == reached
            if following not in queue and len(queue) < 20:
                queue.append(following)
    for text, state in by_text.items():
        assert automaton.accepts(text) == automaton.is_accepting(state) == derivatives.matches(language.node, text)


def test_states_are_interned():
    vocabulary = Vocabulary([b"a", b"aa", b"aaa", b"a", b"</s>"], eos=4)
    automaton = pgen.Regex("a{5}").compile(vocabulary)
    paths = [(0, 0, 0), (0, 1), (1, 3), (2,), (3, 3, 0)]
    assert len({automaton.run(path) for path in paths}) == 1
    endless = pgen.Regex("(aa)*").compile(vocabulary)
    assert endless.run([1]) == endless.run([1, 1]) == endless.run([0, 0, 2, 3])


def test_residual_and_states_of_duplicates_share_a_mask_object():
    vocabulary = Vocabulary([b"a", b"aa", b"</s>"], eos=2)
    automaton = pgen.Regex("a{4}").compile(vocabulary)
    assert automaton.mask(automaton.run([0, 0])) is automaton.mask(automaton.run([1]))


@pytest.mark.parametrize(
    "language",
    [
        pgen.choice("a", "ab") & pgen.literal("b"),
        pgen.literal("a") + (pgen.literal("a") & "b"),
        pgen.Regex("a+") & ~pgen.Regex("a*"),
        Language(ir.EMPTY, description="nothing"),
    ],
)
def test_an_empty_language_does_not_compile(language):
    with pytest.raises(pgen.InvalidLanguage, match="is empty: no text is a member") as caught:
        language.compile(Vocabulary([b"a", b"b", b"</s>"], eos=2))
    assert repr(language) in str(caught.value)


def test_a_language_that_no_tokens_spell_does_not_compile():
    vocabulary = Vocabulary([*(bytes([b]) for b in range(256) if b not in (0xA9, ord("q"))), b"</s>"], eos=254)
    with pytest.raises(pgen.InvalidLanguage, match="no sequence of tokens spells a member") as caught:
        pgen.choice("é", "aé", "q").compile(vocabulary)
    assert "0xa9" in str(caught.value)
    assert "0x71" in str(caught.value)


def test_members_that_cannot_be_spelled_are_left_out():
    vocabulary = Vocabulary([b"a", b"\xc3", b"b", b"</s>"], eos=3)
    automaton = pgen.choice("aé", "ab").compile(vocabulary)
    after = automaton.run([0])
    assert ids(automaton.mask(after), vocabulary) == {2}
    assert automaton.forced(automaton.start) == (0, 2, 3)


def test_only_the_empty_text():
    vocabulary = Vocabulary([b"a", b"", b"</s>", b"</t>"], eos={2, 3})
    automaton = pgen.literal("").compile(vocabulary)
    assert ids(automaton.mask(automaton.start), vocabulary) == {2, 3}
    assert ids(automaton.mask(automaton.start, 0), vocabulary) == {2, 3}
    assert not automaton.has_continuation(automaton.start)
    assert automaton.longest_tokens == 0


@given(languages, vocabularies())
@settings(max_examples=80)
def test_no_text_has_more_tokens_than_the_longest(language, vocabulary):
    automaton = compiled(language, vocabulary)
    most = automaton.longest_tokens
    assume(most is not None)
    layer = {automaton.start}
    for _ in range(most):
        tokens = [(s, int(t)) for s in layer for t in automaton.allowed_tokens(s) if int(t) not in vocabulary.eos]
        layer = {automaton.advance(s, t) for s, t in tokens}
    assert not any(automaton.has_continuation(state) for state in layer)


def test_compilation_is_cached_for_each_pair():
    vocabulary = Vocabulary([b"a", b"b", b"</s>"], eos=2)
    same = Vocabulary([b"a", b"b", b"</s>"], eos=[2])
    other = Vocabulary([b"a", b"b", b"</s>", b"c"], eos=2)
    automaton = pgen.choice("a", "b").compile(vocabulary)
    assert pgen.choice("b", "a").compile(same) is automaton
    assert pgen.choice("a", "b").compile(other) is not automaton
    assert pgen.choice("a").compile(vocabulary) is not automaton


def test_complements_under_a_byte_limit_hold_valid_text_only():
    vocabulary = Vocabulary([b"a", b"\xff", b"b", b"\xc3", b"\xa9", b"</s>"], eos=5)
    limited = (~pgen.literal("a")).max_bytes(2)
    automaton = limited.compile(vocabulary)
    assert ids(automaton.mask(automaton.start), vocabulary) == {0, 2, 3, 5}
    assert ids(automaton.mask(automaton.run([3])), vocabulary) == {4}
    assert not limited.matches(b"\xff")
