"""Chain of thought, verifier, selection and inference, tools, self-consistency: posteriors against enumeration."""

import math
from itertools import permutations

import pytest
from cued_model import cued_model, normalized

import pgen
from examples import chain_of_thought, selection_inference, self_consistency, tool_use, verifier

EXACT = pgen.Enumerate()


def test_answers_sum_over_thoughts():
    thoughts = {" two and two.\n": 0.6, " a guess.\n": 0.4}
    answers = {" two and two.": {" 4": 0.9, " 5": 0.1}, " a guess.": {" 4": 0.3, " 5": 0.6, " 6": 0.1}}
    lm = cued_model({"step by step:": thoughts, "\nThe answer is": lambda text: answers[text.split("step:")[1]]})
    joint = {(t, a): p * answers[t[:-1]].get(a, 0.0) for t, p in thoughts.items() for a in (" 4", " 5")}
    # Allowed answers are normalised for each thought.
    allowed = {t: sum(p for (thought, _), p in joint.items() if thought == t) / thoughts[t] for t in thoughts}
    expected = normalized((a, p / allowed[t]) for (t, a), p in joint.items())
    arguments = lm, "What is 2 + 2?", (" 4", " 5")
    assert pgen.infer(chain_of_thought.solve, *arguments, method=EXACT).probabilities() == pytest.approx(expected)

    behind = pgen.infer(chain_of_thought.thoughts_behind(" 4"), *arguments, method=EXACT)
    expected = normalized((t.strip("\n"), p / allowed[t]) for (t, a), p in joint.items() if a == " 4")
    assert behind.marginal("thought") == pytest.approx(expected)
    assert behind.log_evidence == pytest.approx(math.log(0.6 * 0.9 + 0.4 * 0.3 / 0.9))


def test_a_verdict_is_evidence():
    answers = {" Earth": 0.5, " Mars": 0.3, " Moon": 0.2}
    yes = {" Earth": 0.2, " Mars": 0.7}
    verdicts = lambda text: {" Yes": yes[text.split("answer:")[-1]], " No": 1 - yes[text.split("answer:")[-1]]}  # noqa: E731
    lm = cued_model(
        {"\nAnswer:": answers, "answer right?": lambda text: verdicts(text.removesuffix("\nIs the proposed "))}
    )
    allowed = pgen.choice(" Earth", " Mars")
    before = pgen.infer(verifier.proposed, lm, "Which?", allowed)
    assert before.probabilities() == pytest.approx({" Earth": 5 / 8, " Mars": 3 / 8})
    after = pgen.infer(verifier.verified, lm, "Which?", allowed)
    assert after.probabilities() == pytest.approx({" Mars": 0.21 / 0.31, " Earth": 0.1 / 0.31})
    assert after.log_evidence == pytest.approx(math.log(0.31 / 0.8))


def test_chains_of_selections_are_weighed_as_wholes():
    facts = ("A.", "B.", "C.")
    pairs = {f" {x} {y}": 1 + ("B." in (x, y)) for x, y in permutations(facts, 2)}
    pairs = {pair: mass / sum(pairs.values()) for pair, mass in pairs.items()}

    def inferred(text):
        return {" D.\n": 0.8, " E.\n": 0.2} if "B." in text.split("know:")[-1] else {" E.\n": 1.0}

    def answered(text):
        return {" yes": 0.9, " no": 0.1} if "D." in text else {" yes": 0.3, " no": 0.7}

    lm = cued_model({"matter most:": pairs, "\nThen we can conclude:": inferred, "\nAnswer (yes or no):": answered})
    posterior = pgen.infer(selection_inference.reason, lm, facts, "Is it?", steps=1, method=EXACT)
    masses = [
        (answer, p * q * r)
        for pair, p in pairs.items()
        for fact, q in inferred(f"know:{pair}").items()
        for answer, r in answered(fact).items()
    ]
    assert posterior.probabilities() == pytest.approx(normalized(masses))
    sampled = pgen.infer(selection_inference.reason, lm, facts, "Is it?", steps=2, method=pgen.SMC(16))
    assert all(len(trace.values()) == 5 for trace in sampled.traces)


def test_results_of_tools_go_into_the_text():
    lm = cued_model(
        {
            "Solution:": {" So <calc>2*3</calc>": 0.5, " So <calc>2+3</calc>": 0.3, "<answer>7</answer>": 0.2},
            "</calc> = 6": {"<answer>6</answer>": 0.9, "<answer>2</answer>": 0.1},
            "</calc> = 5": {", <calc>5*5</calc>": 1.0},
            "</calc> = 25": {"<answer>25</answer>": 0.5, "<answer>x</answer>": 0.5},
        }
    )
    posterior = pgen.infer(tool_use.work_out, lm, "Two threes?", method=EXACT)
    expected = {6: 0.45, 2: 0.05, 25: 0.15, 7: 0.2}
    assert math.exp(posterior.log_evidence) == pytest.approx(0.85)
    assert posterior.probabilities() == pytest.approx({number: p / 0.85 for number, p in expected.items()})
    hurried = pgen.infer(tool_use.work_out, lm, "Two threes?", turns=1, method=EXACT)
    assert hurried.values == (7,)
    assert hurried.log_evidence == pytest.approx(math.log(0.2))


@pytest.mark.parametrize(("sum_", "value"), [("2+3*4", 14), ("10-12", -2), ("7*0+1", 1)])
def test_the_calculator(sum_, value):
    assert tool_use.calculate(sum_) == value


@pytest.mark.parametrize("text", ["2", "2+", "02+1", "__import__('os')", "2**9"])
def test_the_calculator_takes_sums_only(text):
    with pytest.raises(ValueError, match="is no sum"):
        tool_use.calculate(text)


def test_votes_carry_weights():
    solutions = {
        " Five by six is 30. The answer is 30.": 0.2,
        " I count 30 eggs. The answer is 30.": 0.1,
        " Eggs. The answer is 11.": 0.25,
        " I do not know.": 0.45,
    }
    distribution = self_consistency.solutions(cued_model({"\nA:": solutions}), "How many?", max_tokens=64)
    posterior = pgen.infer(distribution, method=EXACT)
    assert math.exp(posterior.log_evidence) == pytest.approx(0.55)
    number, share = pgen.majority(posterior, key=self_consistency.final_number)
    assert (number, share) == (30, pytest.approx(0.3 / 0.55))
