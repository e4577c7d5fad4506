"""The log of a training run: one JSON file, written anew at every report."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import torch


class TrainingLog:
    """What was trained, on what, how, and how far it came: `nats` are per molecule, times in processor seconds."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._path = path
        machine = {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
        self._record: dict[str, Any] = {**about, "torch": torch.__version__, **machine, "progress": []}

    def progress(self, step: int, seconds: float, train_nats: float, held_out_nats: float) -> None:
        """Adds a line: the mean since the last line, and the first few held-out molecules."""
        line = {"step": step, "seconds": round(seconds), "train": round(train_nats, 3)}
        self._record["progress"].append({**line, "held_out_512": round(held_out_nats, 3)})
        self._write()

    def finish(self, steps: int, seconds: float, held_out_nats: float) -> None:
        """Adds the result over all held-out molecules."""
        self._record["result"] = {"steps": steps, "seconds": round(seconds), "held_out": round(held_out_nats, 3)}
        self._write()

    def _write(self) -> None:
        self._path.write_text(json.dumps(self._record, indent=1) + "\n")
