"""Every method against every law that its label promises, on programs small enough to enumerate all of its choices."""

import itertools
import math
import re

import numpy as np
import pytest
from cases import VOCABULARIES
from insertion_oracles import random_insertion
from small_programs import exact

import pgen
from pgen.backends.tabular import TabularAR, TabularDiffusion
from pgen.testing import generative_laws
from pgen.testing.laws import check_proper_weights
from pgen.testing.oracles import random_model

MODEL = random_model(VOCABULARIES["pieces"], seed=11)


def text(prompt, *words, max_tokens=2):
    return MODEL.text(prompt, max_tokens=max_tokens, end="eos").given(pgen.choice(*words))


def observed():
    """Evidence after one choice."""
    x = pgen.sample("x", pgen.categorical({"a": 0.4, "b": 0.6}))
    pgen.observe("seen", pgen.categorical({0: 0.8, 1: 0.2} if x == "a" else {0: 0.3, 1: 0.7}), 0)
    return x


def branching():
    """Choices that exist in some runs only, evidence between them, runs that die."""
    x = pgen.sample("x", pgen.categorical({0: 0.4, 1: 0.6}))
    pgen.factor("early", 0.5 * x)
    y = pgen.sample("y", pgen.categorical({0: 0.3, 1: 0.7} if x else {0: 0.5, 2: 0.5}))
    pgen.condition("not both", not (x == 0 and y == 2))
    if y == 1:
        pgen.sample("z", pgen.categorical({0: 0.2, 1: 0.8}))
    return x, y


def one_text():
    """Three spellings of two members."""
    return str(pgen.sample("word", text("", "a", "ab")))


def two_texts():
    """The second text follows the first."""
    first = pgen.sample("first", text("", "a", "ab"))
    second = pgen.sample("second", text(first, "b", max_tokens=1))
    pgen.factor("long", 0.4 * len(first))
    return str(first), str(second)


PROGRAMS = [observed, branching, one_text, two_texts]


def hopeful(values, unfinished):
    """A twist of no particular wisdom."""
    return 0.7 * len(values) - 0.4 * len(unfinished)


SCHEMES = ("systematic", "stratified", "multinomial", "residual")
UNBIASED = [
    pgen.Importance(2, lookahead=0),
    pgen.Importance(1, lookahead=2),
    *(pgen.SMC(2, 1.0, scheme, "tokens", lookahead=0) for scheme in SCHEMES),
    pgen.SMC(2, 1.0, lookahead=0),
    pgen.SMC(2, 1.0, resample="tokens", lookahead=0, steer=hopeful),
    pgen.StochasticBeam(2),
    pgen.ASAp(2),
    pgen.ResampleMove(2, moves=0, ess_threshold=1.0, lookahead=0),
    pgen.ResampleMove(1, moves=1, lookahead=0),
    pgen.ResampleMove(2, moves=1, waste_free=True, lookahead=0),
    pgen.Tempering(1, moves=1, schedule=(0.5, 1.0), lookahead=0),
    pgen.Tempering(2, moves=0, schedule=(0.3, 1.0), lookahead=0),
    pgen.Tempering(2, moves=1, schedule=(0.4, 1.0), waste_free=True, lookahead=0),
]


def shown(value):
    # Without addresses, which differ between the workers of a test run.
    return getattr(value, "__name__", None) or re.sub(r" at 0x[0-9a-f]+| ", "", repr(value))[:90]


@pytest.mark.parametrize("program", PROGRAMS, ids=shown)
@pytest.mark.parametrize("method", UNBIASED, ids=shown)
def test_what_estimates_the_evidence_is_properly_weighted(method, program):
    if (getattr(method, "waste_free", False) or method == pgen.ASAp(2)) and program in (branching, two_texts):
        pytest.skip("too many paths to walk through; shown on the other programs")
    assert pgen.infer(program, method=method).label == "consistent"
    check_proper_weights(program, method, exact(program), max_paths=6_000)


