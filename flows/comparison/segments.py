"""Where the lift comes from: the same test within every level of a segment."""

import numpy as np

from flows.comparison.findings import About, finding
from flows.comparison.paired_tests import paired_test
from flows.comparison.rows import PairedRows
from registry.records.policy import PromotionPolicy
from registry.records.verdict import Finding
from registry.records.version import Task

LEAST, MOST = 30, 12


def paired_segments(task: Task, rows: PairedRows, metric: str, policy: PromotionPolicy) -> list[Finding]:
    """
    Test the primary metric within each level, the largest levels first.

    Reported, never decisive: intervals hold for each level alone.
    """
    return [one for name in rows.segments for one in _levels(task, rows, name, metric, policy)]


def largest_levels(levels: tuple[str, ...]) -> list[str]:
    """Levels with enough rows to say anything, at most a dozen, the largest first."""
    found, counts = np.unique(np.asarray(levels, dtype=object).astype(str), return_counts=True)
    order = np.lexsort((found, -counts))
    return [str(found[i]) for i in order[:MOST] if counts[i] >= LEAST]


def _levels(task: Task, rows: PairedRows, segment: str, metric: str, policy: PromotionPolicy) -> list[Finding]:
    levels = rows.segments[segment]
    return [
        one
        for level in largest_levels(levels)
        if (one := _level(task, _part(rows, levels, level), f"{segment} = {level}", metric, policy)) is not None
    ]


def _level(task: Task, part: PairedRows, name: str, metric: str, policy: PromotionPolicy) -> Finding | None:
    chosen = "brier" if metric == "auc" and part.labels.min() == part.labels.max() else metric
    measured = paired_test(task, part, chosen, confidence=1 - policy.alpha, direction=policy.direction_for(chosen))
    if measured is None:
        return None
    about = About(chosen, "segment", measured.champion, measured.challenger, name=name)
    return finding(about, measured.effect)


def _part(rows: PairedRows, levels: tuple[str, ...], level: str) -> PairedRows:
    chosen = np.flatnonzero(np.asarray(levels, dtype=object) == level)
    return PairedRows(
        labels=rows.labels[chosen],
        champion=rows.champion[chosen],
        challenger=rows.challenger[chosen],
        keys=None if rows.keys is None else tuple(rows.keys[i] for i in chosen),
        kpis={name: (ours[chosen], theirs[chosen]) for name, (ours, theirs) in rows.kpis.items()},
    )
