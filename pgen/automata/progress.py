"""Says that kernels are being compiled while they are: the first masks on a machine take most of a minute.

numba announces every compilation to its listeners, not what it reads from its cache. On
a terminal or in a notebook a spinner names the kernel at hand; elsewhere nothing is written.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba.core import event


class _Spinner(event.Listener):
    """Shown from the start of the outermost compilation of one of our kernels to its end."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._n_kernels = 0
        self._status: Any = None

    def on_start(self, event: Any) -> None:
        kernel = event.data["dispatcher"].py_func
        self._open.append(kernel.__name__)
        self._n_kernels += 1
        if self._status is None and kernel.__module__.startswith("pgen."):
            from rich.console import Console

            self._status = Console(stderr=True).status("")
            self._status.start()
        if self._status is not None:
            text = f"pgen compiles its kernels, once on this machine: {kernel.__name__} ({self._n_kernels})"
            self._status.update(text)

    def on_end(self, event: Any) -> None:
        self._open.pop()
        if not self._open and self._status is not None:
            self._status.stop()
            self._status = None


@cache
def announce_compilations() -> None:
    """From now on, in this process."""
    event.register("numba:compile", _Spinner())