def random_marginals(canvas):
    rows = np.full((len(canvas), len(MODEL.vocabulary)), -np.inf)
    for place, token in enumerate(canvas):
        seen = [7, place, *(0 if t is None else t + 1 for t in canvas)]
        rows[place] = np.log(np.random.default_rng(seen).dirichlet(np.ones(len(MODEL.vocabulary))))
        if token is not None:
            rows[place] = -np.inf
            rows[place, token] = 0.0
    return rows


DENOISER = TabularDiffusion(MODEL.vocabulary, 4, random_marginals)
INSERTER = random_insertion(MODEL.vocabulary, 3)


def by_sides(left, right):
    """A proposal by a function: how often a token stands beside the place already."""
    return np.array([1.0 + [*left, *right].count(token) for token in range(len(MODEL.vocabulary))])


KERNELS = [
    pgen.Regenerate(),
    pgen.ParticleGibbs(2, ess_threshold=1.0),
    pgen.ParticleGibbs(2, ess_threshold=1.0, ancestors=True),
    pgen.ParticleGibbs(2, resample="tokens", ess_threshold=1.0),
]
TEXT_KERNELS = [
    pgen.RegenerateSpan(),
    pgen.EditText(),
    pgen.EditText(moves=("replace",), top=1),
    pgen.EditText(proposal=DENOISER),
    pgen.EditText(proposal=INSERTER),
    pgen.EditText(proposal=by_sides, top=2),
]


@pytest.mark.parametrize("program", PROGRAMS, ids=shown)
@pytest.mark.parametrize("kernel", KERNELS, ids=shown)
def test_kernels_leave_the_posterior_unchanged(kernel, program):
    generative_laws.check_invariance(pgen.Generative(program), kernel)


@pytest.mark.parametrize("program", [one_text, two_texts], ids=shown)
@pytest.mark.parametrize("kernel", TEXT_KERNELS, ids=shown)
def test_kernels_on_texts_leave_the_posterior_unchanged(kernel, program):
    generative_laws.check_invariance(pgen.Generative(program), kernel)


def test_edits_reach_every_text():
    def word():
        return str(pgen.sample("word", text("", "a", "ab", "b", max_tokens=2)))

    runs, matrix, masses = generative_laws.transition_matrix(pgen.Generative(word), pgen.EditText())
    assert len(runs) == 4
    assert (np.linalg.matrix_power(matrix, 4) > 0).all()
    assert np.linalg.matrix_power(matrix, 100_000)[0] == pytest.approx(masses / masses.sum(), abs=1e-9)


def test_a_wrong_edit_is_found_out():
    class Careless(pgen.EditText):
        def propose(self, runner, runs, rngs):
            return [p._replace(log_ratio=0.5 * p.log_ratio) for p in super().propose(runner, runs, rngs)]

    with pytest.raises(AssertionError, match="changes the mass"):
        generative_laws.check_invariance(pgen.Generative(one_text), Careless())


CONSISTENT = [
    pgen.Importance(400, lookahead=0),
    pgen.SMC(400, resample="tokens", lookahead=0, steer=hopeful),
    pgen.ResampleMove(200, lookahead=0),
    pgen.ResampleMove(1200, moves=3, waste_free=True, lookahead=0),
    pgen.Tempering(200, lookahead=0),
    pgen.Tempering(200, ess_threshold=0.95, moves=3, waste_free=True, lookahead=0),
    pgen.MCMC(pgen.ParticleGibbs(4), steps=100, lookahead=0),
]


@pytest.mark.parametrize("method", CONSISTENT, ids=shown)
def test_consistent_methods_come_close(method):
    posterior, target = pgen.infer(branching, method=method, seed=1), exact(branching)
    assert posterior.label == "consistent"
    assert total_variation(posterior.probabilities(), share(target)) < 0.06
    if not math.isnan(posterior.log_evidence):
        assert posterior.log_evidence == pytest.approx(math.log(sum(target.values())), abs=0.15)


