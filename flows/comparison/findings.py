"""Statistics into findings that people can read."""

import math

from flows.stats.results import AlwaysValid, Effect
from registry.records.verdict import Finding


def number(value: float) -> str:
    """Four significant digits, and words for what is no number."""
    if math.isinf(value):
        return "unbounded"
    return f"{value:.4g}"


def p_text(log_p: float) -> str:
    """A p-value that never prints as 0."""
    if log_p >= math.log(1e-4):
        return f"p = {math.exp(log_p):.4f}"
    return "p = 0 (no variance)" if math.isinf(log_p) else f"p = 10^{log_p / math.log(10):.1f}"


def of_effect(name: str, effect: Effect, passed: bool | None) -> Finding:
    """A finding of a test that was made once."""
    note = f"; {effect.note}" if effect.note else ""
    said = (
        f"{name}: {effect.estimate:+.4g} [{number(effect.low)}, {number(effect.high)}], "
        f"{p_text(effect.log_p)}, n = {effect.n} ({effect.method}{note})"
    )
    return _finding(name, passed, said, effect.estimate, effect.low, effect.high, effect.p_value, effect.n)


def of_sequence(name: str, seen: AlwaysValid, passed: bool | None) -> Finding:
    """A finding that may be looked at as often as one likes."""
    note = f"; {seen.note}" if seen.note else ""
    said = (
        f"{name}: {seen.estimate:+.4g} [{number(seen.low)}, {number(seen.high)}], "
        f"always-valid {p_text(seen.log_p)}, n = {seen.n} ({seen.method}{note})"
    )
    return _finding(name, passed, said, seen.estimate, seen.low, seen.high, seen.p_value, seen.n)


def plain(name: str, passed: bool | None, said: str, n: int = 0) -> Finding:
    """A finding without an interval."""
    return Finding(name=name, passed=passed, said=said, n=n)


def _finding(
    name: str, passed: bool | None, said: str, estimate: float, low: float, high: float, p_value: float, n: int
) -> Finding:
    return Finding(
        name=name,
        passed=passed,
        said=said,
        estimate=_bounded(estimate),
        low=_bounded(low),
        high=_bounded(high),
        p_value=_bounded(p_value),
        n=n,
    )


def _bounded(value: float) -> float | None:
    return value if math.isfinite(value) else None
