"""Any left-to-right model, byte by byte: exact next-byte probabilities, every spelling summed.

`lm.bytes()` is an ordinary left-to-right model whose tokens are the 256 bytes, so a text
has one spelling and everything else works on it: models of different vocabularies can
be multiplied, a prompt may end in the middle of a token, `log_prob` needs no search. The
algorithm is that of `pgen.backends.covers`. Exact without pruning; with `prune`, each
byte gives up at most that share of the mass, and `log_mass_bounds` says what is certain.

Mass that is no text (special tokens) stays where it is, on an id that is never
allowed, so masses of texts are those of the tokenised model. After bytes that no
tokens spell, all mass is there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgen.backends.base import Autoregressive, Message, TokenMeasure, Tokens
from pgen.backends.covers import OTHER, ROOT, Cover, CoverTable, Prefix, Row, byte_vocabulary
from pgen.backends.text_model import TextModel
from pgen.errors import InvalidArgument, LimitExceeded, ModelError
from pgen.programs.process import shaped
from pgen.programs.text import TextDistribution, text_distribution
from pgen.sampling.truncation import Truncation

MAX_ROWS = 256
"""Contexts whose next-token probabilities are kept."""
MAX_PREFIXES = 4096
"""Byte prefixes whose covers are kept."""
BATCH = 32
"""Contexts in one call of the tokenised model."""


class ByteModel(TextModel):
    """`model` after the tokens `context`, as a model over bytes.

    `prune`: share of the mass that each byte may give up, 0 for none. `heal`: how many of
    a prompt's last tokens may be spelled anew (`None`: all), so that a prompt need not end
    at a token's end. `temperature` and `truncate` shape the tokens. Raises `LimitExceeded`
    where a prefix has more than `max_covers` groups of covers.
    """

    def __init__(
        self,
        model: Autoregressive,
        context: Tokens | None = None,
        *,
        prune: float = 0.0,
        heal: int | None = 1,
        max_covers: int = 4096,
        temperature: float = 1.0,
        truncate: Truncation | None = None,
    ) -> None:
        if not 0 <= prune < 1:
            raise InvalidArgument(f"prune={prune}: must lie in [0, 1)")
        if heal is not None and heal < 0:
            raise InvalidArgument(f"heal={heal}: must not be negative")
        self.model = model
        self.context = model.encode("") if context is None else context
        self.prune, self.heal, self.max_covers = prune, heal, max_covers
        self.vocabulary = byte_vocabulary()
        self.context_length = model.context_length - len(self.context)
        self.name = f"{model.name} in bytes"
        self.temperature, self.truncate = temperature, truncate
        self._table = CoverTable(model.vocabulary)
        self._rows: OrderedDict[Tokens, Row] = OrderedDict()
        self._prefixes: OrderedDict[Tokens, Prefix] = OrderedDict()

    def after(self, context: Tokens) -> ByteModel:
        """The same model after other tokens."""
        settings = {"prune": self.prune, "heal": self.heal, "max_covers": self.max_covers}
        shape = {"temperature": self.temperature, "truncate": self.truncate}
        return self if context == self.context else ByteModel(self.model, context, **settings, **shape)  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByteModel) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> Hashable:
        settings = self.prune, self.heal, self.max_covers, self.temperature, self.truncate
        return self.model, self.context, *settings

    def text(self, prompt: str, **settings: Any) -> TextDistribution:
        """The distribution after `prompt`, its last `heal` tokens open; settings as for any model, counted in bytes."""
        return self._opened(self.model.encode(prompt), settings)

    def chat(self, messages: str | Sequence[Message], **settings: Any) -> TextDistribution:
        """The distribution of the assistant's answer; settings as for any model, counted in bytes."""
        conversation = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)
        return self._opened(self.model.encode_chat(conversation), {**settings, "chat": True})

    def _opened(self, tokens: Tokens, settings: dict[str, Any]) -> TextDistribution:
        text_ids = set(self.model.vocabulary.text_ids.tolist())
        n_open = next((n for n, token in enumerate(reversed(tokens)) if token not in text_ids), len(tokens))
        n_open = n_open if self.heal is None else min(n_open, self.heal)
        closed = len(tokens) - n_open
        prompt = tuple(self.model.vocabulary.decode(tokens[closed:]))
        return text_distribution(self.after(tokens[:closed]), prompt, **settings)

    def encode(self, prompt: str) -> Tokens:
        """The bytes of `prompt` as token ids 0 to 255."""
        return tuple(prompt.encode())

    def encode_chat(self, messages: Sequence[Message]) -> Tokens:
        """Raises `ModelError`: a conversation is encoded by the tokenised model, see `chat`."""
        raise ModelError(f"{self.name} encodes no conversation by itself", hint="use .chat(messages)")

    def next_logits(self, prefixes: Sequence[Tokens]) -> NDArray[np.float64]:
        """`(B, 258)` log masses of the next byte, of the end and of what is no text, after each byte prefix."""
        found = self._covered([tuple(prefix) for prefix in prefixes])
        rows = self._rows_after(cover.context for prefix in found for cover in prefix.covers)
        masses = np.stack([self._table.next_log_masses(prefix, rows) for prefix in found])  # (B, 258)
        masses[np.isneginf(masses).all(axis=1), OTHER] = 0.0
        return masses

    def path_logits(self, prefix: Tokens, continuation: Tokens) -> NDArray[np.float64]:
        """`(n + 1, 258)` log masses after `prefix` and after each byte of `continuation`."""
        return self.next_logits([prefix + continuation[:n] for n in range(len(continuation) + 1)])

    def log_mass_bounds(self, text: str | bytes) -> tuple[float, float]:
        """Lower and upper bound of the log probability that what the model writes begins with `text`."""
        data = text.encode() if isinstance(text, str) else text
        (prefix,) = self._covered([tuple(data)])
        rows = self._rows_after(cover.context for cover in prefix.covers)
        masses = self._table.next_log_masses(prefix, rows)
        low = float(np.logaddexp.reduce(masses))
        return low, float(np.logaddexp(low, prefix.log_lost))

    def _covered(self, prefixes: Sequence[Tokens]) -> list[Prefix]:
        """Covers of some prefixes, advanced byte by byte from the longest known ones, side by side."""
        found: dict[Tokens, Prefix] = {(): Prefix((Cover(self.context, ROOT, 0.0),))}
        missing: set[Tokens] = set()
        for prefix in prefixes:
            length = len(prefix)
            while length and prefix[:length] not in missing and not self._recall(prefix[:length], found):
                missing.add(prefix[:length])
                length -= 1
        for level in _by_length(missing):
            parents = {prefix[:-1] for prefix in level}
            rows = self._rows_after(cover.context for parent in parents for cover in found[parent].covers)
            for prefix in level:
                found[prefix] = self._advanced(found[prefix[:-1]], prefix, rows)
        return [found[prefix] for prefix in prefixes]

    def _recall(self, prefix: Tokens, found: dict[Tokens, Prefix]) -> bool:
        if prefix in self._prefixes:
            self._prefixes.move_to_end(prefix)
            found[prefix] = self._prefixes[prefix]
        return prefix in found

    def _advanced(self, parent: Prefix, prefix: Tokens, rows: dict[Tokens, Row]) -> Prefix:
        self._check(prefix)
        after = self._table.advance(parent, prefix[-1], rows, self.prune) if prefix[-1] < 256 else Prefix(())
        if len(after.covers) > self.max_covers:
            raise LimitExceeded(
                f"{self.name}: {bytes(prefix)!r} has more than {self.max_covers} groups of covers",
                hint="drop unlikely spellings, for instance with .bytes(prune=1e-4)",
            )
        self._prefixes[prefix] = after
        if len(self._prefixes) > MAX_PREFIXES:
            self._prefixes.popitem(last=False)
        return after

    def _check(self, prefix: Tokens) -> None:
        if len(prefix) > self.context_length:
            raise ModelError(f"{self.name}: {len(prefix)} bytes, but the context holds {self.context_length} tokens")

    def _rows_after(self, contexts: Iterable[Tokens]) -> dict[Tokens, Row]:
        """Next-token probabilities after contexts, each evaluated once."""
        wanted = dict.fromkeys(contexts)
        rows = {context: self._rows[context] for context in wanted if context in self._rows}
        missing = [context for context in wanted if context not in rows]
        for start in range(0, len(missing), BATCH):
            block = missing[start : start + BATCH]
            given = shaped(self.model.next_logits(block), self.temperature, self.truncate)
            for context, row, total in zip(block, given.weights, given.totals, strict=True):
                rows[context] = self._rows[context] = self._table.row(row, float(total))
        while len(self._rows) > MAX_ROWS:
            self._rows.popitem(last=False)
        return rows