def late():
    """The likely beginning leads to unlikely ends."""
    x = pgen.sample("x", pgen.categorical({"a": 0.7, "b": 0.3}))
    y = pgen.sample("y", pgen.categorical({1: 0.5, 2: 0.5} if x == "a" else {1: 0.95, 2: 0.05}))
    pgen.observe("seen", pgen.categorical({True: 0.9, False: 0.1} if x == "b" else {True: 0.2, False: 0.8}), True)
    return x, y


HEURISTIC = [
    pgen.Masked(4000),
    pgen.Beam(1),
    pgen.BankedBeam(1),
    pgen.DiverseBeam(2, groups=2, penalty=0.0),
    pgen.BestOf(3, reward=lambda value: value[1]),
    pgen.TreeSearch(reward=lambda value: value[1], simulations=50),
]


@pytest.mark.parametrize("method", HEURISTIC, ids=lambda method: type(method).__name__)
def test_heuristics_say_so_and_are_biased(method):
    posterior = pgen.infer(late, method=method, seed=0)
    assert posterior.label == "heuristic"
    assert total_variation(posterior.probabilities(), share(exact(late))) > 0.1


def test_what_is_exact_or_proven_is():
    target = share(exact(late))
    assert pgen.infer(late, method=pgen.Enumerate()).probabilities() == pytest.approx(target)
    likeliest = max(target, key=target.get)
    for method in (pgen.MostLikely(), pgen.Beam(4), pgen.BankedBeam(4), pgen.DiverseBeam(8, groups=2)):
        posterior = pgen.infer(late, method=method)
        assert (posterior.label, posterior.mode()) == ("map", likeliest)


ALL = [*UNBIASED, *(pgen.MCMC(kernel, steps=5, lookahead=0) for kernel in [*KERNELS, *TEXT_KERNELS])]


@pytest.mark.parametrize(
    "method", [*ALL, pgen.BankedBeam(2), pgen.DiverseBeam(2, 2), pgen.TreeSearch(len, 5)], ids=shown
)
def test_no_result_depends_on_the_batch_size(method):
    program = one_text if isinstance(method, pgen.TreeSearch) else two_texts
    first, *others = (pgen.infer(program, method=method, seed=3, batch_size=size) for size in (1, 7, 64))
    for other in others:
        assert other.values == first.values
        assert np.array_equal(other.log_weights, first.log_weights)


def table(rows):
    """A model over a, b, c and EOS by the text so far; rows not given end the text."""
    vocabulary = pgen.Vocabulary([b"a", b"b", b"c", b"<eos>"], eos=3)

    def next_logprobs(tokens):
        row = rows.get("".join("abc"[t] for t in tokens), {"": 1.0})
        return [math.log(row[x]) if row.get(x) else -math.inf for x in ("a", "b", "c", "")]

    return TabularAR(vocabulary, next_logprobs)


def test_banks_keep_what_a_plain_beam_puts_off():
    """A `b` is demanded: the plain beam waits until it must, and then the model hates it."""
    rows = {"": {"a": 0.5, "c": 0.4, "b": 0.1}, "a": {"a": 0.99, "b": 0.01}, "c": {"a": 0.99, "b": 0.01}}
    lm = table(rows)
    asked = lm.text("", max_tokens=2, end="eos").given(pgen.Regex("[abc]*").containing("b"))
    assert pgen.infer(asked, method=pgen.Beam(2)).mode() == "ab"
    assert pgen.infer(asked, method=pgen.BankedBeam(2)).mode() == "b"
    assert pgen.infer(asked, method=pgen.MostLikely()).mode() == "b"


def test_groups_choose_differently_and_weigh_rightly():
    rows = {"": {"a": 0.5, "b": 0.3, "c": 0.2}, "a": {"a": 0.6, "b": 0.4}, "b": {"c": 1.0}, "c": {"a": 1.0}}
    asked = table(rows).text("", max_tokens=2, end="eos").given(pgen.Regex("[abc]{2}"))
    plain = pgen.infer(asked, method=pgen.DiverseBeam(2, groups=1))
    assert plain.probabilities() == pgen.infer(asked, method=pgen.Beam(2)).probabilities()
    together = pgen.infer(asked, method=pgen.DiverseBeam(2, groups=2, penalty=0.0))
    assert together.values == ("aa",)
    apart = pgen.infer(asked, method=pgen.DiverseBeam(3, groups=3, penalty=5.0))
    masses = dict(zip(map(str, apart.values), np.exp(apart.log_weights), strict=True))
    assert masses == pytest.approx({"aa": 0.3, "bc": 0.3, "ca": 0.2})
    low, high = apart.log_evidence_bounds
    assert low == pytest.approx(math.log(0.8))
    assert high >= 0.0


