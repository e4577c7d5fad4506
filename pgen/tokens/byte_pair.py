"""Byte-pair encoding from ranks: the canonical spelling of tiktoken and tekken vocabularies.

A pattern splits the text into pieces; in each piece the adjacent pair whose joint
bytes have the lowest rank is merged until none has a rank (Sennrich et al. 2016,
arXiv:1508.07909). Candidates wait in a heap over a linked list: O(n log n) a piece.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

import regex

from pgen.errors import InvalidVocabulary


class BytePairSpeller:
    """Text to ids by ranks: `ranks` maps bytes to rank, an id is `rank + first_id`."""

    def __init__(self, ranks: Mapping[bytes, int], pattern: str, *, first_id: int = 0) -> None:
        try:
            self._pattern = regex.compile(pattern)
        except regex.error as error:
            raise InvalidVocabulary(f"the splitting pattern {pattern!r} is malformed: {error}") from None
        self._ranks = ranks
        self._first_id = first_id

    def __call__(self, text: str) -> Sequence[int]:
        """The ids of `text`. Characters that the pattern does not match, and bytes without a rank, are left out."""
        ids: list[int] = []
        for piece in self._pattern.finditer(text):
            ids.extend(self._merge(piece.group().encode()))
        return ids

    def _merge(self, piece: bytes) -> list[int]:
        whole = self._ranks.get(piece)
        if whole is not None:
            return [whole + self._first_id]
        ends = _merged_ends(piece, self._ranks)
        parts = [piece[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        if any(part not in self._ranks for part in parts):
            return []
        return [self._ranks[part] + self._first_id for part in parts]


def _merged_ends(piece: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """End offsets of the parts left when no pair of neighbours has a rank."""
    n = len(piece)
    end = list(range(1, n + 1))  # end[i]: where the part that starts at i ends; 0 once it was merged away
    before = list(range(-1, n - 1))
    heap: list[tuple[int, int, int]] = []

    def offer(start: int) -> None:
        """Queue the merge of the part at `start` with its right neighbour."""
        if start >= 0 and end[start] < n:
            stop = end[end[start]]
            rank = ranks.get(piece[start:stop])
            if rank is not None:
                heapq.heappush(heap, (rank, start, stop))

    for start in range(n - 1):
        offer(start)
    while heap:
        _, start, stop = heapq.heappop(heap)
        middle = end[start]
        if not middle or middle >= n or end[middle] != stop:
            continue  # one of the two was merged since
        end[start], end[middle] = stop, 0
        if stop < n:
            before[stop] = start
        offer(start)
        offer(before[start])
    return [stop for stop in end if stop]
