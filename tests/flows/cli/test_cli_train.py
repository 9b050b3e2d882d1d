"""What `understudy train` says beforehand, and that it changes nothing by saying it."""

from pathlib import Path

import pytest
from cli_making import CHURN, CSV, tree


@pytest.fixture
def registered(understudy):
    Path("churn.yaml").write_text(CHURN)
    Path("churn.csv").write_text(CSV)
    understudy("init", "churn.yaml")
    understudy("models")  # makes the registry
    return understudy


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(registered):
    before = tree()
    said = registered("train", "churn", "--dry-run", "--json").json
    shown = registered("train", "churn", "--dry-run").out

    assert (said["found"], said["rows"], said["holdout"], said["trials"]) == (600, 600, 120, 50)
    assert said["families"] == ["xgboost", "linear"]
    assert said["about_s"] > 0
    assert "understudy train churn" in shown
    assert tree() == before


def test_a_dry_run_refuses_what_a_training_would(registered):
    Path("few.csv").write_text("\n".join(CSV.splitlines()[:60]))

    said = registered("train", "churn", "--dry-run", "--source", "few.csv").refused(1)

    assert "needed: 100" in said


def test_the_help_shows_how_it_is_used(understudy):
    said = understudy("train", "--help").out

    assert all(word in said for word in ("--dry-run", "--json", "Example:", "Exit code 1"))
