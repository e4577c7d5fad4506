"""Templates filled with what follows in view: the fill-in-the-middle prompt of code models as a proposal.

Such a model writes a middle after `<prefix> text before <suffix> text after <middle>`
(Bavarian et al., "Efficient training of language models to fill in the middle", 2022; the
suffix comes first as in Zheng et al., "Self-infilling code generation", ICML 2024). What
stands in a hole is drawn by that prompt and weighed by the plain model, token by token,
so that the law of the texts stays that of the plain model given the template
(`pgen.inference.drafting.suffix_first`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import accumulate, takewhile
from typing import ClassVar, NamedTuple

from pgen.automata.acceptor import automaton
from pgen.automata.layout import DEAD
from pgen.errors import InvalidArgument, UnsupportedFeature
from pgen.language import ir
from pgen.language.base import Language
from pgen.language.templates import Template
from pgen.programs.text import TextDistribution
from pgen.tokens import TokenAutomaton, Vocabulary

Tokens = tuple[int, ...]

NAMES = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    ("▁<PRE>", "▁<SUF>", "▁<MID>"),
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
)
"""What families of models call the tokens before the prefix, before the suffix, and before the middle."""
ENDS = ("<|fim_pad|>", "<fim_pad>", "<|endoftext|>", "<|file_sep|>", "▁<EOT>", "<｜end▁of▁sentence｜>")
"""Tokens, beside EOS, by which models end a middle."""


class Markers(NamedTuple):
    """The ids before prefix, suffix and middle, and those that end a middle."""

    prefix: int
    suffix: int
    middle: int
    ends: tuple[int, ...]


class Hole(NamedTuple):
    """The hole that a text ends in: its number among the parts, and the byte where it begins."""

    number: int
    begin: int


class Question(NamedTuple):
    """A hole, the tokens that stand in it so far, and the prompt about what comes next."""

    hole: Hole
    middle: Tokens
    prompt: Tokens


@dataclass(frozen=True, kw_only=True)
class SuffixFirst(TextDistribution):
    """The texts of a template as a left-to-right model writes them, drawn with the text behind each hole in view."""

    drafter: ClassVar[str] = "pgen.inference.drafting.suffix_first:SuffixFirstDrafter"

    template: Template
    markers: Markers

    @classmethod
    def of(cls, text: TextDistribution, template: Template) -> SuffixFirst:
        """The same measure as `text`; raises `UnsupportedFeature` if its model knows no such prompt."""
        values = {field.name: getattr(text, field.name) for field in fields(text)}
        return cls(**values, template=template, markers=markers_of(text.model.vocabulary, text.model.name))


def markers_of(vocabulary: Vocabulary, model_name: str) -> Markers:
    """The markers by their names in `NAMES`."""
    ids = {token: i for i, token in enumerate(vocabulary.tokens)}
    for names in NAMES:
        found = [ids[name.encode()] for name in names if name.encode() in ids]
        if len(found) == len(names):
            named = {ids[name.encode()] for name in ENDS if name.encode() in ids}
            prefix, suffix, middle = found
            return Markers(prefix, suffix, middle, tuple(sorted(named | vocabulary.eos)))
    raise UnsupportedFeature(
        f"{model_name} has no tokens to fill in the middle with",
        hint=f"it needs three tokens such as {', '.join(NAMES[0])}; without them leave out suffix_first()",
    )


class Questions:
    """What a model is asked while the text of one distribution stands in a hole."""

    def __init__(self, distribution: SuffixFirst) -> None:
        self.markers = distribution.markers
        self._segments = distribution.template.segments
        self._vocabulary: Vocabulary = distribution.model.vocabulary
        self._room = distribution.model.context_length
        # What a tokenizer puts in front of every prompt stays in front.
        self._first = tuple(takewhile(lambda token: not self._vocabulary.decode([token]), distribution.prompt))
        self._prompt = distribution.prompt[len(self._first) :]

    def about(self, tokens: Tokens) -> Question | None:
        """The question after `tokens`; `None` outside of holes, and where there is no room for it."""
        data = self._vocabulary.decode(tokens)
        hole = self._hole(data)
        if hole is None:
            return None
        try:
            before, middle = self._cut(tokens, data, hole.begin)
        except InvalidArgument:
            # A token lies across the border, and none spell its parts.
            return None
        markers, suffix = self.markers, self._vocabulary.encode(self._suffix(hole))
        known = (*self._first, markers.prefix, *self._prompt, *before, markers.suffix, *suffix, markers.middle)
        return Question(hole, middle, known + middle) if len(known) + len(middle) <= self._room else None

    def _cut(self, tokens: Tokens, data: bytes, at: int) -> tuple[Tokens, Tokens]:
        """The tokens before and after byte `at`, spelled anew where one lies across it."""
        lengths = [0, *accumulate(len(self._vocabulary.decode([token])) for token in tokens)]
        if at in lengths:
            n_before = lengths.index(at)
            return tokens[:n_before], tokens[n_before:]
        return self._vocabulary.encode(data[:at]), self._vocabulary.encode(data[at:])

    def _hole(self, data: bytes) -> Hole | None:
        """The last hole that `data` may end in, begun as early as can be; `None` where it ends in fixed text only."""
        found, begins = None, {0}
        for number, segment in enumerate(self._segments):
            walks = [_walk(segment.language, data, at) for at in sorted(begins)]
            inside = [walk.begin for walk in walks if walk.alive]
            if segment.name and inside:
                found = Hole(number, inside[0])
            begins = {end for walk in walks for end in walk.ends}
        return found

    def _suffix(self, hole: Hole) -> str:
        """The fixed text that follows a hole."""
        return "".join(segment.fixed for segment in self._segments[hole.number + 1 : hole.number + 2])

    def inside(self, hole: Hole) -> TokenAutomaton:
        """What may stand in a hole."""
        return self._segments[hole.number].language.compile(self._vocabulary)

    def behind(self, hole: Hole) -> TokenAutomaton:
        """What may follow a hole, to the end of the template."""
        nodes = [segment.language.node for segment in self._segments[hole.number + 1 :]]
        return Language(ir.concat(*nodes), description="what follows the hole").compile(self._vocabulary)


class _Walk(NamedTuple):
    """A language read from byte `begin`: where members end, and whether one may go on beyond the data."""

    begin: int
    ends: list[int]
    alive: bool


def _walk(language: Language, data: bytes, begin: int) -> _Walk:
    dfa, ends = automaton(language.node), []
    state = dfa.start
    for at in range(begin, len(data) + 1):
        if dfa.is_accepting(state):
            ends.append(at)
        if at < len(data):
            state = dfa.run(state, data[at : at + 1])
        if state == DEAD:
            return _Walk(begin, ends, False)
    return _Walk(begin, ends, True)
