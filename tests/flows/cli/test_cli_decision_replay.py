"""`understudy decision replay`: the same bytes, or what was changed; and `understudy traffic preview`."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl
import pytest
from cli_making import furnish

from flows.comparison.cases import case_folder
from flows.comparison.keep import keep
from flows.comparison.rows import HoldoutCase, paired_rows
from registry.home import Settings
from registry.records.policy import PromotionPolicy
from registry.store.registry import Registry

REPLAY = ("decision", "replay", "d-1")


@pytest.fixture
def kept(understudy):
    """A registry with one decision, and the folder of its inputs."""
    furnish("v1.1.0")
    rng = np.random.default_rng(4)
    signal = rng.normal(size=300)
    labels = (rng.random(300) < 1 / (1 + np.exp(-signal))).astype(float)
    scores = [1 / (1 + np.exp(-signal - noise * rng.normal(size=300))) for noise in (2.0, 0.1)]
    case = HoldoutCase(
        model="churn",
        champion="v1.0.0",
        challenger="v1.1.0",
        task="binary",
        policy=PromotionPolicy(metric="auc"),
        decision_id="d-1",
        at=datetime(2026, 3, 1, tzinfo=UTC),
        rows=paired_rows("binary", labels, *scores),
    )
    where = Settings().prepare()
    decision = keep(where, case)
    with Registry.open(where.registry_url) as registry:
        registry.save_decision(decision)
    return understudy, case_folder(where, "churn", "d-1")


def test_untouched_inputs_give_the_same_bytes(kept):
    understudy, _ = kept
    answer = understudy(*REPLAY, "--json")

    assert answer.code == 0
    assert answer.json["same"]
    assert answer.json["changed"] == []
    assert understudy(*REPLAY, "--json").out == answer.out
    assert "the same, byte for byte" in understudy(*REPLAY).out


def test_changed_inputs_are_a_finding(kept):
    understudy, folder = kept
    facts = msgspec.json.decode((folder / "case.json").read_bytes())
    facts["policy"]["alpha"] = 0.01
    (folder / "case.json").write_bytes(msgspec.json.encode(facts))
    answer = understudy(*REPLAY)

    assert answer.code == 1
    assert "the inputs: their digest is" in answer.out
    assert "findings of the decision" in answer.out


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, "a"])
def test_inputs_that_no_decision_can_rest_on_are_said_to_be_altered(kept, value):
    understudy, folder = kept
    rows = pl.read_parquet(folder / "rows.parquet")
    rows.with_columns(champion=pl.lit(value)).write_parquet(folder / "rows.parquet")

    assert "They were altered: restore the folder" in understudy(*REPLAY).refused()


@pytest.mark.parametrize(("share", "title"), [("0.004", "churn at 0.4 %"), ("1", "churn at 100 %")])
def test_a_preview_says_the_share(kept, share, title):
    understudy, _ = kept

    assert understudy("traffic", "preview", "churn", "c-1", "--share", share).out.startswith(title)