def _by_length(prefixes: Iterable[Tokens]) -> Iterator[list[Tokens]]:
    levels: dict[int, list[Tokens]] = {}
    for prefix in prefixes:
        levels.setdefault(len(prefix), []).append(prefix)
    for length in sorted(levels):
        yield sorted(levels[length])


def in_bytes(distribution: TextDistribution, prune: float = 0.0) -> TextDistribution:
    """The same distribution over a byte model: texts keep their mass, each has one spelling.

    Under the rules "eos" and "stop" masses are those of `distribution`; under "match" and
    "prefix" they are those of bytes, where a token that runs past the text counts as
    what its bytes are. Raises `InvalidArgument` for `max_tokens`, which bytes cannot count.
    """
    if distribution.model.vocabulary == byte_vocabulary():
        return distribution
    if isinstance(distribution.model, TokenMeasure):
        raise InvalidArgument("a product over tokens has no bytes", hint="use product(p, q, over='bytes')")
    if distribution.max_tokens is not None:
        raise InvalidArgument(
            f"max_tokens={distribution.max_tokens} counts tokens, and bytes know none",
            hint="leave it out and limit bytes: .given(language.max_bytes(n)), or product(..., max_bytes=n)",
        )
    model = ByteModel(
        distribution.model,
        distribution.prompt,
        prune=prune,
        heal=0,
        temperature=distribution.temperature,
        truncate=distribution.truncate,
    )
    return replace(distribution, model=model, prompt=(), temperature=1.0, truncate=None)
