"""Findings on whether live data can be trusted at all."""

from collections.abc import Mapping, Sequence

import msgspec

from flows.comparison.findings import plain
from flows.stats.integrity.srm import sample_ratio
from registry.records.live import PhaseMetrics, ShadowMetrics, VariantMetrics
from registry.records.verdict import Finding

SRM_ALPHA = 0.001
LEAST_COVERAGE = 0.9


def live_integrity(phases: Sequence[PhaseMetrics]) -> list[Finding]:
    """Everything that is checked in a split; the last phase is the one that is judged."""
    phase = phases[-1]
    challenger = phase.variants.get("challenger")
    return [ratio(phase), *([failures(challenger)] if challenger else [])]


def coverage(seen: ShadowMetrics) -> Finding:
    """Whether the shadow scored enough of what it was shown; what it lost may not be lost at random."""
    covered = seen.scored / seen.copies
    lost = ", ".join(f"{n} {reason}" for reason, n in sorted((seen.dropped | seen.errors).items())) or "none lost"
    said = f"{seen.scored} of {seen.copies} copies scored ({covered:.1%}; {lost})"
    if covered >= LEAST_COVERAGE:
        return plain("coverage", True, said, seen.copies, role="integrity")
    repair = f"at least {LEAST_COVERAGE:.0%} of the copies scored"
    return plain("coverage", None, said, seen.copies, role="integrity", repair=repair)


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
    said = f"split of {seen.n} deviates by {seen.deviation:.2%} from the plan (always-valid p = {seen.p_value:.3g})"
    passed = seen.p_value >= SRM_ALPHA
    repair = "" if passed else "a split that deals as planned: find out who is missing, and begin a new phase"
    found = plain("sample ratio", passed, said, seen.n, role="integrity", repair=repair)
    return msgspec.structs.replace(found, p_value=seen.p_value, always_valid=True)


def failures(challenger: VariantMetrics) -> Finding:
    """How often the challenger did not answer itself; the error-rate guardrail decides."""
    failed = sum(challenger.fallbacks.values()) + sum(challenger.errors.values())
    said = f"{failed} of {challenger.assigned} requests dealt to it were answered by the champion or failed"
    return plain("failures", failed == 0 or None, said, challenger.assigned)
