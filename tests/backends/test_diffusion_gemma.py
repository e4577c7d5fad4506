"""DiffusionGemma by pgen's own loop: its logits are those of the model's own `generate`."""

import numpy as np
import pytest
import torch
from tiny_denoisers import saved, seeded
from tiny_models import tiny_tokenizer
from transformers import (
    DiffusionGemmaConfig,
    DiffusionGemmaForBlockDiffusion,
    DiffusionGemmaTextConfig,
    Gemma4VisionConfig,
    LogitsProcessorList,
)

import pgen
from pgen.backends.base import MaskedDiffusion
from pgen.backends.diffusion.tokenization import from_tokenizer
from pgen.backends.diffusion.uniform import N_PREFIXES, UniformDenoiser

BLOCK = 8
CONTEXT = 64
LAYERS = ["sliding_attention", "sliding_attention", "full_attention"]


def tiny_gemma(rows):
    text = DiffusionGemmaTextConfig(
        vocab_size=rows,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        global_head_dim=8,
        max_position_embeddings=CONTEXT,
        sliding_window=6,
        num_experts=4,
        top_k_experts=2,
        moe_intermediate_size=16,
        layer_types=LAYERS,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=1,
    )
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "position_embedding_size": 16}
    vision = Gemma4VisionConfig(**size, num_attention_heads=2, num_key_value_heads=2, head_dim=8)
    config = DiffusionGemmaConfig(text_config=text, vision_config=vision, canvas_length=BLOCK)
    return seeded(lambda: DiffusionGemmaForBlockDiffusion(config))


@pytest.fixture(scope="module")
def parts():
    tokenizer = tiny_tokenizer()
    return tiny_gemma(len(tokenizer) + 4), tokenizer


def adapter(parts, **options):
    model, tokenizer = parts
    return UniformDenoiser(model, from_tokenizer(tokenizer, eos={1}, name="tiny"), name="tiny", **options)


class Recorder:
    """What the model's own loop sees at every step: the canvas it starts a step with, and the logits."""

    def __init__(self, model, monkeypatch):
        self.canvases, self.logits = [], []
        step = model._denoising_step

        def recorded(**inputs):
            self.canvases.append(inputs["current_canvas"].clone())
            return step(**inputs)

        monkeypatch.setattr(model, "_denoising_step", recorded)

    def __call__(self, input_ids, scores, cur_step=None):
        self.logits.append(scores.clone())
        return scores


