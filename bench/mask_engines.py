"""The engines of `bench.masks`, all behind one small interface.

An engine compiles an item to a `Walk`, which stands somewhere in a text: `fill` computes
the mask, `commit` takes a token. Engines are built for a vocabulary once; what they keep
per language is dropped before each item. Peers write their masks to a row of int32;
pgen hands out a read-only row.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any, Protocol

import numpy as np

import pgen
from bench.mask_items import Item
from pgen.tokens.automaton import compile_language


class Refused(Exception):
    """The engine does not take this language."""


class Walk(Protocol):
    """A place in a text of one language."""

    def restart(self) -> None:
        """Go back to the start, in the state that a new text finds."""

    def fill(self) -> None:
        """Compute the mask of this place."""

    def allows(self, token: int) -> bool:
        """Whether the mask of the last `fill` has this token."""

    def commit(self, token: int) -> None:
        """Take a token."""

    def holds(self, text: str) -> bool:
        """Whether a complete text that the masks let through is accepted."""


class Engine:
    """An engine over one vocabulary."""

    packages: tuple[str, ...] = ()

    def __init__(self, vocabulary: pgen.Vocabulary) -> None:
        self.n_tokens = len(vocabulary)

    @staticmethod
    def load() -> None:
        """Load the engine's own code, so that building it for a vocabulary takes only that."""

    def compile(self, item: Item) -> Walk:
        """Start a text of the item's language. Raises `Refused` or the engine's own errors."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop what is kept of earlier languages, if anything is."""


