"""`TokenAutomaton`: a language over one vocabulary, as masks and transitions between small ints.

States are those of the lazy byte automaton, so equal configurations are one int
however they were reached: particles in one state share one memoised mask, and forking
costs nothing. A mask is one walk of the vocabulary trie (`walk_kernels`), then a
look-up. State 1 is "ended", what follows an EOS token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from pgen.automata import acceptor
from pgen.automata.dfa import LazyDFA
from pgen.automata.growth import Growth
from pgen.automata.layout import DEAD, ENDED, OK, UNKNOWN
from pgen.automata.lengths import longest
from pgen.automata.nfa import fragment
from pgen.automata.reachability import UNREACHABLE, Trimmed, byte_distances, trim
from pgen.errors import DeadEnd, InvalidLanguage
from pgen.language import ir
from pgen.language.base import Language
from pgen.tokens import mask_kernels, walk_kernels
from pgen.tokens.budget import TokenDistances
from pgen.tokens.endless import mark_endless
from pgen.tokens.lexicon import Desk, lexicon_of
from pgen.tokens.special_tokens import FOREIGN, Reading, reading
from pgen.tokens.spellable import live_states
from pgen.tokens.vocabulary import Vocabulary

Mask = NDArray[np.uint32]


class TokenAutomaton:
    """Masks and transitions of a language over a vocabulary of V tokens; build it with `language.compile`.

    A token is allowed iff some sequence of tokens after it completes a member; every
    EOS id iff the text is a member; empty tokens never, special ones where the language
    names them. Masks are
    `(ceil(V / 32),)` uint32, token v at bit `v % 32` of word `v // 32`, read-only.
    """

    def __init__(self, language: Language, vocabulary: Vocabulary) -> None:
        self.language = language
        self.vocabulary = vocabulary
        self._stock, sketch = language.stock, language.sketch
        self._reading = Reading(sketch, vocabulary, {}) if self._stock.parts else reading(sketch, vocabulary)
        self._lexicon = lexicon_of(self._reading.vocabulary)
        single = self._lexicon.single
        if self._reading.names:
            # Markers are always read as a whole, so that their bytes may count as tokens.
            single = single.copy()
            single[list(FOREIGN)] = True
        self._dfa = self._automaton(single)
        if self._dfa.is_empty:
            raise InvalidLanguage(
                f"{language!r} is empty: no text is a member",
                hint="look for parts that contradict each other, joined by & or one after the other",
            )
        self.start = self._dfa.start
        if not self._lexicon.every_byte:
            self._require_spellable(language, single)
        self._desk = Desk(self._lexicon)
        self._masks: dict[int, Mask] = {}
        self._by_code: dict[tuple[int, int], tuple[bytes, Mask]] = {}
        self._facts: dict[int, tuple[bool, int]] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return compile_language, (self.language, self.vocabulary)

    def _automaton(self, single: NDArray[np.bool_]) -> LazyDFA:
        if self._grows and (self._lexicon.every_byte or single.all()):
            return LazyDFA(Growth(self._reading.node, self._stock))
        if self._grows:
            self._reading = reading(self.language.node, self.vocabulary)
        pruned, farthest = self._trimmed(single)
        return LazyDFA(pruned, farthest, live_states(pruned, farthest, self._lexicon))

    def _trimmed(self, single: NDArray[np.bool_]) -> tuple[Trimmed, NDArray[np.int32]]:
        """The trimmed automaton, and the distances to its end by single-byte tokens."""
        pruned = trim(fragment(self._reading.node))
        if single.all() or pruned.fragment.n_states == 0:
            return pruned, pruned.nearest
        if len(pruned.fragment.begins):
            # Bytes that no token has matter to no one, but to emptiness.
            occurring = np.zeros(256, np.bool_)
            occurring[self._lexicon.trie.byte[1:]] = True
            known = trim(pruned.fragment, occurring)
            farthest = byte_distances(known.fragment, single)
            if known.fragment.n_states and (farthest < UNREACHABLE).all():
                return known, farthest
            # Without rules, where there need be none, tokens of several bytes can be followed.
            pruned = trim(fragment(self._reading.node, share=False))
        return pruned, byte_distances(pruned.fragment, single)

    def _require_spellable(self, language: Language, single: NDArray[np.bool_]) -> None:
        if not self._dfa.table.live[self.start]:
            missing = [f"0x{byte:02x}" for byte in np.flatnonzero(~single)[:8]]
            raise InvalidLanguage(
                f"no sequence of tokens spells a member of {language!r}",
                hint=f"this vocabulary has no token of its own for the bytes {', '.join(missing)} …",
            )

    @cached_property
    def _distances(self) -> TokenDistances:
        return TokenDistances(self._dfa, self._lexicon)

    @property
    def _grows(self) -> bool:
        """Whether parts of the language are written when walks get there, or have been for others like it."""
        return bool(self._stock.parts) or ir.grows(self.language.sketch)

    @cached_property
    def longest_tokens(self) -> int | None:
        """Most tokens that a member can take, `None` without a bound: its bytes, since no text token is empty."""
        return acceptor.longest_bytes(self.language.node) if self._grows else longest(self._dfa.fragment)

    def mask(self, state: int, budget: int | None = None) -> Mask:
        """The allowed tokens; with `budget` tokens left, only those after which a member can be reached in time.

        The budget counts the token to be drawn, but no EOS.
        """
        mask = self._masks.get(state)
        if mask is None:
            mask = self._walked(state)
        if budget is None or budget > self._facts[state][1]:
            return mask
        return self._within_budget(state, budget)

    def masks(self, states: Sequence[int]) -> Mask:
        """`(B, words)` masks of several states."""
        rows, masks = np.empty((len(states), len(self._lexicon.eos)), np.uint32), self._masks
        for at, state in enumerate(states):
            mask = masks.get(state)
            rows[at] = self._walked(state) if mask is None else mask
        return rows

    def _walked(self, state: int) -> Mask:
        dfa, desk = self._dfa, self._desk
        with dfa.lock:
            while (outcome := mask_kernels.draw(dfa.memory, desk.memory, state)) != OK:
                if outcome == UNKNOWN:
                    dfa.grow()
                else:
                    mark_endless(dfa.memory, desk.memory, desk.facts[2])
            any_allowed, farthest, code, second = desk.facts.tolist()
            self._facts[state] = bool(any_allowed), farthest
            self._masks[state] = mask = self._shared((code, second), desk.octets)
        return mask

    def _shared(self, codes: tuple[int, int], drawn: memoryview) -> Mask:
        """A mask with the words drawn; states whose masks are equal have one between them."""
        known = self._by_code.get(codes)
        # Two codes are enough to tell masks apart. Comparing copies nothing this way, and most masks are known.
        if known is None or (codes[1] == 0 and not known[0].startswith(drawn)):
            data = drawn.tobytes()
            self._by_code[codes] = known = data, np.frombuffer(data, np.uint32)
        return known[1]

    def _within_budget(self, state: int, budget: int) -> Mask:
        mask, trie = np.zeros_like(self._lexicon.eos), self._lexicon.trie
        for node, target in self._distances.certain(state, budget - 1, mask):
            if self._distances.within(target, budget - 1):
                for token in trie.tokens[trie.first[node] : trie.first[node + 1]]:
                    mask[token >> 5] |= np.uint32(1 << (token & 31))
        if state != ENDED and self._dfa.is_accepting(state):
            mask |= self._lexicon.eos
        mask.flags.writeable = False
        return mask

    def advance(self, state: int, token: int) -> int:
        """The state after one more token. Raises `DeadEnd` if the token is not allowed."""
        # The kernel goes first, since it is what most calls need: it takes EOS and numbers without tokens for dead.
        after: int = walk_kernels.step(self._dfa.memory, self._lexicon.memory, state, token)
        if after > DEAD:
            return after
        return self._seldom(state, token, after)

    def _seldom(self, state: int, token: int, after: int) -> int:
        dfa, lexicon = self._dfa, self._lexicon.memory
        if token in self.vocabulary.eos and state != ENDED and dfa.is_accepting(state):
            return ENDED
        if after == UNKNOWN:
            after = dfa.settled(lambda: walk_kernels.step(dfa.memory, lexicon, state, token))
        if after == DEAD:
            raise self._not_allowed(state, token)
        return after

    def _not_allowed(self, state: int, token: int) -> DeadEnd:
        if not 0 <= token < len(self.vocabulary):
            return DeadEnd(f"{token} is no token of this vocabulary of {len(self.vocabulary)}")
        allowed = self.allowed_tokens(state)
        some = ", ".join(repr(self.vocabulary.tokens[t]) for t in allowed[:5])
        return DeadEnd(
            f"token {token} ({self.vocabulary.tokens[token]!r}) is not allowed here",
            hint=f"{len(allowed)} tokens are allowed, among them {some}" if len(allowed) else "nothing is allowed here",
        )

    def run(self, tokens: Sequence[int]) -> int:
        """The state after several tokens from the start."""
        state = self.start
        for token in tokens:
            state = self.advance(state, token)
        return state

    def allowed_tokens(self, state: int) -> NDArray[np.int64]:
        """The ids in the mask, ascending."""
        bits = np.unpackbits(self.mask(state).astype("<u4").view(np.uint8), bitorder="little")
        return np.flatnonzero(bits[: len(self.vocabulary)])

    def is_accepting(self, state: int) -> bool:
        """Whether the text so far is a member."""
        return self._dfa.is_accepting(state)

    def has_continuation(self, state: int) -> bool:
        """Whether any text token is allowed."""
        self.mask(state)
        return self._facts[state][0]

    def forced(self, state: int) -> tuple[int, ...]:
        """The tokens that must come: as long as each step allows exactly one (EOS may be the last)."""
        tokens: list[int] = []
        while len(allowed := self.allowed_tokens(state)) == 1:
            token = int(allowed[0])
            # Without an EOS token a text may end here although the mask cannot say so.
            if self.is_accepting(state) and token not in self.vocabulary.eos:
                break
            tokens.append(token)
            state = self.advance(state, token)
        return tuple(tokens)

    def decode(self, tokens: Iterable[int]) -> bytes:
        """The text of some tokens as this language reads it: with the names of the special tokens that it mentions."""
        names, tokens = self._reading.names, tuple(tokens)
        if names.keys().isdisjoint(tokens):
            return self.vocabulary.decode(tokens)
        return b"".join(names[t].encode() if t in names else self.vocabulary.decode((t,)) for t in tokens)

    def accepts(self, data: bytes) -> bool:
        """Whether these bytes are a member, special tokens as their names (residual not considered)."""
        if self._reading.names:
            return acceptor.accepts(self.language.node, data)
        state = self._dfa.run(self.start, data)
        return state != DEAD and self.is_accepting(state)

    def distance_to_accept(self, state: int) -> int:
        """Fewest tokens from `state` to a member, EOS not counted."""
        return self._distances.exact(state)


@lru_cache(maxsize=128)
def compile_language(language: Language, vocabulary: Vocabulary) -> TokenAutomaton:
    """The automaton of a pair; cached. Raises `InvalidLanguage` if no token sequence spells a member."""
    return TokenAutomaton(language, vocabulary)
