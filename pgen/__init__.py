"""pgen: a probabilistic programming language for language models.

A program is a plain Python function that draws text from language models, restricts
it with formal languages, weighs it and conditions on facts; `infer` gives the
posterior. Names are imported when first used, so that `import pgen` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgen import handlers as handlers
    from pgen.backends.loading import load as load
    from pgen.backends.product_model import product as product
    from pgen.chains.byte_ngram import ByteNgram as ByteNgram
    from pgen.errors import CriticError as CriticError
    from pgen.errors import DeadEnd as DeadEnd
    from pgen.errors import HeuristicWarning as HeuristicWarning
    from pgen.errors import InvalidArgument as InvalidArgument
    from pgen.errors import InvalidLanguage as InvalidLanguage
    from pgen.errors import InvalidProgram as InvalidProgram
    from pgen.errors import InvalidVocabulary as InvalidVocabulary
    from pgen.errors import LimitExceeded as LimitExceeded
    from pgen.errors import MissingPackage as MissingPackage
    from pgen.errors import ModelError as ModelError
    from pgen.errors import ModelNotFound as ModelNotFound
    from pgen.errors import PgenError as PgenError
    from pgen.errors import UnsupportedFeature as UnsupportedFeature
    from pgen.errors import ZeroEvidence as ZeroEvidence
    from pgen.extraction import Extraction as Extraction
    from pgen.extraction import extract as extract
    from pgen.inference.asap import ASAp as ASAp
    from pgen.inference.banked_beam import BankedBeam as BankedBeam
    from pgen.inference.beam import Beam as Beam
    from pgen.inference.beam import StochasticBeam as StochasticBeam
    from pgen.inference.best_of import BestOf as BestOf
    from pgen.inference.bidirectional import Bidirectional as Bidirectional
    from pgen.inference.budget import Budget as Budget
    from pgen.inference.canvas_moves import Remask as Remask
    from pgen.inference.canvas_votes import time_vote as time_vote
    from pgen.inference.consensus import Decision as Decision
    from pgen.inference.consensus import majority as majority
    from pgen.inference.consensus import minimum_risk as minimum_risk
    from pgen.inference.diverse_beam import DiverseBeam as DiverseBeam
    from pgen.inference.edit_moves import EditText as EditText
    from pgen.inference.enumeration import Enumerate as Enumerate
    from pgen.inference.gedi import GeDi as GeDi
    from pgen.inference.generative import Generative as Generative
    from pgen.inference.gibbs import Gibbs as Gibbs
    from pgen.inference.hole_moves import RegenerateHole as RegenerateHole
    from pgen.inference.importance import Importance as Importance
    from pgen.inference.infer import infer as infer
    from pgen.inference.learned_twist import LearnedTwist as LearnedTwist
    from pgen.inference.masked import Masked as Masked
    from pgen.inference.mass_report import mass_report as mass_report
    from pgen.inference.mcmc import MCMC as MCMC
    from pgen.inference.most_likely import MostLikely as MostLikely
    from pgen.inference.particle_gibbs import ParticleGibbs as ParticleGibbs
    from pgen.inference.posterior import Posterior as Posterior
    from pgen.inference.predictive import Predictive as Predictive
    from pgen.inference.rejection import Rejection as Rejection
    from pgen.inference.replicated import Replicated as Replicated
    from pgen.inference.resample_move import ResampleMove as ResampleMove
    from pgen.inference.rollouts import Rollouts as Rollouts
    from pgen.inference.smc import SMC as SMC
    from pgen.inference.span_moves import RegenerateSpan as RegenerateSpan
    from pgen.inference.tempering import Tempering as Tempering
    from pgen.inference.trace_moves import Regenerate as Regenerate
    from pgen.inference.tree_search import TreeSearch as TreeSearch
    from pgen.language.base import Language as Language
    from pgen.language.base import choice as choice
    from pgen.language.base import literal as literal
    from pgen.language.base import substring_of as substring_of
    from pgen.language.editing import edit as edit
    from pgen.language.grammar import Grammar as Grammar
    from pgen.language.json_schema import JSONSchema as JSONSchema
    from pgen.language.nearby import near as near
    from pgen.language.nearby import span_of as span_of
    from pgen.language.regex import Regex as Regex
    from pgen.language.skeletons import contains as contains
    from pgen.language.skeletons import skeleton as skeleton
    from pgen.language.stops import until as until
    from pgen.language.tags import Tag as Tag
    from pgen.language.tags import tagged as tagged
    from pgen.language.templates import template as template
    from pgen.limits import Limits as Limits
    from pgen.programs.distributions import bernoulli as bernoulli
    from pgen.programs.distributions import categorical as categorical
    from pgen.programs.distributions import normal as normal
    from pgen.programs.distributions import poisson as poisson
    from pgen.programs.distributions import uniform as uniform
    from pgen.programs.effects import condition as condition
    from pgen.programs.effects import deterministic as deterministic
    from pgen.programs.effects import factor as factor
    from pgen.programs.effects import map as map  # noqa: A004
    from pgen.programs.effects import observe as observe
    from pgen.programs.effects import plate as plate
    from pgen.programs.effects import sample as sample
    from pgen.programs.learned_order import LearnedOrder as LearnedOrder
    from pgen.programs.learned_order import learned_order as learned_order
    from pgen.programs.machine import program as program
    from pgen.programs.orders import PositionWeighted as PositionWeighted
    from pgen.programs.parallel_orders import AdaptiveParallel as AdaptiveParallel
    from pgen.programs.parallel_orders import EarlyCommit as EarlyCommit
    from pgen.programs.parallel_orders import Threshold as Threshold
    from pgen.programs.text import Text as Text
    from pgen.sampling.truncation import MinP as MinP
    from pgen.sampling.truncation import TopK as TopK
    from pgen.sampling.truncation import TopP as TopP
    from pgen.tokens import TokenAutomaton as TokenAutomaton
    from pgen.tokens import Vocabulary as Vocabulary

__version__ = "0.1.0"

_HOMES = {
    "pgen.backends.loading": ("load",),
    "pgen.backends.product_model": ("product",),
    "pgen.chains.byte_ngram": ("ByteNgram",),
    "pgen.errors": (
        "CriticError",
        "DeadEnd",
        "HeuristicWarning",
        "InvalidArgument",
        "InvalidLanguage",
        "InvalidProgram",
        "InvalidVocabulary",
        "LimitExceeded",
        "MissingPackage",
        "ModelError",
        "ModelNotFound",
        "PgenError",
        "UnsupportedFeature",
        "ZeroEvidence",
    ),
    "pgen.extraction": ("Extraction", "extract"),
    "pgen.inference.asap": ("ASAp",),
    "pgen.inference.banked_beam": ("BankedBeam",),
    "pgen.inference.beam": ("Beam", "StochasticBeam"),
    "pgen.inference.best_of": ("BestOf",),
    "pgen.inference.bidirectional": ("Bidirectional",),
    "pgen.inference.budget": ("Budget",),
    "pgen.inference.canvas_moves": ("Remask",),
    "pgen.inference.canvas_votes": ("time_vote",),
    "pgen.inference.consensus": ("Decision", "majority", "minimum_risk"),
    "pgen.inference.diverse_beam": ("DiverseBeam",),
    "pgen.inference.edit_moves": ("EditText",),
    "pgen.inference.enumeration": ("Enumerate",),
    "pgen.inference.gedi": ("GeDi",),
    "pgen.inference.generative": ("Generative",),
    "pgen.inference.gibbs": ("Gibbs",),
    "pgen.inference.hole_moves": ("RegenerateHole",),
    "pgen.inference.importance": ("Importance",),
    "pgen.inference.infer": ("infer",),
    "pgen.inference.learned_twist": ("LearnedTwist",),
    "pgen.inference.masked": ("Masked",),
    "pgen.inference.mass_report": ("mass_report",),
    "pgen.inference.mcmc": ("MCMC",),
    "pgen.inference.most_likely": ("MostLikely",),
    "pgen.inference.particle_gibbs": ("ParticleGibbs",),
    "pgen.inference.posterior": ("Posterior",),
    "pgen.inference.predictive": ("Predictive",),
    "pgen.inference.rejection": ("Rejection",),
    "pgen.inference.replicated": ("Replicated",),
    "pgen.inference.resample_move": ("ResampleMove",),
    "pgen.inference.rollouts": ("Rollouts",),
    "pgen.inference.smc": ("SMC",),
    "pgen.inference.span_moves": ("RegenerateSpan",),
    "pgen.inference.tempering": ("Tempering",),
    "pgen.inference.trace_moves": ("Regenerate",),
    "pgen.inference.tree_search": ("TreeSearch",),
    "pgen.language.base": ("Language", "choice", "literal", "substring_of"),
    "pgen.language.editing": ("edit",),
    "pgen.language.grammar": ("Grammar",),
    "pgen.language.json_schema": ("JSONSchema",),
    "pgen.language.nearby": ("near", "span_of"),
    "pgen.language.regex": ("Regex",),
    "pgen.language.skeletons": ("contains", "skeleton"),
    "pgen.language.stops": ("until",),
    "pgen.language.tags": ("Tag", "tagged"),
    "pgen.language.templates": ("template",),
    "pgen.limits": ("Limits",),
    "pgen.programs.distributions": ("bernoulli", "categorical", "normal", "poisson", "uniform"),
    "pgen.programs.effects": ("condition", "deterministic", "factor", "map", "observe", "plate", "sample"),
    "pgen.programs.machine": ("program",),
    "pgen.programs.learned_order": ("LearnedOrder", "learned_order"),
    "pgen.programs.orders": ("PositionWeighted",),
    "pgen.programs.parallel_orders": ("AdaptiveParallel", "EarlyCommit", "Threshold"),
    "pgen.programs.text": ("Text",),
    "pgen.sampling.truncation": ("MinP", "TopK", "TopP"),
    "pgen.tokens": ("TokenAutomaton", "Vocabulary"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
_MODULES = ("handlers",)

__all__ = [*sorted((*_HOME_OF, *_MODULES)), "__version__"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"pgen.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'pgen' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
