"""The section `promotion`: what a challenger must show, declared before data is seen."""

import difflib
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from flows.config.durations import Duration
from flows.config.section import Name, Section
from registry.records.policy import (
    HIGHER_IS_BETTER,
    LOWER_IS_BETTER,
    Correction,
    Direction,
    Guardrail,
    Method,
    Rule,
    Spending,
    direction_of,
)
from registry.records.version import Task

GOALS: dict[Task, tuple[str, ...]] = {
    "binary": ("auc", "accuracy", "brier", "log_loss"),
    "multiclass": ("accuracy", "log_loss", "brier"),
    "regression": ("rmse", "mae", "r2"),
}
"""Metrics of the task that may decide; the first one is the default."""
GUARDED: dict[Task, tuple[str, ...]] = {
    "binary": (*GOALS["binary"], "calibration", "latency_ms", "error_rate"),
    "multiclass": (*GOALS["multiclass"], "calibration", "latency_ms", "error_rate"),
    "regression": (*GOALS["regression"], "latency_ms", "error_rate"),
}
"""Metrics that a guardrail may name, beside the KPIs."""
TAKEN = HIGHER_IS_BETTER | LOWER_IS_BETTER | {"label", "correct"}
"""Names that no KPI may have: reports and statistics would mix them up."""
LATENCY, ERROR_RATE = "latency_ms", "error_rate"
LATENCY_SLACK_MS = 10.0  # as the router's guard


class GuardrailConfig(Section):
    """A metric that may not become worse by more than a margin."""

    metric: Name
    margin: Annotated[float, Field(ge=0)]
    relative: bool | None = Field(default=None, description="Share of the champion's value; error_rate: not")
    direction: Direction | None = None
    slack: Annotated[float, Field(ge=0)] | None = Field(default=None, description="Tolerated beyond the margin")

    def record(self) -> Guardrail:
        """As the policy has it."""
        relative = self.metric != ERROR_RATE if self.relative is None else self.relative
        usual = LATENCY_SLACK_MS if self.metric == LATENCY and relative else 0.0
        slack = usual if self.slack is None else self.slack
        return Guardrail(
            metric=self.metric, margin=self.margin, relative=relative, direction=self.direction, slack=slack
        )


class Promotion(Section):
    """What a challenger must show; see `registry.records.policy`."""

    metric: Name | None = None
    direction: Direction | None = None
    rule: Rule = "superiority"
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.02
    min_improvement: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="2 % of AUC, 5 % of anything else if absent"
    )
    goals: tuple[Name, ...] = ()
    multiplicity: Correction = "holm"
    guardrails: tuple[GuardrailConfig, ...] | None = Field(
        default=None, description="Latency, error rate and every KPI if absent; [] = none"
    )
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    power: Annotated[float, Field(gt=0, lt=1)] = 0.8
    method: Method = "always_valid"
    spending: Spending = "obrien_fleming"
    looks: Annotated[int, Field(ge=1, le=100)] = 10
    horizon: Annotated[int, Field(ge=2)] | None = None
    min_holdout: Annotated[int, Field(ge=2)] = 200
    min_labelled: Annotated[int, Field(ge=2)] = 100
    min_label_age: Duration = timedelta(0)
    require_approval: bool = True

    def primary(self, task: Task) -> str:
        """Name the metric that decides; AUC, accuracy (multiclass) or RMSE if none is."""
        return self.metric or GOALS[task][0]


def default_guardrails(
    promotion: Promotion,
    kpis: Collection[str],
    *,
    latency_increase: float = 0.5,
    error_rate: float = 0.02,
    kpi_drop: float = 0.1,
) -> tuple[Guardrail, ...]:
    """
    What must not become worse if the configuration names no guardrails.

    The same margins as those of the router's guards, which take a challenger off: mean latency
    50 % and 10 ms above the champion's, 2 points more failed requests, a KPI 10 % lower. A KPI that is the
    primary metric or a goal is tested there already.

    Example:
        >>> [(one.metric, one.margin, one.relative) for one in default_guardrails(Promotion(), ["revenue"])]
        [('latency_ms', 0.5, True), ('error_rate', 0.02, False), ('revenue', 0.1, True)]
    """
    tested = {promotion.metric, *promotion.goals}
    return (
        Guardrail(metric=LATENCY, margin=latency_increase, slack=LATENCY_SLACK_MS),
        Guardrail(metric=ERROR_RATE, margin=error_rate, relative=False),
        *(Guardrail(metric=kpi, margin=kpi_drop) for kpi in kpis if kpi not in tested),
    )


def promotion_mistakes(promotion: Promotion, task: Task, kpis: Collection[str]) -> list[str]:
    """All that is wrong with keys that are right by themselves."""
    return [
        *_goal_mistakes(promotion, task, kpis),
        *_guardrail_mistakes(promotion.guardrails or (), task, kpis),
        *_design_mistakes(promotion),
    ]


def _goal_mistakes(promotion: Promotion, task: Task, kpis: Collection[str]) -> Iterator[str]:
    known = (*GOALS[task], *kpis)
    if promotion.metric is not None:
        yield from _unknown("promotion.metric", promotion.metric, task, known)
    primary = promotion.primary(task)
    yield from _contradicted("promotion.metric", primary, promotion.direction)
    for goal in dict.fromkeys(promotion.goals):
        yield from _unknown("promotion.goals", goal, task, known)
        if goal == primary or promotion.goals.count(goal) > 1:
            yield f"promotion.goals: {goal!r} is named twice" + (" (it is the metric)" if goal == primary else "")


def _guardrail_mistakes(guardrails: Sequence[GuardrailConfig], task: Task, kpis: Collection[str]) -> Iterator[str]:
    names = [one.metric for one in guardrails]
    for one in guardrails:
        yield from _unknown("promotion.guardrails", one.metric, task, (*GUARDED[task], *kpis))
        yield from _contradicted("promotion.guardrails", one.metric, one.direction)
    yield from (f"promotion.guardrails: {n!r} is given twice" for n in dict.fromkeys(names) if names.count(n) > 1)


def _design_mistakes(promotion: Promotion) -> Iterator[str]:
    if promotion.method != "always_valid" and promotion.horizon is None:
        why = "labelled requests at the planned end; `understudy plan` computes them"
        yield f"promotion.method {promotion.method!r} needs promotion.horizon, {why}"
    if promotion.power <= promotion.alpha:
        yield f"promotion.power {promotion.power} is not above alpha {promotion.alpha}"


def _unknown(place: str, name: str, task: Task, known: Sequence[str]) -> Iterator[str]:
    if name in known:
        return
    if any(name in metrics for metrics in GUARDED.values()) and name not in GUARDED[task]:
        yield f"{place}: metric {name!r} does not fit task {task!r}, known are {', '.join(known)}"
        return
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    yield f"{place}: unknown metric {name!r}, {meant}"


def _contradicted(place: str, metric: str, direction: Direction | None) -> Iterator[str]:
    if metric in HIGHER_IS_BETTER | LOWER_IS_BETTER and direction not in (None, direction_of(metric)):
        yield f"{place}: direction {direction!r} contradicts {metric!r}, of which {direction_of(metric)} is better"
