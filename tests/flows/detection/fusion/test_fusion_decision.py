from datetime import timedelta

import pytest
from fusion_making import CALM, decided, drifted, make_config, priced

from flows.detection.fusion.decision import RetrainDecision, decide
from flows.detection.fusion.mapping import asked, evidence_of
from flows.detection.fusion.signals import Evidence, Signal
from flows.detection.judging.report import DriftReport, FeatureDrift
from flows.detection.univariate.statistics import ABSENT

RISEN = {"error_increase": 0.3, "error_p": 0.001}
UNKNOWN = dict.fromkeys(("error", "error_increase", "error_p", "baseline_increase", "baseline_p"))


def test_when_nothing_happened_nothing_is_done():
    found = decided(None, priced(0.0, 0.01, doubt=0.5))

    assert (found.triggered, found.investigate, found.rule, found.causes) == (False, False, None, ())
    assert (found.severity, found.drift_type, found.recommendation) == ("LOW", "none", "monitor")
    assert found.confidence < 0.2


def test_a_rising_error_asks_for_a_retraining_and_says_why():
    found = decided(RISEN)

    assert (found.triggered, found.rule, found.trigger, found.drift_type) == (True, "error rises", "drift", "concept")
    assert found.causes[0].startswith("rule 'error rises' fired: error_increase > 0.15")
    assert "error over earlier windows: +30.0% (p = 0.001)" in found.causes


def test_what_a_refit_would_win_back_decides_over_what_the_error_did():
    noisy = decided(RISEN, priced(0.0, 0.01, doubt=0.6))
    hurt = decided(RISEN, priced(0.35, 0.03, features=("x",)))

    assert (noisy.severity, noisy.drift_type) == ("LOW", "none")
    assert (hurt.severity, hurt.drift_type, hurt.affected_features) == ("CRITICAL", "concept", ("x",))
    assert hurt.harm_low < hurt.harm < hurt.harm_high
    assert noisy.confidence < 0.2 < 0.9 < hurt.confidence


@pytest.mark.parametrize(("rise", "severity"), [(0.8, "LOW"), (1.2, "MEDIUM"), (2.2, "HIGH"), (4.5, "CRITICAL")])
def test_a_loss_that_surely_rose_far_is_bad_even_if_no_refit_would_help(rise, severity):
    found = decided({"baseline_increase": rise, "baseline_p": 1e-6}, priced(0.0, 0.01, doubt=0.6))

    assert found.severity == severity


def test_one_drifted_feature_is_looked_into_but_retrains_nothing():
    found = decided(features=drifted("x"))

    assert (found.triggered, found.investigate, found.rule) == (False, True, "any drift")
    assert (found.drift_type, found.affected_features) == ("data", ("x",))
    assert "x: D = 0.300" in found.causes


def test_features_are_named_by_drift_times_importance():
    features = (*drifted("big", size=0.3), *drifted("important", size=0.2), *drifted("idle", size=0.25))
    found = decided(features=features, weights={"important": 0.7, "big": 0.2, "idle": 0.0})

    assert found.affected_features == ("important", "big", "idle")


def test_the_only_feature_that_drifted_is_named_first_though_nothing_rests_on_it():
    found = decided(None, priced(features=("other",)), features=drifted("idle"), weights={"other": 1.0, "idle": 0.0})

    assert found.affected_features == ("idle", "other")


def test_rules_that_want_data_are_named_and_do_not_fire():
    found = decided(UNKNOWN)

    assert not found.triggered
    assert {"error rises", "a refit would win back"} < set(found.undecided)
    assert found.evidence["error_p"] is None


def test_without_any_data_nothing_is_said_of_harm():
    found = decide(make_config(), Evidence())

    assert (found.harm, found.basis, found.severity, found.confidence) == (None, "nothing", "LOW", 0.0)


def test_the_first_retraining_rule_wins_over_earlier_looks():
    rules = [
        {"name": "look", "trigger": "drift", "condition": "drifted_features > 0", "action": "investigate"},
        {"name": "old", "trigger": "age", "condition": "age_days > 0", "action": "investigate_and_retrain"},
    ]
    found = decided(features=drifted("x"), rules=rules)

    assert (found.triggered, found.investigate, found.rule) == (True, True, "old")
    assert found.recommendation.endswith("retrain as 'old' asks")


