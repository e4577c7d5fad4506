"""Rewards, energies, early commits and votes on canvases: exact by enumeration, or shown not to be."""

import math

import numpy as np
import pytest
from canvas_cases import ABC, LANGUAGES, WITHOUT_EOS
from canvas_process import random_denoiser, target

import pgen
from pgen.backends.tabular import TabularDiffusion
from pgen.testing.laws import check_batch_independence, check_proper_weights


def program(distribution):
    return lambda: pgen.sample("text", distribution)


def reward(text):
    return 0.8 * text.count("a") - 0.2 * len(text)


def rewarded(masses):
    return {text: mass * math.exp(reward(text)) for text, mass in masses.items()}


@pytest.mark.parametrize("previews", [False, True])
@pytest.mark.parametrize("order", ["confidence", "low_confidence"])
def test_rewards_weigh_complete_texts_only(previews, order):
    denoiser, language = random_denoiser(WITHOUT_EOS, 2, 4), LANGUAGES["even"]
    text = denoiser.text("", length=2, order=order).given(language).weighted(reward, previews=previews)
    expected = rewarded(target(denoiser, 2, order, 2, language))
    check_proper_weights(program(text), pgen.Importance(1), expected, 1e-12)


def test_steered_particles_are_properly_weighted():
    """Feynman-Kac steering: previews decide who survives, and what they gave is given back."""
    denoiser, language = random_denoiser(WITHOUT_EOS, 2, 4), LANGUAGES["even"]
    text = denoiser.text("", length=2).given(language).weighted(reward, previews=True)
    expected = rewarded(target(denoiser, 2, "confidence", 2, language))
    check_proper_weights(program(text), pgen.SMC(2, ess_threshold=1.0, resample="tokens"), expected, 1e-12)


def test_rewards_are_enumerated_scored_and_normalised():
    denoiser, language = random_denoiser(ABC, 3, 8), LANGUAGES["counted"]
    masses = target(denoiser, 3, "confidence", 3, language)
    text = denoiser.text("", length=3).given(language).weighted(reward)
    found = pgen.infer(text, method=pgen.Enumerate())
    total = sum(rewarded(masses).values())
    assert math.exp(found.log_evidence) == pytest.approx(total, rel=1e-12)
    assert math.exp(text.log_prob("ab", tol=1e-12)) == pytest.approx(rewarded(masses)["ab"], rel=1e-10)
    only = denoiser.text("", length=3).where(lambda x: "b" in x)
    assert set(pgen.infer(only.given(language), method=pgen.Enumerate()).probabilities()) == {
        x for x in masses if "b" in x
    }
    within = denoiser.text("", length=3).weighted(reward).within(language)
    assert pgen.infer(within, method=pgen.Enumerate()).log_evidence == pytest.approx(0.0, abs=1e-12)
    bounded = denoiser.text("", length=3).given(language).weighted(reward, bound=3.0)
    assert pgen.infer(bounded, method=pgen.Enumerate(0.05)).log_evidence == pytest.approx(math.log(total), abs=0.06)
    assert not denoiser.text("", length=3).weighted(reward).is_free


def test_an_autoregressive_energy():
    """EDLM: a left-to-right model corrects what independent positions miss, as a potential on the text."""
    denoiser, language = random_denoiser(WITHOUT_EOS, 2, 6), LANGUAGES["any"]
    lm = denoiser_of_bytes()

    def energy(text):
        return lm.text("", max_tokens=4).log_prob(text)

    text = denoiser.text("", length=2, steps=1).given(language).weighted(energy, previews=True)
    masses = target(denoiser, 2, "confidence", 1, language)
    expected = {x: mass * math.exp(energy(x)) for x, mass in masses.items()}
    check_proper_weights(program(text), pgen.Importance(1), expected, 1e-12)


def denoiser_of_bytes():
    from pgen.backends.tabular import TabularAR

    vocabulary = pgen.Vocabulary([b"a", b"b", b""], eos=2)
    return TabularAR(vocabulary, lambda tokens: np.log([0.5, 0.3, 0.2] if len(tokens) % 2 else [0.2, 0.6, 0.2]))


def test_previews_need_a_whole_canvas():
    class InBlocks(TabularDiffusion):
        block_length = 2

    with pytest.raises(pgen.UnsupportedFeature, match="block at work"):
        InBlocks(ABC, 4, lambda tokens: None).text("", length=4).weighted(reward, previews=True)


def test_results_do_not_depend_on_the_batch_size():
    denoiser = random_denoiser(ABC, 3, 4)
    text = denoiser.text("", length=3).given(LANGUAGES["even"]).weighted(reward, previews=True)
    check_batch_independence(program(text), pgen.SMC(7, resample="tokens", ess_threshold=1.0))


