"""`tagged`: free text with constrained parts, which begin where a trigger comes (tool calls, structural tags).

The free text before a part is every text in which no trigger occurs, overlaps with the
trigger that ends it included, so a trigger always opens a constrained part: the language
says so exactly, no state of a decoder does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from pgen.errors import InvalidArgument
from pgen.language import ir
from pgen.language.base import Language, Residual, as_language, late, literal, parts_inside
from pgen.language.stops import before, checked_words, overlaps, without


class Tag(NamedTuple):
    """A constrained part: `begin`, a member of `content`, `end`."""

    begin: str
    content: Language | str
    end: str = ""


class Call(NamedTuple):
    """One constrained part of a text, as `Tagged.parse` finds it."""

    begin: str
    content: str
    end: str


class Tagged(Language):
    """Free text with constrained parts; build one with `tagged`."""

    __slots__ = ("_plan",)

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        facts = [
            Residual(f"{fact.description}, after {tag.begin!r}", CallFact(plan, i, fact), fact.pointer)
            for i, tag in enumerate(plan.tags)
            for fact in tag.content.residual
        ]
        said = ", ".join(f"({tag.begin!r}, {tag.content!r}, {tag.end!r})" for tag in plan.tags)
        super().__init__(plan.rest(0), description=f"tagged({said})", residual=tuple(facts))

    def parse(self, text: str) -> list[str | Call]:
        """The pieces of a text in order: `Call` for constrained parts, `str` for the text between, if any.

        A part ends as early as what follows it allows. Raises `InvalidArgument` if `text` is no member.
        """
        if not self.matches(text):
            raise InvalidArgument(f"the text is not one of {self!r}: {self.explain(text)}")
        pieces: list[str | Call] = []
        for free, index, content in _pieces(self._plan, text):
            pieces += [free] if free else []
            if index >= 0:
                pieces.append(Call(self._plan.tags[index].begin, content, self._plan.tags[index].end))
        return pieces

    def _parts_at(self, before: str, after: str) -> tuple[str, ...]:
        inner = {f"tag {i} ({tag.begin})": tag.content for i, tag in enumerate(self._plan.tags, 1)}
        return parts_inside(self._plan.named(list(inner)), inner, before, after)


def tagged(
    *tags: Tag | tuple[str, Language | str] | tuple[str, Language | str, str],
    triggers: Sequence[str] | None = None,
    low: int = 0,
    high: int | None = None,
    text: Language | str | None = None,
) -> Tagged:
    """Free text in which each trigger begins one of the tags, `low` to `high` of them (`None`: any number).

    A tag is (begin, content, end). Each begin starts with one of `triggers`; the default is
    every begin that no other one starts. A trigger cannot come in free text: where it does,
    one of the tags that start with it must follow. What a tag contains is up to its own
    language. `text` is the language of each stretch of free text (default: all texts; `""`: none).

    Raises `InvalidArgument` for tags without trigger, triggers without tag, and triggers inside
    each other.
    """
    known = tuple(_checked_tag(tag) for tag in tags)
    if not known:
        raise InvalidArgument("tagged() needs at least one tag", hint='pgen.tagged(("<call>", schema, "</call>"))')
    if low < 0 or (high is not None and high < max(low, 1)):
        raise InvalidArgument(f"tagged(low={low}, high={high}): needs 0 <= low <= high and 1 <= high")
    free = Language(ir.ANY_TEXT, description="") if text is None else as_language(text)
    if free.residual:
        raise InvalidArgument("the free text cannot have a residual", hint="put it into the content of a tag")
    words = _default_triggers(known) if triggers is None else triggers
    plan = _Plan(known, checked_words("trigger", tuple(words)), low, high, free.node)
    plan.check()
    return Tagged(plan)


@dataclass(frozen=True, slots=True)
class _Tag:
    begin: str
    content: Language
    end: str


def _checked_tag(tag: Tag | tuple[str, Language | str] | tuple[str, Language | str, str]) -> _Tag:
    if not isinstance(tag, tuple) or len(tag) not in (2, 3) or not all(isinstance(s, str) for s in (tag[0], *tag[2:])):
        raise InvalidArgument(f"a tag is (begin, content, end), got {tag!r}")
    made = Tag(*tag)
    if not made.begin:
        raise InvalidArgument("a tag needs a begin that is not empty", hint="it is what opens the constrained part")
    literal(made.begin), literal(made.end)
    return _Tag(made.begin, as_language(made.content), made.end)


def _default_triggers(tags: tuple[_Tag, ...]) -> list[str]:
    begins = [tag.begin for tag in tags]
    return [begin for begin in begins if not any(begin != other and begin.startswith(other) for other in begins)]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The arguments of `tagged`, checked."""

    tags: tuple[_Tag, ...]
    triggers: tuple[str, ...]
    low: int
    high: int | None
    free: ir.Node

    def check(self) -> None:
        """Every tag needs a trigger and every trigger a tag."""
        for tag in self.tags:
            if not tag.begin.startswith(self.triggers):
                hint = f"triggers: {', '.join(map(repr, self.triggers))}"
                raise InvalidArgument(f"the tag {tag.begin!r} starts with no trigger", hint=hint)
        for trigger in self.triggers:
            if not any(tag.begin.startswith(trigger) for tag in self.tags):
                raise InvalidArgument(f"no tag starts with the trigger {trigger!r}")

    def rest(self, n_done: int) -> ir.Node:
        """What may follow after so many parts."""
        return self._rest(n_done, [tag.content.node for tag in self.tags])

    def named(self, names: list[str]) -> ir.Node:
        """The whole, with the contents as rules that have names."""
        bodies = [self._rest(0, [ir.Ref(f"@{name}") for name in names]), *(tag.content.node for tag in self.tags)]
        return ir.Recursive("", ("", *(f"@{name}" for name in names)), tuple(bodies))

    def _rest(self, n_done: int, contents: list[ir.Node]) -> ir.Node:
        low, high = max(self.low - n_done, 0), None if self.high is None else self.high - n_done
        # Most triggers overlap with none, and share the text before them.
        alone = [trigger for trigger in self.triggers if not overlaps(trigger, self.triggers)]
        others = [trigger for trigger in self.triggers if trigger not in alone]
        parts = [
            ir.concat(before(trigger, self.triggers, self.free), self._opened(trigger, contents)) for trigger in others
        ]
        if alone:
            opened = [self._opened(trigger, contents) for trigger in alone]
            parts.append(ir.concat(without(self.triggers, self.free), ir.union(*opened)))
        return ir.concat(ir.repeat(ir.union(*parts), low, high), without(self.triggers, self.free))

    def _opened(self, trigger: str, contents: list[ir.Node]) -> ir.Node:
        found = zip(self.tags, contents, strict=True)
        return ir.union(
            *(
                ir.concat(ir.literal(tag.begin), content, ir.literal(tag.end))
                for tag, content in found
                if tag.begin.startswith(trigger)
            )
        )

    def next_trigger(self, text: str, at: int) -> int:
        """Where the first trigger from `at` on begins, -1 without one."""
        return min((start for word in self.triggers if (start := text.find(word, at)) >= 0), default=-1)

    def part_at(self, text: str, start: int, cuts: frozenset[int]) -> tuple[int, str]:
        """The number of the tag at `start` and its content: the first tag that fits, ending as early as it can."""
        prefixes = late("pgen.automata.splits:prefixes")
        for index, tag in enumerate(self.tags):
            first = start + len(tag.begin)
            for length in prefixes(tag.content.node, text[first:]) if text.startswith(tag.begin, start) else ():
                end = first + length
                if text.startswith(tag.end, end) and end + len(tag.end) in cuts:
                    return index, text[first:end]
        raise AssertionError("a member has a tag at each trigger")


@lru_cache(maxsize=64)
def _pieces(plan: _Plan, text: str) -> tuple[tuple[str, int, str], ...]:
    """(free text, number of the tag after it, its content); the last with number -1. `text` is a member."""
    found: list[tuple[str, int, str]] = []
    at = 0
    while (start := plan.next_trigger(text, at)) >= 0:
        cuts = late("pgen.automata.splits:cuts")(plan.rest(len(found) + 1), text)
        index, content = plan.part_at(text, start, cuts)
        found.append((text[at:start], index, content))
        at = start + len(plan.tags[index].begin) + len(content) + len(plan.tags[index].end)
    return (*found, (text[at:], -1, ""))


@dataclass(frozen=True, slots=True)
class CallFact:
    """Whether a residual of a tag's content holds of each part with this tag."""

    plan: _Plan
    index: int
    fact: Residual

    def __call__(self, text: str) -> bool:
        return all(self.fact.holds(content) for _, i, content in _pieces(self.plan, text) if i == self.index)
