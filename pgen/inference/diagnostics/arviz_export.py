"""A posterior as ArviZ `InferenceData`, for its plots, summaries and files.

Group `posterior` holds one variable a site (latent choices and deterministic values), shape
`(chain, draw)`: numbers and truth values as they are, anything else (texts, tuples) as codes
0, 1, ... in falling order of probability, with `labels` (JSON) among the variable's attributes. A
run that did not reach a site has NaN there, or the code -1. Group `sample_stats` holds `lp`, the
log weight that the run's statements earned, and `log_weight` where runs keep their weights. The
attributes say label, method, log evidence and model evaluations.

ArviZ takes draws to be equally likely. Weighted runs are therefore resampled systematically (run i
appears floor or ceil of n w_i times; no randomness) and put in a fixed shuffled order, so that
ArviZ's autocorrelations see no pattern; its effective sample size is then about n and says
nothing of the weights: ask `posterior.ess`.
"""

from __future__ import annotations

import importlib
import json
import math
from collections import Counter
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pgen.errors import InvalidArgument, MissingPackage
from pgen.inference.posterior import Posterior

if TYPE_CHECKING:
    import arviz


def to_arviz(posterior: Posterior, draws: int = 1000, weighted: bool = False) -> arviz.InferenceData:
    """See `Posterior.to_arviz`. Raises `MissingPackage` without ArviZ."""
    az = _arviz()
    if draws < 1:
        raise InvalidArgument(f"draws={draws}: must be at least 1")
    n_chains: int = getattr(posterior, "n_chains", 0)
    keeps_runs = weighted or n_chains > 0
    chosen = np.arange(len(posterior.values)) if keeps_runs else _resampled(posterior.weights, draws)
    shape = max(n_chains, 1), -1
    variables, labels = _variables(posterior, chosen, shape)
    stats = {"lp": _log_weights(posterior)[chosen].reshape(shape)}
    if weighted:
        stats["log_weight"] = posterior.log_weights.reshape(shape)
    data = az.from_dict(posterior=variables, sample_stats=stats, attrs=_attributes(posterior))
    for name, texts in labels.items():
        data.posterior[name].attrs["labels"] = json.dumps(texts, ensure_ascii=False)
    return data


def _arviz() -> ModuleType:
    try:
        found = importlib.import_module("arviz")
    except ImportError as error:
        raise MissingPackage(
            "to_arviz needs the package arviz, which is not installed", hint="pip install 'pgen[arviz]'"
        ) from error
    return found


def _resampled(weights: NDArray[np.float64], draws: int) -> NDArray[np.int64]:
    """`(draws,)` indices of runs: systematic with offset 1/2, in a fixed shuffled order."""
    running = np.cumsum(weights)
    points = (np.arange(draws) + 0.5) / draws * running[-1]
    chosen = np.searchsorted(running, points, side="right")
    return np.random.Generator(np.random.Philox(0)).permutation(chosen)


def _variables(
    posterior: Posterior, chosen: NDArray[np.int64], shape: tuple[int, int]
) -> tuple[dict[str, NDArray[Any]], dict[str, list[str]]]:
    """`(variables, labels)` by site."""
    recorded = [trace.values() for trace in posterior.traces]
    variables: dict[str, NDArray[Any]] = {}
    labels: dict[str, list[str]] = {}
    for site in dict.fromkeys(address for values in recorded for address in values):
        column = [values.get(site) for values in recorded]
        if not all(value is None or isinstance(value, (bool, int, float)) for value in column):
            column, labels[site] = _coded(column, posterior.weights)
        variables[site] = _array(column)[chosen].reshape(shape)
    return variables, labels


def _coded(column: list[Any], weights: NDArray[np.float64]) -> tuple[list[Any], list[str]]:
    """Values as codes, likeliest first, and what the codes stand for."""
    mass: Counter[str] = Counter()
    named = [None if value is None else value if isinstance(value, str) else repr(value) for value in column]
    for name, weight in zip(named, weights, strict=True):
        if name is not None:
            mass[str(name)] += float(weight)  # type: ignore[assignment]
    ranked = [name for name, _ in mass.most_common()]
    codes = {name: code for code, name in enumerate(ranked)}
    return [-1 if name is None else codes[str(name)] for name in named], ranked


def _array(column: list[Any]) -> NDArray[Any]:
    return np.array([math.nan if value is None else value for value in column])


def _log_weights(posterior: Posterior) -> NDArray[np.float64]:
    return np.array([trace.log_weight for trace in posterior.traces])


def _attributes(posterior: Posterior) -> dict[str, Any]:
    return {
        "inference_library": "pgen",
        "label": posterior.label,
        "method": posterior.method,
        "log_evidence": posterior.log_evidence,
        "n_evaluations": posterior.n_evaluations,
    }
