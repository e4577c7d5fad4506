"""Contrastive training of twists.

After Zhao, Brekelmans, Makhzani and Grosse, "Probabilistic inference in language models via
twisted sequential Monte Carlo" (ICML 2024). With p the model under its masks, sigma the posterior
and F the final weight of a text, the loss of the prefixes of length t is

    - E_sigma[log psi(x_1..t)] + log E_p[psi(x_1..t)],

whose gradient is that of log psi under sigma minus that under the twisted law, with the sign of a
loss, and whose minimum is psi = sigma / p, the mass ahead, up to a factor. Texts that have ended by t count
with F in the second term, and a square pulls that term to log Z, so that the factor is 1. Both
expectations are taken over weighted draws from p psi of this and earlier rounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pgen.errors import InvalidArgument, ZeroEvidence
from pgen.inference.twists.learned_twist import Features, LearnedTwist, TwistSettings, features, initial, outputs
from pgen.programs.process import TextProcess, TextState
from pgen.programs.text import TextDistribution
from pgen.sampling.logspace import log_sum_exp
from pgen.sampling.rng import CounterRng, Rng
from pgen.sampling.token_step import STOP, outcome_masses

LEARNING_RATE = 0.02


@dataclass
class _Path:
    """One draw: for each token what the network saw before it, the token, and log p / q of the prefix with it."""

    state: TextState
    seen: list[Features] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    log_ratios: list[float] = field(default_factory=list)
    log_ratio: float = 0.0
    log_final: float | None = None


@dataclass(frozen=True)
class _Batch:
    """Draws of one round: pairs (path, place) of unfinished prefixes, and each path's final weight."""

    seen: list[Features]
    tokens: torch.Tensor
    places: torch.Tensor
    paths: torch.Tensor
    log_ratios: torch.Tensor
    log_finals: torch.Tensor
    lengths: torch.Tensor

    @property
    def log_evidence(self) -> torch.Tensor:
        return torch.logsumexp(self.log_finals, 0) - math.log(len(self.log_finals))


def fit(
    text: TextDistribution, rounds: int, runs: int, epochs: int, seed: int, settings: TwistSettings | None
) -> LearnedTwist:
    """See `LearnedTwist.fit`."""
    if min(rounds, runs, epochs) < 1:
        raise InvalidArgument(f"rounds={rounds}, runs={runs}, epochs={epochs}: each must be at least 1")
    process = TextProcess(replace(text, guide=None, proposer=None, normalizer=None))
    settings = settings or TwistSettings(len(process.vocabulary))
    weights = {name: tensor.requires_grad_() for name, tensor in initial(settings, seed).items()}
    optimizer = torch.optim.Adam(weights.values(), lr=LEARNING_RATE)
    batches: list[_Batch] = []
    for number in range(rounds):
        paths = _draw(process, settings, weights, CounterRng(seed, (number,)), runs)
        if any(path.log_final is not None and path.log_final > -math.inf for path in paths):
            batches.append(_batch(paths))
        for _ in range(epochs if batches else 0):
            optimizer.zero_grad()
            loss = torch.stack([_loss(weights, settings, batch) for batch in batches]).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    if not batches:
        raise ZeroEvidence(
            f"none of {rounds * runs} draws has any weight: there is nothing to learn from", hint="raise runs"
        )
    return LearnedTwist(settings, {name: tensor.detach() for name, tensor in weights.items()})


def _loss(weights: dict[str, torch.Tensor], settings: TwistSettings, batch: _Batch) -> torch.Tensor:
    """The contrastive loss of one round, averaged over the lengths of prefixes."""
    rows = outputs(weights, settings, batch.seen)
    log_twists = rows.gather(1, batch.tokens[:, None])[:, 0]  # one a prefix
    posterior = torch.softmax(batch.log_finals, 0)
    terms = []
    for length in range(1, int(batch.lengths.max()) + 1):
        here = batch.places == length
        if not bool(here.any()):
            continue
        ended = batch.log_finals[batch.lengths < length]
        expected = torch.cat([batch.log_ratios[here] + log_twists[here], ended])
        log_mean = torch.logsumexp(expected, 0) - math.log(len(batch.log_finals))
        positive = (posterior[batch.paths[here]] * log_twists[here]).sum()
        terms.append(log_mean - positive + (log_mean - batch.log_evidence) ** 2)
    return torch.stack(terms).mean() if terms else 0.0 * rows.sum()


