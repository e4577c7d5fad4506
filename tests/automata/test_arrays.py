"""Stores that get more room and other byte classes while pieces are put into them."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import pgen
from pgen.automata.arrays import Piece, Store, nfa_of
from pgen.automata.nfa import text_fragment
from pgen.automata.pieces import Fragment, as_edges, as_jumps
from pgen.automata.reachability import trim

GROWING = """
import sys, pgen
vocabulary = pgen.Vocabulary([*(bytes([byte]) for byte in range(256)), b"end"], eos=256)
for length in (3, 30, 300):
    language = pgen.JSONSchema({"patternProperties": {f"^[a-y0-9é]{{0,{length}}}$": {"type": "integer", "minimum": 7}}, "required": ["ab"]})
    automaton = language.compile(vocabulary)
    assert automaton.accepts(b'{"ab": 12}') and not automaton.accepts(b'{"ab": 2}')
print("done")
"""


def test_freed_memory_is_not_used() -> None:
    """With every block on pages of its own, which freeing takes away, so that its use would end the process."""
    env = dict(os.environ, MALLOC_MMAP_THRESHOLD_="4096")
    done = subprocess.run([sys.executable, "-c", GROWING], env=env, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.parametrize("room", [1, 2, 7, 500])
def test_pieces_are_the_same_whatever_the_room(room: int) -> None:
    """Byte classes that are cut one by one, and arrays that are moved, against all at once."""
    fragments = [text_fragment(pgen.Regex(pattern).node) for pattern in ("[b-y]+", "é|[a-z]x", "[k-m]{3}", "b?")]
    store = Store.empty([room] * 5, np.zeros(256, np.uint8))
    for fragment in fragments:
        store.add(Piece(fragment, trim(fragment).nearest, *[np.zeros(0, np.int32)] * 2, 0))
    starts = np.cumsum([0, *(fragment.n_states for fragment in fragments)])
    shifted = [f.edges + np.array([s, 0, 0, s], np.int32) for f, s in zip(fragments, starts, strict=False)]
    jumps = [f.jumps + s for f, s in zip(fragments, starts, strict=False)]
    whole = Fragment(int(starts[-1]), as_edges(np.concatenate(shifted)), as_jumps(np.concatenate(jumps)))
    at_once = nfa_of(whole, np.concatenate([trim(f).nearest for f in fragments]), None, None)
    assert (store.counts == at_once.counts).all()
    n, n_edges, n_jumps = store.counts[:3].tolist()
    for name, used in {"class_of": 256, "edge_low": n_edges, "edge_high": n_edges, "edge_target": n_edges}.items():
        assert (getattr(store.nfa, name)[:used] == getattr(at_once.nfa, name)[:used]).all(), name
    for name, used in {"edge_start": n + 1, "jump_start": n + 1, "jump_target": n_jumps, "nearest": n}.items():
        assert (getattr(store.nfa, name)[:used] == getattr(at_once.nfa, name)[:used]).all(), name
