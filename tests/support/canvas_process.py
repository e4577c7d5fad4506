"""The process of a masked diffusion model by plain recursion: nothing is shared with `pgen.chains` or `pgen.inference`."""

import functools
import itertools
import math
from collections import defaultdict

import numpy as np
from canvas_cases import random_log_probs, text_of

from pgen.backends.tabular import TabularDiffusion
from pgen.testing import derivatives


def random_denoiser(vocabulary, length, seed):
    """Marginals that depend on every committed token and on the prompt."""

    @functools.cache
    def marginals(tokens):
        generator = np.random.default_rng([seed, *(0 if token is None else token + 1 for token in tokens)])
        return random_log_probs(generator, length, len(vocabulary), holes=False)

    return TabularDiffusion(vocabulary, length, marginals)


def step_sizes(n_open, steps):
    """Positions committed at each step: equally many, a remainder over the first steps."""
    return [n_open // steps + (i < n_open % steps) for i in range(steps)]


def entropy(row):
    return -sum(math.exp(x) * x for x in row if x > -math.inf)


def gap(row):
    best = sorted(math.exp(x) for x in row)
    return best[-1] - best[-2]


SCORES = {
    "left_to_right": lambda i, row: -i,
    "confidence": lambda i, row: max(row),
    "entropy": lambda i, row: -entropy(row),
    "margin": lambda i, row: gap(row),
    "dilated": lambda i, row: -int(f"{i:0{(3).bit_length()}b}"[::-1], 2),
}


def process_masses(model, canvas, order, sizes, prompt=(), member=None, read=text_of):
    """text -> mass of all canvases and orders that lead to it, `None` for what is no text."""
    law = {tuple(canvas): 1.0}
    for size in sizes:
        after = defaultdict(float)
        for here, mass in law.items():
            rows = model.marginals([prompt], [here])[0]
            open_positions = [i for i, token in enumerate(here) if token is None]
            for tokens, probability in one_step(rows, open_positions, order, size, here, member):
                filled = list(here)
                for i, token in tokens.items():
                    filled[i] = token
                after[tuple(filled)] += mass * probability
        law = after
    masses = defaultdict(float)
    for tokens, mass in law.items():
        masses[read(model.vocabulary, tokens)] += mass
    return masses


def one_step(rows, open_positions, order, size, canvas, member):
    """(position -> token, probability) of every outcome of a step."""
    n_tokens = rows.shape[1]
    if order == "low_confidence":
        yield from low_confidence(rows, open_positions, size)
        return
    if order == "random":
        sets = [(s, 1 / math.comb(len(open_positions), size)) for s in itertools.combinations(open_positions, size)]
    elif callable(order):
        sets = [(tuple(order(canvas, rows))[:size], 1.0)]
    else:
        score, rows_seen = SCORES[order.removeprefix("constrained_")], rows
        if order.startswith("constrained_"):
            rows_seen = constrained(rows, open_positions, canvas, member)
            if rows_seen is None:
                return
        ranked = sorted(open_positions, key=lambda i: (-round(score(i, rows_seen[i].tolist()), 10), i))
        sets = [(tuple(ranked[:size]), 1.0)]
    for positions, share in sets:
        for tokens in itertools.product(range(n_tokens), repeat=len(positions)):
            logs = [rows[i, t] for i, t in zip(positions, tokens, strict=True)]
            yield dict(zip(positions, tokens, strict=True)), share * math.exp(math.fsum(logs))


def low_confidence(rows, open_positions, size):
    """Draw every position, keep the likeliest draws: summed over what is thrown away."""
    for tokens in itertools.product(range(rows.shape[1]), repeat=len(open_positions)):
        drawn = dict(zip(open_positions, tokens, strict=True))
        kept = sorted(drawn, key=lambda i: (-rows[i, drawn[i]], i))[:size]
        probability = math.exp(math.fsum(rows[i, t] for i, t in drawn.items()))
        yield {i: drawn[i] for i in kept}, probability


def constrained(rows, open_positions, canvas, member):
    """Log marginals of the step posterior, by summing over all fillings; `None` if nothing has mass."""
    sums = np.zeros(rows.shape)
    for tokens in itertools.product(range(rows.shape[1]), repeat=len(open_positions)):
        filled = list(canvas)
        for i, token in zip(open_positions, tokens, strict=True):
            filled[i] = token
        if member(tuple(filled)):
            p = math.exp(math.fsum(rows[i, t] for i, t in zip(open_positions, tokens, strict=True)))
            for i, token in zip(open_positions, tokens, strict=True):
                sums[i, token] += p
    if not sums.any():
        return None
    with np.errstate(divide="ignore"):
        return np.log(sums / sums[open_positions[0]].sum())


def members(model, language, read=text_of):
    """Membership of a filled canvas."""

    @functools.cache
    def member(tokens):
        text = read(model.vocabulary, tokens)
        return text is not None and derivatives.matches(language.node, text)

    return member


def full_text_of(canvas):
    """Like `text_of` for canvases in whose open positions no end may stand."""

    def read(vocabulary, tokens):
        ended = any(c is None and token in vocabulary.eos for c, token in zip(canvas, tokens, strict=True))
        return None if ended else text_of(vocabulary, tokens)

    return read


def target(model, length, order, steps, language, prompt=(), canvas=None, sizes=None, read=text_of):
    """text -> mass of the process inside the language."""
    canvas = (None,) * length if canvas is None else canvas
    n_open = canvas.count(None)
    sizes = step_sizes(n_open, steps) if sizes is None else sizes
    masses = process_masses(model, canvas, order, sizes, prompt, members(model, language, read), read)
    return {
        text.decode(): mass
        for text, mass in masses.items()
        if text is not None and derivatives.matches(language.node, text)
    }
