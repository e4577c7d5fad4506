"""Languages made from one text: those near it by edits (`near`), and its parts in whole words (`span_of`).

Both are networks over code points. `near` is the Levenshtein automaton (Schulz and Mihov,
"Fast string correction with Levenshtein automata", 2002) as a graph: state (i, e) stands for
i characters matched with e edits; deletions are folded into the matches after them, so
there are (n + 1)(k + 1) states and O(n k²) edges.
"""

from __future__ import annotations

import unicodedata

from pgen.errors import InvalidArgument, LimitExceeded
from pgen.language import ir
from pgen.language.base import Language, literal

MAX_STATES = 20_000
"""States of one network: (characters + 1) * (edits + 1)."""


def near(text: str, edits: int) -> Language:
    """The texts that become `text` by at most `edits` insertions, deletions and replacements of a character.

    Characters are code points (Levenshtein distance; two swapped neighbours count as two edits).
    Raises `LimitExceeded` past `MAX_STATES`.
    """
    if isinstance(edits, bool) or not isinstance(edits, int) or edits < 0:
        raise InvalidArgument(f"near(text, {edits!r}): the number of edits is an int, 0 or more")
    literal(text)
    if (len(text) + 1) * (edits + 1) > MAX_STATES:
        raise LimitExceeded(
            f"near() of {len(text):,} characters with {edits} edits passes {MAX_STATES:,} states",
            hint="use fewer edits, or the part of the text that may differ",
        )
    return Language(_levenshtein(text, edits), description=f"near({text!r}, {edits})")


def _levenshtein(text: str, edits: int) -> ir.Node:
    length, width = len(text), edits + 1
    anything = ((0, ir.MAX_CODE_POINT),)
    steps: list[tuple[int, ir.Ranges, int]] = []
    for done in range(length + 1):
        for used in range(width):
            here = done * width + used
            # Leave out the next `skipped` characters, then match one.
            for skipped in range(min(edits - used, length - done - 1) + 1):
                code = ord(text[done + skipped])
                steps.append((here, ((code, code),), (done + skipped + 1) * width + used + skipped))
            if used < edits:
                steps.append((here, anything, here + 1))
                steps += [(here, anything, here + width + 1)] if done < length else []
    ends = [i * width + used for i in range(length + 1) for used in range(width) if length - i <= edits - used]
    return ir.network(steps, (0,), ends)


def span_of(text: str) -> Language:
    r"""The parts of `text` in whole words: not empty, cutting no word, without white space at either end.

    A word is a run of letters, digits, `_` and combining marks (as `\w` in `re`, with the marks);
    punctuation stands for itself, so "Dr. Who" has the spans "Dr", "Dr.", ".", "Who", ". Who",
    "Dr. Who". Where words are not set apart (Chinese, Thai), use `substring_of`. Raises
    `InvalidArgument` for a text of white space alone.
    """
    literal(text)
    inside = [0 < i < len(text) and _in_word(text[i - 1]) and _in_word(text[i]) for i in range(len(text) + 1)]
    starts = tuple(i for i, char in enumerate(text) if not inside[i] and not char.isspace())
    ends = tuple(i + 1 for i, char in enumerate(text) if not inside[i + 1] and not char.isspace())
    if not starts:
        raise InvalidArgument(f"span_of({text!r}): there is no word in it")
    steps = tuple((i, ((ord(char), ord(char)),), i + 1) for i, char in enumerate(text))
    shown = text if len(text) <= 30 else text[:29] + "…"
    return Language(ir.network(_opened(steps, starts), (len(text) + 1,), ends), description=f"span_of({shown!r})")


def _opened(
    steps: tuple[tuple[int, ir.Ranges, int], ...], starts: tuple[int, ...]
) -> tuple[tuple[int, ir.Ranges, int], ...]:
    """The steps, and those of the starts from a state of their own, which is no end."""
    return steps + tuple((len(steps) + 1, steps[start][1], start + 1) for start in starts)


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_" or unicodedata.category(char).startswith("M")
