"""What a canvas can still take under a grammar, against all its fillings; and draws that never come to a dead end."""

import functools
import itertools
import json
import math

import numpy as np
import pytest
from canvas_cases import ABC, WITH_SPECIAL, WITHOUT_EOS, text_of
from canvas_process import process_masses, random_denoiser, step_sizes

import pgen
from pgen.automata.nfa import fragment
from pgen.chains import completions as completions_module
from pgen.chains import lattice, sum_product
from pgen.chains.completions import Completions, completions
from pgen.chains.pushdown import pushdown
from pgen.chains.reading import Reading
from pgen.chains.superset import regular_superset
from pgen.inference.context import Context
from pgen.inference.drafting import canvas_language
from pgen.inference.drafting.canvas import CanvasDraft, CanvasDrafter
from pgen.inference.drafting.canvas_language import ANY
from pgen.inference.moves.canvas_moves import Remask
from pgen.sampling.rng import CounterRng
from pgen.testing.generative_laws import transition_matrix
from pgen.testing.laws import check_proper_weights
from pgen.tokens.classes import fragment_table, token_table

GRAMMARS = {
    "brackets": pgen.Grammar('start: "a" start "b" | "ab"'),
    "palindromes": pgen.Grammar('start: "a" start "a" | "b" start "b" | "a" | "b" |'),
    "ambiguous": pgen.Grammar('start: start start | "a" | "b" start "b"'),
    "rules": pgen.Grammar('start: x y | y "a"\nx: "a" x "b" | "b"\ny: "b" y y | "a"'),
    "left": pgen.Grammar('start: start "a" | start "b" x | "b"\nx: "a" start |'),
    "nullable": pgen.Grammar('start: x x y\nx: "a" y |\ny: "b" x "a" |'),
}
LONG = pgen.Vocabulary([b"a", b"ab", b"bba", b"aab", b""], eos=4)
VOCABULARIES = [ABC, WITHOUT_EOS, WITH_SPECIAL, LONG]


@functools.cache
def is_member(language, text):
    return language.matches(text)


def members(language, vocabulary, length, open_ends, canvas):
    """The fillings of a canvas whose text is a member; unless `open_ends`, an end stands where it is committed."""
    for tokens in itertools.product(range(len(vocabulary)), repeat=length):
        if any(c not in (None, t) for c, t in zip(canvas, tokens, strict=True)):
            continue
        end = next((i for i, token in enumerate(tokens) if token in vocabulary.eos), length)
        text = text_of(vocabulary, tokens)
        if text is None or not (open_ends or end == length or canvas[end] is not None):
            continue
        if is_member(language, text):
            yield tokens


@pytest.mark.parametrize("name", sorted(GRAMMARS))
def test_canvases_against_all_fillings(name):
    generator, grammar, n_open, n_taken = np.random.default_rng(len(name)), GRAMMARS[name], 0, 0
    for vocabulary, length, open_ends in itertools.product(VOCABULARIES, (1, 2, 3, 4), (True, False)):
        known = Completions(Reading(pushdown(grammar, vocabulary, 99)), length, open_ends=open_ends)
        for _ in range(4):
            fixed = generator.random(length) < 0.4
            drawn = generator.integers(len(vocabulary), size=length).tolist()
            canvas = tuple(token if is_fixed else None for token, is_fixed in zip(drawn, fixed, strict=True))
            found = list(members(grammar, vocabulary, length, open_ends, canvas))
            assert known.fits(canvas) == bool(found)
            for i in np.flatnonzero(~fixed).tolist():
                taken = {tokens[i] for tokens in found}
                assert set(np.flatnonzero(known.allowed(canvas, i)).tolist()) == taken, (vocabulary.tokens, canvas, i)
                n_open, n_taken = n_open + 1, n_taken + bool(taken)
    assert n_open > 150
    assert n_taken > n_open / 3


def test_lengths_of_members():
    letters = pgen.Vocabulary([b"a", b"b"], eos=())
    reading = Reading(pushdown(pgen.Grammar('start: "a" start "a" | "bb"'), letters, 99))
    assert Completions(reading, 9, open_ends=True).lengths == (2, 4, 6, 8)


