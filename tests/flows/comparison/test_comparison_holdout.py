"""Verdicts on the same held-out rows."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from flows.comparison.holdout import compare_holdout
from registry.records.policy import PromotionPolicy
from registry.records.verdict import Decision

AT = datetime(2026, 1, 1, tzinfo=UTC)
RNG = np.random.default_rng(5)
N = 2000
TRUTH = RNG.normal(size=N)
LABELS = (RNG.random(N) < 1 / (1 + np.exp(-TRUTH))).astype(float)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


GOOD, POOR = sigmoid(TRUTH), sigmoid(0.3 * TRUTH + RNG.normal(size=N))


def judged(champion, challenger, *, n=N, **policy) -> Decision:
    settings = {"metric": "auc", "min_holdout": 100} | policy
    return compare_holdout(
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        task="binary",
        labels=LABELS[:n],
        champion_scores=champion[:n],
        challenger_scores=challenger[:n],
        policy=PromotionPolicy(**settings),
        decision_id="d",
        at=AT,
        times=np.arange(n),
    )


@pytest.mark.parametrize("metric", ["auc", "accuracy", "brier", "log_loss"])
def test_a_clearly_better_challenger_is_promoted_and_the_reverse_rejected(metric):
    assert judged(POOR, GOOD, metric=metric).outcome == "promote"
    assert judged(GOOD, POOR, metric=metric).outcome == "reject"


def test_an_equal_challenger_is_not_promoted_but_watched():
    decision = judged(GOOD, GOOD)

    assert decision.outcome == "continue"
    assert "too little evidence" in decision.headline


def test_a_small_but_significant_gain_goes_to_people():
    better = sigmoid(TRUTH)
    worse = sigmoid(TRUTH + 0.45 * np.random.default_rng(1).normal(size=N))

    assert judged(worse, better, min_improvement=0.5).outcome == "needs_approval"


def test_an_equal_challenger_passes_a_non_inferiority_policy():
    assert judged(GOOD, GOOD, rule="non_inferiority", margin=0.02).outcome == "promote"
    assert judged(GOOD, POOR, rule="non_inferiority", margin=0.02).outcome == "reject"


def test_too_few_rows_decide_nothing_and_say_how_many_are_needed():
    decision = judged(POOR, GOOD, n=99)

    assert decision.outcome == "continue"
    assert "99 rows are fewer than the 100" in decision.headline


def test_equal_models_are_promoted_in_at_most_five_percent_of_histories():
    rng = np.random.default_rng(0)
    promoted = 0
    for _ in range(300):
        x = rng.normal(size=400)
        y = (rng.random(400) < sigmoid(x)).astype(float)
        a, b = sigmoid(x + rng.normal(size=(2, 400)))
        promoted += (
            compare_holdout(
                model="m",
                champion="v1.0.0",
                challenger="v1.1.0",
                task="binary",
                labels=y,
                champion_scores=a,
                challenger_scores=b,
                policy=PromotionPolicy(metric="brier", min_improvement=0.0),
                decision_id="d",
                at=AT,
            ).outcome
            == "promote"
        )

    assert promoted / 300 <= 0.05


def test_regression_is_judged_by_its_own_metrics():
    y = RNG.normal(size=500)
    decision = compare_holdout(
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        task="regression",
        labels=y,
        champion_scores=y + RNG.normal(size=500),
        challenger_scores=y + 0.5 * RNG.normal(size=500),
        policy=PromotionPolicy(metric="rmse"),
        decision_id="d",
        at=AT,
    )

    assert decision.outcome == "promote"
    assert decision.metrics["challenger"]["r2"] > decision.metrics["champion"]["r2"]


def test_a_decision_survives_its_json():
    decision = judged(POOR, GOOD)

    assert Decision.from_json(decision.to_json()) == decision
    assert decision.digest() == judged(POOR, GOOD).digest()


def test_a_kpi_that_decides_nothing_is_reported():
    dice = np.random.default_rng(2)
    decision = compare_holdout(
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        task="binary",
        labels=LABELS,
        champion_scores=POOR,
        challenger_scores=GOOD,
        policy=PromotionPolicy(metric="auc"),
        decision_id="d",
        at=AT,
        kpis={"revenue": (dice.exponential(1, N), dice.exponential(2, N))},
    )
    [revenue] = [f for f in decision.findings if f.metric == "revenue"]

    assert (revenue.role, revenue.low > 0) == ("context", True)


def test_a_bayesian_reader_gets_the_chance_and_the_cost_of_being_wrong():
    for champion, challenger, said in ((POOR, GOOD, "all but 10^"), (GOOD, GOOD, None)):
        views = [f for f in judged(champion, challenger).findings if f.name == "Bayesian side view"]
        assert [said in view.said for view in views] == ([True] if said else [])


def test_the_bayesian_chance_is_that_of_the_normal_distribution_behind_the_interval():
    close = np.clip(GOOD + 0.002 * np.random.default_rng(1).normal(size=N), 0, 1)
    decision = judged(GOOD, close)
    auc, view = (next(f for f in decision.findings if f.name == name) for name in ("auc", "Bayesian side view"))
    z = auc.estimate / ((auc.high - auc.low) / 2 / 1.959964)

    assert f"{0.5 * math.erfc(-z / math.sqrt(2)):.1%}" in view.said