def test_rules_may_ask_for_the_estimated_harm():
    rules = [{"name": "harm", "trigger": "drift", "condition": "harm_low > 0.1 and confidence > 0.9 and severity >= 2"}]

    assert decided(None, priced(0.3), rules=rules).rule == "harm"
    assert decided(None, priced(0.05), rules=rules).rule is None


def test_without_any_rule_nothing_fires():
    assert decided(None, priced(0.9), rules=[]).rule is None


@pytest.mark.parametrize(
    ("emergency", "kind", "severity"), [(False, "manual", "HIGH"), (True, "emergency", "CRITICAL")]
)
def test_a_person_may_ask_at_any_time_and_is_named(emergency, kind, severity):
    found = decided(None, asked("ann", "new tariff", emergency=emergency), rules=[])

    assert (found.triggered, found.rule, found.trigger, found.severity) == (True, kind, kind, severity)
    assert found.causes[0] == f"{kind} retraining asked for by ann: new tariff"


@pytest.mark.parametrize(
    ("signals", "severity"),
    [
        ([Signal(name="a", kind="data", strength=0.9, doubt=1e-4)], "MEDIUM"),
        ([Signal(name="a", kind="data", strength=0.9, doubt=0.2)], "LOW"),
        ([Signal(name="a", kind="data", strength=0.3, doubt=1e-4)], "LOW"),
        ([Signal(name=n, kind="data", strength=0.9, doubt=1e-4) for n in "ab"], "MEDIUM"),
        ([Signal(name=n, kind=k, strength=0.9, doubt=1e-4) for n, k in (("a", "data"), ("b", "concept"))], "HIGH"),
    ],
)
def test_strong_signals_without_a_price_are_worth_a_look_or_a_plan(signals, severity):
    assert decided(UNKNOWN, *signals).severity == severity


def test_much_drift_is_worth_a_look_until_labels_say_that_it_does_no_harm():
    unlabelled = decided(UNKNOWN, features=drifted(*"abcdefgh"))
    told = decided(UNKNOWN, priced(0.0, 0.01, doubt=0.5), features=drifted(*"abcdefgh"))

    assert (unlabelled.severity, unlabelled.basis) == ("MEDIUM", "unlabelled")
    assert (told.severity, told.basis) == ("LOW", "labels")


@pytest.mark.parametrize(
    ("harm", "severity", "cadence"),
    [(0.0, "LOW", "monthly"), (0.06, "MEDIUM", "weekly"), (0.2, "HIGH", "daily"), (0.9, "CRITICAL", "immediate")],
)
def test_severity_and_cadence_grow_with_the_harm(harm, severity, cadence):
    found = decided(None, priced(harm, 0.005, doubt=None), in_service=timedelta(days=200))

    assert (found.severity, found.cadence) == (severity, cadence)


def test_a_decision_survives_the_way_through_json():
    found = decided(RISEN, priced(), features=drifted("x"))

    assert RetrainDecision.from_json(found.to_json()) == found


def test_a_drift_report_becomes_evidence():
    gone = FeatureDrift(name="gone", kind="numeric", n=0, reference_n=9, enough=False, drifted=True, findings=(ABSENT,))
    moved = FeatureDrift(name="x", kind="numeric", n=9, statistic=0.2, psi=0.4, adjusted=1e-3, drifted=True)
    lost = FeatureDrift(name="c", kind="categorical", n=9, missing_change=0.3, missing_adjusted=1e-9, drifted=True)
    report = DriftReport(reference_rows=9, rows=9, enough=True, said="", features=(moved, gone, lost))
    found = evidence_of(CALM | RISEN, report, {"x": 0.5})

    assert [one.size for one in found.drifted] == [0.2, 1.0, 0.3]
    assert found.drifted[0].words == "D = 0.200, PSI = 0.40"
    assert found.drifted[1].words == ABSENT
    assert [one.kind for one in found.signals] == ["performance", "performance", "data"]
    assert found.signals[-1].features[0] == "gone"
    assert found.signals[-1].doubt == 0.0
