"""A decision can be computed again from what was kept."""

import json
from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl
import pytest

from flows.comparison.cases import case_folder, judge_case, load_case, recompute, save_case
from flows.comparison.groups import GroupCase, GroupRows
from flows.comparison.keep import keep
from flows.comparison.live import live_case
from flows.comparison.rows import HoldoutCase, paired_rows
from flows.errors import DataError
from registry.errors import NotFound
from registry.home import Settings
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.rollout import Rollout, Step

AT = datetime(2026, 1, 1, tzinfo=UTC)
DICE = np.random.default_rng(7)
N = 600
SCORES = DICE.random(N)
LABELS = (DICE.random(N) < SCORES).astype(float)
POLICY = PromotionPolicy(metric="accuracy", guardrails=(Guardrail(metric="revenue", margin=0.1),))


def holdout() -> HoldoutCase:
    rows = paired_rows(
        "binary",
        LABELS,
        np.clip(SCORES + 0.3 * DICE.normal(size=N), 0, 1),
        SCORES,
        times=np.arange(N) + 0.1,
        keys=[f"k{i % 200}" for i in range(N)],
        segments={"land": ["ä" if i % 3 else "b" for i in range(N)]},
        kpis={"revenue": (DICE.exponential(size=N), DICE.exponential(size=N))},
    )
    return HoldoutCase(
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        task="binary",
        policy=POLICY,
        decision_id="d-1",
        at=AT,
        rows=rows,
        left_out=3,
        identities={"data": "abc"},
    )


def groups() -> GroupCase:
    def arm(first: int) -> GroupRows:
        size = N // 2
        return GroupRows(
            labels=LABELS[:size],
            scores=SCORES[:size],
            keys=tuple(f"{first}-{i % 100}" for i in range(size)),
            kpis={"revenue": DICE.exponential(size=size)},
            segments={"land": tuple("ab"[i % 2] for i in range(size))},
        )

    return GroupCase(
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        task="binary",
        policy=POLICY,
        decision_id="d-2",
        at=AT,
        arms={"champion": arm(1), "challenger": arm(2)},
        weights={"champion": 1, "challenger": 1},
    )


def live():
    rollout = Rollout(
        id="r-0001",
        model="m",
        champion="v1.0.0",
        challenger="v1.1.0",
        steps=(Step(share=0, min_s=0, max_s=10, min_labelled=50),),
        policy=POLICY,
        salt="s",
        step=0,
        step_started_at=AT,
        created_at=AT,
    )
    seen = ShadowMetrics(
        version="v1.1.0",
        copies=1000,
        scored=1000,
        pairs=1000,
        champion_only_right=10,
        challenger_only_right=60,
        loss_difference=Moments(n=1000, mean=0.05, m2=100.0),
    )
    phase = PhaseMetrics(phase="r-0001.0", first_epoch=2, last_epoch=2, shadows={"v1.1.0": seen})
    metrics = ModelMetrics(model="m", epoch=2, phases=(phase,))
    return live_case(model="m", rollout=rollout, metrics=metrics, task="binary", decision_id="d-3", at=AT)


@pytest.fixture
def settings():
    return Settings().prepare()


CASES = pytest.mark.parametrize("make", [holdout, groups, live])


@CASES
def test_a_decision_computed_again_is_the_same_byte_for_byte(settings, make):
    kept = keep(settings, make())
    again = recompute(settings, kept)

    assert again.same, again.changed
    assert again.decision.to_json() == kept.to_json()
    assert kept.inputs is not None


@CASES
def test_a_case_survives_being_stored(settings, make):
    case = make()
    save_case(settings, case)

    assert judge_case(load_case(settings, "m", case.decision_id)) == judge_case(case)


@CASES
def test_a_changed_input_is_reported(settings, make):
    kept = keep(settings, make())
    path = case_folder(settings, "m", kept.id) / "case.json"
    facts = json.loads(path.read_bytes())
    policy = facts["rollout"]["policy"] if "rollout" in facts else facts["policy"]
    policy["min_improvement"] = 0.9
    path.write_text(json.dumps(facts))
    again = recompute(settings, kept)

    assert not again.same
    assert any("the inputs" in one for one in again.changed)
    assert "policy of the decision" in again.changed


def test_a_changed_row_is_reported_even_if_the_verdict_stays(settings):
    kept = keep(settings, holdout())
    path = case_folder(settings, "m", "d-1") / "rows.parquet"
    frame = pl.read_parquet(path)
    frame[0, "time"] = -1.0
    frame.write_parquet(path)
    again = recompute(settings, kept)

    assert (again.same, again.decision.outcome) == (False, kept.outcome)


def test_an_edited_decision_does_not_pass_for_the_one_that_was_made(settings):
    kept = keep(settings, holdout())
    edited = msgspec.structs.replace(kept, headline="It is wonderful.")

    assert recompute(settings, edited).changed == ("headline of the decision",)


def test_inputs_that_are_gone_or_broken_are_refused_with_where_they_were(settings):
    kept = keep(settings, holdout())
    path = case_folder(settings, "m", "d-1") / "rows.parquet"
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="cannot be read"):
        recompute(settings, kept)

    (path.parent / "case.json").unlink()
    with pytest.raises(NotFound, match="decisions/m/d-1"):
        recompute(settings, kept)


def test_a_disk_that_takes_nothing_costs_the_report_not_the_decision(settings):
    settings.decisions_dir.rmdir()
    settings.decisions_dir.touch()
    case = holdout()

    assert keep(settings, case) == judge_case(case)
