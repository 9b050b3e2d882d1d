"""What a guard of the router saw of a challenger, beside its limits; from the log of all requests."""

from collections.abc import Iterator

from flows.reports.incidents.story import Test
from registry.records.incident import Incident
from registry.records.live import ModelMetrics, Moments, PhaseMetrics, VariantMetrics
from registry.records.plan import CHAMPION, Guards, TrafficPlan

SLACK_MS = 10.0
"""Milliseconds that a mean may be above the champion's whatever the share, as the router has it."""


def guarded(incident: Incident, last: TrafficPlan | None, metrics: ModelMetrics | None) -> list[Test]:
    """
    Set the challenger's figures against what the guards of its last plan allowed.

    The router judged them by its sequential tests, at the moment that the cause names; these are the plain figures
    of the whole phase. Nothing where the router does not know the phase, or no guard took the version off.

    Args:
        incident: Whose version was taken off.
        last: The last plan in which it took part.
        metrics: The router's counts.
    """
    if incident.kind != "guard" or last is None or metrics is None:
        return []
    phases = [one for one in metrics.phases if one.phase == last.phase]
    return [test for phase in phases for test in _tests(phase, incident.version, last.guards)]


def _tests(phase: PhaseMetrics, version: str, guards: Guards) -> Iterator[Test]:
    champion = phase.variants.get(CHAMPION)
    mine = next((one for one in phase.variants.values() if one.version == version), None)
    if champion is None or mine is None or mine is champion:
        return
    yield _errors(mine, guards)
    yield _mean("latency", mine.latency_ms, champion.latency_ms, 1 + guards.latency_increase, SLACK_MS)
    if guards.kpi is None:
        yield _mean("loss", mine.loss, champion.loss, 1 + guards.kpi_drop)
        return
    ours, theirs = (one.outcomes.get(guards.kpi, Moments()) for one in (mine, champion))
    yield _mean("kpi", ours, theirs, 1 - guards.kpi_drop, above=False)


def _errors(mine: VariantMetrics, guards: Guards) -> Test:
    failed = sum(mine.errors.values()) + sum(mine.fallbacks.values())
    asked = mine.served + failed
    rate = failed / asked if asked else None
    return _test("errors", rate, guards.error_rate, asked, f"{failed:,} of {asked:,} requests failed")


def _mean(name: str, ours: Moments, theirs: Moments, factor: float, slack: float = 0.0, *, above: bool = True) -> Test:
    """A mean beside the champion's; *factor* times that, and *slack*, is the limit."""
    if not (ours.n and theirs.n):
        return _test(name, None, None, ours.n, "nothing to compare")
    said = f"mean {ours.mean:.4g} against {theirs.mean:.4g} of the champion"
    return _test(name, ours.mean, factor * theirs.mean + slack, ours.n, said, above=above)


def _test(name: str, estimate: float | None, limit: float | None, n: int, said: str, *, above: bool = True) -> Test:
    if estimate is None or limit is None:
        verdict = "too little data"
    else:
        verdict = "beyond it" if (estimate > limit if above else estimate < limit) else "within"
    return Test(name=name, verdict=verdict, estimate=estimate, low=None, high=None, limit=limit, n=n, said=said)
