"""The examples of masked diffusion do what they say."""

import importlib.util
import json

import jsonschema
import pytest

import pgen
from examples import diffusion_json, molecules, reactions, scaffolds
from pgen.backends.packaged import REACTIONS


def test_records_obey_the_schema():
    posterior = diffusion_json.records(diffusion_json.toy(), "", particles=2, seed=1)
    for text in posterior.values:
        jsonschema.validate(json.loads(str(text)), diffusion_json.SCHEMA)


def test_molecules_are_well_formed_and_keep_their_core():
    language = molecules.with_core("c1ccccc1")
    assert language.matches("CC(=O)Nc1ccccc1")
    assert not language.matches("CC(=O)Nc1ccccc")
    text = pgen.load("molecules-diffusion", "cpu").text("", length=16, steps=4)
    posterior = molecules.candidates(text.given(language), seed=0, particles=2)
    assert all("c1ccccc1" in str(molecule) for molecule in posterior.values)


@pytest.mark.parametrize("kind", ["insertion", "anyorder"])
def test_scaffolds_stay_and_holes_refer_to_each_other(kind):
    model = pgen.load(f"molecules-{kind}", "cpu")
    text = scaffolds.grown(model, 6) if kind == "insertion" else scaffolds.sized(model, scaffolds.SIZES)
    posterior = pgen.infer(scaffolds.with_oxygen_once, text, method=pgen.Importance(24, lookahead=0), seed=1)
    for molecule in posterior.values:
        left, right = molecule.holes.values()
        assert molecule == f"{left}c1ccc({right})cc1" and ("O" in left) != ("O" in right)
        assert all(scaffolds.ATOMS.matches(hole) for hole in (left, right))


def test_broken_molecules_are_mended():
    assert scaffolds.mended("CC(=O)Nc1ccc(O") == "CC(=O)Nc1ccc(O)"


@pytest.mark.skipif(importlib.util.find_spec(REACTIONS["rxnmapper"].packages[0]) is None, reason="not installed")
def test_a_product_is_restored():
    posterior = reactions.product(pgen.load("rxnmapper", "cpu"))
    assert str(posterior.mode()) == "CC(=O)Nc1ccccc1"
    assert posterior.mode().holes == {"linker": "N", "ring": "cccc"}
