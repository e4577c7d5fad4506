"""The likeliest canvases against brute force over all fillings."""

import math

import numpy as np
import pytest
from canvas_cases import ABC, cases

import pgen
from pgen.chains import max_product
from pgen.chains.automaton import canvas_automaton
from pgen.chains.emissions import emissions
from pgen.tokens.classes import token_table

CASES = list(cases(48, seed=3))


def texts_with_masses(case):
    """canvas up to its end -> mass with the rest summed over (committed positions behind the end must agree)."""
    found = {}
    for tokens, mass in case.masses().items():
        ends = [i for i, token in enumerate(tokens) if token in case.vocabulary.eos]
        head = tokens[: ends[0] + 1] if ends else tokens
        rest = case.canvas[len(head) :]
        logs = [case.log_probs[i, t] for i, t in enumerate(head) if case.canvas[i] is None]
        if mass > 0 or all(x > -np.inf for x in logs):
            found[head + rest] = math.fsum(logs)
    return {canvas: log_prob for canvas, log_prob in found.items() if log_prob > -np.inf}


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("case", CASES)
def test_the_best_texts(case, count):
    expected = sorted(texts_with_masses(case).items(), key=lambda item: -item[1])
    found = max_product.best(case.emissions, case.canvas, count)
    assert len(found) == min(count, len(expected))
    for (canvas, log_prob), (_, wanted) in zip(found, expected, strict=False):
        assert log_prob == pytest.approx(wanted, abs=1e-10)
        assert texts_with_masses(case)[canvas] == pytest.approx(log_prob, abs=1e-10)
    assert len({canvas for canvas, _ in found}) == len(found)


def test_a_long_canvas():
    automaton = canvas_automaton(token_table(pgen.Regex("(ab)*").compile(ABC)), ABC)
    rows = np.log(np.tile([0.3, 0.2, 0.05, 0.45], (1, 1024, 1)))
    (found,) = max_product.best(emissions(automaton, rows, [(None,) * 1024])[0], (None,) * 1024)
    assert found.canvas == (3, *(None,) * 1023)
    assert found.log_prob == pytest.approx(math.log(0.45))


def test_count_must_be_positive():
    with pytest.raises(pgen.InvalidArgument, match="count=0"):
        max_product.best(CASES[0].emissions, CASES[0].canvas, 0)
