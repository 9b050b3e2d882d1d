"""The same rows, offline: paired tests, looked at once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import ArrayLike

from flows.comparison.decide import Amount, Ruling, decide
from flows.comparison.findings import About, missing, plain
from flows.comparison.judged import held_to_margin, held_to_policy
from flows.comparison.metrics import METRICS, OFFLINE, metrics_of
from flows.comparison.outlook import more_needed, power_reached, side_view
from flows.comparison.paired_tests import Measured, paired_test
from flows.comparison.rows import HoldoutCase, PairedRows, paired_rows
from flows.comparison.segments import paired_segments
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.verdict import Decision, Finding, Role
from registry.records.version import Task

_SLOW = ("calibration",)  # resampled: tested only where it decides
_LIVE_ONLY = ("latency_ms", "error_rate")


def compare_holdout(
    *,
    model: str,
    champion: str,
    challenger: str,
    task: Task,
    labels: ArrayLike,
    champion_scores: ArrayLike,
    challenger_scores: ArrayLike,
    policy: PromotionPolicy,
    decision_id: str,
    at: datetime,
    times: ArrayLike | None = None,
    keys: Sequence[object] | None = None,
    segments: Mapping[str, Sequence[object]] | None = None,
    kpis: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    identities: Mapping[str, str] | None = None,
    left_out: int = 0,
) -> Decision:
    """
    Judge a challenger on the newest labelled rows that it has not learned from.

    Args:
        champion, challenger: Versions.
        labels: Shape (n,), 0/1 or values.
        champion_scores, challenger_scores: Shape (n,), of the same rows in the same order.
        policy: Declared before the data was seen.
        times: Shape (n,), epoch seconds.
        keys: Whom each row is about; if some come more than once, they are the unit of analysis.
        segments: Levels per row, by name; the lift of each level is reported.
        kpis: Per-row value with (champion, challenger), by name.
        identities: Digests and versions of what was compared.
        left_out: Held-out rows that the champion has learned from, and that are not among these.

    Raises:
        ValueError: If lengths differ, or numbers are not finite; with all that is wrong.
    """
    rows = paired_rows(
        task, labels, champion_scores, challenger_scores, times=times, keys=keys, segments=segments, kpis=kpis
    )
    case = HoldoutCase(
        model=model,
        champion=champion,
        challenger=challenger,
        task=task,
        policy=policy,
        decision_id=decision_id,
        at=at,
        rows=rows,
        left_out=left_out,
        identities=dict(identities or {}),
    )
    return decide_holdout(case)


def decide_holdout(case: HoldoutCase) -> Decision:
    """Judge what `compare_holdout` put together; the same case gives the same decision, byte for byte."""
    rows, n = case.rows, case.rows.n
    ruling = _ruling(case)
    metrics = {}
    if n:
        scored = {"champion": rows.champion, "challenger": rows.challenger}
        metrics = {arm: metrics_of(case.task, rows.labels, scores) for arm, scores in scored.items()}
    primary = next((f for f in ruling.findings if f.role == "primary"), None)
    return Decision(
        id=case.decision_id,
        model=case.model,
        champion=case.champion,
        challenger=case.challenger,
        kind="holdout",
        outcome=ruling.outcome,
        headline=f"{case.challenger} against {case.champion} on {n} held-out rows: {ruling.headline}",
        findings=(*ruling.findings, *_notes(case)),
        policy=case.policy,
        metrics=metrics,
        changes=ruling.changes,
        more_needed=more_needed(ruling, n, case.policy.min_holdout),
        power=power_reached(primary, case.policy),
        flow={arm: {"held out": n + case.left_out, "labelled": n, "matched": n} for arm in ("champion", "challenger")},
        identities=dict(case.identities),
        created_at=case.at,
    )


def _ruling(case: HoldoutCase) -> Ruling:
    policy, rows = case.policy, case.rows
    if rows.n < policy.min_holdout:
        said = f"{rows.n} rows are fewer than the {policy.min_holdout} that the policy asks for"
        need = (f"{policy.min_holdout - rows.n} more held-out rows",)
        return Ruling("continue", said, (plain("holdout size", None, said, rows.n, role="integrity"),), need)
    metric = _testable(policy.metric, case)
    goals = [_measured(case, metric, "primary")]
    goals += [_measured(case, goal, "goal") for goal in policy.goals]
    guards = [_guarded(case, one) for one in policy.guardrails]
    ruling = decide(policy, [*goals, *guards], Amount(rows.n, policy.min_holdout, "held-out rows"))
    decisive = {metric, *policy.goals, *_guarded_names(policy), *_SLOW}
    others = [name for name in (*METRICS[case.task], *sorted(rows.kpis)) if name not in decisive]
    context = [_measured(case, name, "context") for name in others if name == _testable(name, case)]
    segments = paired_segments(case.task, rows, metric, policy)
    return ruling._replace(findings=(*ruling.findings, *context, *side_view(ruling, policy), *segments))


def _measured(case: HoldoutCase, metric: str, role: Role) -> Finding:
    measured = _tested(case, metric)
    if measured is None:
        return missing(About(metric, role), "not measured on these rows", f"a value of {metric} for every row")
    return held_to_policy(case.policy, metric, role, measured)


def _guarded(case: HoldoutCase, guard: Guardrail) -> Finding:
    measured = _tested(case, guard.metric, guard.margin if guard.relative else 0.0)
    if measured is None and guard.metric in OFFLINE:
        return missing(
            About(guard.metric, "guardrail"), "cannot be measured on these rows", f"rows that have {guard.metric}"
        )
    if measured is None:
        why = "is measured live" if guard.metric in _LIVE_ONLY else "is not in these rows; it is measured live"
        return missing(About(guard.metric), why)
    return held_to_margin(guard, measured)


def _tested(case: HoldoutCase, metric: str, margin: float = 0.0) -> Measured | None:
    policy = case.policy
    direction = policy.direction_for(metric)
    return paired_test(case.task, case.rows, metric, confidence=1 - policy.alpha, direction=direction, margin=margin)


def _guarded_names(policy: PromotionPolicy) -> set[str]:
    return {one.metric for one in policy.guardrails}


def _testable(metric: str, case: HoldoutCase) -> str:
    # AUC of a single class is not defined; the Brier score is.
    y = case.rows.labels
    return "brier" if metric == "auc" and y.size and y.min() == y.max() else metric


def _notes(case: HoldoutCase) -> list[Finding]:
    notes, times = [], case.rows.times
    if times is not None and times.size:
        first, last = (datetime.fromtimestamp(float(t), UTC) for t in (np.min(times), np.max(times)))
        said = f"rows from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"
        notes.append(plain("holdout period", None, said, times.size))
    if case.rows.repeated:
        said = f"{case.rows.n} rows of {_distinct(case.rows)} keys: keys are the unit of analysis"
        notes.append(plain("repeated keys", None, said, case.rows.n))
    if case.left_out:
        total = case.left_out + case.rows.n
        said = f"{case.left_out} of {total} held-out rows were left out: the champion has learned from them"
        notes.append(plain("rows known to the champion", None, said, case.left_out))
    return notes


def _distinct(rows: PairedRows) -> int:
    return len(set(rows.keys or ()))
