"""Parts of a pass, one a processor: tokens that look at one another stay together, so that parts need not wait.

In a pass over a tree of tokens the descendants of one of its roots look at each other and at what was there
before; in a pass over rows, the tokens of one row do. Such families are dealt out, the largest first, to
the part that has the fewest tokens (Graham's rule: at most 4/3 of the best). Results do not depend on the parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

from pgen.backends.autoregressive.coded_kernels import Floats
from pgen.backends.autoregressive.decoder_kernels import Ints, Seats

FEWEST = 4
"""Tokens that make a part worth its own reading of the weights."""
FEWEST_PROCESSORS = 1.2
"""Processors that a pass in parts must have had for the next one to be shared out."""
PASSES_ALONE = 16
"""Passes on one thread after one in parts that had fewer processors."""


def parts(seats: Seats, width: int, most: int) -> list[Ints]:
    """Indices of the tokens in at most `most` parts, ascending; `seats` are those of rows of `width` tokens."""
    n_tokens = len(seats.rows)
    most = min(most, n_tokens // FEWEST)
    if most <= 1:
        return [np.arange(n_tokens)]
    first, family, sizes = np.unique(_roots(seats, width), return_inverse=True, return_counts=True)
    part, loads = np.empty(len(first), np.int64), np.zeros(most, np.int64)
    for i in np.argsort(-sizes, kind="stable").tolist():
        part[i] = loads.argmin()
        loads[part[i]] += sizes[i]
    return [np.flatnonzero(part[family] == n) for n in range(most) if loads[n]]


def _roots(seats: Seats, width: int) -> Ints:
    """`(R,)` for each token the first one of its row in this pass that it sees: paths begin with their root."""
    slots = seats.slots.reshape(-1, width)
    row = np.arange(len(seats.rows)) // width
    sees: NDArray[np.bool_] = np.take_along_axis(seats.visible, slots[row], axis=1)  # (R, width)
    return np.asarray(row * width + sees.argmax(axis=1), np.int64)


class Crew:
    """Threads that run parts of passes, unless the last ones had no processors of their own: then parts only cost."""

    def __init__(self) -> None:
        self._passes_alone = 0

    @property
    def size(self) -> int:
        """Among how many threads to share out the next pass."""
        return 1 if self._passes_alone else torch.get_num_threads()

    def run(self, task: Callable[[Ints], Floats], shares: Sequence[Ints]) -> list[Floats]:
        """What `task` gives for each share; every one but the first runs on a thread of its own."""
        if len(shares) == 1:
            self._passes_alone = max(self._passes_alone - 1, 0)
            return [task(shares[0])]
        wall, busy = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(len(shares) - 1) as others:
            running = [others.submit(task, share) for share in shares[1:]]
            found = [task(shares[0]), *(other.result() for other in running)]
        processors = (time.process_time() - busy) / (time.perf_counter() - wall)
        self._passes_alone = PASSES_ALONE if processors < FEWEST_PROCESSORS else 0
        return found
