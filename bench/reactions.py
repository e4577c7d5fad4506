"""Products of textbook reactions, masked in part, restored by masked models of reaction SMILES."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import pgen
from bench.diffusion_methods import RULES, Draws, log_process, weighted, written
from bench.smiles import REACTIONS, canonical, is_valid, smiles
from pgen.programs.canvas import CanvasDistribution, canvas_distribution

TEXTBOOK = (
    "CC(=O)O.OCC>>CC(=O)OCC",
    "CC(=O)Cl.Nc1ccccc1>>CC(=O)Nc1ccccc1",
    "Brc1ccccc1.OB(O)c1ccccc1>>c1ccc(-c2ccccc2)cc1",
    "Oc1ccccc1.CI>>COc1ccccc1",
    "CC(C)(C)OC(=O)NCC(=O)O.NCc1ccccc1>>CC(C)(C)OC(=O)NCC(=O)NCc1ccccc1",
    "CC(C)(C)OC(=O)N1CCNCC1>>C1CNCCN1",
    "O=[N+]([O-])c1ccccc1>>Nc1ccccc1",
    "CC(=O)c1ccccc1>>CC(O)c1ccccc1",
    "COC(=O)c1ccccc1>>O=C(O)c1ccccc1",
    "O=Cc1ccccc1.NC1CCCCC1>>c1ccc(CNC2CCCCC2)cc1",
    "Cc1ccc(S(=O)(=O)Cl)cc1.NCCO>>Cc1ccc(S(=O)(=O)NCCO)cc1",
    "O=[N+]([O-])c1ccc(F)cc1.C1COCCN1>>O=[N+]([O-])c1ccc(N2CCOCC2)cc1",
    "O=C=Nc1ccccc1.NCc1ccccc1>>O=C(NCc1ccccc1)Nc1ccccc1",
    "OCc1ccccc1.BrP(Br)Br>>BrCc1ccccc1",
    "N#Cc1ccccc1>>NCc1ccccc1",
    "COc1ccc(Br)cc1.OB(O)c1ccncc1>>COc1ccc(-c2ccncc2)cc1",
)
SHARES = (0.3, 0.6, 1.0)
TEMPERATURE = 0.5
METHODS = ("unconstrained", "masked by position", "DINGO", "per-step exact", "SMC")


def reactions(name: str, n_reactions: int, count: int) -> list[dict[str, Any]]:
    """For each share of masked tokens and method: validity, exact match, likelihood and seconds a draw."""
    model = pgen.load(name, "cpu")
    language = smiles(depth=2, digits="123", atoms=REACTIONS, bond=r"[-=#/\\]")
    rows = []
    for share in SHARES:
        figures: dict[str, list[dict[str, float]]] = {method: [] for method in METHODS}
        for number, reaction in enumerate(TEXTBOOK[:n_reactions]):
            text, product = masked_product(model, reaction, share, number)
            for method in METHODS:
                began = time.process_time()
                draws = attempt(text.given(language), method, count, number)
                seconds = (time.process_time() - began) / count
                figures[method].append({**judged(text, draws, product), "seconds": seconds})
        rows += [{"model": name, "masked": share, "method": each, **mean(found)} for each, found in figures.items()]
    return rows


def masked_product(model: Any, reaction: str, share: float, seed: int) -> tuple[CanvasDistribution, str]:
    """The distribution of a product with a share of its tokens masked, and the product."""
    reactants, product = reaction.split(">>")
    tokens = model.vocabulary.encode(product)
    count = max(1, round(share * len(tokens)))
    hidden = set(np.random.default_rng(seed).permutation(len(tokens))[:count].tolist())
    canvas = tuple(None if i in hidden else token for i, token in enumerate(tokens))
    prompt = model.encode(reactants + ">>")
    return canvas_distribution(model, prompt, length=len(tokens), canvas=canvas, temperature=TEMPERATURE), product


def attempt(text: CanvasDistribution, method: str, count: int, seed: int) -> Draws:
    if method == "SMC":
        return weighted(text, count, seed, is_valid)
    return written(text, RULES[method], 1 if method == "DINGO" else count, seed)


def judged(text: CanvasDistribution, draws: Draws, product: str) -> dict[str, float]:
    """Shares by weight; likelihood in nats over the valid draws, by the model's own process."""
    wanted, valid, exact = canonical(product), 0.0, 0.0
    right = [(each, w) for each, w in zip(draws.texts, draws.weights, strict=True) if each is not None and w > 0]
    good = [(each, w) for each, w in right if is_valid(each)]
    valid = sum(w for _, w in good)
    exact = sum(w for each, w in good if canonical(each) == wanted)
    logs = log_process(text, [each for each, _ in good]) if good else []
    nats = sum(w * log for (_, w), log in zip(good, logs, strict=True)) / valid if good else float("nan")
    return {"valid": valid, "exact": exact, "log_likelihood": nats, "evaluations": draws.n_evaluations}


def mean(found: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.nanmean([each[key] for each in found])) for key in found[0]}
