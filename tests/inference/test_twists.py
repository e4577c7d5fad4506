"""Twists leave the measure alone and lower the variance: learned ones, rollouts, and a user's own."""

import math

import numpy as np
import pytest
import torch

import pgen
from pgen.backends.tabular import TabularAR
from pgen.inference.twists.learned_twist import LearnedTwist, TwistSettings, initial
from pgen.testing.laws import check_batch_independence, check_proper_weights
from pgen.testing.oracles import random_model, text_masses

LETTERS = pgen.Vocabulary([b"a", b"b", b"<eos>"], eos=2)


class Own:
    """A user's twist."""

    def bind(self, process):
        return self

    def log_at(self, state):
        return 0.3 * len(state.tokens) - 1.0

    def log_after(self, state, tokens):
        return np.where(tokens == 0, 0.5, -0.5)


def scrambled(seed):
    """A twist that has learned nothing sensible."""
    settings = TwistSettings(len(LETTERS), width=4)
    weights = initial(settings, seed)
    weights["out"] = 2.0 * torch.randn(weights["out"].shape, generator=torch.Generator().manual_seed(seed))
    return LearnedTwist(settings, weights)


TWISTS = {"own": Own(), "scrambled": scrambled(1), "rollouts": pgen.Rollouts(2, seed=5)}
ENDS = {"eos": {"max_tokens": 2, "end": "eos"}, "stop": {"max_tokens": 1, "stop": "bb"}}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", TWISTS)
def test_every_twist_leaves_the_measure_alone(name, end):
    text = random_model(LETTERS, 3).text("", **ENDS[end]).given(pgen.Regex("[ab]{1,3}"))
    judged = text.weighted(lambda x: 0.8 * x.count("a")).where(lambda x: "aa" not in x)
    masses = text_masses(text, text.max_tokens)
    expected = {x: m * math.exp(0.8 * x.count("a")) for x, m in masses.items() if "aa" not in x}
    guided = judged.guided(TWISTS[name])
    resampling = pgen.SMC(2, ess_threshold=1.0, resample="tokens", lookahead=0)
    methods = [pgen.Importance(1, lookahead=0), pgen.Importance(1, lookahead=2)]
    for method in methods if end == "eos" else [*methods, resampling]:
        check_proper_weights(lambda: str(pgen.sample("x", guided)), method, expected)


def late_evidence():
    """What counts is told only at the end: as many a's as possible, with no b after an a."""
    lm = TabularAR(LETTERS, lambda tokens: [math.log(0.3), math.log(0.6), math.log(0.1)])
    text = lm.text("", max_tokens=8).given(pgen.Regex("[ab]{8}"))
    return text.weighted(lambda x: 2.0 * x.count("a") - 4.0 * x.count("ab"), at="text")


@pytest.fixture(scope="module")
def learned():
    return LearnedTwist.fit(late_evidence(), rounds=2, runs=64, epochs=40, seed=0)


def test_a_learned_twist_lowers_the_variance(learned):
    text = late_evidence()
    exact = pgen.infer(text, method=pgen.Enumerate()).log_evidence
    blind, guided = (pgen.infer(t, method=pgen.Importance(200, lookahead=0)) for t in (text, text.guided(learned)))
    assert guided.log_evidence == pytest.approx(exact, abs=0.15)
    assert guided.ess > 4 * blind.ess


def test_a_learned_twist_survives_its_file(learned, tmp_path):
    learned.save(tmp_path / "twist.safetensors")
    back = LearnedTwist.load(tmp_path / "twist.safetensors")
    assert back.settings == learned.settings
    first, second = (
        pgen.infer(late_evidence().guided(twist), method=pgen.Importance(8, lookahead=0)) for twist in (learned, back)
    )
    assert first.values == second.values
    assert np.array_equal(first.log_weights, second.log_weights)
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(pgen.InvalidArgument, match="no learned twist"):
        LearnedTwist.load(tmp_path / "other.safetensors")


def test_training_is_a_function_of_its_seed():
    text = late_evidence()
    one, two, other = (LearnedTwist.fit(text, rounds=1, runs=16, epochs=3, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(one.weights[name], two.weights[name]) for name in one.weights)
    assert not torch.equal(one.weights["bag"], other.weights["bag"])


def test_rollouts_tell_smc_which_particles_to_keep():
    text = late_evidence()
    exact = pgen.infer(text, method=pgen.Enumerate()).log_evidence
    errors = {}
    for name, tried in (("blind", text), ("rollouts", text.guided(pgen.Rollouts(12)))):
        method = pgen.SMC(16, resample="tokens", lookahead=0)
        found = [pgen.infer(tried, method=method, seed=seed) for seed in range(4)]
        errors[name] = sum((posterior.log_evidence - exact) ** 2 for posterior in found)
        if name == "rollouts":
            assert found[0].n_evaluations > 12 * 8
    assert errors["rollouts"] < 0.5 * errors["blind"]


@pytest.mark.parametrize("name", TWISTS)
def test_results_do_not_depend_on_the_batch_size(name):
    text = late_evidence().guided(TWISTS[name])
    check_batch_independence(lambda: str(pgen.sample("x", text)), pgen.SMC(5, resample="tokens", lookahead=0))


def test_misuse_is_told():
    text = random_model(pgen.Vocabulary([b"a", b"<eos>"], eos=1), 1).text("", max_tokens=2)
    with pytest.raises(pgen.InvalidArgument, match="learned over 3 tokens"):
        pgen.infer(text.guided(scrambled(0)), method=pgen.Importance(1))
    with pytest.raises(pgen.InvalidArgument, match=r"guided takes a pgen\.ByteNgram, a pgen\.ByteHMM or a twist"):
        pgen.infer(text.guided("hope"), method=pgen.Importance(1))
    with pytest.raises(pgen.InvalidArgument, match="Rollouts"):
        pgen.Rollouts(0)
    with pytest.raises(pgen.InvalidArgument, match="rounds"):
        LearnedTwist.fit(text, rounds=0)
    with pytest.raises(pgen.ZeroEvidence, match="nothing to learn"):
        LearnedTwist.fit(text.where(lambda x: False, at="text"), rounds=1, runs=2, epochs=1)
