"""A hidden Markov model of bytes: a small model with a memory of its own, to look ahead with exactly.

A hidden state emits a byte, or the end of the text, and passes on to the next state:

    p(x_1 ... x_n, end) = sum over z of pi(z_1) prod_i e(x_i | z_i) t(z_i+1 | z_i) e(end | z_n+1).

Trained by expectation maximisation (Baum et al., 1970), on samples of a large model for instance, so
that it is distilled from it (Zhang et al., "Adaptable logical control for large language models", NeurIPS
2024). Unlike an n-gram model (`byte_ngram`) it may remember what lies many bytes back. With Z states and N
bytes of text an iteration is O(N Z^2); the model has Z (Z + 258) numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pgen.chains.byte_ngram import END
from pgen.errors import InvalidArgument

Floats = NDArray[np.float64]

FLOOR = 1e-4
"""Share of each emission that is spread over all bytes and the end, so that nothing is impossible."""


class ByteHMM:
    """`initial (Z,)`, `transitions (Z, Z)` by row, `probabilities (Z, 257)` of what a state emits, the end last.

    Build it with `from_texts`: `ByteHMM.from_texts(lm.text(prompt, max_tokens=30).sample(seed=0, n=50))`.
    """

    def __init__(self, initial: Floats, transitions: Floats, probabilities: Floats) -> None:
        shapes = (initial.shape, transitions.shape, probabilities.shape)
        size = len(initial)
        if shapes != ((size,), (size, size), (size, END + 1)):
            raise InvalidArgument(f"a hidden Markov model of shapes {shapes}: expected (Z,), (Z, Z) and (Z, {END + 1})")
        for name, table in (("initial", initial), ("transitions", transitions), ("probabilities", probabilities)):
            if (table < 0).any() or not np.allclose(table.sum(axis=-1), 1.0):
                raise InvalidArgument(f"{name} of a hidden Markov model must be probabilities that sum to 1")
        if (probabilities == 0).any():
            raise InvalidArgument(
                "every state of a hidden Markov model must emit every byte and the end with some probability",
                hint="mix a little of the uniform distribution into each row",
            )
        self.initial, self.transitions, self.probabilities = initial, transitions, probabilities

    def __repr__(self) -> str:
        return f"ByteHMM({len(self.initial)} states)"

    @classmethod
    def from_texts(cls, texts: Iterable[str | bytes], states: int = 16, iterations: int = 30, seed: int = 0) -> ByteHMM:
        """Train on texts, from tables drawn by `seed`. Raises `InvalidArgument` without texts."""
        data = [text.encode() if isinstance(text, str) else text for text in texts]
        if not data or states < 1 or iterations < 1:
            raise InvalidArgument(
                f"ByteHMM.from_texts: {len(data)} texts, states={states}, iterations={iterations}: each at least 1"
            )
        drawn = np.random.Generator(np.random.Philox(seed))
        tables = [drawn.dirichlet(np.ones(width), size) for size, width in ((1, states), (states, states))]
        model = cls(tables[0][0], tables[1], _softened(drawn.dirichlet(np.ones(END + 1), states)))
        padded = _padded(data)
        for _ in range(iterations):
            model = model._improved(padded)
        return model

    def log_prob(self, text: str | bytes) -> float:
        """log probability of a whole text, its end included, in nats."""
        padded = _padded([text.encode() if isinstance(text, str) else text])
        _, log_scales = self._forward(padded)
        return float(log_scales.sum())

    def after(self, belief: Floats, byte: int) -> Floats:
        """`(..., Z)` probabilities of the state that comes after `byte`, from those of the state that emits it."""
        seen = belief * self.probabilities[:, byte]
        return np.asarray((seen / seen.sum(axis=-1, keepdims=True)) @ self.transitions, np.float64)

    def _forward(self, padded: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """`(T, N, Z)` states given what was emitted up to them, and `(T, N)` log p of each symbol; padding counts 0."""
        emitted = np.concatenate([self.probabilities, np.ones((len(self.initial), 1))], axis=1)
        belief = np.broadcast_to(self.initial, (len(padded), len(self.initial)))
        states, log_scales = [], []
        for symbols in padded.T:
            joint = belief * emitted[:, symbols].T  # (N, Z)
            total = joint.sum(axis=1, keepdims=True)
            states.append(joint / total)
            log_scales.append(np.log(total[:, 0]))
            belief = states[-1] @ self.transitions
        return np.stack(states), np.stack(log_scales)

    def _improved(self, padded: NDArray[np.int64]) -> ByteHMM:
        """One iteration of expectation maximisation over `(N, T)` symbols."""
        emitted = np.concatenate([self.probabilities, np.ones((len(self.initial), 1))], axis=1)
        states, log_scales = self._forward(padded)
        later = np.ones(states.shape[1:])  # (N, Z) p(what follows | state), scaled as the forward pass
        moves = np.zeros_like(self.transitions)
        counts = np.zeros((END + 2, len(self.initial)))
        for t in reversed(range(padded.shape[1])):
            np.add.at(counts, padded[:, t], states[t] * later)
            if t:
                ahead = emitted[:, padded[:, t]].T * later / np.exp(log_scales[t])[:, None]
                inside = padded[:, t] <= END
                moves += self.transitions * (states[t - 1][inside].T @ ahead[inside])
                later = ahead @ self.transitions.T
        initial = (states[0] * later).sum(axis=0)
        return ByteHMM(initial / initial.sum(), _shares(moves + 1e-9), _softened(_shares(counts[: END + 1].T + 1e-12)))


def _padded(data: Sequence[bytes]) -> NDArray[np.int64]:
    """`(N, T)` bytes, the end, and padding."""
    table = np.full((len(data), max(map(len, data)) + 1), END + 1, np.int64)
    for row, text in zip(table, data, strict=True):
        row[: len(text) + 1] = [*text, END]
    return table


def _shares(counts: Floats) -> Floats:
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), np.float64)


def _softened(shares: Floats) -> Floats:
    return np.asarray((1.0 - FLOOR) * shares + FLOOR / shares.shape[1], np.float64)
