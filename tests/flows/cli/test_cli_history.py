"""`understudy history` and `understudy events`: what was seen and done, for people and programs."""

import os
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from cli_making import NOON

from flows.cli.sparkline import sparkline
from registry.home import Settings
from registry.records.retraining import RetrainingEvent
from registry.store.registry import Registry

DAY = timedelta(days=1)
AT = ("--as-of", "2026-03-20")


def a_report(day):
    ages = {"name": "age", "psi": 0.02 * day, "statistic": 0.01 * day, "adjusted": 0.5, "drifted": day > 7}
    plans = {"name": "plan", "enough": False}
    evidence = {"error": None if day == 4 else 0.2 + 0.01 * day}
    return {
        "champion": "v1.0.0",
        "decision": {"triggered": day == 9, "severity": "HIGH" if day == 9 else "LOW", "evidence": evidence},
        "drift": {"rows": 1000, "enough": True, "features": [ages, plans]},
    }


@pytest.fixture
def watched(furnished):
    """Ten looks, a day apart."""
    with Registry.open(Settings().registry_url) as registry:
        for day in range(10):
            registry.save_drift_report("churn", NOON + day * DAY, a_report(day))
    return furnished


def test_looks_are_listed_newest_first_with_what_drifted(watched):
    out = watched("history", "churn").out

    lines = [line for line in out.splitlines() if "2026-03-" in line]
    assert [line[2:12] for line in (lines[0], lines[-1])] == ["2026-03-10", "2026-03-01"]
    assert all(word in lines[0] for word in ("HIGH", "yes", "age", "0.29"))
    assert "error    ▁▂▃▃·▅▆▆▇█" in out


def test_programs_get_every_look_with_every_feature(watched):
    found = watched("history", "churn", "--json", "--limit", "3").json

    assert [one["at"] for one in found] == [f"2026-03-{day}T12:00:00Z" for day in ("10", "09", "08")]
    assert found[0]["features"]["age"]["drifted"] is True
    assert found[0]["features"]["plan"] | {"enough": False, "psi": None} == found[0]["features"]["plan"]


def test_a_feature_is_a_time_series(watched):
    answer = watched("history", "churn", "--feature", "age", "--since", "2026-03-08T00:00")

    assert "Feature age" in answer.out
    assert len([line for line in answer.out.splitlines() if "2026-03-" in line]) == 3
    assert "psi        ▁▅█" in answer.out


@pytest.mark.parametrize(("since", "looks"), [("11d", 2), ("2w", 5), ("1y", 10), ("2026-03-05", 6)])
def test_since_is_an_age_or_a_moment(watched, since, looks):
    assert len(watched("history", "churn", "--since", since, *AT, "--json").json) == looks


def test_a_model_without_a_look_has_an_empty_history(furnished):
    assert furnished("history", "churn", "--json").json == []
    assert furnished("history", "churn").code == 0
    assert furnished("history", "churn", "--feature", "age", "--json").json == []


def test_an_unknown_feature_is_refused_with_the_one_that_was_meant(watched):
    said = watched("history", "churn", "--feature", "agee").refused()

    assert "No look knows a feature 'agee'." in said
    assert "Did you mean age?" in said


@pytest.mark.parametrize("words", [(), ("--feature", "age"), ("--feature", "plan")], ids=" ".join)
def test_a_history_is_drawn_as_a_page_and_as_a_picture(watched, tmp_path, words):
    for name in ("drawn.html", "drawn.svg"):
        answer = watched("history", "churn", *words, "--plot", str(tmp_path / name), "--json")
        assert answer.code == 0
        assert len(answer.json) == 10
        drawn = (tmp_path / name).read_text()
        assert "<script" not in drawn
        assert "Error" in drawn
    assert ET.fromstring((tmp_path / "drawn.svg").read_text()).tag == "{http://www.w3.org/2000/svg}svg"


def test_a_history_without_looks_can_be_drawn(furnished, tmp_path):
    for name in ("none.html", "none.svg"):
        assert furnished("history", "churn", "--plot", str(tmp_path / name)).code == 0
        assert "no look yet" in (tmp_path / name).read_text()


