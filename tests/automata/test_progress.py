"""Compilations are shown on a terminal, and only there."""

import io

import pytest
import rich.console
from numba import njit

from pgen.automata.progress import _Spinner


class Terminal(io.StringIO):
    def isatty(self):
        return True


def events(spinner, names):
    """Compilations of kernels of pgen, each within the one before it."""

    class Event:
        def __init__(self, name):
            def kernel():
                pass

            kernel.__name__, kernel.__module__ = name, "pgen.automata.kernels"
            self.data = {"dispatcher": njit(kernel)}

    for name in names:
        spinner.on_start(Event(name))
    for name in names:
        spinner.on_end(Event(name))


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_names_the_kernels(monkeypatch, is_terminal):
    written = Terminal() if is_terminal else io.StringIO()
    console = rich.console.Console(file=written, force_terminal=is_terminal, width=120)
    monkeypatch.setattr(rich.console, "Console", lambda **_: console)
    spinner = _Spinner()
    events(spinner, ["outer", "inner"])
    events(spinner, ["third"])
    assert spinner._status is None
    assert ("third (3)" in written.getvalue()) == is_terminal
    assert ("once on this machine" in written.getvalue()) == is_terminal
