"""Randomness as an argument: counter-based streams, categorical draws, truncation rules, resampling."""

from pgen.sampling.resampling import RESAMPLERS
from pgen.sampling.rng import CounterRng, Rng
from pgen.sampling.truncation import MinP, TopK, TopP, Truncation

__all__ = ["RESAMPLERS", "CounterRng", "MinP", "Rng", "TopK", "TopP", "Truncation"]