def test_answers_do_not_depend_on_what_was_asked_before(monkeypatch):
    """Kept sets are by what follows; forgetting them in between changes nothing either."""
    reading, generator = Reading(pushdown(GRAMMARS["ambiguous"], LONG, 99)), np.random.default_rng(0)
    kept = Completions(reading, 9, open_ends=True)
    for number in range(40):
        if number == 20:
            monkeypatch.setattr(completions_module, "MAX_KEPT", 5)
        canvas = tuple(int(generator.integers(4)) if generator.random() < 0.3 else None for _ in range(9))
        at = next((i for i, token in enumerate(canvas) if token is None), None)
        if at is not None:
            fresh = Completions(reading, 9, open_ends=True)
            np.testing.assert_array_equal(kept.allowed(canvas, at), fresh.allowed(canvas, at))


def test_a_long_canvas_needs_no_deep_recursion():
    arithmetic = pgen.Grammar('start: "(" start ")" | start "+" start | "a"')
    letters = pgen.Vocabulary([b"(", b")", b"+", b"a", b"((", b"))"], eos=())
    known = Completions(Reading(pushdown(arithmetic, letters, 99)), 240, open_ends=True)
    opened = (*(4,) * 119, *(None,) * 121)
    assert known.fits(opened)
    assert set(np.flatnonzero(known.allowed(opened, 120)).tolist()) == {1, 5}, "238 to close in 120"
    assert not known.fits((*(4,) * 120, *(None,) * 120))


def test_what_takes_too_long_is_left_alone(monkeypatch):
    monkeypatch.setattr(completions_module, "MAX_UNIONS", 3)
    assert completions(GRAMMARS["rules"], ABC, 17, True) is None
    with pytest.raises(pgen.LimitExceeded, match="completions of 17 positions"):
        Completions(Reading(pushdown(GRAMMARS["rules"], ABC, 99)), 17, open_ends=True, max_unions=3)


@pytest.mark.parametrize("canvas", [(None,) * 4, (None, 1, None, None), (None, None, 2, None)])
def test_the_marginal_of_one_position_is_that_of_all(canvas):
    from canvas_cases import Case, random_log_probs

    case = Case(ABC, pgen.Regex("(ab?){1,3}"), canvas, random_log_probs(np.random.default_rng(1), 4, 4))
    messages = sum_product.messages(case.emissions)
    together = sum_product.constrained_marginals(messages)
    for i in [i for i, token in enumerate(canvas) if token is None]:
        np.testing.assert_allclose(sum_product.marginal(messages, i), together[i], atol=1e-12)


def without_table(language, vocabulary, length):
    raise pgen.LimitExceeded("too many states")


def merged(language, vocabulary, length, max_states):
    """The superset that follows no call."""
    laid = fragment(language.node, share=False)
    return fragment_table(regular_superset(laid, 0), language, vocabulary, length, max_states)


def unrestricted(language, vocabulary, length, max_states):
    raise pgen.LimitExceeded("too many states")


@pytest.fixture(params=[merged, unrestricted])
def searched(request, monkeypatch):
    """No table and no chart is small enough; masses are those of a superset, or of all texts."""
    monkeypatch.setattr(canvas_language, "_table", without_table)
    monkeypatch.setattr(lattice, "MAX_PLACES", 0)
    monkeypatch.setattr(canvas_language, "superset_table", request.param)


@pytest.mark.parametrize(
    ("name", "order", "vocabulary", "length", "steps"),
    [
        ("brackets", "confidence", ABC, 3, 2),
        ("palindromes", "left_to_right", WITHOUT_EOS, 3, 3),
        ("ambiguous", "random", WITHOUT_EOS, 2, 2),
        ("left", "low_confidence", WITHOUT_EOS, 2, 2),
        ("nullable", "margin", WITHOUT_EOS, 3, 1),
        ("rules", "entropy", LONG, 2, 2),
    ],
)
def test_draws_are_properly_weighted(searched, name, order, vocabulary, length, steps):
    """Proposal times weight is the process inside the language itself, every choice enumerated."""
    model, grammar = random_denoiser(vocabulary, length, 7), GRAMMARS[name]
    text = model.text("", length=length, steps=steps, order=order).given(grammar)
    assert CanvasDrafter(Context()).process(text).completions is not None
    masses = process_masses(model, (None,) * length, order, step_sizes(length, steps))
    members = {x.decode(): mass for x, mass in masses.items() if x is not None}
    expected = {x: mass for x, mass in members.items() if grammar.matches(x)}
    check_proper_weights(lambda: pgen.sample("text", text), pgen.Importance(1), expected, 1e-12)
    exact = pgen.infer(text, method=pgen.Enumerate())
    shares = {str(x): p * math.exp(exact.log_evidence) for x, p in exact.probabilities().items()}
    assert shares == pytest.approx({x: mass for x, mass in expected.items() if mass}, abs=1e-12)


