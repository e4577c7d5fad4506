"""Typed code: an expression that uses only identifiers in scope, each only where its type fits.

The types in scope become a grammar with one rule for every type: a rule lists the
names of its type, and the ways to make one out of others. A member type-checks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pgen

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "int": ('"len(" str ")"', 'int " + " int', 'int " * " int', 'NUMBER'),
    "str": ('str " + " str', 'str ".upper()"', '"str(" int ")"', 'str "[:" int "]"'),
    "bool": ('int " < " int', 'str " == " str', 'str ".startswith(" str ")"'),
}  # fmt: skip

SCOPE = {"age": "int", "height": "int", "name": "str", "title": "str"}
CODE = '''def greeting(age: int, height: int, name: str, title: str) -> str:
    """The title in upper case, followed by the name."""
    return '''


def expressions(scope: Mapping[str, str], wanted: str) -> pgen.Grammar:
    """Expressions of type `wanted` ("int", "str" or "bool") over the names in `scope` (name -> type)."""
    rules = [f"start: {wanted}", "NUMBER: /0|[1-9][0-9]{0,3}/"]
    for kind, made in OPERATIONS.items():
        names = [json.dumps(name) for name, its_kind in scope.items() if its_kind == kind]
        rules.append(f"{kind}: {' | '.join([*names, *made])}")
    return pgen.Grammar("\n".join(rules))


def completion(lm: Any, code: str, scope: Mapping[str, str], wanted: str, max_tokens: int = 16) -> Any:
    """The distribution of expressions that the model writes after `code`."""
    return lm.text(code, max_tokens=max_tokens).given(expressions(scope, wanted) + "\n")


def main() -> None:
    method = pgen.SMC(particles=16, resample="tokens", lookahead=0)
    print(pgen.infer(completion(pgen.load("smollm2"), CODE, SCOPE, "str"), method=method))


if __name__ == "__main__":
    main()
