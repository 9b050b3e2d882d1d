"""The same rows, offline: paired tests, looked at once."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import ArrayLike

from flows.comparison.findings import number, of_effect, plain
from flows.comparison.metrics import DEFAULT_METRIC, HIGHER_IS_BETTER, Floats, gains, improvement, metrics_of
from flows.stats.checks import binary, finite, same_length
from flows.stats.paired.binary import mcnemar
from flows.stats.paired.losses import paired_mean
from flows.stats.paired.ranking import delong
from flows.stats.results import Effect
from registry.records.policy import PromotionPolicy
from registry.records.verdict import Decision, Finding, Outcome
from registry.records.version import Task


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
) -> Decision:
    """
    Judge a challenger on the newest labelled rows that it has not learned from.

    Args:
        champion, challenger: Versions.
        labels: Shape (n,), 0/1 or values.
        champion_scores, challenger_scores: Shape (n,), of the same rows in the same order.
        policy: Declared before the data was seen.
        times: Shape (n,), epoch seconds; only the period is reported.

    Raises:
        ValueError: If lengths differ, or numbers are not finite.
    """
    y = binary("labels", labels) if task == "binary" else finite("labels", labels)
    ours, theirs = finite("champion_scores", champion_scores), finite("challenger_scores", challenger_scores)
    n = same_length(labels=y, champion_scores=ours, challenger_scores=theirs)
    metrics = {"champion": metrics_of(task, y, ours), "challenger": metrics_of(task, y, theirs)} if n else {}
    outcome, headline, findings = _judge(policy, task, y, ours, theirs, metrics)
    if times is not None and n:
        findings.append(_period(finite("times", times)))
    return Decision(
        id=decision_id,
        model=model,
        champion=champion,
        challenger=challenger,
        kind="holdout",
        outcome=outcome,
        headline=f"{challenger} against {champion} on {n} held-out rows: {headline}",
        findings=tuple(findings),
        policy=policy,
        metrics=metrics,
        created_at=at,
    )


def _judge(
    policy: PromotionPolicy, task: Task, y: Floats, ours: Floats, theirs: Floats, metrics: dict[str, dict[str, float]]
) -> tuple[Outcome, str, list[Finding]]:
    if y.size < policy.min_holdout:
        said = f"{y.size} rows are fewer than the {policy.min_holdout} that the policy asks for"
        return "continue", said, [plain("holdout size", None, said, y.size)]
    metric = _testable(policy.metric or DEFAULT_METRIC[task], y)
    effect = _test(metric, y, ours, theirs, 1 - policy.alpha)
    outcome, headline = _verdict(policy, metric, effect, metrics)
    findings = [of_effect(metric, effect, _passed(outcome)), *_others(task, metric, y, ours, theirs, policy)]
    return outcome, headline, findings


def _period(times: Floats) -> Finding:
    first, last = (datetime.fromtimestamp(float(t), UTC) for t in (times.min(), times.max()))
    return plain("holdout period", None, f"rows from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}", times.size)


def _testable(metric: str, y: Floats) -> str:
    # AUC of a single class is not defined; the Brier score is.
    return "brier" if metric == "auc" and y.min() == y.max() else metric


def _test(metric: str, y: Floats, ours: Floats, theirs: Floats, confidence: float) -> Effect:
    if metric == "auc":
        return delong(y, ours, theirs, confidence=confidence)
    if metric == "accuracy":
        return mcnemar(gains(metric, y, ours), gains(metric, y, theirs), confidence=confidence)
    return paired_mean(gains(metric, y, ours), gains(metric, y, theirs), confidence=confidence)


def _verdict(
    policy: PromotionPolicy, metric: str, effect: Effect, metrics: dict[str, dict[str, float]]
) -> tuple[Outcome, str]:
    ours, theirs = metrics["champion"][metric], metrics["challenger"][metric]
    relative = improvement(metric, ours, theirs)
    seen = f"{metric} {number(ours)} -> {number(theirs)} ({relative:+.1%})"
    if effect.high < 0:
        return "reject", f"{seen}: significantly worse"
    if policy.rule == "non_inferiority":
        margin = policy.margin * _loss_scale(metric, ours, effect)
        if effect.low > -margin:
            return "promote", f"{seen}: surely not worse by more than {policy.margin:.0%} of the loss"
        return "continue", f"{seen}: it may be worse by more than {policy.margin:.0%} of the loss; watch it in shadow"
    if effect.low <= 0:
        return "continue", f"{seen}: too little evidence that it is better; watch it in shadow"
    if relative < policy.min_improvement:
        return (
            "needs_approval",
            f"{seen}: better, but by less than the {policy.min_improvement:.0%} for automatic promotion",
        )
    return "promote", f"{seen}: significantly better"


def _loss_scale(metric: str, champion: float, effect: Effect) -> float:
    """The champion's loss in the unit of the effect."""
    if metric in ("rmse", "r2"):
        return max(abs(effect.estimate), champion**2 if metric == "rmse" else 1 - champion)
    return 1 - champion if metric in HIGHER_IS_BETTER else champion


def _others(
    task: Task, primary: str, y: Floats, ours: Floats, theirs: Floats, policy: PromotionPolicy
) -> list[Finding]:
    """Secondary metrics: reported, never decisive."""
    names = ("auc", "accuracy", "brier", "log_loss") if task == "binary" else ("mae", "rmse")
    confidence = 1 - policy.alpha
    both = np.unique(y).size > 1
    tested = [name for name in names if name != primary and (name != "auc" or both)]
    return [of_effect(name, _test(name, y, ours, theirs, confidence), None) for name in tested]


def _passed(outcome: Outcome) -> bool | None:
    return {"promote": True, "needs_approval": True, "reject": False}.get(outcome)