def _batch(paths: list[_Path]) -> _Batch:
    pairs = [(i, place) for i, path in enumerate(paths) for place in range(len(path.tokens))]
    finals = [-math.inf if path.log_final is None else path.log_final for path in paths]
    return _Batch(
        [paths[i].seen[place] for i, place in pairs],
        torch.tensor([paths[i].tokens[place] for i, place in pairs], dtype=torch.long),
        torch.tensor([place + 1 for _, place in pairs], dtype=torch.long),
        torch.tensor([i for i, _ in pairs], dtype=torch.long),
        torch.tensor([paths[i].log_ratios[place] for i, place in pairs]),
        torch.tensor(finals),
        torch.tensor([len(path.tokens) for path in paths], dtype=torch.long),
    )


def _draw(
    process: TextProcess, settings: TwistSettings, weights: dict[str, torch.Tensor], rng: Rng, runs: int
) -> list[_Path]:
    """Texts drawn token by token in proportion to p psi."""
    paths = [_Path(process.start) for _ in range(runs)]
    place = 0
    while active := [path for path in paths if path.log_final is None]:
        index: dict[tuple[int, ...], int] = {}
        rows = [index.setdefault(process.prefix(path.state), len(index)) for path in active]
        given = process.weigh(process.model.next_logits(list(index)))
        seen = [features(process, path.state, settings) for path in active]
        with torch.no_grad():
            log_twists = outputs(weights, settings, seen).numpy().astype(np.float64)
        numbers = [rng.at(place).at(i) for i, path in enumerate(paths) if path.log_final is None]
        for path, row, sees, twist, number in zip(active, rows, seen, log_twists, numbers, strict=True):
            stop, tokens, masses = outcome_masses(given, row, process.choice(path.state))
            _extend(process, path, sees, _listed(process, stop, tokens, masses, twist), number)
        place += 1
    return paths


def _listed(
    process: TextProcess,
    stop: float,
    tokens: NDArray[np.int64],
    masses: NDArray[np.float64],
    twist: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """`(outcomes, log masses, log twists)`; endings have the twist 1."""
    outcomes = np.append(tokens, STOP) if stop > 0 else tokens
    log_masses = np.log(np.append(masses, stop) if stop > 0 else masses)
    ends = np.isin(outcomes, [STOP, *process.vocabulary.eos])
    return outcomes, log_masses, np.where(ends, 0.0, twist[outcomes])


def _extend(
    process: TextProcess,
    path: _Path,
    seen: Features,
    listed: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
    rng: Rng,
) -> None:
    """One more token, or the end."""
    outcomes, log_masses, log_twists = listed
    if not len(outcomes):
        path.log_final = -math.inf
        return
    log_shares = log_masses + log_twists - log_sum_exp(log_masses + log_twists)
    running = np.cumsum(np.exp(log_shares))
    chosen = min(int(np.searchsorted(running, rng.uniform() * running[-1], side="right")), len(outcomes) - 1)
    path.log_ratio += float(log_masses[chosen] - log_shares[chosen])
    token = int(outcomes[chosen])
    if token == STOP or process.ends(token):
        path.log_final = path.log_ratio + process.log_final(process.text(path.state))
        return
    path.state = process.advance(path.state, token)
    text = process.finished(path.state)
    if text is not None:
        path.log_final = path.log_ratio + process.log_final(text)
        return
    path.seen.append(seen)
    path.tokens.append(token)
    path.log_ratios.append(path.log_ratio)
