"""Different rows for each model, offline: an A/B test that is over, or looked at as planned."""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import numpy as np

from flows.comparison.decide import Amount, Ruling, decide
from flows.comparison.findings import About, finding, missing, plain
from flows.comparison.group_tests import group_test
from flows.comparison.judged import held_to_margin, held_to_policy
from flows.comparison.metrics import METRICS, Floats, metrics_of
from flows.comparison.outlook import more_needed, power_reached, side_view
from flows.comparison.rows import NOBODY, Texts, key_texts
from flows.comparison.segments import LEAST, largest_levels
from flows.errors import DataError
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.verdict import Decision, Finding, Role
from registry.records.version import Task

ARMS = ("champion", "challenger")
_ROWS = ("labels", "scores", "keys", "times", "covariate")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRows:
    """
    Rows that one model answered; one entry per row.

    Attributes:
        labels, scores: Shape (n,), scores of several classes (n, k); None if only KPIs were measured.
        keys: Who was dealt to this model; rows of one key are not independent.
        times: Epoch seconds.
        kpis: Values by name.
        covariate: Known before the experiment, e.g. spending of the month before; takes
            variance out of KPIs (CUPED).
        segments: Level per row, by name.
    """

    labels: Floats | None = None
    scores: Floats | None = None
    keys: Texts | None = None
    times: Floats | None = None
    kpis: Mapping[str, Floats] = field(default_factory=dict)
    covariate: Floats | None = None
    segments: Mapping[str, Texts] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """How many rows."""
        found = [v.size for v in (self.labels, self.times, self.covariate, *self.kpis.values()) if v is not None]
        return int(max(found, default=len(self.keys or ())))

    def where(self, chosen: np.ndarray) -> "GroupRows":
        """Only the rows at these positions."""

        def cut(values: Floats | None) -> Floats | None:
            return None if values is None else values[chosen]

        return GroupRows(
            labels=cut(self.labels),
            scores=cut(self.scores),
            keys=None if self.keys is None else tuple(self.keys[i] for i in chosen),
            times=cut(self.times),
            kpis={name: values[chosen] for name, values in self.kpis.items()},
            covariate=cut(self.covariate),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCase:
    """
    Everything that a decision between two groups rests on.

    Attributes:
        weights: Planned split by arm, in any unit; None if it is not known.
    """

    model: str
    champion: str
    challenger: str
    task: Task
    policy: PromotionPolicy
    decision_id: str
    at: datetime
    arms: Mapping[str, GroupRows]
    weights: Mapping[str, float] | None = None
    identities: Mapping[str, str] = field(default_factory=dict)


def compare_groups(
    *,
    model: str,
    champion: str,
    challenger: str,
    task: Task,
    policy: PromotionPolicy,
    arms: Mapping[str, GroupRows],
    decision_id: str,
    at: datetime,
    weights: Mapping[str, float] | None = None,
    identities: Mapping[str, str] | None = None,
) -> Decision:
    """
    Judge two groups of callers, each answered by one model.

    Keys are the unit of analysis: where they come more than once, the delta method over
    keys is used. With `policy.method` "always_valid" intervals hold at any number of looks,
    else at this one look.

    Args:
        arms: "champion" and "challenger".
        weights: Planned split, for the check of the sample ratio.

    Raises:
        DataError: If a key is in both groups.
        ValueError: If lengths differ, numbers are not finite or labels not 0 and 1.
    """
    _refuse_lengths(arms)
    refuse_overlap(arms)
    return decide_groups(
        GroupCase(
            model=model,
            champion=champion,
            challenger=challenger,
            task=task,
            policy=policy,
            decision_id=decision_id,
            at=at,
            arms={arm: arms[arm] for arm in ARMS},
            weights=weights,
            identities=dict(identities or {}),
        )
    )


def refuse_overlap(arms: Mapping[str, GroupRows]) -> None:
    """
    Make sure that nobody was answered by both.

    Raises:
        DataError: With how many, and a few of them.
    """
    ours, theirs = (set(arms[arm].keys or ()) for arm in ARMS)
    both = sorted(key for key in ours & theirs if not key.startswith(NOBODY))
    if both:
        few = ", ".join(map(repr, both[:3]))
        raise DataError(
            "The two groups were not compared.",
            f"{len(both)} keys are in both groups: {few}{', ...' if len(both) > 3 else ''}.",
            "Compare them as the same rows (paired), or leave out who changed sides.",
        )


def _refuse_lengths(arms: Mapping[str, GroupRows]) -> None:
    sizes = {
        arm: {name: len(values) for name, values in _columns(arms[arm]).items() if values is not None} for arm in ARMS
    }
    wrong = [
        f"lengths differ in the {arm} ({', '.join(f'{name}: {size}' for name, size in found.items())})"
        for arm, found in sizes.items()
        if len(set(found.values())) > 1
    ]
    if wrong:
        raise ValueError(f"{'; '.join(wrong)}; give one entry per row")


def _columns(rows: GroupRows) -> dict[str, Sized | None]:
    named: dict[str, Sized | None] = {name: getattr(rows, name) for name in _ROWS}
    return named | dict(rows.kpis) | {f"segment {name}": levels for name, levels in rows.segments.items()}


def decide_groups(case: GroupCase) -> Decision:
    """Judge what `compare_groups` put together; the same case gives the same decision, byte for byte."""
    n = min(case.arms[arm].n for arm in ARMS)
    ruling = _ruling(case, n)
    primary = next((f for f in ruling.findings if f.role == "primary"), None)
    return Decision(
        id=case.decision_id,
        model=case.model,
        champion=case.champion,
        challenger=case.challenger,
        kind="split",
        outcome=ruling.outcome,
        headline=f"{case.challenger} against {case.champion} on different callers: {ruling.headline}",
        findings=ruling.findings,
        policy=case.policy,
        metrics={arm: _metrics(case.task, case.arms[arm]) for arm in ARMS},
        changes=ruling.changes,
        more_needed=more_needed(ruling, n, case.policy.min_labelled),
        power=power_reached(primary, case.policy),
        flow={arm: {"assigned": case.arms[arm].n, "labelled": _labelled(case.arms[arm])} for arm in ARMS},
        identities=dict(case.identities),
        created_at=case.at,
    )


def _ruling(case: GroupCase, n: int) -> Ruling:
    policy = case.policy
    metric = _testable(policy.metric, case)
    goals = [_measured(case, metric, "primary")]
    goals += [_measured(case, goal, "goal") for goal in policy.goals]
    guards = [_guarded(case, one) for one in policy.guardrails]
    amount = Amount(n, policy.min_labelled, "rows per group")
    ruling = decide(policy, [*goals, *guards, *_integrity(case)], amount)
    named = {metric, policy.metric, *policy.goals, *(one.metric for one in policy.guardrails)}
    known = [*(METRICS[case.task] if _scored(case) else ()), *sorted(case.arms["champion"].kpis)]
    context = [_measured(case, name, "context") for name in known if name not in named]
    side = side_view(ruling, policy)
    return ruling._replace(findings=(*ruling.findings, *context, *side, *_segments(case, metric)))


def _measured(case: GroupCase, metric: str, role: Role) -> Finding:
    measured = group_test(case.task, case.arms, metric, case.policy)
    if measured is None:
        return missing(About(metric, role), "not measured in both groups", f"values of {metric} in both groups")
    return held_to_policy(case.policy, metric, role, measured)


def _guarded(case: GroupCase, guard: Guardrail) -> Finding:
    share = guard.margin if guard.relative else 0.0
    measured = group_test(case.task, case.arms, guard.metric, case.policy, margin=share)
    if measured is None:
        only_same = guard.metric in METRICS[case.task]
        why = "cannot be tested on different callers" if only_same else "not measured in both groups"
        repair = f"the same rows, for {guard.metric}" if only_same else f"values of {guard.metric} in both groups"
        return missing(About(guard.metric, "guardrail"), why, repair)
    return held_to_margin(guard, measured)


def _integrity(case: GroupCase) -> list[Finding]:
    from flows.comparison.integrity import dealt

    if case.weights is None:
        return [plain("sample ratio", None, "the planned split is not known, so it was not checked")]
    counts = {arm: len(set(rows.keys)) if rows.keys is not None else rows.n for arm, rows in case.arms.items()}
    return [dealt(counts, case.weights)]


def _segments(case: GroupCase, metric: str) -> list[Finding]:
    ours, theirs = (case.arms[arm].segments for arm in ARMS)
    return [one for name in ours if name in theirs for one in _levels(case, name, metric)]


def _levels(case: GroupCase, segment: str, metric: str) -> list[Finding]:
    levels = {arm: np.asarray(case.arms[arm].segments[segment], dtype=object) for arm in ARMS}
    found = []
    for level in largest_levels((*levels["champion"], *levels["challenger"])):
        parts = {arm: case.arms[arm].where(np.flatnonzero(levels[arm] == level)) for arm in ARMS}
        if min(part.n for part in parts.values()) >= LEAST:
            measured = group_test(case.task, parts, metric, _of_part(case.policy, parts))
            if measured is not None:
                about = About(metric, "segment", measured.champion, measured.challenger, name=f"{segment} = {level}")
                found.append(finding(about, measured.effect))
    return found


def _of_part(policy: PromotionPolicy, parts: Mapping[str, GroupRows]) -> PromotionPolicy:
    """Looks are planned for all rows; a part is looked at once, and decides nothing."""
    if policy.method == "always_valid":
        return policy
    return msgspec.structs.replace(policy, method="fixed", horizon=max(2, sum(part.n for part in parts.values())))


def _metrics(task: Task, rows: GroupRows) -> dict[str, float]:
    found = {}
    if rows.labels is not None and rows.scores is not None and rows.labels.size:
        found = metrics_of(task, rows.labels, rows.scores)
    return found | {name: float(np.mean(values)) for name, values in rows.kpis.items() if values.size}


def _scored(case: GroupCase) -> bool:
    return all(case.arms[arm].labels is not None and case.arms[arm].scores is not None for arm in ARMS)


def _labelled(rows: GroupRows) -> int:
    return 0 if rows.labels is None else int(rows.labels.size)


def _testable(metric: str, case: GroupCase) -> str:
    labels = [case.arms[arm].labels for arm in ARMS]
    single = any(y is not None and y.size > 0 and y.min() == y.max() for y in labels)
    return "brier" if metric == "auc" and single else metric


def group_rows(
    *,
    labels: Sequence[float] | None = None,
    scores: Sequence[float] | None = None,
    keys: Sequence[object] | None = None,
    kpis: Mapping[str, Sequence[float]] | None = None,
) -> GroupRows:
    """Build from plain sequences, e.g. in a notebook."""
    return GroupRows(
        labels=None if labels is None else np.asarray(labels, dtype=np.float64),
        scores=None if scores is None else np.asarray(scores, dtype=np.float64),
        keys=None if keys is None else key_texts(keys),
        kpis={name: np.asarray(values, dtype=np.float64) for name, values in (kpis or {}).items()},
    )
