"""Versions as a manager meets them: cards, differences, the shelf of old ones, and the retraining log."""

import re
from datetime import timedelta

import pytest
import yaml
from cli_making import CHURN, NOON, WHO, a_version

from flows.config.load import parse_config, register_config
from registry.artifacts import ArtifactStore
from registry.home import Settings
from registry.records.retraining import RetrainingEvent
from registry.records.version import Feature, TrainingData
from registry.store.registry import Registry

CHANGED = {
    "features": (Feature(name="age", kind="numeric"), Feature(name="plan", kind="categorical", levels=("a", "b"))),
    "algorithm": "xgboost",
    "params": {"max_depth": 4},
    "metrics": {"auc": 0.84, "brier": 0.19, "loss": 0.2},
    "baseline_metrics": {"auc": 0.80, "brier": 0.18, "loss": 0.2},
    "data": TrainingData(rows=120, start=None, end=NOON, source="table.csv", fingerprint="e" * 64, new_rows=20),
    "parent": "v1.0.0",
    "dependencies": {"xgboost": "3.2.0"},
}


@pytest.fixture
def shelf(furnished):
    """Beside them: v1.2.0 descends from v1.0.0; v1.3.0 and v1.4.0 were rejected; all have artifacts."""
    artifacts = ArtifactStore(Settings().models_dir)
    with Registry.open(Settings().registry_url) as registry:
        registry.register_version(a_version("v1.2.0", **CHANGED))
        for version in ("v1.3.0", "v1.4.0"):
            registry.register_version(a_version(version))
            registry.set_stage("churn", version, "rejected", **WHO)
        for version in registry.versions("churn"):
            artifacts.save("churn", version.version, {"scorer.json": b"{}"})
    return furnished


def test_a_difference_says_what_is_new_what_is_gone_and_what_is_better(shelf):
    said = shelf("models", "diff", "churn", "v1.0.0", "v1.2.0", "--json").json
    changes = {(one["part"], one["name"]): one for one in said["changes"]}

    assert said["same_rows"] is True
    assert changes["features", "plan"]["effect"] == "added"
    assert (changes["metrics", "auc"]["before"], changes["metrics", "auc"]["effect"]) == (0.80, "better")
    assert changes["metrics", "brier"]["effect"] == "worse"
    assert changes["metrics", "loss"]["effect"] == "same"
    assert changes["parameters", "max_depth"]["after"] == 4
    assert (changes["data", "rows"]["before"], changes["data", "rows"]["after"]) == (100, 120)
    assert changes["libraries", "xgboost"]["effect"] == "added"
    assert "same holdout rows" in shelf("models", "diff", "churn", "v1.0.0", "v1.2.0").out
    assert "different holdout rows" in shelf("models", "diff", "churn", "v1.1.0", "v1.2.0").out


def test_a_version_differs_in_nothing_from_itself_but_its_metrics_are_shown(shelf):
    said = shelf("models", "diff", "churn", "v1.0.0", "v1.0.0", "--json").json

    assert [one["effect"] for one in said["changes"]] == ["same"]
    assert "v9.9.9" in shelf("models", "diff", "churn", "v1.0.0", "v9.9.9").refused()


def test_a_card_tells_a_manager_first_what_it_is_and_whether_it_is_better(shelf):
    card = shelf("models", "card", "churn", "v1.2.0").out

    assert card.startswith("# churn v1.2.0\n\n## In short\n\n")
    assert "It is in staging: it waits; nobody is answered by it." in card
    assert "On the same rows, AUC is 0.84 against 0.8 of the champion v1.0.0; it is better in 1 of 3 metrics" in card
    assert ", worse in Brier score." in card
    assert re.search(r"\| AUC \| 0.84 \| 0.8 \| better \| more \| Of one positive", card)
    assert "120, 20 of them new" in card
    assert "| plan | categorical | a, b |" in card
    assert "version registered" in card


def test_a_card_as_html_loads_nothing_and_shows_hostile_names_as_text(shelf, tmp_path):
    with Registry.open(Settings().registry_url) as registry:
        registry.register_version(a_version("v3.0.0", reason="<script>alert(1)</script> | [x](y)"))
    said = shelf("models", "card", "churn", "v3.0.0", "--html", "card.html", "--json").json
    page = (tmp_path / "card.html").read_text()

    assert said["html"] == str(tmp_path / "card.html")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "Content-Security-Policy" in page
    assert not re.search(r"""(src|href)=["']http""", page)
    assert "<script" not in said["card"]
    assert "no folder" in shelf("models", "card", "churn", "v3.0.0", "--html", "gone/card.html").refused()


