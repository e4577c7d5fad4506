"""What is wrong with a template before any model is asked: holes that nothing fits, text that contradicts a language.

A vocabulary may lack the tokens for a part, too: that shows when the template is compiled.

A template and a language contradict each other where their intersection is empty. The part
to blame is the first with which no member of the language can begin; in fixed text, the
first such character.
"""

from __future__ import annotations

from collections.abc import Sequence

from pgen.automata.acceptor import is_empty
from pgen.errors import InvalidLanguage
from pgen.language import ir
from pgen.language.base import Language
from pgen.language.templates import Segment, Template
from pgen.tokens import Vocabulary
from pgen.tokens.special_tokens import check_plain


def check_holes(template: Template) -> None:
    """Raise `InvalidLanguage`, naming the hole, if no text fits one; `UnsupportedFeature` for special tokens."""
    check_plain(template.node, "a template that is filled")
    for segment in template.segments:
        if segment.name and is_empty(segment.language.node):
            raise InvalidLanguage(
                f"nothing can fill the hole {segment.name!r}: {segment.language!r} has no member",
                source=template.text,
                position=segment.position,
            )


def check_agreement(template: Template, language: Language) -> None:
    """Raise `InvalidLanguage`, with the place in the template, if none of its texts is a member of `language`."""
    if not is_empty(ir.intersect(template.node, language.node)):
        return
    nodes = [segment.language.node for segment in template.segments]
    for number, segment in enumerate(template.segments):
        if not _begins(nodes[: number + 1], language):
            raise _contradiction(template, segment, nodes[:number], language)
    raise InvalidLanguage(
        f"no member of {language!r} ends where the template does",
        source=template.text,
        position=len(template.text),
    )


def unspelled(template: Template, vocabulary: Vocabulary) -> InvalidLanguage | None:
    """What to raise where no tokens spell a text of the template: the first part with which no spelled text begins."""
    nodes = [segment.language.node for segment in template.segments]
    for number, segment in enumerate(template.segments):
        if _spells(vocabulary, [*nodes[: number + 1], ir.ANY_TEXT]):
            continue
        what = f"nothing can fill the hole {segment.name!r}" if segment.name else f"{segment.fixed!r} cannot be written"
        return InvalidLanguage(
            f"{what}: the tokens of the model spell no such text",
            source=template.text,
            position=segment.position,
        )
    return None


def _spells(vocabulary: Vocabulary, nodes: Sequence[ir.Node]) -> bool:
    try:
        Language(ir.concat(*nodes), description="a part of a template").compile(vocabulary)
    except InvalidLanguage:
        return False
    return True


def _begins(nodes: Sequence[ir.Node], language: Language) -> bool:
    """Whether a member of `language` begins with parts of these kinds."""
    return not is_empty(ir.intersect(ir.concat(*nodes, ir.ANY_TEXT), language.node))


def _contradiction(
    template: Template, segment: Segment, before: Sequence[ir.Node], language: Language
) -> InvalidLanguage:
    if segment.name:
        message = f"nothing can fill the hole {segment.name!r} such that the text is a member of {language!r}"
        return InvalidLanguage(message, source=template.text, position=segment.position)
    fits = 0
    while _begins([*before, ir.literal(segment.fixed[: fits + 1])], language):
        fits += 1
    wrong = segment.fixed[fits]
    # Braces that are text are written twice.
    position = segment.position + sum(2 if c in "{}" else 1 for c in segment.fixed[:fits])
    message = f"the fixed text of the template contradicts {language!r}: no member has {wrong!r} here"
    return InvalidLanguage(message, source=template.text, position=position)