@pytest.mark.parametrize(("keep", "stay"), [("11d", 2), ("3", 3), ("1y", 10), ("2w", 5), ("1mo", 10)])
def test_pruning_keeps_what_it_is_told_and_a_dry_run_keeps_all(watched, keep, stay):
    words = ("history", "churn", "--prune", "--keep", keep, *AT)

    foreseen = watched(*words, "--dry-run", "--json").json
    done = watched(*words, "--json").json

    assert foreseen["removed"] == 0
    assert foreseen["would_remove"] == done["removed"] == 10 - stay
    assert len(watched("history", "churn", "--json").json) == stay


@pytest.mark.parametrize("keep", ["0", "-3", "soon", "0d", "", "99999999999999w"])
def test_a_keep_that_is_none_is_refused_and_nothing_is_removed(watched, keep):
    said = watched("history", "churn", "--prune", f"--keep={keep}").refused()

    assert "Write it as 1y, 90d, 8w or 500." in said
    assert len(watched("history", "churn", "--json").json) == 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--prune",), "--prune needs --keep"),
        (("--keep", "1y"), "--keep goes with --prune"),
        (("--dry-run",), "--dry-run goes with --prune"),
        (("--plot", "x.png"), "x.png is neither .html nor .svg"),
    ],
)
def test_words_that_do_not_go_together_are_refused(watched, words, said):
    assert said in watched("history", "churn", *words).refused()


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([None, None], "··"),
        ([3.0, 3.0], "▁▁"),
        ([0.0, 1.0, float("nan")], "▁█·"),
        ([-1.0, 0.0, 1.0], "▁▅█"),
    ],
)
def test_a_sparkline_shows_gaps_as_dots(values, drawn):
    assert sparkline(values) == drawn


def test_a_long_sparkline_keeps_its_peaks():
    values = [0.0] * 1000
    values[777] = 1.0

    drawn = sparkline(values, width=50)

    assert len(drawn) == 50
    assert drawn.count("█") == 1


def an_event(number, **changes):
    fields = {
        "id": f"retrain_2026030{number}_001",
        "model": "churn",
        "trigger_type": "drift",
        "severity": "HIGH",
        "drift_type": "both",
        "trigger_reason": "the error rose",
        "triggered_at": NOON + (number - 1) * DAY,
    }
    return RetrainingEvent(**fields | changes)


@pytest.fixture
def retrained(furnished):
    """Two retrainings by drift, one by age; one of them succeeded."""
    good = {"execution_attempted": True, "execution_successful": True, "retrained_version": "v1.1.0"}
    with Registry.open(Settings().registry_url) as registry:
        registry.add_retraining_event(an_event(1, **good, improvement_accuracy=4.0))
        registry.add_retraining_event(an_event(2, execution_attempted=True, execution_successful=False, notes="full"))
        registry.add_retraining_event(an_event(9, trigger_type="age", severity="LOW"))
    return furnished


def test_all_events_are_listed_newest_first(retrained):
    found = retrained("events", "list", "churn", "--json").json

    assert [one["id"][-5:] for one in found] == ["9_001", "2_001", "1_001"]
    assert retrained("events", "--json").json == found
    assert all(word in retrained("events").out for word in ("waiting", "failed: full", "successful", "v1.1.0"))


def test_the_last_seven_days_have_time_severity_type_success_and_improvement(retrained):
    answer = retrained("events", "week", "--as-of", "2026-03-08")

    lines = [line for line in answer.out.splitlines() if "2026-03-" in line]
    assert len(lines) == 3
    assert "accuracy +4.0 %" in answer.out
    assert len(retrained("events", "week", "--as-of", "2026-03-09", "--json").json) == 2


def test_frequency_and_success_rate_are_by_trigger(retrained):
    found = {one["trigger_type"]: one for one in retrained("events", "frequency", "--json").json}

    assert (found["drift"]["count"], found["drift"]["success_rate"]) == (2, 0.5)
    assert found["age"]["success_rate"] is None


def test_improvements_are_those_of_successful_retrainings(retrained):
    (found,) = retrained("events", "improvements", "churn", "--json").json

    assert (found["retrained_version"], found["improvement_accuracy"]) == ("v1.1.0", 4.0)


def test_shares_and_gains_are_said_in_percent(retrained):
    assert "%" in retrained("events", "frequency").out
    assert " %" in retrained("events", "improvements").out


def test_a_picture_takes_the_place_of_no_pipe(retrained, tmp_path):
    os.mkfifo(tmp_path / "pipe.svg")

    assert "no plain file" in retrained("history", "churn", "--plot", str(tmp_path / "pipe.svg")).refused()