def test_a_card_tells_what_was_tried_on_which_rows_and_why_it_says_yes(shelf):
    made = "# churn\n\n## Holdout\n\n24 rows from a to b. Fitted again.\n\n| metric | this |\n\n## Choice\n\nLoss:\n\n"
    made += (
        "- linear, memory all: 0.3293 (0.2993, 0.3660)\n- xgboost, memory 6w: 0.4 (0.4, 0.4)\n\n## Features\n\n- a: b\n"
    )
    digest = ArtifactStore(Settings().models_dir).save("churn", "v4.0.0", {"card.md": made.encode()})
    with Registry.open(Settings().registry_url) as registry:
        worth = {"auc": 0.8, "value_per_row": 34.96}
        registry.register_version(a_version("v4.0.0", artifact_digest=digest, threshold=0.0289, metrics=worth))
    card = shelf("models", "card", "churn", "v4.0.0").out

    assert "held back while it was being chosen. 24 rows from a to b. Fitted again.\n" in card
    assert "| linear, memory all | 0.3293 (0.2993, 0.3660) |\n| xgboost, memory 6w | 0.4 (0.4, 0.4) |\n\n##" in card
    assert "says yes from a probability of 0.0289 on" in card
    assert "a decision was worth 34.96." in card
    assert re.search(r"\| value per row \| 34.96 .* What its decisions were worth", card)


def test_showing_a_version_names_features_and_failed_checks_on_lines_that_people_read(shelf):
    checks = [{"name": "load", "passed": True, "said": "Loaded."}, {"name": "parity", "passed": False, "said": "Off."}]
    with Registry.open(Settings().registry_url) as registry:
        registry.register_version(a_version("v5.0.0", **CHANGED | {"validation": {"checks": checks, "passed": False}}))
    shown = shelf("models", "show", "churn", "v5.0.0").out

    assert "age (numeric), plan (categorical)" in shown
    assert "1 of 2 checks passed; parity failed: Off." in shown
    assert shelf("models", "show", "churn", "v5.0.0", "--json").json["validation"]["checks"] == checks


def test_archiving_is_a_dry_run_until_it_is_meant(shelf):
    words = ("models", "archive", "churn", "v1.1.0", "--reason", "never used", "--actor", "ann")
    assert "Nothing was changed" in shelf(*words).out
    assert shelf("models", "show", "churn", "v1.1.0", "--json").json["stage"] == "staging"
    assert shelf(*words, "--yes", "--json").json == {
        "model": "churn",
        "version": "v1.1.0",
        "before": "staging",
        "stage": "archived",
        "dry_run": False,
    }

    assert shelf("models", "show", "churn", "v1.1.0", "--json").json["stage"] == "archived"
    assert "It is in archived" in shelf(*words).refused()
    assert "It is in" in shelf("models", "archive", "churn", "v1.0.0", "--reason", "r").refused()
    assert "has no version" in shelf("models", "archive", "churn", "v9.9.9", "--reason", "r").refused()


def keep(archived, rejected):
    whole = yaml.safe_load(CHURN) | {"retention": {"archived": archived, "rejected": rejected}}
    register_config(parse_config(whole, "test"), Settings())


def test_pruning_is_a_dry_run_until_it_is_meant_and_records_stay(shelf):
    keep(10, 1)
    (would,) = shelf("models", "prune", "churn", "--json").json
    assert (list(would["deleted"]), would["dry_run"]) == (["v1.3.0"], True)
    assert would["freed_bytes"] > 0
    (did,) = shelf("models", "prune", "--yes", "--json").json

    assert did == would | {"dry_run": False}
    assert ArtifactStore(Settings().models_dir).size("churn", "v1.3.0") is None
    assert shelf("models", "show", "churn", "v1.3.0", "--json").json["artifact_deleted_at"]
    assert "deleted" in shelf("models", "list", "churn").out
    assert "can no longer be used" in shelf("models", "card", "churn", "v1.3.0").out
    assert "artifact.deleted" in shelf("audit", "list", "churn", "--json").out
    (nothing,) = shelf("models", "prune", "--yes", "--json").json
    assert nothing["deleted"] == {}


