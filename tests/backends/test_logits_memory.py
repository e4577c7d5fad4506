"""What a transformers model remembers of its last evaluations, and how it is made to forget."""

import numpy as np
import pytest
import torch
from tiny_models import tiny_model, tiny_tokenizer

from pgen.backends.autoregressive.transformers_model import TransformersModel

TOLERANCE = 1e-4


@pytest.fixture
def llama():
    return TransformersModel(tiny_model("llama", seed=0), tiny_tokenizer(chat=False), name="tiny", cache_bytes=2**24)


def test_a_prefix_is_evaluated_once_until_it_is_forgotten(llama, monkeypatch):
    evaluated = []
    inner = llama._evaluate
    monkeypatch.setattr(llama, "_evaluate", lambda asked: evaluated.extend(r.tokens for r in asked) or inner(asked))
    first = llama.next_logits([(1, 2), (1, 2, 3)])
    again = llama.next_logits([(1, 2, 3), (1, 4), (1, 2)])
    assert evaluated == [(1, 2), (1, 2, 3), (1, 4)]
    np.testing.assert_array_equal(again[[2, 0]], first)
    again[:] = 0
    np.testing.assert_array_equal(llama.next_logits([(1, 2)]), first[:1])


def test_forgetting_drops_logits_keys_and_values(llama):
    before = llama.next_logits([(1, 2, 3)])
    with torch.no_grad():
        llama.model.model.embed_tokens.weight.mul_(-2.0)
    np.testing.assert_array_equal(llama.next_logits([(1, 2, 3)]), before)
    llama.forget()
    with torch.inference_mode():
        expected = llama.model(torch.tensor([[1, 2, 3]])).logits[0, -1, : len(llama.vocabulary)].numpy()
    np.testing.assert_allclose(llama.next_logits([(1, 2, 3)])[0], expected, atol=TOLERANCE)
    assert abs(expected - before[0]).max() > 100 * TOLERANCE


def test_the_prefixes_asked_for_last_are_kept(llama):
    llama._most_known = 2
    llama.next_logits([(1,), (2,)])
    llama.next_logits([(1,)])
    llama.next_logits([(3,)])
    assert list(llama._known) == [(1,), (3,)]
