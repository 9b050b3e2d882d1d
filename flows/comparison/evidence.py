"""What a report draws beside the findings: rows, and the history of the estimate."""

import numpy as np
import polars as pl

from flows.comparison.classes import one_hot, several, top_label
from flows.comparison.groups import GroupCase, GroupRows
from flows.comparison.rows import HoldoutCase
from flows.comparison.running import band, paired_trace, rowwise, split_trace
from flows.reports.evidence import Arm, ArmName, Evidence, Floats
from registry.records.rollout import Rollout
from registry.records.version import Task


def holdout_evidence(case: HoldoutCase) -> Evidence:
    """Both models' scores on the held-out rows."""
    rows, metric = case.rows, case.policy.metric
    return Evidence(
        task=case.task,
        paired=True,
        arms={
            "champion": _arm(rows.labels, rows.champion, rows.times),
            "challenger": _arm(rows.labels, rows.challenger, rows.times),
        },
        trace=paired_trace(case.task, rows, metric, case.policy.alpha),
        trace_metric=rowwise(case.task, metric),
    )


def group_evidence(case: GroupCase) -> Evidence:
    """Each model's scores on its own callers."""
    names: tuple[ArmName, ArmName] = ("champion", "challenger")
    arms: dict[ArmName, Arm] = {n: _arm(case.arms[n].labels, case.arms[n].scores, case.arms[n].times) for n in names}
    return Evidence(task=case.task, paired=False, arms=arms)


def live_evidence(rollout: Rollout, frame: pl.DataFrame, task: Task) -> Evidence:
    """
    Labelled requests of the current step.

    Args:
        rollout: Whose step it is.
        frame: `live_frame` of its phase, with the shadow's scores in `_shadow`.
        task: What the loss is.
    """
    labelled = frame.filter(pl.col("_label").is_not_null(), pl.col("_score").is_not_null())
    phase = f"{rollout.id}.{rollout.step}"
    if rollout.steps[rollout.step].share == 0:
        return _shadow(labelled, task, rollout.policy.alpha, phase)
    return _split(taking_part(labelled), task, rollout.policy.alpha, phase)


def _arm(labels: Floats | None, scores: Floats | None, times: Floats | None) -> Arm:
    if labels is not None and scores is not None and several(scores):
        labels, scores = top_label(labels, scores)
    return Arm(labels, scores, times)


def live_arms(frame: pl.DataFrame, metric: str, task: Task) -> dict[str, GroupRows]:
    """
    Rows of a split by arm, in the order of time: those that have a label, or a value of the KPI.

    Args:
        frame: `live_frame` of one phase.
        metric: The primary metric; a KPI by its name.
        task: Of several classes the log tells which one was said, not every probability.
    """
    kpi = f"_kpi_{metric}"
    wanted = pl.col(kpi).is_not_null() if kpi in frame.columns else pl.col("_label").is_not_null()
    seen = taking_part(frame).filter(wanted)
    said = seen["_prediction"].to_numpy() if task == "multiclass" else np.zeros(0)
    classes = int(said.max()) + 1 if said.size else 0
    return {arm: _rows(seen.filter(pl.col("_assigned") == arm), metric, classes) for arm in ("champion", "challenger")}


def taking_part(frame: pl.DataFrame) -> pl.DataFrame:
    """Requests that count: dealt by the plan, not forced."""
    return frame.filter(pl.col("_enrolled") & (pl.col("_reason") != "forced"))


def _rows(part: pl.DataFrame, metric: str, classes: int) -> GroupRows:
    kpi = f"_kpi_{metric}"
    # A request without a key is a unit of its own.
    named = part.select(pl.coalesce(pl.col("_key"), pl.format("\0{}", pl.col("_sequence"))).alias("key"))["key"]
    times = part["_time"].to_numpy()
    if kpi in part.columns:
        return GroupRows(keys=tuple(named), times=times, kpis={metric: part[kpi].to_numpy()})
    scores = one_hot(part["_prediction"].to_numpy(), classes) if classes else part["_score"].to_numpy()
    return GroupRows(keys=tuple(named), times=times, labels=part["_label"].to_numpy(), scores=scores)


def _shadow(frame: pl.DataFrame, task: Task, alpha: float, phase: str) -> Evidence:
    both = frame.filter(pl.col("_shadow").is_not_null())
    times = both["_time"].to_numpy()
    ours, theirs = both["_score"].to_numpy(), both["_shadow"].to_numpy()
    gain = _loss("_score", "_prediction", task) - _loss("_shadow", "_shadow_prediction", task)
    losses = both.select(gain=gain)["gain"].to_numpy()
    return Evidence(
        task=task,
        paired=True,
        arms={
            "champion": Arm(_truth(both, "_prediction", task), ours, times),
            "challenger": Arm(_truth(both, "_shadow_prediction", task), theirs, times),
        },
        trace=band(times, losses, alpha, phase),
        trace_metric="loss",
    )


def _split(frame: pl.DataFrame, task: Task, alpha: float, phase: str) -> Evidence:
    dealt = frame.filter(pl.col("_assigned").is_in(["champion", "challenger"]))
    arms: dict[ArmName, Arm] = {}
    names: tuple[ArmName, ArmName] = ("champion", "challenger")
    for name in names:
        part = dealt.filter(pl.col("_assigned") == name)
        arms[name] = Arm(_truth(part, "_prediction", task), part["_score"].to_numpy(), part["_time"].to_numpy())
    gains = dealt.select(time="_time", key="_key", arm="_assigned", gain=-_loss("_score", "_prediction", task))
    return Evidence(task=task, paired=False, arms=arms, trace=split_trace(gains, alpha, phase), trace_metric="loss")


def _truth(frame: pl.DataFrame, said: str, task: Task) -> Floats:
    """Labels; of several classes whether the one that was said is right, as its probability is the score."""
    right = (pl.col(said) == pl.col("_label")).cast(pl.Float64)
    return frame.select(truth=right if task == "multiclass" else pl.col("_label"))["truth"].to_numpy()


def _loss(score: str, said: str, task: Task) -> pl.Expr:
    if task == "multiclass":
        return (pl.col(said) != pl.col("_label")).cast(pl.Float64)
    error = pl.col(score) - pl.col("_label")
    return error**2 if task == "binary" else error.abs()
