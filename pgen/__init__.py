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
    from pgen.chains.byte_hmm import ByteHMM as ByteHMM
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
    from pgen.inference.budget import Budget as Budget
    from pgen.inference.diagnostics.bidirectional import Bidirectional as Bidirectional
    from pgen.inference.diagnostics.consensus import Decision as Decision
    from pgen.inference.diagnostics.consensus import majority as majority
    from pgen.inference.diagnostics.consensus import minimum_risk as minimum_risk
    from pgen.inference.diagnostics.mass_report import mass_report as mass_report
    from pgen.inference.drafting.canvas_votes import time_vote as time_vote
    from pgen.inference.generative import Generative as Generative
    from pgen.inference.infer import infer as infer
    from pgen.inference.methods.adaptive_rejection import AdaptiveRejection as AdaptiveRejection
    from pgen.inference.methods.asap import ASAp as ASAp
    from pgen.inference.methods.banked_beam import BankedBeam as BankedBeam
    from pgen.inference.methods.beam import Beam as Beam
    from pgen.inference.methods.beam import StochasticBeam as StochasticBeam
    from pgen.inference.methods.best_of import BestOf as BestOf
    from pgen.inference.methods.diverse_beam import DiverseBeam as DiverseBeam
    from pgen.inference.methods.enumeration import Enumerate as Enumerate
    from pgen.inference.methods.importance import Importance as Importance
    from pgen.inference.methods.masked import Masked as Masked
    from pgen.inference.methods.mcmc import MCMC as MCMC
    from pgen.inference.methods.most_likely import MostLikely as MostLikely
    from pgen.inference.methods.particle_gibbs import ParticleGibbs as ParticleGibbs
    from pgen.inference.methods.rejection import Rejection as Rejection
    from pgen.inference.methods.replicated import Replicated as Replicated
    from pgen.inference.methods.resample_move import ResampleMove as ResampleMove
    from pgen.inference.methods.smc import SMC as SMC
    from pgen.inference.methods.tempering import Tempering as Tempering
    from pgen.inference.methods.tree_search import TreeSearch as TreeSearch
    from pgen.inference.moves.canvas_moves import Remask as Remask
    from pgen.inference.moves.edit_moves import EditText as EditText
    from pgen.inference.moves.gibbs import Gibbs as Gibbs
    from pgen.inference.moves.hole_moves import RegenerateHole as RegenerateHole
    from pgen.inference.moves.span_moves import RegenerateSpan as RegenerateSpan
    from pgen.inference.moves.trace_moves import Regenerate as Regenerate
    from pgen.inference.posterior import Posterior as Posterior
    from pgen.inference.predictive import Predictive as Predictive
    from pgen.inference.twists.gedi import GeDi as GeDi
    from pgen.inference.twists.learned_twist import LearnedTwist as LearnedTwist
    from pgen.inference.twists.rollouts import Rollouts as Rollouts
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
    "pgen.chains.byte_hmm": ("ByteHMM",),
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
    "pgen.inference.methods.adaptive_rejection": ("AdaptiveRejection",),
    "pgen.inference.methods.asap": ("ASAp",),
    "pgen.inference.methods.banked_beam": ("BankedBeam",),
    "pgen.inference.methods.beam": ("Beam", "StochasticBeam"),
    "pgen.inference.methods.best_of": ("BestOf",),
    "pgen.inference.diagnostics.bidirectional": ("Bidirectional",),
    "pgen.inference.budget": ("Budget",),
    "pgen.inference.moves.canvas_moves": ("Remask",),
    "pgen.inference.drafting.canvas_votes": ("time_vote",),
    "pgen.inference.diagnostics.consensus": ("Decision", "majority", "minimum_risk"),
    "pgen.inference.methods.diverse_beam": ("DiverseBeam",),
    "pgen.inference.moves.edit_moves": ("EditText",),
    "pgen.inference.methods.enumeration": ("Enumerate",),
    "pgen.inference.twists.gedi": ("GeDi",),
    "pgen.inference.generative": ("Generative",),
    "pgen.inference.moves.gibbs": ("Gibbs",),
    "pgen.inference.moves.hole_moves": ("RegenerateHole",),
    "pgen.inference.methods.importance": ("Importance",),
    "pgen.inference.infer": ("infer",),
    "pgen.inference.twists.learned_twist": ("LearnedTwist",),
    "pgen.inference.methods.masked": ("Masked",),
    "pgen.inference.diagnostics.mass_report": ("mass_report",),
    "pgen.inference.methods.mcmc": ("MCMC",),
    "pgen.inference.methods.most_likely": ("MostLikely",),
    "pgen.inference.methods.particle_gibbs": ("ParticleGibbs",),
    "pgen.inference.posterior": ("Posterior",),
    "pgen.inference.predictive": ("Predictive",),
    "pgen.inference.methods.rejection": ("Rejection",),
    "pgen.inference.methods.replicated": ("Replicated",),
    "pgen.inference.methods.resample_move": ("ResampleMove",),
    "pgen.inference.twists.rollouts": ("Rollouts",),
    "pgen.inference.methods.smc": ("SMC",),
    "pgen.inference.moves.span_moves": ("RegenerateSpan",),
    "pgen.inference.methods.tempering": ("Tempering",),
    "pgen.inference.moves.trace_moves": ("Regenerate",),
    "pgen.inference.methods.tree_search": ("TreeSearch",),
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
