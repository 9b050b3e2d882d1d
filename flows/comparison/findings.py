"""Statistics into findings that people can read."""

import math
from typing import NamedTuple

import msgspec

from flows.stats.results import AlwaysValid, Effect
from registry.records.verdict import Finding, Role


class About(NamedTuple):
    """
    What a test is about.

    Attributes:
        metric: Its name.
        role: What it does in the verdict.
        champion, challenger: The metric's value of each, if known.
        threshold: What the interval must lie above, in the unit of the estimate.
        relative: The estimate itself is relative to the champion's value.
    """

    metric: str
    role: Role = "context"
    champion: float | None = None
    challenger: float | None = None
    threshold: float | None = None
    relative: bool = False
    name: str = ""


def number(value: float | None) -> str:
    """Four significant digits, and words for what is no number."""
    if value is None or math.isinf(value):
        return "unbounded"
    return f"{value:.4g}"


def p_text(log_p: float) -> str:
    """A p-value that never prints as 0."""
    if log_p >= math.log(1e-4):
        return f"p = {math.exp(log_p):.4f}"
    return "p beyond any number" if math.isinf(log_p) else f"p = 10^{log_p / math.log(10):.1f}"


def seen(f: Finding) -> str:
    """The numbers of a finding in one breath."""
    values = ""
    if f.champion is not None and f.challenger is not None:
        change = f" ({f.lift:+.1%})" if f.lift is not None else ""
        values = f" {number(f.champion)} -> {number(f.challenger)}{change},"
    if f.estimate is None:
        return f"{f.name}{values} no data"
    return f"{f.name}{values} gain {f.estimate:+.4g} [{number(f.low)}, {number(f.high)}]"


def finding(about: About, result: Effect | AlwaysValid) -> Finding:
    """A finding of a test; whether it passed is for `decide` to say."""
    always = isinstance(result, AlwaysValid)
    name, note = about.name or about.metric, f"; {result.note}" if result.note else ""
    said = (
        f"{name}: {result.estimate:+.4g} [{number(result.low)}, {number(result.high)}], "
        f"{'always-valid ' if always else ''}{p_text(result.log_p)}, n = {result.n} ({result.method}{note})"
    )
    scale = 1.0 if about.relative else abs(about.champion or 0.0)
    return Finding(
        name=name,
        passed=None,
        said=said,
        estimate=_bounded(result.estimate),
        low=_bounded(result.low),
        high=_bounded(result.high),
        p_value=_bounded(result.p_value),
        n=result.n,
        role=about.role,
        metric=about.metric,
        method=result.method,
        always_valid=always,
        log_p=_bounded(result.log_p),
        threshold=_known(about.threshold),
        champion=_known(about.champion),
        challenger=_known(about.challenger),
        lift=_share(result.estimate, scale),
        lift_low=_share(result.low, scale),
        lift_high=_share(result.high, scale),
    )


def plain(
    name: str, passed: bool | None, said: str, n: int = 0, *, role: Role = "context", repair: str = ""
) -> Finding:
    """A finding without an interval."""
    return Finding(name=name, passed=passed, said=said, n=n, role=role, repair=repair)


def missing(about: About, why: str, repair: str = "") -> Finding:
    """A metric that could not be measured."""
    name = about.name or about.metric
    empty = Finding(name=name, passed=None, said=f"{name}: {why}", role=about.role, metric=about.metric, repair=repair)
    return msgspec.structs.replace(empty, threshold=_known(about.threshold), champion=_known(about.champion))


def _share(value: float, scale: float) -> float | None:
    return _bounded(value / scale) if scale > 0 and math.isfinite(scale) else None


def _known(value: float | None) -> float | None:
    return None if value is None else _bounded(value)


def _bounded(value: float) -> float | None:
    return value if math.isfinite(value) else None
