"""Infilling: texts with named holes, on every kind of model.

`Infill` is any distribution over the texts of a template whose texts remember what
stands in each hole. Models without an own way to fill holes are given the template as
their language. An insertion model is: `InsertionInfill` has the fixed parts stand from
the beginning, and tokens go into holes only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from string import Formatter
from types import EllipsisType
from typing import Any, ClassVar, NamedTuple, NoReturn

from pgen.errors import InvalidArgument, UnsupportedFeature
from pgen.language.base import Language, as_language
from pgen.language.templates import FREE_TEXT, Template, template
from pgen.programs.insertion import InsertionDistribution, Tokens
from pgen.programs.strings import StringDistribution, Text
from pgen.programs.suffix_first import SuffixFirst
from pgen.programs.template_checks import check_agreement, check_holes
from pgen.programs.text import TextDistribution

Holes = Mapping[str, Language | str | EllipsisType]
RESERVED = ("prompt", "max_tokens", "length", "steps", "order", "sizes")
"""Arguments of `fill` on some kind of model."""


class Filled(Text):
    """A text drawn from a template; `holes` maps each name to what stands there."""

    holes: Mapping[str, str]

    @classmethod
    def of(cls, text: Text, holes: Mapping[str, str]) -> Filled:
        """`text` with its holes."""
        made = cls(text, text.tokens, text.truncated)
        made.holes = holes
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Filled.of, (Text(str(self), self.tokens, self.truncated), dict(self.holes))


@dataclass(frozen=True, kw_only=True)
class Infill(StringDistribution):
    """The texts of `inner`, which are those of `template`, with what stands in the holes."""

    drafter: ClassVar[str] = "pgen.inference.drafting.infill:InfillDrafter"

    inner: StringDistribution
    template: Template

    def given(self, language: Language | str) -> Infill:
        """The unnormalised measure p(x) 1[x in L] over whole texts.

        Raises `InvalidLanguage`, with the hole or the place in fixed text, if the template has no text in L.
        """
        check_agreement(self.template, as_language(language))
        inner = self.inner.given(language)
        return replace(self, inner=inner, language=inner.language)

    def within(self, language: Language | str) -> Infill:
        """The normalised p(x | x in L and in the template); raises as `given` does."""
        check_agreement(self.template, as_language(language))
        inner = self.inner.within(language)
        return replace(self, inner=inner, language=inner.language)

    def suffix_first(self) -> Infill:
        """The same measure, drawn with the text behind each hole in view, by the model's own fill-in-the-middle prompt.

        For left-to-right models with tokens for it (Qwen-Coder's `<|fim_prefix|>` ...): that
        prompt proposes what stands in a hole, weights correct it to the plain
        model's law. Raises `UnsupportedFeature` for models of other kinds or without such tokens.
        """
        if not isinstance(self.inner, TextDistribution):
            raise UnsupportedFeature("suffix_first() is for left-to-right models", hint="others see both sides anyway")
        return replace(self, inner=SuffixFirst.of(self.inner, self.template))


class Group(NamedTuple):
    """Holes next to each other, which an insertion model fills as one; `template` says how it is read."""

    names: tuple[str, ...]
    language: Language
    template: Template

    def read(self, content: str) -> dict[str, str]:
        """What stands in each hole."""
        return {self.names[0]: content} if len(self.names) == 1 else self.template.parse(content)


@dataclass(frozen=True, kw_only=True)
class InsertionInfill(InsertionDistribution):
    """What an insertion model puts into the holes of a template, whose fixed parts stand from the beginning.

    Holes with nothing between them share a slot: they are filled as one hole, and
    what was put there is split as `Template` says.
    """

    template: Template

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The holes, those next to each other together."""
        return tuple(_group(self.template, names) for names in _adjacent(self.template))

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The fixed text before the first group, between each two, and after the last."""
        first, *others = fixed_parts(self.template)
        *inner, last = others
        return (first, *(part for part in inner if part), last)

    @cached_property
    def fixed(self) -> tuple[Tokens, ...]:
        first, *others = (self.model.vocabulary.encode(part) for part in self.parts)
        return self.prompt + first, *others

    @cached_property
    def holes(self) -> tuple[Language | None, ...]:
        return tuple(group.language for group in self.groups)

    @property
    def names(self) -> tuple[str | None, ...]:
        return tuple(" and ".join(group.names) for group in self.groups)

    @property
    def wanted(self) -> str:
        return f"filling {self.template!r}"

    @property
    def is_free(self) -> bool:
        """Never: fixed parts and holes weigh the draws."""
        return False

    def given(self, language: Language | str) -> NoReturn:
        """Not for whole texts: raises `UnsupportedFeature`."""
        raise UnsupportedFeature(
            "an insertion model fills every hole by the language of its own",
            hint="give the language to a hole, or use pgen.condition on the text",
        )

    def within(self, language: Language | str) -> NoReturn:
        """Not for whole texts: raises `UnsupportedFeature`."""
        self.given(language)

    def splits(self, text: str) -> list[tuple[str, ...]]:
        first, *others = self.parts
        return list(_splits(text, first, [(g.language, part) for g, part in zip(self.groups, others, strict=True)]))

    def holds(self, text: Text) -> bool:
        assert isinstance(text, Filled)
        return all(fact.holds(text.holes[name]) for name, hole in self.template.holes.items() for fact in hole.residual)

    def assembled(self, contents: Sequence[str], tokens: Tokens, truncated: bool) -> Text:
        first, *others = self.parts
        whole = first + "".join(content + part for content, part in zip(contents, others, strict=True))
        text = Text(whole, tokens[len(self.prompt) :], truncated)
        if truncated:
            return text
        read = [group.read(content) for group, content in zip(self.groups, contents, strict=True)]
        return Filled.of(text, {name: value for holes in read for name, value in holes.items()})


def as_template(source: str | Template, holes: Holes) -> Template:
    """The template of a call of `fill`.

    Raises `InvalidArgument` if it has no holes, comes with holes of its own, or has one called like an argument,
    and `InvalidLanguage` if nothing can fill one.
    """
    if isinstance(source, Template):
        if holes:
            raise InvalidArgument(
                f"{source!r} says what its holes are, got {', '.join(holes)} besides",
                hint="pass the text of the template, or name no holes",
            )
        made = source
    else:
        made = template(source, **holes)
        taken = [name for name in made.names if name in RESERVED]
        if taken:
            raise InvalidArgument(
                f"the hole {taken[0]!r} has the name of an argument of fill",
                hint="rename it, or make the template with pgen.template, where any name will do",
            )
    if not made.names:
        raise InvalidArgument(f"{made!r} has no holes to fill", hint="write {name} where something is missing")
    check_holes(made)
    return made


def fixed_parts(source: Template) -> list[str]:
    """The text before the first hole, between each two, and after the last."""
    parts = [""]
    for fixed, name, _, _ in Formatter().parse(source.text):
        parts[-1] += fixed
        if name is not None:
            parts.append("")
    return parts


def _adjacent(source: Template) -> list[tuple[str, ...]]:
    """The names of holes with nothing between them, together."""
    groups: list[tuple[str, ...]] = []
    for name, before in zip(source.names, fixed_parts(source), strict=False):
        if before or not groups:
            groups.append((name,))
        else:
            groups[-1] = (*groups[-1], name)
    return groups


def _group(source: Template, names: tuple[str, ...]) -> Group:
    holes = {name: source.holes[name] for name in names}
    if len(names) == 1:
        return Group(names, holes[names[0]], source)
    # Free text is read as little as it can be: `template` must be told.
    told = {name: ... if hole is FREE_TEXT else hole for name, hole in holes.items()}
    together = template("".join(f"{{{name}}}" for name in names), **told)
    return Group(names, together, together)


def _splits(text: str, fixed: str, rest: Sequence[tuple[Language, str]]) -> Iterator[tuple[str, ...]]:
    """Every way to read `text` as `fixed`, then holes with what follows each."""
    if not text.startswith(fixed):
        return
    text = text[len(fixed) :]
    if not rest:
        if not text:
            yield ()
        return
    language, after = rest[0]
    for end in range(len(text) + 1):
        if text.startswith(after, end) and language.matches(text[:end]):
            for others in _splits(text[end:], after, rest[1:]):
                yield (text[:end], *others)
