"""Program transformers under NumPyro's names; `pgen.programs.handlers` explains and defines them."""

from __future__ import annotations

from pgen.programs import handlers as classes

Handler = classes.Handler
Site = classes.Site

block = classes.Block
condition = classes.Condition
do = classes.Do
mask = classes.Mask
replay = classes.Replay
scale = classes.Scale
scope = classes.Scoped
seed = classes.Seed
substitute = classes.Substitute
trace = classes.Recording

__all__ = [
    "Handler",
    "Site",
    "block",
    "condition",
    "do",
    "mask",
    "replay",
    "scale",
    "scope",
    "seed",
    "substitute",
    "trace",
]
