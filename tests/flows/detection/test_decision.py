import pytest
from drift_making import CALM, UNKNOWN, drifted, feature, make_config, report

from flows.detection.fusion.decision import decide

RISEN = {"error_increase": 0.3, "error_p": 0.001}
DEGRADED = {"baseline_increase": 0.4, "baseline_p": 0.001}


def decided(metrics=None, *features, rules=None):
    config = make_config(**({"detection": {"rules": rules}} if rules else {}))
    seen = report(*features)
    counts = {"drifted_features": float(len(seen.drifted))}
    return decide(config, CALM | counts | (metrics or {}), seen)


def test_when_nothing_happened_nothing_is_done():
    found = decided()

    assert (found.triggered, found.investigate, found.rule, found.causes) == (False, False, None, ())
    assert (found.severity, found.drift_type, found.confidence) == ("LOW", "none", 0.0)


def test_a_rising_error_asks_for_a_retraining_and_says_why():
    found = decided(RISEN)

    assert (found.triggered, found.rule, found.trigger, found.drift_type) == (True, "error rises", "drift", "concept")
    assert found.causes[0].startswith("rule 'error rises' fired: error_increase > 0.15")
    assert found.causes[1] == "the error rose by 30.0% (p = 0.001)"
    assert found.confidence == 0.999


def test_a_champion_worse_than_its_holdout_is_a_strong_signal_with_its_own_doubt():
    found = decided(DEGRADED)

    assert (found.rule, found.severity, found.confidence) == ("worse than when trained", "MEDIUM", 0.999)
    assert "the champion's error is 40.0% above that of its holdout (p = 0.001)" in found.causes


def test_one_drifted_feature_is_looked_into_but_retrains_nothing():
    found = decided(None, drifted("x"), feature("y"))

    assert (found.triggered, found.investigate, found.rule) == (False, True, "any drift")
    assert (found.drift_type, found.affected_features) == ("data", ("x",))
    assert "x: D = 0.300, PSI = 0.40" in found.causes


def test_a_lost_column_is_told_in_words_and_beyond_doubt():
    lost = drifted("x", enough=False, n=0, statistic=0.0, psi=0.0, adjusted=1.0, findings=("the column is absent",))
    found = decided(None, lost)

    assert "x: the column is absent" in found.causes
    assert found.confidence == 1.0


@pytest.mark.parametrize(
    ("metrics", "features", "severity"),
    [
        ({}, 0, "LOW"),
        ({}, 1, "LOW"),
        ({"age_days": 30.0, "new_rows": 20_000.0}, 1, "MEDIUM"),
        (RISEN, 0, "MEDIUM"),
        ({}, 6, "MEDIUM"),
        (RISEN, 6, "HIGH"),
        ({**RISEN, **DEGRADED}, 0, "HIGH"),
        ({"error_increase": 0.6, "error_p": 0.001}, 0, "CRITICAL"),
        ({"error_increase": 0.6, "error_p": 0.2}, 0, "LOW"),
    ],
)
def test_severity_grows_with_the_signals(metrics, features, severity):
    found = decided(metrics, *(drifted(f"x{i}") for i in range(features)))

    assert found.severity == severity


def test_both_kinds_of_drift_are_called_both():
    assert decided(RISEN, drifted()).drift_type == "both"


def test_rules_that_want_data_are_named_and_do_not_fire():
    found = decided(UNKNOWN)

    assert not found.triggered
    assert found.undecided == ("error rises", "worse than when trained")
    assert found.evidence["error_p"] is None


def test_the_first_retraining_rule_wins_over_earlier_looks():
    rules = [
        {"name": "look", "trigger": "drift", "condition": "drifted_features > 0", "action": "investigate"},
        {"name": "old", "trigger": "age", "condition": "age_days > 0", "action": "investigate_and_retrain"},
    ]
    found = decided(None, drifted(), rules=rules)

    assert (found.triggered, found.investigate, found.rule, found.confidence) == (True, True, "old", 1.0)


def test_without_any_rule_nothing_fires():
    assert decide(make_config(detection={"rules": []}), CALM, report(drifted())).rule is None


def test_the_limit_of_the_configuration_says_what_is_concept_drift():
    risen = CALM | {"error_increase": 0.25, "error_p": 0.001}

    loose, strict = (
        decide(make_config(detection={"error_increase": limit}), risen, report(feature())) for limit in (0.15, 0.3)
    )

    assert (loose.drift_type, strict.drift_type) == ("concept", "none")


def test_a_champion_that_only_seems_worse_is_no_strong_signal():
    assert decided({"baseline_increase": 0.4, "baseline_p": 0.2}).severity == "LOW"
    assert decided(RISEN | {"baseline_increase": 0.4, "baseline_p": 0.2}).severity == "MEDIUM"
