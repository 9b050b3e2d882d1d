"""What rules may name of a report."""

from drift_making import drifted, feature, report


def test_drift_becomes_counts_and_maxima():
    found = report(
        drifted("x", high=True, outlier_share=0.2),
        drifted("c", missing_change=0.3, statistic=0.4, psi=0.1),
        feature("y", psi=0.05),
    ).metrics()

    assert found == {
        "rows": 1000.0,
        "drifted_features": 2.0,
        "high_drift_features": 1.0,
        "max_psi": 0.4,
        "max_ks": 0.4,
        "outlier_share": 0.2,
        "missing_increase": 0.3,
        "prediction_drift": None,
        "label_drift": None,
    }


def test_scores_and_labels_that_drifted_are_told_apart():
    found = report(score_drift=drifted("score"), label_drift=feature("label")).metrics()

    assert (found["prediction_drift"], found["label_drift"]) == (1.0, 0.0)


def test_drift_that_could_not_be_judged_is_unknown():
    found = report(enough=False, rows=5).metrics()

    assert found.pop("rows") == 5.0
    assert set(found.values()) == {None}


def test_maxima_come_from_features_with_enough_values_alone():
    few = drifted("x", enough=False, missing_change=0.9, outlier_share=1.0, statistic=0.0, psi=0.0)
    alone, beside = (report(*features).metrics() for features in ((few,), (few, feature("y", outlier_share=0.01))))

    assert [alone[name] for name in ("max_psi", "max_ks", "outlier_share")] == [None] * 3
    assert (alone["drifted_features"], alone["missing_increase"]) == (1.0, 0.9)
    assert (beside["max_psi"], beside["outlier_share"]) == (0.0, 0.01)
