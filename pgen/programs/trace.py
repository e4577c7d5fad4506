"""What a run of a program has done so far: an immutable linked list of entries.

Extending a trace shares its past, so a thousand particles that came from one
ancestor hold its history once and copying a particle is copying a reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from pgen.programs.values import immutable

Kind = Literal["sample", "observe", "factor", "deterministic"]


@immutable()
class Entry:
    """One statement's outcome; `log_weight` (nats) is what it multiplied into the run's weight.

    `hidden` entries (`pgen.handlers.block`) weigh like others but have no public name.
    """

    address: str
    kind: Kind
    value: Any
    log_weight: float = 0.0
    hidden: bool = False


@immutable(eq=False, repr=False, weakref_slot=True)
class Trace:
    """Entries in order of execution; `n_choices` counts samples and observations."""

    parent: Trace | None = None
    entry: Entry | None = None
    n_choices: int = 0

    def extend(self, entry: Entry) -> Trace:
        """This trace and one more entry."""
        return Trace(self, entry, self.n_choices + (entry.kind in ("sample", "observe")))

    def entries(self) -> list[Entry]:
        """First to last."""
        return list(self._backwards())[::-1]

    def values(self) -> dict[str, Any]:
        """Sampled and deterministic values by address."""
        return {e.address: e.value for e in self._visible() if e.kind in ("sample", "deterministic")}

    def choices(self) -> dict[str, Any]:
        """Sampled values by address."""
        return {e.address: e.value for e in self._visible() if e.kind == "sample"}

    @property
    def log_weight(self) -> float:
        """Sum of the entries' log weights."""
        return math.fsum(entry.log_weight for entry in self._backwards())

    def __repr__(self) -> str:
        return f"Trace({', '.join(f'{e.kind} {e.address!r}: {e.value!r}' for e in self.entries())})"

    def _visible(self) -> list[Entry]:
        return [entry for entry in self.entries() if not entry.hidden]

    def _backwards(self) -> Iterator[Entry]:
        here: Trace | None = self
        while here is not None and here.entry is not None:
            yield here.entry
            here = here.parent
