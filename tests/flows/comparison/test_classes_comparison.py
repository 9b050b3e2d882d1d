"""Comparing models of several classes."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss

from flows.comparison.cases import load_case, recompute, save_case
from flows.comparison.classes import class_gains, one_hot, top_label
from flows.comparison.evidence import live_arms
from flows.comparison.group_tests import group_test
from flows.comparison.holdout import compare_holdout
from flows.comparison.keep import keep
from flows.comparison.metrics import metrics_of
from flows.comparison.rows import HoldoutCase, paired_rows
from registry.home import Settings
from registry.records.policy import Guardrail, PromotionPolicy

AT = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = PromotionPolicy(metric="accuracy", min_improvement=0.0, min_holdout=100)


def rows(n=600, skill=2.0, seed=1, classes=4):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n).astype(float)
    logits = rng.normal(size=(n, classes)) + skill * one_hot(labels, classes)
    odds = np.exp(logits)
    return labels, odds / odds.sum(axis=1, keepdims=True)


def compared(labels, champion, challenger, policy=POLICY, **more):
    return compare_holdout(
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        task="multiclass",
        labels=labels,
        champion_scores=champion,
        challenger_scores=challenger,
        policy=policy,
        decision_id="d",
        at=AT,
        **more,
    )


@pytest.mark.parametrize("seed", range(5))
def test_metrics_agree_with_scikit_learn(seed):
    labels, table = rows(seed=seed)
    found = metrics_of("multiclass", labels, table)

    assert found["accuracy"] == pytest.approx(accuracy_score(labels, table.argmax(axis=1)))
    assert found["log_loss"] == pytest.approx(log_loss(labels, table))
    assert found["brier"] == pytest.approx(((table - one_hot(labels, 4)) ** 2).sum(axis=1).mean())
    assert found["loss"] == pytest.approx(1 - found["accuracy"])
    assert 0 <= found["calibration"] <= 1


@given(st.permutations(range(4)), st.integers(0, 100))
def test_the_order_of_the_classes_changes_no_gain(order, seed):
    labels, table = rows(40, seed=seed)
    renamed = np.array([order.index(int(label)) for label in labels], dtype=float)

    for metric in ("accuracy", "log_loss", "brier"):
        assert class_gains(metric, labels, table) == pytest.approx(class_gains(metric, renamed, table[:, order]))


def test_a_class_that_a_model_does_not_know_is_never_right():
    labels, table = np.array([3.0, 1.0]), np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]])

    assert class_gains("accuracy", labels, table).tolist() == [0, 1]
    assert class_gains("brier", labels, table) == pytest.approx([-(0.04 + 0.09 + 0.25 + 1), 0])
    assert class_gains("log_loss", labels, table)[0] == pytest.approx(np.log(1e-15))
    assert top_label(labels, table).scores.tolist() == [0.5, 1.0]


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "brier"])
def test_a_better_challenger_is_promoted_and_a_worse_one_rejected(metric):
    labels, weak = rows(skill=0.5)
    strong = rows(skill=3.0)[1]
    policy = msgspec.structs.replace(POLICY, metric=metric)

    assert compared(labels, weak, strong, policy).outcome == "promote"
    assert compared(labels, strong, weak, policy).outcome == "reject"


def test_guardrails_and_segments_hold_for_several_classes_too():
    labels, weak = rows(skill=0.5)
    strong = rows(skill=3.0)[1]
    guarded = msgspec.structs.replace(POLICY, guardrails=(Guardrail(metric="calibration", margin=0.5),))
    told = compared(
        labels, weak, strong, guarded, segments={"s": ["a", "b"] * 300}, keys=[str(i // 2) for i in range(600)]
    )

    assert {"s = a", "s = b", "calibration", "log_loss", "brier"} <= {f.name for f in told.findings}


def test_what_are_no_probabilities_and_no_classes_is_refused_in_one_message():
    with pytest.raises(ValueError, match="no numbers of classes") as refused:
        paired_rows("multiclass", [0.5, 1.0], np.ones((2, 3)) * 2, [0.1, 0.2])

    assert "champion_scores has 6 of 6 values outside 0 to 1" in str(refused.value)
    assert "challenger_scores has 1 dimensions; give two" in str(refused.value)


def test_a_decision_is_computed_again_from_what_was_kept(tmp_path):
    settings = Settings(home=tmp_path)
    labels, weak = rows(skill=0.5)
    case = HoldoutCase(
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        task="multiclass",
        policy=POLICY,
        decision_id="d",
        at=AT,
        rows=paired_rows("multiclass", labels, weak, rows(skill=3.0)[1], times=np.arange(600.0)),
    )
    save_case(settings, case)
    again = load_case(settings, "m", "d")

    assert isinstance(again, HoldoutCase)
    assert np.array_equal(again.rows.champion, weak)
    told = keep(settings, case)
    assert told.report is not None
    assert recompute(settings, told).same


def live(n=400, seed=2):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    arms = rng.choice(["champion", "challenger"], n)
    said = np.where(rng.random(n) < np.where(arms == "champion", 0.5, 0.9), labels, (labels + 1) % 4)
    return pl.DataFrame(
        {
            "_sequence": range(n),
            "_key": [str(i) for i in range(n)],
            "_time": np.arange(n, dtype=float),
            "_label": labels.astype(float),
            "_prediction": said.astype(float),
            "_score": rng.random(n),
            "_assigned": arms,
            "_enrolled": [True] * n,
            "_reason": ["bucket"] * n,
        }
    )


def test_live_rows_tell_the_accuracy_of_each_arm():
    frame = live()
    measured = group_test("multiclass", live_arms(frame, "accuracy", "multiclass"), "accuracy", POLICY)

    assert measured is not None
    by_arm = frame.group_by("_assigned").agg(right=(pl.col("_label") == pl.col("_prediction")).mean())
    expected = dict(by_arm.iter_rows())
    assert (measured.champion, measured.challenger) == pytest.approx((expected["champion"], expected["challenger"]))
    assert measured.effect.low > 0


def test_live_rows_of_both_arms_fit_into_one_table_whatever_each_has_said():
    frame = live().with_columns(
        _prediction=pl.when(pl.col("_assigned") == "champion").then(0.0).otherwise(pl.col("_prediction"))
    )
    arms = live_arms(frame, "accuracy", "multiclass")

    assert arms["champion"].scores.shape[1] == arms["challenger"].scores.shape[1] == 4
    assert live_arms(frame.head(0), "accuracy", "multiclass")["champion"].n == 0
