"""Weights kept as codes: the same numbers bit for bit, the same products, the same logits as the model's own pass."""

import numpy as np
import pytest
import torch
from coded_models import EIGHT_BITS, FOUR_BITS, branching, quantised, small_model

from pgen.backends.autoregressive.coded import coded
from pgen.backends.autoregressive.coded_decoder import MOST_TOKENS, CodedDecoder, NotCoded
from pgen.backends.autoregressive.coded_kernels import BLOCK, LANES, linear
from pgen.backends.autoregressive.forward import CachedForward, PlainForward, Request


def decoded(weight):
    """The weight that codes stand for, by the definition."""
    codes, scales, offsets = (part.numpy() for part in weight)
    if codes.dtype == np.uint8:
        codes = np.stack([codes & 15, codes >> 4], axis=2).reshape(len(codes), -1, LANES)
    blocks = codes.reshape(len(codes), -1, BLOCK, LANES).astype(np.float32)  # (O / LANES, I / BLOCK, BLOCK, LANES)
    weights = blocks * scales[:, :, None] + offsets[:, :, None]
    return weights.reshape(len(codes), -1, LANES).transpose(0, 2, 1).reshape(len(codes) * LANES, -1)


@pytest.mark.parametrize("kind", [FOUR_BITS, EIGHT_BITS])
def test_codes_give_back_every_weight_bit_for_bit(kind):
    weight = quantised(kind)
    found = coded(weight)
    assert found.codes.dtype == (torch.uint8 if kind == FOUR_BITS else torch.int8)
    assert np.array_equal(decoded(found), weight.numpy())


def test_scales_are_found_through_rounding_and_from_either_end():
    far = quantised(FOUR_BITS, n_outputs=160, spread=20.0)
    assert np.array_equal(decoded(coded(far)), far.numpy())
    below = quantised(EIGHT_BITS, highest=-127)
    assert (below.view(48, -1, BLOCK).amin(-1) < -below.view(48, -1, BLOCK).amax(-1)).all()
    assert np.array_equal(decoded(coded(below)), below.numpy())


def test_weights_that_are_no_codes_are_left_alone():
    weight = quantised(FOUR_BITS)
    weight[5, 7] += 1e-4
    assert coded(weight) is None
    assert coded(torch.randn(32, 64)) is None
    assert coded(quantised(EIGHT_BITS)[:20]) is None
    assert coded(quantised(EIGHT_BITS)[:, :40].contiguous()) is None


def test_blocks_that_reach_beyond_the_largest_code_are_refused():
    """The smallest half is a scale with which codes up to 21 would give the weights, if there were such codes."""
    steps = torch.arange(16 * 32).remainder(22).view(16, 32)
    assert coded(steps * 2.0**-24) is None
    assert np.array_equal(decoded(coded(steps.remainder(16) * 2.0**-24)), steps.remainder(16).numpy() * 2.0**-24)


def test_blocks_of_equal_weights_are_codes():
    assert np.array_equal(decoded(coded(torch.full((16, 32), 0.25))), np.full((16, 32), 0.25))
    assert np.array_equal(decoded(coded(torch.zeros(16, 32))), np.zeros((16, 32)))


@pytest.mark.parametrize("kind", [FOUR_BITS, EIGHT_BITS])
def test_products_are_those_of_the_weights_and_do_not_depend_on_the_other_rows(kind):
    weight, draws = quantised(kind), np.random.default_rng(1)
    arrays = [part.flatten(1).numpy() for part in coded(weight)]
    bias, rows = draws.normal(size=48).astype(np.float32), draws.normal(size=(35, 64)).astype(np.float32)
    exact = rows.astype(np.float64) @ weight.numpy().astype(np.float64).T + bias
    alone = np.empty((35, 48), np.float32)
    for i in range(35):
        linear(*arrays, bias, rows[i : i + 1], alone[i : i + 1])
    np.testing.assert_allclose(alone, exact, atol=2e-5)
    for n_rows in (2, 4, 5, 8, 9, 16, 17, 35):
        together = np.empty((n_rows, 48), np.float32)
        linear(*arrays, bias, rows[:n_rows], together)
        assert np.array_equal(together, alone[:n_rows])


@pytest.fixture(params=["llama", "qwen2"])
def model(request):
    return small_model(request.param)


def test_logits_are_those_of_the_model_whatever_was_asked_before(model, monkeypatch):
    served = []
    call = CodedDecoder.__call__
    monkeypatch.setattr(CodedDecoder, "__call__", lambda self, ids, *rest: served.append(ids) or call(self, ids, *rest))
    cpu = torch.device("cpu")
    forward, plain = CachedForward(model, cpu, 64, 2**24), PlainForward(model, cpu)
    for seed, count in ((0, 1), (1, 3), (2, 9), (3, 5)):
        requests = [Request(prefix, 1 + seed % 2) for prefix in branching(seed, count)]
        for found, expected in zip(forward(requests), plain(requests), strict=True):
            torch.testing.assert_close(found, expected, atol=2e-4, rtol=2e-4)
    assert len(served) >= 4


def test_what_a_pass_has_written_is_read_by_the_next(model):
    """Rows beyond the first: a pass begins where an earlier one has left keys and values."""
    cpu = torch.device("cpu")
    forward, plain = CachedForward(model, cpu, 64, 2**24), PlainForward(model, cpu)
    forward([Request((3, 1, 4, 1, 5), 2)])
    asked = [Request(prefix, 2) for prefix in branching(1, 3)]
    for longer, which in (((), asked), ((7,), asked[2:]), ((9,), asked[1:2])):
        requests = [Request((*request.tokens, *longer), 2) for request in which]
        for found, expected in zip(forward(requests), plain(requests), strict=True):
            torch.testing.assert_close(found, expected, atol=2e-4, rtol=2e-4)


def test_weights_changed_in_place_are_coded_anew_or_left_to_the_model(model):
    decoder = CodedDecoder(model)
    assert decoder.serves(1)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight.mul_(2.0)
    assert decoder.serves(1)
    forward, request = CachedForward(model, torch.device("cpu"), 64, 2**24), [Request((3, 1, 4, 1, 5))]
    forward(request)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight.add_(torch.randn(96, 64) * 0.01)
    forward.forget()
    assert not decoder.serves(1)
    (expected,) = PlainForward(model, torch.device("cpu"))(request)
    torch.testing.assert_close(forward(request)[0], expected, atol=2e-4, rtol=2e-4)


def test_large_passes_are_for_the_model():
    decoder = CodedDecoder(small_model("llama"))
    assert decoder.serves(MOST_TOKENS // torch.get_num_threads())
    assert not decoder.serves(MOST_TOKENS + 1)


def test_models_that_the_kernels_do_not_know_are_left_to_themselves():
    with pytest.raises(NotCoded):
        CodedDecoder(small_model("llama", hidden_act="gelu"))
    with pytest.raises(NotCoded):
        CodedDecoder(small_model("llama").double())
    watched = small_model("llama")
    watched.model.layers[0].register_forward_hook(lambda *_: None)
    with pytest.raises(NotCoded):
        CodedDecoder(watched)
