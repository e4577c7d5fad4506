"""Transformers models behind the row cache: always what a plain forward pass of the whole prefix gives."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_models import ARCHITECTURES, CACHED, CONTEXT, logit_rows, tiny_model, tiny_tokenizer

import pgen
from pgen.backends.autoregressive.forward import TREE_TOKENS, CachedForward, PlainForward
from pgen.backends.autoregressive.row_cache import STEP, RowCache, RowLayer
from pgen.backends.autoregressive.row_plan import RowTable
from pgen.backends.autoregressive.transformers_model import TransformersModel

TOLERANCE = 1e-4
N_CALLS = 20
TOKEN_BYTES = 2 * 2 * 8 * 4 * 2
"""Keys and values of one token in the tiny Llama: two heads of eight float32 numbers in two layers."""


def wrapped(architecture="llama", *, cache_bytes=2**24, chat=False, seed=0):
    return TransformersModel(
        tiny_model(architecture, seed=seed), tiny_tokenizer(chat=chat), name="tiny", cache_bytes=cache_bytes
    )


@pytest.fixture
def llama():
    return wrapped()


class Oracle:
    """Logits after each position by one plain forward pass of a model of its own."""

    def __init__(self, architecture):
        self._model = tiny_model(architecture)
        self._known = {}

    def path(self, tokens):
        if tokens not in self._known:
            with torch.inference_mode():
                self._known[tokens] = self._model(torch.tensor([tokens]), use_cache=False).logits[0].numpy()
        return self._known[tokens][:, : len(tiny_tokenizer())]

    def last(self, tokens):
        return self.path(tokens)[-1]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.fixture(scope="module")
def oracle(architecture):
    return Oracle(architecture)


def random_tokens(rng, n):
    return tuple(rng.randrange(256) for _ in range(n))


def changed_prefix(rng, known):
    """A prefix that extends, cuts, branches off or repeats a known one, or is new."""
    base = rng.choice(known) if known and rng.random() < 0.85 else ()
    keep = rng.choice([len(base), len(base), len(base), rng.randint(0, len(base))])
    added = rng.choice([0, 1, 1, 1, 2, rng.randint(0, 25), rng.randint(0, 25), rng.randint(0, CONTEXT)])
    return (*base[:keep], *random_tokens(rng, added))[:CONTEXT] or random_tokens(rng, 1)


def changed_batch(rng, known):
    """Most batches continue all of the last one, others mix."""
    if known and rng.random() < 0.4:
        return [(*p, rng.randrange(256))[:CONTEXT] for p in known[-rng.randint(1, 8) :]]
    batch = [changed_prefix(rng, known) for _ in range(rng.randint(1, 9))]
    return batch + rng.choices(batch, k=rng.choice([0, 0, 2]))


def assert_right(lm, oracle, prefixes):
    found = lm.next_logits(prefixes)
    assert found.dtype == np.float32
    expected = np.stack([oracle.last(p) for p in prefixes])
    np.testing.assert_allclose(found, expected, atol=TOLERANCE, rtol=0)


def assert_path_right(lm, oracle, path, split):
    found = lm.path_logits(path[:split], path[split:])
    np.testing.assert_allclose(found, oracle.path(path)[split - 1 :], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("cache_bytes", [2**24, 6 * STEP * TOKEN_BYTES, 1], ids=["roomy", "tight", "one row"])
@pytest.mark.parametrize("seed", [0, 1])
def test_logits_do_not_depend_on_what_was_asked_before(architecture, oracle, cache_bytes, seed):
    lm, rng, known = wrapped(architecture, cache_bytes=cache_bytes), random.Random(seed), []
    for _ in range(N_CALLS):
        batch = changed_batch(rng, known)
        assert_right(lm, oracle, batch)
        known = (known + batch)[-20:]
        if rng.random() < 0.3:
            path = rng.choice(known)
            assert_path_right(lm, oracle, path, rng.randint(1, len(path)))


def test_tiny_models_depend_on_every_token(architecture, oracle):
    """Else the comparisons above would say little. A sliding window forgets what is far away."""
    tokens = random_tokens(random.Random(5), 40)
    for place in (0, 20, 39) if architecture != "sliding" else (36, 39):
        other = (*tokens[:place], (tokens[place] + 1) % 256, *tokens[place + 1 :])
        assert np.abs(oracle.last(tokens) - oracle.last(other)).max() > 20 * TOLERANCE


def test_the_whole_context_can_be_used_beside_short_prefixes(architecture, oracle):
    lm, rng = wrapped(architecture), random.Random(3)
    full = random_tokens(rng, CONTEXT)
    assert_right(lm, oracle, [full[:-1]])
    assert_right(lm, oracle, [full, *(random_tokens(rng, 3) for _ in range(2)), full[:-40], full[:-1]])
    assert_path_right(lm, oracle, full, 1)


def test_architectures_get_the_forward_pass_they_can_have(architecture):
    expected = CachedForward if architecture in CACHED else PlainForward
    assert type(wrapped(architecture)._forward) is expected


def test_logits_are_cut_at_the_vocabulary(architecture):
    lm = wrapped(architecture)
    assert logit_rows() > len(lm.vocabulary) == len(tiny_tokenizer())
    assert lm.next_logits([(1, 2), (3,)]).shape == (2, len(lm.vocabulary))
    assert lm.path_logits((1, 2), (3, 4, 5)).shape == (4, len(lm.vocabulary))


def test_a_model_with_fewer_rows_than_tokens_is_refused():
    with pytest.raises(pgen.ModelError, match="tokens, the model knows 128"):
        TransformersModel(tiny_model(rows=128), tiny_tokenizer(), name="tiny")


# What is computed


class Spy:
    """Shapes of the token arrays that a model's forward pass is given."""

    def __init__(self, monkeypatch, model):
        self.shapes = []
        original = model.forward

        def forward(input_ids, **settings):
            self.shapes.append(tuple(input_ids.shape))
            return original(input_ids, **settings)

        monkeypatch.setattr(model, "forward", forward)

    @property
    def n_tokens(self):
        return sum(rows * length for rows, length in self.shapes)


