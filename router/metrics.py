"""Prometheus text of a whole router: merged over its workers, dead ones included, made only when it is asked for."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from router.report import Report, Seen
from router.tally import BOUNDS, Tally

_VERSION = ("model", "variant", "version")


def exposition(seen: Sequence[Seen]) -> bytes:
    """
    Text exposition format 0.0.4.

    Labels are bounded: models, variants and versions come from plans, reasons are few.

    Args:
        seen: Every slot of the board; or this process alone.
    """
    return generate_latest(_Exposition(seen))


class _Exposition(Collector):
    def __init__(self, seen: Sequence[Seen]) -> None:
        self._all = [each.report for each in seen]
        workers = [each for each in seen if each.alive and each.report.role == "worker"]
        self._alive = [each.report for each in workers]

    def collect(self) -> Iterable[Metric]:
        tallies = _by_version(self._all)
        yield _predictions(tallies)
        yield _failures(tallies)
        yield _latencies(tallies)
        yield _epochs(self._alive)
        yield _breakers(self._alive)
        yield from _holds(self._alive)
        yield GaugeMetricFamily("understudy_workers", "Workers that answer callers.", len(self._alive))
        unlogged = sum(report.unlogged for report in self._all)
        yield CounterMetricFamily("understudy_unlogged", "Predictions answered that the disk refused.", unlogged)
        yield _copies(self._all)


def _by_version(reports: Iterable[Report]) -> list[Tally]:
    """All phases together."""
    found: dict[tuple[str, str, str], Tally] = {}
    for tally in (tally for report in reports for tally in report.tallies):
        of = tally.model, tally.variant, tally.version
        found.setdefault(of, Tally(of[0], "", of[1], of[2])).merge(tally)
    return [found[of] for of in sorted(found)]


def _predictions(tallies: Iterable[Tally]) -> Metric:
    family = CounterMetricFamily(
        "understudy_predictions",
        "Predictions by the variant assigned: served by it, answered by the champion instead, or failed.",
        labels=(*_VERSION, "outcome"),
    )
    for tally in tallies:
        lost = {"fallback": tally.fallbacks, "failed": tally.errors}
        counts = {name: sum(n for n, _ in reasons.values()) for name, reasons in lost.items()}
        for outcome, n in ({"served": tally.rows} | counts).items():
            if n:
                family.add_metric((*_named(tally), outcome), n)
    return family


def _failures(tallies: Iterable[Tally]) -> Metric:
    family = CounterMetricFamily(
        "understudy_failures", "Predictions that the variant assigned did not answer.", labels=(*_VERSION, "reason")
    )
    for tally in tallies:
        reasons = {*tally.fallbacks, *tally.errors}
        for reason in sorted(reasons):
            n = tally.fallbacks.get(reason, [0])[0] + tally.errors.get(reason, [0])[0]
            family.add_metric((*_named(tally), reason), n)
    return family


def _latencies(tallies: Iterable[Tally]) -> Metric:
    family = HistogramMetricFamily(
        "understudy_latency_ms", "Scoring time of a call, in milliseconds, by the variant assigned.", labels=_VERSION
    )
    for tally in tallies:
        buckets, running = [], 0
        for bound, n in zip((*map(str, BOUNDS), "+Inf"), tally.buckets, strict=True):
            running += n
            buckets.append((bound, running))
        family.add_metric(_named(tally), buckets, tally.total_ms)
    return family


def _epochs(reports: Iterable[Report]) -> Metric:
    family = GaugeMetricFamily("understudy_plan_epoch", "Epoch in force; the oldest of all workers.", labels=("model",))
    for model in sorted({model for report in reports for model in report.epochs}):
        family.add_metric((model,), min(report.epochs[model] for report in reports if model in report.epochs))
    return family


def _breakers(reports: Iterable[Report]) -> Metric:
    family = GaugeMetricFamily(
        "understudy_breakers_open", "Workers whose circuit to the challenger is open.", labels=("model", "variant")
    )
    count: dict[tuple[str, str], int] = {}
    for model, _, variant, _, circuit in (each for report in reports for each in report.circuits):
        count[model, variant] = count.get((model, variant), 0) + (circuit.opened_at is not None)
    for of, n in sorted(count.items()):
        family.add_metric(of, n)
    return family


def _holds(reports: Sequence[Report]) -> Iterator[Metric]:
    epochs = {model: epoch for report in reports for model, epoch in report.epochs.items()}
    said = "1 while the challengers of the plan in force are off."
    stopped = GaugeMetricFamily("understudy_stopped", said, labels=("model",))
    said = "1 since the champion failed too often under the plan in force."
    failing = GaugeMetricFamily("understudy_champion_failing", said, labels=("model",))
    for model, epoch in sorted(epochs.items()):
        stopped.add_metric((model,), any(model in report.stopped for report in reports))
        alerts = [report.alerts[model] for report in reports if model in report.alerts]
        failing.add_metric((model,), any(alert.epoch >= epoch for alert in alerts))
    yield stopped
    yield failing


def _copies(reports: Iterable[Report]) -> Metric:
    family = CounterMetricFamily(
        "understudy_shadow_copies",
        "Copies that a shadow saw, by what became of them.",
        labels=("model", "version", "outcome"),
    )
    count: dict[tuple[str, str, str], int] = {}
    for report in reports:
        for model, versions in report.copies.items():
            for version, outcomes in versions.items():
                for outcome, n in outcomes.items():
                    count[model, version, outcome] = count.get((model, version, outcome), 0) + n
    for of, n in sorted(count.items()):
        family.add_metric(of, n)
    return family


def _named(tally: Tally) -> tuple[str, str, str]:
    return tally.model, tally.variant, tally.version
