"""Live requests: only tests that stay valid however often they are looked at."""

from datetime import datetime

from flows.comparison.findings import of_sequence, plain
from flows.errors import NotEnoughData
from flows.stats.integrity.srm import sample_ratio
from flows.stats.results import AlwaysValid
from flows.stats.sequential.asymptotic import paired_sequence, two_sample_sequence
from flows.stats.sequential.pairs import discordant_pairs
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, ShadowMetrics, VariantMetrics
from registry.records.plan import CHAMPION
from registry.records.policy import PromotionPolicy
from registry.records.rollout import Rollout
from registry.records.verdict import Decision, Finding, Outcome
from registry.records.version import Task

CHALLENGER = "challenger"
SRM_ALPHA = 0.001
LEAST_COVERAGE = 0.9


def compare_live(
    *, model: str, rollout: Rollout, metrics: ModelMetrics, task: Task, decision_id: str, at: datetime
) -> Decision:
    """
    Judge the challenger by the current step of its rollout.

    In shadow both models scored the same requests, so pairs are compared. In a split,
    callers differ; there the question is harm: the challenger is let on while nothing
    speaks against it, and is rejected on always-valid evidence that it is worse.

    Raises:
        NotEnoughData: If the step has no traffic yet.
    """
    phase = next((p for p in reversed(metrics.phases) if p.phase == f"{rollout.id}.{rollout.step}"), None)
    if phase is None:
        raise NotEnoughData(
            f"{rollout.challenger} was not compared.",
            f"Step {rollout.step} of {rollout.id} has no traffic yet.",
            "Send requests and come back.",
        )
    shadow = rollout.steps[rollout.step].share == 0
    judge = _in_shadow if shadow else _in_split
    try:
        outcome, headline, findings = judge(rollout, phase, task)
    except ValueError as refused:  # numbers that no statistic can be made of
        outcome, headline, findings = "invalid", str(refused), [plain("numbers", False, str(refused))]
    return Decision(
        id=decision_id,
        model=model,
        champion=rollout.champion,
        challenger=rollout.challenger,
        kind="shadow" if shadow else "split",
        outcome=outcome,
        headline=f"{rollout.challenger} against {rollout.champion} {'in shadow' if shadow else 'live'}: {headline}",
        findings=tuple(findings),
        policy=rollout.policy,
        metrics=_means(phase, rollout.challenger),
        created_at=at,
    )


def _in_shadow(rollout: Rollout, phase: PhaseMetrics, task: Task) -> tuple[Outcome, str, list[Finding]]:
    policy, seen = rollout.policy, phase.shadows.get(rollout.challenger)
    if seen is None or seen.copies == 0:
        return "continue", "no copies yet", [plain("coverage", None, "the shadow has seen no request yet")]
    coverage = _coverage(seen)
    primary = _pairs(policy, seen, task)
    findings = [coverage, of_sequence("loss difference", _difference(seen, policy), None)]
    need = max(policy.min_labelled, rollout.steps[rollout.step].min_labelled)
    if coverage.passed is False:
        return "continue", coverage.said, [*findings, of_sequence(_name(policy, task), primary, None)]
    if seen.pairs < need:
        said = f"{seen.pairs} of at least {need} labelled pairs"
        return "continue", said, [*findings, plain("labelled pairs", None, said, seen.pairs)]
    outcome, headline = _decide(policy, primary, phase.variants.get(CHAMPION), task)
    passed = {"promote": True, "reject": False}.get(outcome)
    return outcome, headline, [of_sequence(_name(policy, task), primary, passed), *findings]


def _in_split(rollout: Rollout, phase: PhaseMetrics, task: Task) -> tuple[Outcome, str, list[Finding]]:
    del task  # the loss is a mean for every task
    champion, challenger = phase.variants.get(CHAMPION), phase.variants.get(CHALLENGER)
    if challenger is None:
        return "continue", "no traffic yet", [plain("traffic", None, "the challenger has answered nobody yet")]
    ratio = _ratio(phase)
    need = max(rollout.policy.min_labelled, rollout.steps[rollout.step].min_labelled)
    if champion is None or rollout.steps[rollout.step].share == 1_000_000:
        said = f"{challenger.loss.n} labelled requests; nobody is left to compare with"
        return "promote", said, [plain("labelled", True, said, challenger.loss.n)]
    seen = two_sample_sequence(
        _negated(champion.loss), _negated(challenger.loss), alpha=rollout.policy.alpha, tuned_to=max(need, 200)
    )
    kpis = _kpis(champion, challenger, rollout.policy.alpha)
    worse = seen.high < 0
    primary = of_sequence("loss", seen, False if worse else None)
    findings = [primary, ratio, _failures(challenger), *kpis]
    if worse:
        return "reject", f"its loss is surely higher ({primary.said})", findings
    if ratio.passed is False:  # before any wait for labels: a timeout must not step over it
        return "invalid", ratio.said, findings
    if challenger.loss.n < need:
        return "continue", f"{challenger.loss.n} of at least {need} labelled requests", findings
    return "promote", f"nothing speaks against it after {challenger.loss.n} labelled requests", findings