@pytest.fixture(params=CACHED)
def cached_model(request):
    return wrapped(request.param)


def test_a_shared_prompt_is_computed_once(cached_model, monkeypatch):
    prompt = random_tokens(random.Random(0), 30)
    spy = Spy(monkeypatch, cached_model.model)
    cached_model.next_logits([(*prompt, n) for n in range(8)])
    assert 38 <= spy.n_tokens <= 40
    cached_model.next_logits([(*prompt, n, n) for n in range(8)])
    assert spy.n_tokens <= 48


def test_two_shared_prompts_are_computed_once_each(cached_model, monkeypatch):
    first, second = (random_tokens(random.Random(seed), 30) for seed in (1, 2))
    spy = Spy(monkeypatch, cached_model.model)
    cached_model.next_logits([(*p, n) for n in range(8) for p in (first, second)])
    assert spy.n_tokens == 60 + 16


def test_a_prompt_asked_first_is_not_computed_again(cached_model, monkeypatch):
    prompt = random_tokens(random.Random(1), 30)
    spy = Spy(monkeypatch, cached_model.model)
    cached_model.next_logits([prompt] * 5)
    assert spy.shapes == [(1, 30)]
    cached_model.next_logits([(*prompt, n) for n in range(5)])
    assert spy.shapes[1:] == [(1, 5)]


def watched_copies(monkeypatch):
    copies = []
    original = RowTable.plan

    def plan(self, prefixes, most):
        made = original(self, prefixes, most)
        copies.append(len(made.copies))
        return made

    monkeypatch.setattr(RowTable, "plan", plan)
    return copies


def steady(rng, particles):
    return [(*p, rng.randrange(256)) for p in rng.sample(particles, len(particles))]


def test_steady_decoding_sends_one_token_a_particle_and_copies_rows_once_when_the_tree_is_full(
    cached_model, monkeypatch
):
    rng = random.Random(0)
    prompt = random_tokens(rng, 30)
    particles = [(*prompt, n) for n in range(8)]
    cached_model.next_logits(particles)
    monkeypatch.setattr(cached_model._forward._tree, "_most_branches", 20 * 8)
    spy, copies = Spy(monkeypatch, cached_model.model), watched_copies(monkeypatch)
    for _ in range(40):
        particles = steady(rng, particles)
        cached_model.next_logits(particles)
    assert spy.n_tokens == 8 * 40
    assert spy.shapes[-20:] == [(8, 1)] * 20
    assert sum(n > 0 for n in copies) <= 1


def test_particles_of_different_lengths_send_one_token_each(cached_model, monkeypatch):
    rng = random.Random(4)
    particles = [random_tokens(rng, n) for n in (3, 9, 20, 31)]
    cached_model.next_logits(particles)
    spy, copies = Spy(monkeypatch, cached_model.model), watched_copies(monkeypatch)
    for _ in range(20):
        particles = [(*p, rng.randrange(256)) for p in particles]
        cached_model.next_logits(particles)
    assert spy.n_tokens == 4 * 20
    assert not any(copies)


