"""Which always-valid test belongs to which metric, in shadow and in a split."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from flows.comparison.findings import About, finding, missing
from flows.comparison.group_tests import group_test
from flows.comparison.groups import GroupRows
from flows.comparison.margins import champion_factor, with_margin
from flows.comparison.metrics import loss_scale
from flows.comparison.strata import CHALLENGER, Arms, both_arms, gain_over, no_surer_than, sequence_over
from flows.stats.moments import CoMoments
from flows.stats.results import AlwaysValid
from flows.stats.sequential.asymptotic import paired_sequence, two_sample_sequence, unit_paired_sequence, unit_sequence
from flows.stats.sequential.pairs import discordant_pairs, prior_for
from flows.stats.sequential.rare_rates import rare_rates_sequence
from flows.stats.sequential.strata import Gain
from registry.records.live import Moments, PhaseMetrics, ShadowMetrics, UnitMoments, VariantMetrics
from registry.records.plan import CHAMPION
from registry.records.policy import Guardrail, PromotionPolicy
from registry.records.rollout import Rollout
from registry.records.verdict import Finding, Role
from registry.records.version import Task

Pairs = Sequence[tuple[VariantMetrics, VariantMetrics]]
_DISCORDANT = 0.05  # share of pairs that a shadow is tuned to
_OFFLINE = ("auc", "log_loss", "calibration", "rmse", "r2", "pr_auc", "f1", "precision", "recall", "mape")


class Question(NamedTuple):
    """
    What is asked of live requests.

    Attributes:
        findings: About goals and guardrails.
        n: Labelled requests of the primary one.
        blind: Why harm could not be seen yet, whatever there is of it; empty if it could.
        elsewhere: The primary metric cannot show here at all: a KPI in a shadow.
    """

    findings: list[Finding]
    n: int
    blind: str = ""
    elsewhere: bool = False


class Numbers(NamedTuple):
    """One metric of one arm: over requests, and over keys."""

    requests: Moments
    keys: UnitMoments | None


def shadow_question(rollout: Rollout, phase: PhaseMetrics, task: Task) -> Question | None:
    """Pairs: both models scored the same requests. None while there are none."""
    policy, seen = rollout.policy, phase.shadows.get(rollout.challenger)
    if seen is None or seen.copies == 0:
        return None
    champion, metric = phase.variants.get(CHAMPION), live_metric(policy.metric, task)
    tuned = _tuned(rollout)
    loss = finding(About("loss"), _losses(seen, policy, tuned))
    if metric not in ("accuracy", "loss"):
        why = "callers see the champion's answers only, so that it shows in the split"
        loss = msgspec.structs.replace(loss, role="goal", threshold=0.0)
        return Question([missing(About(metric, "primary"), why), loss], seen.pairs, _blind(loss), elsewhere=True)
    primary = _pairs(seen, policy, tuned) if metric == "accuracy" else _losses(seen, policy, tuned)
    about = _about(metric, "primary", policy, champion, primary.estimate)
    findings = [finding(about, primary)]
    return Question([*findings, *([loss] if metric != "loss" else [])], seen.pairs)


def split_question(
    rollout: Rollout,
    phase: PhaseMetrics,
    task: Task,
    arms: Mapping[str, GroupRows] | None = None,
    earlier: Sequence[PhaseMetrics] = (),
) -> Question | None:
    """
    Different callers; None while the challenger has no traffic.

    With *arms* the primary metric is tested at the looks that the policy plans, unless the goal
    is proven; everything else is watched all the time, as harm must be. With *earlier* weights of the
    same step, arms are compared within each, and never added up.
    """
    if CHALLENGER not in phase.variants:
        return None
    pairs = both_arms((*earlier, phase), rollout.champion)
    champion, challenger = pairs[-1]
    policy, tuned = rollout.policy, _tuned(rollout, arms=2)
    metric = live_metric(policy.metric, task)
    primary = _split(pairs, metric, "primary", policy, tuned)
    if arms is not None and not rollout.proven:
        primary = _planned(arms, metric, policy, task) or primary
    goals = [_split(pairs, live_metric(goal, task), "goal", policy, tuned) for goal in policy.goals]
    guards = [_guarded(pairs, one, task, rollout, tuned) for one in policy.guardrails]
    named = {f.metric for f in (primary, *goals, *guards)}
    others = sorted((champion.outcomes.keys() & challenger.outcomes.keys()) - named)
    context = [_split(pairs, name, "context", policy, tuned) for name in others]
    findings = [primary, *_distinct(goals, primary), *guards, *context]
    n = sum(numbers(theirs, metric).requests.n for _, theirs in pairs)
    return Question(findings, n, _blind(primary))


def primary_gain(rollout: Rollout, phases: Sequence[PhaseMetrics], task: Task) -> Gain:
    """Gain in the primary metric within the weights of a step so far; more is better."""
    metric = live_metric(rollout.policy.metric, task)
    sign = _sign(rollout.policy, metric)
    return gain_over(_arms(both_arms(phases, rollout.champion), metric), (sign, sign))


def live_metric(metric: str, task: Task) -> str:
    """
    What requests can tell about a metric: accuracy and KPIs themselves, the rest by its per-request loss.

    The loss of several classes is a wrong one: accuracy says the same.
    """
    known = ("brier", "mae", "loss", *_OFFLINE)
    by_loss = metric in known or (metric == "accuracy" and task == "regression")
    return ("accuracy" if task == "multiclass" else "loss") if by_loss else metric


def _tuned(rollout: Rollout, arms: int = 1) -> int:
    """Where intervals are tightest: declared before the first request, never by what has come."""
    policy = rollout.policy
    return max(policy.min_labelled, rollout.steps[rollout.step].min_labelled, 200, (policy.horizon or 0) // arms)


def _blind(f: Finding) -> str:
    """Why nothing bounds the effect; arms without variance are at least not worse as far as they were seen."""
    level = "no variance" in f.said and (f.estimate or 0.0) >= 0
    return "" if f.low is not None or level else f.said


def numbers(variant: VariantMetrics, metric: str) -> Numbers:
    """Moments of one metric of one arm."""
    if metric == "loss":
        return Numbers(variant.loss, variant.units.get("loss"))
    if metric == "accuracy":
        return Numbers(variant.correct, variant.units.get("correct"))
    return Numbers(variant.outcomes.get(metric, Moments()), variant.units.get(metric))


def _distinct(goals: Sequence[Finding], primary: Finding) -> list[Finding]:
    return list({goal.name: goal for goal in goals if goal.name != primary.name}.values())


def _split(pairs: Pairs, metric: str, role: Role, policy: PromotionPolicy, tuned: int) -> Finding:
    several, sign = _arms(pairs, metric), _sign(policy, metric)
    ours, theirs = _levels(several)
    about = About(metric, role, ours, theirs, None if role == "context" else _margin(role, metric, policy, ours))
    return finding(about, _difference(several, (sign, sign), policy.alpha, tuned))


def _planned(arms: Mapping[str, GroupRows], metric: str, policy: PromotionPolicy, task: Task) -> Finding | None:
    rowwise = ("mae" if task == "regression" else "brier") if metric == "loss" else metric
    measured = group_test(task, arms, rowwise, policy)
    if measured is None:
        return None
    margin = policy.margin * loss_scale(metric, measured.champion) if policy.rule == "non_inferiority" else 0.0
    return finding(About(metric, "primary", measured.champion, measured.challenger, -margin), measured.effect)


def _guarded(pairs: Pairs, guard: Guardrail, task: Task, rollout: Rollout, tuned: int) -> Finding:
    policy = rollout.policy
    if guard.metric in _OFFLINE:
        compared = rollout.decision_id is not None
        why = "is measured on the holdout" if compared else "was not measured: the rollout began without a holdout"
        return missing(About(guard.metric), why)
    if guard.metric == "error_rate":
        return _error_rate(pairs, guard, policy.alpha)
    if guard.metric == "latency_ms":
        several = [Arms(Numbers(a.latency_ms, None), Numbers(b.latency_ms, None)) for a, b in pairs]
    else:
        several = _arms(pairs, live_metric(guard.metric, task))
    ours, theirs = _levels(several)
    sign, mean = _sign(policy, guard.metric), ours or 0.0
    margin = guard.margin * (abs(mean) if guard.relative else 1.0) + guard.slack
    about = About(guard.metric, "guardrail", ours, theirs, -margin)
    if ours is None or theirs is None:
        return missing(about, "no values yet", f"values of {guard.metric} from both arms")
    seen = _difference(several, (sign, sign), policy.alpha, tuned)
    if guard.relative and guard.margin:
        factor = champion_factor(sign * mean, guard.margin)
        level = _difference(several, (factor * sign, sign), policy.alpha, tuned)
        seen = with_margin(seen, level, guard.margin * abs(mean))
    return finding(about, seen)


def _error_rate(pairs: Pairs, guard: Guardrail, alpha: float) -> Finding:
    failed = [sum(_failures(pair[side]) for pair in pairs) for side in (0, 1)]
    asked = [sum(pair[side].assigned for pair in pairs) for side in (0, 1)]
    rates = [f / a if a else None for f, a in zip(failed, asked, strict=True)]
    margin = guard.margin * ((rates[0] or 0.0) if guard.relative else 1.0) + guard.slack
    about = About("error_rate", "guardrail", rates[0], rates[1], -margin)
    # Champion's failures minus challenger's: more is better.
    seen = rare_rates_sequence((failed[1], asked[1]), (failed[0], asked[0]), alpha=alpha)
    return finding(about, seen if len(pairs) == 1 else no_surer_than(seen, _rates(pairs), alpha))


def _failures(one: VariantMetrics) -> int:
    return sum(one.fallbacks.values()) + sum(one.errors.values())


def _rates(pairs: Pairs) -> list[Arms]:
    """Failures of each weight, counted so that more is better."""

    def moments(one: VariantMetrics) -> Numbers:
        n, rate = one.assigned, _failures(one) / one.assigned if one.assigned else 0.0
        return Numbers(Moments(n=n, mean=-rate, m2=n * rate * (1 - rate)), None)

    return [Arms(moments(ours), moments(theirs)) for ours, theirs in pairs]


def _difference(several: Sequence[Arms], factors: tuple[float, float], alpha: float, tuned: int) -> AlwaysValid:
    """Challenger minus champion, each times its factor; of several weights within each."""
    if len(several) > 1:
        return sequence_over(several, factors, alpha=alpha, tuned_to=tuned)
    (a, our_keys), (b, their_keys) = several[0]
    first, second = factors
    if our_keys is not None and their_keys is not None and our_keys.n and their_keys.n:
        keys = _times(our_keys, first), _times(their_keys, second)
        return unit_sequence(*keys, alpha=alpha, tuned_to=tuned)
    arms = (a.n, first * a.mean, first**2 * a.m2), (b.n, second * b.mean, second**2 * b.m2)
    return two_sample_sequence(*arms, alpha=alpha, tuned_to=tuned)


def _pairs(seen: ShadowMetrics, policy: PromotionPolicy, tuned: int) -> AlwaysValid:
    keys = seen.units.get("correct")
    if keys is not None and keys.n < seen.pairs:  # callers came back: requests are not independent
        return unit_paired_sequence(_times(keys, 1.0), alpha=policy.alpha, tuned_to=tuned)
    lost, won = seen.champion_only_right, seen.challenger_only_right
    prior = max(1.0, prior_for(_DISCORDANT * tuned, alpha=policy.alpha))
    return discordant_pairs(lost, won, seen.pairs, alpha=policy.alpha, a=prior)


def _losses(seen: ShadowMetrics, policy: PromotionPolicy, tuned: int) -> AlwaysValid:
    keys, d = seen.units.get("loss"), seen.loss_difference
    if keys is not None and keys.n < seen.pairs:
        return unit_paired_sequence(_times(keys, 1.0), alpha=policy.alpha, tuned_to=tuned)
    return paired_sequence((d.n, d.mean, d.m2), alpha=policy.alpha, tuned_to=tuned)


def _about(metric: str, role: Role, policy: PromotionPolicy, champion: VariantMetrics | None, estimate: float) -> About:
    value = None if champion is None else _mean(numbers(champion, metric))
    sign = _sign(policy, metric)
    threshold = 0.0 if champion is None else _margin(role, metric, policy, value)
    return About(metric, role, value, None if value is None else value + sign * estimate, threshold)


def _margin(role: Role, metric: str, policy: PromotionPolicy, champion: float | None) -> float:
    if role != "primary" or policy.rule != "non_inferiority":
        return 0.0
    return -policy.margin * loss_scale(metric, champion or 0.0)


def _arms(pairs: Pairs, metric: str) -> list[Arms]:
    return [Arms(numbers(ours, metric), numbers(theirs, metric)) for ours, theirs in pairs]


def _levels(several: Sequence[Arms]) -> tuple[float | None, float | None]:
    """Mean of each arm; of several weights standardised alike, so that they differ by the estimate."""
    if len(several) == 1:
        return _mean(several[0].champion), _mean(several[0].challenger)
    gain = gain_over(several)
    return (gain.champion, gain.challenger) if gain.n else (None, None)


def _mean(values: tuple[Moments, UnitMoments | None]) -> float | None:
    return values[0].mean if values[0].n else None


def _sign(policy: PromotionPolicy, metric: str) -> float:
    return 1.0 if policy.direction_for(metric) == "higher" else -1.0


def _times(units: UnitMoments, factor: float) -> CoMoments:
    scaled = factor * units.mean_y, units.m2_x, factor**2 * units.m2_y, factor * units.co
    return CoMoments(units.n, units.mean_x, *scaled)