@pytest.mark.parametrize("rule", ["puct", "uct"])
def test_tree_search_closes_and_has_found_the_best(rule):
    def program():
        x = pgen.sample("x", pgen.categorical({0: 0.9, 1: 0.1}))
        y = pgen.sample("y", pgen.categorical({0: 0.98, 1: 0.02}))
        pgen.condition("not both", not (x == 1 and y == 0))
        return str(pgen.sample("word", text("", "a", "ab"))) * (1 + x) + "!" * y

    posterior = pgen.infer(program, method=pgen.TreeSearch(len, simulations=200, rule=rule))
    assert posterior.mode() == "abab!"
    assert "every run was tried" in posterior.diagnose()
    few = pgen.infer(program, method=pgen.TreeSearch(len, simulations=1, rule=rule), seed=2)
    assert "a better run may not have been tried" in few.diagnose()


def test_tree_search_prefers_what_was_rewarded():
    """Far more actions than simulations: the rewarded beginning gets most of the visits."""
    from pgen.inference.context import Context
    from pgen.inference.methods import tree_search
    from pgen.inference.places import Places
    from pgen.programs.machine import Machine
    from pgen.sampling.rng import CounterRng

    def program():
        digits = [pgen.sample(f"d{i}", pgen.categorical([0.25] * 4)) for i in range(5)]
        return digits[0] == 2, digits

    method = pgen.TreeSearch(lambda value: float(value[0]), simulations=120, exploration=0.5)
    places = Places(Machine(program, (), {}), Context())
    tree = tree_search.init(places, method)
    for number in range(method.simulations):
        tree_search.step(CounterRng(0).at(number), places, method, tree)
    assert int(np.argmax(tree.root.visits)) == 2
    assert tree.root.visits[2] > 0.6 * tree.root.visits.sum()


def test_moves_repair_what_early_choices_got_wrong():
    """Every particle but few begins wrongly; a block move at the end mends it, resampling alone cannot."""

    def program():
        x = pgen.sample("x", pgen.categorical({0: 0.98, 1: 0.02}))
        y = pgen.sample("y", pgen.categorical({0: 0.5, 1: 0.5}))
        pgen.factor("late", 6.0 if x == y == 1 else 0.0)
        return x, y

    target = share(exact(program))
    blind, moved = [], []
    for seed in range(6):
        blind.append(pgen.infer(program, method=pgen.SMC(16, lookahead=0), seed=seed))
        kernel = pgen.Regenerate("x", "y")
        moved.append(pgen.infer(program, method=pgen.ResampleMove(16, kernel, moves=10, lookahead=0), seed=seed))
    apart = [np.mean([total_variation(p.probabilities(), target) for p in found]) for found in (blind, moved)]
    assert apart[1] < 0.8 * apart[0]


