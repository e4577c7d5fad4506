"""Keys and values kept for some steps: exact where they cannot be out of date, a model of their own elsewhere."""

import math

import numpy as np
import pytest
from tiny_denoisers import SIZES, byte_tokenizer, dream, llada, masked_model, saved

import pgen
from pgen.backends.base import MaskedDiffusion
from pgen.backends.diffusion.step_cache import BlockCache, DelayedCache
from pgen.programs.trails import Remembers, following

WAY = [(None,) * 6, (40, None, None, None, 41, None), (40, None, 42, None, 41, None), (40, 43, 42, None, 41, None)]
KINDS = ["bert", "albert", "roberta", "llada", "dream"]


def loaded(folder, kind):
    tokenizer = byte_tokenizer(around=kind in ("bert", "albert", "roberta"))
    if kind in ("llada", "dream"):
        {"llada": llada, "dream": dream}[kind](folder, tokenizer)
    else:
        saved(folder, masked_model(kind, len(tokenizer) + 5), tokenizer)
    return pgen.load(folder, device="cpu")


def led(model, way):
    """The last canvas of a way, as the model is asked about it."""
    canvas = way[0]
    for after in way[1:]:
        canvas = following(model, canvas, after)
    return canvas


def open_rows(model, prompts, canvases):
    rows = model.marginals(prompts, canvases).numpy()
    return [row[[i for i, token in enumerate(c) if token is None]] for row, c in zip(rows, canvases, strict=True)]


def assert_close(found, expected, tolerance=2e-4):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_kept_is_the_model_and_what_is_not_out_of_date_is_exact(tmp_path, kind):
    model = loaded(tmp_path, kind)
    prompts = [model.encode("The cat"), model.encode("sat"), ()]
    for every in (DelayedCache(model, refresh=1), BlockCache(model, 2, refresh=1)):
        assert isinstance(every, MaskedDiffusion)
        assert isinstance(every, Remembers)
        asked = [led(every, WAY[:2]), led(every, WAY[:3]), led(every, WAY)]
        assert_close(open_rows(every, prompts, asked), open_rows(model, prompts, asked), 1e-5)
    for kept in (DelayedCache(model, refresh=9), BlockCache(model, 6, refresh=9)):
        assert_close(open_rows(kept, prompts, WAY[:3]), open_rows(model, prompts, WAY[:3]))
        same = [led(kept, [canvas] * 3) for canvas in WAY[:3]]
        assert all(len(canvas.earlier) == 2 for canvas in same)
        assert_close(open_rows(kept, prompts, same), open_rows(model, prompts, same))
        changed = [led(kept, WAY[:3])] * 3
        far = zip(open_rows(kept, prompts, changed), open_rows(model, prompts, changed), strict=True)
        assert any(np.abs(np.exp(one) - np.exp(other)).max() > 1e-5 for one, other in far), "a heuristic"


@pytest.mark.parametrize("kind", KINDS)
def test_one_layer_is_never_out_of_date(tmp_path, kind, monkeypatch):
    """There keys and values depend on the token of their own position alone."""
    monkeypatch.setitem(SIZES, "num_hidden_layers", 1)
    model = loaded(tmp_path, kind)
    prompts = [model.encode("The cat"), model.encode("sat"), ()]
    delayed, block = DelayedCache(model, refresh=9), BlockCache(model, 6, refresh=9)
    asked = [led(delayed, WAY), led(delayed, WAY[:3]), led(delayed, WAY[1:])]
    assert_close(open_rows(delayed, prompts, asked), open_rows(model, prompts, asked))
    asked = [led(block, WAY), led(block, WAY[:2]), led(block, WAY[2:])]
    assert_close(open_rows(block, prompts, asked), open_rows(model, prompts, asked))


def test_only_the_own_way_counts(tmp_path):
    """Not the batch, not what was asked before, not what was forgotten."""
    model = loaded(tmp_path, "dream")
    prompts = [model.encode("The cat"), model.encode("sat"), ()]
    for make in (lambda: DelayedCache(model, refresh=3), lambda: BlockCache(model, 3, refresh=3)):
        together = make()
        asked = [led(together, WAY[:3]), led(together, WAY[1:]), led(together, WAY)]
        found = open_rows(together, prompts, asked)
        for prompt, canvas, rows in zip(prompts, asked, found, strict=True):
            assert_close(open_rows(make(), [prompt], [canvas]), [rows], 1e-5)
    forgetful, mindful = DelayedCache(model, refresh=4), DelayedCache(model, refresh=4)
    forgetful._keep = lambda asked, kept: None
    asked = [led(mindful, WAY)]
    assert asked != [led(mindful, WAY[:1] + WAY[2:])], "another way is another state"
    for each in ([mindful.following(WAY[0], WAY[1])], asked):
        found = open_rows(mindful, prompts[:1], each)
    assert_close(open_rows(forgetful, prompts[:1], asked), found, 1e-5)


def test_a_block_is_read_in_sight_of_what_was_kept(tmp_path):
    """Behind the block, marginals are those of its beginning; where it ends, all is computed anew."""
    model = loaded(tmp_path, "llada")
    kept = BlockCache(model, 3)
    way = [(40, None, None, None, None, 41), (40, 42, None, None, None, 41), (40, 42, 43, None, None, 41)]
    begun, within, done = way[0], led(kept, way[:2]), led(kept, way)
    assert not hasattr(done, "earlier")
    rows = kept.marginals([(), ()], [begun, within]).numpy()
    np.testing.assert_array_equal(rows[0, 3:5], rows[1, 3:5])
    assert np.abs(np.exp(rows[0, 2]) - np.exp(rows[1, 2])).max() > 1e-5
    assert_close(open_rows(kept, [()], [done]), open_rows(model, [()], [done]), 1e-5)


def test_texts_under_a_language_and_what_is_refused(tmp_path):
    model = loaded(tmp_path / "albert", "albert")
    language = pgen.Regex("[a-z]{1,4}")
    for cached in (DelayedCache(model, 3), BlockCache(model, 2)):
        text = cached.text("The cat", length=4, block=2).given(language)
        runs = [pgen.infer(text, method=pgen.SMC(particles=n, resample="tokens"), seed=0) for n in (3, 3)]
        assert all(language.matches(str(x)) for x in runs[0].values)
        assert math.isfinite(runs[0].log_evidence)
        assert runs[0].log_evidence == pytest.approx(runs[1].log_evidence, abs=1e-4)
    tokenizer = byte_tokenizer()
    windows = saved(tmp_path / "modern", masked_model("modernbert", len(tokenizer)), tokenizer)
    with pytest.raises(pgen.InvalidArgument, match="without windows"):
        DelayedCache(pgen.load(windows, device="cpu"), 2)
    with pytest.raises(pgen.InvalidArgument, match="refresh=0"):
        DelayedCache(model, 0)
    with pytest.raises(pgen.InvalidArgument, match="block=0"):
        BlockCache(model, 0)
