"""The small transformer as four kinds of model, and the bundled molecule models."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import pgen
from pgen.backends.anyorder.model import AnyOrderDenoiser
from pgen.backends.anyorder.small_transformer import SmallAnyOrder
from pgen.backends.autoregressive.small_transformer import SmallAutoregressive
from pgen.backends.base import AnyOrder, Autoregressive, Insertion, MaskedDiffusion
from pgen.backends.diffusion.small_transformer import SmallDiffusion
from pgen.backends.insertion.model import SmallInsertion
from pgen.backends.molecules import models
from pgen.backends.molecules.files import read_network, write_network
from pgen.backends.molecules.models import KINDS, SHA256
from pgen.backends.molecules.vocabulary import BOS_ID, CANVAS, EOS_ID, MASK_ID, N_TOKENS, TEXT, vocabulary
from pgen.backends.small_model import BATCH
from pgen.backends.transformer import Transformer, TransformerShape

FOLDER = Path(models.__file__).parent
PROTOCOLS = {
    "molecules": Autoregressive,
    "molecules-diffusion": MaskedDiffusion,
    "molecules-insertion": Insertion,
    "molecules-anyorder": AnyOrder,
}
TEXTS = [(), (1,), (5, 1, 1), (1, 12, 3, 13, 1, 1, 1), tuple(range(20))]


def tiny(n_outputs=0, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Transformer(TransformerShape(N_TOKENS, 25, 16, 2, 2, n_outputs))
        for weight in network.parameters():
            torch.nn.init.normal_(weight, std=0.4)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def autoregressive():
    return SmallAutoregressive(tiny(), vocabulary(), name="tiny")


@pytest.fixture(scope="module")
def diffusion():
    return SmallDiffusion(tiny(), vocabulary(), name="tiny")


@pytest.fixture(scope="module")
def any_order():
    return SmallAnyOrder(tiny(), vocabulary(), name="tiny")


@pytest.fixture(scope="module")
def insertion():
    return SmallInsertion(tiny(1), vocabulary(), name="tiny")


# Left to right


def test_rows_of_prefixes_of_any_length(autoregressive):
    rows = autoregressive.next_logits(TEXTS)
    np.testing.assert_allclose(np.exp(rows).sum(1), 1.0, atol=1e-5)
    assert np.isneginf(rows[:, BOS_ID:]).all() and np.isfinite(rows[:, : EOS_ID + 1]).all()
    for text, row in zip(TEXTS, rows, strict=True):
        np.testing.assert_allclose(row, autoregressive.next_logits([text])[0], atol=1e-4)


def test_a_path_is_the_rows_of_its_prefixes(autoregressive):
    prefix, continuation = (4, 2), (7, 1, 1, 9)
    rows = autoregressive.path_logits(prefix, continuation)
    each = autoregressive.next_logits([prefix + continuation[:n] for n in range(5)])
    np.testing.assert_allclose(rows, each, atol=1e-4)


def test_what_comes_later_is_not_read(autoregressive):
    rows = autoregressive.path_logits((), (4, 2, 7))
    np.testing.assert_allclose(rows[:3], autoregressive.path_logits((), (4, 2, 8))[:3], atol=1e-5)
    assert np.abs(np.exp(rows[3]) - np.exp(autoregressive.path_logits((), (4, 2, 8))[3])).max() > 1e-3


def test_more_prefixes_than_fit_into_a_pass(autoregressive):
    prefixes = [(n % 24, n // 24) for n in range(BATCH + 3)]
    rows = autoregressive.next_logits(prefixes)
    np.testing.assert_allclose(rows[-1], autoregressive.next_logits(prefixes[-1:])[0], atol=1e-4)
    assert autoregressive.next_logits([]).shape == (0, len(vocabulary()))


# Masked diffusion


def test_marginals_of_canvases_after_prompts(diffusion):
    prompts, canvases = [(), (1, 1), (5,)], [(None, 3, None)] * 3
    rows = diffusion.marginals(prompts, canvases)
    assert rows.shape == (3, 3, len(vocabulary()))
    np.testing.assert_allclose(rows.exp().sum(-1), 1.0, atol=1e-5)
    assert torch.isneginf(rows[..., BOS_ID:]).all()
    for prompt, found in zip(prompts, rows, strict=True):
        inputs = [BOS_ID, *prompt, MASK_ID, 3, MASK_ID]
        inputs += [MASK_ID] * (1 + diffusion.context_length - len(inputs))
        with torch.inference_mode():
            logits = diffusion.network.logits(diffusion.network.features(torch.tensor([inputs])))[0]
        want = logits[1 + len(prompt) :][:3, : EOS_ID + 1].log_softmax(-1)
        np.testing.assert_allclose(found[:, : EOS_ID + 1], want, atol=1e-4)


# Any order


CANVASES = [(None, 4, None, None), (3, None, None, None)]
KINDS_OF_ANY_ORDER = {
    "one pass": SmallAnyOrder,
    "a pass for each prefix": lambda *given, **named: AnyOrderDenoiser(SmallDiffusion(*given, **named)),
}


@pytest.mark.parametrize("kind", KINDS_OF_ANY_ORDER)
def test_the_density_along_an_order_is_that_of_its_conditionals(kind):
    model = KINDS_OF_ANY_ORDER[kind](tiny(), vocabulary(), name="tiny")
    orders, drafts = [(3, 0, 2), (2, 1, 3)], [(5, 6), (7, 8, 9)]
    rows = model.ordered(CANVASES, orders, drafts)
    assert rows.shape == (2, 3, len(vocabulary()))
    for canvas, order, draft, found in zip(CANVASES, orders, drafts, rows, strict=True):
        filled = list(canvas)
        for k, position in enumerate(order):
            want = model.conditionals([tuple(filled)])[0, position]
            np.testing.assert_allclose(found[k], want, atol=1e-4)
            filled[position] = draft[k] if k < len(draft) else None


def test_conditionals_in_any_order(any_order):
    rows = any_order.conditionals(CANVASES)
    is_open = np.array([[token is None for token in canvas] for canvas in CANVASES])
    np.testing.assert_allclose(np.exp(rows[is_open]).sum(-1), 1.0, atol=1e-5)
    assert np.isneginf(rows[..., BOS_ID:]).all()
    for canvas, found, asked in zip(CANVASES, rows, is_open, strict=True):
        alone = any_order.conditionals([canvas])[0]
        np.testing.assert_allclose(found[asked], alone[asked], atol=1e-4)
        # Open positions are not read, so that there may be more or fewer of them.
        longer = any_order.conditionals([(*canvas, None, None)])[0, :4]
        np.testing.assert_allclose(found[asked], longer[asked], atol=1e-4)
    changed = any_order.conditionals([(None, 5, None, None)])[0]
    assert all(np.abs(np.exp(changed[i]) - np.exp(rows[0, i])).max() > 1e-3 for i in (0, 2, 3))


def test_more_canvases_than_fit_into_a_pass_in_any_order(any_order):
    canvases = [(n % 24, None, n // 24) for n in range(BATCH + 3)]
    for rows in (
        any_order.conditionals(canvases)[:, 1],
        any_order.ordered(canvases, [(1,)] * len(canvases), [()] * len(canvases))[:, 0],
    ):
        np.testing.assert_allclose(rows[-1], any_order.conditionals(canvases[-1:])[0, 1], atol=1e-4)
    assert any_order.conditionals([]).shape == (0, 0, len(vocabulary()))
    assert any_order.ordered([], [], []).shape == (0, 0, len(vocabulary()))


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("order", ["left_to_right", "random"])
def test_drafts_are_verified_by_fewer_calls_than_tokens(any_order, order, constrained):
    """Weights are masses of what is allowed, which the density along the order must tell as single calls do."""
    language = pgen.Regex("C[CNO]{0,7}")
    slow, fast = (any_order.text("", length=12, order=order, draft=draft) for draft in (1, 6))
    for seed in range(6):
        one, several = (
            pgen.infer(each.given(language) if constrained else each, method=pgen.Importance(1, lookahead=0), seed=seed)
            for each in (slow, fast)
        )
        assert several.n_evaluations <= 12 and one.n_evaluations <= 12
        assert all(language.matches(value) for value in several.values) or not constrained
        assert constrained or several.log_evidence == pytest.approx(0.0, abs=1e-5)


# Insertion


def test_insertions_and_stop_sum_to_one(insertion):
    steps = insertion.insertions(TEXTS)
    for text, step in zip(TEXTS, steps, strict=True):
        assert step.slots.shape == (len(text) + 1, len(vocabulary()))
        assert np.isneginf(step.slots[:, EOS_ID:]).all()
        np.testing.assert_allclose(np.exp(step.slots).sum() + np.exp(step.stop), 1.0, atol=1e-5)
        (alone,) = insertion.insertions([text])
        np.testing.assert_allclose(step.slots, alone.slots, atol=1e-4)
        np.testing.assert_allclose(step.stop, alone.stop, atol=1e-4)


# Bad input


def test_beyond_the_context(autoregressive, diffusion, any_order, insertion):
    long = (1,) * (autoregressive.context_length + 1)
    calls = [
        lambda: autoregressive.next_logits([long]),
        lambda: diffusion.marginals([long[:-2]], [(None,) * 3]),
        lambda: any_order.conditionals([(*long, None)]),
        lambda: insertion.insertions([long]),
    ]
    for call in calls:
        with pytest.raises(pgen.ModelError, match="the context holds 24"):
            call()


def test_tokens_that_are_none(autoregressive, any_order):
    with pytest.raises(pgen.ModelError, match="knows no tokens 1 … 27"):
        autoregressive.next_logits([(1, N_TOKENS)])
    with pytest.raises(pgen.ModelError, match="knows no tokens 27 … 27"):
        any_order.ordered([(1, None, None)], [(2, 1)], [(N_TOKENS, 1)])


def test_prompts_that_no_model_has_read(autoregressive, diffusion, any_order, insertion):
    for model in (autoregressive, diffusion, any_order, insertion, AnyOrderDenoiser(diffusion)):
        with pytest.raises(pgen.InvalidArgument, match=r"never read b'P', as in 'CCP'"):
            model.encode("CCP")


def test_another_vocabulary():
    with pytest.raises(pgen.ModelError, match="2 tokens, but the network has 27"):
        SmallAutoregressive(tiny(), pgen.Vocabulary([b"a", b""], eos=1), name="tiny")


def test_a_network_without_a_stop(diffusion):
    with pytest.raises(pgen.ModelError, match="no insertion model"):
        SmallInsertion(diffusion.network, vocabulary(), name="tiny").insertions([()])


# Files


def test_weights_are_kept_in_half_precision(tmp_path):
    network = tiny(1)
    write_network(network, tmp_path / "network.safetensors")
    read = read_network(tmp_path / "network.safetensors")
    assert read.shape == network.shape and list(tmp_path.iterdir()) == [tmp_path / "network.safetensors"]
    for name, weight in network.state_dict().items():
        torch.testing.assert_close(read.state_dict()[name], weight.half().float(), rtol=0, atol=0)


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_damaged_weights(tmp_path, keep):
    path = tmp_path / "network.safetensors"
    write_network(tiny(), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(pgen.ModelError, match="holds no weights"):
        read_network(path)


# The bundled models


@pytest.fixture(scope="module", params=sorted(KINDS))
def bundled(request):
    return pgen.load(request.param, device="cpu")


def test_bundled_models_keep_their_protocol(bundled):
    assert isinstance(bundled, PROTOCOLS[bundled.name])
    assert bundled.context_length == CANVAS
    assert bundled.vocabulary.eos == {EOS_ID} and bundled.vocabulary.special == {BOS_ID, MASK_ID}
    assert bundled.encode("Brc1cc[nH]c1Cl") == tuple(
        map(TEXT.index, ("Br", "c", "1", "c", "c", "[nH]", "c", "1", "Cl"))
    )


ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


def log_prob(model, tokens):
    """Left to right, or in the order of positions; for insertion, from left to right, too."""
    if isinstance(model, Insertion):
        steps = model.insertions([tokens[:n] for n in range(len(tokens) + 1)])
        return (
            sum(step.slots[n, token] for n, (step, token) in enumerate(zip(steps, tokens, strict=False)))
            + steps[-1].stop
        )
    whole = (*tokens, EOS_ID)
    if isinstance(model, Autoregressive):
        rows = model.path_logits((), tokens)
    else:
        canvases = [(*whole[:n], *[None] * (CANVAS - n)) for n in range(len(whole))]
        both = (
            model.marginals([()] * len(whole), canvases)
            if isinstance(model, MaskedDiffusion)
            else model.conditionals(canvases)
        )
        rows = [row[n] for n, row in enumerate(both)]
    return sum(float(row[token]) for row, token in zip(rows, whole, strict=True))


def test_bundled_models_know_molecules(bundled):
    tokens = bundled.encode(ASPIRIN)
    shuffled = tuple(np.random.default_rng(0).permutation(tokens).tolist())
    assert log_prob(bundled, tokens) > log_prob(bundled, shuffled) + 20.0
    assert log_prob(bundled, tokens) == log_prob(pgen.load(bundled.name, device="cpu"), tokens)


def test_weights_are_those_of_the_log():
    for name, expected in SHA256.items():
        data = (FOLDER / f"{name}.safetensors").read_bytes()
        assert hashlib.sha256(data).hexdigest() == expected
        log = json.loads((FOLDER / f"{name}.json").read_text())
        assert log["objective"] == name and log["result"]["held_out"] < 45.0
        network = read_network(FOLDER / f"{name}.safetensors")
        assert log["shape"] == network.shape._asdict()
        assert log["n_parameters"] == sum(weight.numel() for weight in network.parameters())
    sizes = [(FOLDER / f"{name}.safetensors").stat().st_size for name in SHA256]
    assert sum(sizes) < 12 * 2**20


def test_bundled_weights_that_were_changed(tmp_path, monkeypatch):
    data = bytearray((FOLDER / "autoregressive.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "autoregressive.safetensors").write_bytes(data)
    monkeypatch.setattr(models, "__file__", str(tmp_path / "models.py"))
    with pytest.raises(pgen.ModelError, match="missing or damaged"):
        pgen.load("molecules")
