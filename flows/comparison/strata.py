"""The weights of one step, each a stratum of its own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec

from flows.comparison.findings import p_text, plain
from flows.comparison.integrity import SRM_ALPHA
from flows.stats.integrity.phases import sample_ratio_by_phase
from flows.stats.moments import CoMoments
from flows.stats.results import AlwaysValid
from flows.stats.sequential.strata import Cell, Gain, key_cell, stratified_gain, stratified_sequence, value_cell
from registry.records.live import Moments, PhaseMetrics, UnitMoments, VariantMetrics
from registry.records.plan import CHAMPION
from registry.records.verdict import Finding

CHALLENGER = "challenger"


class Arms(NamedTuple):
    """Both arms in one phase: numbers over requests and, where they are known, over keys."""

    champion: tuple[Moments, UnitMoments | None]
    challenger: tuple[Moments, UnitMoments | None]


def gain_over(several: Sequence[Arms], factors: tuple[float, float] = (1.0, 1.0)) -> Gain:
    """Challenger minus champion, each times its factor, within phases."""
    return stratified_gain(_cells(several, factors))


def sequence_over(several: Sequence[Arms], factors: tuple[float, float], *, alpha: float, tuned_to: int) -> AlwaysValid:
    """The same with a confidence sequence."""
    return stratified_sequence(_cells(several, factors), alpha=alpha, tuned_to=tuned_to)


def no_surer_than(counted: AlwaysValid, several: Sequence[Arms], alpha: float) -> AlwaysValid:
    """
    Rates of rare events, counted over all weights, but never surer than what the weights say one by one.

    The exact test of the sums bounds rates before the first event; where events are many enough to
    compare them within weights, the wider interval counts.
    """
    within = sequence_over(several, (1.0, 1.0), alpha=alpha, tuned_to=max(counted.n, 1))
    if within.note:
        return counted
    low, high = min(counted.low, within.low), max(counted.high, within.high)
    return replace(
        counted,
        low=low,
        high=high,
        p_value=max(counted.p_value, within.p_value),
        log_p=max(counted.log_p, within.log_p),
    )


def both_arms(phases: Sequence[PhaseMetrics], version: str) -> list[tuple[VariantMetrics, VariantMetrics]]:
    """Champion and challenger of every phase in which the challenger had callers, oldest first."""
    empty = VariantMetrics(version=version)
    return [
        (phase.variants.get(CHAMPION, empty), phase.variants[CHALLENGER])
        for phase in phases
        if CHALLENGER in phase.variants
    ]


def ratio_over(phases: Sequence[PhaseMetrics]) -> Finding:
    """Whether every weight was dealt as planned; each is tested against its own."""
    counts = {
        phase.phase: ({name: variant.assigned for name, variant in phase.variants.items()}, phase.weights)
        for phase in phases
    }
    seen = sample_ratio_by_phase(counts)
    said = seen.finding or f"{len(counts)} weights dealt as planned, {seen.n} requests"
    said += f" (always-valid {p_text(seen.log_p)})"
    passed = seen.p_value >= SRM_ALPHA
    repair = "" if passed else "a split that deals as planned: find out who is missing, and begin a new rollout"
    found = plain("sample ratio", passed, said, seen.n, role="integrity", repair=repair)
    return msgspec.structs.replace(found, p_value=seen.p_value, log_p=seen.log_p, always_valid=True)


def _cells(several: Sequence[Arms], factors: tuple[float, float]) -> list[tuple[Cell, Cell]]:
    keyed = all(units is not None and units.n for arms in several for values, units in arms if values.n)
    return [
        (_cell("champion", arms.champion, factors[0], keyed), _cell("challenger", arms.challenger, factors[1], keyed))
        for arms in several
    ]


def _cell(name: str, numbers: tuple[Moments, UnitMoments | None], factor: float, keyed: bool) -> Cell:
    values, units = numbers
    if keyed and units is not None:
        scaled = factor * units.mean_y, units.m2_x, factor**2 * units.m2_y, factor * units.co
        return key_cell(name, CoMoments(units.n, units.mean_x, *scaled))
    return value_cell(name, (values.n, factor * values.mean, factor**2 * values.m2))