def test_duplicates_are_computed_once(cached_model, monkeypatch):
    spy = Spy(monkeypatch, cached_model.model)
    logits = cached_model.next_logits([(5, 6, 7), (5, 6, 8), (5, 6, 7)])
    assert spy.n_tokens == 4
    assert (logits[0] == logits[2]).all()
    assert (logits[0] != logits[1]).any()


def allocated(lm):
    layers = [*lm._forward._cache.layers, *lm._forward._tree.layers]
    return sum(states.nbytes for layer in layers for states in (layer.keys, layer.values) if states is not None)


def test_short_batches_stay_within_the_cache_memory():
    limit = 16 * STEP * TOKEN_BYTES
    lm, rng = wrapped(cache_bytes=limit), random.Random(0)
    for n in (1, 5, 16, 40, 100):
        lm.next_logits([random_tokens(rng, 5) for _ in range(n)])
        assert allocated(lm) <= limit


def test_short_batches_stay_within_the_cache_memory_after_a_long_prompt():
    limit = 16 * STEP * TOKEN_BYTES
    lm, rng = wrapped(cache_bytes=limit), random.Random(0)
    lm.next_logits([random_tokens(rng, 150)])
    assert allocated(lm) <= limit
    lm.next_logits([random_tokens(rng, 5) for _ in range(40)])
    assert allocated(lm) <= limit


def test_mixed_batches_stay_within_the_cache_memory():
    limit = 16 * STEP * TOKEN_BYTES
    lm, rng, known = wrapped(cache_bytes=limit), random.Random(0), []
    for _ in range(30):
        known = (known + changed_batch(rng, known))[-20:]
        lm.next_logits(known)
        assert allocated(lm) <= limit


# What is refused


def poisoned(monkeypatch, model, value, token):
    original = model.forward

    def forward(input_ids, **settings):
        output = original(input_ids, **settings)
        output.logits[-1, -1, token] = value
        return output

    monkeypatch.setattr(model, "forward", forward)


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=["nan", "inf"])
def test_logits_that_are_not_numbers_raise_with_the_text(architecture, monkeypatch, value):
    lm = wrapped(architecture)
    prefix = lm.encode("the quick brown fox")
    poisoned(monkeypatch, lm.model, value, 7)
    with pytest.raises(pgen.ModelError, match="tiny: logits are NaN or \\+inf after …'the quick brown fox'"):
        lm.next_logits([prefix])
    with pytest.raises(pgen.ModelError, match="…'the quick brown fox'"):
        lm.path_logits(prefix[:2], prefix[2:])


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=["nan", "inf"])
def test_logits_beyond_the_vocabulary_and_minus_infinity_do_not_matter(llama, monkeypatch, value):
    poisoned(monkeypatch, llama.model, value, len(llama.vocabulary))
    assert np.isfinite(llama.next_logits([(1, 2)])).all()
    poisoned(monkeypatch, llama.model, -float("inf"), 3)
    llama.forget()
    assert llama.next_logits([(1, 2)])[0, 3] == -np.inf


def test_a_prefix_beyond_the_context_raises_with_both_numbers(architecture):
    lm = wrapped(architecture)
    assert lm.context_length == CONTEXT
    too_long = (1,) * (CONTEXT + 7)
    message = f"{CONTEXT + 7} tokens, but the context holds {CONTEXT}"
    with pytest.raises(pgen.ModelError, match=message):
        lm.next_logits([(1,), too_long])
    with pytest.raises(pgen.ModelError, match=message):
        lm.path_logits(too_long[:5], too_long[5:])


def test_an_empty_prefix_raises(architecture):
    lm = wrapped(architecture)
    with pytest.raises(pgen.ModelError, match="empty prefix"):
        lm.next_logits([(1,), ()])
    with pytest.raises(pgen.ModelError, match="empty prefix"):
        lm.path_logits((), (1, 2))


def interrupting(call, left):
    """`call`, except that a `KeyboardInterrupt` comes right behind the `left`-th time it has run."""
    calls = iter(range(1, left + 1))

    def interrupted(*args, **settings):
        result = call(*args, **settings)
        if next(calls, None) == left:
            raise KeyboardInterrupt
        return result

    return interrupted


PLACES = {
    "update": (RowLayer, (1, 2, 3, 8)),
    "allocate": (RowLayer, (1, 2)),
    "_moved": (RowCache, (1, 2, 3, 4)),
    "copy": (RowCache, (1, 2, 3)),
    "hold": (RowTable, (1, 2, 7, 15)),
}


