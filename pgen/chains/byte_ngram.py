"""A byte n-gram model as a finite automaton: small enough to look ahead with exactly.

Contexts are the byte strings of up to n - 1 bytes that occur in the training texts; from
context c the byte b leads to the longest known end of c + b. Probabilities are
interpolated (Witten and Bell, "The zero-frequency problem", 1991), so every byte and the
end have some everywhere:

    p(b | c) = (count(c b) + T(c) p(b | shorter c)) / (count(c) + T(c)),

T(c) the number of different bytes seen after c. Training is O(n) per byte; the model has
K contexts and K x 257 numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument

END = 256
"""Column of the end of the text."""
MAX_CONTEXTS = 1 << 14


class ByteNgram:
    """`probabilities (K, 257)`, the end last; `following (K, 256)` contexts; context 0 is the empty one.

    Build it with `from_texts`, from samples of a model for instance:
    `ByteNgram.from_texts(lm.text(prompt, max_tokens=30).sample(seed=0, n=50))`.
    """

    def __init__(self, order: int, contexts: list[bytes], probabilities: NDArray[np.float64]) -> None:
        self.order = order
        self.contexts = tuple(contexts)
        self.probabilities = probabilities
        self.following = _transitions(order, contexts)

    @classmethod
    def from_texts(cls, texts: Iterable[str | bytes], order: int = 3) -> ByteNgram:
        """Count and smooth; `order` is n. Raises `InvalidArgument` without texts, or with too many contexts."""
        if order < 1:
            raise InvalidArgument(f"order={order}: must be at least 1")
        data = [text.encode() if isinstance(text, str) else text for text in texts]
        if not data:
            raise InvalidArgument("an n-gram model needs at least one text")
        counts = _counted(data, order)
        contexts = sorted(counts, key=lambda context: (len(context), context))
        if len(contexts) > MAX_CONTEXTS:
            raise InvalidArgument(
                f"{len(contexts):,} contexts are too many to look ahead with, at most {MAX_CONTEXTS:,} are possible",
                hint="use a smaller order or fewer texts",
            )
        return cls(order, contexts, _smoothed(contexts, counts))

    def __repr__(self) -> str:
        return f"ByteNgram(order={self.order}, {len(self.contexts)} contexts)"

    def context_after(self, data: bytes) -> int:
        """The context that `data` from the start of a text leads to."""
        context = 0
        for byte in data:
            context = int(self.following[context, byte])
        return context


def _counted(texts: Iterable[bytes], order: int) -> dict[bytes, Counter[int]]:
    counts: defaultdict[bytes, Counter[int]] = defaultdict(Counter)
    for text in texts:
        for place, symbol in enumerate([*text, END]):
            for length in range(min(order - 1, place) + 1):
                counts[text[place - length : place]][symbol] += 1
    return dict(counts)


def _smoothed(contexts: list[bytes], counts: dict[bytes, Counter[int]]) -> NDArray[np.float64]:
    index = {context: k for k, context in enumerate(contexts)}
    table = np.empty((len(contexts), END + 1))
    for k, context in enumerate(contexts):
        shorter = table[index[context[1:]]] if context else np.full(END + 1, 1.0 / (END + 1))
        seen = np.zeros(END + 1)
        seen[list(counts[context])] = list(counts[context].values())
        n_different = len(counts[context])
        table[k] = (seen + n_different * shorter) / (seen.sum() + n_different)
    return table


def _transitions(order: int, contexts: list[bytes]) -> NDArray[np.int32]:
    index = {context: k for k, context in enumerate(contexts)}
    table = np.empty((len(contexts), 256), np.int32)
    for k, context in enumerate(contexts):
        for byte in range(256):
            longer = (context + bytes([byte]))[-(order - 1) :] if order > 1 else b""
            while longer not in index:
                longer = longer[1:]
            table[k, byte] = index[longer]
    return table
