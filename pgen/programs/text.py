"""Distributions over the texts of left-to-right models: `lm.text(prompt).given(language)`.

Nothing runs until one is sampled, observed or scored. What its mass means for each end
rule is defined in `pgen.programs.process`, which turns it into a token-level process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self, get_args

from numpy.typing import ArrayLike

from pgen.backends.base import TokenMeasure
from pgen.errors import InvalidArgument, UnsupportedFeature
from pgen.language.base import Language, late
from pgen.programs.critics import Boundary, Critic, Proposal
from pgen.programs.strings import StringDistribution
from pgen.programs.strings import Text as Text
from pgen.programs.strings import Tokenization as Tokenization
from pgen.sampling.truncation import Truncation

if TYPE_CHECKING:
    from pgen.backends.base import Autoregressive
    from pgen.chains.byte_hmm import ByteHMM
    from pgen.chains.byte_ngram import ByteNgram
    from pgen.programs.twists import Twist

EndRule = Literal["eos", "match", "prefix"]
Proposer = Callable[[tuple[int, ...]], ArrayLike]
"""From the tokens so far to a log weight for each token of the vocabulary."""


@dataclass(frozen=True)
class TextDistribution(StringDistribution):
    """What a left-to-right `model` writes after `prompt`; build it with `lm.text(...)` or `lm.chat(...)`."""

    drafter: ClassVar[str] = "pgen.inference.drafting.left_to_right:LeftToRight"

    model: Autoregressive
    prompt: tuple[int, ...]
    end: EndRule | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    temperature: float = 1.0
    truncate: Truncation | None = None
    chat: bool = False
    critics: tuple[Critic, ...] = ()
    proposal: Proposal = "auto"
    guide: ByteNgram | ByteHMM | Twist | None = None
    proposer: TextDistribution | Proposer | None = None
    n_normalized: int = 0
    """How many of the critics come before `.within`, and count in its normaliser."""

    def where(self, predicate: Callable[[str], bool], at: Boundary = "token", proposal: Proposal = "auto") -> Self:
        """The unnormalised measure p(x) 1[predicate(x)], for what only a Python function can tell.

        Once false on a prefix, the predicate must be false on every extension. It sees a
        text whenever a unit is complete: `at` is "token", "word", "sentence", "line",
        "field" (a member or item of a JSON text), a function from the text to the
        length that may be judged, or "text" for the complete text only.

        `proposal="mask"` tests every token that may follow, "awrs" draws and tests one at
        a time (`pgen.sampling.awrs`; "awrs-recursive" and "awrs-geometric" name its estimator),
        "trie" walks from byte to byte and tests what it passes (`pgen.sampling.byte_walk`): for
        predicates that leave little. All are weighted properly. "auto" takes of mask and awrs
        what has needed fewer tests so far.
        Raises `CriticError` when the predicate fails.
        """
        if proposal not in get_args(Proposal):
            raise InvalidArgument(f"proposal={proposal!r}: expected one of {', '.join(get_args(Proposal))}")
        chosen = self.proposal if proposal == "auto" else proposal
        return replace(self, critics=(*self.critics, Critic.predicate(predicate, at)), proposal=chosen)

    def weighted(
        self, log_weight: Callable[[str], float], at: Boundary = "token", *, bound: float | None = None
    ) -> Self:
        """The measure p(x) exp(log_weight(x)): a soft preference, a classifier, another model.

        Only the value on the complete text counts; values on prefixes (see `where` for
        `at`) shape the particles on their way, -inf drops them. `bound`, if known, is
        the most a complete text can get: it lets texts be enumerated with a certificate.
        """
        return replace(self, critics=(*self.critics, Critic.potential(log_weight, at, bound)))

    def guided(self, twist: ByteNgram | ByteHMM | Twist) -> Self:
        """The same measure, drawn with foresight; the weights make up for what the twist gets wrong.

        `twist` guesses, at every token, how much mass the rest is worth: a small model that looks ahead
        within the language (`pgen.ByteNgram`, `pgen.ByteHMM`; `LimitExceeded` for languages without a small automaton),
        `pgen.Rollouts`, a `pgen.LearnedTwist`, or any `pgen.programs.twists.Twist`.
        """
        return replace(self, guide=twist)

    def proposed_by(self, proposer: TextDistribution | Proposer) -> Self:
        """The same measure, its tokens drawn by somebody else and weighed properly.

        `proposer` is another model's `lm2.text(prompt)`, whatever its tokenizer (they meet in bytes), or
        a function from the tokens so far (without the prompt) to `(V,)` log weights of the next.
        Constraints of the other text are not asked for and raise. A tenth of the draws go by the model's own
        masses (`pgen.inference.drafting.proposals`), so that nothing is out of reach.
        """
        if isinstance(proposer, TextDistribution):
            if proposer.language is not None or not proposer.is_free or proposer.stop:
                raise InvalidArgument(
                    f"proposed_by takes a plain text, got {proposer!r}",
                    hint="put languages, critics and stop strings on the text that is proposed for",
                )
        elif not callable(proposer):
            raise InvalidArgument(f"proposed_by takes lm2.text(...) or a function, got {type(proposer).__name__}")
        return replace(self, proposer=proposer)

    def bytes(self, prune: float = 0.0) -> TextDistribution:
        """The same distribution over bytes, every spelling summed (`pgen.backends.byte_model.in_bytes`).

        `prune`: the share of the mass that each byte may give up to bound the work.
        """
        made: TextDistribution = late("pgen.backends.byte_model:in_bytes")(self, prune)
        return made

    def __mul__(self, other: TextDistribution) -> TextDistribution:
        """The unnormalised product of the string distributions (`pgen.backends.product_model.product`)."""
        made: TextDistribution = late("pgen.backends.product_model:product")(self, other)
        return made

    def __pow__(self, exponent: float) -> TextDistribution:
        """The unnormalised p(x) ** exponent (`pgen.backends.product_model.power`)."""
        made: TextDistribution = late("pgen.backends.product_model:power")(self, exponent)
        return made

    def within(self, language: Language | str) -> Self:
        """The normalised p(x | L); critics that were given before count in the normaliser, later ones do not."""
        return replace(super().within(language), n_normalized=len(self.critics))

    @property
    def is_free(self) -> bool:
        """Not where critics, a guide, a proposal or a product of models weigh the draws."""
        foreign = self.guide is not None or self.proposer is not None
        return super().is_free and not (self.critics or foreign or isinstance(self.model, TokenMeasure))

    def given(self, language: Language | str) -> Self:
        """The unnormalised measure p(x) 1[x in L]: the constraint is evidence."""
        if self.normalizer is not None and self.end_rule == "match":
            raise UnsupportedFeature(
                '.given() after .within() under end="match": the text law itself depends on the language there',
                hint='write .within(A & B), or choose end="eos" or a stop string',
            )
        return super().given(language)

    @property
    def end_rule(self) -> EndRule | Literal["stop"]:
        """The rule in force: `stop` where there are stop strings, else `end`, else its default."""
        if self.stop:
            return "stop"
        if self.end is not None:
            return self.end
        return "eos" if self.language is None or self.chat else "match"


def text_distribution(
    model: Autoregressive,
    prompt: tuple[int, ...],
    *,
    max_tokens: int | None = None,
    end: str | None = None,
    stop: str | Sequence[str] | None = None,
    temperature: float = 1.0,
    truncate: Truncation | None = None,
    chat: bool = False,
) -> TextDistribution:
    """Check the arguments of `lm.text` and `lm.chat` and build the distribution."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if any(not text for text in stops):
        raise InvalidArgument("a stop string must not be empty")
    if end not in (None, "eos", "match", "prefix"):
        raise InvalidArgument(f"end={end!r}: expected 'eos', 'match' or 'prefix'")
    if end is not None and stops:
        raise InvalidArgument("give either stop= or end=, not both", hint="a stop string is itself an end rule")
    if max_tokens is not None and max_tokens < 0:
        raise InvalidArgument(f"max_tokens={max_tokens}: must not be negative")
    if not temperature > 0:
        raise InvalidArgument(
            f"temperature={temperature}: must be positive",
            hint="for the likeliest text use a small temperature, or posterior.mode()",
        )
    _check_room(model, prompt)
    return TextDistribution(
        model=model,
        prompt=prompt,
        end=end,  # type: ignore[arg-type]
        stop=stops,
        max_tokens=max_tokens,
        temperature=float(temperature),
        truncate=truncate,
        chat=chat,
    )


def _check_room(model: Autoregressive, prompt: tuple[int, ...]) -> None:
    if len(prompt) > model.context_length:
        raise InvalidArgument(
            f"the prompt has {len(prompt)} tokens, but {model.name} reads at most {model.context_length}",
            hint="shorten the prompt, or load a model with a longer context",
        )
