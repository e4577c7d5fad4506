"""The garbage collector asked to look less often while a run lasts.

Runs make many small objects that refer to their past only, so that counting references frees them; the
collector, which looks for cycles whenever a few hundred objects more are alive, would walk them all again and
again. With a thousand suspended programs that is a third of the time.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = 100_000
"""New objects between two looks."""


class _Patience:
    """How many runs are under way, in all threads, and the threshold from before the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_runs, self._before = 0, (0, 0, 0)

    def begin(self) -> None:
        with self._lock:
            if not self._n_runs:
                self._before = gc.get_threshold()
                # A threshold of 0 means that somebody has switched the collector off.
                if 0 < self._before[0] < SELDOM:
                    gc.set_threshold(SELDOM, *self._before[1:])
            self._n_runs += 1

    def end(self) -> None:
        with self._lock:
            self._n_runs -= 1
            if not self._n_runs:
                gc.set_threshold(*self._before)


_PATIENCE = _Patience()


@contextmanager
def seldom() -> Iterator[None]:
    """Within, at most every `SELDOM` new objects lead to a look."""
    _PATIENCE.begin()
    try:
        yield
    finally:
        _PATIENCE.end()
