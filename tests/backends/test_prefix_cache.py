"""Keys and values of finished blocks: exact where a block begins, an approximation within it."""

import math

import numpy as np
import pytest
from tiny_denoisers import byte_tokenizer, dream, llada, masked_model, saved

import pgen
from pgen.backends.base import MaskedDiffusion
from pgen.backends.diffusion.prefix_cache import PrefixCached


@pytest.mark.parametrize("write", [llada, dream])
def test_marginals_are_those_of_the_model_where_a_block_begins(tmp_path, write):
    write(tmp_path, byte_tokenizer(around=False))
    model = pgen.load(tmp_path, device="cpu")
    cached = PrefixCached(model, 2)
    assert isinstance(cached, MaskedDiffusion)
    prompts = [model.encode("The cat"), model.encode("sat"), model.encode("The cat"), ()]
    begun = [(40, 41, None, None, None), (42, 43, None, None, None), (40, 41, None, None, 50), (None,) * 5]
    expected, found = (m.marginals(prompts, begun).numpy() for m in (model, cached))
    for canvas, want, got in zip(begun, expected, found, strict=True):
        rows = [i for i, token in enumerate(canvas) if token is None]
        np.testing.assert_allclose(got[rows], want[rows], atol=2e-4)
    within = [(40, 41, 60, None, None)]
    exact, near = (m.marginals(prompts[:1], within).numpy()[0, 3:] for m in (model, cached))
    assert np.abs(np.exp(exact) - np.exp(near)).max() > 1e-6, "a heuristic: the prefix has not seen the new token"
    again = cached.marginals(prompts[:1], within).numpy()
    np.testing.assert_array_equal(again[0, 3:], near, "what was asked before changes nothing")
    language = pgen.Regex("[a-z]{1,3}")
    text = cached.text("The cat", length=4, block=2).given(language)
    posterior = pgen.infer(text, method=pgen.Importance(2), seed=0)
    assert all(language.matches(str(x)) for x in posterior.values)
    assert math.isfinite(posterior.log_evidence)


def test_what_cannot_be_cached_is_refused(tmp_path):
    tokenizer = byte_tokenizer()
    folder = saved(tmp_path / "bert", masked_model("bert", len(tokenizer) + 5), tokenizer)
    with pytest.raises(pgen.InvalidArgument, match="keeps no keys"):
        PrefixCached(pgen.load(folder, device="cpu"), 2)
    llada(tmp_path, byte_tokenizer(around=False))
    with pytest.raises(pgen.InvalidArgument, match="block=0"):
        PrefixCached(pgen.load(tmp_path, device="cpu"), 0)
