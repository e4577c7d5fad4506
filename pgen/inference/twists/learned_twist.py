"""Learned twists: a small network that guesses how much mass an unfinished text is still worth.

One pass gives log psi after every token that may follow a prefix:

    log psi(x, v) = w_v . tanh(a_state + sum of b_(i, x_(n-i)) + sum of c_(x_j) + n d) + u_v

with embeddings of the automaton's state (by its mask, so that they mean the same in every session), of the
last `window` tokens, of all tokens as a bag, and the length n. Training is contrastive
(`pgen.inference.twists.twist_training`). A twist only shapes proposals and resampling; weights keep
the result exact however badly it has learned.
"""

from __future__ import annotations

import json
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument
from pgen.language.base import late
from pgen.programs.process import TextProcess, TextState
from pgen.programs.text import TextDistribution

if TYPE_CHECKING:
    import torch

MAX_ROWS = 1 << 14
"""Prefixes whose outputs are kept."""


@dataclass(frozen=True)
class TwistSettings:
    """The network: `n_tokens` of the vocabulary, `n_states` buckets of automaton states, sizes."""

    n_tokens: int
    n_states: int = 64
    window: int = 3
    width: int = 32


class Features(NamedTuple):
    """What the network sees of one prefix."""

    state: int
    last: tuple[int, ...]
    tokens: tuple[int, ...]


class LearnedTwist:
    """A trained network; `text.guided(twist)` uses it for the text it was trained on, or for similar ones."""

    def __init__(self, settings: TwistSettings, weights: dict[str, torch.Tensor]) -> None:
        self.settings = settings
        self.weights = weights

    @classmethod
    def fit(
        cls,
        text: TextDistribution,
        *,
        rounds: int = 3,
        runs: int = 128,
        epochs: int = 150,
        seed: int = 0,
        settings: TwistSettings | None = None,
    ) -> LearnedTwist:
        """Train on draws from `text` under the twist so far: `rounds` times `runs` draws and `epochs` passes.

        Raises `ZeroEvidence` if no draw has any weight: there is nothing to learn from.
        """
        made: LearnedTwist = late("pgen.inference.twists.twist_training:fit")(
            text, rounds, runs, epochs, seed, settings
        )
        return made

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """What `save` has written. Raises `InvalidArgument` for another kind of file."""
        from safetensors import safe_open

        with safe_open(str(path), framework="pt") as file:
            found = (file.metadata() or {}).get("pgen_twist")
            if found is None:
                raise InvalidArgument(f"{path} holds no learned twist")
            return cls(TwistSettings(**json.loads(found)), {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118

    def save(self, path: str | Path) -> None:
        """Write weights and settings to one safetensors file."""
        from safetensors.torch import save_file

        save_file(self.weights, str(path), metadata={"pgen_twist": json.dumps(asdict(self.settings))})

    def bind(self, process: TextProcess) -> BoundLearnedTwist:
        """The twist for one text; raises `InvalidArgument` for a vocabulary of another size."""
        if len(process.vocabulary) != self.settings.n_tokens:
            raise InvalidArgument(
                f"the twist was learned over {self.settings.n_tokens} tokens, the model has {len(process.vocabulary)}"
            )
        return BoundLearnedTwist(self, process)


class BoundLearnedTwist:
    """A learned twist on the states of one process."""

    def __init__(self, twist: LearnedTwist, process: TextProcess) -> None:
        self._twist = twist
        self._process = process
        self._rows: OrderedDict[tuple[int, ...], NDArray[np.float64]] = OrderedDict()

    def log_at(self, state: TextState) -> float:
        if not state.tokens:
            return 0.0
        before = self._process.start
        for token in state.tokens[:-1]:
            before = self._process.advance(before, token)
        judged = self._process.critics.of_prefix(self._process.certain_text(state))
        log_twist = float(self._row(before)[state.tokens[-1]])
        return log_twist - judged if np.isfinite(judged) else log_twist

    def log_after(self, state: TextState, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._row(state)[tokens]

    def _row(self, state: TextState) -> NDArray[np.float64]:
        """`(V,)` log psi after each token."""
        if state.tokens not in self._rows:
            if len(self._rows) >= MAX_ROWS:
                self._rows.popitem(last=False)
            found = outputs(
                self._twist.weights, self._twist.settings, [features(self._process, state, self._twist.settings)]
            )
            self._rows[state.tokens] = found[0].detach().numpy().astype(np.float64)
        return self._rows[state.tokens]


def features(process: TextProcess, state: TextState, settings: TwistSettings) -> Features:
    """What the network sees of `state`."""
    automaton = process.automaton
    seen = automaton.mask(state.automaton).tobytes() + bytes([automaton.is_accepting(state.automaton)])
    padded = (*[settings.n_tokens] * settings.window, *state.tokens)
    last = padded[len(padded) - settings.window :]
    return Features(zlib.crc32(seen) % settings.n_states, last, state.tokens)


def initial(settings: TwistSettings, seed: int) -> dict[str, torch.Tensor]:
    """Small random embeddings; outputs begin at 0, where every twist is 1."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "state": (settings.n_states, settings.width),
        "last": (settings.window * (settings.n_tokens + 1), settings.width),
        "bag": (settings.n_tokens, settings.width),
        "length": (settings.width,),
    }
    weights = {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    weights["out"] = torch.zeros(settings.n_tokens, settings.width)
    weights["bias"] = torch.zeros(settings.n_tokens)
    return weights


def outputs(weights: dict[str, torch.Tensor], settings: TwistSettings, seen: Sequence[Features]) -> torch.Tensor:
    """`(B, V)` log psi after each token, for a batch of prefixes."""
    import torch
    from torch.nn.functional import embedding_bag

    offsets = np.cumsum([0, *(len(prefix.tokens) for prefix in seen[:-1])])
    flat = torch.tensor([token for prefix in seen for token in prefix.tokens], dtype=torch.long)
    places = torch.arange(settings.window) * (settings.n_tokens + 1)
    last = torch.tensor([prefix.last for prefix in seen], dtype=torch.long) + places  # (B, window)
    lengths = torch.tensor([[len(prefix.tokens)] for prefix in seen], dtype=torch.float32)  # (B, 1)
    hidden = weights["state"][torch.tensor([prefix.state for prefix in seen])] + weights["last"][last].sum(dim=1)
    hidden = hidden + embedding_bag(flat, weights["bag"], torch.as_tensor(offsets), mode="sum")
    hidden = hidden + torch.log1p(lengths) * weights["length"]
    return torch.tanh(hidden) @ weights["out"].T + weights["bias"]
