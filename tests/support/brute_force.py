"""The posterior over a few strings on a real model, through plain `transformers`: nothing of pgen is used.

Level by level over token prefixes: one batched forward pass gives the next-token
probabilities of all prefixes of one length, each is extended by every token that
continues some string. Prefixes of less than `NEGLIGIBLE` mass relative to the
heaviest of the whole level before are left out; their total is returned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

NEGLIGIBLE = 1e-9


class Exact(NamedTuple):
    """Share of each string, log of the total mass, and the share that was left out."""

    shares: dict[str, float]
    log_evidence: float
    neglected: float


def token_bytes(tokenizer: Any) -> list[bytes | None]:
    """id -> bytes for a byte-level BPE tokenizer (`None` for special tokens), by inverting GPT-2's byte alphabet."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    alphabet = {chr(b): b for b in printable} | {chr(256 + n): b for n, b in enumerate(others)}
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    special = set(tokenizer.all_special_ids)
    return [None if i in special else bytes(alphabet[c] for c in piece) for i, piece in enumerate(pieces)]


class BruteForce:
    """Posteriors of one `transformers` model and tokenizer."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._bytes = token_bytes(tokenizer)
        self._ids: defaultdict[bytes, list[int]] = defaultdict(list)
        for i, data in enumerate(self._bytes):
            if data:
                self._ids[data].append(i)
        self._eos = tokenizer.eos_token_id

    def posterior(self, prompt: Sequence[int], members: Sequence[str], rule: str) -> Exact:
        """The exact answer for `members` under an end rule (`eos`, `match` or `prefix`)."""
        targets = [text.encode() for text in members]
        masses, neglected = dict.fromkeys(members, 0.0), 0.0
        level: dict[tuple[int, ...], float] = {(): 1.0}
        while level:
            rows = self._probabilities(list(prompt), list(level))
            following: dict[tuple[int, ...], float] = {}
            for (path, mass), row in zip(level.items(), rows, strict=True):
                text = b"".join(self._bytes[i] or b"" for i in path)
                staying = self._staying(text, targets)
                if text in targets:
                    masses[text.decode()] += mass * self._ending(row, staying, rule)
                following |= {(*path, i): mass * float(row[i]) for i in staying}
            heaviest = max([*following.values(), *masses.values()])
            level = {path: mass for path, mass in following.items() if mass >= NEGLIGIBLE * heaviest}
            neglected += sum(following.values()) - sum(level.values())
        total = sum(masses.values())
        log_evidence = float(torch.tensor(total, dtype=torch.float64).log())
        return Exact({text: mass / total for text, mass in masses.items()}, log_evidence, neglected / total)

    def _staying(self, text: bytes, targets: Sequence[bytes]) -> list[int]:
        tails = {t[len(text) : end] for t in targets if t.startswith(text) for end in range(len(text) + 1, len(t) + 1)}
        return [i for tail in tails for i in self._ids.get(tail, [])]

    def _ending(self, row: torch.Tensor, staying: list[int], rule: str) -> float:
        if rule == "eos":
            return float(row[self._eos])
        return 1.0 if rule == "prefix" else float(1 - row[staying].sum())

    @torch.inference_mode()
    def _probabilities(self, prompt: list[int], paths: list[tuple[int, ...]]) -> list[torch.Tensor]:
        """float64 probabilities after prompt + path; all paths have one length."""
        rows: list[torch.Tensor] = []
        for start in range(0, len(paths), 32):
            block = paths[start : start + 32]
            logits = self._model(torch.tensor([[*prompt, *path] for path in block]), logits_to_keep=1).logits
            rows += list(logits[:, -1].double().softmax(-1))
        return rows