def ask_ever_longer(lm, prefixes):
    for n in range(25, 95, 10):
        lm.next_logits([p[:n] for p in prefixes])


@pytest.mark.parametrize(
    ("name", "most_branches"), [*((name, 0) for name in PLACES), ("update", TREE_TOKENS), ("allocate", TREE_TOKENS)]
)
def test_an_interruption_anywhere_leaves_later_results_right(monkeypatch, name, most_branches):
    oracle, rng = Oracle("llama"), random.Random(9)
    owner, counts = PLACES[name]
    known = [random_tokens(rng, n) for n in (4, 12, 30)]
    longer = [p[:n] + random_tokens(rng, 60) for p in known for n in (3, len(p))]
    for left in counts:
        lm = wrapped()
        lm.next_logits(known)
        lm._forward._tree._most_branches = most_branches
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, interrupting(getattr(owner, name), left))
            with pytest.raises(KeyboardInterrupt):
                ask_ever_longer(lm, longer)
        for batch in (known, longer, known):
            assert_right(lm, oracle, batch)


@pytest.mark.parametrize("left", [1, 2, 3])
def test_an_interruption_between_copies_forgets_what_was_overwritten(monkeypatch, left):
    oracle, rng = Oracle("llama"), random.Random(left)
    known = [random_tokens(rng, 20) for _ in range(4)]
    lm = wrapped(cache_bytes=4 * STEP * TOKEN_BYTES)
    lm.next_logits(known)
    lm._forward._tree._most_branches = 0
    with monkeypatch.context() as patch:
        patch.setattr(RowTable, "hold", interrupting(RowTable.hold, left))
        with pytest.raises(KeyboardInterrupt):
            lm.next_logits([(*known[0][:15], n) for n in range(4)])
    assert_right(lm, oracle, [(*p, 1) for p in known])


def test_an_interrupted_model_leaves_later_results_right(architecture, oracle, monkeypatch):
    lm, rng = wrapped(architecture), random.Random(8)
    known = [random_tokens(rng, n) for n in (4, 12, 30)]
    lm.next_logits(known)
    longer = [p[:n] + random_tokens(rng, 20) for p in known for n in (3, len(p))]
    with monkeypatch.context() as patch:
        patch.setattr(lm.model, "forward", interrupting(lm.model.forward, 1))
        with pytest.raises(KeyboardInterrupt):
            lm.next_logits(longer)
    assert_right(lm, oracle, longer)
    assert_right(lm, oracle, known)


# Prompts and end of text


def test_prompts_are_encoded_as_the_tokenizer_does(llama):
    assert llama.encode("the cat") == tuple(tiny_tokenizer()("the cat")["input_ids"])
    assert llama.encode("") == (tiny_tokenizer().bos_token_id,)


def test_an_empty_prompt_without_bos_begins_with_eos():
    assert TransformersModel(tiny_model(), tiny_tokenizer(bos=False), name="tiny").encode("") == (1,)


def test_a_chat_needs_a_template(llama):
    with pytest.raises(pgen.ModelError, match="tiny has no chat template"):
        llama.encode_chat([{"role": "user", "content": "Hello"}])


def test_a_chat_ends_where_the_assistant_speaks():
    tokens = (lm := wrapped(chat=True)).encode_chat([{"role": "user", "content": "Hello"}])
    assert lm.vocabulary.decode(tokens) == b"[user] Hello\n[assistant] "


def test_a_failing_chat_template_is_named():
    lm = wrapped(chat=True)
    lm.tokenizer.chat_template = "{{ raise_exception('no system role') }}"
    with pytest.raises(pgen.ModelError, match="no system role"):
        lm.encode_chat([{"role": "system", "content": "Hello"}])


@pytest.mark.parametrize(("also", "expected"), [(None, {1}), (1, {1}), (2, {1, 2}), ([2, 9], {1, 2, 9})])
def test_end_of_text_is_what_the_tokenizer_and_the_settings_name(also, expected):
    model = tiny_model()
    model.generation_config.eos_token_id = also
    assert set(TransformersModel(model, tiny_tokenizer(), name="tiny").vocabulary.eos) == expected


def test_a_model_without_end_of_text_is_refused():
    model, tokenizer = tiny_model(), tiny_tokenizer()
    model.generation_config, tokenizer.eos_token = SimpleNamespace(eos_token_id=None), None
    with pytest.raises(pgen.ModelError, match="end-of-text"):
        TransformersModel(model, tokenizer, name="tiny")
