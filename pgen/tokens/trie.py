"""The vocabulary as a byte trie in flat preorder arrays, the layout that mask kernels walk.

Node i is entered by byte `byte[i]` at depth `depth[i]`; its subtree is `i .. end[i]`,
so a dead branch is skipped by one assignment. `first[i] .. first[i + 1]` are the ids of
the tokens that end at node i (several where byte strings repeat); `only[i]` is the token
if there is one, `NONE` or `SEVERAL` otherwise, to spare the kernels a loop. Empty and special
tokens and EOS are left out. Built in one pass over the sorted tokens.

Masks, which skip most of what they look at, walk the same nodes in the order of their levels, with siblings side by
side (`Levels`): the bytes of sixty siblings lie in one cache line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

NONE, SEVERAL = -1, -2


class Trie(NamedTuple):
    """Preorder arrays over nodes; node 0 is the root, `(n,)` each, `first` `(n + 1,)`."""

    byte: NDArray[np.uint8]
    depth: NDArray[np.int32]
    end: NDArray[np.int32]
    first: NDArray[np.int32]
    tokens: NDArray[np.int32]
    only: NDArray[np.int32]


class Levels(NamedTuple):
    """Tries side by side in level order, roots first; the children of node i are `begin[i] .. begin[i + 1]`."""

    byte: NDArray[np.uint8]  # (n,)
    only: NDArray[np.int32]  # (n,) the token, `NONE`, or -2 - i where several end at node i of the preorder arrays
    begin: NDArray[np.int32]  # (n + 1,)


def build(tokens: Sequence[bytes] | Mapping[int, bytes], ids: Iterable[int]) -> Trie:
    """The trie of some tokens, looked up in a table; just a root if there are none."""
    ordered = sorted(ids, key=tokens.__getitem__)
    order, data = np.array(ordered, np.int32), [tokens[i] for i in ordered]
    lengths = np.array([len(token) for token in data], np.int64)
    text = np.frombuffer(b"".join(data) + b"\0", np.uint8)
    byte, depth, end, first, ended = _build(text, np.concatenate([[0], np.cumsum(lengths)]), order)
    counts = np.diff(first)
    only = np.where(counts == 0, NONE, SEVERAL).astype(np.int32)
    only[counts == 1] = ended[first[:-1][counts == 1]]
    return Trie(byte, depth, end, first, ended, only)


def joined(tries: Sequence[Trie]) -> tuple[Trie, NDArray[np.int32]]:
    """Several tries in one set of arrays, and where each begins (with its root) and the last ends."""
    bounds = np.cumsum([0, *(len(trie.byte) for trie in tries)]).astype(np.int32)
    tokens = np.cumsum([0, *(len(trie.tokens) for trie in tries)]).astype(np.int32)
    return Trie(
        byte=np.concatenate([trie.byte for trie in tries]),
        depth=np.concatenate([trie.depth for trie in tries]),
        end=np.concatenate([trie.end + start for trie, start in zip(tries, bounds, strict=False)]),
        first=np.concatenate(
            [*(trie.first[:-1] + start for trie, start in zip(tries, tokens, strict=False)), tokens[-1:]]
        ),
        tokens=np.concatenate([trie.tokens for trie in tries]),
        only=np.concatenate([trie.only for trie in tries]),
    ), bounds


def levels(trie: Trie, roots: NDArray[np.int32]) -> Levels:
    """The nodes of a trie, or of several that begin at `roots`, level by level."""
    return Levels(*_levels(trie.byte, trie.end, trie.only, roots))


@njit(cache=True)
def _levels(
    byte: NDArray[np.uint8],
    end: NDArray[np.int32],
    only: NDArray[np.int32],
    roots: NDArray[np.int32],
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32]]:
    n_nodes = byte.shape[0]
    order, begin, names = np.empty(n_nodes, np.int32), np.empty(n_nodes + 1, np.int32), np.empty(n_nodes, np.int32)
    bytes_of, count = np.empty(n_nodes, np.uint8), roots.shape[0]
    for root in range(count):
        order[root] = roots[root]
    for here in range(n_nodes):
        node, begin[here] = order[here], count
        bytes_of[here] = byte[node]
        child = node + 1
        while child < end[node]:
            order[count], child = child, end[child]
            count += 1
        names[here] = -2 - node if only[node] == SEVERAL else only[node]
    begin[n_nodes] = n_nodes
    return bytes_of, names, begin


@njit(cache=True)
def _build(
    data: NDArray[np.uint8], start: NDArray[np.int64], ids: NDArray[np.int32]
) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Sorted tokens `data[start[k]:start[k + 1]]` to preorder arrays."""
    most = start[-1] + 1
    byte, depth = np.zeros(most, np.uint8), np.zeros(most, np.int32)
    end, first = np.zeros(most, np.int32), np.zeros(most + 1, np.int32)
    path = np.zeros(most + 1, np.int32)
    count, level = 1, 0
    for k in range(ids.shape[0]):
        length = start[k + 1] - start[k]
        shared = 0
        if k > 0:
            previous = start[k] - start[k - 1]
            while shared < min(length, previous) and data[start[k] + shared] == data[start[k - 1] + shared]:
                shared += 1
        while level > shared:
            end[path[level]] = count
            level -= 1
        while level < length:
            byte[count], depth[count] = data[start[k] + level], level + 1
            level += 1
            path[level] = count
            count += 1
        # Tokens in sorted order end at nodes in preorder, so counting is enough for CSR.
        first[path[level] + 1] += 1
    for open_level in range(level + 1):
        end[path[open_level]] = count
    for node in range(count):
        first[node + 1] += first[node]
    return byte[:count].copy(), depth[:count].copy(), end[:count].copy(), first[: count + 1].copy(), ids
