"""A review whose sentiment is controlled by a classifier: its log probability is a potential on the text.

The language model says what reviews are like, the classifier which ones are meant, and
the posterior is their product. The classifier judges after every word, which leads the
particles; what counts in the end is its value on the whole review.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pgen

LABELLED = {
    "good": (
        "a warm and friendly place",
        "great food and a lovely view",
        "we loved the fresh soup and the kind staff",
        "very good, the best we know",
        "excellent and delicious, well worth it",
        "popular, beautiful and happy",
    ),
    "bad": (
        "a cold and dirty place",
        "awful food and a rude waiter",
        "we hated the stale bread and the long wait",
        "not good, the worst we know",
        "terrible and expensive, too small and too loud",
        "closed, empty and sad",
    ),
}
PROMPT = "A review of a restaurant in one sentence: The restaurant is"


class NaiveBayes:
    """P(label | words), with one added to every count."""

    def __init__(self, labelled: Mapping[str, Sequence[str]]) -> None:
        self.counts = {label: Counter(words(" ".join(texts))) for label, texts in labelled.items()}
        self.n_words = len(set().union(*self.counts.values()))

    def log_probability(self, label: str, text: str) -> float:
        scores = {name: self._log_likelihood(name, text) for name in self.counts}
        return scores[label] - math.log(sum(map(math.exp, scores.values())))

    def _log_likelihood(self, label: str, text: str) -> float:
        counts = self.counts[label]
        return sum(math.log((counts[word] + 1) / (counts.total() + self.n_words)) for word in words(text))


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def review(
    lm: Any,
    prompt: str,
    classifier: NaiveBayes,
    label: str,
    strength: float = 3.0,
    max_tokens: int = 24,
    temperature: float = 1.0,
) -> Any:
    """Reviews of a sentence; `strength` is the power of the classifier."""
    sentence = lm.text(prompt, max_tokens=max_tokens, temperature=temperature).given(pgen.Regex(r"[a-z ,']{10,100}\."))
    return sentence.weighted(lambda text: strength * classifier.log_probability(label, text), at="word", bound=0.0)


def main() -> None:
    lm, classifier = pgen.load("smollm2"), NaiveBayes(LABELLED)
    for label in LABELLED:
        text = review(lm, PROMPT, classifier, label, strength=8.0, temperature=0.8)
        print(label, pgen.infer(text, method=pgen.SMC(particles=48, resample="tokens", lookahead=0)), sep="\n")


if __name__ == "__main__":
    main()
