"""`CanonicalAutomaton`: the members of a language in the tokenizer's own spelling only.

A token sequence counts iff it is what the tokenizer makes of its text. Whether it is can,
for tokenizers that split a text by a pattern before merging, depend on what follows, so
there is no finite automaton that keeps to canonical spellings (for pairs of tokens as a
test see Vieira et al., "Language models over canonical byte-pair encodings", 2025; it is
exact only without such a pattern). Here a state is a whole token sequence, and the test
is the definition itself, made where a text could end: acceptance is exact for every
tokenizer. Masks are those of all spellings, without EOS where the spelling is not
canonical; so they may lead into dead ends, whose weight is 0.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pgen.automata.layout import DEAD, ENDED
from pgen.errors import DeadEnd, InvalidArgument
from pgen.language.base import Language
from pgen.tokens.automaton import Mask, TokenAutomaton
from pgen.tokens.special_tokens import check_plain
from pgen.tokens.vocabulary import Vocabulary


class CanonicalAutomaton:
    """A `TokenAutomaton` whose members are canonical token sequences; build it with `compile(…, canonical=True)`.

    States are small ints, one for each token sequence. Its masks may lead into dead ends.
    """

    def __init__(self, spellings: TokenAutomaton) -> None:
        self.spellings = spellings
        self.start = spellings.start
        self._lock = threading.RLock()
        # Of each state: that of `spellings`, and the tokens so far (dead, ended, start).
        self._inner = [DEAD, ENDED, spellings.start]
        self._tokens: list[tuple[int, ...]] = [(), (), ()]
        self._known: dict[tuple[int, int], int] = {}
        self._canonical: dict[int, bool] = {}

    @property
    def language(self) -> Language:
        """The language."""
        return self.spellings.language

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary."""
        return self.spellings.vocabulary

    @property
    def longest_tokens(self) -> int | None:
        """Most tokens that a member can take in any spelling, `None` without a bound."""
        return self.spellings.longest_tokens

    def mask(self, state: int, budget: int | None = None) -> Mask:
        """The tokens after which some spelling of a member goes on; EOS iff the tokens are a canonical member."""
        mask = self.spellings.mask(self._inner[state], budget)
        if state == ENDED or not self.spellings.is_accepting(self._inner[state]) or self.is_accepting(state):
            return mask
        mask = mask.copy()
        for token in self.vocabulary.eos:
            mask[token >> 5] &= ~np.uint32(1 << (token & 31))
        mask.flags.writeable = False
        return mask

    def masks(self, states: Sequence[int]) -> Mask:
        """`(B, words)` masks of several states."""
        return np.stack([self.mask(state) for state in states])

    def advance(self, state: int, token: int) -> int:
        """The state after one more token. Raises `DeadEnd` if the token is not allowed."""
        inner = self.spellings.advance(self._inner[state], token)
        if inner == ENDED:
            if not self.is_accepting(state):
                text = self.vocabulary.decode(self._tokens[state])
                raise DeadEnd(f"the text so far is not spelled as the tokenizer spells it: {text!r}", text=text)
            return ENDED
        with self._lock:
            if (state, token) not in self._known:
                self._known[state, token] = len(self._inner)
                self._tokens.append((*self._tokens[state], token))
                self._inner.append(inner)
            return self._known[state, token]

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
        """Whether the tokens so far are the tokenizer's own spelling of a member."""
        if state == ENDED:
            return True
        if not self.spellings.is_accepting(self._inner[state]):
            return False
        if state not in self._canonical:
            tokens = self._tokens[state]
            self._canonical[state] = self.vocabulary.encode(self.vocabulary.decode(tokens)) == tokens
        return self._canonical[state]

    def has_continuation(self, state: int) -> bool:
        """Whether any text token is allowed."""
        return self.spellings.has_continuation(self._inner[state])

    def forced(self, state: int) -> tuple[int, ...]:
        """The tokens that must come, as long as each step allows exactly one (EOS may be the last)."""
        tokens: list[int] = []
        while len(allowed := self.allowed_tokens(state)) == 1:
            token = int(allowed[0])
            if self.is_accepting(state) and token not in self.vocabulary.eos:
                break
            tokens.append(token)
            state = self.advance(state, token)
        return tuple(tokens)

    def accepts(self, data: bytes) -> bool:
        """Whether these bytes are a member that the tokenizer can spell (residual not considered)."""
        if not self.spellings.accepts(data):
            return False
        try:
            self.vocabulary.encode(data)
        except InvalidArgument:
            return False
        return True

    def distance_to_accept(self, state: int) -> int:
        """Fewest tokens from `state` to a member in any spelling: a lower bound; EOS not counted."""
        return self.spellings.distance_to_accept(self._inner[state])


def compile_canonical(language: Language, vocabulary: Vocabulary) -> CanonicalAutomaton:
    """See `Language.compile`. The automaton of all spellings is shared; states are not."""
    check_plain(language.node, "canonical=True")
    return CanonicalAutomaton(language.compile(vocabulary))