class Row:
    """A mask as peers write it."""

    def __init__(self, n_tokens: int) -> None:
        self.row = np.zeros((1, -(-n_tokens // 32)), np.int32)

    def allows(self, token: int) -> bool:
        return bool(self.row[0, token >> 5] >> (token & 31) & 1)

    def holds(self, text: str) -> bool:
        return True


class Pgen(Engine):
    """pgen; masks memoised for one text serve the next texts of the same item."""

    packages = ("numba",)
    again = False

    def __init__(self, vocabulary: pgen.Vocabulary) -> None:
        super().__init__(vocabulary)
        self.vocabulary = vocabulary
        automaton = pgen.Regex("a").compile(vocabulary)
        automaton.mask(automaton.start)

    @staticmethod
    def load() -> None:
        Pgen(pgen.Vocabulary([b"a", b"end"], eos=1))

    def compile(self, item: Item) -> Walk:
        return PgenWalk(self._language(item), self.vocabulary, self.again)

    def _language(self, item: Item) -> pgen.Language:
        if item.group == "regex":
            return pgen.Regex(item.source)
        if item.group == "cfg":
            if not hasattr(pgen, "Grammar"):
                raise Refused("pgen.Grammar does not exist yet")
            grammar: pgen.Language = pgen.Grammar(item.source)
            return grammar
        return pgen.JSONSchema(item.source, whitespace="any", property_order=item.order)

    def forget(self) -> None:
        """Empty every cache of languages and of their automata, then compile one small schema.

        Caches of vocabularies stay, and so there is what any two schemas have in common: strings, white space.
        """
        for name, module in list(sys.modules.items()):
            if name.startswith(("pgen.automata.", "pgen.language.")):
                for value in list(vars(module).values()):
                    if getattr(value, "__module__", None) == name and hasattr(value, "cache_clear"):
                        value.cache_clear()
        compile_language.cache_clear()
        other = pgen.JSONSchema({"properties": {"a": {"type": "null"}}}, whitespace="any").compile(self.vocabulary)
        other.mask(other.start)


class PgenAfresh(Pgen):
    """pgen with a new automaton for every text, so that no mask comes from an earlier one."""

    again = True


class PgenWalk:
    """A state of an automaton."""

    def __init__(self, language: pgen.Language, vocabulary: pgen.Vocabulary, again: bool) -> None:
        self.language, self.vocabulary, self.again = language, vocabulary, again
        self.automaton = language.compile(vocabulary)
        self.state = self.automaton.start

    def restart(self) -> None:
        if self.again:
            self.automaton = pgen.TokenAutomaton(self.language, self.vocabulary)
        self.state = self.automaton.start

    def fill(self) -> None:
        self.row = self.automaton.mask(self.state)

    def allows(self, token: int) -> bool:
        return bool(self.row[token >> 5] >> np.uint32(token & 31) & np.uint32(1))

    def commit(self, token: int) -> None:
        self.state = self.automaton.advance(self.state, token)

    def holds(self, text: str) -> bool:
        return all(fact.holds(text) for fact in self.language.residual)


class LLGuidance(Engine):
    """llguidance; texts of one item share its lexer's states and masks."""

    packages = ("llguidance",)

    def __init__(self, vocabulary: pgen.Vocabulary) -> None:
        super().__init__(vocabulary)
        import llguidance

        (eos,) = vocabulary.eos
        text_ids = set(vocabulary.text_ids.tolist())

        class Tokenizer:
            eos_token_id, bos_token_id = eos, None
            tokens = tuple(t if i in text_ids else f"<[{i}]>".encode() for i, t in enumerate(vocabulary.tokens))
            special_token_ids = tuple(sorted(set(range(len(vocabulary))) - text_ids))

            def __call__(self, data: bytes) -> list[int]:
                return list(vocabulary.encode(data.decode()))

        self.tokenizer = llguidance.LLTokenizer(llguidance.TokenizerWrapper(Tokenizer()))
        self.matcher = llguidance.LLMatcher
        self.write = importlib.import_module("llguidance.numpy").fill_next_token_bitmask

    def compile(self, item: Item) -> Walk:
        read: dict[str, Any] = {
            "json": self.matcher.grammar_from_json_schema,
            "regex": self.matcher.grammar_from_regex,
            "cfg": self.matcher.grammar_from_lark,
        }
        matcher = self.matcher(self.tokenizer, read[item.group](item.source))
        if matcher.get_error():
            raise Refused(matcher.get_error())
        return LLGuidanceWalk(matcher, self.write, self.n_tokens)


class LLGuidanceWalk(Row):
    """A matcher, copied from the first one for every text."""

    def __init__(self, matcher: Any, write: Any, n_tokens: int) -> None:
        super().__init__(n_tokens)
        self.first, self.matcher, self.write = matcher, matcher, write

    def restart(self) -> None:
        self.matcher = self.first.deep_copy()

    def fill(self) -> None:
        self.write(self.matcher, self.row)

    def commit(self, token: int) -> None:
        if not self.matcher.consume_token(token):
            raise RuntimeError(self.matcher.get_error())


class XGrammar(Engine):
    """xgrammar, one thread, without its cache of grammars."""

    packages = ("xgrammar",)
    strict = False

    def __init__(self, vocabulary: pgen.Vocabulary) -> None:
        super().__init__(vocabulary)
        import xgrammar

        spelled = [b""] * len(vocabulary)
        for i in vocabulary.text_ids.tolist():
            spelled[i] = vocabulary.tokens[i]
        info = xgrammar.TokenizerInfo(spelled, xgrammar.VocabType.RAW, stop_token_ids=list(vocabulary.eos))
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
        self.matcher = xgrammar.GrammarMatcher

    def compile(self, item: Item) -> Walk:
        if item.group == "json":
            text = json.dumps(item.source)
            compiled = self.compiler.compile_json_schema(text, any_whitespace=True, strict_mode=self.strict)
        elif item.group == "regex":
            compiled = self.compiler.compile_regex(item.source)
        else:
            compiled = self.compiler.compile_grammar(item.ebnf)
        return XGrammarWalk(compiled, self.matcher, self.n_tokens)

    def forget(self) -> None:
        self.compiler.clear_cache()


class XGrammarStrict(XGrammar):
    """xgrammar as it comes: objects take no properties but those declared."""

    strict = True


class XGrammarWalk(Row):
    """A matcher, new for every text."""

    def __init__(self, compiled: Any, matcher: Any, n_tokens: int) -> None:
        super().__init__(n_tokens)
        self.compiled, self.new = compiled, matcher
        self.restart()

    def restart(self) -> None:
        self.matcher = self.new(self.compiled)

    def fill(self) -> None:
        self.some_forbidden = self.matcher.fill_next_token_bitmask(self.row)

    def allows(self, token: int) -> bool:
        return not self.some_forbidden or super().allows(token)

    def commit(self, token: int) -> None:
        if not self.matcher.accept_token(token):
            raise RuntimeError(f"token {token} is in the mask but not accepted")


class Outlines(Engine):
    """outlines-core: JSON schemas become regexes, regexes a complete index."""

    packages = ("outlines-core",)

    def __init__(self, vocabulary: pgen.Vocabulary) -> None:
        super().__init__(vocabulary)
        import outlines_core

        (eos,) = vocabulary.eos
        table: dict[bytes, list[int]] = {}
        for i in vocabulary.text_ids.tolist():
            table.setdefault(vocabulary.tokens[i], []).append(i)
        self.core = outlines_core
        self.known = outlines_core.Vocabulary(eos, table)
        self.write = importlib.import_module("outlines_core.kernels.numpy").fill_next_token_bitmask

    def compile(self, item: Item) -> Walk:
        if item.group == "cfg":
            raise Refused("outlines-core has no grammars")
        pattern = item.source
        if item.group == "json":
            pattern = self.core.json_schema.build_regex_from_schema(json.dumps(item.source))
        guide = self.core.Guide(self.core.Index(pattern, self.known))
        return OutlinesWalk(guide, self.write, self.n_tokens)


class OutlinesWalk(Row):
    """A guide over a complete index."""

    def __init__(self, guide: Any, write: Any, n_tokens: int) -> None:
        super().__init__(n_tokens)
        self.guide, self.write = guide, write

    def restart(self) -> None:
        self.guide.reset()

    def fill(self) -> None:
        self.write(self.guide, self.row)

    def commit(self, token: int) -> None:
        self.guide.advance(token, False)


ENGINES: dict[str, type[Engine]] = {
    "pgen": Pgen,
    "pgen (cold)": PgenAfresh,
    "llguidance": LLGuidance,
    "xgrammar": XGrammar,
    "xgrammar (strict)": XGrammarStrict,
    "outlines-core": Outlines,
}
