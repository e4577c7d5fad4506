"""Tables of lazy automata: how large they begin, and how finely bytes are told apart, changes nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

import pgen
from pgen.automata import table as table_module
from pgen.automata.dfa import LazyDFA
from pgen.automata.layout import DEAD
from pgen.automata.nfa import fragment
from pgen.automata.table import doubled, full_arrays, with_classes
from pgen.errors import LimitExceeded

LANGUAGES = {
    "words": pgen.Regex("(?:[a-f]{2,9}[g-k]|[ab]{1,12}c|(?:abc|acb|bca)*){1,3}"),
    "suffix": pgen.Regex("[ab]*a[ab]{8}"),
    "nested": pgen.Grammar('start: "(" start ")" start | "[" start "]" | /[a-c]{1,4}/ |\n'),
    "ambiguous": pgen.Grammar("start: a a a\na: b* | /a/ a\nb: /[ab]c{0,9}[de]{0,7}/\n"),
}
TEXTS = [bytes(random.Random(n).choices(b"abcdefgh()[]", k=n % 40 + 1)) for n in range(300)]
TEXTS += [bytes(random.Random(n).choices(b"ab", k=n % 40 + 1)) for n in range(200)]
TEXTS += [b"(" * n + b"a" + b")" * n for n in range(0, 400, 13)]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tables that begin with a handful of states and places."""
    monkeypatch.setattr(table_module, "FREE_CELLS", 48)
    for name in ("FIRST_SLOTS", "FIRST_NODE_SLOTS"):
        monkeypatch.setattr(table_module, name, 4)
    table_module._plan_of.cache_clear()
    yield
    table_module._plan_of.cache_clear()


def facts(dfa: LazyDFA) -> list[object]:
    """All that is known of all states after walking the texts: their members, distances and transitions."""
    states = [dfa.run(dfa.start, text) for text in TEXTS]
    n, table = int(dfa.table.counters[0]), dfa.table
    told = [array[:n].tolist() for array in (table.accepting, table.live, table.nearest, table.farthest)]
    return [states, told, table.transitions[:n].tolist(), table.arena[: table.start[n]].tolist()]


@pytest.mark.parametrize("name", LANGUAGES)
def test_small_tables_grow_into_large_ones(name: str, tiny: None) -> None:
    dfa = LazyDFA(fragment(LANGUAGES[name].node))
    begun = {at: len(getattr(dfa.table, at)) for at in ("accepting", "arena", "slots", "node_nearest", "node_slots")}
    found = facts(dfa)
    assert len(dfa.table.accepting) > begun["accepting"] and len(dfa.table.slots) > begun["slots"]
    if name == "nested":
        assert len(dfa.table.node_nearest) > begun["node_nearest"] and len(dfa.table.arena) > begun["arena"]
    table_module._plan_of.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_module, "FREE_CELLS", 1_000_000)
        patch.setattr(table_module, "FIRST_SLOTS", 1 << 16)
        large = LazyDFA(fragment(LANGUAGES[name].node))
        assert facts(large) == found and len(large.table.slots) == 1 << 16


def test_only_what_is_half_full_is_doubled(tiny: None) -> None:
    dfa = LazyDFA(fragment(LANGUAGES["suffix"].node))
    table, room = dfa.table, len(dfa.table.accepting)
    table.counters[:2] = (room + 1) // 2, len(table.arena) // 2 - 1
    assert set(full_arrays(table)) == {"accepting", "transitions", "start", "live", "nearest", "farthest"}
    table.counters[:2] = room // 2 - 1, len(table.arena) // 2
    assert set(full_arrays(table)) == {"arena", "arena_stack"}
    table.counters[:2], table.node_counters[:2] = (2, 0), (1, 0)
    everything = full_arrays(table)
    assert {"transitions", "arena", "returns", "node_start", "pile", "pending"} <= set(everything)
    longer = doubled(table, everything)
    assert all(len(getattr(longer, at)) == 2 * len(getattr(table, at)) for at in everything)


@pytest.mark.parametrize("limit", ["states", "cells", "members"])
def test_limits_hold_however_small_a_table_begins(limit: str, tiny: None) -> None:
    most = {"states": 50, "cells": 400, "members": 300}[limit]
    with pgen.Limits(**{limit: most}), pytest.raises(LimitExceeded, match="positions together"):
        facts(LazyDFA(fragment(LANGUAGES["suffix"].node)))


def test_finer_classes_keep_what_is_known() -> None:
    rng = random.Random(0)
    for name, language in LANGUAGES.items():
        dfa = LazyDFA(fragment(language.node))
        facts(dfa)
        before = dfa.nfa.class_of
        border = np.diff(before, prepend=before[:1]) > 0
        border[[rng.randrange(1, 256) for _ in range(12)]] = True
        after = np.cumsum(border).astype(np.uint8)
        table = with_classes(dfa.table, before, after)
        n_partly = 0
        for state in range(int(table.counters[0])):
            old, new = dfa.table.transitions[state][before], table.transitions[state][after]
            known = old >= -1
            assert (new[known] == old[known]).all() and (new[~known] < -1).all()
            n_partly += bool(known.any() and not known.all())
            # A code that stands for bytes which go the same way names the first class of these.
            for code in set(new[~known].tolist()):
                alike = new == code
                assert (alike == (old == old[alike][0])).all()
                assert after[np.flatnonzero(before == -2 - old[alike][0])[0]] == -2 - code
        assert n_partly, name
        assert table.transitions[DEAD].tolist() == [DEAD] * table.transitions.shape[1]