def test_tempering_needs_no_steps_without_evidence_and_more_with_sharp_evidence():
    def program(strength):
        x = pgen.sample("x", pgen.categorical([0.1] * 10))
        pgen.factor("sharp", strength * x)
        return x

    n_powers = []
    for strength in (0.0, 0.05, 5.0):
        posterior = pgen.infer(program, strength, method=pgen.Tempering(64), seed=0)
        n_powers.append(len(posterior.ess_path))
    assert n_powers[:2] == [1, 1]
    assert n_powers[2] >= 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: pgen.ResampleMove(5, moves=1, waste_free=True),
        lambda: pgen.ResampleMove(4, waste_free=True, ess_threshold=0.5),
        lambda: pgen.ResampleMove(0),
        lambda: pgen.ResampleMove(kernel=[]),
        lambda: pgen.ResampleMove(kernel=pgen.Gibbs()),
        lambda: pgen.ResampleMove(moves=-1),
        lambda: pgen.ResampleMove(resampling="best"),
        lambda: pgen.ResampleMove(ess_threshold=2.0),
        lambda: pgen.Tempering(schedule=(0.5,)),
        lambda: pgen.Tempering(schedule=(0.5, 0.5, 1.0)),
        lambda: pgen.Tempering(kernel=pgen.Gibbs()),
        lambda: pgen.Tempering(ess_threshold=1.0),
        lambda: pgen.ParticleGibbs(1),
        lambda: pgen.ParticleGibbs(resample="often"),
        lambda: pgen.ParticleGibbs(resample="tokens", ancestors=True),
        lambda: pgen.EditText(moves=("insert",)),
        lambda: pgen.EditText(moves=("swap",)),
        lambda: pgen.EditText(top=0),
        lambda: pgen.DiverseBeam(4, groups=3),
        lambda: pgen.DiverseBeam(penalty=-1.0),
        lambda: pgen.BankedBeam(0),
        lambda: pgen.TreeSearch(len, 0),
        lambda: pgen.TreeSearch(len, rule="best"),
        lambda: pgen.TreeSearch(len, exploration=0.0),
    ],
)
def test_settings_that_make_no_sense_are_refused(make):
    with pytest.raises(pgen.InvalidArgument):
        make()


def test_mistakes_of_users_are_named():
    def unfit(left, right):
        return np.ones(2)

    other = TabularDiffusion(VOCABULARIES["letters"], 4, lambda canvas: np.zeros((len(canvas), 3)))
    for method, message in [
        (pgen.MCMC(pgen.EditText(proposal=unfit), steps=5, lookahead=0), r"shape \(2,\)"),
        (pgen.MCMC(pgen.EditText(proposal=other), steps=5, lookahead=0), "different tokens"),
        (pgen.MCMC(pgen.EditText(), steps=5, lookahead=50), "lookahead=0"),
        (pgen.SMC(4, lookahead=0, resample="tokens", steer=lambda values, x: math.nan), "steer returned nan"),
        (pgen.TreeSearch(lambda value: math.nan, 5), "the reward of"),
    ]:
        with pytest.raises(pgen.InvalidArgument, match=message):
            pgen.infer(two_texts, method=method)


@pytest.mark.parametrize("method", [pgen.ResampleMove(4), pgen.Tempering(4), pgen.TreeSearch(len, 5)], ids=shown)
def test_nothing_of_mass_is_zero_evidence_and_budgets_end_runs(method):
    def impossible():
        x = pgen.sample("x", pgen.bernoulli(0.5))
        pgen.condition("never", False)
        return x

    with pytest.raises(pgen.ZeroEvidence, match="'never'"):
        pgen.infer(impossible, method=method)
    with pytest.raises(pgen.LimitExceeded, match="budget"):
        pgen.infer(one_text, method=method, budget=1)


def share(masses):
    total = sum(masses.values())
    return {value: mass / total for value, mass in masses.items()}


def total_variation(p, q):
    return sum(abs(p.get(x, 0.0) - q.get(x, 0.0)) for x in {*p, *q}) / 2


def test_the_table_has_every_method():
    """A method that is added to the package must be added here, or have a suite of its own."""
    elsewhere = {"AdaptiveRejection", "Rejection", "Replicated", "Gibbs", "Bidirectional", "RegenerateHole", "Remask"}
    here = {type(method).__name__ for method in itertools.chain(UNBIASED, KERNELS, TEXT_KERNELS, CONSISTENT, HEURISTIC)}
    here |= {"Enumerate", "MostLikely"}
    public = set()
    for name, thing in ((name, getattr(pgen, name)) for name in pgen.__all__):
        if getattr(thing, "__module__", "").startswith("pgen.inference") and {"run", "step"} & set(dir(thing)):
            public.add(name)
    assert public - here - elsewhere == set()
