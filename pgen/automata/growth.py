"""Rules that are laid when a walk first calls them, together with those that it will call next.

A large schema is mostly parts that one text never gets to, and its first mask needs hardly any of them. `ir.Later`
nodes stand for such parts: they become rules without states, whose shortest members have a known length, so that
distances and trimming need no more of them. When a kernel comes to call one, `LazyDFA` asks for its
piece: the node is written, laid, and put behind the arrays there are (`arrays.Store`), and so are some of the rules
that it mentions or that come after it, twice as many each time: a walk is interrupted a few times only, in small
schemas once. Nothing is laid before the first mask. Later pieces call the shared parts of earlier ones. States keep
their numbers, and so does what is known of them: a piece adds edges to no state but its own. What many languages have
in common (`ir.Stock`: any JSON value, strings, numbers) is laid once for all of them and copied. Cost: that of what is
laid.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache

import numpy as np

from pgen.automata.arrays import RULES, UNWRITTEN, Piece, Store
from pgen.automata.laying import PieceBuilder, Rules
from pgen.automata.nfa import text_fragment
from pgen.automata.pieces import CALL, NO_STATES, Fragment, as_edges, as_jumps
from pgen.automata.reachability import UNREACHABLE, cheapest, trim
from pgen.errors import LimitExceeded
from pgen.language import ir

AHEAD = 5_000
"""Edges, about, that are laid when a walk first calls a rule that has none: few schemas have more."""
PART = 400
"""Edges that a part counts for besides its own: writing it takes about as long as laying these."""
MOST_AHEAD = 64_000
"""The next times twice as many are laid as the time before, up to so many."""
ROOM = 3_000
"""States and edges for which there is room at first, besides those in common: few objects need more."""
WHOLE, START = 0, 0
"""The rule of a whole text, and the state that calls it."""
_IN_NAMES = np.isin(np.arange(-1, 256), list(b"-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
_CLASSES = np.cumsum(_IN_NAMES[1:] | _IN_NAMES[:-1]).astype(np.uint8)
"""Byte classes at first: names in schemas hold these characters, and cutting classes later costs more than they do."""


class Growth:
    """A language in pieces: rule 0 is the whole, others are numbered as they are first mentioned.

    `store` has the arrays: state 0 calls rule 0, which returns to state 1; what the language has in common with others
    comes before the rest. `nearest_bytes` is the length of the shortest member, `None` without members.
    """

    def __init__(self, node: ir.Node, stock: ir.Stock = ir.NO_STOCK) -> None:
        ground, rules = _ground(stock)
        self.store, self._writer, self._batch = ground.copy(), _Writer(rules), AHEAD
        # Where there is a stock, nothing has to be looked through.
        is_plain = bool(stock.parts) or not ir.has_boolean(node)
        nearest = self._writer.write_whole(node, self.store, is_plain)
        self.nearest_bytes = nearest if nearest < UNREACHABLE else None

    def write(self, rule: int) -> None:
        """Put the piece of a rule into the store, unless it is there, and those that come next, more each time."""
        n_edges, self._batch = self._batch, min(2 * self._batch, MOST_AHEAD)
        self._writer.write_from(rule, n_edges, self.store)


def shortest_bytes(node: ir.Node) -> int | None:
    """Bytes of the shortest member of a node whose parts may be written later; `None` for the empty language."""
    return Growth(node).nearest_bytes


def cheapest_member(node: ir.Node, costs: tuple[int, ...]) -> int | None:
    """The least that a member of a regular node costs, by the `costs` of its bytes; `None` for the empty language."""
    found = cheapest(text_fragment(node), np.array(costs, np.int32))
    return found if found < UNREACHABLE else None


@lru_cache(maxsize=64)
def _ground(stock: ir.Stock) -> tuple[Store, Rules]:
    """The arrays and rules that languages with this stock begin with."""
    rules = Rules({}, [ir.EPSILON], [0])
    for part in stock.parts:
        rules.add(part, part.n_bytes)
    call = Fragment(2, as_edges([(START, CALL + WHOLE, CALL + WHOLE, 1)]), as_jumps([]))
    store = Store.empty([ROOM] * 5, _CLASSES)
    store.add(Piece(call, np.zeros(2, np.int32), NO_STATES, np.zeros(1, np.int32), len(rules.parts)))
    writer = _Writer(rules)
    writer.write_from(WHOLE + 1, UNREACHABLE, store, stock.shared)
    return store.with_room(store.counts + ROOM), writer.rules


class _Writer:
    """Makes pieces, in addition to those that some rules have."""

    def __init__(self, rules: Rules) -> None:
        self.rules = Rules(rules.numbers.copy(), rules.parts.copy(), rules.costs.copy())
        self._n_edges = 0

    def write_from(self, rule: int, n_edges: int, store: Store, shared: tuple[ir.Node, ...] = ()) -> None:
        """Put in the pieces of a rule, of those it mentions and of those after it, up to about so many edges.

        Parts that are `shared` become rules as soon as the first piece, whose states come first, is laid.
        """
        begun = store.nfa.begin[: store.counts[RULES]].tolist()
        waiting = deque([number for number in range(rule, len(begun)) if begun[number] == UNWRITTEN])
        waiting += [number for number in range(WHOLE + 1, rule) if begun[number] == UNWRITTEN]
        try:
            self._write_some(waiting, n_edges, store, shared)
        except LimitExceeded:
            if not n_edges:
                raise
            # What is not needed yet may be too large: it is an error when a text gets there.
            if store.nfa.begin[rule] == UNWRITTEN:
                self.write_from(rule, 0, store)

    def _write_some(self, waiting: deque[int], n_edges: int, store: Store, shared: tuple[ir.Node, ...]) -> None:
        """Put in the first ones of these rules in one piece."""
        builder, begins, parts = PieceBuilder(self.rules, self._n_edges), dict[int, int](), self.rules.parts
        while waiting and builder.n_laid + PART * len(begins) <= n_edges:
            number, known = waiting.popleft(), len(parts)
            later = parts[number]
            assert isinstance(later, ir.Later), "only such parts wait"
            begins[number] = builder.lay_apart(later.write())
            for part in shared:
                builder.share(part)
            # What the rule mentions comes before what comes after it.
            waiting.extendleft(range(len(parts) - 1, known - 1, -1))
        if begins:
            lengths = self._put(builder, begins, store)
            assert lengths == [self.rules.costs[rule] for rule in begins], "a part is as short as it says"

    def write_whole(self, node: ir.Node, store: Store, is_plain: bool) -> int:
        """Put in a whole, plain if without intersections; bytes of its shortest member, or `UNREACHABLE`."""
        builder = PieceBuilder(self.rules, self._n_edges)
        begins = {WHOLE: builder.lay_apart(node)}
        if not is_plain:
            return self._put_trimmed(builder, store)
        (length,) = self._put(builder, begins, store, caller=START)
        return length

    def _put(self, builder: PieceBuilder, begins: dict[int, int], store: Store, caller: int = -1) -> list[int]:
        """Put in rules that begin at these states, and the builder's own; bytes of their shortest members.

        Without intersections nothing that was laid is in vain.
        """
        (first, *bodies), (start, *starts) = begins.keys(), begins.values()
        n_own, n_rules = len(builder.parts), len(self.rules.parts)
        own = range(n_rules, n_rules + n_own)
        lengths = builder.put(store, [first, *own, *bodies], [start, *builder.begins, *starts], caller)
        self._take_over(builder, lengths[1 : n_own + 1])
        return lengths[:1] + lengths[n_own + 1 :]

    def _put_trimmed(self, builder: PieceBuilder, store: Store) -> int:
        """The same for a whole with intersections, in which there may be states that lead nowhere."""
        fragment, nearest = trim(builder.fragment(np.array(builder.begins, np.int32)), None, self.rules.told())
        if not len(nearest):
            return UNREACHABLE
        begins, ends = np.append(_FIRST, fragment.begins), np.append(_LAST, fragment.ends)
        lengths: list[int] = nearest[begins].tolist()
        first = lengths.pop(0)
        n_rules = len(self.rules.parts)
        # Where trimming has cut rules, it is not said which; those left serve this piece alone.
        builder.parts = builder.parts if len(lengths) == len(builder.parts) else [ir.Ref("") for _ in lengths]
        self._take_over(builder, lengths)
        rules = np.array([WHOLE, *range(n_rules, n_rules + len(lengths))], np.int32)
        fragment = fragment._replace(begins=begins, ends=ends)
        store.add(Piece(fragment, nearest, rules, rules[1:], len(self.rules.parts)))
        store.nfa.nearest[START] = store.nfa.farthest[START] = first
        return first

    def _take_over(self, builder: PieceBuilder, lengths: list[int]) -> None:
        """Know a builder's own rules, and how many edges it has placed."""
        self._n_edges = builder.n_edges
        for part, n_bytes in zip(builder.parts, lengths, strict=True):
            self.rules.add(part, n_bytes)


_FIRST, _LAST = np.zeros(1, np.int32), np.ones(1, np.int32)
