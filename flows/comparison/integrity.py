"""Findings on whether live data can be trusted at all."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from flows.comparison.findings import p_text, plain
from flows.stats.integrity.labels import missing_labels
from flows.stats.integrity.simpson import simpson_check
from flows.stats.integrity.srm import sample_ratio
from flows.stats.moments import Moments
from registry.records.live import PhaseMetrics, ShadowMetrics, VariantMetrics
from registry.records.verdict import Finding
from registry.records.version import Task

SRM_ALPHA = 0.001
LEAST_COVERAGE = 0.9


def live_integrity(phases: Sequence[PhaseMetrics]) -> list[Finding]:
    """Everything that is checked in a split; the last phase is the one that is judged."""
    phase = phases[-1]
    challenger = phase.variants.get("challenger")
    checks = [ratio(phase), *labels(phase), *pooling(phases)]
    return [*checks, *([failures(challenger)] if challenger else [])]


def coverage(seen: ShadowMetrics) -> Finding:
    """Whether the shadow scored enough of what it was shown; what it lost may not be lost at random."""
    covered = seen.scored / seen.copies
    reasons = Counter(seen.dropped) + Counter(seen.errors)
    lost = ", ".join(f"{n} {reason}" for reason, n in sorted(reasons.items())) or "none lost"
    said = f"{seen.scored} of {seen.copies} copies scored ({covered:.1%}; {lost})"
    if covered >= LEAST_COVERAGE:
        return plain("coverage", True, said, seen.copies, role="integrity")
    repair = f"at least {LEAST_COVERAGE:.0%} of the copies scored"
    return plain("coverage", None, said, seen.copies, role="integrity", repair=repair)


def noise(itself: ShadowMetrics, challenger: ShadowMetrics, task: Task) -> Finding:
    """How far the champion differs from itself; what a challenger differs less by is nothing it does."""
    said = (
        f"the champion beside itself: {_apart(itself, task)} on {itself.scored} copies; "
        f"the challenger: {_apart(challenger, task)} on {challenger.scored}"
    )
    return plain("noise", None, said, itself.scored)


def _apart(seen: ShadowMetrics, task: Task) -> str:
    said = f"score {seen.difference.mean:+.3g}, at most {seen.difference_most:.3g} apart"
    return f"{seen.flips / max(seen.scored, 1):.2%} of another class, {said}" if task != "regression" else said


def ratio(phase: PhaseMetrics) -> Finding:
    """Whether the split dealt as planned; may be looked at after every request."""
    return dealt({name: variant.assigned for name, variant in phase.variants.items()}, phase.weights)


def dealt(counts: Mapping[str, int], weights: Mapping[str, float]) -> Finding:
    """
    Whether arms got what was planned.

    Args:
        counts: Assigned requests or keys per arm.
        weights: Planned weights in any unit.
    """
    seen = sample_ratio(counts, weights)
    said = f"split of {seen.n} deviates by {seen.deviation:.2%} from the plan (always-valid {p_text(seen.log_p)})"
    said += f"; {seen.note}" if seen.note else ""
    passed = seen.p_value >= SRM_ALPHA
    repair = "" if passed else "a split that deals as planned: find out who is missing, and begin a new phase"
    found = plain("sample ratio", passed, said, seen.n, role="integrity", repair=repair)
    return msgspec.structs.replace(found, p_value=seen.p_value, log_p=seen.log_p, always_valid=True)


def labels(phase: PhaseMetrics) -> list[Finding]:
    """
    Whether labels arrive equally often in every arm.

    Within a phase callers are dealt by the same weights all the time, so that requests of all
    arms are equally old, and labels may be compared before all have arrived.
    """
    seen = missing_labels(*_labelled(phase), phase.weights)
    if seen.labelled == 0 or len(phase.variants) < 2:
        return []
    rates = ", ".join(f"{one.arm} {one.rate:.1%}" for one in seen.arms)
    said = f"share of requests with a label: {rates} (always-valid {p_text(seen.log_p)})"
    passed = True if seen.p_value >= SRM_ALPHA else None
    repair = "" if passed else "labels that arrive equally often in both arms: find out whose are missing"
    found = plain("label rates", passed, said, seen.n, role="integrity", repair=repair)
    return [msgspec.structs.replace(found, p_value=seen.p_value, log_p=seen.log_p, always_valid=True)]


def pooling(phases: Sequence[PhaseMetrics]) -> list[Finding]:
    """Whether adding up the phases of a ramp would tell another story than each of them."""
    strata = {phase.phase: _losses(phase) for phase in phases if len(phase.variants) > 1}
    if sum(min(ours.n, theirs.n) > 1 for ours, theirs in strata.values()) < 2:
        return []
    seen = simpson_check(strata)
    said = f"{seen.statement}; every phase is judged by itself"
    return [plain("phases added up", None if seen.misleading else True, said, seen.stratified.n)]


def _labelled(phase: PhaseMetrics) -> tuple[dict[str, int], dict[str, int]]:
    served, labelled = {}, {}
    for name, variant in phase.variants.items():
        answered = list(variant.ages.values())
        served[name] = sum(n for n, _ in answered) if answered else variant.assigned
        labelled[name] = sum(n for _, n in answered) if answered else min(variant.loss.n, variant.assigned)
    return served, labelled


def _losses(phase: PhaseMetrics) -> tuple[Moments, Moments]:
    found = [phase.variants[name].loss if name in phase.variants else None for name in ("champion", "challenger")]
    ours, theirs = (Moments(one.n, -one.mean, one.m2) if one else Moments(0, 0.0, 0.0) for one in found)
    return ours, theirs


def failures(challenger: VariantMetrics) -> Finding:
    """How often the challenger did not answer itself; the error-rate guardrail decides."""
    failed = sum(challenger.fallbacks.values()) + sum(challenger.errors.values())
    said = f"{failed} of {challenger.assigned} requests dealt to it were answered by the champion or failed"
    return plain("failures", failed == 0 or None, said, challenger.assigned)