def test_what_a_router_may_start_with_without_a_registry_stays(shelf):
    keep(0, 0)
    plans = Settings().run_dir / "plans"
    plans.mkdir(parents=True)
    (plans / "churn.plan").write_bytes(b'checksum\n{"plan": {"arms": [{"version": "v1.3.0"}]}}')

    (would,) = shelf("models", "prune", "churn", "--json").json
    assert would["kept"] == {"v1.3.0": "a router may still hold it"}
    assert list(would["deleted"]) == ["v1.4.0"]


def test_what_was_given_up_before_a_kill_is_deleted_by_the_next_run(shelf):
    keep(0, 0)
    from registry.store.retention import Keep

    with Registry.open(Settings().registry_url) as registry:  # and then the process dies
        registry.give_up("churn", Keep(archived=0, rejected=0), **WHO)
    assert ArtifactStore(Settings().models_dir).size("churn", "v1.3.0")

    (did,) = shelf("models", "prune", "churn", "--yes", "--json").json
    assert sorted(did["deleted"]) == ["v1.3.0", "v1.4.0"]
    assert ArtifactStore(Settings().models_dir).size("churn", "v1.3.0") is None


def events():
    common = {"model": "churn", "severity": "HIGH", "drift_type": "data", "trigger_reason": "r"}
    later = NOON + timedelta(minutes=12)
    made = {"duration_s": 90.0, "metrics": {"auc": 0.84}, "baseline_metrics": {"auc": 0.8}}
    done = {"execution_successful": True, "retrained_version": "v1.2.0", "execution_metrics": made, "notes": "ok"}
    failed = {"execution_successful": False, "notes": "NotEnoughData: few"}
    ended = {"execution_attempted": True, "completed_at": later}
    whole = [("drift", NOON, done | ended), ("manual", later, failed | ended), ("age", later, {})]
    for number, (trigger, at, more) in enumerate(whole, 1):
        name = f"retrain_20260301_{number:03d}"
        yield RetrainingEvent(id=name, trigger_type=trigger, triggered_at=at, **more, **common)


def test_the_retraining_log_has_the_columns_that_were_asked_for(shelf):
    assert "No retraining" in shelf("events", "log", "churn").out
    with Registry.open(Settings().registry_url) as registry:
        for event in events():
            registry.add_retraining_event(event)
    waiting, failed, done = shelf("events", "log", "churn", "--json").json

    assert list(done) == [
        "id",
        "model",
        "trigger",
        "start",
        "end",
        "duration_minutes",
        "data_version",
        "new_samples",
        "model_version",
        "metrics",
        "baseline_metrics",
        "status",
        "notes",
    ]
    assert done["id"] == "retrain_20260301_001"
    assert (done["duration_minutes"], done["data_version"], done["new_samples"]) == (1.5, "e" * 12, 20)
    assert (done["metrics"], done["baseline_metrics"]) == ({"auc": 0.84}, {"auc": 0.8})
    assert [one["status"] for one in (waiting, failed, done)] == ["waiting", "failed", "successful"]
    assert failed["notes"] == "NotEnoughData: few"
    assert waiting["end"] is None
    assert "baseline" in shelf("events", "log").out


def test_the_flow_of_every_night_prunes_as_the_command_does(shelf, monkeypatch):
    from flows.ops import maintenance as room

    class Logger:
        def info(self, *said):
            told.append(said)

    told, shown = [], []
    monkeypatch.setattr(room, "get_run_logger", Logger)
    for task in ("prune_artifacts", "look_after_events"):
        monkeypatch.setattr(room, task, getattr(room, task).fn)
    monkeypatch.setattr(room, "create_table_artifact", lambda rows, **_: shown.append(rows))
    keep(0, 1)
    (would,) = shelf("models", "prune", "churn", "--json").json

    rehearsed = room.maintenance.fn(dry_run=True)
    freed = room.maintenance.fn(model="churn")

    assert rehearsed == freed == sum(would["deleted"].values()) > 0
    assert [{row["version"] for row in rows} for rows in shown] == [would["deleted"].keys()] * 2
    assert room.maintenance.fn() == 0
    assert shelf("models", "prune", "churn", "--json").json[0]["deleted"] == {}