def n_dead(text, count=40):
    """How many of some drafts come to a dead end."""
    drafter, dead = CanvasDrafter(Context()), 0
    drafts = drafter.begin([text] * count, [], 0)
    for tick in range(len(text.canvas)):
        open_ = [draft for draft in drafts if isinstance(draft, CanvasDraft) and draft.log_weight > -math.inf]
        drafts = drafter.step(open_, [CounterRng(tick, (i,)) for i in range(len(open_))])
        dead += sum(draft.log_weight == -math.inf for draft in drafts)
    return dead


@pytest.mark.parametrize("previews", [False, True])
def test_no_draw_comes_to_a_dead_end(searched, previews, monkeypatch):
    text = random_denoiser(LONG, 9, 3).text("", length=9, steps=4).given(GRAMMARS["palindromes"])
    if previews:
        text = text.weighted(lambda x: 0.3 * len(x), previews=True)
    assert n_dead(text) == 0
    monkeypatch.setattr(canvas_language, "completions", lambda *given: None)
    if canvas_language.superset_table is merged:
        assert n_dead(text) > 0
    else:
        with pytest.raises(pgen.LimitExceeded):
            pgen.infer(text)


def test_remasking_keeps_the_posterior(searched):
    text = random_denoiser(WITHOUT_EOS, 2, 7).text("", length=2).given(GRAMMARS["palindromes"])
    runs, matrix, masses = transition_matrix(pgen.Generative(lambda: pgen.sample("x", text)), Remask(1))
    assert len(runs) > 1
    assert masses @ matrix == pytest.approx(masses, abs=1e-12)


def test_bad_lengths_are_named(searched):
    letters = pgen.Vocabulary([b"a", b"b"], eos=())
    model, even = random_denoiser(letters, 5, 0), pgen.Grammar('start: "a" start "a" | "bb"')
    with pytest.raises(pgen.InvalidArgument, match=r"exactly 5 tokens(.|\n)*nearest lengths are 4 and 6"):
        pgen.infer(model.text("", length=5).given(even))
    with pytest.raises(pgen.InvalidArgument, match=r"shortest member(.|\n)*takes 7 tokens, but length=5"):
        pgen.infer(model.text("", length=5).given(pgen.Grammar('start: "b" start "b" | "aaabaaa"')))


def test_a_recursive_schema_over_hundreds_of_tokens(monkeypatch):
    """Names, and values nested as deep as one likes."""
    monkeypatch.setattr(canvas_language, "_table", without_table)
    monkeypatch.setattr(lattice, "MAX_PLACES", 0)
    node = {
        "type": "object",
        "properties": {
            "n": {"enum": ["abcdefgh", "hgfedcba", "bad", "cafe"]},
            "of": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        },
        "required": ["n"],
        "additionalProperties": False,
    }
    schema = pgen.JSONSchema({"$ref": "#/$defs/node", "$defs": {"node": node}})
    words = ["".join(w) for n in (1, 2, 3) for w in itertools.product("abcdefgh", repeat=n)]
    spelled = [*'{}[]:,"no', '{"', '":', '"of":[', "]}", "},", *words]
    vocabulary = pgen.Vocabulary([*(s.encode() for s in spelled), b""], eos=len(spelled))
    text = random_denoiser(vocabulary, 48, 0).text("", length=48, steps=8).given(schema)
    process = CanvasDrafter(Context()).process(text)
    assert not process.is_exact
    assert process.completions is not None
    posterior = pgen.infer(text, method=pgen.SMC(3, resample="tokens"), seed=0)
    assert len(posterior.values) == 3
    assert all("n" in json.loads(value) for value in posterior.values)


def test_a_table_of_all_texts_is_no_restriction():
    table = token_table(ANY.compile(ABC))
    assert len(table.delta) == 1
