"""Compiled languages shared between threads, and handed to forked and spawned processes, give the same masks."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from random import Random

import pytest

import pgen
from pgen.language.base import Language
from pgen.tokens import TokenAutomaton, Vocabulary

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"enum": ["a", "b", "cd"]}}},
    "required": ["name"],
}
LANGUAGES = {
    "grammar": pgen.Grammar('start: item+\nitem: "(" item* ")" | /[a-z]{1,40}/ | NAME "=" item\nNAME: /[a-z]+/\n'),
    "schema": pgen.JSONSchema(SCHEMA),
    "regex": pgen.Regex("(a|b)*a(a|b){9}"),
}
WORDS = [b"((", b"))", b"ab", b"=(", b'{"', b'": ', b'", "', b'"a"', b"name", b"tags", b"ba"]
VOCABULARY = Vocabulary([*(bytes([byte]) for byte in range(256)), *WORDS, b""], eos=256 + len(WORDS))

Step = tuple[int, bytes, bool]


def walk(automaton: TokenAutomaton, seed: int, n_steps: int = 60) -> list[Step]:
    """A random walk: each token with the mask that it was chosen by, and whether the text may end."""
    random, state, found = Random(seed), automaton.start, list[Step]()
    for _ in range(n_steps):
        allowed = [token for token in automaton.allowed_tokens(state).tolist() if token not in VOCABULARY.eos]
        if not allowed:
            break
        token = random.choice(allowed)
        found.append((token, automaton.mask(state).tobytes(), automaton.is_accepting(state)))
        state = automaton.advance(state, token)
    return found


def walks(automaton: TokenAutomaton, n: int = 24) -> list[list[Step]]:
    return [walk(automaton, seed) for seed in range(n)]


@pytest.fixture
def impatient() -> Iterator[None]:
    """Threads that take turns all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("name", LANGUAGES)
def test_threads_that_share_an_automaton(name: str, impatient: None) -> None:
    language = LANGUAGES[name]
    expected = walks(TokenAutomaton(language, VOCABULARY))
    shared = TokenAutomaton(language, VOCABULARY)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda seed: walk(shared, seed), list(range(24)) * 2))
    assert found == expected * 2


def test_threads_that_compile_one_language_at_once(impatient: None) -> None:
    def compiled(_: int) -> list[list[Step]]:
        language = pgen.Grammar('start: "(" start? ")" | word\nword: /[a-z]+/ "." /[0-9]{2,30}/\n')
        return walks(language.compile(VOCABULARY), 4)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(compiled, range(12)))
    assert all(one == found[0] for one in found)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_forked_processes_go_on_with_the_states_of_their_parent() -> None:
    automaton = LANGUAGES["schema"].compile(VOCABULARY)
    state = automaton.run([*b'{"name": "x', VOCABULARY.tokens.index(b'", "')])
    here, there = multiprocessing.get_context("fork").Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(
        target=lambda: there.send((automaton.mask(state).tobytes(), walks(automaton, 6)))
    )
    child.start()
    assert here.poll(60)
    assert here.recv() == (automaton.mask(state).tobytes(), walks(automaton, 6))
    child.join()


def test_spawned_processes_compile_again() -> None:
    automaton, text = LANGUAGES["schema"].compile(VOCABULARY), b'{"name": "x", "tags": ["cd"]}'
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        mask, taken = pool.submit(automaton.mask, automaton.start), pool.submit(automaton.accepts, text)
        assert mask.result(120).tobytes() == automaton.mask(automaton.start).tobytes()
        assert taken.result(120)


@pytest.mark.parametrize("name", LANGUAGES)
def test_pickled_values(name: str) -> None:
    language = LANGUAGES[name]
    again: Language = pickle.loads(pickle.dumps(language))
    assert again == language and hash(again) == hash(language) and again.residual == language.residual
    automaton = pickle.loads(pickle.dumps(language.compile(VOCABULARY)))
    assert walks(automaton, 3) == walks(TokenAutomaton(language, VOCABULARY), 3)
