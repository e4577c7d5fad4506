"""Regular supersets of context-free languages, and masked diffusion that looks ahead by them, against brute force."""

import itertools
import json

import numpy as np
import pytest
from canvas_cases import ABC, WITHOUT_EOS
from canvas_process import process_masses, random_denoiser, step_sizes

import pgen
from pgen.automata.dfa import LazyDFA
from pgen.automata.nfa import fragment
from pgen.backends.tabular import TabularDiffusion
from pgen.chains import lattice
from pgen.chains.superset import regular_superset, superset_table
from pgen.inference.context import Context
from pgen.inference.drafting import canvas_language
from pgen.inference.drafting.canvas import CanvasDrafter
from pgen.inference.moves.canvas_moves import Remask
from pgen.testing.generative_laws import transition_matrix
from pgen.testing.laws import check_proper_weights
from pgen.tokens.classes import fragment_table

GRAMMARS = {
    "brackets": pgen.Grammar('start: "a" start "b" | "ab"'),
    "palindromes": pgen.Grammar('start: "a" start "a" | "b" start "b" | "a" | "b" |'),
    "ambiguous": pgen.Grammar('start: start start | "a" | "b" start "b"'),
    "rules": pgen.Grammar('start: x y | y "a"\nx: "a" x "b" | "b"\ny: "b" y y | "a"'),
}


@pytest.mark.parametrize("name", sorted(GRAMMARS))
def test_supersets_hold_every_member_and_shrink_with_depth(name):
    grammar, texts = GRAMMARS[name], ["".join(t) for n in range(7) for t in itertools.product("ab", repeat=n)]
    members = {text for text in texts if grammar.matches(text)}
    laid, before = fragment(grammar.node, share=False), set(texts)
    for depth in (0, 1, 2, 7):
        dfa = LazyDFA(regular_superset(laid, depth))
        held = {text for text in texts if dfa.is_accepting(dfa.run(dfa.start, text.encode()))}
        assert members <= held <= before
        before = held
    assert before == members, "nothing here is nested deeper"
    first = LazyDFA(regular_superset(laid, 0))
    merged = {text for text in texts if first.is_accepting(first.run(first.start, text.encode()))}
    assert merged > members, "a superset"


@pytest.fixture
def supersets(monkeypatch):
    """No table and no chart is small enough, no call is followed, and a search takes too long."""

    def table(language, vocabulary, length):
        raise pgen.LimitExceeded("too many states")

    def merged(language, vocabulary, length, max_states):
        laid = fragment(language.node, share=False)
        return fragment_table(regular_superset(laid, 0), language, vocabulary, length, max_states)

    monkeypatch.setattr(canvas_language, "_table", table)
    monkeypatch.setattr(lattice, "MAX_PLACES", 0)
    monkeypatch.setattr(canvas_language, "superset_table", merged)
    monkeypatch.setattr(canvas_language, "completions", lambda *given: None)


@pytest.mark.parametrize(
    ("name", "order", "vocabulary", "length", "steps"),
    [
        ("brackets", "confidence", ABC, 3, 2),
        ("palindromes", "left_to_right", WITHOUT_EOS, 3, 3),
        ("ambiguous", "random", WITHOUT_EOS, 2, 2),
        ("ambiguous", "low_confidence", WITHOUT_EOS, 2, 2),
        ("rules", "entropy", ABC, 2, 2),
    ],
)
def test_draws_are_properly_weighted(supersets, name, order, vocabulary, length, steps):
    """Proposal times weight is the process inside the language itself, every choice enumerated."""
    model, grammar = random_denoiser(vocabulary, length, 7), GRAMMARS[name]
    text = model.text("", length=length, steps=steps, order=order).given(grammar)
    assert not CanvasDrafter(Context()).process(text).is_exact
    masses = process_masses(model, (None,) * length, order, step_sizes(length, steps))
    members = {x.decode(): mass for x, mass in masses.items() if x is not None}
    expected = {x: mass for x, mass in members.items() if grammar.matches(x)}
    check_proper_weights(lambda: pgen.sample("text", text), pgen.Importance(1), expected, 1e-12)
    exact = pgen.infer(text, method=pgen.Enumerate())
    shares = {str(x): p * np.exp(exact.log_evidence) for x, p in exact.probabilities().items()}
    assert shares == pytest.approx({x: mass for x, mass in expected.items() if mass}, abs=1e-12)


def test_remasking_and_what_is_refused(supersets):
    model = random_denoiser(WITHOUT_EOS, 3, 7)
    text = model.text("", length=3).given(GRAMMARS["palindromes"])
    runs, matrix, masses = transition_matrix(pgen.Generative(lambda: pgen.sample("x", text)), Remask(2))
    assert len(runs) > 1
    assert masses @ matrix == pytest.approx(masses, abs=1e-12)
    with pytest.raises(pgen.UnsupportedFeature, match="looks at marginals under"):
        pgen.infer(model.text("", length=3, order="constrained_margin").given(GRAMMARS["palindromes"]))


def test_json_over_thousands_of_tokens(monkeypatch):
    """48 positions, nested as deep as one likes, over a vocabulary whose chart would have 10^11 numbers."""
    monkeypatch.setattr(canvas_language, "completions", lambda *given: None)
    letters = "abcdefgh"
    words = ["".join(w) for n in (2, 3, 4) for w in itertools.product(letters, repeat=n)]
    spelled = [
        *'{}[]:,"0123456789.-+eE \n\t\\/',
        *letters,
        *"ijklmnopqrstuvwxyz",
        '{"',
        '":',
        '","',
        "}}",
        "]]",
        *words,
    ]
    vocabulary = pgen.Vocabulary([*(t.encode() for t in spelled), b""], eos=len(spelled))
    generator = np.random.default_rng(0)
    base = generator.normal(size=len(vocabulary)) + 6.0 * (np.arange(len(vocabulary)) < 8)

    def marginals(tokens):
        rows = np.tile(base, (len(tokens), 1))
        rows[:, [t for t in tokens if t is not None]] += 0.5
        return rows - np.logaddexp.reduce(rows, axis=1, keepdims=True)

    model = TabularDiffusion(vocabulary, 48, marginals)
    text = model.text("", length=48, steps=4).given(pgen.Grammar("json"))
    process = CanvasDrafter(Context()).process(text)
    assert not process.is_exact
    posterior = pgen.infer(text, method=pgen.SMC(4, resample="tokens"), seed=0)
    assert np.isfinite(posterior.log_evidence)
    for value, share in posterior.probabilities().items():
        if share:
            json.loads(value)


def test_a_superset_that_is_too_large_is_an_error():
    with pytest.raises(pgen.LimitExceeded, match="more than 3 states"):
        superset_table(pgen.Grammar("json"), pgen.Vocabulary([bytes([b]) for b in range(256)], eos=()), 8, 3)
