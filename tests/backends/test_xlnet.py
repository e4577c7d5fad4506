"""XLNet of `transformers` as an any-order model: rows equal its own forward, orders have one joint."""

import json
import math

import numpy as np
import pytest
import torch
from tiny_denoisers import byte_tokenizer, saved, seeded
from transformers import XLNetConfig, XLNetLMHeadModel

import pgen
from pgen.backends.anyorder.model import AnyOrderDenoiser
from pgen.backends.base import AnyOrder

CANVASES = [(None, 40, None, None), (None, None, None, None), (50, None, 60, 70)]


def xlnet(rows, **settings):
    config = XLNetConfig(vocab_size=rows, d_model=32, n_layer=2, n_head=4, d_inner=48, **settings)
    return seeded(lambda: XLNetLMHeadModel(config))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    tokenizer = byte_tokenizer()
    model = xlnet(len(tokenizer) + 3)
    return pgen.load(saved(tmp_path_factory.mktemp("xlnet") / "tiny", model, tokenizer), device="cpu"), model, tokenizer


def own_row(model, tokens, position, readable, n_tokens, mask_id):
    """One position asked for alone, given the readable ones: the way its documentation shows."""
    unread = torch.ones(1, len(tokens), len(tokens))
    unread[:, :, readable] = 0.0
    asked = torch.zeros(1, 1, len(tokens))
    asked[0, 0, position] = 1.0
    with torch.inference_mode():
        logits = model(torch.tensor([tokens]), perm_mask=unread, target_mapping=asked).logits[0, 0, :n_tokens].double()
    said = logits.clone()
    said[mask_id] = -torch.inf
    return said.log_softmax(-1).numpy()


def test_rows_equal_its_own_forward(loaded):
    lm, model, tokenizer = loaded
    assert isinstance(lm, AnyOrder) and isinstance(lm, AnyOrderDenoiser)
    rows = lm.conditionals(CANVASES)
    for canvas, found in zip(CANVASES, rows, strict=True):
        # What stands in open positions must not matter: any token will do.
        tokens = [*(33 if token is None else token for token in canvas), 1]
        readable = [i for i, token in enumerate([*canvas, 1]) if token is not None]
        for position in (i for i, token in enumerate(canvas) if token is None):
            want = own_row(model, tokens, position, readable, len(lm.vocabulary), tokenizer.mask_token_id)
            np.testing.assert_allclose(found[position], want, atol=2e-4)


def test_rows_depend_on_every_committed_token_and_not_on_the_batch(loaded):
    lm, _, _ = loaded
    alone = lm.conditionals([(50, None, 60, 70)])[0][1]
    together = lm.conditionals(CANVASES)[2][1]
    np.testing.assert_allclose(alone, together, atol=1e-4)
    for changed in [(51, None, 60, 70), (50, None, 61, 70), (50, None, 60, 71)]:
        assert np.abs(np.exp(lm.conditionals([changed])[0][1]) - np.exp(alone)).max() > 1e-4


def test_the_density_along_an_order_is_that_of_its_conditionals(loaded):
    lm, _, _ = loaded
    rows = lm.ordered([(None, 40, None, None)], [(3, 0, 2)], [(50, 60)])
    for k, canvas in enumerate([(None, 40, None, None), (None, 40, None, 50), (60, 40, None, 50)]):
        np.testing.assert_allclose(rows[0, k], lm.conditionals([canvas])[0, (3, 0, 2)[k]], atol=1e-4)


@pytest.mark.parametrize("order", ["left_to_right", (2, 0, 1), "entropy"])
def test_texts_in_any_order_have_the_mass_of_their_rows(loaded, order):
    lm, _, _ = loaded
    text = lm.text("The cat", length=3, order=order).given(pgen.choice("cat", "mat"))
    posterior = pgen.infer(text, method=pgen.Enumerate(1e-5))
    total = sum(math.exp(text.log_prob(word)) for word in ("cat", "mat"))
    assert math.exp(posterior.log_evidence) == pytest.approx(total, rel=1e-3)
    assert set(posterior.probabilities()) == {"cat", "mat"}
    assert text.sample(seed=0) in ("cat", "mat")


def test_what_cannot_be_an_any_order_model_is_refused(tmp_path):
    tokenizer = byte_tokenizer()
    one_way = saved(tmp_path / "one way", xlnet(len(tokenizer)), tokenizer)
    settings = json.loads((one_way / "config.json").read_text())
    (one_way / "config.json").write_text(json.dumps(settings | {"attn_type": "uni"}))
    with pytest.raises(pgen.ModelError, match="attn_type='uni'"):
        pgen.load(one_way, device="cpu")
    bare = byte_tokenizer(around=False)
    with pytest.raises(pgen.ModelError, match="nothing around a text"):
        pgen.load(saved(tmp_path / "bare", xlnet(len(bare)), bare), device="cpu")
    with pytest.raises(pgen.ModelError, match="the model knows 9"):
        pgen.load(saved(tmp_path / "small", xlnet(9), tokenizer), device="cpu")
