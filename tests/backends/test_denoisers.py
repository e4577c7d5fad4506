"""Masked-diffusion adapters: marginals equal direct calls of transformers, prompts and ends stand where they should."""

import importlib.util
import json

import numpy as np
import pytest
import torch
from tiny_denoisers import byte_tokenizer, dream, llada, masked_model, saved, word_tokenizer
from tiny_models import tiny_model, tiny_tokenizer

import pgen
from pgen.backends.base import MaskedDiffusion
from pgen.backends.diffusion.denoiser import Denoiser
from pgen.backends.model_files import quiet
from pgen.backends.packaged import REACTIONS

KINDS = ("bert", "albert", "roberta", "modernbert")
PROMPTS = ("", "The cat", "The cat sat on")
CANVASES = ((None, 40, None, None), (None, None, None, None), (50, None, 60, 70))


def logits_of(model, tokens):
    with torch.inference_mode():
        return model(input_ids=torch.tensor([tokens])).logits[0].double()


def expected(logits, rows, n_tokens, mask_id):
    chosen = logits[rows, :n_tokens].clone()
    chosen[:, mask_id] = -torch.inf
    return chosen.log_softmax(-1).numpy()


def open_rows(canvas):
    return [i for i, token in enumerate(canvas) if token is None]


@pytest.fixture(scope="module", params=KINDS)
def masked(request, tmp_path_factory):
    tokenizer = byte_tokenizer()
    model = masked_model(request.param, len(tokenizer) + 5)
    folder = saved(tmp_path_factory.mktemp("models") / request.param, model, tokenizer)
    return pgen.load(folder, device="cpu"), model, tokenizer


def test_marginals_of_a_masked_model(masked):
    lm, model, tokenizer = masked
    assert isinstance(lm, MaskedDiffusion)
    prompts = [lm.encode(prompt) for prompt in PROMPTS]
    found = lm.marginals(prompts, CANVASES).numpy()
    for prompt, canvas, rows in zip(PROMPTS, CANVASES, found, strict=True):
        whole = tokenizer(prompt)["input_ids"]
        inner = [tokenizer.mask_token_id if token is None else token for token in canvas]
        start = len(whole) - 1
        logits = logits_of(model, [*whole[:start], *inner, whole[-1]])
        masks = open_rows(canvas)
        want = expected(logits, [start + i for i in masks], len(lm.vocabulary), tokenizer.mask_token_id)
        np.testing.assert_allclose(rows[masks], want, atol=2e-4)


def test_marginals_are_normalised_and_never_the_mask(masked):
    lm, _, tokenizer = masked
    rows = lm.marginals([lm.encode("The cat")], [(None,) * 6])[0]
    np.testing.assert_allclose(rows.exp().sum(-1), 1.0, atol=1e-5)
    assert torch.isneginf(rows[:, tokenizer.mask_token_id]).all()
    assert rows.shape == (6, len(lm.vocabulary)) and rows.dtype == torch.float32


def test_rows_do_not_depend_on_the_batch(masked):
    lm, _, _ = masked
    prompts = [lm.encode(prompt) for prompt in PROMPTS]
    together = lm.marginals(prompts, CANVASES)
    for prompt, canvas, rows in zip(prompts, CANVASES, together, strict=True):
        alone = lm.marginals([prompt], [canvas])[0]
        np.testing.assert_allclose(rows[open_rows(canvas)], alone[open_rows(canvas)], atol=1e-4)


def test_the_context_is_used_up_to_the_last_position(masked):
    lm, _, _ = masked
    assert lm.context_length == 40 - 1 - (2 if lm.name == "roberta" else 0)
    prompt = lm.encode("The cat")
    room = lm.context_length - len(prompt)
    assert lm.marginals([prompt], [(None,) * room]).isfinite().any()
    with pytest.raises(pgen.ModelError, match="the context holds"):
        lm.marginals([prompt], [(None,) * (room + 1)])


def test_no_canvas_at_all(masked):
    lm, _, _ = masked
    assert lm.marginals([], []).shape == (0, 0, len(lm.vocabulary))


def test_word_pieces_have_a_space_before_each_word(tmp_path):
    tokenizer = word_tokenizer()
    lm = pgen.load(saved(tmp_path / "words", masked_model("bert", len(tokenizer)), tokenizer), device="cpu")
    prompt = lm.encode("The cats")
    assert prompt == (2, 5, 6, 12)
    assert lm.vocabulary.decode(prompt) == b" the cats"
    assert lm.vocabulary.eos == frozenset()
    assert {0, 1, 2, 3, 4} == lm.vocabulary.special


