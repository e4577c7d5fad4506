"""Token healing: a prompt's last tokens are taken back where a token could reach beyond its end.

A prompt that ends in "http:" leaves a model the token ":" behind it, after which "//" is
rare, since texts have the token "://". So the last tokens are cut off, back to the first
boundary from which one token covers the rest of the prompt and more, and their text is
asked for again as the beginning of what is generated; every spelling of it counts then.
A few look-ups in the sorted vocabulary; none of it concerns the meaning of a language.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate

from pgen.language import ir
from pgen.language.base import Language, Residual, as_language
from pgen.tokens.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Healed:
    """A prompt without its last tokens (`kept`), and the text that these spelled (`suffix`)."""

    kept: tuple[int, ...]
    suffix: str

    def constrain(self, language: Language | str) -> Language:
        """The members of `language` after the suffix: what is to be generated after the kept tokens."""
        inner = as_language(language)
        facts = tuple(replace(fact, holds=AfterSuffix(self.suffix, fact)) for fact in inner.residual)
        node = ir.concat(ir.literal(self.suffix), inner.node)
        return Language(node, description=f"({self.suffix!r} + {inner!r})", residual=facts)


@dataclass(frozen=True, slots=True)
class AfterSuffix:
    """Whether a fact holds of a text without the suffix in front."""

    suffix: str
    fact: Residual

    def __call__(self, text: str) -> bool:
        return text.startswith(self.suffix) and self.fact.holds(text.removeprefix(self.suffix))


def heal(vocabulary: Vocabulary, prompt: Sequence[int]) -> Healed:
    """The prompt's tokens up to the first boundary from which a single token reaches beyond the prompt's end.

    The boundary lies between characters and behind the last end or special token. Without such
    a token all tokens are kept and the suffix is empty. Raises `InvalidArgument` for ids
    that are not of this vocabulary.
    """
    texts = [vocabulary.decode([token]) for token in prompt]
    ends = list(accumulate(map(len, texts)))
    data = b"".join(texts)
    longest = max(map(len, _sorted_texts(vocabulary)), default=0)
    kept = len(texts)
    for i in reversed(range(len(texts))):
        begin = ends[i] - len(texts[i])
        if not texts[i] or len(data) - begin >= longest:
            break
        if data[begin] & 0xC0 != 0x80 and _is_begun(vocabulary, data[begin:]):
            kept = i
    suffix = data[ends[kept - 1] if kept else 0 :]
    if not _is_text(suffix):
        kept, suffix = len(texts), b""
    return Healed(tuple(prompt[:kept]), suffix.decode())


@lru_cache(maxsize=16)
def _sorted_texts(vocabulary: Vocabulary) -> list[bytes]:
    return sorted(vocabulary.decode([i]) for i in vocabulary.text_ids.tolist())


def _is_begun(vocabulary: Vocabulary, text: bytes) -> bool:
    """Whether a longer token begins with `text`."""
    texts = _sorted_texts(vocabulary)
    after = bisect_right(texts, text)
    return after < len(texts) and texts[after].startswith(text)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
