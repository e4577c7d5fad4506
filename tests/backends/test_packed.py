"""Packed linear layers: the same numbers as plain ones, only while they are in use."""

import copy

import pytest
import torch
from torch.nn.functional import linear

from pgen.backends.autoregressive import packed
from pgen.backends.autoregressive.packed import FEW_ROWS, PackedLayers

N_ROWS = [1, FEW_ROWS, FEW_ROWS + 1, 17]


def two_layers():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(24, 40), torch.nn.Tanh(), torch.nn.Linear(40, 10, bias=False))


@pytest.mark.parametrize("n_rows", N_ROWS)
@pytest.mark.parametrize("leading", [(), (1,), (2,)])
def test_packed_layers_compute_the_same(n_rows, leading):
    model, rows = two_layers(), torch.randn(*leading, n_rows, 24)
    layers = PackedLayers(model)
    with torch.inference_mode():
        expected = model(rows)
        with layers.in_use():
            torch.testing.assert_close(model(rows), expected, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(model(rows.transpose(0, -2)), expected.transpose(0, -2), atol=1e-5, rtol=1e-5)


def test_the_packed_product_is_what_runs_for_many_rows(monkeypatch):
    model, calls = two_layers(), []
    monkeypatch.setattr(packed, "linear", lambda *given: calls.append(len(given[0])) or linear(*given))
    with torch.inference_mode(), PackedLayers(model).in_use():
        model(torch.zeros(FEW_ROWS, 24))
        model(torch.zeros(FEW_ROWS + 10, 24))
    assert set(calls) == {FEW_ROWS}


def test_a_weight_changed_in_place_is_packed_anew():
    model, rows = two_layers(), torch.randn(9, 24)
    layers = PackedLayers(model)
    with torch.inference_mode(), layers.in_use():
        model(rows)
    with torch.no_grad():
        model[0].weight.mul_(2.0)
        expected = model(rows)
        with layers.in_use():
            torch.testing.assert_close(model(rows), expected, atol=1e-5, rtol=1e-5)


def test_the_model_is_left_as_it_was():
    model = two_layers()
    layers = PackedLayers(model)
    with layers.in_use():
        assert "forward" in vars(model[0])
    with pytest.raises(RuntimeError), layers.in_use():
        model(torch.zeros(9, 23))
    assert "forward" not in vars(model[0])
    copy.deepcopy(model)


def test_models_that_take_too_much_memory_run_as_they_are(monkeypatch):
    monkeypatch.setattr(packed, "PACKED_BYTES", 100)
    model = two_layers()
    with PackedLayers(model).in_use():
        assert "forward" not in vars(model[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_types_run_as_they_are(dtype):
    model = two_layers().to(dtype)
    with PackedLayers(model).in_use():
        assert "forward" not in vars(model[0])