@pytest.mark.parametrize(("write", "shift"), [(llada, 0), (dream, 1)])
def test_llada_and_dream_read_in_both_directions(tmp_path, write, shift):
    tokenizer = byte_tokenizer(around=False)
    folder = tmp_path / "text model"
    folder.mkdir()
    model = write(folder, tokenizer)
    lm = pgen.load(folder, device="cpu")
    assert isinstance(lm, Denoiser)
    assert 1 in lm.vocabulary.eos
    prompt = lm.encode("The cat sat")
    assert prompt == tuple(tokenizer("The cat sat")["input_ids"])
    canvas = (None, 40, None, 41)
    tokens = [*prompt, *(tokenizer.mask_token_id if token is None else token for token in canvas)]
    mask = torch.ones(1, 1, len(tokens), len(tokens), dtype=torch.bool)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([tokens]), attention_mask=mask).logits[0].double()
    rows = [len(prompt) + i - shift for i in (0, 2)]
    want = expected(logits, rows, len(lm.vocabulary), tokenizer.mask_token_id)
    np.testing.assert_allclose(lm.marginals([prompt], [canvas])[0][[0, 2]], want, atol=1e-4)
    before, after = (lm.marginals([prompt], [(*canvas[:3], last)])[0, 0].exp() for last in (41, 42))
    assert (before - after).abs().max() > 1e-4


def test_a_shifted_model_without_prompt_reads_its_first_row_twice(tmp_path):
    tokenizer = byte_tokenizer(around=False)
    dream(tmp_path, tokenizer)
    lm = pgen.load(tmp_path, device="cpu")
    rows = lm.marginals([()], [(None, None, None)])[0]
    np.testing.assert_array_equal(rows[0], rows[1])


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def llada_folder(tmp_path):
    llada(tmp_path, byte_tokenizer(around=False))
    return tmp_path


def test_the_block_length_is_that_of_the_config(llada_folder):
    assert pgen.load(llada_folder, device="cpu").block_length is None
    change_config(llada_folder, block_length=32)
    assert pgen.load(llada_folder, device="cpu").block_length == 32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alibi": True}, "alibi=True is not supported"),
        ({"d_model": None}, "cannot be loaded"),
        ({"n_layers": 3}, "do not fit its config"),
    ],
)
def test_a_llada_that_is_no_llama(llada_folder, changes, message):
    change_config(llada_folder, **changes)
    with pytest.raises(pgen.ModelError, match=message):
        pgen.load(llada_folder, device="cpu")


@pytest.mark.parametrize("write", [llada, dream])
def test_a_config_without_mask_token(tmp_path, write):
    write(tmp_path, byte_tokenizer(around=False))
    change_config(tmp_path, mask_token_id=None)
    with pytest.raises(pgen.InvalidArgument, match=r"config\.json names no mask token") as caught:
        pgen.load(tmp_path, device="cpu")
    assert "trained to fill in masks" in caught.value.hint


def test_a_tokenizer_without_mask_token(tmp_path):
    tokenizer = tiny_tokenizer()
    saved(tmp_path, masked_model("bert", len(tokenizer)), tokenizer)
    with pytest.raises(pgen.InvalidArgument, match="names no mask token"):
        pgen.load(tmp_path, device="cpu")


def test_weights_without_a_head(tmp_path):
    tokenizer = byte_tokenizer()
    model = masked_model("bert", len(tokenizer))
    with quiet():
        model.bert.save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
    change_config(tmp_path, architectures=["BertForMaskedLM"])
    with pytest.raises(pgen.ModelError, match=r"lack .* among them cls"):
        pgen.load(tmp_path, device="cpu")


def test_weights_that_are_no_numbers(tmp_path):
    tokenizer = byte_tokenizer()
    model = masked_model("bert", len(tokenizer))
    model.bert.embeddings.word_embeddings.weight.data[40] = torch.nan
    lm = pgen.load(saved(tmp_path, model, tokenizer), device="cpu")
    with pytest.raises(pgen.ModelError, match="marginals are NaN"):
        lm.marginals([lm.encode("a")], [(None, 40)])


def test_a_causal_model_is_still_autoregressive(tmp_path):
    assert hasattr(pgen.load(saved(tmp_path, tiny_model(), tiny_tokenizer()), device="cpu"), "next_logits")


# Models of reactions, if their packages are installed

ESTER = "CC(=O)O.OCC>>CC(=O)OCC"


@pytest.fixture(scope="module", params=sorted(REACTIONS))
def reactions(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"needs the package {request.param}")
    return pgen.load(request.param, device="cpu")


def test_reactions_are_spelled_by_atoms(reactions):
    vocabulary = reactions.vocabulary
    assert [vocabulary.tokens[i] for i in vocabulary.encode("C[C@H](Cl)Br>>%12")] == [
        *(b"C", b"[C@H]", b"(", b"Cl", b")", b"Br", b">>", b"%12")
    ]
    assert {vocabulary.tokens[i] for i in vocabulary.special} > {b"[PAD]", b"[UNK]", b"[CLS]", b"[SEP]", b"[MASK]"}
    assert reactions.encode("CC>>") == (vocabulary.tokens.index(b"[CLS]"), *vocabulary.encode("CC>>"))
    with pytest.raises(pgen.InvalidArgument):
        reactions.encode("C C")


def test_reactions_are_completed(reactions):
    prompt, product = ESTER.split(">>")
    start, tokens = reactions.encode(f"{prompt}>>"), reactions.vocabulary.encode(product)
    canvases = [(*tokens[:i], None, *tokens[i + 1 :]) for i in range(len(tokens))]
    rows = reactions.marginals([start] * len(tokens), canvases)
    best = rows[range(len(tokens)), range(len(tokens))].argmax(-1)
    assert sum(int(a) == b for a, b in zip(best, tokens, strict=True)) >= len(tokens) - 2