def _decide(
    policy: PromotionPolicy, seen: AlwaysValid, champion: VariantMetrics | None, task: Task
) -> tuple[Outcome, str]:
    shown = f"{seen.estimate:+.4g} [{seen.low:.4g}, {seen.high:.4g}] on {seen.n} pairs"
    if seen.high < 0:
        return "reject", f"surely worse, {shown}"
    if policy.rule == "superiority":
        better = seen.low > 0
        return ("promote", f"surely better, {shown}") if better else ("continue", f"no verdict yet, {shown}")
    margin = policy.margin * _champion_loss(policy, champion, task)
    if margin > 0 and seen.low > -margin:
        return "promote", f"surely not worse by more than {margin:.4g}, {shown}"
    return "continue", f"it may be worse by more than {margin:.4g}, {shown}"


def _champion_loss(policy: PromotionPolicy, champion: VariantMetrics | None, task: Task) -> float:
    if champion is None:
        return 0.0
    if task == "binary" and policy.metric == "accuracy":
        return 1 - champion.correct.mean if champion.correct.n else 0.0
    return champion.loss.mean


def _pairs(policy: PromotionPolicy, seen: ShadowMetrics, task: Task) -> AlwaysValid:
    if task == "binary" and policy.metric == "accuracy":
        return discordant_pairs(seen.champion_only_right, seen.challenger_only_right, seen.pairs, alpha=policy.alpha)
    return _difference(seen, policy)


def _difference(seen: ShadowMetrics, policy: PromotionPolicy) -> AlwaysValid:
    return paired_sequence(_numbers(seen.loss_difference), alpha=policy.alpha, tuned_to=max(policy.min_labelled, 200))


def _coverage(seen: ShadowMetrics) -> Finding:
    covered = seen.scored / seen.copies
    lost = ", ".join(f"{n} {reason}" for reason, n in sorted((seen.dropped | seen.errors).items())) or "none lost"
    said = f"{seen.scored} of {seen.copies} copies scored ({covered:.1%}; {lost})"
    return plain("coverage", covered >= LEAST_COVERAGE, said, seen.copies)


def _ratio(phase: PhaseMetrics) -> Finding:
    counts = {name: variant.assigned for name, variant in phase.variants.items()}
    seen = sample_ratio(counts, phase.weights)
    off = f"split of {seen.n} requests deviates by {seen.deviation:.2%} from the plan"
    said = f"{off} (always-valid p = {seen.p_value:.3g})"
    return Finding(name="sample ratio", passed=seen.p_value >= SRM_ALPHA, said=said, p_value=seen.p_value, n=seen.n)


def _failures(challenger: VariantMetrics) -> Finding:
    failed = sum(challenger.fallbacks.values()) + sum(challenger.errors.values())
    said = f"{failed} of {challenger.assigned} requests dealt to it were answered by the champion or failed"
    return plain("failures", failed == 0 or None, said, challenger.assigned)


def _kpis(champion: VariantMetrics, challenger: VariantMetrics, alpha: float) -> list[Finding]:
    names = sorted(champion.outcomes.keys() & challenger.outcomes.keys())
    return [
        of_sequence(
            name,
            two_sample_sequence(
                _numbers(champion.outcomes[name]), _numbers(challenger.outcomes[name]), alpha=alpha, tuned_to=500
            ),
            None,
        )
        for name in names
    ]


def _means(phase: PhaseMetrics, challenger: str) -> dict[str, dict[str, float]]:
    arms = {name: variant for name, variant in phase.variants.items() if name in (CHAMPION, CHALLENGER)}
    found = {name: _numbers_of(variant) for name, variant in arms.items()}
    shadow = phase.shadows.get(challenger)
    if shadow is not None:
        found["shadow"] = {
            "copies": shadow.copies,
            "scored": shadow.scored,
            "pairs": shadow.pairs,
            "flips": shadow.flips,
            "champion_only_right": shadow.champion_only_right,
            "challenger_only_right": shadow.challenger_only_right,
            "latency_ms": shadow.latency_ms.mean,
        }
    return found


def _numbers_of(variant: VariantMetrics) -> dict[str, float]:
    found: dict[str, float] = {
        "assigned": variant.assigned,
        "served": variant.served,
        "labelled": variant.loss.n,
        "loss": variant.loss.mean,
        "latency_ms": variant.latency_ms.mean,
    }
    if variant.correct.n:
        found["accuracy"] = variant.correct.mean
    return found | {name: moments.mean for name, moments in variant.outcomes.items()}


def _name(policy: PromotionPolicy, task: Task) -> str:
    return "accuracy" if task == "binary" and policy.metric == "accuracy" else "loss"


def _numbers(moments: Moments) -> tuple[int, float, float]:
    return moments.n, moments.mean, moments.m2


def _negated(moments: Moments) -> tuple[int, float, float]:
    return moments.n, -moments.mean, moments.m2