def generated(model, prompt, recorder, steps, n_tokens, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model.generate(
            torch.tensor([prompt]),
            max_denoising_steps=steps,
            max_new_tokens=n_tokens,
            t_min=0.5,
            t_max=1.0,
            eos_token_id=None,
            logits_processor=LogitsProcessorList([recorder]),
        ).sequences[0, len(prompt) :]


# The model's own loop imports torch's compiler, which warns about a part of torch.
own_loop = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")

PROMPT = (0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)


@own_loop
def test_a_blind_pass_is_the_first_step_of_generate(parts, monkeypatch):
    model, _ = parts
    recorder = Recorder(model, monkeypatch)
    text = generated(model, PROMPT, recorder, steps=1, n_tokens=BLOCK)
    logits = adapter(parts, passes=1).decoded(PROMPT, recorder.canvases[0])
    torch.testing.assert_close(logits, recorder.logits[0], rtol=1e-5, atol=1e-5)
    assert logits[0].argmax(-1).tolist() == text.tolist()


@own_loop
def test_two_blocks(parts, monkeypatch):
    model, _ = parts
    recorder = Recorder(model, monkeypatch)
    text = generated(model, PROMPT, recorder, steps=1, n_tokens=2 * BLOCK)
    prefix = (*PROMPT, *text[:BLOCK].tolist())
    logits = adapter(parts, passes=1).decoded(prefix, recorder.canvases[1])
    torch.testing.assert_close(logits, recorder.logits[1], rtol=1e-4, atol=1e-4)


def test_the_second_pass_has_seen_the_first(parts):
    model, _ = parts
    block = torch.tensor([[20, 21, 22, 23, 24, 25, 26, 27]])
    first = adapter(parts, passes=1).decoded(PROMPT, block)
    second = adapter(parts, passes=2).decoded(PROMPT, block)
    inputs = {"input_ids": torch.tensor([PROMPT]), "decoder_input_ids": block}
    with torch.inference_mode():
        expected = model(**inputs, self_conditioning_logits=first).logits
    torch.testing.assert_close(second, expected, rtol=1e-4, atol=1e-4)
    assert (first - second).abs().max() > 1e-2


CANVASES = ((None, 40, None, None, 41), (None,) * 5, (40, 41, 42, 43, None))


def test_marginals_are_a_function_of_prompt_and_canvas(parts):
    lm = adapter(parts)
    assert isinstance(lm, MaskedDiffusion)
    prompts = [PROMPT, PROMPT, PROMPT[:4]]
    together = lm.marginals(prompts, CANVASES)
    np.testing.assert_allclose(together.exp().sum(-1), 1.0, atol=1e-5)
    for prompt, canvas, rows in zip(prompts, CANVASES, together, strict=True):
        alone = adapter(parts).marginals([prompt], [canvas])[0]
        torch.testing.assert_close(rows, alone, rtol=1e-4, atol=1e-4)


def test_noise_is_fresh_for_every_canvas(parts):
    lm = adapter(parts)
    blocks = {tuple(lm._noisy(PROMPT, (None,) * n)) for n in range(BLOCK + 1)}
    assert len(blocks) == 1  # what is behind the end of a canvas is noise like any other
    held = lm._noisy(PROMPT, (None, 40))
    assert held[1] == 40
    assert held[0] != next(iter(blocks))[0] or held[2:] != next(iter(blocks))[2:]
    assert lm._noisy(PROMPT[:4], (None, 40)) != held


def test_finished_blocks_are_read_as_prompt(parts):
    lm = adapter(parts)
    block = (30, 31, 32, 33, 34, 35, 36, 37)
    rows = lm.marginals([PROMPT], [(*block, None, 40)])[0]
    np.testing.assert_array_equal(rows[BLOCK:], lm.marginals([(*PROMPT, *block)], [(None, 40)])[0])


def test_a_whole_block_has_no_next_one(parts):
    rows = adapter(parts).marginals([PROMPT], [(None,) * BLOCK])[0]
    assert rows.isfinite().all()


def test_an_open_position_before_the_last_block(parts):
    with pytest.raises(pgen.ModelError, match="position 2 is open") as caught:
        adapter(parts).marginals([PROMPT], [(1, 2, None, *[4] * 6)])
    assert "blocks of 8" in caught.value.hint


def test_the_cache_of_prefixes_is_bounded_and_changes_nothing(parts):
    lm = adapter(parts)
    canvas = (None, 40, None)
    first = lm.marginals([PROMPT], [canvas])
    for n in range(1, 2 * N_PREFIXES):
        lm.marginals([(n, 3)], [canvas])
    assert len(lm._prefixes) == N_PREFIXES
    np.testing.assert_array_equal(lm.marginals([PROMPT], [canvas]), first)


@pytest.mark.parametrize(
    ("prompt", "message"), [((), "an empty prefix"), ((3,) * (CONTEXT - BLOCK + 1), "the context")]
)
def test_prefixes_that_cannot_be(parts, prompt, message):
    with pytest.raises(pgen.ModelError, match=message):
        adapter(parts).marginals([prompt], [(None,)])


def test_passes_that_cannot_be(parts):
    with pytest.raises(pgen.InvalidArgument, match="passes=0"):
        adapter(parts, passes=0)


def test_a_directory(parts, tmp_path):
    lm = pgen.load(saved(tmp_path / "gemma", *parts), device="cpu")
    assert isinstance(lm, UniformDenoiser)
    assert (lm.block_length, lm.context_length, lm.vocabulary.eos) == (BLOCK, CONTEXT, {1})
    # Weights lie elsewhere in memory, which may change the order of sums.
    np.testing.assert_allclose(
        lm.marginals([PROMPT], CANVASES[:1]), adapter(parts).marginals([PROMPT], CANVASES[:1]), rtol=0, atol=1e-4
    )
