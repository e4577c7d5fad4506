"""What ArviZ gets: the sites by chain and draw, in proportion to the weights."""

import json
import sys

import numpy as np
import pytest

import pgen

az = pytest.importorskip("arviz")


def model():
    side = pgen.sample("side", pgen.categorical({"heads": 0.3, "tails": 0.7}))
    size = pgen.sample("size", pgen.categorical({1: 0.25, 2: 0.75}))
    pgen.factor("bonus", 1.0 if size == 2 else 0.0)
    return pgen.sample("extra", pgen.bernoulli(0.5)) if side == "heads" else None


@pytest.fixture(scope="module")
def exact():
    return pgen.infer(model, method=pgen.Enumerate())


def test_weighted_runs_are_resampled_without_randomness(exact):
    data = exact.to_arviz(draws=500)
    assert dict(data.posterior.sizes) == {"chain": 1, "draw": 500}
    assert list(data.posterior) == ["side", "size", "extra"]
    for size, share in exact.marginal("size").items():
        assert abs(float((data.posterior["size"] == size).mean()) - share) <= len(exact.values) / 500
    again = exact.to_arviz(draws=500)
    assert np.array_equal(data.posterior["side"].values, again.posterior["side"].values)
    assert data.attrs["label"] == "exact"
    assert data.attrs["log_evidence"] == exact.log_evidence


def test_labels_are_coded_likeliest_first_and_absent_sites_are_marked(exact):
    data = exact.to_arviz(draws=2000)
    assert json.loads(data.posterior["side"].attrs["labels"]) == ["tails", "heads"]
    assert float((data.posterior["side"] == 0).mean()) == pytest.approx(0.7, abs=0.005)
    assert np.array_equal(np.isnan(data.posterior["extra"]), data.posterior["side"] == 0)


def test_draws_are_in_no_order(exact):
    sizes = exact.to_arviz(draws=1000).posterior["size"].values[0]
    centred = sizes - sizes.mean()
    assert abs(float((centred[1:] * centred[:-1]).mean() / centred.var())) < 0.1


def test_runs_can_keep_their_weights():
    found = pgen.infer(model, method=pgen.Importance(40), seed=1)
    data = found.to_arviz(weighted=True)
    assert dict(data.posterior.sizes) == {"chain": 1, "draw": 40}
    assert np.array_equal(data.sample_stats["log_weight"].values[0], found.log_weights)
    assert np.array_equal(data.posterior["size"].values[0], [trace.values()["size"] for trace in found.traces])
    assert data.sample_stats["lp"].values[0] == pytest.approx([trace.log_weight for trace in found.traces])


def test_chains_stay_chains_and_arviz_finds_our_r_hat():
    chains = pgen.infer(model, method=pgen.MCMC(steps=60, chains=3), seed=0)
    data = chains.to_arviz()
    assert dict(data.posterior.sizes) == {"chain": 3, "draw": 60}
    ours = chains.split_rhat(lambda _: 0.0)
    assert ours == 1.0
    theirs = float(az.rhat(data, var_names=["size"], method="split")["size"])
    series = np.array([trace.values()["size"] for trace in chains.traces], float).reshape(3, 60)
    assert theirs == pytest.approx(pgen.inference.diagnostics.convergence.split_rhat(series), rel=1e-6)
    assert len(az.summary(data)) == 3


def test_files_keep_the_labels(exact, tmp_path):
    exact.to_arviz(draws=50).to_netcdf(tmp_path / "posterior.nc")
    back = az.from_netcdf(tmp_path / "posterior.nc")
    assert json.loads(back.posterior["side"].attrs["labels"]) == ["tails", "heads"]


def test_without_arviz_the_command_is_told(exact, monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(pgen.MissingPackage, match=r"pip install 'pgen\[arviz\]'"):
        exact.to_arviz()


def test_no_draws_are_refused(exact):
    with pytest.raises(pgen.InvalidArgument, match="draws"):
        exact.to_arviz(draws=0)
