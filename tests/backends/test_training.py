"""Training: the objectives are the bounds they claim to be, and a run learns, logs and saves."""

import gzip
import json
import math

import numpy as np
import pytest
import torch

import pgen
from pgen.backends.anyorder.small_transformer import SmallAnyOrder
from pgen.backends.autoregressive.small_transformer import SmallAutoregressive
from pgen.backends.molecules.files import read_network, write_network
from pgen.backends.molecules.vocabulary import CANVAS, EOS_ID, MASK_ID, N_TOKENS, TEXT, vocabulary
from pgen.backends.training import objectives
from pgen.backends.training.log import TrainingLog
from pgen.backends.training.loop import Settings, evaluate, train
from pgen.backends.training.molecules import batches, read
from pgen.backends.training.objectives import OBJECTIVES
from pgen.backends.transformer import Transformer, TransformerShape

SMILES = ["CCO", "c1cc[nH]c1", "BrCCl", "CC(=O)Nc1ccccc1", "C" * 47, "C" * 48]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "few.csv.gz"
    path.write_bytes(gzip.compress("\n".join(["SMILES", *SMILES, ""]).encode()))
    return path


def network(n_outputs=0, *, blank=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = Transformer(TransformerShape(N_TOKENS, 1 + CANVAS, 16, 1, 2, n_outputs))
        for weight in made.parameters():
            torch.nn.init.zeros_(weight) if blank else torch.nn.init.normal_(weight, std=0.4)
    return made


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def tensors(texts):
    tokens = torch.full((len(texts), CANVAS), EOS_ID)
    for row, text in zip(tokens, texts, strict=True):
        row[: len(text)] = torch.tensor(text)
    return tokens, torch.tensor([len(text) for text in texts])


# Data


def test_molecules_are_read_in_order(file):
    found = read(file)
    assert found.lengths.tolist() == [3, 7, 3, 15, 47] and found.n_left_out == 1
    assert [
        b"".join(vocabulary().tokens[i] for i in row[:n]).decode() for row, n in zip(*found[:2], strict=True)
    ] == SMILES[:5]
    assert (found.tokens[0, 3:] == EOS_ID).all()
    assert read(file, 2).lengths.tolist() == [3, 7]


def test_a_molecule_with_another_atom(tmp_path):
    path = tmp_path / "few.csv.gz"
    path.write_bytes(gzip.compress(b"SMILES\nCCI\n"))
    with pytest.raises(pgen.InvalidArgument, match="'CCI' holds more than the tokens"):
        read(path)


def test_batches_are_of_similar_length_and_cover_the_data(file):
    few = read(file)
    many = few._replace(tokens=few.tokens.repeat(64, 0), lengths=few.lengths.repeat(64))
    order = batches(many, 5, np.random.default_rng(0))
    found = np.array([next(order) for _ in range(64)])
    assert sorted(found.flatten()) == list(range(320))
    assert np.ptp(many.lengths[found], axis=1).mean() < 1.0


# Objectives


def test_the_autoregressive_objective_is_exact():
    model = network()
    texts = [(1, 2, 3), (4,), tuple(range(20))]
    nats = OBJECTIVES["autoregressive"](model, *tensors(texts), generator()).detach()
    lm = SmallAutoregressive(model.eval().requires_grad_(False), vocabulary(), name="tiny")
    for text, found in zip(texts, nats, strict=True):
        rows = lm.path_logits((), text)
        assert float(found) == pytest.approx(-sum(rows[range(len(rows)), (*text, EOS_ID)]), abs=1e-4)


def test_the_any_order_objective_is_the_density_along_random_orders(monkeypatch):
    orders, ranks = [], objectives._random_ranks
    monkeypatch.setattr(objectives, "_random_ranks", lambda *given: orders.append(ranks(*given)) or orders[-1])
    model, texts = network(), [(1, 2, 3), tuple(range(20))]
    tokens, lengths = tensors(texts)
    nats = OBJECTIVES["anyorder"](model, tokens, lengths, generator()).detach()
    lm = SmallAnyOrder(model.eval().requires_grad_(False), vocabulary(), name="tiny")
    for text, order, found in zip(tokens.tolist(), orders[0].tolist(), nats, strict=True):
        assert sorted(order) == list(range(CANVAS))
        canvases = [tuple(text[i] if i in order[:k] else None for i in range(CANVAS)) for k in range(CANVAS)]
        rows = lm.conditionals(canvases)
        each = [rows[k, position, text[position]] for k, position in enumerate(order)]
        assert float(found) == pytest.approx(-sum(each), abs=1e-3)


def test_masked_positions_are_weighed_to_the_whole_canvas():
    nats = OBJECTIVES["diffusion"](network(blank=True), *tensors([(1, 2, 3)] * 96), generator())
    torch.testing.assert_close(nats, torch.full((96,), CANVAS * math.log(len(TEXT) + 1)), rtol=1e-5, atol=0)


def test_the_masked_positions_and_no_others_count(monkeypatch):
    """With log-probabilities 1, 2, 4 … at the positions, what is counted can be read off the inputs."""
    seen = {}

    def told(model, inputs):
        seen["masked"] = inputs[:, 1:] == MASK_ID
        return -torch.arange(CANVAS, dtype=torch.float64)[:, None].expand(len(inputs), CANVAS, N_TOKENS)

    monkeypatch.setattr(objectives, "canvas_log_probs", told)
    tokens, lengths = tensors([tuple(range(20))] * 96)
    nats = OBJECTIVES["diffusion"](None, tokens, lengths, generator())
    n_masked = seen["masked"].sum(1)
    assert sorted(n_masked.tolist()) == sorted([*range(1, CANVAS + 1)] * 2)
    torch.testing.assert_close(nats, (seen["masked"] * torch.arange(CANVAS)).sum(1) * CANVAS / n_masked.double())


def test_dropped_tokens_are_asked_for_in_their_gaps(monkeypatch):
    """With log-probability -(100 slot + token), the mean over what was dropped can be read off what is left."""
    length, seen = 12, {}

    def told(model, inputs, n_kept):
        seen["inputs"], seen["n_kept"] = inputs[:, 1:], n_kept
        values = 100.0 * torch.arange(inputs.shape[1])[:, None] + torch.arange(N_TOKENS)
        return -values.expand(len(inputs), -1, -1), torch.full((len(inputs),), -7.0)

    monkeypatch.setattr(objectives, "insertion_log_probs", told)
    text = torch.randperm(20, generator=generator())[:length].tolist()
    nats = OBJECTIVES["insertion"](None, *tensors([text] * (length + 1)), generator())
    assert sorted(seen["n_kept"].tolist()) == list(range(length + 1))
    for row, n, found in zip(seen["inputs"].tolist(), seen["n_kept"].tolist(), nats, strict=True):
        kept = row[:n]
        assert kept == [token for token in text if token in kept]
        values = [100 * sum(t in kept for t in text[:i]) + token for i, token in enumerate(text) if token not in kept]
        mean = np.mean(values) if values else 7.0
        assert float(found) == pytest.approx((length + 1) * mean - math.lgamma(length + 1), rel=1e-5)


def test_the_insertion_bound_of_a_uniform_model():
    length = 9
    tokens = tensors([(1,) * length] * (length + 1))
    nats = OBJECTIVES["insertion"](network(1, blank=True), *tokens, generator()).detach()
    steps = [math.log(2) + math.log(len(TEXT) * (n + 1)) for n in range(length)]
    assert float(nats.mean()) == pytest.approx(sum(steps) + math.log(2) - math.lgamma(length + 1), rel=1e-5)


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_objectives_reach_every_weight(name):
    model = network(int(name == "insertion"))
    OBJECTIVES[name](model, *tensors([(1, 2, 3)] * 8), generator()).mean().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


# A run


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_a_short_run_learns_and_is_logged(name, file, tmp_path):
    few = read(file)
    many = few._replace(tokens=few.tokens.repeat(64, 0), lengths=few.lengths.repeat(64))
    model = network(int(name == "insertion"))
    before = evaluate(model, OBJECTIVES[name], few, 5)
    log = TrainingLog(tmp_path / "log.json", {"objective": name})
    target = tmp_path / "weights.safetensors"
    train(
        model, OBJECTIVES[name], many, few, Settings(1.0, batch=5, warm_up=2), log, lambda: write_network(model, target)
    )
    result = json.loads((tmp_path / "log.json").read_text())["result"]
    assert result["held_out"] < before - 1.0 and result["steps"] > 3
    after = evaluate(read_network(target), OBJECTIVES[name], few, 5)
    assert after == pytest.approx(result["held_out"], rel=0.02)
