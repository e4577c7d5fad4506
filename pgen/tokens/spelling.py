"""The shortest spelling of a byte string as tokens.

Dynamic programming from the right over the positions of the text: O(n · k) look-ups
for n bytes and k distinct token lengths per first byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pgen.errors import InvalidArgument


class SpellingIndex:
    """Tokens by their bytes; of equal tokens the lowest id counts."""

    def __init__(self, entries: Iterable[tuple[bytes, int]]) -> None:
        self._ids: dict[bytes, int] = {}
        lengths: dict[int, set[int]] = {}
        for token, i in entries:
            self._ids[token] = min(i, self._ids.get(token, i))
            lengths.setdefault(token[0], set()).add(len(token))
        self._lengths = {first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}

    def fewest_tokens(self, data: bytes) -> tuple[int, ...]:
        """The spelling with the fewest tokens, then the longest first token (and so on), then the lowest ids.

        Raises `InvalidArgument` naming the byte where every spelling gets stuck.
        """
        steps = self._best_steps(data)
        ids, at = [], 0
        while at < len(data):
            length = steps[at]
            if not length:
                raise self._unspellable(data)
            ids.append(self._ids[data[at : at + length]])
            at += length
        return tuple(ids)

    def _best_steps(self, data: bytes) -> Sequence[int]:
        """Length of the best token at each position, 0 where the rest cannot be spelled."""
        unreachable = len(data) + 1
        counts = [unreachable] * len(data) + [0]
        steps = [0] * len(data)
        for at in reversed(range(len(data))):
            for length in self._matches(data, at):
                if counts[at + length] + 1 < counts[at]:
                    counts[at] = counts[at + length] + 1
                    steps[at] = length
        return steps

    def _matches(self, data: bytes, at: int) -> list[int]:
        """Lengths of the tokens that stand at `at`, longest first."""
        lengths = self._lengths.get(data[at], ())
        return [n for n in lengths if at + n <= len(data) and data[at : at + n] in self._ids]

    def _unspellable(self, data: bytes) -> InvalidArgument:
        reached = [True] + [False] * len(data)
        for at in range(len(data)):
            if reached[at]:
                for length in self._matches(data, at):
                    reached[at + length] = True
        stuck = max(at for at in range(len(data)) if reached[at])
        excerpt = data[max(0, stuck - 20) : stuck + 20]
        return InvalidArgument(
            f"no tokens spell the text: stuck at byte {stuck} (0x{data[stuck]:02x}) in {excerpt!r}",
            hint="this vocabulary has no token for it; leave the character out or use another model",
        )