@pytest.mark.parametrize("name", ["early", "early-never", "adaptive", "threshold", "weighted", "learned"])
def test_orders_with_settings_are_exact(name):
    denoiser, language = random_denoiser(WITHOUT_EOS, 3, 9), LANGUAGES["even"]
    order = {
        "early": pgen.EarlyCommit((1.0, 0.5)),
        "early-never": pgen.EarlyCommit((30.0,)),
        "adaptive": pgen.AdaptiveParallel(same_vocabulary(), 0.3),
        "threshold": pgen.Threshold(0.6),
        "weighted": pgen.PositionWeighted([0.7, 0.2, 0.1]),
        "learned": pgen.LearnedOrder((0.0, 1.0, -0.5, 0.2, -0.7, -0.3), at_once=2),
    }[name]

    def chosen_by(canvas, rows):
        if callable(order):
            return order(canvas, rows)
        positions = np.array([i for i, token in enumerate(canvas) if token is None])
        return [int(positions[np.argmax(order.scores(positions, rows[positions]))])]

    expected, n_calls = {}, set()

    def visit(canvas, mass, calls):
        if None not in canvas:
            text = b"".join(WITHOUT_EOS.tokens[t] for t in canvas).decode()
            if language.matches(text):
                expected[text] = expected.get(text, 0.0) + mass
                n_calls.add(calls)
            return
        rows = denoiser.marginals([()], [canvas])[0]
        chosen = chosen_by(canvas, rows)
        fillings = [(canvas, mass)]
        for i in chosen:
            fillings = [
                ((*c[:i], t, *c[i + 1 :]), m * math.exp(rows[i, t]))
                for c, m in fillings
                for t in range(len(WITHOUT_EOS))
            ]
        for filled, m in fillings:
            visit(filled, m, calls + 1)

    visit((None,) * 3, 1.0, 0)
    one_by_one = name in ("early-never", "weighted")
    assert min(n_calls) == 3 if one_by_one else min(n_calls) < 3
    text = denoiser.text("", length=3, order=order).given(language)
    check_proper_weights(program(text), pgen.Importance(1), expected, 1e-12)


def same_vocabulary():
    from pgen.backends.tabular import TabularAR

    return TabularAR(WITHOUT_EOS, lambda tokens: np.log([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]][len(tokens) % 2]))


def test_settings_that_make_no_sense():
    with pytest.raises(pgen.InvalidArgument, match="EarlyCommit"):
        pgen.EarlyCommit(())
    with pytest.raises(pgen.InvalidArgument, match="level=0"):
        pgen.AdaptiveParallel(same_vocabulary(), 0)
    with pytest.raises(pgen.InvalidArgument, match="growth=inf"):
        pgen.time_vote(random_denoiser(ABC, 2, 0).text("", length=2), 0, growth=math.inf)


def test_votes_over_time_stay_inside_the_language_and_are_no_posterior():
    denoiser, language = random_denoiser(WITHOUT_EOS, 4, 2), LANGUAGES["even"]
    text = denoiser.text("", length=4).given(language)
    exact = pgen.infer(text, method=pgen.Enumerate()).probabilities()
    votes = [pgen.time_vote(text, seed) for seed in range(12)]
    assert all(language.matches(x) for vote in votes for x in vote)
    assert all(sum(vote.values()) == pytest.approx(1.0) for vote in votes)
    assert list(votes[0].values()) == sorted(votes[0].values(), reverse=True)
    mean = {x: sum(vote.get(x, 0.0) for vote in votes) / len(votes) for vote in votes for x in vote}
    assert sum(abs(mean.get(x, 0.0) - exact.get(x, 0.0)) for x in {*mean, *exact}) / 2 > 0.2


def test_time_steps_become_the_first_hitting_sampler():
    """Ever finer time steps, each of which opens a position with its share of the time left: one by one, at random."""
    denoiser = random_denoiser(WITHOUT_EOS, 2, 3)
    rows = lambda *canvas: np.exp(denoiser.marginals([()], [canvas])[0])  # noqa: E731

    def ancestral(n_steps):
        law = {}
        first = rows(None, None)
        for a in range(3):
            for b in range(3):
                together = first[0, a] * first[1, b]
                apart = first[0, a] * rows(a, None)[1, b] / 2 + first[1, b] * rows(None, b)[0, a] / 2
                law[a, b] = together / n_steps + apart * (1 - 1 / n_steps)
        return law

    text = denoiser.text("", length=2, order="random").given(LANGUAGES["any"])
    found = pgen.infer(text, method=pgen.Enumerate())
    for n_steps in (10, 1000):
        law = ancestral(n_steps)
        error = 0.0
        for (a, b), mass in law.items():
            word = (WITHOUT_EOS.tokens[a] + WITHOUT_EOS.tokens[b]).decode()
            same = sum(m for (c, d), m in law.items() if WITHOUT_EOS.tokens[c] + WITHOUT_EOS.tokens[d] == word.encode())
            error = max(error, abs(found.probabilities()[word] - same))
            assert mass >= 0
        assert error < 1.0 / n_steps
