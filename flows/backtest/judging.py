"""What the runs of a replay are worth: gains, costs, delays, and how each stands beside its equals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from flows.backtest.engine import Run, Setting
from flows.backtest.options import Options
from flows.backtest.policies.names import KINDS
from flows.backtest.results import Backtest, Delay, Event, PolicyResult, Schedule, Tuned
from flows.backtest.scoring import difference, gain_share, lost_points, series, value
from flows.config.model import ModelConfig
from flows.reports.text import words
from registry.records.policy import direction_of

MIDDLE = 2  # of the phases: what policies are compared with batch by batch
FIRES_ALWAYS = 0.9


@dataclass(slots=True)
class Bench:
    """The runs of one replay, and what they are measured with."""

    setting: Setting
    options: Options
    runs: dict[str, Run]
    changes: tuple[int, ...]
    schedules: dict[int, list[Run]] = field(default_factory=dict)

    def value(self, name: str) -> float:
        """The metric of one policy."""
        return value(self.setting, self.runs[name].scores)


def report(config: ModelConfig, bench: Bench, tuned: tuple[Tuned, ...] = ()) -> Backtest:
    """Judge all runs of a replay."""
    setting, options = bench.setting, bench.options
    results = tuple(_result(bench, name) for name in bench.runs)
    ends = setting.table.times[setting.edges[1:] - 1]
    return Backtest(
        model=config.model,
        metric=setting.metric,
        higher=direction_of(setting.metric) == "higher",
        rows=setting.table.rows,
        scored=int(setting.table.rows - setting.edges[0]),
        batches=setting.batches,
        batch=options.plan.batch,
        warmup=int(setting.edges[0]),
        window=options.window.said(config),
        label_delay=setting.table.delay,
        ends=tuple(ends.tolist()),
        changes=bench.changes,
        policies=results,
        notes=tuple(_notes(bench, results)),
        price_retraining=options.price_retraining,
        price_point=options.price_point,
        tuned=tuned,
    )


def _result(bench: Bench, name: str) -> PolicyResult:
    setting, run = bench.setting, bench.runs[name]
    ours, never, always = (bench.value(one) for one in (name, "never", "always"))
    lost = lost_points(setting.metric, ours, always)
    count = len(run.retrainings)
    return PolicyResult(
        name=name,
        said=KINDS[_kind(name)].said,
        value=ours,
        lost=lost,
        gain=gain_share(ours, never, always, setting.metric),
        retrainings=count,
        share=count / (setting.batches - 1),
        fits=len(run.fitted),
        seconds=sum(setting.workshop.seconds(window) for window in run.fitted),
        cost=_cost(bench.options, count, lost),
        delay=delay(bench.changes, [one.batch for one in run.retrainings]),
        schedule=_schedule(bench, count),
        differences=tuple(difference(setting, run, other, said) for said, other in _others(bench, name, count)),
        events=tuple(_events(setting, run)),
        series=series(setting, run.scores),
    )


def delay(changes: Sequence[int], retrained: Sequence[int]) -> Delay | None:
    """
    How soon retrainings followed on changes; None without changes.

    Example:
        >>> found = delay([2, 10, 20], [4, 5, 20])
        >>> found.missed, found.median
        (1, 1.0)
    """
    if not changes:
        return None
    ends = [*changes[1:], math.inf]
    waits = [
        next((at - change for at in retrained if change <= at < end), None)
        for change, end in zip(changes, ends, strict=True)
    ]
    found = [wait for wait in waits if wait is not None]
    return Delay(
        changes=len(changes), missed=len(waits) - len(found), median=float(np.median(found)) if found else None
    )


def _kind(name: str) -> str:
    return name if name in KINDS else name.rpartition(":")[0]


def _others(bench: Bench, name: str, count: int) -> list[tuple[str, Run]]:
    others = [(said, bench.runs[said]) for said in ("never", "always") if said != name]
    if count in bench.schedules:
        others.append((f"evenly:{count}", bench.schedules[count][MIDDLE]))
    return others


def _events(setting: Setting, run: Run) -> list[Event]:
    times, edges = setting.table.times, setting.edges
    return [
        Event(batch=one.batch, at=float(times[edges[one.batch + 1] - 1]), rows=str(one.blend), why=one.why)
        for one in run.retrainings
    ]


def _schedule(bench: Bench, count: int) -> Schedule | None:
    if count not in bench.schedules:
        return None
    values = [value(bench.setting, run.scores) for run in bench.schedules[count]]
    ordered = sorted(values, reverse=direction_of(bench.setting.metric) != "higher")
    return Schedule(
        retrainings=count, value=float(np.mean(values)), worst=ordered[0], best=ordered[-1], phases=len(values)
    )


def _cost(options: Options, retrainings: int, lost: float) -> float | None:
    if options.price_retraining is None and options.price_point is None:
        return None
    return retrainings * (options.price_retraining or 0.0) + lost * (options.price_point or 0.0)


def _notes(bench: Bench, results: Sequence[PolicyResult]) -> list[str]:
    table = bench.setting.table
    notes = []
    if table.unlabelled:
        notes.append(f"{table.unlabelled} rows have no label and were left out.")
    always = [one.name for one in results if one.name.startswith("drift") and one.share >= FIRES_ALWAYS]
    if always:
        least = min(one.retrainings for one in results if one.name in always)
        notes.append(
            f"{words(always)} fired after {least} of {bench.setting.batches - 1} batches, or more: as a trigger that"
            ' means "always", and says nothing about harm.'
        )
    if bench.runs["always"].retrainings and _gains_nothing(bench):
        notes.append("Retraining after every batch is no better than never: nothing here is worth a trigger.")
    return notes


def _gains_nothing(bench: Bench) -> bool:
    return gain_share(0.0, bench.value("never"), bench.value("always"), bench.setting.metric) is None
