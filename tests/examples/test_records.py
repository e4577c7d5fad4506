"""Goals, receipts, duplicates: posteriors against Bayes' rule by hand."""

import json
import math

import pytest
from cued_model import cued_model, normalized

import pgen
from examples import duplicates, goals, receipt

EXACT = pgen.Enumerate()


def test_goals_follow_from_actions():
    prior = {"sleep": 0.7, "eat": 0.3}
    first = {"sleep": {" yawned": 0.6, " cooked": 0.1, " sang": 0.3}, "eat": {" yawned": 0.2, " cooked": 0.8}}
    second = {"sleep": {" yawned": 0.5, " cooked": 0.5}, "eat": {" yawned": 0.1, " cooked": 0.9}}

    def said(table):
        return lambda text: table["sleep" if "sleep" in text else "eat"]

    lm = cued_model({" First she": said(first), " Then she": said(second)})
    allowed = {"sleep": 0.7, "eat": 1.0}
    masses = [(g, p * first[g][" yawned"] / allowed[g] * second[g][" cooked"]) for g, p in prior.items()]
    posterior = pgen.infer(goals.goal, lm, prior, (" yawned", " cooked"))
    assert posterior.probabilities() == pytest.approx(normalized(masses))
    assert posterior.log_evidence == pytest.approx(math.log(sum(mass for _, mass in masses)))
    unseen = pgen.infer(goals.goal, lm, prior, (), (" yawned",))
    assert unseen.probabilities() == pytest.approx(prior)


def bill(total, *items):
    return json.dumps({"items": [{"name": name, "price": price} for name, price in items], "total": total})


def test_a_receipt_adds_up():
    right, other = bill(9, ("tea", 4), ("bread", 5)), bill(12, ("tea", 4), ("jam", 8))
    wrong = bill(10, ("tea", 4), ("bread", 5))
    lm = cued_model({"JSON:": {f" {right}": 0.2, f" {wrong}": 0.5, f" {other}": 0.1, " no JSON": 0.2}})
    schema = pgen.JSONSchema(receipt.RECEIPT)
    posterior = pgen.infer(receipt.read, lm, "tea 4, bread 5. Total 9.", schema, method=EXACT, max_tokens=100)
    assert posterior.probabilities() == pytest.approx({right: 2 / 3, other: 1 / 3})
    assert posterior.log_evidence == pytest.approx(math.log(0.3))
    assert not receipt.adds_up(wrong)


@pytest.mark.parametrize("prior", [0.1, 0.5])
def test_the_probability_of_a_duplicate(prior):
    likelihood = {
        "The same": {" Joes Diner\n": 0.4, " Spa\n": 0.01, "?": 0.59},
        "Another": {" Joes Diner\n": 0.02, " Spa\n": 0.3, "?": 0.68},
    }
    lm = cued_model({"written differently:": likelihood["The same"], "somewhere else:": likelihood["Another"]})
    for second in ("Joes Diner", "Spa"):
        one, two = (likelihood[kind][f" {second}\n"] for kind in ("The same", "Another"))
        expected = prior * one / (prior * one + (1 - prior) * two)
        posterior = pgen.infer(duplicates.same, lm, "Joe's Diner", second, prior=prior)
        assert posterior.probabilities()[True] == pytest.approx(expected)
