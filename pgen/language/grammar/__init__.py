"""Context-free grammars in Lark's syntax, with the extensions of llguidance's dialect.

The way of a text: `tokens` and `reader` make statements of it (`syntax`), `modules`
follows imports and collects definitions, `terminals` and `rules` turn those that the
start leads to into `pgen.language.ir`.
"""

from __future__ import annotations

from pgen.language.grammar.language import Grammar

__all__ = ["Grammar"]
